import gzip
import json
from types import SimpleNamespace

import numpy as np
import pysam
import pytest

from motifloom import annotation, bgzf
from motifloom.annotation import OUTPUTS, annotate_variants, empirical_p, info_key
from motifloom.files import InputError
from motifloom.sequences import Genome, decode
from motifloom.variant_rows import TABLE
from motifloom.variants import Effects

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
HEAD = f"##fileformat=VCFv4.2\n##contig=<ID=chr1>\n##contig=<ID=chr2>\n{COLUMNS}\n"
BINARY = {
    "labels": "binary",
    "targets": ["TF"],
    "target_scale": 1.0,
    "hyperparameters": {"length": 101},
}
SCORE = BINARY | {"labels": "score", "target_scale": 2000.0}
KEY = "MOTIFLOOM_deepbind"


@pytest.fixture
def genome():
    codes = np.random.default_rng(0).integers(0, 4, 6000).astype(np.uint8)
    return Genome(["chr1", "chr2"], [4000, 2000], codes)


@pytest.fixture(autouse=True)
def models(monkeypatch):
    """Weights are the names of what their models' info is."""
    infos = {
        "binary": BINARY,
        "score": SCORE,
        "short": BINARY | {"hyperparameters": {"length": 40}},
        "both": BINARY | {"targets": ["CTCF", "MYC"]},
    }
    monkeypatch.setattr(
        annotation.inference, "load", lambda path: SimpleNamespace(info=infos[path])
    )


class Scorer:
    """Numbers that depend on the allele alone, as real ones do; best ones grow with the shifts."""

    def __init__(self, models, genome, shifts):
        self.n_targets = sum(len(model.info["targets"]) for model in models)
        self.n_shifts = len(shifts)
        assert shifts[0] == 0

    def score(self, alleles):
        return scored(alleles, self.n_targets, self.n_shifts)


def scored(alleles, n_targets, n_shifts=1):
    t = np.arange(n_targets, dtype=np.float32)
    start = alleles.start[:, None].astype(np.float32)
    reference = start / 1024 + t
    alternative = reference + (alleles.n_alt - alleles.n_ref)[:, None] / 2 - 0.25
    strand = np.where(alleles.start[:, None] % 2, 1, -1) + np.zeros(n_targets, int)
    position = alleles.start[:, None] - 3 + np.zeros(n_targets, int)
    kernel = np.full(position.shape, 7)
    for column in (strand, position, kernel):
        column[alleles.start % 5 == 0] = 0 if column is strand else -1
    return Effects(
        reference,
        alternative.astype(np.float32),
        reference + n_shifts,
        (alternative + n_shifts).astype(np.float32),
        position.astype(np.int64),
        strand.astype(np.int8),
        kernel.astype(np.int32),
    )


PLATT = {"method": "platt", "slope": 2.0, "intercept": -1.0}


def calibration(path, fitted=PLATT):
    path.write_text(json.dumps({"negatives": "gc", "models": {"deepbind": fitted}}))
    return path


def outputs_in(folder):
    names = ("a.vcf.gz", "a.vcf.gz.tbi", "a.tsv.gz", "a.tsv.gz.tbi")
    names += ("top.tsv", "skipped.tsv", "summary.tsv")
    return dict(zip(OUTPUTS, (folder / name for name in names), strict=True))


def annotate(folder, variants, genome, weights=None, **settings):
    folder.mkdir(exist_ok=True)
    if isinstance(variants, str):
        (folder / "in.vcf").write_text(variants)
        variants = folder / "in.vcf"
    outputs = outputs_in(folder)
    settings = {"n_null": 20, "calibrations": {"Reb1": calibration(folder / "c.json")}} | settings
    annotate_variants(
        variants, genome, weights or {"Reb1": "binary"}, outputs,
        model=settings.pop("model", "deepbind"), make_scorer=Scorer, **settings,
    )  # fmt: skip
    return outputs


def text_of(path):
    content = path.read_bytes()
    return gzip.decompress(content).decode() if content[:2] == b"\x1f\x8b" else content.decode()


def base(genome, chrom, pos, n=1):
    return decode(genome.codes(chrom)[pos - 1 : pos - 1 + n])


def other(letter):
    return "ACGT"[("ACGT".index(letter) + 1) % 4]


