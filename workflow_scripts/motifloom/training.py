"""Training by gradient descent: one loop for every network that PyTorch trains.

Device, precision and processes are Lightning Fabric's (`hardware.py`); batches come from a stream
(`streams.py`); an unfinished training is kept in a checkpoint (`checkpoints.py`) and, on the CPU
with one process, ends with the weights of an unbroken one.
"""

import functools
import logging
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from motifloom.checkpoints import Checkpoint, Stopped
from motifloom.files import InputError
from motifloom.optimisers import RMSprop
from motifloom.pace import Pace
from motifloom.streams import Batch, augment, share_of

log = logging.getLogger(__name__)

OPTIMISERS = {
    "adam": functools.partial(torch.optim.AdamW, fused=True),
    "rmsprop": RMSprop,
}
HISTORY_COLUMNS = ("member", "epoch", "train_loss", "validation_loss", "learning_rate")


@dataclass(frozen=True)
class FitSettings:
    """What a training needs to know.

    `loss` is "cross-entropy" or "mse". `schedule` "cosine": the learning rate falls from
    `learning_rate` to `final_learning_rate` along half a cosine over all updates; "plateau": it is
    halved, down to the final one, whenever the validation loss was not better than before;
    "constant". The validation loss is looked at after `checks` epochs spread evenly; after
    `patience` looks without a better one training stops (0: never). `clip` is the largest norm of
    a gradient (0: any), `smoothing` moves labels from 0 and 1 to smoothing / 2 and
    1 - smoothing / 2. Examples are moved by up to `shift` bases and, with `reverse_complement`,
    every other one on average is turned.
    """

    epochs: int
    learning_rate: float
    final_learning_rate: float
    loss: str = "cross-entropy"
    optimiser: str = "adam"
    weight_decay: float = 0.0
    schedule: str = "cosine"
    clip: float = 0.0
    smoothing: float = 0.0
    patience: int = 0
    checks: int = 30
    shift: int = 0
    reverse_complement: bool = False
    seed: int = 0


class Stream(Protocol):
    """Shuffled mini-batches: `streams.BinStream`, `streams.ArrayStream`, `windows.PoolStream`."""

    def __len__(self) -> int:
        """Batches an epoch."""

    def batches(self, epoch: int, first: int = 0) -> Iterable[Batch]:
        """The batches of an epoch from number `first` on; the same for the same epoch."""


@dataclass
class State:
    """How far a training has come; all of it goes into a checkpoint.

    `total` and `count` sum the losses and examples of the running epoch, `step` counts its
    updates. `rate` is the plateau schedule's.
    """

    epoch: int = 0
    step: int = 0
    total: float = 0.0
    count: int = 0
    rate: float = 0.0
    best_loss: float = math.inf
    waited: int = 0
    finished: bool = False
    history: list[tuple] = field(default_factory=list)


def fit(
    fabric,
    network: nn.Module,
    stream: Stream,
    validation: Iterable[Batch],
    settings: FitSettings,
    *,
    positive_weight: torch.Tensor | None = None,
    checkpoint: Checkpoint | None = None,
    events=None,
    member: int = 0,
    label: str = "",
    compile: bool = False,
    keep_start: bool = False,
) -> list[tuple]:
    """Train `network` in place and leave it with its best weights, in evaluation mode.

    Only parameters that require a gradient are trained. `validation` may be empty, in which case
    the last weights are kept; it is gone through anew at every look. `positive_weight` float32 [T]
    multiplies the losses of positive labels. `events` is a Fabric logger. With `keep_start` the
    weights to begin with are kept where none better are found. Returns rows of HISTORY_COLUMNS,
    each with the rate of its epoch's last update. Raises InputError where the loss is no number
    any more.
    """
    trainer = Trainer(fabric, network, stream, validation, settings, positive_weight, compile)
    trainer.events, trainer.member, trainer.label = events, member, label
    trainer.checkpoint, trainer.keep_start = checkpoint, keep_start
    return trainer.run()


