"""Figures of mutation maps."""

import re

import numpy as np
import pytest
from builders import random_codes

from motifloom.mutation_maps import draw_mutation_map, importance, most_important
from motifloom.sequences import one_hot


def inputs(length, seed=0):
    codes = random_codes(seed, 1, length)[0]
    changes = np.random.default_rng(seed).normal(size=(4, length)).astype(np.float32)
    changes *= 1 - one_hot(codes[None])[0]
    return codes, changes, one_hot(codes[None])[0] * 0.5


def texts(path):
    return re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())


def test_importance_is_the_largest_loss():
    changes = np.array([[0, 2], [-3, 0], [1, 1], [-1, 4]], np.float32)
    np.testing.assert_array_equal(importance(changes), [3, 0])


@pytest.mark.parametrize(("peak", "expected"), [(0, 0), (50, 46), (99, 90)])
def test_the_part_that_matters(peak, expected):
    changes = np.zeros((4, 100), np.float32)
    changes[1, peak] = -2
    shown = most_important(changes, 10)
    assert shown.start <= peak < shown.stop and shown.stop - shown.start == 10
    assert abs(shown.start - expected) <= 5


def test_is_drawn_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        draw_mutation_map(*inputs(30), "T$1$ · chr1:1-30", tmp_path / f"{name}.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert {"T$1$ · chr1:1-30", "A", "C", "G", "T", "DeepLIFT"} <= set(texts(tmp_path / "a.svg"))


def test_rna_shows_u(tmp_path):
    draw_mutation_map(*inputs(30), "", tmp_path / "a.svg", alphabet="rna", method="gradient")
    assert {"U", "gradient"} <= set(texts(tmp_path / "a.svg")) and "T" not in texts(
        tmp_path / "a.svg"
    )


@pytest.mark.filterwarnings("error")
def test_flat_maps_unknown_bases_and_long_sequences(tmp_path):
    codes, changes, found = inputs(200)
    codes[:60] = 4
    draw_mutation_map(codes, changes * 0, found * 0, "flat", tmp_path / "a.svg")
    draw_mutation_map(codes, changes, found, "long", tmp_path / "b.svg")
    assert "flat" in texts(tmp_path / "a.svg")
