"""Scores as probabilities: maps fitted on validation examples, and how far to trust them.

A map turns a score s into the probability of being bound. It is fitted on the validation split
alone and judged on the test split. A probability holds for the share of positives among the
examples that it was fitted on; a genome has far fewer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.bootstrap import Resampler, block_sizes
from motifloom.evaluation import INTERVAL
from motifloom.files import InputError, is_finite, open_text, parse_json

BINS = 10
RELIABILITY_COLUMNS = ("bin", "predicted", "observed", "low", "high", "n")
# As far as the some hundred to thousand validation examples of a dataset can tell.
_SURE = 1e-3
_Z = 1.959963984540054  # 97.5 % quantile of the normal distribution


def fit_platt(labels: np.ndarray, scores: np.ndarray) -> dict:
    """Platt's map of scores [n] with labels 0/1 [n]: p = 1 / (1 + exp(-(slope s + intercept))).

    The log-likelihood of the smoothed targets (N+ + 1) / (N+ + 2) and 1 / (N- + 2) is maximised
    (Platt 1999, Probabilistic outputs for support vector machines, in Advances in Large Margin
    Classifiers, 61-74). Constant scores give a slope of 0. Returns method, slope and intercept.
    """
    labels, scores = np.asarray(labels) > 0, np.asarray(scores, np.float64)
    n_positive = int(labels.sum())
    targets = np.where(
        labels, (n_positive + 1) / (n_positive + 2), 1 / (len(labels) - n_positive + 2)
    )
    centre, scale = scores.mean(), scores.std()
    if not scale > 0:
        mean = targets.mean()
        return {"method": "platt", "slope": 0.0, "intercept": float(np.log(mean / (1 - mean)))}
    slope, intercept = _most_likely((scores - centre) / scale, targets)
    slope /= scale
    return {"method": "platt", "slope": slope, "intercept": intercept - slope * centre}


def _most_likely(x: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the likeliest logistic curve of x [n] with targets [n] within (0, 1).

    Newton's method with steps halved until the likelihood grows (Lin, Lin & Weng 2007, Machine
    Learning 68, 267-276). Own code, since scikit-learn takes longer to import than this job runs.
    """
    design, theta = np.stack([x, np.ones_like(x)]), np.zeros(2)

    def loss(theta):
        logits = theta @ design
        return (np.logaddexp(0, logits) - targets * logits).sum()

    for _ in range(100):
        p = sigmoid(theta @ design)
        gradient = design @ (p - targets)
        curvature = (design * (p * (1 - p))) @ design.T + 1e-12 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        fraction, before = 1.0, loss(theta)
        while fraction > 1e-10 and loss(theta - fraction * step) > before:
            fraction /= 2
        theta = theta - fraction * step
        if np.abs(step).max() < 1e-10:
            break
    return float(theta[0]), float(theta[1])


def fit_isotonic(labels: np.ndarray, scores: np.ndarray) -> dict:
    """The rising map of scores [n] closest to labels 0/1 [n] in squares.

    Zadrozny & Elkan 2002 (KDD, 694-699), by scikit-learn. Returns method, and scores and
    probabilities at the corners: linear between them, level beyond.
    """
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    model.fit(np.asarray(scores, np.float64), (np.asarray(labels) > 0).astype(float))
    corners = {"scores": model.X_thresholds_, "probabilities": model.y_thresholds_}
    return {"method": "isotonic"} | {name: list(map(float, v)) for name, v in corners.items()}


FITS: dict[str, Callable[[np.ndarray, np.ndarray], dict]] = {
    "platt": fit_platt,
    "isotonic": fit_isotonic,
}


def apply(fitted: Mapping, scores: np.ndarray) -> np.ndarray:
    """Probabilities, float64 [n], of scores [n] under a map of `fit_platt` or `fit_isotonic`.

    >>> apply({"method": "platt", "slope": 2.0, "intercept": -2.0}, [1.0]).tolist()
    [0.5]
    """
    scores = np.asarray(scores, np.float64)
    if fitted["method"] == "platt":
        return sigmoid(fitted["slope"] * scores + fitted["intercept"])
    return np.interp(scores, fitted["scores"], fitted["probabilities"])


def log_odds(fitted: Mapping, scores: np.ndarray) -> np.ndarray:
    """ln(p / (1 - p)), float64 [n], of the probabilities p that `apply` gives scores [n].

    Of an isotonic map, whose ends are often 0 and 1, p is taken to lie from 0.001 to 0.999.
    """
    if fitted["method"] == "platt":
        return fitted["slope"] * np.asarray(scores, np.float64) + fitted["intercept"]
    p = np.clip(apply(fitted, scores), _SURE, 1 - _SURE)
    return np.log(p) - np.log1p(-p)


