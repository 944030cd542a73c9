"""Mutagenesis: every substitution's change, against scoring each variant."""

import numpy as np
import pytest
import torch
from builders import DANQ, info_of, random_codes

from motifloom import mutagenesis
from motifloom.danq import DanQ
from motifloom.models import DeepBind, TrainedModel
from motifloom.mutagenesis import mutate, mutate_each
from motifloom.sequences import encode, reverse_complement
from motifloom.substitutions import logit_changes

SETTINGS = [
    {},
    {"both_strands": True, "n_kernels": 3},
    {"both_strands": True, "place_bin": 3, "n_kernels": 21},
    {"padding": True, "kernel_size": 5, "hidden_units": 4},
    {"padding": True, "pooling": "max+mean"},
    {"both_strands": True, "pooling": "max+mean", "hidden_units": 7, "place_bin": 2},
    {"kernel_size": 34, "both_strands": True},
    {"kernel_size": 40},
    {"n_targets": 3},
]


def network_of(seed=0, **settings):
    """An untrained network of 40 bp whose kernels fire here and there."""
    torch.manual_seed(seed)
    network = DeepBind(**{"length": 40, "n_kernels": 18, "kernel_size": 7} | settings)
    with torch.no_grad():
        network.conv.bias.uniform_(-0.8, 0.3)
        if network.conv.places is not None:
            network.conv.places.uniform_(-0.3, 0.3)
    return network.eval()


def ensemble_of(strands="given", scale=1.0, **settings):
    networks = [network_of(seed, **settings) for seed in (1, 2)]
    info = info_of(networks, strands=strands, target_scale=scale, target_mean=3.0)
    return TrainedModel(networks, info)


def mixed_codes(length=40):
    """Random bases, with N, of one base alone, of N alone and with repeats."""
    codes = random_codes(5, 6, length, letters=5)
    codes[1] = 0
    codes[2] = 4
    codes[3] = np.resize(encode("ACG"), length)
    return codes


@pytest.mark.parametrize("settings", SETTINGS)
def test_equals_scoring_every_variant(settings):
    network = network_of(**settings)
    target = settings.get("n_targets", 1) - 1
    found = mutate(network, mixed_codes(), target)
    expected = mutate_each(network, mixed_codes(), target)
    assert found.dtype == np.float32 and found.shape == (6, 4, 40)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected).max() > 1e-3


@pytest.mark.parametrize("strands", ["given", "mean", "max"])
def test_ensembles_put_strands_together_for_each_variant(strands):
    model = ensemble_of(strands, scale=2.5)
    found, expected = mutate(model, mixed_codes()), mutate_each(model, mixed_codes())
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_one_kernel_by_hand():
    network = DeepBind(length=3, n_kernels=1, kernel_size=2)
    with torch.no_grad():
        network.conv.weight[0] = torch.tensor([[1.0, 0], [0, 2], [0, 0], [0, 0]])  # A, then C
        network.conv.bias[:] = -1
        network.dense.weight[:] = 10
        network.dense.bias[:] = 5
    # AAG: the windows AA and AG have 1, and the threshold takes it all. AC has 3, and C behind
    # anything but A has 2.
    expected = [[0, 0, 0], [0, 20, 20], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(mutate(network, encode("AAG")[None])[0], expected)
    # ACG has 3 at ACx: what breaks it costs.
    expected = [[0, -20, 0], [-10, 0, 0], [-10, -20, 0], [-10, -20, 0]]
    np.testing.assert_array_equal(mutate(network, encode("ACG")[None])[0], expected)


def test_is_zero_at_the_base_itself():
    codes = mixed_codes()
    found = mutate(ensemble_of("max", both_strands=True), codes)
    own = codes[:, None] == np.arange(4)[:, None]
    assert not found[own].any()


def test_reverse_complements_have_mirrored_maps():
    network = network_of(both_strands=True, place_bin=3)
    codes = mixed_codes()
    found = mutate(network, reverse_complement(codes))
    np.testing.assert_allclose(found[:, ::-1, ::-1], mutate(network, codes), atol=1e-6)


def test_does_not_depend_on_the_batch():
    network, codes = network_of(both_strands=True), random_codes(3, 70, 40)
    together = mutate(network, codes)
    alone = np.concatenate([mutate(network, codes[i : i + 1]) for i in range(len(codes))])
    np.testing.assert_array_equal(together, alone)


def test_does_not_depend_on_the_threads(monkeypatch):
    network, codes = network_of(both_strands=True), random_codes(3, 40, 40)
    one = logit_changes(network, codes)
    monkeypatch.setattr("motifloom.substitutions._THREAD_WORTH", 1)
    monkeypatch.setattr("motifloom.substitutions.share_rows", _three_shares)
    np.testing.assert_array_equal(logit_changes(network, codes), one)


def _three_shares(n, work, worth):
    assert worth > 3
    for first in range(0, n, 14):
        work(first, min(first + 14, n))


def test_longer_sequences_and_none_at_all():
    network = network_of(both_strands=True, place_bin=3)
    codes = random_codes(2, 2, 90)
    np.testing.assert_allclose(mutate(network, codes), mutate_each(network, codes), atol=1e-5)
    assert mutate(network, codes[:0]).shape == (0, 4, 90)


def test_other_networks_score_every_variant():
    torch.manual_seed(0)
    network = DanQ(**DANQ).eval()
    codes = random_codes(1, 2, 40)
    found = mutate(network, codes, target=2, batch_size=50)
    variant = codes[1].copy()
    variant[7] = (variant[7] + 1) % 4
    with torch.inference_mode():
        logits = network(torch.tensor(np.stack([codes[1], variant])))[:, 2]
    assert found[1, variant[7], 7] == pytest.approx(float(logits[1] - logits[0]), abs=1e-6)
    assert found.shape == (2, 4, 40)


def test_scores_are_the_change_added():
    model, codes = ensemble_of("max", scale=2.0), random_codes(4, 2, 40)
    variant = codes.copy()
    variant[:, 11] = 2
    expected = model.score(variant)[:, 0]
    found = model.score(codes)[:, 0] + mutagenesis.mutate(model, codes)[:, 2, 11]
    np.testing.assert_allclose(found, expected, atol=1e-5)
