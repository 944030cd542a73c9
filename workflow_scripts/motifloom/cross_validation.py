"""What a cross-validation found: the metrics of all folds, and their mean and spread."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from motifloom.files import write_table

SCORES = ("auroc", "auprc", "pearson", "spearman")
STATISTICS = ("mean", "sd", "min", "max")
KEYS = ("dataset", "tf", "model", "examples", "negatives")
SUMMARY_COLUMNS = (
    *KEYS,
    "folds",
    *(f"{score}_{statistic}" for score in SCORES for statistic in STATISTICS),
    "note",
)


def collect_folds(
    tables: Sequence[str | Path], n_folds: int, metrics: str | Path, summary: str | Path
) -> None:
    """Write the metrics of all folds with their fold in front, cells as they are, and a summary.

    `tables` are metrics tables: all folds of one dataset in order, then those of the next.
    """
    frames = []
    for place, path in enumerate(tables):
        frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        frame.insert(0, "fold", place % n_folds + 1)
        frames.append(frame)
    rows = pd.concat(frames, ignore_index=True)
    values = {score: pd.to_numeric(rows[score], errors="coerce") for score in SCORES}
    write_table(summarise(rows.assign(**values), n_folds), summary)
    write_table(rows, metrics)


def summarise(metrics: pd.DataFrame, n_folds: int) -> pd.DataFrame:
    """Mean and spread over the folds, a row for each of KEYS: columns of SUMMARY_COLUMNS.

    `metrics` has fold, KEYS and SCORES. Of each score: mean, sample standard deviation (divided
    by n - 1; NaN of a single value), lowest and highest, over the folds that have a value;
    `folds` says how many these are, and `note` which of 1..n_folds have none.
    """
    summaries = []
    for key, rows in metrics.groupby(list(KEYS), sort=False):
        valued = rows[rows[list(SCORES)].notna().any(axis=1)]
        missing = sorted({*range(1, n_folds + 1)} - set(valued["fold"]))
        summary = dict(zip(KEYS, key, strict=True)) | {"folds": len(valued)}
        for score in SCORES:
            # The order of STATISTICS; pandas divides by n - 1.
            found = valued[score].agg(["mean", "std", "min", "max"])
            summary |= {f"{score}_{name}": x for name, x in zip(STATISTICS, found, strict=True)}
        summary["note"] = _missing_note(missing)
        summaries.append(summary)
    return pd.DataFrame(summaries, columns=list(SUMMARY_COLUMNS))


def _missing_note(folds: Sequence[int]) -> str:
    if not folds:
        return ""
    return f"no value in fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
