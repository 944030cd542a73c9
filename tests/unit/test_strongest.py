import numpy as np
import pytest

from motifloom.files import read_table
from motifloom.strongest import Strongest
from motifloom.variant_rows import NUMBERS, TABLE, Lines, Values

DIFFERENCE, P = NUMBERS.index("difference"), NUMBERS.index("p")


def values_of(differences, p):
    """Values of alleles [n] by targets [T]; what is not chosen by is 0."""
    numbers = np.zeros((*np.shape(differences), len(NUMBERS)), np.float32)
    numbers[..., DIFFERENCE], numbers[..., P] = differences, p
    none = np.zeros(numbers.shape[:2], np.int64)
    return Values(numbers, none.astype(np.int8), none, none.astype(np.int32))


def lines_of(values, first, size=2, ref="A"):
    """Lines of a table, `size` alleles a part: alleles are numbered on from `first`."""
    n, n_targets = values.numbers.shape[:2]
    for begin in range(0, n, size):
        rows = np.arange(begin, min(begin + size, n))
        texts = []
        for row in rows:
            start = f"chr1\t{first + row}\trs{first + row}\t{ref}\tC"
            ends = [
                f"\tTF{t}\t0\t0\t{values.numbers[row, t, DIFFERENCE]:g}" + "\tNA" * 8
                for t in range(n_targets)
            ]
            texts.append("".join(f"{start}{end}\n" for end in ends).encode())
        starts = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
        yield Lines(memoryview(b"".join(texts)), rows, starts)


def written(tmp_path, batches, scales=(1.0,), most=100, **how):
    """(pos, dataset, difference) of the rows that are kept of batches (differences, p)."""
    strongest, first = Strongest(scales, most), 1
    for differences, p in batches:
        values = values_of(differences, p)
        given = list(lines_of(values, first, **how))
        assert list(strongest.passing(iter(given), values)) == given
        first += len(differences)
    strongest.write(tmp_path / "top.tsv")
    table = read_table(tmp_path / "top.tsv")
    assert ["#chrom", *table.columns[1:]] == list(TABLE)
    return list(zip(table.pos, table.dataset, table.difference, strict=True))


def test_low_p_comes_first_then_the_larger_difference(tmp_path):
    batches = [([[1.0], [-3.0], [2.0]], [[0.5], [0.5], [0.1]]), ([[-4.0]], [[0.5]])]
    rows = [(3, "TF0", 2.0), (4, "TF0", -4.0), (2, "TF0", -3.0), (1, "TF0", 1.0)]
    assert written(tmp_path, batches) == rows
    assert written(tmp_path, batches, most=2) == rows[:2]


def test_each_target_keeps_its_own(tmp_path):
    batches = [([[5.0, 0.1], [4.0, 0.2], [3.0, 0.3]], np.nan)]
    assert written(tmp_path, batches, (1.0, 1.0), most=1) == [(1, "TF0", 5.0), (3, "TF1", 0.3)]


def test_differences_are_compared_in_units_of_their_targets(tmp_path):
    batches = [([[1.0, 90.0], [0.5, 300.0]], np.nan)]
    found = written(tmp_path, batches, (1.0, 100.0), most=1)
    assert found == [(2, "TF1", 300.0), (1, "TF0", 1.0)]


def test_equals_come_as_in_the_table(tmp_path):
    same = ([[1.0, 1.0], [-1.0, 1.0]], 0.5)
    found = written(tmp_path, [same, same], (1.0, 1.0), most=3)
    assert [row[:2] for row in found] == [(i, t) for i in (1, 2, 3) for t in ("TF0", "TF1")]


def test_rows_without_a_difference_are_left_out(tmp_path):
    assert written(tmp_path, [([[np.nan], [0.5]], np.nan)]) == [(2, "TF0", 0.5)]
    assert written(tmp_path, []) == []


@pytest.mark.parametrize("size", [1, 7, 200])
def test_batches_and_parts_do_not_matter(tmp_path, size):
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(200, 3)).astype(np.float32)
    p = np.float32(np.ceil(9 * rng.random((200, 3))) / 9)
    key = [(p[i, t], -abs(differences[i, t]), i, t) for i in range(200) for t in range(3)]
    best = [row for t in range(3) for row in sorted(k for k in key if k[3] == t)[:10]]
    expected = [(i + 1, f"TF{t}") for _, _, i, t in sorted(best)]
    batches = [
        (differences[first : first + size], p[first : first + size])
        for first in range(0, 200, size)
    ]
    found = written(tmp_path, batches, (1.0,) * 3, most=10, size=3)
    assert [row[:2] for row in found] == expected


def test_long_alleles_are_cut(tmp_path):
    values = values_of([[1.0]], 0.5)
    strongest = Strongest([1.0])
    list(strongest.passing(lines_of(values, 1, ref="A" * 1200), values))
    strongest.write(tmp_path / "top.tsv")
    assert read_table(tmp_path / "top.tsv").ref[0] == "A" * 40 + "...[1200]"
