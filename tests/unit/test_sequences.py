"""Base codes, FASTA files, genomes and the windows cut from them."""

import gzip
import hashlib

import numpy as np
import pytest
from Bio import bgzf
from hypothesis import given
from hypothesis import strategies as st

from motifloom import sequences
from motifloom.files import InputError, write_text
from motifloom.sequences import Genome, decode, encode, extract_windows

FASTA = b">chr1 the first\nACGTA\nNacg\n>chr2\nTTGR\n>chr3\nU\n"
CHR1, CHR2, CHR3 = [0, 1, 2, 3, 0, 4, 0, 1, 2], [3, 3, 2, 4], [3]


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_bytes(FASTA)
    return path


def written(tmp_path, content, name="input.fa"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("letters", ["ACGTN", b"ACGTN", "acgun", "ACGUX"])
def test_encode(letters):
    codes = encode(letters)
    assert codes.dtype == np.uint8
    assert codes.tolist() == [0, 1, 2, 3, 4]


def test_ambiguity_codes_are_unknown():
    assert set(encode("RYSWKMBDHVNryswkmbdhvn").tolist()) == {4}
    assert encode("é-* 1").tolist() == [4] * 5
    assert encode("").shape == (0,)


def test_decode():
    codes = np.array([0, 1, 2, 3, 4], np.uint8)
    assert decode(codes) == "ACGTN"
    assert decode(codes, "rna") == "ACGUN"


@given(st.text("ACGTN", max_size=40))
def test_decode_turns_encode_back(letters):
    assert decode(encode(letters)) == letters


def test_reverse_complement_of_literals():
    assert decode(sequences.reverse_complement(encode("AACGN"))) == "NCGTT"
    rows = np.stack([encode("ACG"), encode("TTN")])
    assert sequences.reverse_complement(rows).tolist() == [[1, 2, 3], [4, 0, 0]]


@given(st.text("ACGTN", max_size=40))
def test_reverse_complement_is_its_own_inverse(letters):
    codes = encode(letters)
    turned = sequences.reverse_complement(codes)
    assert sequences.reverse_complement(turned).tolist() == codes.tolist()


@pytest.mark.parametrize("unknown", [0, 0.25])
def test_one_hot(unknown):
    found = sequences.one_hot(encode("TANC")[None], unknown)
    assert found.dtype == np.float32
    expected = [[0, 1, unknown, 0], [0, 0, unknown, 1], [0, 0, unknown, 0], [1, 0, unknown, 0]]
    assert found.tolist() == [expected]


def test_letters_that_are_no_nucleotides_are_named_with_their_position():
    sequences.check_letters("ACGTURYSWKMBDHVNacgturyswkmbdhvn", "x")
    with pytest.raises(InputError, match=r"^seq 7: '\*' at position 3 is no nucleotide letter"):
        sequences.check_letters("AC*G-", "seq 7")


def test_genome_of_a_fasta(fasta):
    genome = Genome.open(fasta)
    assert genome.lengths == {"chr1": 9, "chr2": 4, "chr3": 1}
    assert genome.names == ["chr1", "chr2", "chr3"]
    assert genome.codes("chr1").tolist() == CHR1
    assert genome.codes("chr2").tolist() == CHR2
    assert genome.codes("chr3").tolist() == CHR3
    assert Genome.open(genome) is genome


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("genome.fa", lambda content: content.replace(b"\n", b"\r\n")),
        ("genome.fa.gz", gzip.compress),
        ("no_suffix", gzip.compress),
        ("genome.fa", lambda content: content[:-1]),
        ("genome.fa", lambda content: content + b"\n"),
    ],
    ids=["crlf", "gzip", "gzip by content", "no last newline", "blank last line"],
)
def test_fasta_in_other_wrappings(tmp_path, name, pack):
    genome = Genome.open(written(tmp_path, pack(FASTA), name))
    assert genome.lengths == {"chr1": 9, "chr2": 4, "chr3": 1}
    assert genome.flat.tolist() == CHR1 + CHR2 + CHR3


def test_bgzipped_fasta(tmp_path):
    path = tmp_path / "genome.fa.bgz"
    with bgzf.open(path, "wb") as stream:
        stream.write(FASTA)
    assert Genome.open(path).flat.tolist() == CHR1 + CHR2 + CHR3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b">a\nACGT\n>b\nAC\n>a\nTT\n", "names that differ"),
        (b">a\nACGT\n>b\n", "record b has no sequence"),
        (b">a\n>b\nACGT\n", "record a has no sequence"),
        (b"ACGT\n", "not a well-formed"),
        (b">a\nACGT\n\nACGT\nAC\n", "not a well-formed"),
        (b">a\nACGT\nACGT\n\n\n", "not a well-formed"),
        (b">a\nAC-T\n", "record a: '-' at position 3"),
        (b">a\nACGT\n>b\nGG1\n", "record b: '1' at position 3"),
        (gzip.compress(FASTA, mtime=0)[:-12], "damaged or cut short"),
        (bytes(range(256)), "not a well-formed"),
    ],
)
@pytest.mark.parametrize("read", ["open", "encode", "records"])
def test_bad_fasta(tmp_path, content, message, read):
    path = written(tmp_path, content)
    readers = {
        "open": Genome.open,
        "encode": lambda path: sequences.encode_genome(path, tmp_path / "genome.safetensors"),
        "records": sequences.read_fasta,
    }
    with pytest.raises(InputError, match=message) as caught:
        readers[read](path)
    assert str(path) in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ["input.fa"]


