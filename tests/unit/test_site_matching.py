"""Sites and peaks one to one, and the threshold with the best F1."""

import numpy as np
import pandas as pd
import pytest

from motifloom.files import InputError
from motifloom.site_matching import best_threshold, known_summits, match_sites, within


def sites_of(*rows):
    return pd.DataFrame(rows, columns=["chrom", "summit", "score"])


def peaks_of(*rows):
    return pd.DataFrame(rows, columns=["chrom", "summit"])


def test_a_peak_is_found_by_the_better_of_two_sites():
    sites = sites_of(("chr1", 100, 1.0), ("chr1", 120, 2.0))
    assert match_sites(sites, peaks_of(("chr1", 105)), 50).tolist() == [-1, 0]


def test_a_site_takes_the_nearest_peak_that_is_free():
    peaks = peaks_of(("chr1", 130), ("chr1", 90), ("chr1", 110))
    assert match_sites(sites_of(("chr1", 100, 1.0)), peaks, 50).tolist() == [1]
    sites = sites_of(("chr1", 105, 3.0), ("chr1", 112, 2.0), ("chr1", 60, 1.0))
    assert match_sites(sites, peaks, 50).tolist() == [2, 0, 1]


def test_the_tolerance_is_the_largest_distance():
    sites = sites_of(("chr1", 100, 1.0))
    assert match_sites(sites, peaks_of(("chr1", 150)), 50).tolist() == [0]
    assert match_sites(sites, peaks_of(("chr1", 49)), 50).tolist() == [-1]
    assert match_sites(sites, peaks_of(("chr1", 100)), 0).tolist() == [0]


def test_chromosomes_are_apart():
    sites = sites_of(("chr2", 100, 1.0), ("chr3", 7, 1.0))
    assert match_sites(sites, peaks_of(("chr1", 100), ("chr2", 90)), 50).tolist() == [1, -1]
    assert match_sites(sites, peaks_of(), 50).tolist() == [-1, -1]


def test_sites_below_a_threshold_change_nothing_above_it():
    rng = np.random.default_rng(0)
    sites = sites_of(*(("chr1", int(s), float(v)) for s, v in rng.integers(0, 3000, (80, 2))))
    peaks = peaks_of(*(("chr1", int(s)) for s in np.unique(rng.integers(0, 3000, 60))))
    all_found = match_sites(sites, peaks, 40)
    order = np.argsort(-sites.score.to_numpy(), kind="stable")[:30]
    above = sites.iloc[np.sort(order)].reset_index(drop=True)
    assert match_sites(above, peaks, 40).tolist() == all_found[np.sort(order)].tolist()


def test_the_threshold_has_the_best_f1():
    # Right, right, wrong, right, wrong of three peaks: F1 2/4, 4/5, 4/6, 6/7, 6/8.
    summits = [100, 1100, 5000, 2100, 6000]
    sites = sites_of(*(("chr1", s, 5.0 - i) for i, s in enumerate(summits)))
    peaks = peaks_of(("chr1", 100), ("chr1", 1100), ("chr1", 2100), ("chr2", 5))
    chosen = best_threshold(sites, peaks, 50, ["chr1"])
    assert (chosen.score, chosen.by, chosen.f1) == (2.0, "validation", pytest.approx(6 / 7))


def test_equal_scores_are_called_together():
    sites = sites_of(("chr1", 100, 1.0), ("chr1", 5000, 1.0))
    chosen = best_threshold(sites, peaks_of(("chr1", 100)), 50, ["chr1"])
    assert (chosen.score, chosen.f1) == (1.0, pytest.approx(2 / 3))


def test_no_peak_or_no_hit_gives_no_threshold():
    sites, peaks = sites_of(("chr1", 100, 1.0)), peaks_of(("chr1", 500))
    assert best_threshold(sites, peaks, 50, ["chr1"]) is None
    assert best_threshold(sites, peaks, 50, ["chr2"]) is None
    assert best_threshold(sites, peaks, 50, []) is None


def test_bases_within_regions_that_overlap():
    regions = pd.DataFrame(
        [("chr1", 10, 20), ("chr1", 15, 40), ("chr2", 0, 5)], columns=["chrom", "start", "end"]
    )
    bases = np.array([9, 10, 39, 40, 4, 5])
    chroms = pd.Series(["chr1"] * 4 + ["chr2"] * 2)
    assert within(chroms, bases, regions).tolist() == [False, True, True, False, True, False]


def test_summits_stand_once_outside_of_excluded_regions(tmp_path):
    (tmp_path / "peaks.bed").write_text(
        "chr1\t100\t102\nchr1\t101\t102\nchr1\t500\t501\n2\t10\t11\nchrUn\t1\t2\n"
    )
    (tmp_path / "excluded.bed").write_text("chr1\t490\t510\n")
    (tmp_path / "aliases.tsv").write_text("name\talias\nchr2\t2\n")
    found, regions = known_summits(
        tmp_path / "peaks.bed",
        {"chr1": 1000, "chr2": 100},
        tmp_path / "aliases.tsv",
        [tmp_path / "excluded.bed"],
    )
    assert found.to_numpy().tolist() == [["chr1", 101], ["chr2", 10]]
    assert regions.to_numpy().tolist() == [["chr1", 490, 510]]


def test_peaks_beyond_a_chromosome_are_refused_by_line(tmp_path):
    (tmp_path / "peaks.bed").write_text("chr1\t100\t102\nchr1\t101\t2000\n")
    with pytest.raises(InputError, match=r"line 2: .*past the end"):
        known_summits(tmp_path / "peaks.bed", {"chr1": 1000})
