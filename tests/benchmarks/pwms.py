"""Kernels read off as PWMs and matched with a database, against PyTorch's convolution."""

from pathlib import Path

import numpy as np
import torch
from harness import Pair, Result, Row
from torch.nn.functional import conv1d

from motifloom.databases import load_jaspar
from motifloom.matches import match
from motifloom.motifs import PSEUDOCOUNT, Motif, kernels_to_pwms
from motifloom.sequences import one_hot

# As many TFs, kernels, bound sequences and bases as the yeast example has, about.
N_TFS, N_KERNELS, WIDTH, N_SEQUENCES, LENGTH = 49, 16, 12, 1000, 101
BLOCK = 500  # sequences whose windows' scores the reference holds at a time


def rows() -> list[Row]:
    """Rows of this subject."""
    return [Row("motifs-conv1d-49x16x12", "kernels/s", against_conv1d, seconds)]


def seconds(result: Result) -> str:
    """The time of all kernels."""
    return f"{N_TFS * N_KERNELS / result.ours:.1f} s for {N_TFS} TFs x {N_KERNELS} kernels"


def against_conv1d(folder: Path) -> Pair:
    """Both find each sequence's best window of either strand, count it, and match the PWMs."""
    rng = np.random.default_rng(0)
    kernels = rng.normal(size=(N_TFS, N_KERNELS, 4, WIDTH)).astype(np.float32)
    codes = rng.integers(4, size=(N_TFS, N_SEQUENCES, LENGTH), dtype=np.uint8)
    targets = load_jaspar("JASPAR2026", "CORE", ["fungi"])
    count = N_TFS * N_KERNELS

    def run(read):
        motifs = [motif for pair in zip(kernels, codes, strict=True) for motif in read(*pair)]
        return motifs, match(motifs, targets)

    return Pair(lambda: run(ours), lambda: run(by_conv1d), count, count, check_motifs)


def ours(kernels: np.ndarray, codes: np.ndarray) -> list[Motif]:
    """The motifs of one TF's kernels, untrimmed."""
    return kernels_to_pwms(kernels, np.zeros(len(kernels)), codes, recipe="danq")


def by_conv1d(kernels: np.ndarray, codes: np.ndarray) -> list[Motif]:
    """The same by PyTorch: all scores of all windows, the best of either strand, its bases."""
    hot = torch.from_numpy(one_hot(codes)).float()
    weights = torch.from_numpy(kernels)
    both = torch.cat([weights, weights.flip(1, 2)])
    scores = torch.cat([conv1d(part, both) for part in hot.split(BLOCK)])
    windows = scores.shape[2]
    # [N, C, 2 x windows]: forward first, as ours prefers it.
    scores = scores.unflatten(1, (2, -1)).transpose(1, 2).flatten(2)
    values, best = scores.max(2)
    return [_count(hot, values[:, i] > 0, best[:, i], windows, i) for i in range(len(kernels))]


def _count(hot: torch.Tensor, fires, best, windows: int, number: int) -> Motif:
    index = (best[fires] % windows)[:, None] + torch.arange(WIDTH)
    sites = hot[fires].gather(2, index[:, None].expand(-1, 4, -1))
    reverse = (best[fires] >= windows)[:, None, None]
    counts = torch.where(reverse, sites.flip(1, 2), sites).sum(0).numpy() + PSEUDOCOUNT
    return Motif(f"k{number:02d}", counts / counts.sum(0), n_sites=int(fires.sum()))


def check_motifs(ours: tuple, reference: tuple) -> None:
    """Compare the matrices; rounding decides between near ties of windows."""
    for one, other in zip(ours[0], reference[0], strict=True):
        np.testing.assert_allclose(one.matrix, other.matrix, atol=0.01)
