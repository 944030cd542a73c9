"""The compiled training steps against PyTorch: losses, gradients and updates."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import random_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from motifloom import models, networks, steps
from motifloom.presets import DeepBindPreset

LENGTH = 20


def preset_of(**changes):
    return DeepBindPreset(**{"n_kernels": 3, "kernel_size": 5, "batch_size": 4} | changes)


def start(preset, length=LENGTH, loss="cross-entropy", seed=0):
    """A network with random biases too, so that nothing is 0 by chance of its start."""
    network = networks.start_network(preset, length, "dna", loss, seed)
    noise = np.random.default_rng(seed).normal(0, 0.1, len(network.theta)).astype(np.float32)
    return network.with_theta(np.where(used(network), network.theta + noise, 0).astype(np.float32))


def used(network):
    """Which parameters belong to kernels that exist."""
    marked = network.with_theta(np.arange(len(network.theta), dtype=np.float32))
    found = np.zeros(len(network.theta), bool)
    for tensor in marked.tensors().values():
        found[tensor.astype(np.int64).ravel()] = True
    return found


def as_torch(network, preset, length=LENGTH):
    """The same network in PyTorch."""
    built = models.DeepBind(
        length, preset.n_kernels, preset.kernel_size, hidden_units=preset.hidden_units,
        both_strands=preset.both_strands, pooling=preset.pooling, place_bin=preset.place_bin,
        padding=preset.padding,
    )  # fmt: skip
    tensors = {k: torch.tensor(np.ascontiguousarray(v)) for k, v in network.tensors().items()}
    built.load_state_dict(tensors)
    return built


def logits_of(built, preset, x):
    logits = built(x)[:, 0]
    if preset.strands != "max":
        return logits
    return torch.maximum(logits, built(models.reverse_complement(x))[:, 0])


@st.composite
def cases(draw):
    preset = preset_of(
        n_kernels=draw(st.integers(1, 20)),
        kernel_size=draw(st.integers(1, 14)),
        hidden_units=draw(st.sampled_from([0, 3])),
        pooling=draw(st.sampled_from(["max", "max+mean"])),
        place_bin=draw(st.sampled_from([0, 1, 3])),
        padding=draw(st.booleans()),
        **draw(st.sampled_from([{}, {"both_strands": True}, {"strands": "max"}])),
        optimiser=draw(st.sampled_from(["adam", "nesterov"])),
        momentum=0.9,
        smoothing=draw(st.sampled_from([0.0, 0.1])),
    )
    length = draw(st.integers(preset.kernel_size, 30))
    return preset, length, draw(st.sampled_from(["cross-entropy", "mse"])), draw(st.integers(0, 99))


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cases())
def test_steps_equal_pytorch_in_loss_and_parameters(case):
    preset, length, loss, seed = case
    network = start(preset, length, loss, seed)
    codes = random_codes(seed, 10, length, letters=5)
    targets = np.random.default_rng(seed).integers(0, 2, 10).astype(np.float32)
    order = np.arange(10)
    built = as_torch(network, preset, length)
    if preset.optimiser == "adam":
        optimiser = torch.optim.Adam(built.parameters(), 1e-3)
    else:
        optimiser = torch.optim.SGD(built.parameters(), 1e-3, momentum=0.9, nesterov=True)
    total, one_hot = 0.0, torch.from_numpy(models_one_hot(codes, preset))
    for rows in (order[:4], order[4:8], order[8:]):
        wanted = torch.from_numpy(targets[rows])
        if loss == "cross-entropy":
            wanted = wanted * (1 - preset.smoothing) + preset.smoothing / 2
            measure = F.binary_cross_entropy_with_logits
        else:
            measure = F.mse_loss
        value = measure(logits_of(built, preset, one_hot[rows]), wanted)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        total += value.item() * len(rows)
    theta, moments = network.theta.copy(), np.zeros((2, len(network.theta)), np.float32)
    found = steps.train_epoch(
        network.shape, network.rules, codes, targets, order, theta, moments, 0, 3, np.uint64(1)
    )
    assert found == pytest.approx(total / 10, abs=1e-5)
    tensors = network.with_theta(theta).tensors()
    # Adam's first steps have the size of the rate wherever a gradient is not exactly 0.
    tolerance = 2e-5 if preset.optimiser == "nesterov" else 1e-4
    for name, tensor in built.state_dict().items():
        np.testing.assert_allclose(tensors[name], tensor, rtol=0, atol=tolerance, err_msg=name)
    assert not theta[~used(network)].any()


def models_one_hot(codes, preset):
    from motifloom.scan import one_hot

    return one_hot(
        torch.from_numpy(codes), 0.25 if preset.padding and preset.kernel_size > 1 else 0.0
    ).numpy()


@pytest.mark.parametrize("pooling", ["max", "max+mean"])
@pytest.mark.parametrize("strands", [{}, {"both_strands": True}, {"strands": "max"}])
def test_predictions_equal_pytorch(strands, pooling):
    preset = preset_of(n_kernels=17, hidden_units=4, place_bin=2, pooling=pooling, **strands)
    network = start(preset)
    codes = random_codes(3, 300, LENGTH, letters=5)
    built = as_torch(network, preset)
    for x in (torch.from_numpy(codes), torch.from_numpy(models_one_hot(codes, preset))):
        with torch.inference_mode():
            expected = logits_of(built, preset, x).numpy()
        np.testing.assert_allclose(network.predict(codes), expected, rtol=0, atol=1e-5)
    rows = np.array([7, 7, 299, 0])
    np.testing.assert_array_equal(network.predict(codes, rows), network.predict(codes)[rows])


def trained(preset, n=10, total=30, **rules):
    network = start(preset)
    network = dataclasses.replace(network, rules=network.rules._replace(**rules))
    codes = random_codes(0, n, LENGTH)
    targets = (np.arange(n) % 2).astype(np.float32)
    theta, moments = network.theta.copy(), np.zeros((2, len(network.theta)), np.float32)
    loss = steps.train_epoch(
        network.shape, network.rules, codes, targets, np.arange(n), theta, moments, 0, total,
        np.uint64(5),
    )  # fmt: skip
    return network, theta, loss


def test_l1_penalties_shrink_weights_and_leave_biases():
    preset = preset_of(optimiser="nesterov", batch_size=10)
    network, plain, _ = trained(preset, rate=1.0, final_rate=1.0)
    _, penalised, _ = trained(preset, rate=1.0, final_rate=1.0, kernel_l1=0.01, dense_l1=0.02)
    at = steps.offsets(network.shape)
    expected = np.zeros(len(plain), np.float32)
    sign = np.sign(network.theta)
    expected[at[0] : at[1]] = -0.01 * sign[at[0] : at[1]]
    expected[at[5] : at[6]] = -0.02 * sign[at[5] : at[6]]
    np.testing.assert_allclose(penalised - plain, expected, atol=1e-6)


def test_penalties_wait_for_their_start():
    preset = preset_of(optimiser="nesterov", batch_size=10)
    _, plain, _ = trained(preset)
    _, waiting, _ = trained(preset, kernel_l1=0.5, l1_start=1)
    assert waiting.tolist() == plain.tolist()


def test_weight_decay_is_decoupled():
    preset = preset_of(batch_size=10)
    network, plain, _ = trained(preset, rate=0.1, final_rate=0.1)
    _, decayed, _ = trained(preset, rate=0.1, final_rate=0.1, decay=0.5)
    at = steps.offsets(network.shape)
    expected = np.zeros(len(plain), np.float32)
    for part in (slice(at[0], at[1]), slice(at[5], at[6])):
        expected[part] = -0.05 * network.theta[part]
    np.testing.assert_allclose(decayed - plain, expected, atol=1e-6)


def test_the_rate_falls_along_half_a_cosine():
    rules = networks.rules_of(preset_of(learning_rate=1.0, final_learning_rate=0.2), "mse")
    found = [steps.rate_at(rules, step, 4) for step in range(6)]
    np.testing.assert_allclose(found, [1, 0.8828427, 0.6, 0.3171573, 0.2, 0.2], atol=1e-6)


def test_dropout_drops_a_share_and_scales_the_rest():
    features = np.ones((500, 2, 32), np.float32)
    steps.drop(features, 500, 0.25, np.uint64(3))
    assert set(np.unique(features)) == {np.float32(0), np.float32(4 / 3)}
    assert abs((features == 0).mean() - 0.25) < 0.01
    assert (features[:, 0] == features[:, 1]).all()
    other = np.ones_like(features)
    steps.drop(other, 500, 0.25, np.uint64(4))
    assert abs((features == other).mean() - 0.625) < 0.02


def test_gradient_with_dropout_equals_pytorch():
    preset = preset_of(dropout=0.5, optimiser="nesterov", n_kernels=16, batch_size=8)
    network, theta, loss = trained(preset, n=8, rate=1.0, final_rate=1.0)
    mask = np.ones((8, 1, 16), np.float32)
    key = steps.step_key(np.uint64(5), 0)
    steps.drop(mask, 8, 0.5, key)
    built = as_torch(network, preset)
    x = torch.from_numpy(models_one_hot(random_codes(0, 8, LENGTH), preset))
    targets = torch.from_numpy((np.arange(8) % 2).astype(np.float32))
    logits = built.dense(built.features(x) * torch.from_numpy(mask[:, 0]))[:, 0]
    expected = F.binary_cross_entropy_with_logits(logits, targets)
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-6)
    moved = network.with_theta(theta).tensors()
    before = network.tensors()
    for name, parameter in built.named_parameters():
        np.testing.assert_allclose(
            before[name] - moved[name], parameter.grad, atol=1e-6, err_msg=name
        )


def test_orders_are_permutations_and_depend_on_the_key():
    orders = []
    for key in (1, 1, 2):
        order = np.arange(50)
        steps.shuffle_order(order, np.uint64(key))
        orders.append(order.tolist())
        assert sorted(order) == list(range(50))
    assert orders[0] == orders[1] != orders[2]


def test_streams_have_names_of_their_own():
    names = [steps.stream(key, number) for key, number in itertools.product(range(5), range(-1, 5))]
    assert len(set(names)) == 30


def test_a_loss_that_is_no_number_ends_the_epoch():
    _, _, loss = trained(preset_of(batch_size=1), rate=1e30, final_rate=1e30)
    assert not np.isfinite(loss)


@pytest.mark.parametrize("fill", [0, 4])
def test_constant_sequences_are_no_trouble(fill):
    preset = preset_of(pooling="max+mean", both_strands=True)
    network = start(preset)
    codes = np.full((6, LENGTH), fill, np.uint8)
    theta, moments = network.theta.copy(), np.zeros((2, len(network.theta)), np.float32)
    loss = steps.train_epoch(
        network.shape, network.rules, codes, np.array([0, 1] * 3, np.float32), np.arange(6),
        theta, moments, 0, 2, np.uint64(0),
    )  # fmt: skip
    assert np.isfinite(loss)
    assert np.isfinite(theta).all()
    assert len(set(network.with_theta(theta).predict(codes))) == 1
