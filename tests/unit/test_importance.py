"""What a model loses when kernels are silenced."""

import numpy as np
import pytest
import torch
from builders import DANQ, info_of, random_codes

from motifloom import inference, models
from motifloom.importance import Judged, drops, is_linear


def ensemble(n_members=2, **settings):
    torch.manual_seed(0)
    networks = [
        models.DeepBind(20, n_kernels=5, kernel_size=4, **settings) for _ in range(n_members)
    ]
    return networks


def model_of(networks, **info):
    return models.TrainedModel(networks, info_of(networks, **info))


def readable(model, folder):
    """The model as jobs read it."""
    models.save(model, folder / "weights.safetensors")
    return inference.load(folder)


def judged_of(n=60, length=20, n_targets=1, metric="auroc"):
    targets = np.random.default_rng(1).integers(0, 2, (n, n_targets)).astype(np.float32)
    return Judged(random_codes(2, n, length, letters=5), targets, metric)


def by_hand(model, judged, group):
    """The metric's loss by networks whose kernels are silenced for good."""
    whole = judged.value(model(torch.from_numpy(judged.codes)).detach().numpy())
    for member, kernels in group.items():
        with torch.no_grad():
            for kernel in kernels:
                model.networks[member].conv.weight[kernel] = 0
                model.networks[member].conv.bias[kernel] = -1e30
    return whole - judged.value(model(torch.from_numpy(judged.codes)).detach().numpy())


@pytest.mark.parametrize("strands", ["given", "mean", "max"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"both_strands": True, "place_bin": 3},
        {"pooling": "max+mean", "padding": True},
        {"hidden_units": 3},
    ],
)
def test_drops_are_those_of_networks_without_the_kernels(settings, strands, tmp_path):
    judged = judged_of()
    groups = [{0: [1]}, {0: [0, 3], 1: [2]}, {}]
    read = readable(model_of(ensemble(**settings), strands=strands), tmp_path)
    found = drops(read, judged, groups)
    for group, drop in zip(groups, found, strict=True):
        model = model_of(ensemble(**settings), strands=strands)
        assert drop == pytest.approx(by_hand(model, judged, group), abs=2e-3)
    assert found[2] == 0


@pytest.mark.parametrize("kind", [models.DanQ, models.ResNet])
def test_other_networks_are_run_again(kind, tmp_path):
    torch.manual_seed(0)
    settings = DANQ if kind is models.DanQ else {"length": 40, "n_targets": 3, "n_kernels": 5}
    model = model_of([kind(**settings).eval()])
    read = readable(model, tmp_path)
    assert not is_linear(read)
    judged = judged_of(30, 40, 3)
    (drop,) = drops(read, judged, [{0: [0, 1, 2, 3, 4]}])
    # Without any kernel all sequences look the same.
    whole = judged.value(model(torch.from_numpy(judged.codes)).detach().numpy())
    assert drop == pytest.approx(whole - 0.5)


@pytest.mark.parametrize("kind", [models.DeepBind, models.ResNet])
def test_silenced_kernels_come_back(kind, tmp_path):
    torch.manual_seed(0)
    model = model_of([kind(20, n_targets=1, n_kernels=5, kernel_size=4).eval()])
    (network,) = readable(model, tmp_path).networks
    before = network.weight.copy(), network.bias.copy()
    codes = random_codes(0, 4, 20)
    with network.silenced([1, 3]) as quiet:
        assert (quiet.activations(codes)[:, [1, 3]] == 0).all()
    np.testing.assert_array_equal(network.weight, before[0])
    np.testing.assert_array_equal(network.bias, before[1])


def test_scores_lose_correlation_and_no_examples_lose_nothing(tmp_path):
    judged = judged_of(metric="pearson")
    model = readable(model_of(ensemble()), tmp_path)
    assert np.isfinite(drops(model, judged, [{0: [0]}])).all()
    empty = Judged(judged.codes[:0], judged.targets[:0], "auroc")
    assert np.isnan(drops(model, empty, [{0: [0]}, {1: [0]}])).tolist() == [True, True]


def test_a_metric_over_targets_leaves_out_those_with_one_class():
    targets = np.array([[1, 1], [0, 1], [1, 1], [0, 1]], np.float32)
    logits = np.array([[3.0, 0], [1, 0], [0, 0], [2, 0]])
    # Of four pairs two are in order.
    assert Judged(random_codes(0, 4, 8), targets, "auroc").value(logits) == 0.5
