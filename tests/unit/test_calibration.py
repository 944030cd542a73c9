"""Scores as probabilities, and how far they are off."""

import numpy as np
import pytest
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from motifloom import calibration
from motifloom.files import InputError


def sample(n=200, seed=0, slope=1.5, intercept=-1.0):
    """Labels and scores whose true probability is sigmoid(slope s + intercept)."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n) * 2
    return rng.random(n) < calibration.sigmoid(slope * scores + intercept), scores


@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_platt_equals_scikit_learns(shift):
    labels, scores = sample()
    fitted = calibration.fit_platt(labels, scores + shift)
    # Its curve is 1 / (1 + exp(a s + b)), with the same smoothed targets.
    a, b = _sigmoid_calibration(scores, labels.astype(int))
    assert fitted["method"] == "platt"
    assert fitted["slope"] == pytest.approx(-a, rel=1e-3)
    assert fitted["slope"] * shift + fitted["intercept"] == pytest.approx(-b, rel=1e-2, abs=1e-2)
    mean = calibration.apply(fitted, scores + shift).mean()
    assert mean == pytest.approx((labels.sum() + 1) / 202, abs=0.01)


@pytest.mark.parametrize("n", [3, 50, 1000])
def test_platt_is_the_likeliest_curve(n):
    labels, scores = sample(n, seed=3, slope=9.0)
    labels[:2] = True, False
    targets = np.where(labels, (labels.sum() + 1) / (labels.sum() + 2), 1 / ((~labels).sum() + 2))
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
    weights = np.concatenate([targets, 1 - targets])
    model.fit(np.tile(scores, 2)[:, None], np.repeat([1, 0], n), weights)
    fitted = calibration.fit_platt(labels, scores)
    assert fitted["slope"] == pytest.approx(model.coef_[0, 0], rel=1e-5)
    assert fitted["intercept"] == pytest.approx(model.intercept_[0], rel=1e-5)


def test_platt_finds_the_true_curve():
    labels, scores = sample(20_000)
    fitted = calibration.fit_platt(labels, scores)
    assert fitted["slope"] == pytest.approx(1.5, abs=0.1)
    assert fitted["intercept"] == pytest.approx(-1.0, abs=0.1)


def test_platt_of_two_examples_is_their_smoothed_targets():
    # (1 + 1) / (1 + 2) and 1 / (1 + 2): separated classes have a finite slope.
    fitted = calibration.fit_platt([1, 0], [1.0, -1.0])
    assert calibration.apply(fitted, [1.0, -1.0]) == pytest.approx([2 / 3, 1 / 3], abs=1e-6)
    assert fitted["slope"] == pytest.approx(np.log(2), abs=1e-5)


def test_platt_of_constant_scores_is_their_share():
    fitted = calibration.fit_platt([1, 0, 0, 0], np.full(4, 7.0))
    # Targets 2/3 once and 1/5 three times.
    assert fitted["slope"] == 0
    assert calibration.apply(fitted, [7.0, -3.0]) == pytest.approx([(2 / 3 + 3 / 5) / 4] * 2)


def test_platt_falls_where_scores_run_the_other_way():
    labels, scores = sample()
    assert calibration.fit_platt(labels, -scores)["slope"] < 0


def test_isotonic_by_hand():
    fitted = calibration.fit_isotonic([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0])
    # The two in the middle stand the wrong way round and share their mean.
    assert calibration.apply(fitted, [0.0, 1, 2, 2.5, 3, 4, 9]) == pytest.approx(
        [0, 0, 0.5, 0.5, 0.5, 1, 1]
    )
    assert isinstance(fitted["scores"][0], float)


def test_isotonic_equals_scikit_learns_predictions():
    labels, scores = sample()
    fitted = calibration.fit_isotonic(labels, scores)
    model = IsotonicRegression(out_of_bounds="clip").fit(scores, labels.astype(float))
    points = np.linspace(-9, 9, 101)
    assert calibration.apply(fitted, points) == pytest.approx(model.predict(points))


def test_isotonic_of_constant_scores():
    fitted = calibration.fit_isotonic([1, 0, 0, 0], np.zeros(4))
    assert calibration.apply(fitted, [-1.0, 0.0, 1.0]) == pytest.approx([0.25] * 3)


def test_sigmoid_of_large_numbers():
    assert calibration.sigmoid([-1e4, 0, 1e4]).tolist() == [0, 0.5, 1]


def test_error_of_four_examples():
    labels, probabilities = np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8])
    # Two bins: observed 0 against 0.2, observed 1 against 0.7; each holds half.
    found = calibration.expected_error(labels, probabilities, n_bins=2)
    assert found == pytest.approx(0.5 * 0.2 + 0.5 * 0.3)
    # One bin: .5 against .45.
    assert calibration.expected_error(labels, probabilities, n_bins=1) == pytest.approx(0.05)


def test_equal_probabilities_share_a_bin():
    labels = np.array([1, 0, 0, 0])
    assert calibration.expected_error(labels, np.full(4, 0.25)) == 0
    table = calibration.reliability(labels, np.full(4, 0.25))
    assert table[["bin", "predicted", "observed", "n"]].to_numpy().tolist() == [[1, 0.25, 0.25, 4]]


def test_nothing_has_no_error():
    assert np.isnan(calibration.expected_error([], []))
    assert len(calibration.reliability([], [])) == 0
    assert np.isnan(calibration.expected_error_interval([], [], 10, 0, [])).all()
    assert np.isnan(calibration.expected_error_interval([1], [0.5], 0, 0, [0])).all()


def test_reliability_by_hand():
    labels = np.array([0, 1, 1, 1])
    table = calibration.reliability(labels, np.array([0.2, 0.4, 0.6, 0.8]), n_bins=2)
    assert table["bin"].tolist() == [1, 2]
    assert table["predicted"].tolist() == pytest.approx([0.3, 0.7])
    assert table["observed"].tolist() == [0.5, 1]
    assert table["n"].tolist() == [2, 2]


def test_wilson_equals_scipys():
    from scipy.stats import binomtest

    hits, n = np.array([0, 3, 10]), np.array([10, 10, 10])
    low, high = calibration.wilson_interval(hits / n, n)
    for number, count in enumerate(hits):
        expected = binomtest(int(count), 10).proportion_ci(method="wilson")
        assert (low[number], high[number]) == pytest.approx((expected.low, expected.high))
    assert (low[0], high[2]) == (0, 1)


def test_bins_hold_about_as_many_each():
    _, scores = sample(1003)
    counts = calibration.reliability(np.zeros(1003), calibration.sigmoid(scores))["n"]
    assert len(counts) == 10
    assert counts.sum() == 1003
    assert counts.max() - counts.min() <= 1


def test_the_interval_holds_the_error_and_copies_widen_it():
    labels, scores = sample(300)
    probabilities = calibration.sigmoid(scores)
    error = calibration.expected_error(labels, probabilities)
    low, high = calibration.expected_error_interval(labels, probabilities, 500, 1, np.arange(300))
    assert low < error < high
    again = calibration.expected_error_interval(labels, probabilities, 500, 1, np.arange(300))
    assert again == (low, high)
    copied = [np.tile(values, 4) for values in (labels, probabilities, np.arange(300))]
    alone = calibration.expected_error_interval(*copied[:2], 500, 1, np.arange(1200))
    together = calibration.expected_error_interval(*copied[:2], 500, 1, copied[2])
    assert together[1] - together[0] > 1.5 * (alone[1] - alone[0])


def test_a_map_that_does_not_rise_is_refused(tmp_path):
    fitted = {"method": "isotonic", "scores": [1.0, 0.0], "probabilities": [0.1, 0.9]}
    with pytest.raises(InputError, match="is no map of platt or isotonic"):
        calibration.check_map(fitted, tmp_path / "calibration.json")