def test_missing_fasta(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Genome.open(tmp_path / "genome.fa")


def test_records_of_a_fasta(fasta):
    names, records = sequences.read_fasta(fasta)
    assert names == ["chr1", "chr2", "chr3"]
    assert [record.tolist() for record in records] == [CHR1, CHR2, CHR3]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_nothing_is_written_beside_the_input(tmp_path, pack):
    folder = tmp_path / "input"
    folder.mkdir()
    path = written(folder, pack(FASTA), "genome.fa.gz" if pack is gzip.compress else "genome.fa")
    folder.chmod(0o555)
    try:
        extract_windows(path, ["chr1"], [0], 3)
        sequences.encode_genome(path, tmp_path / "genome.safetensors")
        sequences.read_fasta(path)
        assert list(folder.iterdir()) == [path]
    finally:
        folder.chmod(0o755)


def test_windows_of_literals(fasta):
    found = extract_windows(fasta, ["chr1", "chr2", "chr1"], [0, 1, 5], 3)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 1, 2], [3, 2, 4], [4, 0, 1]]


def test_windows_at_chromosome_boundaries(fasta):
    found = extract_windows(fasta, ["chr1", "chr2", "chr2"], [5, 0, 0], 4)
    assert found.tolist() == [CHR1[-4:], CHR2, CHR2]


def test_windows_beyond_the_ends_are_filled_with_unknown(fasta):
    chroms = ["chr1", "chr1", "chr2", "chr3", "chr2", "chr3", "chr1"]
    starts = [-2, 7, -1, -2, 90, -90, 2]
    assert extract_windows(fasta, chroms, starts, 5).tolist() == [
        [4, 4, 0, 1, 2],
        [1, 2, 4, 4, 4],
        [4, 3, 3, 2, 4],
        [4, 4, 3, 4, 4],
        [4, 4, 4, 4, 4],
        [4, 4, 4, 4, 4],
        [2, 3, 0, 4, 0],
    ]


def test_windows_longer_than_the_genome(fasta):
    found = extract_windows(fasta, ["chr3"], [-10], 21)
    assert found.tolist() == [[4] * 10 + [3] + [4] * 10]


def test_no_windows(fasta):
    assert extract_windows(fasta, [], [], 5).shape == (0, 5)


def test_unknown_chromosome(fasta):
    with pytest.raises(InputError, match="'chr9' is not in the genome"):
        extract_windows(fasta, ["chr1", "chr9"], [0, 0], 3)
    with pytest.raises(InputError, match="'chrX' is not in the genome"):
        Genome.open(fasta).codes("chrX")


def test_encoded_genome_equals_its_fasta(tmp_path, fasta):
    encoded = tmp_path / "genome.safetensors"
    assert sequences.encode_genome(fasta, encoded) == {"chr1": 9, "chr2": 4, "chr3": 1}
    opened, direct = Genome.open(encoded), Genome.open(fasta)
    assert opened.lengths == direct.lengths
    assert opened.names == direct.names
    assert opened.flat.tolist() == direct.flat.tolist()
    assert not opened.flat.flags.owndata, "memory-mapped"
    assert not opened.flat.flags.writeable
    where = (["chr2", "chr1", "chr3"], [-1, 3, 0], 6)
    assert (extract_windows(encoded, *where) == extract_windows(fasta, *where)).all()


def test_encoded_genome_is_the_same_bytes_twice(tmp_path, fasta):
    sequences.encode_genome(fasta, tmp_path / "a.safetensors")
    sequences.encode_genome(fasta, tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def table_of(tmp_path, *rows):
    lines = ["name\tlength\tsha256_of_uppercase_sequence", *rows]
    write_text("\n".join(lines) + "\n", tmp_path / "sequences.tsv")
    return tmp_path / "sequences.tsv"


def row_of(name, letters):
    return f"{name}\t{len(letters)}\t{hashlib.sha256(letters.encode()).hexdigest()}"


def test_check_genome(tmp_path, fasta):
    table = table_of(tmp_path, row_of("chr3", "T"), row_of("chr1", "ACGTANACG"))
    sequences.check_genome(fasta, table)


@pytest.mark.parametrize("row", [row_of("chr1", "ACGTANACT"), row_of("chr1", "ACGTANACGT")])
def test_check_genome_finds_another_assembly(tmp_path, fasta, row):
    with pytest.raises(InputError, match=r"chromosome chr1 differs .* \(9 bp"):
        sequences.check_genome(fasta, table_of(tmp_path, row))


def test_check_genome_finds_a_missing_chromosome(tmp_path, fasta):
    with pytest.raises(InputError, match="'chr8' is not in the genome"):
        sequences.check_genome(fasta, table_of(tmp_path, row_of("chr8", "A")))


def test_other_files_are_no_encoded_genome(tmp_path):
    from motifloom.store import write_arrays

    path = tmp_path / "other.safetensors"
    write_arrays(path, {"codes": ((2,), np.uint8)}, [np.zeros(2, np.uint8)], {})
    with pytest.raises(InputError, match="no encoded genome"):
        Genome.open(path)
