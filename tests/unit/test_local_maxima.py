"""Local maxima and their least distance."""

import numpy as np
import pytest

from motifloom.local_maxima import local_maxima


def found(scores, step=10, length=None, separation=1):
    scores = np.array(scores, np.float32)
    length = len(scores) * step if length is None else length
    summits, heights = local_maxima(scores, step, length, separation)
    return list(zip(summits.tolist(), heights.tolist(), strict=True))


def test_the_summit_is_the_middle_of_the_highest_steps():
    assert found([0, 2, 1, 3, 3, 0]) == [(15, 2), (40, 3)]
    assert found([0, 2, 2, 2, 1]) == [(25, 2)]


def test_a_rise_within_a_slope_is_no_maximum():
    assert found([0, 1, 1, 2, 1, 1, 0]) == [(35, 2)]
    assert found([2, 1, 1, 2]) == [(5, 2), (35, 2)]


def test_ends_count_as_lower():
    assert found([3, 1, 2]) == [(5, 3), (25, 2)]
    assert found([1, 1]) == [(10, 1)]
    assert found([4]) == [(5, 4)]
    assert found([]) == []


def test_a_short_last_step_has_its_own_middle():
    assert found([0, 3], length=14) == [(12, 3)]
    assert found([3, 3], length=14) == [(7, 3)]


def test_steps_without_a_score_are_lower_than_all_others():
    nan = np.nan
    assert found([nan, 2, nan, nan, 3, 3, nan]) == [(15, 2), (50, 3)]
    assert found([nan, nan]) == []
    assert found([-5, nan, -5]) == [(5, -5), (25, -5)]


def test_the_best_come_first_and_keep_others_away():
    scores = [1, 0, 3, 0, 2, 0, 1]
    assert found(scores, separation=20) == [(5, 1), (25, 3), (45, 2), (65, 1)]
    assert found(scores, separation=21) == [(25, 3), (65, 1)]


def test_of_equal_ones_the_first_is_taken():
    assert found([1, 0, 1, 0, 1], separation=30) == [(5, 1), (45, 1)]


@pytest.mark.parametrize("separation", [1, 20, 35, 70])
def test_it_is_what_a_plain_search_finds(separation):
    scores = np.random.default_rng(separation).integers(0, 6, 300).astype(np.float32)
    scores[::17] = np.nan
    summits, heights = local_maxima(scores, 10, 3000, separation)
    every, all_heights = local_maxima(scores, 10, 3000, 1)
    taken = []
    for i in np.argsort(-all_heights, kind="stable"):
        if all(abs(every[i] - other) >= separation for other in taken):
            taken.append(every[i])
    assert summits.tolist() == sorted(taken)
    assert heights.dtype == np.float32
