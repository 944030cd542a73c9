"""Bootstrap replicates of AUROC and average precision, against a loop over scikit-learn."""

from functools import partial
from pathlib import Path

import numpy as np
from harness import Pair, Row
from sklearn.metrics import average_precision_score, roc_auc_score

from motifloom.bootstrap import bootstrap_areas

N_REPLICATES = 1000
# Name: positives, negatives, replicates of the reference, whether it takes both areas.
CASES = {
    "bootstrap-sklearn-auroc-5500": (500, 5000, 50, False),
    "bootstrap-sklearn-both-5500": (500, 5000, 50, True),
    "bootstrap-sklearn-auroc-60000": (600, 59_400, 10, False),
}


def rows() -> list[Row]:
    """Rows of this subject."""
    return [
        Row(name, "replicates/s", partial(against_sklearn, case=case))
        for name, case in CASES.items()
    ]


def against_sklearn(folder: Path, case: tuple[int, int, int, bool]) -> Pair:
    """Ours always takes both areas."""
    n_positive, n_negative, n_reference, both = case
    rng = np.random.default_rng(0)
    positive = np.arange(n_positive + n_negative) < n_positive
    scores = rng.normal(size=len(positive)) + 1.5 * positive
    areas = (roc_auc_score, average_precision_score)[: 1 + both]

    def check(ours: np.ndarray, theirs: np.ndarray) -> None:
        check_replicates(ours[: len(areas)], theirs)

    return Pair(
        ours=lambda: bootstrap_areas(positive, scores, N_REPLICATES, seed=0),
        reference=lambda: resample(positive, scores, n_reference, areas),
        n_ours=N_REPLICATES,
        n_reference=n_reference,
        check=check,
    )


def resample(positive: np.ndarray, scores: np.ndarray, n: int, areas: tuple) -> np.ndarray:
    """Areas, float64 [areas, n], of n resampled sets, positives and negatives drawn separately."""
    rng = np.random.default_rng(1)
    members = np.flatnonzero(positive), np.flatnonzero(~positive)
    replicates = []
    for _ in range(n):
        drawn = np.concatenate([rng.choice(rows, len(rows)) for rows in members])
        replicates.append([area(positive[drawn], scores[drawn]) for area in areas])
    return np.array(replicates).T


def check_replicates(ours: np.ndarray, reference: np.ndarray) -> None:
    """Means must agree within five standard errors of the reference's mean."""
    error = ours.std(axis=1) / np.sqrt(reference.shape[1])
    if (np.abs(ours.mean(axis=1) - reference.mean(axis=1)) > 5 * error).any():
        raise AssertionError("replicates of ours and of the reference have different means")
