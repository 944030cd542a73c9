"""Bootstrap replicates as counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, roc_auc_score

from motifloom import bootstrap

LABELS = np.array([0, 0, 1, 1])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])


def counts_of(positive, scores, draws):
    """Counts [1, K] and [1, 2K+1] of examples drawn `draws` [N] times each."""
    levels, cells = bootstrap.levels_and_cells(positive, scores)
    n_levels = levels.max() + 1
    positives = np.bincount(levels, draws[positive], n_levels)
    negatives = np.bincount(cells, draws[~positive], 2 * n_levels + 1)
    return positives[None].astype(int), negatives[None].astype(int)


def shifted_normals(rng, n_positive, n_negative, shift):
    labels = np.repeat([1, 0], [n_positive, n_negative])
    return labels, rng.normal(size=len(labels)) + shift * labels


def test_levels_and_cells_of_ties():
    positive = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
    scores = np.array([5, 2, 5, 9, 5, 3, 2, 1])
    levels, cells = bootstrap.levels_and_cells(positive, scores)
    assert levels.tolist() == [0, 1, 0]
    assert cells.tolist() == [0, 1, 2, 3, 4]


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_weights_equal_explicit_resampling(data):
    n = data.draw(st.integers(2, 12))
    scores = data.draw(arrays(np.int64, n, elements=st.integers(0, 4))).astype(float)
    positive = np.arange(n) < data.draw(st.integers(1, n - 1))
    draws = data.draw(arrays(np.int64, n, elements=st.integers(0, 3)))
    draws[[0, -1]] += 1  # both classes drawn
    resampled = np.repeat(np.arange(n), draws)
    auroc, auprc = bootstrap.weighted_areas(*counts_of(positive, scores, draws))[:, 0]
    assert auroc == pytest.approx(roc_auc_score(positive[resampled], scores[resampled]))
    assert auprc == pytest.approx(average_precision_score(positive[resampled], scores[resampled]))


def test_blocks_leave_no_replicate_out(monkeypatch):
    monkeypatch.setattr(bootstrap, "_BLOCK", 64)
    areas = bootstrap.bootstrap_areas(LABELS == 1, SCORES, 101, seed=0)
    assert areas.shape == (2, 101)
    assert np.isfinite(areas).all()
    assert set(areas[0]) <= {0.0, 0.25, 0.5, 0.75, 1.0}


def test_drawing_by_cell_has_the_same_distribution(monkeypatch):
    labels, scores = shifted_normals(np.random.default_rng(1), 20, 600, 1.0)
    by_cell = bootstrap.bootstrap_areas(labels == 1, scores, 4000, 0)
    monkeypatch.setattr(bootstrap, "_MULTINOMIAL_FROM", 10**9)
    one_by_one = bootstrap.bootstrap_areas(labels == 1, scores, 4000, 0)
    np.testing.assert_allclose(by_cell.mean(axis=1), one_by_one.mean(axis=1), atol=0.01)
    np.testing.assert_allclose(by_cell.std(axis=1), one_by_one.std(axis=1), rtol=0.1)


def test_groups_of_one_example_widen_nothing_and_copies_do():
    labels, scores = shifted_normals(np.random.default_rng(2), 60, 60, 1.0)
    labels, scores = np.tile(labels, 4), np.tile(scores, 4)
    single = bootstrap.bootstrap_areas(labels == 1, scores, 1000, 0, np.arange(480))
    stratified = bootstrap.bootstrap_areas(labels == 1, scores, 1000, 0)
    copies = bootstrap.bootstrap_areas(labels == 1, scores, 1000, 0, np.tile(np.arange(120), 4))
    assert single[0].std() == pytest.approx(stratified[0].std(), rel=0.15)
    assert copies[0].std() == pytest.approx(2 * single[0].std(), rel=0.15)
