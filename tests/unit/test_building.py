"""Multi-task networks as their presets start them."""

import numpy as np
import pytest
import torch

from motifloom.building import build_network
from motifloom.files import InputError
from motifloom.motif_files import write_meme
from motifloom.motifs import Motif
from motifloom.presets import MULTITASK, choose

SMALL = {
    "danq-2016": {"lstm_units": 4, "dense_units": 5},
    "danq-jaspar": {"n_kernels": 6, "lstm_units": 4, "dense_units": 5},
}


@pytest.fixture
def matrices(tmp_path):
    columns = np.array([[0.7, 0.1, 0.1, 0.1]] * 8).T
    write_meme([Motif(f"m{i}", columns, n_sites=9) for i in range(4)], tmp_path / "known.meme")
    return tmp_path / "known.meme"


def build(name, seed=1, matrices=None):
    return build_network(choose(MULTITASK, name, SMALL.get(name, {})), 200, 3, 60, seed, matrices)


@pytest.mark.parametrize("name", MULTITASK)
def test_every_preset_is_built(name, matrices):
    network, started = build(name, matrices=matrices)
    assert type(network).__name__ == MULTITASK[name].network
    assert network(torch.zeros(2, 200, dtype=torch.uint8)).shape == (2, 3)
    assert network.hyperparameters.get("centre", 60) == 60
    assert len(started) == (6 if name == "danq-jaspar" else 0)


def test_the_same_seed_builds_the_same_network(matrices):
    (a, names), (b, again), (c, _) = (build("danq-jaspar", s, matrices) for s in (1, 1, 2))
    for name, tensor in a.state_dict().items():
        assert torch.equal(tensor, b.state_dict()[name])
    assert names == again
    assert not torch.equal(a.conv.weight, c.conv.weight)


def test_published_weights_start_small():
    network, _ = build("danq-2016")
    for name, parameter in network.named_parameters():
        assert parameter.abs().max() <= 0.05
        assert parameter.any() != ("bias" in name)


def test_half_of_the_kernels_start_from_matrices(matrices):
    network, names = build("danq-jaspar", matrices=matrices)
    assert len({*names[:3]}) == 3 and names[3:] == ["", "", ""]
    found = network.conv.weight[:3].detach().numpy()
    assert np.isclose(found[:, 0], 0.45).sum() == 3 * 8


def test_matrices_that_are_missing(tmp_path):
    with pytest.raises(InputError, match="starts kernels from matrices; give a MEME file"):
        build("danq-jaspar")
    (tmp_path / "none.meme").write_text("MEME version 4\n\nALPHABET= ACGT\n")
    with pytest.raises(InputError, match="holds no motif to start kernels from"):
        build("danq-jaspar", matrices=tmp_path / "none.meme")
