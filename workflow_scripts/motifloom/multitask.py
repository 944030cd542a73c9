"""Training a network for all TFs at once, on the genome's labelled bins."""

from functools import partial
from pathlib import Path

import numpy as np

from motifloom.bin_store import BinStore
from motifloom.files import write_table
from motifloom.hardware import run_on
from motifloom.members import Order, Task, plan_training, train_members
from motifloom.streams import BinReader, BinStream

_VALIDATION_BATCH = 500


def train_multitask(
    store: str | Path,
    genome: str | Path,
    weights: str | Path,
    history: str | Path,
    plan: str | Path,
    order: Order,
) -> None:
    """Train the network of a preset on the training bins; write weights, history and plan.

    Raises InputError where the device asked for is not there and where the loss is no number any
    more.
    """
    run_on(order.hardware, _train, store, genome, weights, history, plan, order)


def _train(fabric, store, genome, weights, history, plan, order) -> None:
    task = bins_task(BinStore.open(store, genome), order)
    train_members(fabric, task, order, weights, history, plan)


def plan_multitask(store: str | Path, genome: str | Path, plan: str | Path, order: Order) -> None:
    """Write what the training would cost, without doing it."""
    run_on(order.hardware, _plan, store, genome, plan, order)


def _plan(fabric, store, genome, plan, order) -> None:
    table = plan_training(fabric, bins_task(BinStore.open(store, genome), order), order)
    if fabric.global_rank == 0:
        write_table(table, plan)


def bins_task(store: BinStore, order: Order) -> Task:
    """What a network learns from: the sampled training bins, looked at with those of validation."""
    rows = store.rows("train", ("sampled",))
    held = store.rows("validation", ("sampled",))
    return Task(
        stream=partial(_stream, store, rows, order.preset.batch_size),
        validation=BinReader(store, held, _VALIDATION_BATCH),
        rates=store.positives(rows) / np.float64(len(rows)),
        length=store.length,
        centre=store.info["bin"],
        loss="cross-entropy",
        n_examples=len(rows),
        digest=store.digest(),
        info={
            "alphabet": "dna",
            "labels": "binary",
            "targets": store.info["targets"],
            "dataset": "multitask",
            "bin": store.info["bin"],
        },
    )


def _stream(store, rows, size: int, seed: int, margin: int, rank: int, world: int) -> BinStream:
    return BinStream(store, rows, size, seed, margin=margin, rank=rank, world=world)
