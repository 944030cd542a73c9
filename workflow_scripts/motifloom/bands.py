"""What metrics to expect of a dataset of so many peaks: quartiles over the datasets of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.evaluation import TEXT_COLUMNS
from motifloom.files import read_table, write_table
from motifloom.store import read_arrays

PEAKS = (0, 100, 300, 1000, 3000, 10_000, 30_000, np.inf)  # bounds of the bins
FEWEST = 8  # datasets in a bin, below which quartiles say little
METRICS = ("auroc", "auprc")
BAND_COLUMNS = (
    "model",
    "negatives",
    "n_peaks_low",
    "n_peaks_high",
    "metric",
    "n_datasets",
    "q25",
    "median",
    "q75",
    "note",
)


def compute_bands(
    metrics: str | Path, scores: Sequence[str | Path], model: str, output: str | Path
) -> None:
    """Write the table of `bands` of one model's test windows.

    `scores` are the datasets' files of `WindowScores`, which say how many positives each has.
    """
    infos = [read_arrays(path)[1] for path in scores]
    peaks = {info["dataset"]: sum(info["positives"].values()) for info in infos}
    table = read_table(metrics, TEXT_COLUMNS)
    table = table[(table["model"] == model) & (table["examples"] == "windows")]
    write_table(bands(table, peaks), output)


def bands(metrics: pd.DataFrame, peaks: Mapping[str, int]) -> pd.DataFrame:
    """Quartiles of each metric over datasets by their number of peaks: BAND_COLUMNS.

    `metrics` are rows of metrics.tsv of one model, `peaks` maps datasets to their number of peaks,
    all splits together. A bin holds n_peaks_low <= peaks < n_peaks_high (NA: no upper bound); one
    with fewer than 8 datasets, of one kind of negatives, has no row.
    """
    counts = metrics["dataset"].map(peaks).to_numpy(float)
    table = metrics.assign(bin=np.searchsorted(PEAKS, counts, "right") - 1)
    rows = []
    for (model, negatives, place), group in table.groupby(["model", "negatives", "bin"]):
        low, high = PEAKS[place : place + 2]
        named = {"model": model, "negatives": negatives, "n_peaks_low": low}
        named["n_peaks_high"] = high if np.isfinite(high) else None
        for metric in METRICS:
            values = group[metric].dropna()
            if len(values) >= FEWEST:
                rows.append(named | {"metric": metric} | _quartiles(values))
    frame = pd.DataFrame(rows, columns=list(BAND_COLUMNS))
    return frame.astype({"n_peaks_low": "Int64", "n_peaks_high": "Int64"})


def _quartiles(values: pd.Series) -> dict:
    low, median, high = values.quantile([0.25, 0.5, 0.75])
    note = f"computed from this run's {len(values)} datasets"
    return {"n_datasets": len(values), "q25": low, "median": median, "q75": high, "note": note}
