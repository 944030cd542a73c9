"""Training the multi-task networks on the store of labelled bins."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from motifloom import models
from motifloom.building import build_network
from motifloom.files import write_table
from motifloom.presets import MultitaskPreset
from motifloom.store import SequenceStore
from motifloom.training import HISTORY_COLUMNS, FitSettings, batches, choose_device, fit


class DirectPath(nn.Module):
    """The direct path of a DanQ as a network of its own, to train its kernels first."""

    def __init__(self, danq: models.DanQ):
        super().__init__()
        self.danq = danq

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of the direct path alone."""
        return self.danq.direct_logits(x)


def train_danq(
    store: str | Path,
    weights: str | Path,
    history: str | Path,
    *,
    preset: MultitaskPreset,
    preset_name: str,
    seed: int,
    device: str = "auto",
    matrices: str | Path | None = None,
) -> None:
    """Train a multi-task network on the training bins; write weights and history.

    `matrices`: a MEME file to start kernels from, for presets that do.

    Where the preset has a direct path, it is trained alone for its own epochs before the whole
    network: the recurrent layer is worth its cost only once the kernels mean something.
    """
    examples = SequenceStore.open(store)
    device = choose_device(device)
    network, matrices_used = build_network(
        preset, examples.length, examples.targets.shape[1], examples.info["bin"], seed, matrices
    )
    _set_prior(network, examples)
    rows, first = [], _direct_epochs(preset, examples)
    if first:
        rows += _fit(DirectPath(network), examples, preset, first, seed, device, "direct path")
    for row in _fit(network, examples, preset, preset.epochs, seed + 1, device, preset_name):
        rows.append((row[0], row[1] + first, *row[2:]))
    info = {
        "network": preset.network,
        "preset": preset_name,
        "hyperparameters": network.hyperparameters,
        "members": 1,
        "best_member": 0,
        "strands": preset.strands,
        "alphabet": "dna",
        "labels": "binary",
        "targets": examples.info["targets"],
        "target_mean": 0.0,
        "target_scale": 1.0,
        "dataset": examples.info["dataset"],
        "bin": examples.info["bin"],
        "initialised_from": matrices_used,
        "seed": seed,
        "torch": torch.__version__.split("+")[0],
    }
    models.save(models.TrainedModel([network.cpu()], info), weights)
    write_table(pd.DataFrame(rows, columns=HISTORY_COLUMNS), history)


def _direct_epochs(preset: MultitaskPreset, examples: SequenceStore) -> int:
    """Epochs of the direct path alone, 0 without one."""
    if not preset.direct or not preset.direct_epochs:
        return 0
    steps = math.ceil(len(examples.rows("train")) / preset.batch_size)
    return max(preset.direct_epochs, math.ceil(preset.direct_min_steps / steps))


def _set_prior(network: nn.Module, examples: SequenceStore) -> None:
    """Start every target's bias at the log-odds of its rate, so that training need not find it."""
    rate = examples.targets[examples.rows("train")].mean(0).clip(1e-4, 1 - 1e-4)
    prior = torch.from_numpy(np.log(rate / (1 - rate)).astype(np.float32))
    with torch.no_grad():
        if getattr(network, "direct", None) is not None:
            network.direct.bias.copy_(prior)
            network.dense.bias.zero_()
        else:
            network.dense.bias.copy_(prior)


def _fit(network, examples, preset, epochs, seed, device, label) -> list[tuple]:
    rows = examples.rows("train")
    held = examples.rows("validation")
    settings = FitSettings(
        epochs=epochs,
        learning_rate=preset.learning_rate,
        final_learning_rate=preset.final_learning_rate,
        optimiser=preset.optimiser,
        weight_decay=preset.weight_decay,
        patience=preset.patience,
    )

    def epoch_batches(epoch: int):
        random = np.random.default_rng([seed, epoch])
        order = rows[random.permutation(len(rows))]
        turned = random.random(len(order)) < 0.5 * preset.reverse_complement
        for i in range(0, len(order), preset.batch_size):
            # Ascending rows within a batch read the memory-mapped store in one direction.
            chosen = np.sort(order[i : i + preset.batch_size])
            codes = torch.tensor(examples.codes[chosen])
            mask = torch.from_numpy(turned[i : i + preset.batch_size])[:, None]
            codes = torch.where(mask, models.reverse_complement(codes), codes)
            yield codes, torch.tensor(examples.targets[chosen])

    return fit(
        network,
        epoch_batches,
        math.ceil(len(rows) / preset.batch_size),
        batches(examples.codes[held], examples.targets[held], 512),
        settings,
        device,
        0,
        label,
    )
