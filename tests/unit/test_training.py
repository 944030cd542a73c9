"""The fit loop on networks of a few weights."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import planted, random_codes
from torch import nn

from motifloom import training
from motifloom.files import InputError
from motifloom.models import DeepBind
from motifloom.training import FitSettings, batches, fit


def settings_of(**changes):
    defaults = {"epochs": 4, "learning_rate": 0.02, "final_learning_rate": 0.002}
    return FitSettings(**defaults | changes)


@pytest.fixture(scope="module")
def examples():
    codes = np.concatenate([planted(0, 64, 24, "ACGTGA"), random_codes(1, 64, 24)])
    targets = np.repeat([1, 0], 64).astype(np.float32)[:, None]
    order = np.random.default_rng(2).permutation(128)
    return codes[order], targets[order]


def deepbind(seed=0):
    torch.manual_seed(seed)
    return DeepBind(24, n_kernels=6, kernel_size=6)


def fit_deepbind(examples, network, validation=True, **changes):
    codes, targets = examples
    train = batches(codes[:96], targets[:96], 16)
    held = batches(codes[96:], targets[96:], 16) if validation else []
    return fit(network, lambda epoch: iter(train), len(train), held, settings_of(**changes))


class Number(nn.Module):
    """One weight, given out as the logit of every example."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))

    def forward(self, x):
        return self.value.expand(len(x), 1)


def one_batch(target):
    return (torch.zeros(1, 1, dtype=torch.uint8), torch.full((1, 1), float(target)))


def fit_number(network, validation=(), aim=1.0, **changes):
    """Fit by MSE to `aim`, one step an epoch."""
    settings = settings_of(loss="mse", **changes)
    return fit(network, lambda epoch: iter([one_batch(aim)]), 1, list(validation), settings)


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_the_loss_falls(examples, optimiser):
    network = deepbind()
    history = fit_deepbind(examples, network, epochs=12, optimiser=optimiser)
    assert len(history) == 12
    assert history[-1][2] < 0.7 * history[0][2]
    assert min(row[3] for row in history) < 0.8 * math.log(2)
    assert not network.training


def test_history_rows():
    network = Number()
    rows = fit(
        network,
        lambda epoch: iter([one_batch(1)]),
        1,
        [one_batch(2)],
        settings_of(loss="mse", epochs=2),
        member=3,
    )
    assert len(training.HISTORY_COLUMNS) == len(rows[0])
    assert [row[:2] for row in rows] == [(3, 1), (3, 2)]
    assert rows[0][2] == 1.0  # (1 - 0)^2, before the first step
    assert rows[0][3] == pytest.approx((2 - 0.02) ** 2)  # Adam's first step is the rate


def test_the_loss_is_a_mean_over_examples_not_batches():
    def epoch(number):
        yield torch.zeros(3, 1, dtype=torch.uint8), torch.zeros(3, 1)
        yield torch.zeros(1, 1, dtype=torch.uint8), torch.full((1, 1), 2.0)

    network = Number()
    settings = settings_of(loss="mse", epochs=1, learning_rate=1e-9, final_learning_rate=1e-9)
    rows = fit(network, epoch, 2, list(epoch(0)), settings)
    assert rows[0][2] == pytest.approx(1.0, abs=1e-6)
    assert rows[0][3] == pytest.approx(1.0, abs=1e-6)


def test_the_same_seed_gives_the_same_weights(examples):
    found = []
    for seed in (0, 0, 1):
        network = deepbind(seed)
        history = fit_deepbind(examples, network, epochs=2)
        found.append((history, [tensor.tolist() for tensor in network.state_dict().values()]))
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_a_loss_that_is_no_number_stops():
    with pytest.raises(InputError, match="set A: the training loss is nan in epoch 1"):
        fit(
            Number(float("nan")),
            lambda epoch: iter([one_batch(1)]),
            1,
            [],
            settings_of(loss="mse"),
            label="set A",
        )


def test_an_exploding_loss_stops(examples):
    with pytest.raises(InputError, match=r"the training loss is (nan|inf) .* lower the preset's"):
        fit_deepbind(
            examples,
            deepbind(),
            epochs=20,
            loss="mse",
            learning_rate=1e18,
            final_learning_rate=1e18,
        )


