"""Whether one model is better than another on the same examples: paired bootstrap differences.

Both models are judged on each replicate, so that what makes an example hard for both cancels
(Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.bootstrap import (
    Resampler,
    block_sizes,
    cell_matrix,
    levels_and_cells,
    weighted_areas,
)
from motifloom.evaluation import INTERVAL
from motifloom.files import read_table, write_table
from motifloom.metrics import benjamini_hochberg

COMPARISON_COLUMNS = (
    "dataset",
    "examples",
    "negatives",
    "model",
    "other",
    "metric",
    "difference",
    "low",
    "high",
    "pvalue",
    "n",
)
ALL = "all"  # in the column dataset: the test over all datasets
_TEXT_COLUMNS = COMPARISON_COLUMNS[:6]
_FAMILY = ["examples", "negatives", "model", "other", "metric"]

# Draws how often each of U units is met, int64 [B, U], in B replicates.
_DrawUnits = Callable[[int, np.random.Generator], np.ndarray]


def compare(
    truth: np.ndarray,
    scores: Mapping[str, np.ndarray],
    pairs: Iterable[tuple[str, str]],
    binary: bool,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> list[dict]:
    """Differences between models on the same examples, a dict a pair and metric.

    `truth` [N] says whether each example is bound, or with `binary` False is its measured score;
    `scores` maps models to float [N]; of each of `pairs` (model, other) the metric of `model` less
    that of `other` is given: "auroc" and "auprc", or "pearson". Whole `groups` (int [N]) are
    resampled together, without them each class by itself (scores: each example).

    Returns model, other, metric, difference, its 95 % percentile interval low and high, pvalue
    (`bootstrap_pvalue`) and n. Where a metric does not exist its numbers are NaN.
    """
    names = list(scores)
    table = np.array([scores[name] for name in names], np.float64).reshape(len(names), len(truth))
    if binary:
        metrics = ("auroc", "auprc")
        found = paired_areas(np.asarray(truth) > 0, table, n_bootstrap, seed, groups)
    else:
        metrics = ("pearson",)
        found = paired_correlations(truth, table, n_bootstrap, seed, groups)[None]
    rows = []
    for (model, other), (number, metric) in itertools.product(pairs, enumerate(metrics)):
        difference = found[number, names.index(model)] - found[number, names.index(other)]
        difference = difference.round(12)  # equal models may differ in the last digit of a sum
        named = {"model": model, "other": other, "metric": metric}
        rows.append(named | _summary(difference[0], difference[1:]) | {"n": len(truth)})
    return rows


def _summary(difference: float, replicates: np.ndarray) -> dict[str, float]:
    finite = replicates[np.isfinite(replicates)]
    low, high = np.percentile(finite, INTERVAL) if len(finite) else (np.nan, np.nan)
    pvalue = bootstrap_pvalue(finite)
    return {"difference": difference, "low": low, "high": high, "pvalue": pvalue}


def bootstrap_pvalue(differences: np.ndarray) -> float:
    """Two-sided p-value of no difference, out of replicates of the difference [B]; NaN of none.

    Twice the smaller of the two shares of replicates on either side of 0, those at 0 on both, at
    most 1; the one added above and below keeps it from 0 (Davison & Hinkley 1997, Bootstrap
    Methods and their Application, equation 4.11). It agrees with the percentile interval: below
    0.05 the interval leaves 0 out.
    """
    if not len(differences):
        return float("nan")
    fewest = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, 2 * (1 + int(fewest)) / (1 + len(differences)))


def paired_areas(
    positive: np.ndarray,
    scores: np.ndarray,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """AUROC and average precision of M models in the same replicates: [2, M, 1 + n_bootstrap].

    `positive` bool [N], `scores` float [M, N]; the first of the replicates is the data as they
    are. Without `groups` (int [N]) classes are drawn separately. A replicate without a class, or
    all of data without one, is NaN.
    """
    if not positive.any() or positive.all():
        return np.full((2, len(scores), 1 + n_bootstrap), np.nan)
    units, n_units, draw = _units(positive, groups)
    matrices = []
    for one in scores:
        levels, cells = levels_and_cells(positive, one)
        n_levels = int(levels.max()) + 1
        hits = cell_matrix(units[positive], levels, (n_units, n_levels))
        others = cell_matrix(units[~positive], cells, (n_units, 2 * n_levels + 1))
        matrices.append((hits, others))
    widest = max(hits.shape[1] + others.shape[1] for hits, others in matrices)
    blocks = _replicates(draw, n_units, 2 * n_units + widest, n_bootstrap, seed)
    areas = [
        np.stack([weighted_areas(counts @ hits, counts @ others) for hits, others in matrices], 1)
        for counts in blocks
    ]
    return np.concatenate(areas, axis=2)


def paired_correlations(
    targets: np.ndarray,
    scores: np.ndarray,
    n_bootstrap: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Pearson's correlation of M models with `targets` [N] in the same replicates: [M, 1 + B].

    `scores` are float [M, N]; the first of the replicates is the data as they are. NaN where
    either side is constant.
    """
    groups = np.arange(len(targets)) if groups is None else groups
    units, n_units, draw = _units(np.ones(len(targets), bool), groups)
    # Sums of counts times these are all that a correlation needs; centred, they lose no digits.
    x = np.asarray(targets, np.float64)
    x = x - x.mean() if len(x) else x
    y = scores - scores.mean(axis=1, keepdims=True) if len(x) else scores
    one = np.ones((1, len(x)))
    terms = np.concatenate([one, x[None], x[None] ** 2, y, y**2, x * y])
    sums = np.zeros((n_units, len(terms)))
    np.add.at(sums, units, terms.T)
    blocks = _replicates(draw, n_units, 2 * n_units, n_bootstrap, seed)
    found = [_moments_to_correlations(counts @ sums, len(scores)) for counts in blocks]
    constant = (np.ptp(y, axis=1) == 0) | (np.ptp(x) == 0) if len(x) else np.ones(len(y), bool)
    return np.where(constant[:, None], np.nan, np.concatenate(found).T)


