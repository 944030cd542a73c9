"""How well a model ranks and predicts: metrics with bootstrap intervals, and curves.

Intervals are 95 % percentile bootstrap intervals (Efron & Tibshirani 1993, An Introduction to the
Bootstrap, chapter 13).
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from motifloom.bootstrap import bootstrap_areas, correlations, exact_areas, example_counts
from motifloom.metrics import auroc

RECALLS = (0.5, 0.8)  # the default of evaluation: recalls
_LEADING_COLUMNS = (
    "dataset",
    "tf",
    "model",
    "preset",
    "members",
    "examples",
    "negatives",
    "n",
    "n_positive",
    "auroc",
    "auroc_low",
    "auroc_high",
    "auroc_members_mean",
    "auroc_members_sd",
    "auprc",
    "auprc_low",
    "auprc_high",
)
_TRAILING_COLUMNS = (
    "pearson",
    "pearson_members_mean",
    "pearson_members_sd",
    "spearman",
    "mse",
    "note",
)
ONE_CLASS = "one class only in the test split"
TEXT_COLUMNS = ("dataset", "tf", "model", "preset", "examples", "negatives", "note")
_COUNT_COLUMNS = ("members", "n", "n_positive")
INTERVAL = (2.5, 97.5)  # percentiles


def precision_column(recall: float) -> str:
    """The column of metrics.tsv with the precision at a recall, named by its percent.

    >>> precision_column(0.5), precision_column(0.125)
    ('precision_r50', 'precision_r12.5')
    """
    return f"precision_r{100 * recall:g}"


def metric_columns(recalls: Iterable[float] = RECALLS) -> tuple[str, ...]:
    """The columns of metrics.tsv, with the precision at each of `recalls` behind the AUPRC."""
    return (*_LEADING_COLUMNS, *map(precision_column, recalls), *_TRAILING_COLUMNS)


METRIC_COLUMNS = metric_columns()


def classification_metrics(
    labels: np.ndarray,
    scores: np.ndarray,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
    recalls: Sequence[float] = RECALLS,
) -> dict[str, float | int | str]:
    """Areas under the ROC and precision-recall curves, each with its 95 % interval.

    `labels` [N] are 0 or 1, `scores` [N] any finite numbers, higher meaning bound. The bootstrap
    draws positives and negatives separately; with `groups` (int [N]) it draws whole groups, e.g.
    a site with its shuffles. AUPRC is average precision, sum over thresholds of
    (R_k - R_k-1) P_k, as scikit-learn defines it; ties share one threshold.

    Returns n, n_positive, auroc, auroc_low, auroc_high, auprc, auprc_low, auprc_high, the precision
    at each of `recalls` (`precision_column`, `precision_at_recalls`) and note. With one class only
    these are NaN and note says so. Raises ValueError for labels other
    than 0 and 1, scores that are not finite, and lengths that differ.
    """
    labels, scores, groups = _checked(labels, scores, groups)
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("labels must be 0 or 1")
    positive = labels == 1
    n_positive = int(positive.sum())
    metrics = {"n": len(labels), "n_positive": n_positive}
    if n_positive in (0, len(labels)):
        keys = ("auroc", "auroc_low", "auroc_high", "auprc", "auprc_low", "auprc_high")
        keys += tuple(map(precision_column, recalls))
        return metrics | dict.fromkeys(keys, float("nan")) | {"note": ONE_CLASS}
    found = exact_areas(positive, scores)
    replicates = bootstrap_areas(positive, scores, n_bootstrap, seed, groups)
    metrics |= _with_interval("auroc", found[0], replicates[0])
    metrics |= _with_interval("auprc", found[1], replicates[1])
    precisions = precision_at_recalls(positive, scores, recalls)
    metrics |= dict(zip(map(precision_column, recalls), precisions.tolist(), strict=True))
    return metrics | {"note": ""}


def precision_at_recalls(
    positive: np.ndarray, scores: np.ndarray, recalls: Sequence[float]
) -> np.ndarray:
    """Precision at the highest threshold whose recall is at least each of `recalls`: float64 [R].

    `positive` bool [N] with at least one True, `scores` float [N]; ties share one threshold.
    """
    # The threshold of a recall is the score of the positive that completes it, best first.
    ascending = np.sort(scores[positive])
    wanted = np.ceil(np.asarray(recalls, np.float64) * len(ascending) - 1e-9).astype(int)
    thresholds = ascending[len(ascending) - wanted.clip(1)]
    called = len(scores) - np.searchsorted(np.sort(scores), thresholds, "left")
    return (len(ascending) - np.searchsorted(ascending, thresholds, "left")) / called


def regression_metrics(
    targets: np.ndarray,
    predictions: np.ndarray,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, float | int | str]:
    """Pearson and Spearman correlation, each with its 95 % interval, and mean squared error.

    `targets` and `predictions` are finite numbers [N]; the bootstrap draws examples, or whole
    `groups` (int [N]). Ties share their mean rank. Returns n, pearson, pearson_low, pearson_high,
    spearman, spearman_low, spearman_high, mse and note. Where either input is constant the
    correlations are NaN and note says so. Raises ValueError as `classification_metrics` does.
    """
    targets, predictions, groups = _checked(targets, predictions, groups)
    x, y = targets.astype(np.float64), predictions.astype(np.float64)
    note = _constant(targets=x, predictions=y)
    estimates, replicates = np.full(2, np.nan), np.empty((2, 0))
    if not note:
        estimates = correlations(x, y, np.ones((1, len(x))))[:, 0]
        blocks = example_counts(len(x), n_bootstrap, seed, groups)
        replicates = np.hstack([replicates, *(correlations(x, y, counts) for counts in blocks)])
    metrics = {"n": len(x)}
    metrics |= _with_interval("pearson", estimates[0], replicates[0])
    metrics |= _with_interval("spearman", estimates[1], replicates[1])
    metrics["mse"] = float(np.square(x - y).mean()) if len(x) else float("nan")
    return metrics | {"note": note}


def auroc_spread(labels: np.ndarray, members: np.ndarray) -> dict[str, float]:
    """How an ensemble's members do alone: auroc_members_mean and auroc_members_sd.

    `labels` [N] are 0 or 1, `members` [M, N] the scores of each member. The sd is that of a sample,
    divided by M - 1. NaN of a single member, and with one class only.
    """
    judged = members if len(np.unique(labels)) == 2 else []
    return _spread("auroc", [auroc(np.asarray(labels), scores) for scores in judged])


def pearson_spread(targets: np.ndarray, members: np.ndarray) -> dict[str, float]:
    """As `auroc_spread`, of Pearson's correlation with scores [N]; NaN where a member has none."""
    found = [regression_metrics(targets, scores, n_bootstrap=0) for scores in members]
    return _spread("pearson", [metrics["pearson"] for metrics in found])


