"""Attributions: DeepLIFT adds up, on networks that equal ours, and gradients elsewhere."""

import numpy as np
import pytest
import torch
from builders import DANQ, random_codes
from test_mutagenesis import SETTINGS, ensemble_of, network_of

from motifloom.attribution import PlainDeepBind, attribute, contributions
from motifloom.danq import DanQ
from motifloom.sequences import encode, one_hot


@pytest.mark.parametrize("settings", SETTINGS)
def test_plain_networks_give_the_same_logits(settings):
    network = network_of(**settings)
    codes = random_codes(1, 4, 40, letters=5)
    x = torch.from_numpy(one_hot(codes, 0.25 if network.conv.padding else 0.0))
    plain = PlainDeepBind([network], "given", 40)
    with torch.inference_mode():
        torch.testing.assert_close(plain(x), network(torch.tensor(codes)), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("strands", ["given", "mean", "max"])
@pytest.mark.parametrize("settings", [SETTINGS[2], SETTINGS[5]])
def test_contributions_add_up_to_the_difference_from_the_references(strands, settings):
    model = ensemble_of(strands, scale=2.0, **settings)
    codes = random_codes(1, 3, 40)
    codes[2, 5] = 4
    found = attribute(model, codes, n_references=4, seed=3)
    assert found.method == "deeplift" and found.values.dtype == np.float32
    assert found.gap < 1e-5
    sums = contributions(found.values, codes).sum((1, 2))
    assert np.abs(sums[:2]).min() > 1e-4
    assert not contributions(found.values, codes)[2, :, 5].any()


def test_does_not_depend_on_the_other_sequences():
    network, codes = network_of(both_strands=True), random_codes(1, 3, 40)
    together = attribute(network, codes, n_references=3, rows=np.array([4, 9, 2])).values
    alone = attribute(network, codes[1:2], n_references=3, rows=np.array([9])).values
    np.testing.assert_allclose(together[1:2], alone, atol=1e-6)


def test_the_bases_of_a_motif_contribute_most():
    network, word = network_of(n_kernels=1), encode("GATTACA")
    with torch.no_grad():
        network.conv.weight[0] = torch.from_numpy(one_hot(word[None])[0])
        network.conv.bias[:] = -2
    codes = random_codes(1, 1, 40)
    codes[0, 10:17] = word
    found = contributions(attribute(network, codes).values, codes)[0]
    worth = found.sum(0) / network.dense.weight[0, 0].item()
    assert worth[10:17].sum() > 2 * np.abs(np.delete(worth, np.arange(10, 17))).sum()


def test_other_networks_have_gradients():
    torch.manual_seed(0)
    network = DanQ(**DANQ).eval()
    found = attribute(network, random_codes(1, 2, 40), target=1)
    assert found.method == "gradient" and np.isnan(found.gap)
    assert found.values.shape == (2, 4, 40) and np.abs(found.values).max() > 0


def test_no_sequences():
    found = attribute(network_of(), random_codes(1, 0, 40))
    assert found.values.shape == (0, 4, 40)
