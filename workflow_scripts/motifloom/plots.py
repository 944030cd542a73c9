"""Figures of curves, training histories and metrics, as SVG or PNG by the path's suffix.

The same input gives the same bytes: ids in the SVG are salted with a constant, no date is
written, and text stays text. Colours are those of Okabe & Ito (Color Universal Design, 2008),
told apart by colour-blind readers too; series differ in their markers as well.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from motifloom.evaluation import regression_metrics
from motifloom.files import atomic

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_GREY = "#8a8a8a"
_CHANCE = {"color": _GREY, "linewidth": 0.8, "linestyle": (0, (4, 3))}
_DENSE = 2000  # points from which a scatter plot shows their density
_STYLE = {
    "svg.hashsalt": "motifloom",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "figure.constrained_layout.h_pad": 0.06,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _GREY,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "lines.linewidth": 1.6,
    "figure.titlesize": 11.0,
    "figure.titleweight": "bold",
}


def draw_curves(frame: pd.DataFrame, labels: Mapping[str, str], title: str, path: Path) -> None:
    """Draw ROC and precision-recall curves side by side, chance dashed.

    `frame` has columns model, curve ("roc" or "pr"), x and y (`evaluation.curves`); `labels`
    maps models to their legend texts, in the order in which they are listed.
    """
    with _figure(path, (7.4, 4.1)) as figure:
        roc, pr = figure.subplots(1, 2)
        everything_called = frame[(frame["curve"] == "pr") & (frame["x"] == 1)]["y"].min()
        roc.plot([0, 1], [0, 1], **_CHANCE)
        pr.plot([0, 1], [everything_called] * 2, **_CHANCE)
        for model, colour in zip(labels, _cycle(PALETTE, len(labels)), strict=True):
            for axes, curve in ((roc, "roc"), (pr, "pr")):
                part = frame[(frame["model"] == model) & (frame["curve"] == curve)]
                axes.plot(part["x"], part["y"], color=colour, solid_joinstyle="round")
        _unit_square(roc, "ROC", "false positive rate", "true positive rate")
        _unit_square(pr, "Precision-recall", "recall", "precision")
        handles = [Line2D([], [], color=colour) for colour in _cycle(PALETTE, len(labels))]
        _legend_below(figure, handles, list(labels.values()))
        _title(figure, title)


def draw_history(history: pd.DataFrame, title: str, path: Path) -> None:
    """Draw the training and validation loss of every member over its epochs.

    `history` has columns member, epoch, train_loss and validation_loss (all NaN where nothing
    was held out); a dot marks each member's lowest validation loss.
    """
    members = history["member"].drop_duplicates().tolist()
    with _figure(path, (5.6, 3.9)) as figure:
        axes = figure.subplots()
        for member, colour in zip(members, _cycle(PALETTE, len(members)), strict=True):
            part = history[history["member"] == member].sort_values("epoch")
            axes.plot(
                part["epoch"], part["train_loss"], color=colour, linestyle=(0, (3, 2)), linewidth=1
            )
            validated = part.dropna(subset="validation_loss")
            axes.plot(validated["epoch"], validated["validation_loss"], color=colour)
            best = validated.nsmallest(1, "validation_loss")
            axes.plot(best["epoch"], best["validation_loss"], "o", color=colour, markersize=5)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        held_out = history["validation_loss"].notna().any()
        handles, texts = _history_legend(members, held_out)
        _legend_below(figure, handles, texts)
        _title(figure, title)


def draw_comparison(metrics: pd.DataFrame, path: Path) -> None:
    """Draw AUROC with its interval for every dataset (rows) and model (colour).

    `metrics` is metrics.tsv. Each kind of examples and negatives has its own panel, since areas
    over different examples do not compare; datasets stand by their best mean AUROC over panels,
    highest on top. Rows without an AUROC are left out.
    """
    frame = _panels(metrics.dropna(subset="auroc"))
    panels = frame["panel"].drop_duplicates().tolist() or [""]
    names = frame["series"].drop_duplicates().tolist()
    order = _dataset_order(frame)
    row_height = max(0.2, 0.14 + 0.045 * len(names))
    height = 1.5 + row_height * max(len(order), 2) + 0.17 * (len(names) // 4)
    with _figure(path, (3.0 + 3.4 * len(panels), height)) as figure:
        grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(grid, panels, strict=True):
            _dots(axes, frame[frame["panel"] == panel], order, names)
            axes.set(title=panel, xlabel="AUROC (95 % interval)")
        if not len(frame):
            grid[0].text(0.5, 0.5, "no AUROC to show", transform=grid[0].transAxes, ha="center")
        handles = [
            Line2D([], [], color=colour, marker=marker, linewidth=1.2, markersize=5)
            for colour, marker in zip(
                _cycle(PALETTE, len(names)), _cycle(MARKERS, len(names)), strict=True
            )
        ]
        _legend_below(figure, handles, names)


def draw_architecture(totals: pd.DataFrame, path: Path) -> None:
    """Draw parameters and operations a sequence of networks on log axes, a row each.

    `totals` has columns model, parameters, operations and receptive_field (bases, written on the
    right), a row a network, the first on top.
    """
    with _figure(path, (8.0, 0.85 + 0.29 * max(len(totals), 1))) as figure:
        *grid, words = figure.subplots(1, 3, sharey=True, width_ratios=[1, 1, 0.42])
        rows = np.arange(len(totals))[::-1]
        titles = {"parameters": "parameters", "operations": "operations a sequence"}
        for axes, (column, title), colour in zip(grid, titles.items(), PALETTE, strict=False):
            _log_dots(axes, totals[column].to_numpy(float), rows, colour)
            axes.set_title(title)
        grid[0].set_yticks(rows, totals["model"])
        words.set(title="receptive field", xticks=[])
        words.spines[:].set_visible(False)
        for bases, row in zip(totals["receptive_field"], rows, strict=True):
            words.text(0, row, f"{bases:,} bp", va="center")
        for axes in (*grid, words):
            axes.tick_params(axis="y", length=0)
            axes.grid(False, axis="y")
            for row in rows[::2]:
                axes.axhspan(row - 0.5, row + 0.5, color="#f5f5f5", linewidth=0)


def _log_dots(axes: Axes, values: np.ndarray, rows: np.ndarray, colour: str) -> None:
    """A dot a row with its value beside it, on a log axis with room for the text."""
    axes.plot(values, rows, "o", color=colour, markersize=5)
    for value, row in zip(values, rows, strict=True):
        place = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        axes.annotate(_short_number(value), (value, row), **place)
    # From one power of ten to another, so that there are ticks however near the values are.
    low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
    decades = max(high - low, 1)
    axes.set(xscale="log", xlim=(10 ** (low - 0.05 * decades), 10 ** (low + 1.35 * decades)))
    axes.set(ylim=(-0.6, len(values) - 0.4))
    axes.xaxis.set_major_locator(LogLocator(numticks=5))
    axes.xaxis.set_major_formatter(lambda value, _: _short_number(value))
    axes.xaxis.set_minor_locator(NullLocator())


def _short_number(value: float) -> str:
    """Three significant digits with k, M or G.

    >>> _short_number(950), _short_number(46_926_479), _short_number(1234567890)
    ('950', '46.9 M', '1.23 G')
    """
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.0f}"


def draw_scatter(targets: np.ndarray, predictions: np.ndarray, title: str, path: Path) -> None:
    """Draw predictions against measured scores [N]; many points are shown as their density."""
    metrics = regression_metrics(targets, predictions, n_bootstrap=0)
    with _figure(path, (4.6, 4.4)) as figure:
        axes = figure.subplots()
        if len(targets) < _DENSE:
            axes.scatter(targets, predictions, s=12, color=PALETTE[0], alpha=0.5, linewidths=0)
        else:
            bins = axes.hexbin(
                targets, predictions, gridsize=60, bins="log", cmap="viridis", linewidths=0.1
            )
            bar = figure.colorbar(bins, ax=axes, label="sequences", shrink=0.8, aspect=30)
            bar.outline.set_visible(False)
            bar.ax.yaxis.set_major_formatter("{x:g}")
            bar.ax.yaxis.set_minor_formatter("")
        axes.set(xlabel="measured score", ylabel="predicted score")
        axes.set_title(
            f"Pearson {metrics['pearson']:.3f}   Spearman {metrics['spearman']:.3f}"
            f"   n = {metrics['n']:,}",
            fontsize=8,
            fontweight="normal",
        )
        _title(figure, title)


@contextmanager
def _figure(path: str | Path, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure in the house style, `size` inches, that is written when the block ends."""
    with matplotlib.rc_context(), atomic(path) as temporary:
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        figure = Figure(figsize=size, layout="constrained")
        yield figure
        metadata = {"Date": None} if temporary.suffix == ".svg" else {"Software": None}
        figure.savefig(temporary, metadata=metadata, dpi=150, facecolor="white")