def _spread(metric: str, values: Sequence[float]) -> dict[str, float]:
    known = len(values) > 1
    return {
        f"{metric}_members_mean": float(np.mean(values)) if known else float("nan"),
        f"{metric}_members_sd": float(np.std(values, ddof=1)) if known else float("nan"),
    }


def metrics_row(
    *,
    dataset: str,
    tf: str,
    model: str,
    preset: str,
    members: int,
    examples: str,
    negatives: str,
    metrics: Mapping[str, float | int | str],
    note: str = "",
    recalls: Sequence[float] = RECALLS,
) -> dict[str, float | int | str]:
    """One row of metrics.tsv, keys in the order of `metric_columns(recalls)`.

    Takes what `classification_metrics` or `regression_metrics` returned; what it lacks is NaN (or
    "" for text), what is no column is left out, and its note is joined to `note`.
    """
    given = {
        **metrics,
        "dataset": dataset,
        "tf": tf,
        "model": model,
        "preset": preset,
        "members": members,
        "examples": examples,
        "negatives": negatives,
        "note": "; ".join(filter(None, (note, metrics.get("note", "")))),
    }
    return {
        column: given.get(column, "" if column in TEXT_COLUMNS else float("nan"))
        for column in metric_columns(recalls)
    }


def metrics_table(
    rows: Iterable[Mapping] | pd.DataFrame, recalls: Sequence[float] = RECALLS
) -> pd.DataFrame:
    """The metrics table of rows from `metrics_row` (or of a frame read back).

    Counts are nullable integers, so that a missing one does not turn the others into rounded
    floats when the table is written.
    """
    rows = rows if isinstance(rows, pd.DataFrame) else list(rows)
    frame = pd.DataFrame(rows, columns=list(metric_columns(recalls)))
    return frame.astype(dict.fromkeys(_COUNT_COLUMNS, "Int64"))