def read_maps(path: str | Path) -> dict:
    """What a calibration.json holds: dataset, negatives, and models (name -> map of `FITS`).

    Raises InputError where it is no such file.
    """
    with open_text(path) as stream:
        try:
            maps = parse_json(stream.read())
        except ValueError as error:
            raise InputError(f"{path}: is no JSON; evaluate the windows again") from error
    models = maps.get("models") if isinstance(maps, dict) else None
    if not isinstance(models, dict) or not isinstance(maps.get("negatives"), str):
        raise InputError(f"{path}: holds no calibration; evaluate the windows again")
    for fitted in models.values():
        check_map(fitted, path)
    return maps


def check_map(fitted: object, path: str | Path) -> None:
    """Raise InputError where `apply` cannot take a map that was read from `path`."""
    known = isinstance(fitted, dict) and fitted.get("method")
    if known == "platt":
        sound = is_finite(fitted.get("slope")) and is_finite(fitted.get("intercept"))
    elif known == "isotonic":
        corners = [fitted.get("scores"), fitted.get("probabilities")]
        sound = all(isinstance(one, list) and all(map(is_finite, one)) for one in corners)
        sound = sound and len(corners[0]) == len(corners[1]) > 0
        sound = sound and all(0 <= p <= 1 for p in corners[1])
        sound = sound and corners[0] == sorted(corners[0])
    else:
        sound = False
    if not sound:
        raise InputError(f"{path}: a calibration is no map of {' or '.join(FITS)}; write it again")


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), float64 [n], of numbers of any size."""
    from scipy.special import expit

    return expit(np.asarray(logits, np.float64))


@dataclass(frozen=True)
class _Bins:
    """Examples in bins of about equal size: bin int [n] from 0, and how many bins there are."""

    of: np.ndarray
    n: int

    @classmethod
    def equal_mass(cls, probabilities: np.ndarray, n_bins: int) -> "_Bins":
        """Bins between quantiles; equal probabilities share one, so that there may be fewer."""
        edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, n_bins + 1)[1:-1]))
        used, of = np.unique(np.searchsorted(edges, probabilities, "left"), return_inverse=True)
        return cls(of, len(used))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum of values [n] in each bin."""
        return np.bincount(self.of, values, self.n)


def reliability(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = BINS) -> pd.DataFrame:
    """Predicted and observed share of bound examples by bin: columns of RELIABILITY_COLUMNS.

    `labels` 0/1 [n], `probabilities` [n]; bins hold about equally many examples, from the lowest
    probability (bin 1) on. low and high are Wilson's 95 % interval of the observed share (Wilson
    1927, J. Am. Stat. Assoc. 22, 209-212).
    """
    if not len(labels):
        return pd.DataFrame(columns=list(RELIABILITY_COLUMNS))
    bins = _Bins.equal_mass(probabilities, n_bins)
    n = bins.sums(np.ones(len(bins.of)))
    observed = bins.sums(labels) / n
    low, high = wilson_interval(observed, n)
    columns = (np.arange(1, bins.n + 1), bins.sums(probabilities) / n, observed, low, high, n)
    table = pd.DataFrame(dict(zip(RELIABILITY_COLUMNS, columns, strict=True)))
    return table.astype({"n": int})


def wilson_interval(share: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of shares [B] observed in n [B] trials."""
    spread = _Z * np.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    centre, size = share + _Z**2 / (2 * n), 1 + _Z**2 / n
    low, high = (centre - spread) / size, (centre + spread) / size
    return np.where(share == 0, 0, low), np.where(share == 1, 1, high)  # exact, not nearly


def expected_error(labels: np.ndarray, probabilities: np.ndarray, n_bins: int = BINS) -> float:
    """Expected calibration error: mean over examples of |observed - predicted| of their bin.

    Equation 3 of Guo et al. 2017 (ICML, PMLR 70, 1321-1330) for the probability of being bound,
    with bins of equally many examples (`reliability`). NaN of no examples.
    """
    if not len(labels):
        return float("nan")
    bins = _Bins.equal_mass(probabilities, n_bins)
    excess = bins.sums(np.asarray(labels, np.float64) - probabilities)
    return float(np.abs(excess).sum() / len(labels))


def expected_error_interval(
    labels: np.ndarray,
    probabilities: np.ndarray,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray,
    n_bins: int = BINS,
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of `expected_error`, whole `groups` int [n] redrawn.

    Bins stay those of the data. The error cannot be negative, so that chance only adds to it and
    the interval lies high where the map is good.
    """
    if not len(labels) or not n_bootstrap:
        return float("nan"), float("nan")
    bins = _Bins.equal_mass(probabilities, n_bins)
    distinct, unit = np.unique(groups, return_inverse=True)
    excess = np.zeros((len(distinct), bins.n))
    np.add.at(excess, (unit, bins.of), np.asarray(labels, np.float64) - probabilities)
    sizes = np.bincount(unit)
    rng, units = np.random.default_rng(seed), Resampler(np.arange(len(distinct)), len(distinct))
    found = []
    for size in block_sizes(n_bootstrap, units.cost):
        counts = units.draw(size, rng)
        found.append(np.abs(counts @ excess).sum(axis=1) / (counts @ sizes))
    low, high = np.percentile(np.concatenate(found), INTERVAL)
    return float(low), float(high)
