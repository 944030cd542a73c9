"""A known matrix along a chromosome: the log-odds of its better strand at every place.

What FIMO scans for (Grant, Bailey & Noble 2011, Bioinformatics 27:1017), without its p-values:
here a threshold is chosen by the peaks that it finds.
"""

import numpy as np
from numba import njit

from motifloom.local_maxima import local_maxima
from motifloom.pwm import triplet_tables


def matrix_track(codes: np.ndarray, log_odds: np.ndarray) -> np.ndarray:
    """Log-odds float32 [L - W + 1] of a matrix [4, W] at every place of base codes uint8 [L].

    Place i is the window of bases i to i + W - 1, read on the strand that scores higher; an N
    adds 0. Empty where the sequence is shorter than the matrix.
    """
    matrix = np.asarray(log_odds, np.float64)
    both = np.stack([triplet_tables(matrix), triplet_tables(matrix[::-1, ::-1])])
    scores = np.empty(max(len(codes) - matrix.shape[1] + 1, 0), np.float32)
    _score(np.ascontiguousarray(codes), both, matrix.shape[1], scores)
    return scores


def matrix_hits(
    codes: np.ndarray, log_odds: np.ndarray, separation: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hits of a matrix [4, W] in base codes [L]: middles int64 [m] and log-odds float32 [m].

    They are the local maxima with log-odds above 0, thinned out as `local_maxima` does. The middle
    of a window of W bases is its base W // 2.
    """
    scores = matrix_track(codes, log_odds)
    # Below 0 the background explains the bases better, and nearly all places lie there.
    scores[scores <= 0] = np.nan
    places, heights = local_maxima(scores, 1, len(scores), separation)
    return places + log_odds.shape[1] // 2, heights


@njit(cache=True, nogil=True)
def _score(codes, tables, width, scores):
    n_groups = tables.shape[1]
    # Behind the end stand letters that add nothing, in columns that the matrix does not have.
    triplets = np.empty(min(len(codes), 1 << 16) + 3 * n_groups, np.uint8)
    size = len(triplets) - 3 * n_groups
    for begin in range(0, len(scores), size):
        n = min(size, len(scores) - begin)
        for i in range(n + 3 * (n_groups - 1)):
            word = 0
            for k in range(3):
                place = begin + i + k
                word = 5 * word + (codes[place] if place < len(codes) else 4)
            triplets[i] = word
        for i in range(n):
            forward, reverse = 0.0, 0.0
            for g in range(n_groups):
                word = triplets[i + 3 * g]
                forward += tables[0, g, word]
                reverse += tables[1, g, word]
            scores[begin + i] = max(forward, reverse)
