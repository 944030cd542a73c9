"""How well a model ranks and predicts: metrics with bootstrap intervals, curves, a PWM baseline.

Intervals are 95 % percentile bootstrap intervals (Efron & Tibshirani 1993, An Introduction to the
Bootstrap, chapter 13). Replicates are never materialised as resampled scores: a replicate is a
vector of counts, how often each example was drawn, over scores sorted once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

# Draws counts of positives [B, K] and of negatives [B, 2K+1], as `weighted_areas` takes them.
Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]

METRIC_COLUMNS = (
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
_INTERVAL = (2.5, 97.5)  # percentiles
_BLOCK = 1 << 18  # counts held at a time: they stay in the cache, and memory below 50 MB
_MULTINOMIAL_FROM = 8  # examples a cell from which counts are drawn cell by cell, being faster
_PADDING = {"mode": "constant", "constant_values": 4}


def classification_metrics(
    labels: np.ndarray,
    scores: np.ndarray,
    n_bootstrap: int = 1000,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> dict[str, float | int | str]:
    """Areas under the ROC and precision-recall curves, each with its 95 % interval.

    `labels` [N] are 0 or 1, `scores` [N] any finite numbers, higher meaning bound. The bootstrap
    draws positives and negatives separately; with `groups` (int [N]) it draws whole groups, e.g.
    a site with its shuffles. AUPRC is average precision, sum over thresholds of
    (R_k - R_k-1) P_k, as scikit-learn defines it; ties share one threshold.

    Returns n, n_positive, auroc, auroc_low, auroc_high, auprc, auprc_low, auprc_high and note.
    With one class only the areas are NaN and note says so. Raises ValueError for labels other
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
        return metrics | dict.fromkeys(keys, float("nan")) | {"note": ONE_CLASS}
    from sklearn.metrics import average_precision_score, roc_auc_score

    auroc, auprc = bootstrap_areas(positive, scores, n_bootstrap, seed, groups)
    metrics |= _with_interval("auroc", roc_auc_score(positive, scores), auroc)
    metrics |= _with_interval("auprc", average_precision_score(positive, scores), auprc)
    return metrics | {"note": ""}


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
        estimates = _correlations(x, y, np.ones((1, len(x))))[:, 0]
        blocks = _example_counts(len(x), n_bootstrap, seed, groups)
        replicates = np.hstack([replicates, *(_correlations(x, y, counts) for counts in blocks)])
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
    from sklearn.metrics import roc_auc_score

    judged = members if len(np.unique(labels)) == 2 else []
    return _spread("auroc", [roc_auc_score(labels, scores) for scores in judged])


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
) -> dict[str, float | int | str]:
    """One row of metrics.tsv, keys in the order of METRIC_COLUMNS.

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
        for column in METRIC_COLUMNS
    }


def metrics_table(rows: Iterable[Mapping] | pd.DataFrame) -> pd.DataFrame:
    """The metrics table of rows from `metrics_row` (or of a frame read back).

    Counts are nullable integers, so that a missing one does not turn the others into rounded
    floats when the table is written.
    """
    rows = rows if isinstance(rows, pd.DataFrame) else list(rows)
    frame = pd.DataFrame(rows, columns=list(METRIC_COLUMNS))
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
    from sklearn.metrics import precision_recall_curve, roc_curve

    false_rate, true_rate, _ = roc_curve(labels, scores)
    precision, recall, _ = precision_recall_curve(labels, scores)
    precision, recall = precision[::-1], recall[::-1]
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


def log_odds(
    ppm: np.ndarray,
    background: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    pseudocount: float = 1e-3,
) -> np.ndarray:
    """Log-odds, float64 [4, W] in bits, of base probabilities `ppm` [4, W], rows A, C, G, T.

    s(b, i) = log2(p'(b, i) / q(b)) with p' = (p + pseudocount q) / (1 + pseudocount), q the
    background: Wasserman & Sandelin 2004, Nature Reviews Genetics 5:276, with the pseudocount
    given as a fraction of the number of sites and shared out by the background.
    Raises ValueError where columns of `ppm` do not sum to 1 (within 1 %).
    """
    ppm = np.asarray(ppm, np.float64)
    if ppm.ndim != 2 or len(ppm) != 4 or (ppm < 0).any():
        raise ValueError("a matrix of base probabilities must be [4, W] and not negative")
    if not np.allclose(ppm.sum(axis=0), 1, atol=0.01):
        raise ValueError("each column of base probabilities must sum to 1")
    base = np.asarray(background, np.float64)[:, None]
    return np.log2((ppm + pseudocount * base) / (1 + pseudocount) / base)


def matrix_scores(
    codes: np.ndarray, log_odds: np.ndarray, both_strands: bool = True, block: int = 1 << 16
) -> np.ndarray:
    """Best log-odds, float64 [N], of a PWM anywhere in each sequence: the classical baseline.

    `codes` uint8 [N, L]; `log_odds` [4, W], rows A, C, G, T. The score of a window is the sum
    over its bases (Stormo 2000, Bioinformatics 16:16); an N adds 0. A sequence shorter than the
    matrix is padded with N on both sides, so that every placement that covers it counts. With
    `both_strands` the reverse complement is scored too and the larger score taken. `block` is
    the number of bases scored at a time.
    """
    log_odds = np.asarray(log_odds, np.float64)
    if log_odds.ndim != 2 or len(log_odds) != 4 or not np.isfinite(log_odds).all():
        raise ValueError("a log-odds matrix must be [4, W] and finite; add a pseudocount")
    width = log_odds.shape[1]
    strands = (log_odds, log_odds[::-1, ::-1]) if both_strands else (log_odds,)
    tables = np.stack([_triplet_tables(matrix) for matrix in strands])
    short = max(0, width - codes.shape[1])
    beyond = 3 * tables.shape[1] - width
    windows = codes.shape[1] + 2 * short - width + 1
    scores = np.empty(len(codes))
    rows = max(1, block // (codes.shape[1] + 2 * short))
    for first in range(0, len(codes), rows):
        part = np.pad(codes[first : first + rows], ((0, 0), (short, short + beyond)), **_PADDING)
        # Integers of the machine's width, because `take` would convert others at every look-up.
        part = part.astype(np.intp)
        triplets = part[:, :-2] * 25 + part[:, 1:-1] * 5 + part[:, 2:]
        best = [_best_hit(triplets, table, windows) for table in tables]
        scores[first : first + rows] = np.max(best, axis=0)
    return scores


def _triplet_tables(matrix: np.ndarray) -> np.ndarray:
    """Score of every triplet of codes at columns 3g to 3g+2: [ceil(W/3), 125]; N and padding 0."""
    columns = np.pad(matrix, ((0, 1), (0, -matrix.shape[1] % 3))).T.reshape(-1, 3, 5)
    first, second, third = columns[:, 0], columns[:, 1], columns[:, 2]
    triplets = first[:, :, None, None] + second[:, None, :, None] + third[:, None, None, :]
    return np.ascontiguousarray(triplets.reshape(-1, 125))


def _best_hit(triplets: np.ndarray, table: np.ndarray, windows: int) -> np.ndarray:
    """Largest window score [rows] of triplet codes [rows, L] under a table [G, 125]."""
    scores = table[0].take(triplets[:, :windows])
    for group in range(1, len(table)):
        scores += table[group].take(triplets[:, 3 * group : 3 * group + windows])
    return scores.max(axis=1)


def bootstrap_areas(
    positive: np.ndarray,
    scores: np.ndarray,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """AUROC and average precision of bootstrap replicates: float64 [2, n_bootstrap].

    `positive` bool [N], `scores` float [N]. Classes are drawn separately, or whole `groups`
    (int [N] from 0); a replicate of groups that lacks a class is NaN.
    """
    levels, cells = levels_and_cells(positive, scores)
    shape = (int(levels.max()) + 1, 2 * int(levels.max()) + 3)
    if groups is None:
        cost, draw = _draw_by_class(levels, cells, shape)
    else:
        cost, draw = _draw_groups(groups[positive], groups[~positive], levels, cells, shape)
    rng = np.random.default_rng(seed)
    blocks = [weighted_areas(*draw(size, rng)) for size in _block_sizes(n_bootstrap, cost)]
    return np.hstack([np.empty((2, 0)), *blocks])


def weighted_areas(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """AUROC and average precision, float64 [2, B], of B sets of counts.

    `positives` [B, K] counts positives at K distinct scores, best first. `negatives` [B, 2K+1]
    counts negatives in the cells around them: above the first, tied with the first, between the
    first and the second, ..., below the last. Negatives matter to both areas only through these.
    AUROC is the Mann-Whitney statistic: a tie counts one half.
    """
    true_positives = np.cumsum(positives, axis=1)
    false_positives = np.cumsum(negatives, axis=1)
    above, through = false_positives[:, :-1:2], false_positives[:, 1::2]
    n_positive, n_negative = true_positives[:, -1], false_positives[:, -1]
    called = np.maximum(true_positives + through, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        lost = np.einsum("bk,bk->b", positives, above + through) / 2
        auroc = 1 - lost / (n_positive * n_negative)
        precision = np.einsum("bk,bk->b", positives, true_positives / called) / n_positive
    precision[n_negative == 0] = np.nan
    return np.stack([auroc, precision])


def levels_and_cells(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level of each positive and cell of each negative, as `weighted_areas` numbers them."""
    distinct, ascending = np.unique(scores[positive], return_inverse=True)
    others = scores[~positive]
    below = np.searchsorted(distinct, others, "left") + np.searchsorted(distinct, others, "right")
    return len(distinct) - 1 - ascending, 2 * len(distinct) - below


def _draw_by_class(
    levels: np.ndarray, cells: np.ndarray, shape: tuple[int, int]
) -> tuple[int, Draw]:
    """Values held a replicate, and a function that draws both classes' counts."""
    hits, others = _Resampler(levels, shape[0]), _Resampler(cells, shape[1])
    return hits.cost + others.cost, lambda size, rng: (hits.draw(size, rng), others.draw(size, rng))


def _draw_groups(
    positive_groups: np.ndarray,
    negative_groups: np.ndarray,
    levels: np.ndarray,
    cells: np.ndarray,
    shape: tuple[int, int],
) -> tuple[int, Draw]:
    """As `_draw_by_class`, but every group comes with all its examples."""
    groups = np.unique(np.concatenate([positive_groups, negative_groups]))
    units = _Resampler(groups, len(groups))
    hits = _members(positive_groups, levels, (len(groups), shape[0]))
    others = _members(negative_groups, cells, (len(groups), shape[1]))

    def draw(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        drawn = units.draw(size, rng)
        return drawn @ hits, drawn @ others

    return units.cost + sum(shape), draw


class _Resampler:
    """Draws N examples N times with replacement and counts how often each of their cells is met.

    `cells` int [N] holds each example's cell; `cost` is the number of values a draw holds.
    """

    def __init__(self, cells: np.ndarray, n_cells: int):
        self.cells, self.n_cells = cells, n_cells
        self.by_cell = len(cells) > _MULTINOMIAL_FROM * n_cells
        self.cost = n_cells if self.by_cell else len(cells) + n_cells
        self.share = np.bincount(cells, minlength=n_cells) / max(len(cells), 1)

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Counts int64 [size, n_cells] of `size` replicates."""
        n = len(self.cells)
        if self.by_cell:
            return rng.multinomial(n, self.share, size)
        drawn = self.cells[rng.integers(0, n, (size, n))]
        drawn += np.arange(size)[:, None] * self.n_cells
        counts = np.bincount(drawn.ravel(), minlength=size * self.n_cells)
        return counts.reshape(size, self.n_cells)


def _members(groups: np.ndarray, cells: np.ndarray, shape: tuple[int, int]):
    """How many examples of each group lie in each cell: a sparse matrix [G, n_cells]."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(groups), np.int64), (groups, cells)), shape=shape)


def _block_sizes(n_bootstrap: int, cost: int) -> list[int]:
    """Replicates, `cost` values each, split into blocks that hold about _BLOCK values."""
    size = max(1, _BLOCK // cost)
    return [min(size, n_bootstrap - first) for first in range(0, n_bootstrap, size)]


def _example_counts(
    n: int, n_bootstrap: int, seed: int, groups: np.ndarray | None
) -> Iterator[np.ndarray]:
    """Blocks of replicates: how often each of n examples is drawn, int64 [B, n]."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) if groups is None else groups
    n_groups = int(groups.max()) + 1
    units = _Resampler(np.arange(n_groups), n_groups)
    for size in _block_sizes(n_bootstrap, units.cost + n):
        yield units.draw(size, rng)[:, groups]


def _correlations(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pearson and Spearman correlations, float64 [2, B], of x and y [N] under counts [B, N]."""
    pearson = _pearson(x[None], y[None], counts)
    spearman = _pearson(_mean_ranks(x, counts), _mean_ranks(y, counts), counts)
    return np.stack([pearson, spearman])


def _pearson(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pearson correlation [B] of x and y ([B, N] or [1, N]) under counts [B, N]."""
    total = counts.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = x - (counts * x).sum(axis=1, keepdims=True) / total
        y = y - (counts * y).sum(axis=1, keepdims=True) / total
        weighted = counts * x
        covariance, variance = (weighted * y).sum(axis=1), (weighted * x).sum(axis=1)
        return covariance / np.sqrt(variance * (counts * y * y).sum(axis=1))


def _mean_ranks(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Ranks, ties sharing the mean, of values [N] each repeated `counts` [B, N] times: [B, N].

    They are twice the usual ranks less one, which no correlation notices.
    """
    _, level, repeats = np.unique(values, return_inverse=True, return_counts=True)
    ordered = counts[:, np.argsort(values, kind="stable")]
    before = np.pad(np.cumsum(ordered, axis=1), ((0, 0), (1, 0)))
    ends = np.cumsum(repeats)
    return (before[:, ends - repeats] + before[:, ends])[:, level]


def _constant(**inputs: np.ndarray) -> str:
    """A note that names the inputs without variation, or ""."""
    constant = [name for name, values in inputs.items() if len(np.unique(values)) < 2]
    return f"constant {' and '.join(constant)}" if constant else ""


def _with_interval(name: str, estimate: float, replicates: np.ndarray) -> dict[str, float]:
    finite = replicates[np.isfinite(replicates)]
    low, high = np.percentile(finite, _INTERVAL) if len(finite) else (np.nan, np.nan)
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
