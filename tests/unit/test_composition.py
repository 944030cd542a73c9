"""Base composition and score histograms of kinds of examples."""

import numpy as np
import pytest

from motifloom import composition
from motifloom.sequences import encode


def codes_of(*words):
    return np.stack([encode(word) for word in words])


def test_composition_by_hand():
    codes = codes_of("AACG", "ACGT", "GGNA", "TTTT")
    groups = [("positive", np.array([0, 1])), ("gc", np.array([2, 3]))]
    table = composition.base_composition(codes, groups).set_index("kind")
    assert tuple(table.reset_index()) == composition.COMPOSITION_COLUMNS
    assert table["n"].tolist() == [2, 2]
    # GC of both 1/2; of the others 2 of the 3 known bases, and 0.
    assert table["gc_mean"].tolist() == pytest.approx([0.5, 1 / 3])
    assert table["gc_sd"].tolist() == pytest.approx([0, (2 / 3) / np.sqrt(2)])
    # Pairs: AA, AC, CG and AC, CG, GT.
    first = table.loc["positive", list(composition.DINUCLEOTIDES)]
    assert {name: share for name, share in first.items() if share} == pytest.approx(
        {"AA": 1 / 6, "AC": 2 / 6, "CG": 2 / 6, "GT": 1 / 6}
    )
    # GG and three TT: pairs with an N count nowhere.
    second = table.loc["gc", list(composition.DINUCLEOTIDES)]
    assert {name: s for name, s in second.items() if s} == pytest.approx({"GG": 1 / 4, "TT": 3 / 4})


def test_composition_of_little():
    codes = codes_of("ACGT", "NNNN")
    groups = [("one", np.array([0])), ("unknown", np.array([1])), ("none", np.empty(0, int))]
    table = composition.base_composition(codes, groups)
    assert table["n"].tolist() == [1, 1, 0]
    assert table["gc_mean"].fillna(-1).tolist() == [0.5, -1, -1]
    assert table["gc_sd"].isna().all()
    assert table["AC"].fillna(-1).tolist() == pytest.approx([1 / 3, -1, -1])


def test_composition_in_blocks_is_the_same(monkeypatch):
    codes = np.random.default_rng(0).integers(5, size=(50, 9), dtype=np.uint8)
    groups = [("all", np.arange(50)[::-1])]
    whole = composition.base_composition(codes, groups)
    monkeypatch.setattr(composition, "_BASES", 20)
    assert composition.base_composition(codes, groups).equals(whole)


def test_histograms_by_hand():
    scores = np.array([0.0, 1, 1, 40, np.nan], np.float32)
    bound = np.array([False, True, False, True, True])
    models = [("mine", scores), ("silent", np.full(5, np.nan))]
    table = composition.score_distributions(models, [("positive", bound), ("gc", ~bound)])
    assert tuple(table) == composition.DISTRIBUTION_COLUMNS
    assert set(table["model"]) == {"mine"}
    found = {kind: part[part["count"] > 0] for kind, part in table.groupby("kind")}
    # 40 bins of width 1; the last one holds its high end.
    columns = ["low", "high", "count"]
    assert found["positive"][columns].to_numpy().tolist() == [[1, 2, 1], [39, 40, 1]]
    assert found["gc"][columns].to_numpy().tolist() == [[0, 1, 1], [1, 2, 1]]


def test_histogram_of_constant_scores_and_of_none():
    one = composition.score_distributions([("flat", np.zeros(3))], [("all", np.ones(3, bool))])
    assert one["count"].sum() == 3
    none = composition.score_distributions([("flat", np.zeros(0))], [])
    assert tuple(none) == composition.DISTRIBUTION_COLUMNS
    assert len(none) == 0
