import gzip

import numpy as np
import pysam
import pytest

from motifloom import bgzf
from motifloom.files import InputError
from motifloom.sequences import Genome, decode, encode
from motifloom.vcf import REASONS, TYPES, VariantFile, find_alleles, spans_of

#                    1234567890123456
GENOME = {"chr1": "ACGTACGTAAACCCNT", "chr2": "GGGGTTTTGG"}
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
HEAD = f"##fileformat=VCFv4.2\n##source=me\n{COLUMNS}\n"


def genome():
    codes = [encode(text) for text in GENOME.values()]
    return Genome(list(GENOME), [len(one) for one in codes], np.concatenate(codes))


def vcf(*records, head=HEAD):
    """A VCF's text of records (chrom, pos, ref, alt)."""
    return head + "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t.\n" for c, p, r, a in records)


def write(tmp_path, text, name="a.vcf"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path, aliases=None, most=100):
    """All records' (chrom, pos, number) and alleles (reason or what is done to the genome)."""
    rows, alleles = [], []
    for records in VariantFile(path).records(genome(), aliases or {}, most):
        rows += zip(
            records.chrom.tolist(), records.pos.tolist(), records.numbers.tolist(), strict=True
        )
        found = find_alleles(records, genome())
        own = found.alleles
        for reason, row in zip(found.reason, found.row, strict=True):
            if row < 0:
                alleles.append(REASONS[reason - 1])
                continue
            alt = decode(own.alt[own.offsets[row] : own.offsets[row + 1]])
            kind = TYPES[found.kind[row]]
            alleles.append((kind, int(own.start[row]), int(own.n_ref[row]), alt))
    return rows, alleles


def alleles_of(tmp_path, *records):
    return read(write(tmp_path, vcf(*records)))[1]


@pytest.mark.parametrize(
    ("ref", "alt", "expected"),
    [
        ("A", "G", ("SNV", 4, 1, "G")),
        ("a", "g", ("SNV", 4, 1, "G")),
        ("ACG", "ACT", ("SNV", 6, 1, "T")),
        ("AC", "GT", ("MNV", 4, 2, "GT")),
        ("ACG", "TCT", ("MNV", 4, 3, "TCT")),
        ("A", "ATT", ("insertion", 5, 0, "TT")),
        ("A", "NA", ("insertion", 4, 0, "N")),
        ("ACGT", "A", ("deletion", 5, 3, "")),
        ("ACGT", "AT", ("deletion", 5, 2, "")),
        ("ACG", "TT", ("complex", 4, 3, "TT")),
    ],
)
def test_shared_ends_are_left_out(tmp_path, ref, alt, expected):
    assert alleles_of(tmp_path, ("chr1", 5, ref, alt)) == [expected]


@pytest.mark.parametrize(
    ("pos", "ref", "alt", "expected"),
    [
        (8, "TAAAC", "TAAC", ("deletion", 8, 1, "")),
        (8, "TAA", "TA", ("deletion", 8, 1, "")),
        (9, "A", "AA", ("insertion", 8, 0, "A")),
        (16, "T", "TG", ("insertion", 16, 0, "G")),
    ],
)
def test_indels_in_repeats_are_the_leftmost(tmp_path, pos, ref, alt, expected):
    assert alleles_of(tmp_path, ("chr1", pos, ref, alt)) == [expected]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (("chrX", 5, "A", "G"), "chromosome not in the genome"),
        (("chr1", 0, "A", "G"), "beyond the chromosome's ends"),
        (("chr1", 17, "A", "G"), "beyond the chromosome's ends"),
        (("chr1", 16, "TA", "T"), "beyond the chromosome's ends"),
        (("chr1", 5, "A", "<DEL>"), "symbolic allele"),
        (("chr1", 5, "N", "<DEL>"), "symbolic allele"),
        (("chr1", 5, "A", "<NON_REF>"), "symbolic allele"),
        (("chr1", 5, "A", "A[chr2:3["), "breakend"),
        (("chr1", 5, "A", "]chr2:3]A"), "breakend"),
        (("chr1", 5, "A", "A."), "breakend"),
        (("chr1", 5, "A", "*"), "allele missing or spanning deletion (. or *)"),
        (("chr1", 5, "A", "."), "allele missing or spanning deletion (. or *)"),
        (("chr1", 5, "A", "R"), "letters other than A, C, G, T, N"),
        (("chr1", 5, "A", "U"), "letters other than A, C, G, T, N"),
        (("chr1", 5, "W", "G"), "letters other than A, C, G, T, N"),
        (("chr1", 5, "A", "G" * 100_001), "allele longer than 100000 bases"),
        (("chr1", 5, "N", "G"), "N in REF or in the genome there"),
        (("chr1", 15, "A", "G"), "N in REF or in the genome there"),
        (("chr1", 14, "CNT", "C"), "N in REF or in the genome there"),
        (("chr1", 5, "C", "G"), "REF differs from the genome"),
        (("chr1", 5, "A", "a"), "ALT is REF"),
    ],
)
def test_what_cannot_be_scored_has_a_reason(tmp_path, record, reason):
    assert alleles_of(tmp_path, ("chr1", 0, "A", "."), record)[1:] == [reason]


