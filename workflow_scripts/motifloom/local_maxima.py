"""Local maxima of scores along a chromosome, thinned out to a least distance."""

import numpy as np
from numba import njit


def local_maxima(
    scores: np.ndarray, step: int, length: int, separation: int
) -> tuple[np.ndarray, np.ndarray]:
    """Summits int64 [m], ascending, and scores float32 [m] of local maxima, best first thinned out.

    `scores` float32 [n], one a step of `step` bases of a chromosome of `length` bases; NaN counts
    as lower than all else. A maximum is a run of equal scores with lower ones, or an end, on both
    sides; its summit is the middle base of the run's steps. They are taken by score, of equal
    ones the first, each at least `separation` bases from all taken before.

    >>> local_maxima(np.array([0, 2, 1, 3, 3, 0], np.float32), 10, 60, 20)
    (array([15, 40]), array([2., 3.], dtype=float32))
    """
    first, last = _maxima(np.ascontiguousarray(scores, np.float32))
    summits = (first * step + np.minimum((last + 1) * step, length)) // 2
    heights = scores[first]
    order = np.argsort(-heights, kind="stable")
    kept = _thinned(summits, order, separation)
    return summits[kept], heights[kept]


@njit(cache=True, nogil=True)
def _maxima(scores):
    """First and last steps, int64 [m] each, of the runs that are local maxima."""
    n, found = len(scores), 0
    firsts, lasts = np.empty(n // 2 + 1, np.int64), np.empty(n // 2 + 1, np.int64)
    former, i = np.float32(-np.inf), 0
    while i < n:
        here = scores[i]
        if np.isnan(here):
            former, i = np.float32(-np.inf), i + 1
            continue
        end = i + 1
        while end < n and scores[end] == here:
            end += 1
        # Comparisons with NaN are false: what follows one is lower.
        if here > former and not (end < n and scores[end] > here):
            firsts[found], lasts[found] = i, end - 1
            found += 1
        former, i = here, end
    return firsts[:found].copy(), lasts[:found].copy()


@njit(cache=True, nogil=True)
def _thinned(summits, order, separation):
    """Which of the summits int64 [m], ascending, are taken in this order: bool [m]."""
    kept = np.zeros(len(summits), np.bool_)
    for i in order:
        free, left, right = True, i - 1, i + 1
        while free and left >= 0 and summits[i] - summits[left] < separation:
            free = not kept[left]
            left -= 1
        while free and right < len(summits) and summits[right] - summits[i] < separation:
            free = not kept[right]
            right += 1
        kept[i] = free
    return kept
