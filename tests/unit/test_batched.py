"""Networks trained as one PyTorch network end where the compiled steps take them."""

import numpy as np
import pytest
import torch
from builders import random_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from motifloom import batched, networks, steps
from motifloom.metrics import auroc
from motifloom.presets import DeepBindPreset
from motifloom.search import Judge, Pool, Training, train_together

LENGTH = 18
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no GPU is visible"
))]  # fmt: skip


def trainings_of(preset, rates, n=12, n_steps=7):
    """Trainings that differ in rate, dropout, rows and random stream; the looks are common."""
    found = []
    for number, rate in enumerate(rates):
        network = networks.start_network(preset, LENGTH, "dna", "cross-entropy", number)
        dropout = 0.5 if number % 2 else 0.0
        rules = network.rules._replace(rate=rate, final_rate=rate / 10, dropout=dropout)
        chosen = np.arange(n) % 4 != number
        held = np.flatnonzero(~chosen)
        network = networks.Network(network.shape, rules, network.n_kernels, network.theta)
        found.append(Training(network, chosen, held, 50 + number, n_steps, (4, n_steps), True))
    return found


def work(fresh=True, n=12):
    codes = random_codes(3, n, LENGTH, letters=5)
    pool = Pool(codes, (np.arange(n) % 3 > 0).astype(np.float32), 1, fresh, 9)
    return pool, Judge(codes, pool.targets, auroc)


@st.composite
def presets(draw):
    return DeepBindPreset(
        n_kernels=draw(st.integers(1, 18)),
        # Shorter kernels see many windows alike, between which rounding decides.
        kernel_size=draw(st.integers(5, 9)),
        hidden_units=draw(st.sampled_from([0, 4])),
        pooling=draw(st.sampled_from(["max", "max+mean"])),
        place_bin=draw(st.sampled_from([0, 2])),
        padding=draw(st.booleans()),
        **draw(st.sampled_from([{}, {"both_strands": True}, {"strands": "max"}])),
        # Adam takes whole steps where a gradient cancels to all but 0: it has a test of its own.
        optimiser="nesterov",
        momentum=0.9,
        batch_size=draw(st.sampled_from([4, 64])),
        kernel_l1=draw(st.sampled_from([0.0, 0.5])),
        l1_start=2,
        weight_decay=draw(st.sampled_from([0.0, 0.1])),
        smoothing=0.1,
    )


@settings(max_examples=15, deadline=None, derandomize=True)
@given(presets(), st.booleans())
def test_both_ways_end_in_the_same_weights(preset, fresh):
    compiled, stacked = (trainings_of(preset, (1e-3, 3e-3, 2e-3)) for _ in range(2))
    train_together(compiled, *work(fresh))
    batched.train_batched(stacked, *work(fresh), device="cpu")
    compare(compiled, stacked)


def test_adam_ends_in_the_same_weights():
    preset = DeepBindPreset(n_kernels=5, kernel_size=6, batch_size=4, weight_decay=0.1)
    compiled, stacked = (trainings_of(preset, (1e-3, 3e-3, 2e-3)) for _ in range(2))
    train_together(compiled, *work())
    batched.train_batched(stacked, *work(), device="cpu")
    compare(compiled, stacked)


def compare(compiled, stacked):
    for ours, theirs in zip(compiled, stacked, strict=True):
        assert (ours.status, ours.done) == (theirs.status, theirs.done) == ("done", 7)
        np.testing.assert_allclose(ours.theta, theirs.theta, rtol=0, atol=1e-4)
        assert [look.step for look in ours.seen] == [look.step for look in theirs.seen] == [4, 7]
        for a, b in zip(ours.seen, theirs.seen, strict=True):
            assert a.train_loss == pytest.approx(b.train_loss, abs=1e-3)
            assert a.loss == pytest.approx(b.loss, abs=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_forward_equals_the_compiled_prediction(device):
    preset = DeepBindPreset(n_kernels=5, kernel_size=6, place_bin=2, pooling="max+mean")
    network = networks.start_network(preset, LENGTH, "dna", "mse", 0)
    codes = random_codes(1, 9, LENGTH, letters=5)
    theta = torch.tensor(network.theta, device=device)
    found = batched.forward(
        network.shape, theta[None], torch.from_numpy(codes).to(device)[None], None
    )
    np.testing.assert_allclose(found[0].cpu(), network.predict(codes), rtol=0, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_network_that_explodes_leaves_the_others_alone(device):
    preset = DeepBindPreset(n_kernels=3, kernel_size=5, batch_size=4)
    alone, company = trainings_of(preset, (1e-3,)), trainings_of(preset, (1e-3, 1e30))
    for trainings in (alone, company):
        batched.train_batched(trainings, *work(), device=device)
    assert [training.status for training in company] == ["done", "failed"]
    np.testing.assert_allclose(alone[0].theta, company[0].theta, rtol=0, atol=1e-6)


def test_parameters_of_missing_kernels_stay_zero():
    preset = DeepBindPreset(n_kernels=3, kernel_size=5, batch_size=4, hidden_units=2)
    (training,) = trainings_of(preset, (1e-2,))
    batched.train_batched([training], *work(), device="cpu")
    at = steps.offsets(training.network.shape)
    kernels = training.theta[: at[1]].reshape(5, 4, 16)
    assert not kernels[:, :, 3:].any()
    assert kernels[:, :, :3].any()
