"""Metrics, bootstrap intervals, curves and the PWM baseline."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from motifloom import evaluation
from motifloom.files import read_table, write_table

LABELS = np.array([0, 0, 1, 1])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])


def shifted_normals(rng, n_positive, n_negative, shift):
    labels = np.repeat([1, 0], [n_positive, n_negative])
    return labels, rng.normal(size=len(labels)) + shift * labels


def test_areas_of_four_examples():
    metrics = evaluation.classification_metrics(LABELS, SCORES, n_bootstrap=50)
    assert metrics["n"] == 4
    assert metrics["n_positive"] == 2
    assert metrics["auroc"] == 0.75
    assert metrics["auprc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics["note"] == ""
    assert metrics["auroc_low"] <= 0.75 <= metrics["auroc_high"]


@pytest.mark.parametrize(
    ("labels", "scores", "expected"),
    [
        # Best first: +, -, +, -, +: recalls 1/3, 2/3 and 1 at ranks 1, 3 and 5.
        ([1, 0, 1, 0, 1], [5, 4, 3, 2, 1], [1, 2 / 3, 3 / 5]),
        # Ties share one threshold: both positives come with both negatives.
        ([1, 1, 0, 0], [1, 1, 1, 1], [0.5] * 3),
        ([0, 0, 1], [3, 2, 1], [1 / 3] * 3),
    ],
)
def test_precision_at_recalls(labels, scores, expected):
    found = evaluation.precision_at_recalls(
        np.array(labels) == 1, np.array(scores), [1 / 3, 0.5, 0.8]
    )
    assert found == pytest.approx(expected)


def test_a_recall_that_floats_only_nearly_reach():
    # 0.1 x 30 is a little more than 3 in floats; the third positive completes it.
    labels, scores = np.arange(60) < 30, -np.arange(60)
    assert evaluation.precision_at_recalls(labels, scores, [0.1]) == 1
    worse = evaluation.precision_at_recalls(np.roll(labels, 1), scores, [0.1])
    assert worse == pytest.approx(3 / 4)


def test_precision_columns_stand_behind_the_auprc():
    columns = evaluation.metric_columns([0.5, 0.125])
    place = columns.index("auprc_high")
    assert columns[place + 1 : place + 4] == ("precision_r50", "precision_r12.5", "pearson")
    found = evaluation.classification_metrics(LABELS, SCORES, 0, recalls=[0.125])
    assert found["precision_r12.5"] == 1
    one_class = evaluation.classification_metrics([1, 1], [1, 2], 0, recalls=[0.125])
    assert np.isnan(one_class["precision_r12.5"])


def test_all_tied_scores_are_chance():
    metrics = evaluation.classification_metrics([1, 0, 0, 0], np.zeros(4), n_bootstrap=20)
    keys = ("auroc", "auroc_low", "auroc_high")
    assert [metrics[key] for key in keys] == [0.5] * 3
    assert [metrics[key.replace("auroc", "auprc")] for key in keys] == [0.25] * 3


def test_separated_classes_have_no_uncertainty():
    metrics = evaluation.classification_metrics([1, 1, 0, 0], [4.0, 3, 2, 1], n_bootstrap=20)
    assert (metrics["auroc_low"], metrics["auroc"], metrics["auprc_low"]) == (1, 1, 1)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_is_noted(labels):
    metrics = evaluation.classification_metrics(labels, np.arange(len(labels)))
    assert np.isnan([metrics["auroc"], metrics["auroc_low"], metrics["auprc_high"]]).all()
    assert metrics["note"] == "one class only in the test split"
    assert metrics["n_positive"] == sum(labels)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([0, 1], [0.5, np.nan]), ([0, 1], [0.5, np.inf]), ([0, 2], [0.1, 0.2]), ([0, 1, 1], [1, 2])],
)
def test_bad_input_is_refused(labels, scores):
    with pytest.raises(ValueError):
        evaluation.classification_metrics(labels, scores)


def test_same_seed_same_interval():
    labels, scores = shifted_normals(np.random.default_rng(3), 40, 60, 1.0)
    first, again, other = (
        evaluation.classification_metrics(labels, scores, 200, seed=seed) for seed in (5, 5, 6)
    )
    assert first == again
    assert first["auroc_low"] != other["auroc_low"]


def test_no_bootstrap_no_interval():
    metrics = evaluation.classification_metrics(LABELS, SCORES, n_bootstrap=0)
    assert metrics["auroc"] == 0.75
    assert np.isnan([metrics["auroc_low"], metrics["auprc_high"]]).all()


def test_intervals_agree_with_explicit_resampling():
    rng = np.random.default_rng(0)
    labels, scores = shifted_normals(rng, 50, 150, 1.0)
    scores = scores.round(1)  # ties
    metrics = evaluation.classification_metrics(labels, scores, 4000)
    explicit = []
    for _ in range(1000):
        drawn = np.concatenate([rng.integers(0, 50, 50), rng.integers(50, 200, 150)])
        explicit.append(average_precision_score(labels[drawn], scores[drawn]))
    low, high = np.percentile(explicit, [2.5, 97.5])
    assert metrics["auprc_low"] == pytest.approx(low, abs=0.02)
    assert metrics["auprc_high"] == pytest.approx(high, abs=0.02)


def test_intervals_cover_the_truth():
    """Normal scores shifted by 1: AUROC is Phi(1 / sqrt 2) = 0.7602."""
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(150):
        metrics = evaluation.classification_metrics(*shifted_normals(rng, 60, 60, 1.0), 200, seed)
        covered += metrics["auroc_low"] <= 0.760250 <= metrics["auroc_high"]
    assert 0.89 <= covered / 150 <= 0.99


def test_group_replicates_without_a_class_are_skipped():
    metrics = evaluation.classification_metrics(LABELS, SCORES, 50, groups=[7, 7, 9, 9])
    assert metrics["auroc"] == 0.75
    assert metrics["auroc_low"] == metrics["auroc_high"] == 0.75


def test_correlations_of_five_numbers():
    metrics = evaluation.regression_metrics([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], n_bootstrap=0)
    assert metrics["pearson"] == pytest.approx(0.8)
    assert metrics["spearman"] == pytest.approx(0.8)
    assert metrics["mse"] == pytest.approx(0.8)
    assert metrics["n"] == 5
    assert np.isnan(metrics["pearson_low"])


def test_rank_correlation_with_ties_and_curvature():
    x = np.array([0.0, 1, 1, 2, 3, 3])
    metrics = evaluation.regression_metrics(x, np.exp(x), n_bootstrap=100)
    assert metrics["spearman"] == pytest.approx(1)
    assert metrics["spearman_low"] == pytest.approx(1)
    assert metrics["pearson"] == pytest.approx(np.corrcoef(x, np.exp(x))[0, 1])
    uneven = evaluation.regression_metrics(x, np.array([3.0, 1, 2, 2, 0, 5]), n_bootstrap=0)
    ranks = pd.DataFrame([x, [3, 1, 2, 2, 0, 5]]).T.rank()
    assert uneven["spearman"] == pytest.approx(ranks.corr().iloc[0, 1])


def test_correlation_interval_covers_the_estimate():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    metrics = evaluation.regression_metrics(x, x + rng.normal(size=300), groups=np.arange(300) // 2)
    for name in ("pearson", "spearman"):
        assert metrics[f"{name}_low"] < metrics[name] < metrics[f"{name}_high"]
        assert metrics[f"{name}_high"] - metrics[f"{name}_low"] < 0.2


@pytest.mark.parametrize(
    ("targets", "predictions", "note"),
    [
        ([1, 2, 3], [0, 0, 0], "constant predictions"),
        ([1, 1, 1], [0, 1, 2], "constant targets"),
        ([], [], "constant targets and predictions"),
    ],
)
def test_constant_input_has_no_correlation(targets, predictions, note):
    metrics = evaluation.regression_metrics(targets, predictions)
    assert np.isnan([metrics["pearson"], metrics["spearman_low"]]).all()
    assert metrics["note"] == note


def test_spread_of_three_members():
    # AUROCs 1, 0.75 and 0.5: the second ranks one negative first, the third is constant.
    members = np.array([[3.0, 2, 1, 0], [3, 1, 2, 0], [0, 0, 0, 0]])
    found = evaluation.auroc_spread([1, 1, 0, 0], members)
    assert found == {"auroc_members_mean": 0.75, "auroc_members_sd": 0.25}


def test_spread_of_correlations():
    members = np.array([[1.0, 2, 3, 4, 5], [2, 1, 4, 3, 5]])
    found = evaluation.pearson_spread(np.arange(5), members)
    assert found["pearson_members_mean"] == pytest.approx(0.9)
    assert found["pearson_members_sd"] == pytest.approx(0.2 / np.sqrt(2))
    constant = evaluation.pearson_spread(np.arange(5), np.vstack([members, np.ones(5)]))
    assert np.isnan([*constant.values()]).all()


@pytest.mark.parametrize(
    ("labels", "members"),
    [([1, 0], [[2.0, 1]]), ([1, 1], [[2.0, 1], [1, 2]]), ([], np.empty((2, 0)))],
    ids=["one member", "one class", "no examples"],
)
def test_spread_that_does_not_exist(labels, members):
    found = evaluation.auroc_spread(labels, np.array(members))
    assert list(found) == ["auroc_members_mean", "auroc_members_sd"]
    assert np.isnan([*found.values()]).all()


def test_metrics_rows_make_the_table(tmp_path):
    about = {"tf": "REB1", "model": "deepbind", "preset": "deepbind", "members": 3}
    areas = evaluation.classification_metrics(LABELS, SCORES, 0) | {"n": 1234567}
    correlations = evaluation.regression_metrics([1, 1], [1, 2], 0)
    rows = [
        evaluation.metrics_row(
            dataset="a", examples="windows", negatives="gc", metrics=areas, **about
        ),
        evaluation.metrics_row(
            dataset="b",
            examples="windows",
            negatives="none",
            metrics=correlations,
            note="scores",
            **about,
        ),
    ]
    assert list(rows[0]) == list(evaluation.METRIC_COLUMNS)
    assert rows[1]["note"] == "scores; constant targets"
    path = tmp_path / "metrics.tsv"
    write_table(evaluation.metrics_table(rows), path)
    first, second = (line.split("\t") for line in path.read_text().splitlines()[1:])
    assert first[:9] == ["a", "REB1", "deepbind", "deepbind", "3", "windows", "gc", "1234567", "2"]
    assert first[9:] == [
        "0.75",
        *["NA"] * 4,
        "0.833333",
        "NA",
        "NA",
        "1",
        "0.666667",
        *["NA"] * 5,
        "",
    ]
    assert second[7:9] == ["2", "NA"]
    again = evaluation.metrics_table(read_table(path, evaluation.TEXT_COLUMNS))
    write_table(again, tmp_path / "again.tsv")
    assert (tmp_path / "again.tsv").read_text().splitlines()[1].split("\t")[7] == "1234567"


def test_curves_of_four_examples():
    frame = evaluation.curves(LABELS, SCORES)
    roc, pr = (frame[frame["curve"] == name] for name in ("roc", "pr"))
    assert roc[["x", "y"]].to_numpy().tolist() == [[0, 0], [0, 0.5], [0.5, 0.5], [0.5, 1], [1, 1]]
    np.testing.assert_allclose(pr[["x", "y"]].iloc[[0, -1]], [[0, 1], [1, 0.5]])


def test_thinned_curves_keep_ends_and_area():
    labels, scores = shifted_normals(np.random.default_rng(0), 3000, 3000, 1.0)
    frame = evaluation.curves(labels, scores, points=100)
    assert (frame.groupby("curve").size() <= 100).all()
    for curve, ends in (("roc", [[0, 0], [1, 1]]), ("pr", [[0, 1], [1, 0.5]])):
        part = frame[frame["curve"] == curve]
        assert part[["x", "y"]].iloc[[0, -1]].to_numpy().tolist() == ends
        assert part["x"].is_monotonic_increasing
    roc = frame[frame["curve"] == "roc"]
    area = np.trapezoid(roc["y"], roc["x"])
    assert area == pytest.approx(roc_auc_score(labels, scores), abs=0.003)


def test_curves_of_one_class_are_empty():
    assert list(evaluation.curves([1, 1], [0.1, 0.2]).columns) == ["curve", "x", "y"]
    assert len(evaluation.curves([1, 1], [0.1, 0.2])) == 0