def test_every_reason_is_tested():
    marks = test_what_cannot_be_scored_has_a_reason.pytestmark[0].args[1]
    assert {reason for _, reason in marks} == set(REASONS)


def test_entries_of_one_record_stand_alone(tmp_path):
    found = alleles_of(tmp_path, ("chr1", 5, "AC", "G,<DEL>,A,TC,"))
    assert found == [
        ("complex", 4, 2, "G"), "symbolic allele", ("deletion", 5, 1, ""), ("SNV", 4, 1, "T"),
        "letters other than A, C, G, T, N",
    ]  # fmt: skip


def test_repeated_records_stay(tmp_path):
    record = ("chr2", 1, "G", "A")
    assert alleles_of(tmp_path, record, record) == 2 * [("SNV", 0, 1, "A")]


RECORDS = [("chr2", 1, "G", "A"), ("chr2", 5, "T", "A"), ("chr2", 5, "T", "C"), ("un", 3, "A", "C"),
           ("chr1", 1, "A", "C"), ("chr1", 2, "C", "G")]  # fmt: skip
ROWS = [(1, 1, 4), (1, 5, 5), (1, 5, 6), (-1, 3, 7), (0, 1, 8), (0, 2, 9)]


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_records_are_read_in_order(tmp_path, most):
    assert read(write(tmp_path, vcf(*RECORDS)), most=most)[0] == ROWS


@pytest.mark.parametrize("version", ["4.0", "4.1", "4.2", "4.3", "4.4", "4.5"])
def test_versions(tmp_path, version):
    text = vcf(*RECORDS).replace("v4.2", f"v{version}")
    assert read(write(tmp_path, text))[0] == ROWS


def blocked(text, path):
    with bgzf.writing(path, 1) as writer:
        writer.write(text.encode())
    return path.read_bytes()


def test_packed_files_read_alike(tmp_path):
    text = vcf(*RECORDS)
    expected = read(write(tmp_path, text))
    assert read(write(tmp_path, gzip.compress(text.encode()), "b")) == expected
    blocked(text, tmp_path / "c")
    assert read(tmp_path / "c") == expected


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: text + "\n\n",
        lambda text: "\ufeff" + text,
    ],
)
def test_line_ends_and_byte_order_marks(tmp_path, change):
    text = vcf(*RECORDS)
    assert read(write(tmp_path, change(text))) == read(write(tmp_path, text, "b"))


def as_bcf(tmp_path, text):
    contigs = "".join(f"##contig=<ID={name}>\n" for name in (*GENOME, "un"))
    source = write(tmp_path, text.replace("#CHROM", f"{contigs}#CHROM"), "source.vcf")
    path = tmp_path / "a.bcf"
    with (
        pysam.VariantFile(str(source)) as given,
        pysam.VariantFile(str(path), "wb", header=given.header) as made,
    ):
        for record in given:
            made.write(record)
    return path


def test_bcf_numbers_records(tmp_path):
    rows, alleles = read(as_bcf(tmp_path, vcf(*RECORDS)))
    assert rows == [(chrom, pos, n + 1) for n, (chrom, pos, _) in enumerate(ROWS)]
    assert alleles == read(write(tmp_path, vcf(*RECORDS)))[1]


def test_aliases_name_chromosomes(tmp_path):
    path = write(tmp_path, vcf(("one", 5, "A", "G"), ("two", 1, "G", "A")))
    rows, _ = read(path, {"one": "chr1", "two": "chrM"})
    assert rows == [(0, 5, 4), (-1, 1, 5)]


def test_no_record(tmp_path):
    assert read(write(tmp_path, HEAD)) == ([], [])
    assert read(as_bcf(tmp_path, HEAD)) == ([], [])


