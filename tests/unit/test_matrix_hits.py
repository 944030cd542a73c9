"""A known matrix along a chromosome, beside FIMO's scan."""

import numpy as np
import pytest

from motifloom.matrix_hits import matrix_hits, matrix_track
from motifloom.pwm import log_odds
from motifloom.sequences import encode, one_hot, reverse_complement


def ppm_of(word, certain=0.85):
    matrix = np.full((4, len(word)), (1 - certain) / 3)
    matrix[encode(word), np.arange(len(word))] = certain
    return matrix


def test_scores_by_hand():
    matrix = np.array([[1.0, 0], [0, 2], [0, 0], [0, -1]])  # A then C
    # GT is AC on the other strand.
    assert matrix_track(encode("ACGTN"), matrix).tolist() == [3, 0, 3, 0]
    assert matrix_track(encode("A"), matrix).tolist() == []


@pytest.mark.parametrize("width", [1, 2, 3, 4, 8, 12])
def test_scores_are_those_of_a_plain_scan(width):
    rng = np.random.default_rng(width)
    codes = rng.integers(0, 5, 50).astype(np.uint8)
    matrix = rng.normal(size=(4, width))
    table, columns = np.vstack([matrix, np.zeros(width)]), np.arange(width)
    windows = np.lib.stride_tricks.sliding_window_view(codes, width)
    both = [table[rows, columns].sum(1) for rows in (windows, reverse_complement(windows))]
    np.testing.assert_allclose(matrix_track(codes, matrix), np.max(both, 0), atol=1e-5)


def test_long_sequences_are_scored_in_pieces():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, (1 << 16) * 2 + 77).astype(np.uint8)
    matrix = rng.normal(size=(4, 7))
    scores = matrix_track(codes, matrix)
    for first in (0, (1 << 16) - 9, (1 << 17) - 3, len(codes) - 20):
        part = matrix_track(codes[first : first + 20], matrix)
        np.testing.assert_array_equal(scores[first : first + 14], part)


def test_hits_above_a_threshold_are_those_of_fimo():
    fimo = pytest.importorskip("memelite").fimo
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 20_000).astype(np.uint8)
    codes[9000:9003] = 4
    ppm = rng.dirichlet([0.5] * 4, 9).T
    matrix = log_odds(ppm)
    # memelite's FIMO adds a pseudocount of its own, eps; the matrix has one already.
    (hits,) = fimo({"m": 0.25 * 2.0**matrix}, one_hot(codes[None]), eps=0, threshold=1e-2)
    threshold = float(np.median(hits.score))
    hits = hits[hits.score > threshold]
    best = hits.groupby("start").score.max()
    scores = matrix_track(codes, matrix)
    places = np.flatnonzero(scores > np.float32(threshold))
    assert places.tolist() == best.index.tolist()
    assert len(places) > 100
    assert set(hits.strand) == {"+", "-"}
    np.testing.assert_allclose(scores[places], best.to_numpy(), atol=1e-4)


def test_hits_are_the_better_of_close_ones_at_the_middle_of_their_window():
    matrix = log_odds(ppm_of("GATTACA"))
    codes = np.full(200, 4, np.uint8)
    codes[20:27], codes[60:67], codes[120:127] = (
        encode("GATTACA"),
        encode("GATTAGA"),
        encode("TGTAATC"),
    )
    middles, scores = matrix_hits(codes, matrix, 50)
    assert middles.tolist() == [23, 123]
    assert scores[0] == scores[1] == pytest.approx(7 * np.log2(0.85 / 0.25), abs=0.05)
    assert 63 in matrix_hits(codes, matrix, 30)[0]


def test_below_background_is_no_hit():
    middles, _ = matrix_hits(encode("CCCCCCCCCC"), log_odds(ppm_of("TATA")), 1)
    assert middles.tolist() == []
