"""The best hit of a known matrix."""

import numpy as np
import pytest

from motifloom import pwm
from motifloom.sequences import encode, reverse_complement


def test_log_odds_of_certain_and_uniform_columns():
    ppm = np.array([[1, 0.25], [0, 0.25], [0, 0.25], [0, 0.25]])
    scores = pwm.log_odds(ppm, pseudocount=1)
    np.testing.assert_allclose(scores[:, 0], [np.log2(2.5), -1, -1, -1])
    np.testing.assert_allclose(scores[:, 1], 0, atol=1e-12)
    skewed = pwm.log_odds(ppm, background=(0.5, 0.25, 0.125, 0.125), pseudocount=0.0001)
    assert skewed[0, 0] == pytest.approx(1, abs=1e-3)
    assert skewed[2, 1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("ppm", [np.zeros((4, 2)), np.full((3, 2), 1 / 3), -np.ones((4, 1))])
def test_log_odds_refuses_what_is_no_distribution(ppm):
    with pytest.raises(ValueError):
        pwm.log_odds(ppm)


def test_matrix_scores_by_hand():
    matrix = np.array([[1.0, 0, 0, -1], [0, 2, 0, -1], [0, 0, 3, -1], [0, 0, 0, 4]])  # ACGT
    matrix[0, 1] = -5
    sequences = np.stack([encode(s) for s in ("TTACGTTT", "AAAAAAAA", "NNNNNNNN", "TTACNTTT")])
    scores = pwm.matrix_scores(sequences, matrix, both_strands=False)
    assert scores.tolist() == [10, -5, 0, 7]


def naive_best(codes, matrix):
    table = np.vstack([matrix, np.zeros(matrix.shape[1])])
    windows = range(len(codes) - matrix.shape[1] + 1)
    width = np.arange(matrix.shape[1])
    return max(table[codes[i : i + matrix.shape[1]], width].sum() for i in windows)


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 9])
def test_matrix_scores_equal_a_plain_scan(width):
    rng = np.random.default_rng(width)
    codes = rng.integers(0, 5, (20, 9)).astype(np.uint8)
    matrix = rng.normal(size=(4, width))
    forward = [naive_best(row, matrix) for row in codes]
    reverse = [naive_best(reverse_complement(row), matrix) for row in codes]
    np.testing.assert_allclose(pwm.matrix_scores(codes, matrix, False, block=64), forward)
    np.testing.assert_allclose(pwm.matrix_scores(codes, matrix), np.maximum(forward, reverse))


def test_matrix_scores_do_not_depend_on_the_strand():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (10, 30)).astype(np.uint8)
    matrix = rng.normal(size=(4, 8))
    np.testing.assert_allclose(
        pwm.matrix_scores(codes, matrix),
        pwm.matrix_scores(reverse_complement(codes), matrix),
    )


def test_short_sequences_take_every_placement():
    matrix = np.array([[1.0, 0, 8], [0, 0, 0], [0, 5, 0], [0, 0, 0]])
    assert pwm.matrix_scores(encode("A")[None], matrix, False).tolist() == [8]
    assert pwm.matrix_scores(encode("AG")[None], matrix, False).tolist() == [6]
    assert pwm.matrix_scores(np.empty((0, 5), np.uint8), matrix).shape == (0,)


def test_matrix_scores_refuse_infinite_log_odds():
    with pytest.raises(ValueError, match="pseudocount"):
        pwm.matrix_scores(encode("ACGT")[None], np.full((4, 2), -np.inf))