def record(genome, chrom, pos, alt=None, n=1, info=".", more=""):
    ref = base(genome, chrom, pos, n)
    return f"{chrom}\t{pos}\trs{pos}\t{ref}\t{alt or other(ref)}\t.\tPASS\t{info}{more}\n"


def many(genome, n=200, step=19):
    text = HEAD
    for chrom in ("chr2", "chr1"):
        for i, pos in enumerate(range(5, min(len(genome.codes(chrom)) - 10, n * step), step)):
            ref = base(genome, chrom, pos)
            alt = [None, f"{other(ref)},<DEL>", f"{ref}ACG,{other(ref)}", "N" + ref][i % 4]
            text += record(genome, chrom, pos, alt, info=["DP=3", "."][i % 2])
    return text


def test_a_record_is_annotated_in_place_and_in_the_table(tmp_path, genome):
    ref, alt = base(genome, "chr1", 1026), other(base(genome, "chr1", 1026))
    outputs = annotate(tmp_path, HEAD + record(genome, "chr1", 1026, info="DP=3"), genome, n_null=0)
    entry = f"{alt}|Reb1|1.0010|0.7510|-0.2500|-0.5000|.|.|.|.|2.0010|1.7510"
    *header, columns, row = text_of(outputs["vcf"]).splitlines()
    assert header == [*HEAD.splitlines()[:-1], annotation.info_line(KEY, "deepbind")]
    assert columns == COLUMNS
    assert row == f"chr1\t1026\trs1026\t{ref}\t{alt}\t.\tPASS\tDP=3;{KEY}={entry}"
    assert text_of(outputs["table"]) == (
        "#chrom\tpos\tid\tref\talt\tdataset\treference\talternative\tdifference\tlog_odds\tp"
        "\tstrand\tposition\tkernel\tbest_reference\tbest_alternative\tbest_difference\n"
        f"chr1\t1026\trs1026\t{ref}\t{alt}\tReb1\t1.0010\t0.7510\t-0.2500\t-0.5000\tNA\tNA\tNA\tNA"
        "\t2.0010\t1.7510\t-0.2500\n"
    )
    assert text_of(outputs["skipped"]) == "chrom\tpos\tid\tref\talt\tline\treason\n"


def test_positions_count_from_one(tmp_path, genome):
    outputs = annotate(tmp_path, HEAD + record(genome, "chr1", 1028), genome)
    row = text_of(outputs["table"]).splitlines()[1].split("\t")
    assert row[11:14] == ["+", "1025", "7"]  # base 1027 counted from 0, less 3, plus 1
    assert "|+|1025|7|" in text_of(outputs["vcf"])


def test_entries_come_by_allele_then_target(tmp_path, genome):
    ref = base(genome, "chr1", 9)
    text = HEAD + record(genome, "chr1", 9, f"{other(ref)},<DEL>,{ref}AC")
    outputs = annotate(tmp_path, text, genome, {"b": "binary", "a": "score"})
    info = text_of(outputs["vcf"]).splitlines()[-1].split("\t")[7]
    entries = [entry.split("|") for entry in info.removeprefix(f"{KEY}=").split(",")]
    alts = [other(ref), other(ref), f"{ref}AC", f"{ref}AC"]
    assert [entry[:2] for entry in entries] == [[alt, "ba"[i % 2]] for i, alt in enumerate(alts)]
    rows = [row.split("\t") for row in text_of(outputs["table"]).splitlines()[1:]]
    assert [row[4:6] for row in rows] == [entry[:2] for entry in entries]
    assert text_of(outputs["skipped"]).splitlines()[1:] == [
        f"chr1\t9\trs9\t{ref}\t<DEL>\t5\tsymbolic allele"
    ]


def test_scores_are_written_by_their_spread_and_have_no_log_odds(tmp_path, genome):
    weights = {"a": "score"}
    outputs = annotate(tmp_path, HEAD + record(genome, "chr1", 1028), genome, weights)
    row = text_of(outputs["table"]).splitlines()[1].split("\t")
    assert row[6:10] == ["1.0", "0.8", "-0.2", "NA"]


