"""Haplotypes of regions, from phased genotypes to scores."""

import gzip
from itertools import pairwise

import numpy as np
import pandas as pd
import pysam
import pysam.bcftools
import pytest
from builders import genome_of
from test_scoring import deepbind

from motifloom.files import InputError, read_table
from motifloom.haplotypes import build_haplotypes, score_haplotypes
from motifloom.sequences import decode
from motifloom.store import read_arrays

#                   1234567890123456
RECORDS = {"chr1": "TTTTACGTTTTTTGGG", "chr2": "GGGGGCCCCC"}
HEADER = """##fileformat=VCFv4.3
##contig=<ID=chr1>
##contig=<ID=chr2>
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb
"""
BED = "chr1\t2\t10\tfirst\nchr2\t0\t10\tsecond\n"


def vcf(*records, header=HEADER):
    lines = []
    for chrom, position, ref, alt, *genotypes in records:
        fields = [chrom, position, ".", ref, alt, ".", ".", ".", "GT", *genotypes]
        lines.append("\t".join(map(str, fields)) + "\n")
    return header + "".join(lines)


@pytest.fixture
def build(tmp_path):
    genome_of(RECORDS, tmp_path / "genome.safetensors")

    def run(text, bed=BED, path="phased.vcf", aliases=None):
        if text is not None:
            (tmp_path / path).write_text(text)
        (tmp_path / "regions.bed").write_text(bed)
        outputs = [tmp_path / name for name in ("table.tsv", "h.safetensors", "counts.tsv")]
        build_haplotypes(
            tmp_path / path,
            tmp_path / "genome.safetensors",
            tmp_path / "regions.bed",
            *outputs,
            aliases=aliases,
        )
        table = read_table(outputs[0], ("carriers", "variants"))
        arrays, _ = read_arrays(outputs[1])
        table["sequence"] = [decode(arrays["codes"][a:b]) for a, b in pairwise(arrays["offsets"])]
        return table, read_table(outputs[2])

    return run


def rows(table, *columns):
    return table[list(columns)].values.tolist()


def test_carriers_of_a_haplotype_share_its_row(build):
    text = vcf(
        ("chr1", 5, "A", "C", "0|1", "0|0"),
        ("chr1", 8, "T", "TGG", "0|1", "1|0"),
        ("chr2", 1, "GG", "G", "1|1", "1|0"),
    )
    table, counts = build(text)
    assert rows(table, "name", "haplotype", "n_carriers", "carriers", "variants", "sequence") == [
        ["first", 0, 2, "a:1,b:2", "", "TTACGTTT"],
        ["first", 1, 1, "a:2", "chr1:5:A:C,chr1:8:T:TGG", "TTCCGTGGTT"],
        ["first", 2, 1, "b:1", "chr1:8:T:TGG", "TTACGTGGTT"],
        ["second", 0, 1, "b:2", "", "GGGGGCCCCC"],
        ["second", 1, 3, "a:1,a:2,b:1", "chr2:1:GG:G", "GGGGCCCCC"],
    ]
    assert table.length.tolist() == [8, 10, 10, 10, 9]
    assert rows(counts, "records", "haplotypes", "unphased", "missing", "no_letters") == [
        [2, 3, 0, 0, 0],
        [1, 2, 0, 0, 0],
    ]


def test_what_cannot_be_used_is_the_reference_and_is_counted(build):
    text = vcf(
        ("chr1", 4, "T", "A", "0/1", "1/1"),
        ("chr1", 5, "A", "C", "./.", "1/."),
        ("chr1", 6, "C", "<DEL>,*", "1|1", "0|2"),
        ("chr1", 7, "G", "A", ".|1", "."),
    )
    table, counts = build(text, "chr1\t2\t10\n")
    assert rows(table, "carriers", "variants") == [
        ["a:1", ""],
        ["b:1,b:2", "chr1:4:T:A"],
        ["a:2", "chr1:7:G:A"],
    ]
    assert rows(counts, "unphased", "missing", "no_letters") == [[2, 5, 2]]


