"""TF-MoDISco: a planted motif is found, and too little is said so."""

import logging

import numpy as np
import pytest
from builders import random_codes, store_of
from test_mutagenesis import ensemble_of

from motifloom import models, modisco
from motifloom.files import read_table
from motifloom.modisco import COLUMNS, discover_modisco, find_patterns
from motifloom.motif_files import read_meme, write_meme
from motifloom.motifs import Motif, consensus
from motifloom.sequences import encode, one_hot

WORDS = ("TGACTCAGC", "CCGGAAGTG")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_planted_motifs_are_found(monkeypatch):
    monkeypatch.setitem(modisco._SETTINGS, "n_leiden_runs", 2)
    rng = np.random.default_rng(0)
    codes, places = random_codes(0, 300, 61), rng.integers(20, 32, size=300)
    values = rng.normal(0, 0.05, size=(300, 4, 61)).astype(np.float32)
    rows = np.arange(300)
    for at in range(9):
        best = np.array([encode(word)[at] for word in WORDS])[rows % 2]
        own = np.where(rng.random(300) < 0.07, rng.integers(4, size=300), best)
        codes[rows, places + at] = own
        values[rows, :, places + at] -= 0.3
        values[rows, best, places + at] += 1 + rng.normal(0, 0.3, size=300)
    found = find_patterns(codes, values)
    assert [motif.name for motif in found] == ["pos0", "pos1"]
    assert {consensus(motif.matrix).strip("N") for motif in found} == set(WORDS)
    assert all(motif.n_sites > 50 for motif in found)


def test_too_few_sequences_are_said_so(tmp_path, caplog):
    n = 50
    store = store_of(random_codes(1, n, 40), np.ones(n), ["train"] * n)
    store.write(tmp_path / "store.safetensors")
    models.save(ensemble_of(), tmp_path / "weights.safetensors")
    write_meme([Motif("m", one_hot(encode("ACGT")[None])[0], n_sites=1)], tmp_path / "db.meme")
    with caplog.at_level(logging.WARNING):
        discover_modisco(
            tmp_path / "store.safetensors",
            tmp_path / "weights.safetensors",
            tmp_path / "db.meme",
            tmp_path / "modisco.meme",
            tmp_path / "modisco.tsv",
            limit=1000,
            seed=1,
        )
    assert "is given 50 of 40 bp" in caplog.text
    assert read_meme(tmp_path / "modisco.meme") == []
    table = read_table(tmp_path / "modisco.tsv")
    assert list(table) == COLUMNS and len(table) == 0
