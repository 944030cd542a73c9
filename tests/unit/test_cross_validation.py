"""The metrics of all folds and their summary."""

import math

import numpy as np
import pandas as pd
import pytest

from motifloom import cross_validation
from motifloom.evaluation import metrics_row, metrics_table
from motifloom.files import read_table, write_table


def metric(dataset="GATA1", model="deepbind", negatives="gc", examples="windows", **metrics):
    named = {"dataset": dataset, "tf": "GATA", "model": model, "preset": model, "members": 1}
    return metrics_row(**named, examples=examples, negatives=negatives, metrics=metrics)


def per_fold(*values):
    """A metrics frame of one row a fold."""
    frame = metrics_table(values)
    frame.insert(0, "fold", np.arange(1, len(frame) + 1))
    return frame


def test_summary_is_mean_sample_sd_and_range():
    frame = per_fold(*(metric(auroc=a, auprc=p) for a, p in ((0.5, 0.2), (0.7, 0.4), (0.9, 0.9))))
    (row,) = cross_validation.summarise(frame, 3).to_dict("records")
    assert tuple(row) == cross_validation.SUMMARY_COLUMNS
    assert [row[f"auroc_{name}"] for name in cross_validation.STATISTICS] == pytest.approx(
        [0.7, 0.2, 0.5, 0.9]
    )
    # Deviations -.3, -.1 and .4: a sum of squares of .26 over n - 1 = 2.
    assert (row["auprc_mean"], row["auprc_sd"]) == pytest.approx((0.5, math.sqrt(0.13)))
    assert math.isnan(row["pearson_mean"])
    assert (row["folds"], row["note"]) == (3, "")


def test_scores_have_correlations():
    frame = per_fold(*(metric(negatives="none", pearson=p, spearman=-p) for p in (0.1, 0.2, 0.6)))
    (row,) = cross_validation.summarise(frame, 3).to_dict("records")
    assert (row["pearson_mean"], row["spearman_mean"]) == pytest.approx((0.3, -0.3))
    assert (row["folds"], row["spearman_min"], row["spearman_max"]) == (3, -0.6, -0.1)


def test_folds_without_a_value_are_noted():
    frame = per_fold(metric(note="one class"), metric(auroc=0.8), metric(note="one class"))
    (row,) = cross_validation.summarise(frame, 3).to_dict("records")
    assert (row["folds"], row["auroc_mean"]) == (1, 0.8)
    assert math.isnan(row["auroc_sd"])  # of one value
    assert row["note"] == "no value in folds 1, 3"


def test_a_fold_without_a_row_is_noted_too():
    frame = per_fold(metric(auroc=0.8), metric(auroc=0.6), metric(auroc=0.6))
    (row,) = cross_validation.summarise(frame[frame.fold != 2], 3).to_dict("records")
    assert (row["folds"], row["note"]) == (2, "no value in fold 2")


def test_no_value_at_all_is_missing_and_noted():
    (row,) = cross_validation.summarise(per_fold(metric(), metric(), metric()), 3).to_dict(
        "records"
    )
    assert row["folds"] == 0
    assert all(math.isnan(row[f"auroc_{name}"]) for name in cross_validation.STATISTICS)
    assert row["note"] == "no value in folds 1, 2, 3"


def test_collected_folds_stand_by_dataset_model_and_negatives(tmp_path):
    tables = []
    for dataset in ("b", "a"):
        for fold in (1, 2, 3):
            rows = [
                metric(dataset, "deepbind", kind, auroc=fold / 10)
                for kind in ("dinucleotide", "gc")
            ]
            tables.append(tmp_path / f"{dataset}{fold}.tsv")
            write_table(metrics_table([*rows, metric(dataset, "pwm", auroc=0.5)]), tables[-1])
    metrics, summary = tmp_path / "metrics.tsv", tmp_path / "summary.tsv"
    cross_validation.collect_folds(tables, 3, metrics, summary)
    found = pd.read_csv(summary, sep="\t")
    keys = [("deepbind", "dinucleotide"), ("deepbind", "gc"), ("pwm", "gc")]
    assert found[["dataset", "model", "negatives"]].to_numpy().tolist() == [
        [dataset, *key] for dataset in "ba" for key in keys
    ]
    assert found.auroc_mean.tolist() == pytest.approx([0.2, 0.2, 0.5] * 2)
    assert found.auroc_sd.tolist() == pytest.approx([0.1, 0.1, 0] * 2)
    kept = read_table(metrics)
    assert kept.columns[0] == "fold"
    assert kept.fold.tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3] * 2
    assert kept.dataset.tolist() == ["b"] * 9 + ["a"] * 9