def test_alleles_across_the_ends_are_left_out(build):
    text = vcf(
        ("chr1", 2, "TT", "T", "1|1", "0|0"),  # the base before the interval's first: not its own
        ("chr1", 3, "TTA", "T", "1|0", "0|0"),
        ("chr1", 9, "TTTT", "T", "1|1", "0|1"),
        ("chr1", 10, "T", "TC", "1|1", "1|1"),  # behind its last base
        ("chr1", 11, "T", "C", "1|1", "1|1"),
    )
    table, counts = build(text, "chr1\t2\t10\n")
    assert rows(table, "carriers", "variants", "sequence") == [
        ["a:2,b:1,b:2", "", "TTACGTTT"],
        ["a:1", "chr1:3:TTA:T", "TCGTTT"],
    ]
    assert counts.border[0] == 3


def test_of_overlapping_alleles_the_first_stays(build):
    text = vcf(
        ("chr1", 4, "TAC", "T", "1|0", "1|1"),
        ("chr1", 5, "A", "G", "0|1", "0|0"),
        ("chr1", 6, "C", "T", "1|0", "0|0"),
        ("chr1", 8, "T", "C", "1|0", "0|0"),
        ("chr1", 7, "G", "GA", "0|0", "1|0"),
        ("chr1", 7, "G", "GC", "0|0", "1|0"),
        ("chr1", 8, "T", "G", "0|0", "1|0"),
    )
    table, counts = build(text, "chr1\t2\t10\n")
    assert rows(table, "carriers", "variants", "sequence") == [
        ["", "", "TTACGTTT"],
        ["b:2", "chr1:4:TAC:T", "TTGTTT"],
        ["b:1", "chr1:4:TAC:T,chr1:7:G:GA,chr1:8:T:G", "TTGAGTT"],
        ["a:1", "chr1:4:TAC:T,chr1:8:T:C", "TTGCTT"],
        ["a:2", "chr1:5:A:G", "TTGCGTTT"],
    ]
    assert counts.overlapping[0] == 2


def test_haploid_samples_have_one_copy(build):
    table, _ = build(vcf(("chr1", 5, "A", "C", "1", "0|1")), "chr1\t2\t10\n")
    assert table.carriers.tolist() == ["b:1", "a:1,b:2"]


def test_an_interval_without_variants_has_the_reference_alone(build):
    table, counts = build(vcf(("chr1", 16, "G", "C", "1|1", "0|1")))
    assert rows(table, "name", "n_carriers", "variants") == [["first", 4, ""], ["second", 4, ""]]
    assert counts.records.tolist() == [0, 0]
    table, _ = build(HEADER)
    assert len(table) == 2


def test_version_4_4_may_begin_with_a_mark(build):
    header = HEADER.replace("v4.3", "v4.4")
    table, _ = build(vcf(("chr1", 5, "A", "C", "|0|1", "/1/1"), header=header), "chr1\t2\t10\n")
    assert table.carriers.tolist() == ["a:1", "a:2,b:1,b:2"]


