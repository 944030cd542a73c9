"""Scores of the user's regions."""

import numpy as np
import pandas as pd
import pytest
from builders import genome_of
from test_scoring import deepbind

from motifloom.files import InputError, read_table
from motifloom.readers import read_regions
from motifloom.regions import REGION_COLUMNS, score_regions

# ACGT once from base 4 of chr1; its reverse complement is itself.
RECORDS = {"chr1": "TTTTACGTTTTTTTTTTTTT", "chr2": "GGGGG"}


@pytest.fixture
def genome(tmp_path):
    genome_of(RECORDS, tmp_path / "genome.safetensors")
    return tmp_path / "genome.safetensors"


def bed(tmp_path, *lines):
    path = tmp_path / "regions.bed"
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    return path


def scored(tmp_path, genome, *lines, aliases=None, **model):
    weights = deepbind(tmp_path / "weights.safetensors", **model)
    output = tmp_path / "scores.tsv"
    score_regions(weights, genome, bed(tmp_path, *lines), output, aliases)
    return read_table(output, ("chrom", "name", "strand"))


def test_names_and_strands_are_read(tmp_path):
    path = bed(tmp_path, ("chr1", 0, 9, "first", 5, "-"), ("chr1", 2, 4, ".", 0, "."))
    assert read_regions(path).to_dict("list") == {
        "chrom": ["chr1", "chr1"],
        "start": [0, 2],
        "end": [9, 4],
        "name": ["first", "chr1:3-4"],
        "strand": ["-", "."],
        "line": [1, 2],
    }


def test_three_columns_do(tmp_path):
    found = read_regions(bed(tmp_path, ("chr1", 0, 9)))
    assert (found.name[0], found.strand[0]) == ("chr1:1-9", ".")


def test_another_strand_is_refused(tmp_path):
    path = bed(tmp_path, ("chr1", 0, 9, "a", 0, "+"), ("chr1", 0, 9, "b", 0, "x"))
    with pytest.raises(InputError, match=r"regions.bed, line 2: strand \(column 6\) is 'x'"):
        read_regions(path)


def test_an_interval_has_its_score_and_its_best_window(tmp_path, genome):
    table = scored(tmp_path, genome, ("chr1", 0, 20, "long"), ("chr1", 4, 8, "site"))
    assert list(table.columns) == [*REGION_COLUMNS, "length", "score", "best", "best_start"]
    assert table.score.tolist() == table.best.tolist() == [4, 4]
    assert table.length.tolist() == [20, 4]
    # Windows of 6 bases begin every 3, so that a site of 4 lies in one; of the short interval there
    # is one around its middle, which begins before it.
    assert table.best_start.tolist() == [3, 3]


def test_the_last_window_ends_with_the_interval(tmp_path, genome):
    table = scored(tmp_path, genome, ("chr1", 0, 8), ("chr1", 1, 9))
    assert table.best.tolist() == [4, 4]
    assert table.best_start.tolist() == [2, 3]


def test_what_no_kernel_fits_into_has_windows_only(tmp_path, genome):
    table = scored(tmp_path, genome, ("chr1", 4, 6), ("chr2", 0, 1))
    assert table.score.isna().all()
    assert table.best.tolist() == [4, 1]
    assert table.best_start.tolist() == [2, -3]


@pytest.mark.parametrize(("strands", "expected"), [("given", [3, 4]), ("max", [4, 4])])
def test_strands_count_where_the_model_tells_them_apart(tmp_path, genome, strands, expected):
    lines = ("chr1", 0, 20, "a", 0, "+"), ("chr1", 0, 20, "b", 0, "-")
    # AACG is on the reverse strand, as CGTT.
    table = scored(tmp_path, genome, *lines, word="AACG", strands=strands)
    assert table.score.tolist() == table.best.tolist() == expected


def test_aliases_and_unknown_chromosomes(tmp_path, genome):
    aliases = tmp_path / "aliases.tsv"
    aliases.write_text("name\talias\nchr2\tNC_2\n")
    lines = ("elsewhere", 0, 4), ("NC_2", 0, 5)
    table = scored(tmp_path, genome, *lines, aliases=aliases)
    assert table[["interval", "chrom"]].values.tolist() == [[2, "chr2"]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("1", 0, 4), "did you mean 'chr1'"),
        (("chr1", 0, 21), "reaches past the end of chr1"),
        (("chr1", 4, 4), "is not before end"),
    ],
)
def test_bad_intervals_are_refused(tmp_path, genome, line, message):
    with pytest.raises(InputError, match=f"regions.bed, line 1: .*{message}"):
        scored(tmp_path, genome, line)


def test_windows_are_those_of_each_interval_alone(tmp_path, genome, monkeypatch):
    from motifloom import sequence_scores

    lines = [("chr1", start, end) for start in range(8) for end in range(start + 1, 20)]
    whole = scored(tmp_path, genome, *lines)
    monkeypatch.setattr(sequence_scores, "_WINDOWS", 3)
    pd.testing.assert_frame_equal(scored(tmp_path, genome, *lines), whole)
    alone = [scored(tmp_path, genome, line).iloc[0, -3:] for line in lines[::7]]
    np.testing.assert_array_equal(np.array(alone, float), whole.iloc[::7, -3:].to_numpy(float))
