"""What a dataset's scores say: calibration, comparisons, composition, and their files."""

import json

import numpy as np
import pytest
from builders import store_of

from motifloom import calibration, examination
from motifloom.files import InputError, read_table
from motifloom.store import write_arrays
from motifloom.window_scores import WindowScores

FILES = {
    "calibration": "calibration.tsv",
    "reliability": "reliability.tsv",
    "maps": "calibration.json",
    "comparisons": "comparisons.tsv",
    "composition": "composition.tsv",
    "distributions": "distributions.tsv",
    "calibration_figure": "calibration.svg",
    "composition_figure": "composition.svg",
    "distributions_figure": "distributions.svg",
}
MODELS = [
    {"model": "deepbind", "preset": "deepbind", "members": 2, "logit": True},
    {"model": "pwm", "preset": "M1", "members": 1, "logit": False},
    {"model": "kmer", "preset": "all", "members": 1, "logit": False},
]


def windows_of(n=60, labels="binary", one_class=(), seed=0):
    """A store of n sites with a shuffle and a GC-matched negative each, and their scores.

    A third of the sites is of the test, a third of the validation, as are their negatives; a
    split in `one_class` has sites alone.
    """
    rng = np.random.default_rng(seed)
    split = np.tile(["test", "validation", "train"], n // 3)
    bound = np.repeat([1, 0, 0], n) if labels == "binary" else rng.normal(size=3 * n)
    store = store_of(
        rng.integers(4, size=(3 * n, 20), dtype=np.uint8),
        bound,
        np.tile(split, 3),
        kind=np.repeat([0, 1, 2], n) if labels == "binary" else np.zeros(3 * n),
        kinds=("site", "dinucleotide", "gc"),
        negatives="dinucleotide",
        labels=labels,
    )
    store.parent[:] = np.tile(np.arange(n), 3) if labels == "binary" else np.arange(3 * n)
    for name in one_class:
        number = ("train", "validation", "test").index(name)
        store.split[(store.split == number) & (store.targets[:, 0] == 0)] = 0
    rows = np.concatenate([store.rows("test"), store.rows("validation")])
    truth = store.targets[rows, 0]
    good = 2 * truth - 1 + 0.8 * rng.normal(size=len(rows))
    scores = np.stack([good, truth + 2 * rng.normal(size=len(rows)), good])
    scores[2, len(store.rows("test")) :] = np.nan
    info = {"dataset": "set1", "tf": "TF1", "models": MODELS}
    return store, WindowScores.of(store, rows, scores, info)


def examine(folder, store, windows, method="platt"):
    folder.mkdir(exist_ok=True)
    store.write(folder / "store.safetensors")
    windows.write(folder / "scores.safetensors")
    outputs = {name: folder / file for name, file in FILES.items()}
    examination.examine_windows(
        folder / "scores.safetensors",
        folder / "store.safetensors",
        outputs,
        method=method,
        n_bootstrap=50,
        seed=1,
    )
    return outputs


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_calibration_is_fitted_on_validation_and_judged_on_test(method):
    _, windows = windows_of()
    table, curves, maps = examination.calibrate(windows, method, 50, 1)
    assert tuple(table) == examination.CALIBRATION_COLUMNS
    assert table["model"].tolist() == ["deepbind", "pwm", "kmer"] * 2
    assert table["negatives"].tolist() == ["dinucleotide"] * 3 + ["gc"] * 3
    assert set(table["n"]) == set(table["n_fitted"]) == {40}
    held = windows.of_split("validation") & (windows.kind < 2)
    fitted = calibration.FITS[method](windows.positive[held], windows.scores[0, held])
    assert maps["models"]["deepbind"] == fitted | {"n_fitted": 40, "n_fitted_positive": 20}
    judged = windows.of_split("test") & (windows.kind < 2)
    for column, probabilities in (
        ("ece_before", calibration.sigmoid(windows.scores[0, judged])),
        ("ece_after", calibration.apply(fitted, windows.scores[0, judged])),
    ):
        expected = calibration.expected_error(windows.positive[judged], probabilities)
        assert table[column][0] == pytest.approx(expected)
    assert table["ece_low"][0] <= table["ece_high"][0]
    assert set(curves["stage"]) == {"raw", "calibrated"}


def test_matrices_have_no_raw_probability_and_baselines_no_map():
    table, curves, maps = examination.calibrate(windows_of()[1], "platt", 50, 1)
    first = table.set_index("model").iloc[:3]
    assert np.isnan(first.loc[["pwm", "kmer"], "ece_before"]).all()
    assert first["note"].tolist() == ["", "", examination.NO_SCORES]
    assert np.isnan(first.loc["kmer", "ece_after"])
    assert list(maps["models"]) == ["deepbind", "pwm"]
    assert set(curves.loc[curves["stage"] == "raw", "model"]) == {"deepbind"}


@pytest.mark.parametrize(
    ("split", "note"),
    [("validation", examination.NOTHING_TO_FIT), ("test", examination.ONE_CLASS)],
)
def test_splits_of_one_class_are_noted(split, note, tmp_path):
    store, windows = windows_of(one_class=(split,))
    table, _, maps = examination.calibrate(windows, "platt", 50, 1)
    row = table.set_index("model").iloc[0]
    assert row["note"] == note
    assert np.isnan(row["ece_after"])
    assert ("deepbind" in maps["models"]) == (split == "test")
    examine(tmp_path / "a", store, windows)  # draws what there is


def test_comparisons_of_the_first_model_with_each_other():
    _, windows = windows_of()
    rows = examination.compare_windows(windows, 50, 1)
    found = [(row["negatives"], row["other"], row["metric"]) for row in rows]
    assert found == [
        (kind, other, metric)
        for kind in ("dinucleotide", "gc")
        for other in ("pwm", "kmer")
        for metric in ("auroc", "auprc")
    ]
    assert {row["model"] for row in rows} == {"deepbind"}
    # The third model's test scores are those of the first.
    assert [row["pvalue"] for row in rows if row["other"] == "kmer"] == [1] * 4
    assert all(row["difference"] > 0 for row in rows if row["other"] == "pwm")


def test_distinct_windows_are_compared_too():
    _, windows = windows_of()
    windows.shared[: len(windows.row) // 8] = 1
    rows = examination.compare_windows(windows, 20, 1)
    assert {row["examples"] for row in rows} == {"windows", "windows-distinct"}
    shared = windows.of_split("test") & (windows.kind < 2) & (windows.shared == 0)
    assert {r["n"] for r in rows if r["examples"] == "windows-distinct"} >= {int(shared.sum())}


def test_measured_scores_are_compared_by_correlation(tmp_path):
    store, windows = windows_of(labels="score")
    outputs = examine(tmp_path / "a", store, windows)
    found = read_table(outputs["comparisons"])
    assert found["metric"].tolist() == ["pearson", "pearson"]
    assert found["negatives"].tolist() == ["none", "none"]
    assert len(read_table(outputs["calibration"])) == 0
    assert json.loads(outputs["maps"].read_text())["models"] == {}
    assert read_table(outputs["composition"])["kind"].tolist() == ["all"]


def test_files_hold_what_they_should(tmp_path):
    outputs = examine(tmp_path / "a", *windows_of())
    composed = read_table(outputs["composition"])
    assert composed["kind"].tolist() == ["positive", "dinucleotide", "gc"]
    assert composed["n"].tolist() == [20] * 3
    curves = read_table(outputs["reliability"])
    assert list(curves)[:7] == ["model", "bin", "predicted", "observed", "low", "high", "n"]
    maps = json.loads(outputs["maps"].read_text())
    assert (maps["dataset"], maps["negatives"]) == ("set1", "dinucleotide")
    found = read_table(outputs["distributions"])
    assert found.groupby("model")["count"].sum().tolist() == [60] * 3


def test_the_same_bytes_twice(tmp_path):
    found = [
        [path.read_bytes() for path in examine(tmp_path / name, *windows_of()).values()]
        for name in "ab"
    ]
    assert found[0] == found[1]


def test_another_file_is_refused(tmp_path):
    write_arrays(tmp_path / "x", {"scores": ((1,), np.float32)}, [np.zeros(1)], {})
    with pytest.raises(InputError, match="evaluate the windows again"):
        WindowScores.open(tmp_path / "x")


def test_a_dataset_without_test_or_validation_windows(tmp_path):
    store, _ = windows_of()
    store.split[:] = 0
    rows = np.empty(0, np.int64)
    info = {"dataset": "set1", "tf": "TF1", "models": MODELS}
    windows = WindowScores.of(store, rows, np.empty((3, 0)), info)
    outputs = examine(tmp_path / "a", store, windows)
    assert WindowScores.open(tmp_path / "a/scores.safetensors").info["positives"]["train"] == 60
    assert read_table(outputs["comparisons"])["n"].tolist() == [0] * 4
    assert len(read_table(outputs["composition"])) == 0
