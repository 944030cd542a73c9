import numpy as np
import pysam
import pytest

from motifloom import bgzf
from motifloom.tabix import Index, bins_of


@pytest.mark.parametrize(
    ("begin", "end", "number"),
    [
        (0, 1, 4681),
        (16383, 16384, 4681),
        (16384, 16385, 4682),
        (16383, 16385, 585),
        (131071, 131073, 73),
        (0, 1 << 29, 0),
        ((1 << 29) - 1, 1 << 29, 37448),
    ],
)
def test_bins(begin, end, number):
    assert bins_of(np.array([begin]), np.array([end])).tolist() == [number]


def lines_of(seed, n=3000, longest=1):
    """Sorted lines (chromosome, begin, end) of two chromosomes."""
    random = np.random.default_rng(seed)
    found = []
    for chrom in ("chr9", "chr1"):
        begins = np.sort(random.integers(0, 3_000_000, n))
        ends = begins + random.integers(1, longest + 1, n) ** random.integers(1, 3, n)
        found += [(chrom, *pair) for pair in zip(begins.tolist(), ends.tolist(), strict=True)]
    return found


def write(path, lines, size):
    """Write lines as a blocked file with its index, `size` lines at a time."""
    index = Index()
    with bgzf.writing(path, 2) as stream:
        stream.write(b"#chrom\tbegin\tend\n")
        for chrom in dict.fromkeys(line[0] for line in lines):
            own = [line for line in lines if line[0] == chrom]
            for at in range(0, len(own), size):
                part = own[at : at + size]
                texts = [f"{c}\t{b + 1}\t{e}\t{'x' * (b % 300)}\n".encode() for c, b, e in part]
                starts = stream.written + np.cumsum([0, *map(len, texts)])
                begins, ends = (np.array(column) for column in list(zip(*part, strict=True))[1:])
                index.add(chrom, begins, ends, starts[:-1], starts[1:])
                stream.write(b"".join(texts))
    index.write(path.with_name(path.name + ".tbi"), (0, 1, 2, 3), stream.blocks)
    return path.with_name(path.name + ".tbi").read_bytes()


@pytest.mark.parametrize("longest", [1, 500])
def test_queries_give_all_lines_of_a_place(tmp_path, longest):
    lines = lines_of(0, longest=longest)
    write(tmp_path / "a.gz", lines, 700)
    random = np.random.default_rng(1)
    with pysam.TabixFile(str(tmp_path / "a.gz")) as table:
        assert table.contigs == ["chr9", "chr1"]
        for size in (1, 20, 5000, 100_000, 4_000_000):
            for first in [0, *random.integers(0, 3_100_000, 20).tolist()]:
                found = [
                    tuple(map(int, row.split("\t")[1:3]))
                    for row in table.fetch("chr1", first, first + size)
                ]
                expected = [
                    (b + 1, e)
                    for c, b, e in lines
                    if c == "chr1" and b < first + size and e > first
                ]
                assert found == expected


def test_an_index_does_not_depend_on_parts(tmp_path):
    lines = lines_of(2, n=200, longest=100)
    whole = write(tmp_path / "a.gz", lines, 1000)
    assert whole == write(tmp_path / "b.gz", lines, 1)
    assert whole == write(tmp_path / "c.gz", lines, 33)


def test_an_index_of_nothing(tmp_path):
    write(tmp_path / "a.gz", [], 1)
    with pysam.TabixFile(str(tmp_path / "a.gz")) as table:
        assert table.contigs == []


def test_lines_are_counted_where_htslib_looks(tmp_path):
    write(tmp_path / "a.gz", lines_of(0, n=50), 7)
    text = pysam.BGZFile(str(tmp_path / "a.gz.tbi")).read(1 << 20)
    pysam.tabix_index(
        str(tmp_path / "a.gz"), seq_col=0, start_col=1, end_col=2, force=True,
        index=str(tmp_path / "theirs.tbi"),
    )  # fmt: skip
    theirs = pysam.BGZFile(str(tmp_path / "theirs.tbi")).read(1 << 20)
    assert text[:4] == theirs[:4] == b"TBI\1"
    assert text[4:50] == theirs[4:50]
    statistics = np.uint32(37450).tobytes() + np.uint32(2).tobytes()
    for content in (text, theirs):
        at = content.index(statistics) + 8
        assert np.frombuffer(content[at : at + 32], "<u8")[2:].tolist() == [50, 0]
