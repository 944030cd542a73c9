"""Figures of what a model sees in one sequence: its mutation map and its attributions.

The map is laid out as that of Alipanahi et al. 2015 (Nature Biotechnology 33:831, Fig. 4): the
sequence above, its letters as high as the base is worth, and below a cell for every substitution.
"""

from pathlib import Path

import logomaker
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from motifloom.logos import COLOURS, LETTERS
from motifloom.plots import _GREY, _figure, _title
from motifloom.sequences import UNKNOWN, one_hot

# Bases drawn, at most: more are too small to be read.
MOST_BASES = 120
# Decreases red, increases blue, as in the paper; told apart by colour-blind readers too.
_COLOURS = "RdBu"


def draw_mutation_map(
    codes: np.ndarray,
    changes: np.ndarray,
    contributions: np.ndarray | None,
    title: str,
    path: str | Path,
    *,
    alphabet: str = "dna",
    method: str = "deeplift",
) -> None:
    """Draw a sequence with its mutation map and, where given, below its attributions as a logo.

    codes:         base codes uint8 [L]; of more than 120 bases, the 120 that matter most are shown
    changes:       change of the score by every substitution, [4, L]
    contributions: contribution of each base, [4, L], 0 but at the base itself; or None
    method:        "deeplift" or "gradient", for the axis
    """
    shown = most_important(changes, MOST_BASES)
    codes, changes = codes[shown], changes[:, shown]
    letters, heights = LETTERS[alphabet], [1.15, 1, 1.35]
    heights = heights if contributions is not None else heights[:2]
    size = (1.9 + 0.115 * max(len(codes), 30), 0.6 + sum(heights))
    with _figure(path, size) as figure:
        grid = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
        positions = np.arange(shown.start, shown.stop) + 1
        worth = one_hot(codes[None])[0] * importance(changes)
        _letters(grid[0], worth, positions, letters)
        _map(figure, grid[1], codes, changes, positions, letters)
        grid[0].set_ylabel("largest loss")
        grid[1].set_ylabel("change to")
        if contributions is not None:
            _letters(grid[2], contributions[:, shown], positions, letters)
            grid[2].set_ylabel({"deeplift": "DeepLIFT", "gradient": "gradient"}[method])
        grid[-1].set_xlabel("position in the sequence (bases)")
        ticks = positions[(positions % 10 == 0) | (positions == 1)]
        grid[-1].set(xlim=(shown.start + 0.5, shown.stop + 0.5), xticks=ticks)
        figure.align_ylabels(grid)
        _title(figure, title)


def importance(changes: np.ndarray) -> np.ndarray:
    """What each base is worth: the largest loss by a substitution of it, float32 [L], at least 0.

    >>> importance(np.array([[0, 1], [-2, 3], [-1, 0], [1, 2]], np.float32)).tolist()
    [2.0, 0.0]
    """
    return np.maximum(-changes.min(0), 0)


def most_important(changes: np.ndarray, width: int) -> slice:
    """The `width` neighbouring bases, or all of fewer, whose substitutions change most together.

    >>> most_important(np.array([[0, 0, -3, 0, 1]], np.float32), 2)
    slice(1, 3, None)
    """
    length = changes.shape[1]
    if length <= width:
        return slice(0, length)
    sums = np.concatenate([[0], np.cumsum(np.abs(changes).max(0), dtype=np.float64)])
    windows = sums[width:] - sums[:-width]
    best = np.flatnonzero(windows >= windows.max() - 1e-9)
    # Of equally good ones the middle, so that what matters stands in the middle where it can.
    first = int(best[len(best) // 2]) if len(best) > 1 else int(best[0])
    return slice(first, first + width)


def _letters(axes: Axes, heights: np.ndarray, positions: np.ndarray, letters: str) -> None:
    """Letters as high as `heights` [4, L], below the line where negative."""
    if heights.any():
        frame = pd.DataFrame(heights.T, columns=list(letters), index=positions)
        logomaker.Logo(
            frame, ax=axes, color_scheme=COLOURS, baseline_width=0, width=0.95, flip_below=False
        )
    axes.axhline(0, color=_GREY, linewidth=0.8)
    low, high = min(heights.min(), 0), max(heights.max(), 0)
    margin = 0.05 * (high - low) or 1
    axes.set_ylim(low - (margin if low < 0 else 0), high + margin)
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.locator_params(axis="y", nbins=4)


def _map(figure: Figure, axes: Axes, codes, changes, positions, letters: str) -> None:
    """A cell for every substitution; the base itself is marked by a dot."""
    most = float(np.abs(changes).max()) or 1.0
    edges = np.append(positions, positions[-1] + 1) - 0.5
    cells = axes.pcolormesh(
        edges, np.arange(5) - 0.5, changes, cmap=_COLOURS, vmin=-most, vmax=most,
        edgecolors="white", linewidth=0.3,
    )  # fmt: skip
    known = codes != UNKNOWN
    axes.plot(positions[known], codes[known], ".", color=_GREY, markersize=2.5)
    axes.set(yticks=range(4), yticklabels=list(letters), ylim=(3.5, -0.5))
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    bar = figure.colorbar(cells, ax=axes, label="change of score", aspect=7, pad=0.01)
    bar.outline.set_visible(False)
