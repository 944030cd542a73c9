"""Single numbers: equal to those of scikit-learn and SciPy."""

import numpy as np
import pytest
from scipy.stats import false_discovery_control
from sklearn.metrics import roc_auc_score

from motifloom.metrics import auroc, benjamini_hochberg


def test_qvalues_by_hand():
    found = benjamini_hochberg(np.array([0.04, 0.01, 0.5, 0.03]))
    # 4/3 of .04 is below 4/2 of .03.
    np.testing.assert_allclose(found, [0.16 / 3, 0.04, 0.5, 0.16 / 3])


@pytest.mark.parametrize("shape", [(1,), (30,), (4, 9)])
def test_qvalues_are_those_of_scipy(shape):
    pvalues = np.random.default_rng(0).random(shape).round(2)
    expected = false_discovery_control(pvalues, axis=-1)
    np.testing.assert_allclose(benjamini_hochberg(pvalues), expected, rtol=1e-12)


def test_auroc_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 50), rng.integers(0, 9, 50)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert np.isnan(auroc(np.ones(3), np.arange(3)))
