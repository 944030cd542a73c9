"""Sites on a track: thresholds, p- and q-values, and the files they come in."""

import gzip

import numpy as np
import pandas as pd
import pytest
from builders import genome_of

from motifloom.files import InputError, read_table
from motifloom.metrics import benjamini_hochberg
from motifloom.readers import read_peaks
from motifloom.site_calling import NARROW_PEAK, Chance, call_sites, reach
from motifloom.store import write_arrays
from motifloom.tracks import BLOCK, write_bigwig

pysam = pytest.importorskip("pysam")

STEP = 10
LENGTHS = {"chr2": 1000, "chr1": 605, "chrM": 200}


def chance_of(scores, path):
    """Scores along shuffled sequence, as `tracks.write_scan` writes them."""
    padded = np.full((1, 1, BLOCK), np.nan, np.float32)
    padded[0, 0, : len(scores)] = scores
    info = {"targets": ["set1"], "step": STEP, "chromosomes": [["shuffled", len(scores) * STEP]]}
    write_arrays(path, {"scores": (padded.shape, np.float32)}, [padded], info)
    return path


@pytest.fixture
def call(tmp_path):
    """Calls sites on a small track of maxima at chosen steps; (sites, summary)."""
    maxima = {
        "chr2": {5: 9.0, 20: 5.0, 40: 7.0, 60: 3.0, 99: 1.0},
        "chr1": {0: 8.0, 30: 6.0, 60: 4.0},
        "chrM": {10: 9.5},
    }
    tracks = {}
    for chrom, length in LENGTHS.items():
        tracks[chrom] = np.zeros(-(-length // STEP), np.float32)
        tracks[chrom][list(maxima[chrom])] = list(maxima[chrom].values())
    blocks = [(chrom, STEP, tracks[chrom]) for chrom in sorted(tracks)]
    write_bigwig(blocks, LENGTHS, tmp_path / "t.bw")
    genome_of({c: "A" * n for c, n in LENGTHS.items()}, tmp_path / "g.safetensors")
    shuffled = np.zeros(40, np.float32)
    shuffled[[3, 10, 17, 24]] = 2, 4.5, 1.5, 0.5
    chance_of(shuffled, tmp_path / "s.safetensors")
    (tmp_path / "peaks.bed").write_text("chr2\t55\t56\nchr2\t410\t411\nchr1\t330\t331\n")

    def run(chance=True, name="o", **changes):
        options = {"separation": 40, "tolerance": 20, "fdr": 0.4, "ignored": ["chrM"]}
        files = [tmp_path / f"{name}.{end}" for end in ("gz", "gz.tbi", "tsv")]
        call_sites(
            tmp_path / "t.bw",
            tmp_path / "s.safetensors" if chance else None,
            tmp_path / "peaks.bed",
            tmp_path / "g.safetensors",
            *files,
            dataset="set1",
            model="deepbind",
            step=STEP,
            **(options | changes),
        )
        lines = gzip.decompress(files[0].read_bytes()).decode().splitlines()
        rows = [line.split("\t") for line in lines]
        return pd.DataFrame(rows, columns=list(NARROW_PEAK)), read_table(files[2]).iloc[0]

    return run


def test_p_values_count_the_maxima_of_chance():
    chance = Chance(np.array([0, 1, 1, 3], np.float32))
    levels = chance.levels(np.array([4, 3, 2, 1, -1], np.float32))
    assert levels.tolist() == [0, 1, 1, 3, 4]
    assert chance.p_values[levels].tolist() == [0.2, 0.4, 0.4, 0.8, 1.0]


def test_q_values_are_those_of_benjamini_and_hochberg():
    rng = np.random.default_rng(0)
    chance = Chance(np.sort(rng.normal(size=99)).astype(np.float32))
    levels = chance.levels(rng.normal(0.5, 1, 500).astype(np.float32))
    expected = benjamini_hochberg(chance.p_values[levels])
    found = chance.q_values(np.bincount(levels, minlength=100))[levels]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_the_threshold_is_the_best_on_validation_chromosomes(call):
    sites, summary = call(validation=["chr2"])
    # Of 9, 7, 5, ... on chr2, 9 and 7 find both peaks: all scores from 7 on are called.
    assert (summary.threshold, summary.threshold_by, summary.validation_f1) == (7, "validation", 1)
    assert sites.chrom.tolist() == ["chr2", "chr2", "chr1", "chrM"]
    assert sites.start.tolist() == ["35", "385", "0", "85"]
    assert sites.end.tolist() == ["75", "425", "25", "125"]
    assert sites.peak.tolist() == ["20", "20", "5", "20"]
    assert sites.name.tolist() == ["set1_1", "set1_2", "set1_3", "set1_4"]
    assert sites.signal.tolist() == ["9", "7", "8", "9.5"]
    # From the threshold to the best on chromosomes that count.
    assert sites.score.tolist() == ["1000", "0", "500", "1000"]
    assert (summary.n_sites, summary.n_maxima, summary.n_shuffled_maxima) == (4, 8, 4)


def test_p_and_q_stand_as_logarithms_and_ignored_chromosomes_have_no_q(call):
    sites, summary = call(validation=["chr2"])
    # Of 4 shuffled maxima none reaches these scores; 5 of 8 maxima of the genome do likewise.
    assert sites.p.astype(float).to_numpy() == pytest.approx(-np.log10(1 / 5), rel=1e-4)
    assert sites.q.astype(float).tolist()[:3] == pytest.approx(
        [-np.log10(1 / 5 * 8 / 5)] * 3, rel=1e-4
    )
    assert sites.q.tolist()[3] == "-1"
    assert summary.least_p == 0.2


@pytest.mark.parametrize("validation", [[], ["chrM"]])
def test_the_fdr_gives_it_where_validation_has_no_peak(call, validation):
    sites, summary = call(validation=validation)
    assert (summary.threshold, summary.threshold_by) == (5, "fdr")
    assert np.isnan(summary.validation_f1)
    assert sites.signal.tolist() == ["9", "5", "7", "8", "6", "9.5"]


def test_a_strict_fdr_calls_nothing_and_the_files_are_there(call, tmp_path):
    sites, summary = call(fdr=0.01)
    assert (len(sites), summary.threshold, summary.n_sites) == (0, np.inf, 0)
    assert (tmp_path / "o.gz.tbi").stat().st_size


def test_a_lax_fdr_calls_every_maximum(call):
    sites, summary = call(fdr=1.0)
    assert (summary.threshold, summary.n_sites) == (1, 9)
    assert sites.score.iloc[0] == "1000"


def test_without_chance_there_are_no_p_values(call):
    sites, summary = call(chance=False, validation=["chr2"])
    assert (sites.p == "-1").all() and (sites.q == "-1").all()
    assert summary.n_shuffled_maxima == 0
    with pytest.raises(InputError, match="set null_bases above 0"):
        call(chance=False)


def test_excluded_regions_have_neither_sites_nor_peaks(call, tmp_path):
    (tmp_path / "excluded.bed").write_text("chr2\t400\t420\n")
    sites, summary = call(validation=["chr2"], excluded=[tmp_path / "excluded.bed"])
    assert sites.signal.tolist() == ["9", "9.5"]
    assert (summary.threshold, summary.n_maxima) == (9, 7)


def test_the_files_are_read_by_others(call, tmp_path):
    call(validation=["chr2"])
    peaks = read_peaks(tmp_path / "o.gz")
    assert peaks.summit.tolist() == [55, 405, 5, 105]
    assert peaks.score.tolist() == [9, 7, 8, 9.5]
    with pysam.TabixFile(str(tmp_path / "o.gz")) as file:
        assert file.contigs == ["chr2", "chr1", "chrM"]
        assert [line.split("\t")[3] for line in file.fetch("chr2", 400, 401)] == ["set1_2"]


def test_the_same_again_is_the_same_bytes(call, tmp_path):
    call(name="a"), call(name="b")
    for end in ("gz", "gz.tbi", "tsv"):
        assert (tmp_path / f"a.{end}").read_bytes() == (tmp_path / f"b.{end}").read_bytes()


def test_a_peak_inside_a_wide_step_is_near_enough():
    assert [reach(50, 10), reach(50, 200), reach(0, 1)] == [50, 100, 0]
