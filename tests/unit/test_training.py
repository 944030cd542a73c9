"""The fit loop on networks of a few weights."""

import math

import numpy as np
import pytest
import torch
from builders import planted, random_codes
from torch import nn

from motifloom import training
from motifloom.checkpoints import Checkpoint, Signals, Stopped
from motifloom.files import InputError
from motifloom.hardware import Hardware, open_fabric
from motifloom.models import DeepBind
from motifloom.streams import ArrayStream, Batch, batch_of
from motifloom.training import FitSettings, Trainer, fit

FABRIC = open_fabric(Hardware())


class Batches:
    """The same batches in every epoch."""

    def __init__(self, batches):
        self.all = batches

    def __len__(self):
        return len(self.all)

    def batches(self, epoch, first=0):
        return iter(self.all[first:])


def batches(codes, targets, size):
    starts = range(0, len(codes), size)
    return [batch_of(codes[i : i + size], targets[i : i + size], 0, 1) for i in starts]


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
    return fit(FABRIC, network, Batches(train), held, settings_of(**changes))


class Number(nn.Module):
    """One weight, given out as the logit of every example."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = nn.Parameter(torch.tensor([value]))

    def forward(self, x):
        return self.value.expand(len(x), 1)


def one_batch(*targets):
    n = len(targets)
    codes = torch.zeros(n, 1, dtype=torch.uint8)
    return Batch(codes, torch.tensor(targets, dtype=torch.float32)[:, None], torch.ones(n), n)


def fit_number(network, validation=(), aim=1.0, **changes):
    """Fit by MSE to `aim`, one step an epoch."""
    settings = settings_of(loss="mse", **changes)
    return fit(FABRIC, network, Batches([one_batch(aim)]), list(validation), settings)


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
        FABRIC,
        network,
        Batches([one_batch(1)]),
        [one_batch(2)],
        settings_of(loss="mse", epochs=2),
        member=3,
    )
    assert len(training.HISTORY_COLUMNS) == len(rows[0])
    assert [row[:2] for row in rows] == [(3, 1), (3, 2)]
    assert rows[0][2] == 1.0  # (1 - 0)^2, before the first step
    assert rows[0][3] == pytest.approx((2 - 0.02) ** 2)  # Adam's first step is the rate


def test_the_loss_is_a_mean_over_examples_not_batches():
    examples = [one_batch(0, 0, 0), one_batch(2)]
    settings = settings_of(loss="mse", epochs=1, learning_rate=1e-9, final_learning_rate=1e-9)
    rows = fit(FABRIC, Number(), Batches(examples), examples, settings)
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
            FABRIC,
            Number(float("nan")),
            Batches([one_batch(1)]),
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
    expected = [0.1 + 0.4 * (1 + math.cos(math.pi * part)) / 2 for part in (0, 0.25, 0.5, 0.75)]
    assert [row[4] for row in rows] == pytest.approx(expected)


def test_validation_is_looked_at_after_a_few_epochs_only():
    rows = fit_number(Number(), [one_batch(1)], epochs=10, checks=3)
    assert [row[1] for row in rows] == [3, 7, 10]
    assert len(fit_number(Number(), [one_batch(1)], epochs=2, checks=30)) == 2


def trainer_of(network, validation, **changes):
    return Trainer(FABRIC, network, Batches([]), validation, settings_of(**changes), None, False)


class Given(nn.Module):
    """Gives out what it is given, as numbers; one weight for an optimiser."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x.float() + self.weight


def test_validation_loss_by_hand():
    codes = np.array([[0], [2], [3]], np.uint8)
    targets = np.array([[1], [1], [0]], np.float32)
    expected = np.mean([math.log(2), math.log(1 + math.exp(-2)), math.log(1 + math.exp(3))])
    held = batches(codes, targets, 2)
    assert trainer_of(Given(), held).validation_loss() == pytest.approx(expected)
    # Labels are smoothed in training alone.
    assert trainer_of(Given(), held, smoothing=0.5).validation_loss() == pytest.approx(expected)
    assert math.isnan(trainer_of(Given(), []).validation_loss())


def test_dropout_is_off_on_validation(examples):
    codes, targets = examples
    torch.manual_seed(0)
    network = DeepBind(24, n_kernels=6, kernel_size=6, dropout=0.9)
    trainer = trainer_of(network, batches(codes, targets, 50), loss="mse")
    assert len({trainer.validation_loss() for _ in range(3)}) == 1


def test_positives_may_weigh_more():
    trainer = trainer_of(Given(), [])
    logits, targets = torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    trainer.positive_weight = torch.tensor([3.0, 1.0])
    log2 = math.log(2)
    assert trainer._losses(logits, targets).tolist() == pytest.approx([2 * log2, log2])


def test_smoothed_labels():
    trainer = trainer_of(Given(), [], smoothing=0.2)
    trainer.model.train()
    found = trainer._losses(torch.tensor([[2.0]]), torch.ones(1, 1))
    expected = 0.9 * math.log(1 + math.exp(-2)) + 0.1 * math.log(1 + math.exp(2))
    assert found.item() == pytest.approx(expected)


def test_a_plateau_halves_the_rate():
    # From 0 the weight passes 0.3 at once, and the validation loss only grows.
    steps = {"learning_rate": 0.4, "final_learning_rate": 0.1, "epochs": 5, "schedule": "plateau"}
    rows = fit_number(Number(), [one_batch(0.3)], aim=100.0, **steps)
    assert [row[4] for row in rows] == pytest.approx([0.4, 0.4, 0.2, 0.1, 0.1])
    rows = fit_number(Number(), aim=100.0, **steps | {"schedule": "constant"})
    assert {row[4] for row in rows} == {0.4}