def test_logits_of_a_multitask_network_are_log_odds(tmp_path, genome):
    text = HEAD + record(genome, "chr1", 1028)
    weights = {"multitask": "both"}
    outputs = annotate(tmp_path, text, genome, weights, model="danq-2016", calibrations={})
    rows = [row.split("\t") for row in text_of(outputs["table"]).splitlines()[1:]]
    assert [row[5] for row in rows] == ["CTCF", "MYC"]
    assert [row[8] for row in rows] == [row[9] for row in rows] == 2 * ["-0.2500"]
    assert "##INFO=<ID=MOTIFLOOM_danq_2016,Number=.,Type=String," in text_of(outputs["vcf"])


def test_short_windows_take_the_shifts_that_fit(tmp_path, genome):
    text = HEAD + record(genome, "chr1", 1028)
    weights = {"a": "binary", "b": "short", "c": "binary"}
    outputs = annotate(tmp_path, text, genome, weights, shifts=[-40, -10, 0, 10, 20, 40])
    rows = [row.split("\t") for row in text_of(outputs["table"]).splitlines()[1:]]
    assert [row[5] for row in rows] == ["a", "b", "c"]
    assert [float(row[14]) - float(row[6]) for row in rows] == pytest.approx([6, 3, 6], abs=1e-3)


def test_isotonic_log_odds_end_at_one_in_a_thousand(tmp_path, genome):
    fitted = {"method": "isotonic", "scores": [0.8, 0.9], "probabilities": [0.0, 1.0]}
    calibrations = {"Reb1": calibration(tmp_path / "own.json", fitted)}
    text = HEAD + record(genome, "chr1", 1028)
    outputs = annotate(tmp_path, text, genome, calibrations=calibrations)
    row = text_of(outputs["table"]).splitlines()[1].split("\t")
    assert row[9] == f"{-2 * np.log(999):.4f}"


def test_a_dataset_without_calibration_has_no_log_odds(tmp_path, genome):
    text = HEAD + record(genome, "chr1", 1028)
    outputs = annotate(tmp_path, text, genome, calibrations={})
    assert text_of(outputs["table"]).splitlines()[1].split("\t")[9] == "NA"


def test_all_records_and_samples_stay(tmp_path, genome):
    samples = "\tGT:AD:X\t0|1:3,4:é\t./.:.:.\n"
    lines = [
        "chrUn\t5\t.\tA\tG\t50.0\tq10;s50\tEND=9;FLAG\n",
        "chr1\t3\t.\tA\t<DEL>\t1e-3\t.\tSVTYPE=DEL;END=8\n",
        record(genome, "chr1", 9, info="A=1;B"),
        record(genome, "chr1", 9, info="A=1;"),
    ]
    text = HEAD[:-1] + "\tFORMAT\ts 1\ts2\n" + "".join(line[:-1] + samples for line in lines)
    outputs = annotate(tmp_path, text, genome)
    found = text_of(outputs["vcf"]).splitlines(keepends=True)[-4:]
    assert found[:2] == [line[:-1] + samples for line in lines[:2]]
    for row, line in zip(found[2:], lines[2:], strict=True):
        start = line[:-1].rstrip(";")
        assert row.startswith(f"{start};{KEY}=")
        assert row.endswith(samples)


def test_annotating_again_replaces(tmp_path, genome):
    first = annotate(tmp_path / "1", many(genome), genome)
    again = annotate(tmp_path / "2", first["vcf"], genome)
    assert text_of(again["vcf"]) == text_of(first["vcf"])
    assert again["vcf"].read_bytes() == first["vcf"].read_bytes()


def test_only_the_own_key_is_replaced(tmp_path, genome):
    head = HEAD.replace("#CHROM", f"{annotation.info_line(KEY, 'deepbind')}\n#CHROM")
    info = f"{KEY}2=a;{KEY}=old|x;DP=3;{KEY};X{KEY}=1"
    outputs = annotate(tmp_path, head + record(genome, "chr1", 9, info=info), genome)
    found = text_of(outputs["vcf"]).splitlines()[-1].split("\t")[7]
    assert found.startswith(f"{KEY}2=a;DP=3;X{KEY}=1;{KEY}=")
    assert text_of(outputs["vcf"]).count(f"##INFO=<ID={KEY},") == 1