def test_the_best_weights_are_kept():
    # The weight climbs from 0 to 1 in steps of 0.1, past 0.3, which is best on validation.
    network = Number()
    steps = {"learning_rate": 0.1, "final_learning_rate": 0.1, "epochs": 8}
    rows = fit_number(network, [one_batch(0.3)], **steps)
    losses = [row[3] for row in rows]
    assert losses.index(min(losses)) == 2
    assert network.value.item() == pytest.approx(0.3, abs=0.01)


def test_patience_stops():
    steps = {"learning_rate": 0.1, "final_learning_rate": 0.1, "epochs": 8}
    assert len(fit_number(Number(), [one_batch(0.3)], **steps, patience=2)) == 5
    assert len(fit_number(Number(), [one_batch(0.3)], **steps, patience=4)) == 7
    assert len(fit_number(Number(), [one_batch(0.3)], **steps, patience=0)) == 8


def test_without_validation_the_last_weights_are_kept():
    network = Number()
    steps = {"learning_rate": 0.1, "final_learning_rate": 0.1, "epochs": 3}
    rows = fit_number(network, **steps, patience=1)
    assert [math.isnan(row[3]) for row in rows] == [True] * 3
    assert network.value.item() == pytest.approx(0.3, abs=0.01)
    assert not network.training


def test_the_learning_rate_falls_along_half_a_cosine():
    rows = fit_number(Number(), epochs=4, learning_rate=0.5, final_learning_rate=0.1, checks=4)
    expected = [0.1 + 0.4 * (1 + math.cos(math.pi * part)) / 2 for part in (0.25, 0.5, 0.75, 1)]
    assert [row[4] for row in rows] == pytest.approx(expected)
    assert rows[-1][4] == pytest.approx(0.1)


def test_validation_is_looked_at_after_a_few_epochs_only():
    rows = fit_number(Number(), [one_batch(1)], epochs=10, checks=3)
    assert [row[1] for row in rows] == [3, 7, 10]
    assert len(fit_number(Number(), [one_batch(1)], epochs=2, checks=30)) == 2


def test_validation_loss_by_hand():
    logits, targets = torch.tensor([[0.0], [2.0], [-1.0]]), torch.tensor([[1.0], [1.0], [0.0]])
    expected = np.mean([math.log(2), math.log(1 + math.exp(-2)), math.log(1 + math.exp(-1))])
    held = [(logits[:2], targets[:2]), (logits[2:], targets[2:])]
    found = training.evaluate_loss(nn.Identity(), held, F.binary_cross_entropy_with_logits, "cpu")
    assert found == pytest.approx(expected)
    assert math.isnan(training.evaluate_loss(nn.Identity(), [], F.mse_loss, "cpu"))


def test_dropout_is_off_on_validation(examples):
    codes, targets = examples
    torch.manual_seed(0)
    network = DeepBind(24, n_kernels=6, kernel_size=6, dropout=0.9)
    held = batches(codes, targets, 50)
    found = {training.evaluate_loss(network, held, F.mse_loss, "cpu") for _ in range(3)}
    assert len(found) == 1


def test_weight_decay_shrinks_weights():
    network = Number(10.0)
    fit_number(network, aim=10.0, epochs=1, learning_rate=0.1, weight_decay=0.5)
    assert network.value.item() == pytest.approx(10 * (1 - 0.1 * 0.5))


def test_batches():
    codes, targets = random_codes(0, 5, 3), np.arange(5, dtype=np.float32)[:, None]
    found = batches(codes, targets, 2)
    assert [len(block) for block, _ in found] == [2, 2, 1]
    assert torch.cat([block for block, _ in found]).tolist() == codes.tolist()
    assert torch.cat([block for _, block in found]).tolist() == targets.tolist()
    assert batches(codes[:0], targets[:0], 2) == []


def test_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training.choose_device("auto") == "cpu"
    assert training.choose_device("cpu") == "cpu"
    with pytest.raises(InputError, match="device: cuda was asked for"):
        training.choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training.choose_device("auto") == "cuda"
    assert training.choose_device("cuda") == "cuda"
    assert training.choose_device("cpu") == "cpu"
