"""The motif scan: a convolution over base codes with pooled maxima.

On one-hot input a convolution is a sum of table rows: the K positions of a kernel are grouped
into 3-mers, a bank of C kernels becomes ceil(K / 3) tables of 125 rows (5 letters, N counts 0)
by C columns, and a window costs ceil(K / 3) row look-ups and additions. After a maximum over
positions only the winning window carries gradient, so that the backward pass adds K values a
maximum instead of convolving again. `reference_scan` is the same in plain PyTorch.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
import torch.nn.functional as F

_WORD = 3
_ROWS = 5**_WORD
# Additions below which a second thread costs more than it saves.
_THREAD_WORTH = 4_000_000


def reverse_complement_kernels(kernels: torch.Tensor) -> torch.Tensor:
    """Kernels [C, 4, K] that see on the forward strand what `kernels` see on the reverse one."""
    return kernels.flip(1, 2)


def one_hot(codes: torch.Tensor, unknown: float = 0.0) -> torch.Tensor:
    """One-hot float32 [N, 4, L] of base codes uint8 [N, L]; N is `unknown` in all channels."""
    table = torch.eye(5, 4, device=codes.device)
    table[4] = unknown
    return table[codes.long()].transpose(1, 2)


def reference_scan(
    x: torch.Tensor, kernels: torch.Tensor, pool: int = 0, both_strands: bool = False
) -> torch.Tensor:
    """The scan by `conv1d` and `max_pool1d`: float [N, P, C] of one-hot input [N, 4, L].

    `pool` 0 takes one maximum over all L - K + 1 windows (P = 1), otherwise one over each `pool`
    consecutive windows (P = (L - K + 1) // pool). With `both_strands`, the larger of both strands.
    """
    values = _pooled(F.conv1d(x, kernels), pool)
    if both_strands:
        other = _pooled(F.conv1d(x, reverse_complement_kernels(kernels)), pool)
        values = torch.maximum(values, other)
    return values.transpose(1, 2)


def _pooled(activations: torch.Tensor, pool: int) -> torch.Tensor:
    return F.max_pool1d(activations, pool or activations.shape[-1])


def motif_scan(
    codes: torch.Tensor, kernels: torch.Tensor, pool: int = 0, both_strands: bool = False
) -> torch.Tensor:
    """The scan over base codes uint8 [N, L] (N = 4 contributes 0): float32 [N, P, C].

    Differentiable in `kernels` [C, 4, K]. Equals `reference_scan` of the one-hot codes; among
    equal windows the first on the forward strand wins and takes the gradient. Compiled on the
    CPU with as many threads as PyTorch has; elsewhere the reference itself.
    """
    if codes.device.type != "cpu":
        return reference_scan(one_hot(codes), kernels, pool, both_strands)
    return _Scan.apply(codes, kernels, pool, both_strands)


class _Scan(torch.autograd.Function):
    """Forward by table look-ups, backward at the winning windows only."""

    @staticmethod
    def forward(ctx, codes, kernels, pool, both_strands):
        bases = np.ascontiguousarray(codes.numpy())
        values, positions = scan_codes(bases, kernels.detach().numpy(), pool, both_strands)
        ctx.save_for_backward(codes)
        ctx.positions = positions
        ctx.shape = kernels.shape
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx, gradient):
        (codes,) = ctx.saved_tensors
        gradient = np.ascontiguousarray(gradient.numpy())
        bases = np.ascontiguousarray(codes.numpy())
        width = ctx.shape[2]
        blocks = _run_blocks(
            len(bases),
            ctx.positions[0].size * width if len(bases) else 0,
            lambda rows: _scatter(bases[rows], ctx.positions[rows], gradient[rows], width),
        )
        total = sum(blocks[1:], start=blocks[0])
        return None, torch.from_numpy(total[:, :4].copy()), None, None


def scan_codes(
    codes: np.ndarray, kernels: np.ndarray, pool: int, both_strands: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled maxima float32 [N, P, C] and where they are, int32 [N, P, C].

    A position is the window's first base on the forward strand; windows that win on the reverse
    strand are given as -1 - position.
    """
    n_kernels, _, width = kernels.shape
    windows = codes.shape[1] - width + 1
    if windows < 1:
        raise ValueError(f"sequences of {codes.shape[1]} are shorter than kernels of {width}")
    pool = pool or windows
    n_pools = windows // pool
    banks = [kernels, kernels[:, ::-1, ::-1]] if both_strands else [kernels]
    tables = np.concatenate([word_tables(bank) for bank in banks], axis=2)
    values = np.empty((len(codes), n_pools, n_kernels), np.float32)
    positions = np.empty((len(codes), n_pools, n_kernels), np.int32)
    _run_blocks(
        len(codes),
        windows * tables.shape[0] * tables.shape[2],
        lambda rows: _scan(codes[rows], tables, pool, values[rows], positions[rows]),
    )
    return values, positions


def word_tables(kernels: np.ndarray) -> np.ndarray:
    """Tables float32 [ceil(K / 3), 125, C]: what each 3-mer adds at each third of the kernel."""
    n_kernels, _, width = kernels.shape
    n_words = -(-width // _WORD)
    columns = np.zeros((n_words * _WORD, 5, n_kernels), np.float32)
    columns[:width, :4] = kernels.transpose(2, 1, 0)
    first, second, third = (columns[offset::_WORD] for offset in range(_WORD))
    words = first[:, :, None, None] + second[:, None, :, None] + third[:, None, None, :]
    return words.reshape(n_words, _ROWS, n_kernels)


def _run_blocks(n: int, additions: int, work) -> list:
    """Apply `work` to one row slice a thread; the results in row order.

    `additions` are those of one row: small work stays on one thread.
    """
    threads = max(1, min(torch.get_num_threads(), n, n * additions // _THREAD_WORTH))
    if threads == 1:
        return [work(slice(0, n))]
    edges = np.linspace(0, n, threads + 1).astype(int)
    rows = [slice(a, b) for a, b in itertools.pairwise(edges)]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, rows))


@numba.njit(cache=True, nogil=True)
def _scan(codes, tables, pool, values, positions):
    n_words, _, n_columns = tables.shape
    n_pools, n_kernels = values.shape[1:]
    length = codes.shape[1]
    both = n_columns > n_kernels
    words = np.empty(length + 3 * n_words, np.int64)
    padded = np.full(length + 3 * n_words + 3, 4, np.int64)
    total = np.empty(n_columns, np.float32)
    best = np.empty(n_columns, np.float32)
    where = np.empty(n_columns, np.int32)
    for n in range(codes.shape[0]):
        for i in range(length):
            padded[i] = codes[n, i]
        for i in range(words.size):
            words[i] = (padded[i] * 5 + padded[i + 1]) * 5 + padded[i + 2]
        for q in range(n_pools):
            best[:] = -np.inf
            where[:] = 0
            for p in range(q * pool, (q + 1) * pool):
                row = tables[0, words[p]]
                for c in range(n_columns):
                    total[c] = row[c]
                for g in range(1, n_words):
                    row = tables[g, words[p + 3 * g]]
                    for c in range(n_columns):
                        total[c] += row[c]
                for c in range(n_columns):
                    larger = total[c] > best[c]
                    best[c] = total[c] if larger else best[c]
                    where[c] = p if larger else where[c]
            for c in range(n_kernels):
                if both and best[c + n_kernels] > best[c]:
                    values[n, q, c] = best[c + n_kernels]
                    positions[n, q, c] = -1 - where[c + n_kernels]
                else:
                    values[n, q, c] = best[c]
                    positions[n, q, c] = where[c]


@numba.njit(cache=True, nogil=True)
def _scatter(codes, positions, gradient, width):
    n_kernels = positions.shape[2]
    total = np.zeros((n_kernels, 5, width), np.float32)
    for n in range(codes.shape[0]):
        for q in range(positions.shape[1]):
            for c in range(n_kernels):
                slope = gradient[n, q, c]
                if slope == 0:
                    continue
                p = positions[n, q, c]
                if p >= 0:
                    for k in range(width):
                        total[c, codes[n, p + k], k] += slope
                else:
                    p = -1 - p
                    for k in range(width):
                        base = codes[n, p + width - 1 - k]
                        total[c, 3 - base if base < 4 else 4, k] += slope
    return total