def curves(labels: np.ndarray, scores: np.ndarray, points: int = 200) -> pd.DataFrame:
    """ROC and precision-recall curves, each thinned to at most `points` points.

    Returns columns curve ("roc": x false positive rate, y true positive rate; "pr": x recall,
    y precision), x and y, x ascending. Every point is one of the exact curve's, and its two ends
    are kept. Without both classes the table is empty.
    """
    labels, scores, _ = _checked(labels, scores, None)
    if len(np.unique(labels)) < 2:
        return pd.DataFrame({"curve": pd.Series(dtype=str), "x": [], "y": []})
    true, false = _called(labels, scores)
    false_rate, true_rate = (np.append(0, called) / called[-1] for called in (false, true))
    precision, recall = np.append(1, true / (true + false)), true_rate
    # x + y grows along a ROC curve, so that equal steps of it follow steep and flat parts alike.
    roc = _thin(false_rate + true_rate, points)
    pr = _thin(recall, points)
    return pd.DataFrame(
        {
            "curve": ["roc"] * len(roc) + ["pr"] * len(pr),
            "x": np.concatenate([false_rate[roc], recall[pr]]),
            "y": np.concatenate([true_rate[roc], precision[pr]]),
        }
    )


def _called(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false positives at each distinct score as the threshold, highest first."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(labels[order] == 1)[last]
    return true, np.flatnonzero(last) + 1 - true


def _constant(**inputs: np.ndarray) -> str:
    """A note that names the inputs without variation, or ""."""
    constant = [name for name, values in inputs.items() if len(np.unique(values)) < 2]
    return f"constant {' and '.join(constant)}" if constant else ""


def _with_interval(name: str, estimate: float, replicates: np.ndarray) -> dict[str, float]:
    finite = replicates[np.isfinite(replicates)]
    low, high = np.percentile(finite, INTERVAL) if len(finite) else (np.nan, np.nan)
    return {name: float(estimate), f"{name}_low": float(low), f"{name}_high": float(high)}


def _thin(position: np.ndarray, points: int) -> np.ndarray:
    """Indices of about evenly spaced entries of an ascending array, first and last included."""
    even = np.linspace(position[0], position[-1], max(points - 1, 2))
    chosen = np.searchsorted(position, even).clip(max=len(position) - 1)
    return np.unique(np.concatenate([[0], chosen, [len(position) - 1]]))


def _checked(
    truth: np.ndarray, scores: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Inputs as flat arrays, groups renumbered from 0; ValueError where they do not fit."""
    truth, scores = np.ravel(truth), np.ravel(scores)
    if groups is not None:
        groups = np.unique(np.ravel(groups), return_inverse=True)[1]
    if len(truth) != len(scores) or (groups is not None and len(groups) != len(scores)):
        raise ValueError("labels, scores and groups must have the same length")
    if not (np.isfinite(truth).all() and np.isfinite(scores).all()):
        raise ValueError("labels and scores must be finite")
    return truth, scores, groups