def test_a_key_of_a_skipped_record_is_taken_out(tmp_path, genome):
    head = HEAD.replace("#CHROM", f"{annotation.info_line(KEY, 'deepbind')}\n#CHROM")
    outputs = annotate(tmp_path, head + record(genome, "chr1", 9, "*", info=f"{KEY}=old"), genome)
    assert text_of(outputs["vcf"]).splitlines()[-1].split("\t")[7] == "."


def bytes_of(outputs):
    return {name: path.read_bytes() for name, path in outputs.items()}


@pytest.mark.parametrize("size", [1, 7, 64])
def test_batches_do_not_matter(tmp_path, genome, size):
    whole = annotate(tmp_path / "1", many(genome), genome)
    parts = annotate(tmp_path / "2", many(genome), genome, most_records=size)
    assert bytes_of(whole) == bytes_of(parts)


def test_the_seed_chooses_the_random_variants(tmp_path, genome):
    first, second, third = (
        bytes_of(annotate(tmp_path / name, many(genome), genome, seed=seed))
        for name, seed in (("1", 1), ("2", 1), ("3", 2))
    )
    assert first == second
    assert first["table"] != third["table"]


def test_other_programs_read_the_vcf(tmp_path, genome):
    outputs = annotate(tmp_path, many(genome), genome)
    with pysam.VariantFile(str(outputs["vcf"])) as source:
        n_records = sum(1 for _ in source)
        assert source.header.info[KEY].number == "."
        records = list(source.fetch("chr1", 42, 62))
    assert [found.pos for found in records] == [43, 62]
    assert n_records == many(genome).count("\n") - HEAD.count("\n")
    assert records[0].info[KEY][0].split("|")[1] == "Reb1"
    cyvcf2 = pytest.importorskip("cyvcf2")
    source = cyvcf2.VCF(str(outputs["vcf"]))
    found = [one.INFO[KEY] for one in source("chr1:43-62")]
    assert [len(entry.split("|")) for entry in found[0].split(",")] == [12, 12]


def test_the_table_is_queried_by_place(tmp_path, genome):
    outputs = annotate(tmp_path, many(genome), genome)
    rows = text_of(outputs["table"]).splitlines()[1:]
    with pysam.TabixFile(str(outputs["table"])) as table:
        assert table.contigs == ["chr2", "chr1"]
        assert table.header == ["\t".join(TABLE)]
        for chrom, first, last in (("chr1", 0, 4000), ("chr2", 100, 101), ("chr1", 61, 62)):
            expected = [
                row
                for row in rows
                if row.split("\t")[0] == chrom and first < int(row.split("\t")[1]) <= last
            ]
            assert list(table.fetch(chrom, first, last)) == expected


def test_the_strongest_rows_are_the_tables(tmp_path, genome):
    weights = {"a": "binary", "b": "score"}
    outputs = annotate(tmp_path, many(genome), genome, weights, most_records=50)
    header, *rows = text_of(outputs["table"]).splitlines()
    top_header, *top = text_of(outputs["top"]).splitlines()
    assert f"#{top_header}" == header
    assert set(top) <= set(rows) and len(top) == 200
    p = [float(row.split("\t")[10]) for row in top]
    assert p == sorted(p)


def test_an_empty_file_gives_headers(tmp_path, genome):
    outputs = annotate(tmp_path, HEAD, genome)
    assert text_of(outputs["vcf"]).splitlines()[-1] == COLUMNS
    assert text_of(outputs["table"]) == "\t".join(TABLE) + "\n"
    assert text_of(outputs["top"]) == "\t".join(TABLE)[1:] + "\n"
    with pysam.TabixFile(str(outputs["table"])) as table:
        assert table.contigs == []
    assert bgzf.is_whole(outputs["table"])


def test_bcf_becomes_vcf(tmp_path, genome):
    described = '##INFO=<ID=DP,Number=1,Type=Integer,Description="d">\n#CHROM'
    # pysam would write an INFO key for <DEL> that it has not described.
    text = many(genome).replace("#CHROM", described).replace(",<DEL>", "")
    plain = annotate(tmp_path / "1", text, genome)
    with (
        pysam.VariantFile(str(tmp_path / "1/in.vcf")) as given,
        pysam.VariantFile(str(tmp_path / "a.bcf"), "wb", header=given.header) as made,
    ):
        for one in given:
            made.write(one)
    binary = annotate(tmp_path / "2", tmp_path / "a.bcf", genome)
    assert text_of(binary["table"]) == text_of(plain["table"])
    rows = [text_of(outputs["vcf"]).splitlines()[-300:] for outputs in (plain, binary)]
    assert rows[0] == rows[1]


