"""Paired differences between models, and tests over datasets."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from motifloom import comparisons
from motifloom.files import read_table, write_table

LABELS = np.array([1, 1, 0, 0])
GOOD, BAD = np.array([4.0, 3, 2, 1]), np.array([4.0, 2, 3, 1])


def noisy(n=400, noise=(0.3, 2.0), seed=0):
    """Labels and the scores of models that see them through noise of their own."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) < n // 4
    hard = rng.normal(size=n)
    return labels, {
        f"m{i}": labels + 0.5 * hard + s * rng.normal(size=n) for i, s in enumerate(noise)
    }


def compared(labels, scores, binary=True, groups=None, n_bootstrap=400):
    pairs = comparisons.pairs_with_first(list(scores))
    return comparisons.compare(labels, scores, pairs, binary, n_bootstrap, 1, groups)


def test_differences_of_four_examples():
    rows = compared(LABELS, {"good": GOOD, "bad": BAD})
    assert [(row["model"], row["other"], row["metric"], row["n"]) for row in rows] == [
        ("good", "bad", "auroc", 4),
        ("good", "bad", "auprc", 4),
    ]
    assert rows[0]["difference"] == pytest.approx(1 - 0.75)
    assert rows[1]["difference"] == pytest.approx(1 - (0.5 + 0.5 * 2 / 3))


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("groups", [None, np.arange(400) // 2])
def test_a_model_does_not_differ_from_itself(binary, groups):
    labels, scores = noisy()
    same = {"a": scores["m0"], "b": scores["m0"].copy()}
    for row in compared(labels if binary else labels * 1.0, same, binary, groups):
        assert (row["difference"], row["low"], row["high"], row["pvalue"]) == (0, 0, 0, 1)


@pytest.mark.parametrize("groups", [None, np.arange(400)])
def test_a_planted_difference_is_found(groups):
    rows = compared(*noisy(), groups=groups)
    for row in rows:
        assert row["difference"] > row["low"] > 0
        assert row["high"] > row["difference"]
        assert row["pvalue"] == pytest.approx(2 / 401)
    turned = comparisons.compare(noisy()[0], noisy()[1], [("m1", "m0")], True, 400, 1, groups)
    assert turned[0]["difference"] == -rows[0]["difference"]
    assert turned[0]["low"] == pytest.approx(-rows[0]["high"])


def test_replicates_are_those_of_explicit_resampling(monkeypatch):
    labels, scores = noisy(60)
    table = np.stack(list(scores.values()))
    drawn = np.array([[0, 3, 3, 20, 59] * 12] * 2)
    counts = np.stack([np.bincount(row, minlength=60) for row in drawn])
    monkeypatch.setattr(comparisons.Resampler, "draw", lambda self, size, rng: counts[:size])
    found = comparisons.paired_areas(labels, table, 2, 0, np.arange(60))
    assert found.shape == (2, 2, 3)
    for model in range(2):
        for place, rows in ((0, np.arange(60)), (1, drawn[0])):
            auroc = roc_auc_score(labels[rows], table[model, rows])
            auprc = average_precision_score(labels[rows], table[model, rows])
            assert found[:, model, place] == pytest.approx([auroc, auprc])


def test_pairing_takes_away_what_both_find_hard():
    """The same difference, with examples that are hard for both: unpaired it drowns."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) < 100
    shared = labels + rng.normal(size=300)
    scores = {"a": shared + 0.02 * rng.normal(size=300), "b": shared + 0.02 * rng.normal(size=300)}
    areas = comparisons.paired_areas(labels, np.stack(list(scores.values())), 500, 0)[0, :, 1:]
    assert (areas[0] - areas[1]).std() < 0.2 * areas[0].std()


def test_groups_are_drawn_together():
    labels, scores = noisy(200, (0.5, 1.0))
    tiled = {name: np.tile(values, 4) for name, values in scores.items()}
    alone = compared(np.tile(labels, 4), tiled, groups=np.arange(800))[0]
    together = compared(np.tile(labels, 4), tiled, groups=np.tile(np.arange(200), 4))[0]
    width = {name: row["high"] - row["low"] for name, row in (("a", alone), ("t", together))}
    assert width["t"] == pytest.approx(2 * width["a"], rel=0.25)


def test_blocks_leave_no_replicate_out(monkeypatch):
    from motifloom import bootstrap

    monkeypatch.setattr(bootstrap, "_BLOCK", 64)
    found = comparisons.paired_areas(LABELS > 0, np.stack([GOOD, BAD]), 101, 0)
    assert found.shape == (2, 2, 102)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [0, 0, 0, 0], []])
def test_one_class_has_no_difference(labels):
    scores = {"a": GOOD[: len(labels)], "b": BAD[: len(labels)]}
    for row in compared(np.array(labels), scores):
        assert np.isnan([row["difference"], row["low"], row["high"], row["pvalue"]]).all()
        assert row["n"] == len(labels)


def test_constant_scores_are_chance():
    row = compared(LABELS, {"good": GOOD, "flat": np.zeros(4)})[0]
    assert row["difference"] == 0.5
    assert row["pvalue"] < 0.05


def test_correlations_of_five_numbers():
    targets = np.array([1.0, 2, 3, 4, 5])
    scores = {"a": targets * 2 + 7, "b": np.array([2.0, 1, 4, 3, 5])}
    (row,) = compared(targets, scores, binary=False)
    assert (row["metric"], row["n"]) == ("pearson", 5)
    assert row["difference"] == pytest.approx(0.2)
    assert row["low"] <= 0.2 <= row["high"]


def test_replicates_of_correlations_are_those_of_numpy(monkeypatch):
    rng = np.random.default_rng(0)
    targets, scores = rng.normal(size=20) + 1e6, rng.normal(size=(2, 20))
    drawn = rng.integers(20, size=20)
    counts = np.bincount(drawn, minlength=20)[None]
    monkeypatch.setattr(comparisons.Resampler, "draw", lambda self, size, rng: counts)
    found = comparisons.paired_correlations(targets, scores, 1, 0)
    for model in range(2):
        for place, rows in ((0, np.arange(20)), (1, drawn)):
            expected = np.corrcoef(targets[rows], scores[model, rows])[0, 1]
            assert found[model, place] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("targets", "other"), [([1.0, 2, 3], [5.0, 5, 5]), ([1.0, 1, 1], [1.0, 2, 3]), ([], [])]
)
def test_constant_numbers_have_no_correlation(targets, other):
    scores = {"a": np.arange(len(targets)) * 1.0, "b": np.array(other)}
    (row,) = compared(np.array(targets), scores, binary=False)
    assert np.isnan([row["difference"], row["pvalue"]]).all()


def test_pvalues_of_replicates_by_hand():
    # Of 9 replicates one is at or below 0: 2 (1 + 1) / (1 + 9).
    assert comparisons.bootstrap_pvalue(np.array([-1.0] + [1.0] * 8)) == pytest.approx(0.4)
    assert comparisons.bootstrap_pvalue(np.ones(99)) == pytest.approx(0.02)
    assert comparisons.bootstrap_pvalue(np.zeros(9)) == 1
    assert np.isnan(comparisons.bootstrap_pvalue(np.empty(0)))


# Over datasets


def table_of(differences, pvalues, **named):
    common = {"examples": "windows", "negatives": "gc", "model": "a", "other": "b"}
    rows = [
        {"dataset": f"d{i}", "metric": "auroc", "difference": d, "pvalue": p, "n": 10}
        | common
        | named
        for i, (d, p) in enumerate(zip(differences, pvalues, strict=True))
    ]
    return comparisons.comparison_table(rows)


def test_qvalues_and_signed_ranks_by_hand():
    found = comparisons.over_datasets(table_of([0.1, 0.2, 0.4], [0.01, 0.04, 0.02]))
    assert found["qvalue"].tolist()[:3] == pytest.approx([0.03, 0.04, 0.03])
    last = found.iloc[3]
    assert (last["dataset"], last["n"], last["model"], last["metric"]) == ("all", 3, "a", "auroc")
    assert last["difference"] == pytest.approx(0.2)
    # All signs alike: 2 of 2^3 orders are as extreme.
    assert last["pvalue"] == pytest.approx(0.25)
    assert np.isnan([last["low"], last["qvalue"]]).all()


def test_families_are_tested_apart():
    two = [table_of([0.1, 0.2], [0.01, 0.02]), table_of([0.3, 0.0], [0.5, 0.9], other="c")]
    found = comparisons.over_datasets(pd.concat(two, ignore_index=True))
    assert found["qvalue"].tolist()[:4] == pytest.approx([0.02, 0.02, 0.9, 0.9])
    assert found["other"].tolist()[4:] == ["b", "c"]


def test_missing_differences_count_for_nothing():
    found = comparisons.over_datasets(table_of([0.1, np.nan], [0.01, np.nan]))
    assert found["dataset"].tolist() == ["d0", "d1"]
    assert found["qvalue"][0] == pytest.approx(0.01)
    assert np.isnan(found["qvalue"][1])


def test_differences_of_nothing_have_p_1():
    assert comparisons.signed_rank([0.0, 0.0]) == 1


def test_collected_tables(tmp_path):
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    write_table(table_of([0.1], [0.01]), paths[0])
    write_table(table_of([0.2], [0.02]).assign(dataset="e"), paths[1])
    comparisons.collect_comparisons(paths, tmp_path / "all.tsv")
    found = read_table(tmp_path / "all.tsv")
    assert tuple(found) == (*comparisons.COMPARISON_COLUMNS, "qvalue")
    assert found["dataset"].tolist() == ["d0", "e", "all"]
    assert (tmp_path / "all.tsv").read_text().splitlines()[1].split("\t")[10] == "10"
    empty = comparisons.comparison_table([])
    write_table(empty, paths[0])
    comparisons.collect_comparisons(paths[:1], tmp_path / "none.tsv")
    assert len(read_table(tmp_path / "none.tsv")) == 0
