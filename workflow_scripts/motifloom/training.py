"""The fit loop: one for every network, seeded, on CPU or GPU, keeping the best weights."""

import copy
import functools
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from motifloom.files import InputError
from motifloom.optimisers import RMSprop

log = logging.getLogger(__name__)

Batch = tuple[torch.Tensor, torch.Tensor]
LOSSES = {"cross-entropy": F.binary_cross_entropy_with_logits, "mse": F.mse_loss}
OPTIMISERS = {
    "adam": functools.partial(torch.optim.AdamW, fused=True),
    "rmsprop": RMSprop,
}
HISTORY_COLUMNS = ("member", "epoch", "train_loss", "validation_loss", "learning_rate")


@dataclass(frozen=True)
class FitSettings:
    """What the fit loop needs to know; `patience` 0 never stops early.

    The learning rate falls from `learning_rate` to `final_learning_rate` along half a cosine
    over all epochs. The validation loss is looked at after `checks` epochs spread evenly.
    """

    epochs: int
    learning_rate: float
    final_learning_rate: float
    loss: str = "cross-entropy"
    optimiser: str = "adam"
    weight_decay: float = 0.0
    patience: int = 0
    checks: int = 30


def fit(
    network: nn.Module,
    epoch_batches: Callable[[int], Iterator[Batch]],
    steps_per_epoch: int,
    validation: Sequence[Batch],
    settings: FitSettings,
    device: str = "cpu",
    member: int = 0,
    label: str = "",
) -> list[tuple]:
    """Train `network` in place and leave it with its best weights, in evaluation mode.

    `epoch_batches(epoch)` yields (codes uint8 [n, L], targets float32 [n, T]); `validation` is a
    list of such batches, possibly empty, in which case the last weights are kept. Returns rows of
    HISTORY_COLUMNS. Raises InputError where the loss is no number any more.
    """
    network.to(device)
    optimiser = _optimiser(network, settings)
    schedule = _cosine(optimiser, settings, steps_per_epoch)
    loss_function = LOSSES[settings.loss]
    checked = _checked_epochs(settings)
    history, best, best_loss, waited = [], None, math.inf, 0
    with tqdm(total=settings.epochs, desc=label, unit="epoch", disable=None) as bar:
        for epoch in range(settings.epochs):
            train_loss = _train_epoch(
                network, epoch_batches(epoch), loss_function, optimiser, schedule, device
            )
            if not math.isfinite(train_loss):
                raise InputError(
                    f"{label}: the training loss is {train_loss} in epoch {epoch + 1};"
                    " lower the preset's learning_rate in models: settings"
                )
            bar.update()
            if epoch not in checked:
                continue
            # A kernel that is no number any more never wins a maximum: the loss would not tell.
            if not all(torch.isfinite(p).all() for p in network.parameters()):
                raise InputError(
                    f"{label}: a weight is no number any more in epoch {epoch + 1};"
                    " lower the preset's learning_rate in models: settings"
                )
            loss = evaluate_loss(network, validation, loss_function, device)
            rate = optimiser.param_groups[0]["lr"]
            history.append((member, epoch + 1, train_loss, loss, rate))
            bar.set_postfix(train=f"{train_loss:.4f}", validation=f"{loss:.4f}")
            log.info(
                "%s epoch %d/%d: train loss %.4f, validation loss %.4f",
                label, epoch + 1, settings.epochs, train_loss, loss,
            )  # fmt: skip
            if loss < best_loss:
                best_loss, waited = loss, 0
                best = copy.deepcopy(network.state_dict())
            elif validation:
                waited += 1
                if settings.patience and waited >= settings.patience:
                    break
    if best is not None:
        network.load_state_dict(best)
    network.eval()
    return history


def _train_epoch(network, batches, loss_function, optimiser, schedule, device) -> float:
    """One pass over the batches; the mean loss an example."""
    network.train()
    total, count = 0.0, 0
    for codes, targets in batches:
        logits = network(codes.to(device, non_blocking=True))
        loss = loss_function(logits, targets.to(device, non_blocking=True))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        total += loss.item() * len(codes)
        count += len(codes)
    return total / max(count, 1)


def evaluate_loss(network, batches: Sequence[Batch], loss_function, device: str) -> float:
    """Mean loss an example, in evaluation mode; NaN where there is no batch."""
    network.eval()
    total, count = 0.0, 0
    with torch.inference_mode():
        for codes, targets in batches:
            loss = loss_function(network(codes.to(device)), targets.to(device))
            total += loss.item() * len(codes)
            count += len(codes)
    return total / count if count else math.nan


def _optimiser(network: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    parameters = [p for p in network.parameters() if p.requires_grad]
    build = OPTIMISERS[settings.optimiser]
    return build(parameters, settings.learning_rate, weight_decay=settings.weight_decay)


def _cosine(optimiser, settings: FitSettings, steps_per_epoch: int):
    steps = max(1, settings.epochs * steps_per_epoch)
    floor = settings.final_learning_rate / settings.learning_rate

    def factor(step: int) -> float:
        progress = min(step / steps, 1.0)
        return floor + (1 - floor) * (1 + math.cos(math.pi * progress)) / 2

    return torch.optim.lr_scheduler.LambdaLR(optimiser, factor)


def _checked_epochs(settings: FitSettings) -> set[int]:
    ends = np.linspace(0, settings.epochs, min(settings.checks, settings.epochs) + 1)[1:]
    return {round(end) - 1 for end in ends}


def batches(codes: np.ndarray, targets: np.ndarray, size: int) -> list[Batch]:
    """Consecutive batches of codes uint8 [N, L] and targets float32 [N, T]."""
    return [
        (torch.tensor(codes[i : i + size]), torch.tensor(targets[i : i + size]))
        for i in range(0, len(codes), size)
    ]


def choose_device(wanted: str) -> str:
    """ "cpu", or "cuda" where it is wanted ("cuda", "auto") and there is one.

    Raises InputError where "cuda" is asked for and no GPU is visible.
    """
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise InputError("device: cuda was asked for, but PyTorch sees no GPU; use device: auto")
    return "cuda" if available and wanted != "cpu" else "cpu"
