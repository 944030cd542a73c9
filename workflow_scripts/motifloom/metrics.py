"""Single numbers that say how well scores agree with the truth, fast enough for many calls."""

import math

import numpy as np


def auroc(targets: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve, the Mann-Whitney statistic; NaN with one class only.

    `targets` [n] count as bound above 0, `scores` [n]; ties count one half.
    """
    positive = targets > 0
    n_positive = int(positive.sum())
    if n_positive in (0, len(targets)):
        return math.nan
    ordered = np.sort(scores)
    below = np.searchsorted(ordered, scores[positive], "left")
    through = np.searchsorted(ordered, scores[positive], "right")
    ranks = (below + through + 1).sum() / 2
    return float(
        (ranks - n_positive * (n_positive + 1) / 2) / (n_positive * (len(targets) - n_positive))
    )


def pearson(targets: np.ndarray, scores: np.ndarray) -> float:
    """Pearson's correlation; NaN where either is constant."""
    if np.ptp(targets) == 0 or np.ptp(scores) == 0:
        return math.nan
    return float(np.corrcoef(targets, scores)[0, 1])


def benjamini_hochberg(pvalues: np.ndarray) -> np.ndarray:
    """q-values, float64, of p-values [..., n] tested together along the last axis.

    Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, 289-300: the lowest false discovery rate at
    which each is called. `scipy.stats` has the same, and takes longer to import than most jobs run.
    """
    pvalues = np.asarray(pvalues, np.float64)
    n = pvalues.shape[-1]
    order = np.argsort(-pvalues, axis=-1, kind="stable")  # the largest first
    scaled = np.take_along_axis(pvalues, order, -1) * n / np.arange(n, 0, -1)
    qvalues = np.empty_like(scaled)
    np.put_along_axis(qvalues, order, np.minimum.accumulate(scaled, axis=-1), -1)
    return np.minimum(qvalues, 1)