def _cycle(values: tuple[str, ...], count: int) -> list[str]:
    return [values[index % len(values)] for index in range(count)]


def _title(figure: Figure, title: str) -> None:
    figure.suptitle(title, x=0.01, horizontalalignment="left")


def _legend_below(figure: Figure, handles: list[Line2D], texts: list[str]) -> None:
    if texts:
        columns = 2 if max(map(len, texts)) > 28 else 4
        figure.legend(handles, texts, loc="outside lower center", ncols=min(columns, len(texts)))


def _unit_square(axes: Axes, title: str, x: str, y: str) -> None:
    ticks = np.linspace(0, 1, 6)
    axes.set(title=title, xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set(aspect="equal", xticks=ticks, yticks=ticks)


def _history_legend(members: list, held_out: bool) -> tuple[list[Line2D], list[str]]:
    handles = [Line2D([], [], color=_GREY, linestyle=(0, (3, 2)), linewidth=1)]
    texts = ["training"]
    if held_out:
        handles.append(Line2D([], [], color=_GREY, marker="o", markersize=5))
        texts.append("validation (dot: lowest)")
    if len(members) > 1:
        handles += [Line2D([], [], color=colour) for colour in _cycle(PALETTE, len(members))]
        texts += [f"member {member}" for member in members]
    return handles, texts


def _panels(metrics: pd.DataFrame) -> pd.DataFrame:
    """The metrics with the columns `panel` (examples and negatives) and `series` (model).

    The bins' negatives are always the other bins, so that they need no mention. A dataset's best
    single trainings are left out: the ensemble beside them says as much.
    """
    metrics = metrics[~metrics["model"].astype(str).str.endswith("-single")]
    metrics = metrics.fillna({"examples": "", "negatives": ""})
    named = ~metrics["negatives"].isin(["", "none", "bins"])
    panel = metrics["examples"] + (", negatives: " + metrics["negatives"]).where(named, "")
    return metrics.assign(panel=panel, series=metrics["model"])


def _dataset_order(frame: pd.DataFrame) -> list[str]:
    """Datasets from the lowest to the highest of their best mean AUROC; ties by name."""
    means = frame.groupby(["dataset", "series"])["auroc"].mean().groupby("dataset").max()
    return means.sort_index(ascending=False).sort_values(kind="stable").index.tolist()


def _dots(axes: Axes, frame: pd.DataFrame, order: list[str], names: list[str]) -> None:
    """One row a dataset, lowest first from the bottom; series stand beside each other in it."""
    rows = {dataset: row for row, dataset in enumerate(order)}
    for row in range(0, len(order), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="#f5f5f5", linewidth=0)
    spread = 0.4 / max(len(names), 1) * np.arange(len(names) - 1, -len(names), -2)
    for index, name in enumerate(names):
        part = frame[frame["series"] == name]
        y = part["dataset"].map(rows) + spread[index]
        colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
        axes.hlines(y, part["auroc_low"], part["auroc_high"], color=colour, linewidth=1.2)
        axes.plot(part["auroc"], y, marker, color=colour, markersize=4.2)
    lowest = np.nanmin([0.5, frame[["auroc", "auroc_low"]].min().min()])
    axes.axvline(0.5, **_CHANCE)
    axes.set(xlim=(max(0, lowest - 0.02), 1.01), ylim=(-0.6, len(order) - 0.4))
    axes.set_yticks(range(len(order)), order)
    axes.tick_params(axis="y", length=0)
    axes.grid(False, axis="y")
