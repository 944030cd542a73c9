"""Trainings on growing shares, put together."""

import numpy as np

from motifloom import learning_curve
from motifloom.evaluation import metrics_row, metrics_table
from motifloom.files import read_table, write_table
from motifloom.weights import write_weights


def test_collected_curve(tmp_path):
    tables, weights = [], []
    for dataset in "ab":
        for place, auroc in enumerate((0.6, 0.8)):
            common = {"dataset": dataset, "tf": "TF", "preset": "deepbind", "members": 1}
            rows = [
                metrics_row(
                    **common, model=model, examples=examples, negatives=kind, metrics=metrics
                )
                for model in ("deepbind", "deepbind-single")
                for examples in ("windows", "windows-distinct")
                for kind in ("dinucleotide", "gc")
                for metrics in [{"auroc": auroc, "auroc_low": 0.5, "auroc_high": 0.9}]
            ]
            tables.append(tmp_path / f"{dataset}{place}.tsv")
            write_table(metrics_table(rows), tables[-1])
            weights.append(tmp_path / f"{dataset}{place}.safetensors")
            write_weights(
                {"w": np.zeros(1, np.float32)}, {"train_positives": 9 + place}, weights[-1]
            )
    output, figure = tmp_path / "curve.tsv", tmp_path / "curve.svg"
    learning_curve.collect_learning_curve(tables, weights, [0.1, 1], "deepbind", output, figure)
    found = read_table(output)
    assert tuple(found) == learning_curve.LEARNING_COLUMNS
    assert found["dataset"].tolist() == ["a"] * 4 + ["b"] * 4
    assert found["share"].tolist() == [0.1, 0.1, 1, 1] * 2
    assert found["n_train_positives"].tolist() == [9, 9, 10, 10] * 2
    assert found["negatives"].tolist() == ["dinucleotide", "gc"] * 4
    assert found["auroc"].tolist() == [0.6, 0.6, 0.8, 0.8] * 2
    assert ">a</text>" in figure.read_text()
    first = figure.read_bytes()
    learning_curve.collect_learning_curve(tables, weights, [0.1, 1], "deepbind", output, figure)
    assert figure.read_bytes() == first
