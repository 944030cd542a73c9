"""Where kernels fire: their best windows in sequences, counted as matrices and places.

Recipes after Alipanahi et al. 2015 (Nature Biotechnology 33:831, Supplementary Notes) for
`deepbind`; Quang & Xie 2016 (Nucleic Acids Research 44:e107, Methods) for `danq`; Kelley et al.
2016 (Basset, Genome Research 26:990, Methods) for `halfmax`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from motifloom.files import InputError
from motifloom.sequences import one_hot, reverse_complement

RECIPES = ("deepbind", "danq", "halfmax")
SCAN_BYTES = 1 << 25  # a block of windows and scores; small enough to stay near the caches


def _exact(kernels: np.ndarray) -> np.ndarray:
    """Kernels [C, 4, K] rounded (by about 1e-7 of their largest score) to exactly summable steps.

    Every sum of one weight a position is then exact in float32, so a score does not depend on
    the order in which BLAS adds, and equal windows and palindromes tie exactly.
    """
    largest = np.abs(kernels.astype(np.float64)).max(axis=1).sum(axis=1)
    step = 2.0 ** (np.ceil(np.log2(np.maximum(largest, 1e-30))) - 23)[:, None, None]
    return (np.round(kernels / step) * step).astype(np.float32)


def _scan(
    codes: np.ndarray, kernels: np.ndarray, both_strands: bool
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, scores float32 [n, S, C, L - K + 1]) for blocks of n sequences.

    S is 2 (forward, reverse) with both strands, else 1. Score of the reverse strand at a
    position: the kernel on the reverse complement of the window that starts there.
    """
    n_kernels, _, width = kernels.shape
    n_windows = codes.shape[1] - width + 1
    if n_windows < 1:
        raise InputError(
            f"sequences of {codes.shape[1]} bases are shorter than kernels of {width} positions;"
            " use longer windows or narrower kernels"
        )
    bank = _exact(kernels)
    if both_strands:
        bank = np.concatenate([bank, bank[:, ::-1, ::-1]])
    bank = bank.reshape(len(bank), 4 * width)
    block = max(1, SCAN_BYTES // (4 * n_windows * (4 * width + len(bank))))
    for first in range(0, len(codes), block):
        hot = one_hot(codes[first : first + block])
        windows = sliding_window_view(hot, n_windows, axis=2)  # [n, 4, K, L - K + 1]
        scores = np.matmul(bank, windows.reshape(len(hot), 4 * width, n_windows))
        yield first, scores.reshape(len(hot), -1, n_kernels, n_windows)


def best_windows(
    codes: np.ndarray,
    kernels: np.ndarray,
    both_strands: bool,
    shifts: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best window of each kernel in each sequence.

    codes: base codes uint8 [N, L]; kernels: [C, 4, K]; shifts: [C, L - K + 1], added to a
    window's score by its place (none: 0). Returns values float32 [N, C] (before
    bias and ReLU; an N adds 0), positions int32 [N, C] (the window's first base on the forward
    strand) and strands uint8 [N, C] (1: the reverse complement of that window). Among equals
    the earliest position counts, and at one position the forward strand. Raises InputError for
    sequences shorter than the kernels.
    """
    shape = (len(codes), len(kernels))
    values, positions = np.empty(shape, np.float32), np.empty(shape, np.int32)
    strands = np.empty(shape, np.uint8)
    for first, scores in _scan(codes, kernels, both_strands):
        rows = slice(first, first + len(scores))
        scores = scores if shifts is None else scores + shifts
        at = scores.argmax(axis=3)  # [n, S, C], the earliest of equals
        best = np.take_along_axis(scores, at[..., None], axis=3)[..., 0]
        # With one strand, [:, 0] and [:, -1] are the same and no reverse window wins.
        reverse = best[:, -1] > best[:, 0]
        reverse |= (best[:, -1] == best[:, 0]) & (at[:, -1] < at[:, 0])
        values[rows] = np.where(reverse, best[:, -1], best[:, 0])
        positions[rows] = np.where(reverse, at[:, -1], at[:, 0])
        strands[rows] = reverse
    return values, positions, strands


def _count(
    codes: np.ndarray, rows: np.ndarray, positions: np.ndarray, strands: np.ndarray, width: int
) -> np.ndarray:
    """Base counts, int64 [4, width], over windows of `codes`; N is not counted."""
    columns = np.arange(width)
    windows = codes[rows[:, None], positions[:, None] + columns]
    windows = np.where(strands[:, None] == 1, reverse_complement(windows), windows)
    cells = (windows + 5 * columns).ravel()
    return np.bincount(cells, minlength=5 * width).reshape(width, 5)[:, :4].T


@dataclass(frozen=True, eq=False)
class Sites:
    """The windows in which kernels fire.

    counts: bases at each position, int64 [C, 4, K], rows A, C, G, T, on the strand of the site;
    starts: sites by strand (forward, reverse) and first base on the forward strand,
    int64 [C, 2, L - K + 1].
    """

    counts: np.ndarray
    starts: np.ndarray


def _best_sites(codes, kernels, bias, both_strands, shifts) -> Sites:
    """Each sequence's best window of each kernel, where it fires."""
    values, positions, strands = best_windows(codes, kernels, both_strands, shifts)
    sites = _no_sites(codes, kernels)
    fires = values + bias > 0
    for kernel in np.flatnonzero(fires.any(axis=0)):
        rows = np.flatnonzero(fires[:, kernel])
        _add(sites, kernel, codes, rows, positions[rows, kernel], strands[rows, kernel])
    return sites


def _halfmax_sites(codes, kernels, bias, both_strands, shifts) -> Sites:
    """All windows above half the kernel's maximum, where it fires at all."""
    values = best_windows(codes, kernels, both_strands, shifts)[0]
    most = values.max(axis=0, initial=-np.inf) + bias
    sites = _no_sites(codes, kernels)
    for first, scores in _scan(codes, kernels, both_strands):
        scores = scores if shifts is None else scores + shifts
        for kernel in np.flatnonzero(most > 0):
            fires = scores[:, :, kernel] + bias[kernel] > most[kernel] / 2
            rows, strands, positions = np.nonzero(fires)
            _add(sites, kernel, codes, rows + first, positions, strands)
    return sites


def _no_sites(codes: np.ndarray, kernels: np.ndarray) -> Sites:
    windows = codes.shape[1] - kernels.shape[2] + 1
    starts = np.zeros((len(kernels), 2, max(windows, 0)), np.int64)
    return Sites(np.zeros(kernels.shape, np.int64), starts)


def _add(sites: Sites, kernel: int, codes, rows, positions, strands) -> None:
    """Count the windows of `codes` at rows, positions and strands [n] as sites of a kernel."""
    windows = sites.starts.shape[2]
    sites.counts[kernel] += _count(codes, rows, positions, strands, sites.counts.shape[2])
    cells = strands.astype(np.int64) * windows + positions
    sites.starts[kernel] += np.bincount(cells, minlength=2 * windows).reshape(2, windows)


def find_sites(
    codes: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray,
    recipe: str,
    both_strands: bool = True,
    shifts: np.ndarray | None = None,
) -> Sites:
    """The sites of kernels [C, 4, K] with thresholds `bias` [C] in codes uint8 [N, L].

    `recipe` is one of RECIPES: "halfmax" takes every window above half the kernel's maximum, the
    others each sequence's best window where it fires. `shifts` [C, L - K + 1] are added by the
    window's place. Raises InputError for an unknown recipe and for sequences shorter than the
    kernels.
    """
    if recipe not in RECIPES:
        raise InputError(f"unknown motif recipe {recipe!r}; choose one of {', '.join(RECIPES)}")
    find = _halfmax_sites if recipe == "halfmax" else _best_sites
    return find(codes, kernels, np.asarray(bias), both_strands, shifts)
