"""The best test sequences: table, arrays and figures."""

import numpy as np
import pytest
from builders import random_codes, store_of
from test_mutagenesis import ensemble_of

from motifloom import models
from motifloom.files import read_table
from motifloom.mutagenesis import mutate
from motifloom.sequence_attributions import attribute_sequences, top_bound
from motifloom.store import read_arrays

SPLIT = ["train"] * 3 + ["validation"] * 2 + ["test"] * 5
TARGETS = [1, 0, 1, 1, 0, 1, 0, 1, 1, 0]


def run(tmp_path, store, model, **changes):
    store.write(tmp_path / "store.safetensors")
    models.save(model, tmp_path / "weights.safetensors")
    attribute_sequences(
        tmp_path / "store.safetensors",
        tmp_path / "weights.safetensors",
        tmp_path / "sequences.tsv",
        tmp_path / "attributions.safetensors",
        tmp_path / "drawn",
        **{"limit": 2, "drawn": 1, "seed": 1} | changes,
    )
    arrays, info = read_arrays(tmp_path / "attributions.safetensors")
    return read_table(tmp_path / "sequences.tsv"), arrays, info


def test_the_best_bound_test_sequences(tmp_path):
    codes, model = random_codes(7, 10, 40), ensemble_of(both_strands=True)
    store = store_of(codes, TARGETS, SPLIT)
    table, arrays, info = run(tmp_path, store, model)
    scores = model.score(codes)[:, 0]
    best = sorted([5, 7, 8], key=lambda row: -scores[row])[:2]
    assert table["row"].tolist() == best and table["rank"].tolist() == [1, 2]
    assert table[["chrom", "start", "end", "strand"]].isna().all(axis=None)
    np.testing.assert_allclose(table["score"], scores[best], rtol=1e-5)
    np.testing.assert_array_equal(arrays["codes"], codes[best])
    np.testing.assert_array_equal(arrays["mutagenesis"], mutate(model, codes[best]))
    assert arrays["deeplift"].shape == (2, 4, 40)
    assert info["method"] == "deeplift" and info["dataset"] == "set1"
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["1.svg"]


def test_coordinates(tmp_path):
    store = store_of(random_codes(7, 10, 40), TARGETS, SPLIT, chromosomes=["chrI"])
    store.chrom[:], store.start[:], store.strand[:] = 0, np.arange(10) * 100, 1
    table, _, _ = run(tmp_path, store, ensemble_of(), limit=1)
    assert table["chrom"].tolist() == ["chrI"] and table["strand"].tolist() == ["-"]
    assert (table["start"] == table["row"] * 100).all()
    assert (table["end"] == table["start"] + 40).all()


def test_without_bound_test_sequences_all_is_empty(tmp_path):
    store = store_of(random_codes(7, 10, 40), [1] * 5 + [0] * 5, SPLIT)
    table, arrays, _ = run(tmp_path, store, ensemble_of())
    assert list(table) == ["rank", "chrom", "start", "end", "strand", "score", "row"]
    assert len(table) == 0 and arrays["mutagenesis"].shape == (0, 4, 40)
    assert list((tmp_path / "drawn").iterdir()) == []


@pytest.mark.parametrize(("splits", "rows"), [(("test",), {8, 9}), (("train",), {1, 2})])
def test_of_scores_the_upper_half_counts_as_bound(splits, rows):
    targets = [0.0, 3, 5, 2, 2, 1, 0, 2, 4, 9]
    store = store_of(random_codes(7, 10, 40), targets, SPLIT, labels="score")
    assert set(top_bound(store, ensemble_of(), splits, 5)[0]) == rows