def test_other_formats_and_an_index_give_the_same(build, tmp_path):
    text = vcf(
        ("chr1", 3, "TTA", "T", "1|0", "0|0"),
        ("chr1", 5, "A", "C", "0|1", "0|0"),
        ("chr1", 8, "T", "TGG", "0|1", "1|0"),
        ("chr1", 15, "GG", "G", "0|1", "1|0"),
        ("chr2", 1, "GG", "G", "1|1", "1|0"),
    )
    bed = "chr2\t1\t3\nchr1\t2\t10\nchr1\t4\t6\nchr1\t9\t12\n"
    expected, counts = build(text, bed)
    (tmp_path / "plain.vcf.gz").write_bytes(gzip.compress(text.encode()))
    pysam.tabix_compress(str(tmp_path / "phased.vcf"), str(tmp_path / "bgz.vcf.gz"))
    with (
        pysam.VariantFile(str(tmp_path / "phased.vcf")) as source,
        pysam.VariantFile(str(tmp_path / "b.bcf"), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    for index in (False, True):
        if index:
            pysam.tabix_index(str(tmp_path / "bgz.vcf.gz"), preset="vcf")
            pysam.bcftools.index(str(tmp_path / "b.bcf"))
        for path in ("plain.vcf.gz", "bgz.vcf.gz", "b.bcf"):
            table, found = build(None, bed, path)
            pd.testing.assert_frame_equal(table, expected)
            pd.testing.assert_frame_equal(found, counts)


def test_aliases_name_chromosomes(build, tmp_path):
    (tmp_path / "aliases.tsv").write_text("name\talias\nchr1\tNC_1\n")
    text = vcf(("NC_1", 5, "A", "C", "0|1", "0|0"), ("else", 5, "A", "C", "0|1", "0|0"))
    table, _ = build(text, "chr1\t2\t10\n", aliases=tmp_path / "aliases.tsv")
    assert table.variants.tolist() == ["", "NC_1:5:A:C"]


NO_SAMPLES = "\n".join(
    line.partition("\tFORMAT")[0] if line.startswith("#C") else line for line in HEADER.split("\n")
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (vcf(("1", 5, "A", "C", "0|1", "0|0")), "chromosome '1' is not in .* mean 'chr1'"),
        (vcf(("chr1", 5, "G", "C", "0|1", "0|0")), "chr1:5 G>C: the genome has A there"),
        (vcf(("chr1", 5, "A", "C", "0|1|1", "0|0")), "chr1:5 has the genotype '0|1|1'"),
        (vcf(("chr1", 5, "A", "C", "0|1")), "is no sound VCF or BCF file"),
        (vcf(("chr1", "x", "A", "C", "0|1", "0|1")), "is no sound VCF or BCF file"),
        ("chr1\t5\n", "is no sound VCF or BCF file"),
        ("", "the file is empty"),
        (NO_SAMPLES, "has no samples"),
        (vcf(("chr1", 5, "A", "C", 3, 4)).replace("GT\t3", "DP\t3"), "has no genotypes"),
    ],
)
def test_what_is_no_phased_file_is_refused(build, text, message):
    with pytest.raises(InputError, match=message):
        build(text)


def test_a_file_cut_short_is_refused(build, tmp_path):
    text = vcf(*[("chr1", 5, "A", "C", "0|1", "0|0")] * 20000)
    (tmp_path / "phased.vcf").write_text(text)
    pysam.tabix_compress(str(tmp_path / "phased.vcf"), str(tmp_path / "cut.vcf.gz"))
    whole = (tmp_path / "cut.vcf.gz").read_bytes()
    (tmp_path / "cut.vcf.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.vcf\.gz"):
        build(None, path="cut.vcf.gz")


def scored(tmp_path, **model):
    weights = deepbind(tmp_path / "weights.safetensors", **model)
    inputs = [tmp_path / name for name in ("genome.safetensors", "table.tsv", "h.safetensors")]
    score_haplotypes(weights, *inputs, tmp_path / "scores.tsv")
    return read_table(tmp_path / "scores.tsv", ("carriers", "variants"))


def test_haplotypes_are_scored_beside_the_reference(build, tmp_path, monkeypatch):
    text = vcf(
        ("chr1", 5, "A", "C", "0|1", "0|0"),
        ("chr1", 8, "T", "TGG", "0|1", "1|0"),
        ("chr2", 3, "GGGC", "G", "1|1", "1|0"),
    )
    bed = "chr1\t2\t10\ta\t0\t+\nchr2\t2\t6\tb\t0\t+\nchr1\t4\t8\tNA\t0\t-\n"
    build(text, bed)
    table = scored(tmp_path)
    assert table.score.tolist()[:4] == [4, 3, 4, 1]
    assert np.isnan(table.score[4]) and table.length[4] == 1  # no kernel fits into it
    assert table.difference.tolist()[:4] == [0, -1, 0, 0]
    assert table.best.tolist() == [4, 3, 4, 1, 1, 4, 3]
    assert table.best_difference.tolist() == [0, -1, 0, 0, 0, 0, -1]
    monkeypatch.setattr("motifloom.haplotypes._BASES", 9)
    pd.testing.assert_frame_equal(scored(tmp_path), table)


def test_the_reverse_strand_is_read_where_it_matters(build, tmp_path):
    build(vcf(("chr1", 5, "A", "G", "0|1", "0|0")), "chr1\t2\t10\ta\t0\t-\n")
    # Of AAACGTAA, and with the variant AAACGCAA.
    assert scored(tmp_path, word="AACG").score.tolist() == [4, 4]
    assert scored(tmp_path, word="CGTA").difference.tolist() == [0, -1]
    assert scored(tmp_path, word="CGTA", strands="max").score.tolist() == [4, 3]


def test_sequences_of_another_table_are_refused(build, tmp_path):
    build(vcf(("chr1", 5, "A", "C", "0|1", "0|0")))
    lines = (tmp_path / "table.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "table.tsv").write_text("".join(lines[:-1]))
    with pytest.raises(InputError, match="does not belong to"):
        scored(tmp_path)