def test_gradients_are_clipped():
    network = Number(1000.0)
    settings = {"optimiser": "rmsprop", "learning_rate": 1.0, "final_learning_rate": 1.0}
    trainer = trainer_of(network, [], loss="mse", clip=0.5, **settings)
    trainer.model.train()
    trainer.step(one_batch(0))
    assert network.value.grad.item() == pytest.approx(0.5)


def test_examples_are_moved_and_turned_the_same_way_again(examples):
    codes, _ = examples
    trainer = trainer_of(Given(), [], shift=3, reverse_complement=True, seed=5)
    batch = batch_of(codes, np.zeros((len(codes), 1), np.float32), 0, 1)
    first, again = trainer._augmented(batch), trainer._augmented(batch)
    assert torch.equal(first, again)
    assert first.shape == (len(codes), codes.shape[1] - 6)
    trainer.state.step = 1
    assert not torch.equal(first, trainer._augmented(batch))


class Interrupted:
    """A stream that ends the run, as SIGKILL does, before a batch of an epoch."""

    def __init__(self, stream, epoch, step):
        self.stream, self.at = stream, (epoch, step)

    def __len__(self):
        return len(self.stream)

    def batches(self, epoch, first=0):
        for step, batch in enumerate(self.stream.batches(epoch, first), first):
            if (epoch, step) == self.at:
                raise KeyboardInterrupt
            yield batch


def resumable(examples, folder, stream=None, signals=None, minutes=0.0, **changes):
    """A fit with dropout and turned strands, saved after every update."""
    codes, targets = examples
    torch.manual_seed(1)
    network = DeepBind(24, n_kernels=6, kernel_size=6, dropout=0.5)
    stream = stream or ArrayStream(codes, targets, np.arange(96), 16, 3)
    held = batches(codes[96:], targets[96:], 16)
    settings = settings_of(epochs=5, reverse_complement=True, patience=4, seed=2, **changes)
    path = folder / "checkpoint.safetensors"
    checkpoint = Checkpoint(path, "digest", minutes, signals or Signals())
    history = fit(FABRIC, network, stream, held, settings, checkpoint=checkpoint)
    return history, {name: t.tolist() for name, t in network.state_dict().items()}


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
@pytest.mark.parametrize("at", [(0, 0), (0, 3), (2, 0), (3, 5), (4, 5)])
def test_a_killed_training_ends_as_an_unbroken_one(examples, tmp_path, at, optimiser):
    codes, targets = examples
    whole = resumable(examples, tmp_path / "whole", optimiser=optimiser)
    stream = ArrayStream(codes, targets, np.arange(96), 16, 3)
    with pytest.raises(KeyboardInterrupt):
        resumable(examples, tmp_path, Interrupted(stream, *at), optimiser=optimiser)
    assert resumable(examples, tmp_path, optimiser=optimiser) == whole
    # What is finished is not trained again.
    assert resumable(examples, tmp_path, Interrupted(stream, 0, 0), optimiser=optimiser) == whole


def test_a_signal_saves_and_ends_the_training(examples, tmp_path):
    class Told(ArrayStream):
        def batches(self, epoch, first=0):
            for step, batch in enumerate(super().batches(epoch, first), first):
                signals.came |= (epoch, step) == (1, 2)
                yield batch

    codes, targets = examples
    whole = resumable(examples, tmp_path / "whole", minutes=60.0)
    signals = Signals()
    with pytest.raises(Stopped) as stopped:
        told = Told(codes, targets, np.arange(96), 16, 3)
        resumable(examples, tmp_path, told, signals, minutes=60.0)
    assert stopped.value.code == 143
    assert (tmp_path / "checkpoint.safetensors").exists()
    assert resumable(examples, tmp_path, minutes=60.0) == whole


def test_weight_decay_shrinks_weights():
    network = Number(10.0)
    fit_number(network, aim=10.0, epochs=1, learning_rate=0.1, weight_decay=0.5)
    assert network.value.item() == pytest.approx(10 * (1 - 0.1 * 0.5))


def test_a_signal_during_a_look_saves_the_epochs_end(examples, tmp_path):
    codes, targets = examples
    whole = resumable(examples, tmp_path / "whole", minutes=60.0)
    signals = Signals()

    class Told(list):
        looks = 0

        def __iter__(self):
            self.looks += 1
            for batch in super().__iter__():
                signals.came |= self.looks == 2
                yield batch

    torch.manual_seed(1)
    network = DeepBind(24, n_kernels=6, kernel_size=6, dropout=0.5)
    stream = ArrayStream(codes, targets, np.arange(96), 16, 3)
    held = Told(batches(codes[96:], targets[96:], 16))
    settings = settings_of(epochs=5, reverse_complement=True, patience=4, seed=2)
    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", "digest", 60.0, signals)
    with pytest.raises(Stopped):
        fit(FABRIC, network, stream, held, settings, checkpoint=checkpoint)
    assert resumable(examples, tmp_path, minutes=60.0) == whole


def test_the_start_is_kept_where_nothing_better_is_found():
    steps = {"learning_rate": 0.1, "final_learning_rate": 0.1, "epochs": 3}
    for keep, value in ((True, 0.0), (False, 0.1)):
        network, settings = Number(), settings_of(loss="mse", **steps)
        fit(FABRIC, network, Batches([one_batch(1)]), [one_batch(-1)], settings, keep_start=keep)
        assert network.value.item() == pytest.approx(value, abs=1e-3)
