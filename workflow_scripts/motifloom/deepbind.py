"""Training one DeepBind, or a small ensemble of them, on one dataset's sequence store."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from motifloom import models
from motifloom.files import InputError, write_table
from motifloom.negatives import dinucleotide_shuffle
from motifloom.presets import DeepBindPreset
from motifloom.store import SequenceStore
from motifloom.training import HISTORY_COLUMNS, Batch, FitSettings, batches, choose_device, fit

log = logging.getLogger(__name__)


def train_deepbind(
    store: str | Path,
    weights: str | Path,
    history: str | Path,
    *,
    preset: DeepBindPreset,
    preset_name: str,
    seed: int,
    negatives_per_positive: int,
    loss: str = "mse",
    device: str = "auto",
) -> None:
    """Train the preset's members on a store's training split; write weights and history.

    Binary labels take the cross-entropy; scores, standardised on the training split, take `loss`:
    "mse" or "cross-entropy" (against t = sigmoid(score)). Shuffled negatives are drawn anew each
    epoch. Raises InputError where the training split lacks a class.
    """
    examples = _Examples(SequenceStore.open(store), negatives_per_positive, loss)
    device = choose_device(device)
    networks, rows = [], []
    for member in range(preset.members):
        member_seed = int(np.random.SeedSequence([seed, member]).generate_state(1)[0])
        network, member_rows = _train_member(
            examples, preset, member, member_seed, device, f"{preset_name} {examples.name}"
        )
        networks.append(network.cpu())
        rows += member_rows
    table = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
    info = _describe(examples, networks, preset, preset_name, seed, table)
    models.save(models.TrainedModel(networks, info), weights)
    write_table(table, history)


class _Examples:
    """Training and validation examples of a store, as the networks take them."""

    def __init__(self, store: SequenceStore, per_positive: int, loss: str):
        self.info = store.info
        self.name = store.info["dataset"]
        self.shuffled = store.info["negatives"] == "dinucleotide"
        self.per_positive = per_positive
        self.binary = store.info["labels"] == "binary"
        self.loss = "cross-entropy" if self.binary else loss
        kinds = ("site", "given", store.info["negatives"])
        rows = store.rows("train", kinds)
        self.codes, targets = store.codes[rows], store.targets[rows]
        self._check(targets)
        self.mean, self.scale = 0.0, 1.0
        if not self.binary:
            self.mean = float(targets.mean(dtype=np.float64))
            self.scale = float(targets.std(dtype=np.float64)) or 1.0
        self.targets = self._standardised(targets)
        held = store.rows("validation", kinds)
        self.validation = batches(store.codes[held], self._standardised(store.targets[held]), 1024)

    def _check(self, targets: np.ndarray) -> None:
        if self.binary and not self.shuffled and len(np.unique(targets)) < 2:
            raise InputError(
                f"dataset {self.name}: the training split holds one class only; give examples of"
                " both or choose negatives: kinds: [dinucleotide]"
            )

    def _standardised(self, targets: np.ndarray) -> np.ndarray:
        scores = ((targets - self.mean) / self.scale).astype(np.float32)
        if not self.binary and self.loss == "cross-entropy":
            return 1 / (1 + np.exp(-scores))
        return scores

    def size(self) -> int:
        """Examples an epoch."""
        return len(self.codes) * (1 + self.per_positive * self.shuffled)

    def epoch(self, epoch: int, seed: int, batch_size: int) -> Iterator[Batch]:
        """The examples of one epoch in random order, with fresh shuffles where wanted."""
        key = np.random.SeedSequence([seed, epoch]).generate_state(2)
        codes, targets = self.codes, self.targets
        if self.shuffled:
            made = dinucleotide_shuffle(np.repeat(codes, self.per_positive, 0), int(key[0]))
            codes = np.concatenate([codes, made])
            targets = np.concatenate([targets, np.zeros((len(made), 1), np.float32)])
        order = np.random.default_rng(int(key[1])).permutation(len(codes))
        for i in range(0, len(order), batch_size):
            rows = order[i : i + batch_size]
            yield torch.from_numpy(codes[rows]), torch.from_numpy(targets[rows])


def _train_member(examples, preset, member, seed, device, label):
    steps = math.ceil(examples.size() / preset.batch_size)
    settings = FitSettings(
        epochs=max(preset.epochs, math.ceil(preset.min_steps / steps)),
        learning_rate=preset.learning_rate,
        final_learning_rate=preset.final_learning_rate,
        loss=examples.loss,
        weight_decay=preset.weight_decay,
        patience=preset.patience,
    )
    torch.manual_seed(seed)
    network = models.DeepBind(
        examples.codes.shape[1],
        n_kernels=preset.n_kernels,
        kernel_size=preset.kernel_size,
        hidden_units=preset.hidden_units,
        dropout=preset.dropout,
        both_strands=preset.both_strands and examples.info["alphabet"] == "dna",
    )
    rows = fit(
        network,
        lambda epoch: examples.epoch(epoch, seed, preset.batch_size),
        steps,
        examples.validation,
        settings,
        device,
        member,
        f"{label} member {member + 1}/{preset.members}",
    )
    return network, rows


def _describe(examples, networks, preset, preset_name, seed, history) -> dict:
    best = history.groupby("member").validation_loss.min()
    return {
        "network": "DeepBind",
        "preset": preset_name,
        "hyperparameters": networks[0].hyperparameters,
        "members": len(networks),
        "best_member": int(best.idxmin()) if best.notna().any() else 0,
        "strands": preset.strands if examples.info["alphabet"] == "dna" else "given",
        "alphabet": examples.info["alphabet"],
        "labels": examples.info["labels"],
        "targets": examples.info["targets"],
        "target_mean": examples.mean,
        "target_scale": examples.scale,
        "dataset": examples.name,
        "negatives": examples.info["negatives"],
        "seed": seed,
        "torch": torch.__version__.split("+")[0],
    }
