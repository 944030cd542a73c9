"""What more training data gives: DeepBind trained on growing shares of a dataset's positives."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from motifloom.evaluation import TEXT_COLUMNS
from motifloom.files import read_table, write_table
from motifloom.store import read_arrays

_AREAS = ("auroc", "auroc_low", "auroc_high", "auprc", "auprc_low", "auprc_high")
LEARNING_COLUMNS = ("dataset", "share", "n_train_positives", "negatives", *_AREAS, "pearson")


def collect_learning_curve(
    metrics: Sequence[str | Path],
    weights: Sequence[str | Path],
    shares: Sequence[float],
    model: str,
    output: str | Path,
    figure: str | Path,
) -> None:
    """Write learning_curve.tsv and its figure.

    `metrics` and `weights` are files of one training each: all `shares` of the first dataset, then
    those of the next. Rows of `model` on all test windows are taken.
    """
    from motifloom.eval_plots import draw_learning_curve

    parts = []
    for number, (table, trained) in enumerate(zip(metrics, weights, strict=True)):
        found = read_table(table, TEXT_COLUMNS)
        found = found[(found["model"] == model) & (found["examples"] == "windows")]
        about = {
            "share": shares[number % len(shares)],
            "n_train_positives": read_arrays(trained)[1]["train_positives"],
        }
        parts.append(found.assign(**about)[list(LEARNING_COLUMNS)])
    curve = pd.concat(parts, ignore_index=True)
    write_table(curve, output)
    draw_learning_curve(curve, figure)
