"""Figures: written whole, the same bytes each time, and readable text in them."""

import numpy as np
import pandas as pd
import pytest

from motifloom import evaluation, plots

PNG = b"\x89PNG\r\n"


def curves_frame():
    labels = np.repeat([0, 1], 50)
    rng = np.random.default_rng(0)
    frames = []
    for model in ("deepbind", "pwm"):
        frame = evaluation.curves(labels, rng.normal(size=100) + labels)
        frames.append(frame.assign(model=model))
    return pd.concat(frames)


def history_frame():
    epochs = np.arange(1, 5)
    return pd.DataFrame(
        {
            "member": np.repeat([0, 1], 4),
            "epoch": np.tile(epochs, 2),
            "train_loss": np.tile(1 / epochs, 2),
            "validation_loss": [0.9, 0.5, 0.6, 0.7] * 2,
        }
    )


def architecture_frame(n=3):
    """The totals of networks, each ten times as large as the one before."""
    return pd.DataFrame(
        {
            "model": [f"net{i}" for i in range(n)],
            "parameters": [801 * 10**i for i in range(n)],
            "operations": [69_136 * 10**i for i in range(n)],
            "receptive_field": [101 + 900 * i for i in range(n)],
        }
    )


def metrics_frame(datasets=3, models=("deepbind", "danq"), examples=("windows", "bins")):
    rng = np.random.default_rng(1)
    rows = []
    for dataset in range(datasets):
        for model in models:
            for kind in examples:
                auroc = rng.uniform(0.6, 0.95)
                interval = {"auroc_low": auroc - 0.04, "auroc_high": auroc + 0.03}
                rows.append(
                    evaluation.metrics_row(
                        dataset=f"set_{dataset}",
                        tf="TF",
                        model=model,
                        preset=model,
                        members=1,
                        examples=kind,
                        negatives="gc",
                        metrics={"auroc": auroc, **interval},
                    )
                )
    return evaluation.metrics_table(rows)


def scatter_arrays(n):
    rng = np.random.default_rng(2)
    targets = rng.normal(size=n)
    return targets, targets + rng.normal(size=n)


DRAWINGS = {
    "curves": lambda path: plots.draw_curves(
        curves_frame(), {"deepbind": "deepbind 0.76", "pwm": "pwm $0.7$"}, "a title", path
    ),
    "history": lambda path: plots.draw_history(history_frame(), "a title", path),
    "comparison": lambda path: plots.draw_comparison(metrics_frame(), path),
    "architecture": lambda path: plots.draw_architecture(architecture_frame(), path),
    "scatter": lambda path: plots.draw_scatter(*scatter_arrays(40), "a title", path),
    "density": lambda path: plots.draw_scatter(*scatter_arrays(3000), "a title", path),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_svg_bytes_are_identical_twice(name, tmp_path):
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    DRAWINGS[name](first)
    DRAWINGS[name](second)
    assert first.read_bytes() == second.read_bytes()
    assert b"<svg" in first.read_bytes()
    assert b"dc:date" not in first.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.svg", "second.svg"]


def test_suffix_chooses_png(tmp_path):
    DRAWINGS["scatter"](tmp_path / "figure.png")
    assert (tmp_path / "figure.png").read_bytes().startswith(PNG)


def test_text_stays_text(tmp_path):
    path = tmp_path / "curves.svg"
    DRAWINGS["curves"](path)
    text = path.read_text()
    for wanted in ("a title", "deepbind 0.76", "pwm $0.7$", "Precision-recall"):
        assert f">{wanted}</text>" in text


def test_house_style_leaves_no_trace(tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 17.0}):
        DRAWINGS["history"](tmp_path / "history.svg")
        assert matplotlib.rcParams["font.size"] == 17.0


def test_history_without_validation(tmp_path):
    history = history_frame().assign(validation_loss=np.nan)
    plots.draw_history(history, "final training", tmp_path / "history.svg")
    assert "validation" not in (tmp_path / "history.svg").read_text()


def test_comparison_sorts_datasets_by_their_best_model():
    frame = pd.DataFrame(
        {
            "dataset": ["a", "a", "b", "c"],
            "series": ["x", "y", "x", "x"],
            "auroc": [0.6, 0.9, 0.8, 0.9],
        }
    )
    assert plots._dataset_order(frame) == ["b", "c", "a"]


def test_comparison_has_a_panel_for_each_kind_of_negatives(tmp_path):
    frame = metrics_frame(models=("deepbind", "deepbind"), examples=("windows",))
    frame["negatives"] = ["dinucleotide", "gc"] * 3
    plots.draw_comparison(frame, tmp_path / "comparison.svg")
    text = (tmp_path / "comparison.svg").read_text()
    assert ">windows, negatives: dinucleotide</text>" in text
    assert ">windows, negatives: gc</text>" in text


def test_comparison_shows_distinct_windows_apart(tmp_path):
    frame = metrics_frame(models=("deepbind", "kmer"), examples=("windows", "windows-distinct"))
    plots.draw_comparison(frame, tmp_path / "comparison.svg")
    text = (tmp_path / "comparison.svg").read_text()
    assert ">windows, negatives: gc</text>" in text
    assert ">windows-distinct, negatives: gc</text>" in text


def test_comparison_leaves_single_trainings_out(tmp_path):
    frame = metrics_frame(models=("deepbind", "deepbind-single"), examples=("windows",))
    plots.draw_comparison(frame, tmp_path / "comparison.svg")
    assert "deepbind-single" not in (tmp_path / "comparison.svg").read_text()


@pytest.mark.parametrize("datasets", [1, 50])
def test_comparison_shows_every_dataset(datasets, tmp_path):
    plots.draw_comparison(metrics_frame(datasets), tmp_path / "comparison.svg")
    text = (tmp_path / "comparison.svg").read_text()
    assert all(f">set_{dataset}</text>" in text for dataset in range(datasets))


@pytest.mark.parametrize("n", [1, 3, 10])
def test_architecture_names_every_network(n, tmp_path):
    totals = architecture_frame(n)
    plots.draw_architecture(totals, tmp_path / "architecture.svg")
    drawn = (tmp_path / "architecture.svg").read_text()
    for row in totals.itertuples():
        assert f">{row.model}</text>" in drawn
        assert f">{row.receptive_field:,} bp</text>" in drawn


def test_one_network_has_ticks_on_both_axes(tmp_path):
    plots.draw_architecture(architecture_frame(1), tmp_path / "architecture.svg")
    drawn = (tmp_path / "architecture.svg").read_text()
    # 801 parameters and 69,136 operations between powers of ten
    for tick in ("100", "1 k", "10 k", "100 k"):
        assert f">{tick}</text>" in drawn


def test_comparison_without_any_auroc(tmp_path):
    frame = metrics_frame().assign(auroc=np.nan)
    plots.draw_comparison(frame, tmp_path / "comparison.svg")
    assert "no AUROC to show" in (tmp_path / "comparison.svg").read_text()


@pytest.mark.parametrize("n", [5, 3000])
def test_scatter_of_constant_predictions(n, tmp_path):
    plots.draw_scatter(np.arange(n), np.zeros(n), "dead", tmp_path / "scatter.svg")
    assert "Pearson nan" in (tmp_path / "scatter.svg").read_text()


def test_curves_of_a_dataset_without_both_classes(tmp_path):
    frame = evaluation.curves([1, 1], [0.1, 0.2]).assign(model="deepbind")
    plots.draw_curves(frame, {"deepbind": "deepbind"}, "empty", tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").exists()