def _moments_to_correlations(sums: np.ndarray, n_models: int) -> np.ndarray:
    """Correlations [B, M] of the sums [B, 3 + 3M] of 1, x, x^2, y, y^2 and x y."""
    n, x, xx = (sums[:, [column]] for column in range(3))
    y, yy, xy = np.split(sums[:, 3:], 3, axis=1) if n_models else [sums[:, :0]] * 3
    with np.errstate(invalid="ignore", divide="ignore"):
        return (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))


def _units(positive: np.ndarray, groups: np.ndarray | None) -> tuple[np.ndarray, int, _DrawUnits]:
    """The unit of each example int [N], how many there are, and what draws them.

    Units are the groups, or each example is one and those of a class are drawn among themselves.
    """
    if groups is not None:
        distinct, units = np.unique(groups, return_inverse=True)
        return units, len(distinct), Resampler(np.arange(len(distinct)), len(distinct)).draw
    n_positive = int(positive.sum())
    sizes = (n_positive, len(positive) - n_positive)
    units = np.empty(len(positive), np.int64)
    units[positive], units[~positive] = np.arange(sizes[0]), np.arange(sizes[0], len(positive))
    classes = [Resampler(np.arange(size), size) for size in sizes]
    return units, len(positive), lambda size, rng: np.hstack([c.draw(size, rng) for c in classes])


def _replicates(draw: _DrawUnits, n_units: int, cost: int, n_bootstrap: int, seed: int):
    """Blocks of counts int64 [B, n_units]: first every unit once, then the replicates."""
    yield np.ones((1, n_units), np.int64)
    rng = np.random.default_rng(seed)
    for size in block_sizes(n_bootstrap, max(cost, 1)) if n_units else ():
        yield draw(size, rng)


def pairs_with_first(names: Sequence[str]) -> list[tuple[str, str]]:
    """The first model with each of the others.

    >>> pairs_with_first(["deepbind", "pwm", "kmer"])
    [('deepbind', 'pwm'), ('deepbind', 'kmer')]
    """
    return [(names[0], other) for other in names[1:]]


def comparison_table(rows: Iterable[Mapping]) -> pd.DataFrame:
    """A table of the COMPARISON_COLUMNS."""
    return pd.DataFrame(list(rows), columns=list(COMPARISON_COLUMNS)).astype({"n": "Int64"})


def collect_comparisons(tables: Iterable[str | Path], output: str | Path) -> None:
    """Write all datasets' comparisons as one table, with q-values and tests over the datasets."""
    frames = [read_table(path, _TEXT_COLUMNS) for path in tables]
    write_table(over_datasets(pd.concat(frames, ignore_index=True)), output)


def over_datasets(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The comparisons with a column qvalue, and rows of the test over all datasets behind them.

    A q-value is the p-value after Benjamini & Hochberg 1995 (J. R. Stat. Soc. B 57, 289-300) over
    the datasets of the same examples, negatives, models and metric. A row of dataset "all" has
    the median difference over n datasets and the p-value of Wilcoxon's signed-rank test of them
    (Wilcoxon 1945, Biometrics Bulletin 1, 80-83); with fewer than six it cannot be below 0.05.
    """
    table = comparisons.assign(qvalue=np.nan)
    tests = []
    for family, rows in table.groupby(_FAMILY, sort=False):
        pvalues = rows["pvalue"].dropna()
        if len(pvalues):
            table.loc[pvalues.index, "qvalue"] = benjamini_hochberg(pvalues)
        differences = rows["difference"].dropna()
        if len(differences) > 1:
            tests.append(
                {"dataset": ALL}
                | dict(zip(_FAMILY, family, strict=True))
                | {"difference": differences.median(), "pvalue": signed_rank(differences)}
                | {"n": len(differences)}
            )
    columns = [*COMPARISON_COLUMNS, "qvalue"]
    return pd.DataFrame([*table.to_dict("records"), *tests], columns=columns).astype({"n": "Int64"})


def signed_rank(differences: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; 1 where all differences are 0."""
    from scipy.stats import wilcoxon

    values = np.asarray(differences, np.float64)
    return float(wilcoxon(values).pvalue) if values.any() else 1.0