def test_the_summary_counts(tmp_path, genome):
    ref = base(genome, "chr1", 9)
    text = HEAD + record(genome, "chr1", 9, f"{other(ref)},{ref}A,*")
    outputs = annotate(tmp_path, text, genome)
    counts = dict(line.split("\t")[:2] for line in text_of(outputs["summary"]).splitlines() if line)
    assert {stage: count for stage, count in counts.items() if count != "0"} == {
        "stage": "count",
        "records": "1",
        "alternative alleles": "3",
        "scored": "2",
        "scored: SNV": "1",
        "scored: insertion": "1",
        "skipped: allele missing or spanning deletion (. or *)": "1",
        "random variants: substitutions": "20",
        "random variants: indels": "20",
    }


def test_a_mismatch_is_skipped_or_ends_the_job(tmp_path, genome):
    ref = base(genome, "chr1", 9)
    text = HEAD + f"chr1\t9\t.\t{other(ref)}\t{ref}\t.\t.\t.\n"
    outputs = annotate(tmp_path / "1", text, genome)
    assert text_of(outputs["skipped"]).endswith("\t5\tREF differs from the genome\n")
    with pytest.raises(InputError) as error:
        annotate(tmp_path / "2", text, genome, mismatches="error")
    assert str(error.value) == (
        f"{tmp_path}/2/in.vcf, line 5: REF is {other(ref)!r}, but the genome has {ref!r} at chr1:9;"
        " is this the right genome assembly? to skip such alleles set variants: mismatches: skip"
    )


def test_a_failure_leaves_no_file(tmp_path, genome):
    class Failing(Scorer):
        calls = 0

        def score(self, alleles):
            Failing.calls += 1
            if Failing.calls > 3:
                raise InputError("no")
            return super().score(alleles)

    (tmp_path / "in.vcf").write_text(many(genome))
    with pytest.raises(InputError, match="no"):
        annotate_variants(
            tmp_path / "in.vcf", genome, {"Reb1": "binary"}, outputs_in(tmp_path / "out"),
            model="deepbind", calibrations={}, n_null=5, make_scorer=Failing, most_records=50,
        )  # fmt: skip
    assert list((tmp_path / "out").iterdir()) == []


def test_p_counts_random_variants_that_change_as_much():
    null = np.array([[0.5, 1.0, 1.0, 2.0]], np.float32)
    differences = np.array([[0.4], [-1.0], [1.5], [-3.0], [np.nan]], np.float32)
    p = np.empty((5, 1), np.float32)
    empirical_p(differences, np.zeros(5, np.int64), null, null[:, :0], p)
    assert p[:4, 0].tolist() == np.float32([1.0, 0.8, 0.4, 0.2]).tolist()
    assert np.isnan(p[4, 0])
    empirical_p(differences, np.ones(5, np.int64), null, null[:, :0], p)
    assert np.isnan(p).all()


def test_keys_are_words():
    assert info_key("deepbind-2015") == "MOTIFLOOM_deepbind_2015"


def test_what_an_index_may_stumble_over(tmp_path, genome):
    """Position 0, an END before the position, one far beyond, and lengths of symbolic alleles."""
    lines = [
        "chr1\t0\t.\tN\tA\t.\t.\t.\n",
        "chr1\t50\t.\tA\t<DEL>\t.\t.\tEND=40\n",
        "chr1\t51\t.\tA\t<NON_REF>\t.\t.\tEND=900\n",
        "chr1\t52\t.\tA\t<DEL>\t.\t.\tSVLEN=-500;SVTYPE=DEL\n",
        record(genome, "chr1", 100),
    ]
    outputs = annotate(tmp_path, HEAD + "".join(lines), genome)
    assert text_of(outputs["vcf"]).splitlines(keepends=True)[-5:-1] == lines[:-1]
    with pysam.TabixFile(str(outputs["vcf"])) as index:
        assert [row.split("\t")[1] for row in index.fetch("chr1", 899, 900)] == ["51"]
        assert "100" in [row.split("\t")[1] for row in index.fetch("chr1", 99, 100)]