class Trainer:
    """One network in training: what `fit` does, in steps."""

    def __init__(self, fabric, network, stream, validation, settings, positive_weight, compile):
        self.fabric, self.network, self.settings = fabric, network, settings
        self.stream, self.validation = stream, validation
        self.raw_optimiser = _optimiser(network, settings)
        module = torch.compile(network) if compile else network
        self.model, self.optimiser = fabric.setup(module, self.raw_optimiser)
        self.positive_weight = None
        if positive_weight is not None:
            self.positive_weight = positive_weight.to(fabric.device)
        self.state = State(rate=settings.learning_rate)
        self.best: dict[str, torch.Tensor] | None = None
        self.total = torch.zeros((), dtype=torch.float64, device=fabric.device)
        self.checkpoint: Checkpoint | None = None
        self.events, self.member, self.label, self.keep_start = None, 0, "", False

    def run(self) -> list[tuple]:
        """Train from where the checkpoint ended, or from the beginning; rows of the history."""
        self._restore()
        if self.keep_start and not self.state.epoch and not self.state.step:
            self._keep_best(self.validation_loss())
        done = self.state.epoch * len(self.stream) + self.state.step
        pace = Pace(self.settings.epochs * len(self.stream), done, self.label)
        with pace:
            while self.state.epoch < self.settings.epochs and not self.state.finished:
                self._train_epoch(pace)
                self._end_epoch(pace)
                self._save_if_due()
        if self.best is not None:
            self.network.load_state_dict(self.best)
        self.network.eval()
        self.state.finished = True
        self._save_finished()
        return [tuple(row) for row in self.state.history]

    def _train_epoch(self, pace: Pace) -> None:
        self.model.train()
        for batch in self.stream.batches(self.state.epoch, self.state.step):
            self.step(batch)
            pace.step(batch.size)
            # The last step of an epoch is followed by its end, which saves too.
            if self.state.step < len(self.stream):
                self._save_if_due()

    def step(self, batch: Batch) -> None:
        """One update."""
        rate = self._rate()
        for group in self.raw_optimiser.param_groups:
            group["lr"] = rate
        codes = self._augmented(batch)
        targets, weight = self._here(batch.targets), self._here(batch.weight)
        losses = self._losses(self.model(codes), targets)
        # Summed over processes, whose gradients Fabric averages.
        loss = (losses * weight).sum() / batch.size
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(loss * self.fabric.world_size)
        if self.settings.clip:
            self.fabric.clip_gradients(self.model, self.optimiser, max_norm=self.settings.clip)
        self.optimiser.step()
        self.total += loss.detach() * batch.size
        self.state.count += batch.size
        self.state.step += 1

    def _here(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.fabric.device, non_blocking=True)

    def _augmented(self, batch: Batch) -> torch.Tensor:
        """Codes on the device, moved and turned as (seed, epoch, step) say, whatever the rank."""
        shift, settings = self.settings.shift, self.settings
        codes = self._here(batch.codes)
        if not shift and not settings.reverse_complement:
            return codes
        rng = np.random.default_rng([settings.seed, self.state.epoch, self.state.step])
        moved = rng.integers(-shift, shift + 1, batch.size)
        turned = rng.random(batch.size) < 0.5 * settings.reverse_complement
        own = share_of(batch.size, self.fabric.global_rank, self.fabric.world_size)
        moved, turned = (self._here(torch.from_numpy(a[own])) for a in (moved, turned))
        return augment(codes, moved, turned, codes.shape[1] - 2 * shift)

    def _losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Loss of every example, the mean over its targets: float32 [n]."""
        logits = logits.float()
        if self.settings.loss == "mse":
            return (logits - targets).square().mean(1)
        if self.model.training and self.settings.smoothing:
            targets = targets * (1 - self.settings.smoothing) + self.settings.smoothing / 2
        return F.binary_cross_entropy_with_logits(
            logits, targets, pos_weight=self.positive_weight, reduction="none"
        ).mean(1)

    def _rate(self, back: int = 0) -> float:
        """The learning rate of the coming update, or of the one that lies `back`."""
        settings, state = self.settings, self.state
        if settings.schedule == "constant":
            return settings.learning_rate
        if settings.schedule == "plateau":
            return state.rate
        steps = settings.epochs * len(self.stream)
        done = (state.epoch * len(self.stream) + state.step - back) / max(1, steps)
        span = settings.learning_rate - settings.final_learning_rate
        return settings.final_learning_rate + span * (1 + math.cos(math.pi * done)) / 2

    def _end_epoch(self, pace: Pace) -> None:
        state, settings = self.state, self.settings
        total = float(self.fabric.all_reduce(self.total.clone(), reduce_op="sum"))
        train_loss = total / max(state.count, 1)
        self._require_number(train_loss)
        rate = self._rate(back=1)
        looked = state.epoch in _checked_epochs(settings)
        # A signal during the look saves the state as it is after the epoch's last update.
        loss = self.validation_loss() if looked else math.nan
        state.epoch, state.step, state.count = state.epoch + 1, 0, 0
        self.total.zero_()
        if not looked:
            return
        state.history.append((self.member, state.epoch, train_loss, loss, rate))
        pace.look(state.epoch, settings.epochs, train_loss, loss)
        if self.events is not None:
            values = {"train_loss": train_loss, "validation_loss": loss, "learning_rate": rate}
            tag = re.sub(r"\W+", "-", self.label)  # what TensorBoard takes for a name
            values = {f"{tag}/{name}": value for name, value in values.items()}
            self.events.log_metrics(values, state.epoch * len(self.stream))
        self._keep_best(loss)

    def _keep_best(self, loss: float) -> None:
        state, settings = self.state, self.settings
        if loss < state.best_loss:
            state.best_loss, state.waited = loss, 0
            self.best = {n: t.detach().cpu().clone() for n, t in self.network.state_dict().items()}
        elif not math.isnan(loss):
            state.waited += 1
            state.rate = max(state.rate / 2, settings.final_learning_rate)
            state.finished = bool(settings.patience) and state.waited >= settings.patience

    def _require_number(self, train_loss: float) -> None:
        """Raise InputError where the loss or a weight is no number any more."""
        where = (
            f"in epoch {self.state.epoch + 1}; lower the preset's learning_rate in models: settings"
        )
        if not math.isfinite(train_loss):
            raise InputError(f"{self.label}: the training loss is {train_loss} {where}")
        # A kernel that is no number any more never wins a maximum: the loss would not tell.
        if not all(torch.isfinite(p).all() for p in self.network.parameters()):
            raise InputError(f"{self.label}: a weight is no number any more {where}")

    def validation_loss(self) -> float:
        """Mean loss an example, in evaluation mode; NaN where there is no batch."""
        self.model.eval()
        sums = torch.zeros(2, dtype=torch.float64, device=self.fabric.device)
        rank, world = self.fabric.global_rank, self.fabric.world_size
        with torch.inference_mode():
            for number, batch in enumerate(self.validation):
                if number % world != rank:
                    continue
                logits = self.model(self._here(batch.codes))
                losses = self._losses(logits, self._here(batch.targets))
                sums += torch.stack([losses.double().sum(), sums.new_tensor(batch.size)])
                if world == 1:
                    self._save_if_due()
        total, count = self.fabric.all_reduce(sums, reduce_op="sum").tolist()
        return total / count if count else math.nan

    def _save_if_due(self) -> None:
        """Save where it is time, on the first process; after a signal all processes end."""
        if self.checkpoint is None:
            return
        due = self.checkpoint.due()
        if self.fabric.world_size > 1:
            flag = torch.tensor(float(self.checkpoint.signals.came), device=self.fabric.device)
            came = bool(self.fabric.all_reduce(flag, reduce_op="sum"))
            self.checkpoint.signals.came = came
            due |= came
        if due and self.fabric.global_rank == 0:
            self.state.total = float(self.total)
            self.checkpoint.save(self._tensors(), asdict(self.state))
        elif self.checkpoint.signals.came:
            raise Stopped

    def _save_finished(self) -> None:
        if self.checkpoint is not None and self.fabric.global_rank == 0:
            tensors = {f"network.{n}": t for n, t in self.network.state_dict().items()}
            self.checkpoint.save(tensors, asdict(self.state))

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Weights, the best ones so far, the optimiser's moments and the random state."""
        tensors = {f"network.{n}": t for n, t in self.network.state_dict().items()}
        tensors |= {f"best.{n}": t for n, t in (self.best or {}).items()}
        for number, moments in self.raw_optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{key}": t for key, t in moments.items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if self.fabric.device.type == "cuda":
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.fabric.device)
        return tensors

    def _restore(self) -> None:
        found = self.checkpoint.load() if self.checkpoint is not None else None
        if found is None:
            return
        tensors, state = found
        self.state = State(**state)
        first = self.fabric.global_rank == 0
        self.total.fill_(self.state.total if first else 0.0)
        parts: dict[str, dict] = {"network": {}, "best": {}, "optimiser": {}, "random": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.network.load_state_dict(parts["network"])
        self.best = parts["best"] or None
        if self.state.finished:
            return
        log.info("%s: taken up in epoch %d, update %d", self.label, self.state.epoch + 1,
                 self.state.step + 1)  # fmt: skip
        _load_moments(self.raw_optimiser, parts["optimiser"])
        done = self.state.epoch * len(self.stream) + self.state.step
        if not first:  # draws of its own, where one process would go on as it was
            torch.manual_seed(torch.initial_seed() + done)
            return
        torch.set_rng_state(parts["random"]["cpu"])
        if "cuda" in parts["random"] and self.fabric.device.type == "cuda":
            torch.cuda.set_rng_state(parts["random"]["cuda"], self.fabric.device)


def _optimiser(network: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    build = OPTIMISERS[settings.optimiser]
    return build(parameters, settings.learning_rate, weight_decay=settings.weight_decay)


def _load_moments(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Give an optimiser the moments "<number of the parameter>.<key>" of a checkpoint."""
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        moments.setdefault(int(number), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


@functools.cache
def _checked_epochs(settings: FitSettings) -> frozenset[int]:
    ends = np.linspace(0, settings.epochs, min(settings.checks, settings.epochs) + 1)[1:]
    return frozenset(round(end) - 1 for end in ends)
