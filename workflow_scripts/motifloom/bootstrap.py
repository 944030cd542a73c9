"""Bootstrap replicates as counts: areas under curves and correlations, of one model or several.

A replicate is never materialised as resampled scores: it is a vector of counts, how often each
example was drawn, over scores sorted once (Efron & Tibshirani 1993, An Introduction to the
Bootstrap, chapter 13).
"""

from collections.abc import Callable, Iterator

import numpy as np

# Draws counts of positives [B, K] and of negatives [B, 2K+1], as `weighted_areas` takes them.
Draw = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]

_BLOCK = 1 << 18  # counts held at a time: they stay in the cache, and memory below 50 MB
_MULTINOMIAL_FROM = 8  # examples a cell from which counts are drawn cell by cell, being faster


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
    blocks = [weighted_areas(*draw(size, rng)) for size in block_sizes(n_bootstrap, cost)]
    return np.hstack([np.empty((2, 0)), *blocks])


def exact_areas(positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """AUROC and average precision of the examples themselves, float64 [2]; both classes needed."""
    levels, cells = levels_and_cells(positive, scores)
    highest = int(levels.max())
    counts = (
        np.bincount(found, minlength=n)[None]
        for found, n in ((levels, highest + 1), (cells, 2 * highest + 3))
    )
    return weighted_areas(*counts)[:, 0]


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
    hits, others = Resampler(levels, shape[0]), Resampler(cells, shape[1])
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
    units = Resampler(groups, len(groups))
    hits = cell_matrix(positive_groups, levels, (len(groups), shape[0]))
    others = cell_matrix(negative_groups, cells, (len(groups), shape[1]))

    def draw(size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        drawn = units.draw(size, rng)
        return drawn @ hits, drawn @ others

    return units.cost + sum(shape), draw


class Resampler:
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


def cell_matrix(groups: np.ndarray, cells: np.ndarray, shape: tuple[int, int]):
    """How many examples of each group lie in each cell: a sparse matrix [G, n_cells]."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(groups), np.int64), (groups, cells)), shape=shape)


def block_sizes(n_bootstrap: int, cost: int) -> list[int]:
    """Replicates, `cost` values each, split into blocks that hold about _BLOCK values."""
    size = max(1, _BLOCK // cost)
    return [min(size, n_bootstrap - first) for first in range(0, n_bootstrap, size)]


def example_counts(
    n: int, n_bootstrap: int, seed: int, groups: np.ndarray | None
) -> Iterator[np.ndarray]:
    """Blocks of replicates: how often each of n examples is drawn, int64 [B, n]."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) if groups is None else groups
    n_groups = int(groups.max()) + 1
    units = Resampler(np.arange(n_groups), n_groups)
    for size in block_sizes(n_bootstrap, units.cost + n):
        yield units.draw(size, rng)[:, groups]


def correlations(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
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
