"""Chromosomes dealt into folds."""

import pytest

from motifloom import folds
from motifloom.files import InputError


def rows_of(frame):
    return frame.to_numpy().tolist()


def test_the_longest_chromosome_goes_to_the_emptiest_fold():
    dealt = folds.deal_chromosomes({"I": 2, "II": 8, "III": 3, "IV": 15, "M": 1, "V": 6}, 3)
    assert tuple(dealt) == folds.FOLD_COLUMNS
    # IV to 1, II to 2, V to 3, III to 3 (6 < 8), I to 2 (8 < 9), M to 3 (9 < 10).
    assert rows_of(dealt) == [
        [1, "IV", 15],
        [2, "I", 2],
        [2, "II", 8],
        [3, "III", 3],
        [3, "M", 1],
        [3, "V", 6],
    ]


def test_equal_chromosomes_go_in_their_order_to_the_first_fold():
    dealt = folds.deal_chromosomes({"b": 4, "a": 4, "d": 4, "c": 4}, 3)
    assert rows_of(dealt) == [[1, "b", 4], [1, "c", 4], [2, "a", 4], [3, "d", 4]]


def test_as_many_chromosomes_as_folds_leave_no_fold_empty():
    dealt = folds.deal_chromosomes({"a": 100, "b": 1, "c": 1}, 3)
    assert dealt.fold.tolist() == [1, 2, 3]


def test_assigned_folds_leave_ignored_chromosomes_out(tmp_path):
    sizes, output = tmp_path / "chrom.sizes", tmp_path / "folds.tsv"
    sizes.write_text("chr1\t9\nchrM\t20\nchr2\t7\nchr3\t5\n")
    folds.assign_folds(sizes, output, 3, ["chrM", "chrX"])
    assert output.read_text() == "fold\tchromosome\tbases\n1\tchr1\t9\n2\tchr2\t7\n3\tchr3\t5\n"


def test_fewer_chromosomes_than_folds_are_refused(tmp_path):
    sizes = tmp_path / "chrom.sizes"
    sizes.write_text("chr1\t9\nchrM\t20\nchr2\t7\n")
    with pytest.raises(InputError, match="folds is 3, but the genome has 2 chromosomes"):
        folds.assign_folds(sizes, tmp_path / "folds.tsv", 3, ["chrM"])
    assert not (tmp_path / "folds.tsv").exists()
