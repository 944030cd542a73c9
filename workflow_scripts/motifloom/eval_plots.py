"""Figures of the evaluation: calibration, composition, score distributions, learning curves."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from motifloom.composition import DINUCLEOTIDES
from motifloom.plots import (
    _CHANCE,
    MARKERS,
    PALETTE,
    _cycle,
    _figure,
    _legend_below,
    _title,
    _unit_square,
)

_COLUMNS = 3  # panels beside each other


def draw_calibration(curves: pd.DataFrame, title: str, path: Path) -> None:
    """Draw observed against predicted shares, as the scores come and calibrated.

    `curves` has columns model, predicted, observed, low, high and stage ("raw" or "calibrated");
    best single trainings are left out. The diagonal is what is right.
    """
    curves = curves[~curves["model"].astype(str).str.endswith("-single")]
    models = curves["model"].drop_duplicates().tolist()
    stages = {"raw": "sigmoid of the logit", "calibrated": "calibrated on validation"}
    with _figure(path, (7.4, 4.1)) as figure:
        grid = figure.subplots(1, 2)
        for axes, (stage, name) in zip(grid, stages.items(), strict=True):
            _unit_square(axes, name, "predicted probability", "observed share (95 % interval)")
            axes.plot([0, 1], [0, 1], **_CHANCE)
            for index, model in enumerate(models):
                part = curves[(curves["stage"] == stage) & (curves["model"] == model)]
                _reliability(axes, part, index)
            if not (curves["stage"] == stage).any():
                axes.text(0.5, 0.5, "none to show", transform=axes.transAxes, ha="center")
        _legend_below(figure, _handles(len(models)), models)
        _title(figure, title)


def _reliability(axes: Axes, part: pd.DataFrame, index: int) -> None:
    x, y = part["predicted"].to_numpy(float), part["observed"].to_numpy(float)
    colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
    low, high = part["low"].to_numpy(float), part["high"].to_numpy(float)
    axes.vlines(x, low, high, color=colour, linewidth=1)
    axes.plot(x, y, marker=marker, color=colour, markersize=4, linewidth=1.2)


def draw_composition(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw GC content (mean and standard deviation) and dinucleotide shares of each kind.

    `table` is that of `composition.base_composition`, a row a kind of example.
    """
    kinds = table["kind"].tolist()
    spread = np.linspace(-0.22, 0.22, len(kinds)) if len(kinds) > 1 else np.zeros(1)
    with _figure(path, (8.0, 3.6)) as figure:
        gc, pairs = figure.subplots(1, 2, width_ratios=[1, 3.2])
        for index, row in enumerate(table.to_dict("records")):
            colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
            gc.errorbar(index, row["gc_mean"], row["gc_sd"], fmt=marker, color=colour, capsize=3)
            shares = np.array([row[name] for name in DINUCLEOTIDES], float)
            places = np.arange(len(DINUCLEOTIDES)) + spread[index]
            pairs.plot(places, shares, marker, color=colour, markersize=4.5)
        gc.set(title="GC content", ylabel="mean and sd over windows", xticks=[])
        gc.set_xlim(-0.6, max(len(kinds), 1) - 0.4)
        pairs.set(title="Dinucleotides", ylabel="share of pairs", ylim=(0, None))
        pairs.set_xticks(range(len(DINUCLEOTIDES)), DINUCLEOTIDES)
        pairs.axhline(1 / len(DINUCLEOTIDES), **_CHANCE)
        texts = [f"{row.kind} ({row.n:,})" for row in table.itertuples()]
        _legend_below(figure, _handles(len(kinds), line=False), texts)
        _title(figure, title)


def draw_distributions(table: pd.DataFrame, title: str, path: Path) -> None:
    """Draw the density of scores by kind of example, a panel a model.

    `table` is that of `composition.score_distributions`; best single trainings are left out.
    """
    table = table[~table["model"].astype(str).str.endswith("-single")]
    models, kinds = (table[column].drop_duplicates().tolist() for column in ("model", "kind"))
    columns = min(max(len(models), 1), _COLUMNS)
    rows = -(-max(len(models), 1) // columns)
    with _figure(path, (2.9 * columns + 0.4, 2.3 * rows + 0.9)) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid[len(models) :]:
            axes.set_visible(len(models) == 0)
        for axes, model in zip(grid, models, strict=False):
            for colour, kind in zip(_cycle(PALETTE, len(kinds)), kinds, strict=True):
                part = table[(table["model"] == model) & (table["kind"] == kind)]
                _density(axes, part, colour)
            axes.set(title=model, xlabel="score", ylabel="density", ylim=(0, None))
        handles = [Line2D([], [], color=colour) for colour in _cycle(PALETTE, len(kinds))]
        _legend_below(figure, handles, kinds)
        _title(figure, title)


def _density(axes: Axes, part: pd.DataFrame, colour: str) -> None:
    """A histogram as a stepped outline whose area is 1."""
    count = part["count"].to_numpy(float)
    if not count.sum():
        return
    edges = np.append(part["low"].to_numpy(float), part["high"].to_numpy(float)[-1])
    density = count / (count.sum() * np.diff(edges))
    axes.stairs(density, edges, color=colour, linewidth=1.4)
    axes.stairs(density, edges, color=colour, alpha=0.12, fill=True)


def draw_learning_curve(table: pd.DataFrame, path: Path) -> None:
    """Draw AUROC, and Pearson's r of measured scores, against the number of training examples.

    `table` is learning_curve.tsv; the first kind of negatives of each dataset is shown.
    """
    datasets = table["dataset"].drop_duplicates().tolist()
    metrics = {"auroc": "AUROC (95 % interval)", "pearson": "Pearson's r"}
    shown = [name for name in metrics if table[name].notna().any()] or ["auroc"]
    with _figure(path, (4.2 * len(shown) + 0.6, 3.9)) as figure:
        grid = figure.subplots(1, len(shown), squeeze=False)[0]
        for axes, metric in zip(grid, shown, strict=True):
            for index, dataset in enumerate(datasets):
                part = table[table["dataset"] == dataset]
                part = part[part["negatives"] == part["negatives"].iloc[0]].sort_values("share")
                _learning(axes, part.dropna(subset=metric), metric, index)
            axes.set(xscale="log", xlabel="training positives", ylabel=metrics[metric])
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.xaxis.set_minor_locator(NullLocator())
        named = datasets if len(datasets) <= len(PALETTE) else []
        _legend_below(figure, _handles(len(named)), named)
        _title(figure, "What more training data gives")


def _learning(axes: Axes, part: pd.DataFrame, metric: str, index: int) -> None:
    """One dataset's curve; AUROCs with their intervals."""
    colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
    x = part["n_train_positives"].to_numpy(float)
    if metric == "auroc":
        low, high = part["auroc_low"].to_numpy(float), part["auroc_high"].to_numpy(float)
        axes.vlines(x, low, high, color=colour, linewidth=1)
    axes.plot(x, part[metric], marker=marker, color=colour, markersize=4.5, linewidth=1.2)


def _handles(count: int, line: bool = True) -> list[Line2D]:
    """Legend handles in the order of the series' colours and markers."""
    width = 1.2 if line else 0
    return [
        Line2D([], [], color=colour, marker=marker, linewidth=width, markersize=5)
        for colour, marker in zip(_cycle(PALETTE, count), _cycle(MARKERS, count), strict=True)
    ]