def test_samples_are_columns(tmp_path):
    line = "chr1\t5\t.\tA\tG\t.\t.\tDP=3\tGT\t0|1\t./.\n"
    path = write(tmp_path, HEAD[:-1] + "\tFORMAT\ta\tb\n" + line)
    source = VariantFile(path)
    assert source.header.n_columns == 11
    (records,) = source.records(genome(), {})
    assert records.text.tobytes() == line.encode()
    assert [records.field(0, column) for column in (0, 3, 4, 7)] == ["chr1", "A", "G", "DP=3"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (vcf(("1", 5, "A", "G")), ", line 4: chromosome '1' is not in the genome; did you mean"),
        (vcf(("chrI", 5, "A", "G")), ", line 4: chromosome 'chrI' is not in the genome"),
        (vcf(("x", 5, "A", "G")), ": no record is on a chromosome of the genome: the file has 'x'"),
        (
            vcf(("chr1", 5, "A", "G"), ("chr1", 4, "T", "G")),
            ", line 5: its position is before the last's; sort the file (bcftools sort)",
        ),
        (
            vcf(("chr1", 5, "A", "G"), ("chr2", 1, "G", "A"), ("chr1", 6, "C", "G")),
            ", line 6: chromosome 'chr1' was there before, from line 4 on; sort the file",
        ),
        (vcf(("chr1", "five", "A", "G")), ", line 4: POS is 'five'; give a whole number"),
        (vcf(("chr1", "-5", "A", "G")), ", line 4: POS is '-5'"),
        (vcf(("chr1", "9" * 19, "A", "G")), f", line 4: POS is '{'9' * 19}'"),
        (vcf(("chr1", 1 << 29, "A", "G")), ", line 4: position 536870912 is beyond 536870911"),
        (vcf(("chr1", 5, "", "G")), ", line 4: CHROM, REF, ALT or INFO is empty"),
        (vcf(("chr1", 5, "A", "G\0")), ", line 4: holds a byte that is no text"),
        (HEAD.replace("me", "\0"), ": its header holds a byte that is no text"),
        (
            HEAD + "chr1\t5\t.\tA\n",
            ", line 4: has 4 columns separated by tabs where the header has",
        ),
        (HEAD + "chr1 5 . A G . . .\n", ", line 4: has 1 columns separated by tabs"),
        ("", ": the file is empty"),
        ("chr1\t5\t.\tA\tG\t.\t.\t.\n", ": is no VCF (its first line is not ##fileformat=VCFv4.x)"),
        (COLUMNS + "\n", ": is no VCF"),
        ("##fileformat=VCFv3.3\n" + COLUMNS, "has version 'VCFv3.3'; convert it (bcftools view)"),
        (
            "##fileformat=VCFv4.2\nchr1\t5\n",
            ": the header does not end in a line #CHROM<tab>",
        ),
        ("##fileformat=VCFv4.2\n#CHROM\tPOS\n", ": the header does not end in a line #CHROM"),
    ],
)
@pytest.mark.parametrize("most", [1, 100])
def test_bad_files_end_in_one_sentence(tmp_path, text, told, most):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as error:
        read(path, most=most)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        VariantFile(tmp_path / "none.vcf")


def cut_last_block(content):
    return content[: -len(bgzf.END)]


@pytest.mark.parametrize("damage", [cut_last_block, lambda c: c[:-40], lambda c: c[:90] + c[95:]])
def test_damaged_files_end_in_one_sentence(tmp_path, damage):
    text = vcf(*[("chr1", 5, "A", "G")] * 4000)
    for name, content in (
        ("a.vcf.gz", blocked(text, tmp_path / "sound.gz")),
        ("a.bcf", as_bcf(tmp_path, text).read_bytes()),
    ):
        path = write(tmp_path, damage(content), name)
        with pytest.raises(InputError, match=r"cut short|damaged|is no VCF"):
            read(path)


@pytest.mark.parametrize("pack", [gzip.compress, lambda content: content])
def test_a_bcf_without_blocks(tmp_path, pack):
    content = gzip.decompress(as_bcf(tmp_path, vcf(*RECORDS)).read_bytes())
    try:
        rows, _ = read(write(tmp_path, pack(content), "b.bcf"))
        assert len(rows) == len(ROWS)
    except InputError as error:
        assert "the BCF is damaged or cut short" in str(error)


def test_damaged_plain_gzip(tmp_path):
    content = gzip.compress(vcf(*RECORDS).encode())
    with pytest.raises(InputError, match="damaged or cut short"):
        read(write(tmp_path, content[:-10]))


def test_a_header_takes_a_line_more(tmp_path):
    header = VariantFile(write(tmp_path, HEAD)).header
    line = '##INFO=<ID=X,Number=.,Type=String,Description="d">'
    once = header.with_info("X", line)
    assert once.lines == [*HEAD.splitlines()[:-1], line, COLUMNS]
    assert not header.has_info("X")
    assert once.has_info("X")
    assert once.with_info("X", line).lines == once.lines


@pytest.mark.parametrize(
    ("pos", "ref", "info", "expected"),
    [
        (5, "A", ".", (4, 5)),
        (5, "ACG", "DP=3", (4, 7)),
        (0, "A", ".", (0, 1)),
        (5, "A", "END=12", (4, 12)),
        (5, "A", "DP=3;END=12;X", (4, 12)),
        (5, "ACG", "END=2", (4, 7)),
        (5, "A", "CIEND=12;BEND=9", (4, 5)),
        (5, "A", "SVLEN=-500,20;SVTYPE=DEL", (4, 504)),
        (5, "A", "SVLEN=-5;END=9", (4, 9)),
        (5, "A", "END=x", (4, 5)),
        (5, "A", "END=99999999999999999999999", (4, 1 << 29)),
    ],
)
def test_spans_of_records(tmp_path, pos, ref, info, expected):
    path = write(
        tmp_path, HEAD + f"chr1\t{pos}\t.\t{ref}\tG\t.\t.\t{info}\nchr1\t9\t.\tA\tG\t.\t.\t.\n"
    )
    (records,) = VariantFile(path).records(genome(), {})
    begins, ends = spans_of(records)
    assert (begins[0], ends[0]) == expected
