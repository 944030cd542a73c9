"""Quartiles over datasets by their number of peaks."""

import numpy as np
import pandas as pd
import pytest

from motifloom import bands
from motifloom.evaluation import metrics_row, metrics_table
from motifloom.files import read_table, write_table
from motifloom.store import write_arrays


def metrics_of(n, model="deepbind", examples="windows", **changes):
    rows = [
        metrics_row(
            dataset=f"d{i}",
            tf="TF",
            model=model,
            preset=model,
            members=1,
            examples=examples,
            negatives="gc",
            metrics={"auroc": 0.5 + i / 100} | changes,
        )
        for i in range(n)
    ]
    return metrics_table(rows)


def test_quartiles_by_hand():
    found = bands.bands(metrics_of(9), {f"d{i}": 300 + i for i in range(9)})
    (row,) = found.to_dict("records")
    assert tuple(row) == bands.BAND_COLUMNS
    assert (row["n_peaks_low"], row["n_peaks_high"]) == (300, 1000)
    assert (row["metric"], row["n_datasets"]) == ("auroc", 9)
    assert [row[name] for name in ("q25", "median", "q75")] == pytest.approx([0.52, 0.54, 0.56])
    assert row["note"] == "computed from this run's 9 datasets"


def test_fewer_than_eight_say_nothing():
    peaks = {f"d{i}": 299 if i < 7 else 300 for i in range(14)}
    found = bands.bands(metrics_of(14), peaks)
    assert tuple(found) == bands.BAND_COLUMNS
    assert len(found) == 0
    # Datasets without the metric do not count.
    some = metrics_of(9).assign(auroc=[np.nan, np.nan, *[0.7] * 7])
    assert len(bands.bands(some, dict.fromkeys(some["dataset"], 10))) == 0


def test_the_last_bin_has_no_upper_bound(tmp_path):
    found = bands.bands(metrics_of(8, auprc=0.5), dict.fromkeys((f"d{i}" for i in range(8)), 10**6))
    assert found["metric"].tolist() == ["auroc", "auprc"]
    write_table(found, tmp_path / "bands.tsv")
    cells = (tmp_path / "bands.tsv").read_text().splitlines()[1].split("\t")
    assert cells[2:4] == ["30000", "NA"]


def test_one_models_test_windows_are_taken(tmp_path):
    table = pd.concat([metrics_of(8), metrics_of(8, "pwm"), metrics_of(8, examples="bins")])
    write_table(table, tmp_path / "metrics.tsv")
    paths = []
    for number in range(8):
        paths.append(tmp_path / f"{number}.safetensors")
        positives = {"train": 40, "validation": 30, "test": 30}
        info = {"dataset": f"d{number}", "positives": positives}
        write_arrays(paths[-1], {"row": ((1,), np.int64)}, [np.zeros(1)], info)
    bands.compute_bands(tmp_path / "metrics.tsv", paths, "deepbind", tmp_path / "bands.tsv")
    found = read_table(tmp_path / "bands.tsv")
    assert found["model"].tolist() == ["deepbind"]
    assert found["n_peaks_low"].tolist() == [100]
