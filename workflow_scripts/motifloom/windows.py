"""Training a comparison network on one dataset's windows, the examples that DeepBind has."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from motifloom.deepbind import Examples
from motifloom.files import InputError, file_digest
from motifloom.hardware import run_on
from motifloom.members import Order, Task, train_members
from motifloom.presets import DEEPBIND
from motifloom.search import Pool
from motifloom.store import SequenceStore
from motifloom.streams import ArrayStream, Batch, batch_of

_VALIDATION_BATCH = 1000


class PoolStream:
    """Shuffled batches of a pool's epochs, fresh negatives included (a `training.Stream`)."""

    def __init__(self, pool: Pool, size: int, seed: int, rank: int, world: int):
        self.pool, self.size, self.seed = pool, size, seed
        self.rank, self.world = rank, world
        self.n_examples = pool.size(np.ones(len(pool.codes), bool))

    def __len__(self) -> int:
        return -(-self.n_examples // self.size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `first` on."""
        codes, targets, _ = self.pool.epoch(epoch)
        rows = np.arange(len(codes))
        stream = ArrayStream(
            codes, targets[:, None], rows, self.size, self.seed, rank=self.rank, world=self.world
        )
        return stream.batches(epoch, first)


def train_windows(
    store: str | Path,
    weights: str | Path,
    history: str | Path,
    plan: str | Path,
    order: Order,
    *,
    negatives_per_positive: int,
    loss: str = "mse",
) -> None:
    """Train the network of a preset on a dataset's training windows; write weights, history, plan.

    Scores, standardised on what is trained on, take `loss`, as DeepBind's do. Raises InputError
    where the training split lacks a class and where the loss is no number any more.
    """
    run_on(
        order.hardware, _train, store, weights, history, plan, order, negatives_per_positive, loss
    )


def _train(fabric, store, weights, history, plan, order, per_positive, loss) -> None:
    task = windows_task(store, order, per_positive, loss)
    train_members(fabric, task, order, weights, history, plan)


def windows_task(store: str | Path, order: Order, per_positive: int, loss: str) -> Task:
    """What a network learns from: DeepBind's examples of a dataset."""
    if order.preset.shift:
        raise InputError(
            f"models: settings: {order.preset_name}: shift is for bins, whose genome goes on beyond"
            " them; windows end where they end: set it to 0"
        )
    opened = SequenceStore.open(store)
    examples = Examples(opened, DEEPBIND["deepbind"], per_positive, loss, order.seed)
    pool, judge = examples.pool, examples.judge
    stream = partial(_stream, pool, order.preset.batch_size)
    rate = (pool.targets > 0).sum() / stream(0, 0, 0, 1).n_examples
    return Task(
        stream=stream,
        validation=[
            batch_of(
                judge.codes[i : i + _VALIDATION_BATCH],
                judge.targets[i : i + _VALIDATION_BATCH, None],
                0,
                1,
            )
            for i in range(0, len(judge.codes), _VALIDATION_BATCH)
        ],
        rates=np.array([rate]) if examples.binary else None,
        length=examples.length,
        centre=examples.length,
        loss=examples.loss,
        n_examples=stream(0, 0, 0, 1).n_examples,
        digest=file_digest(store),
        info={
            "alphabet": examples.alphabet,
            "labels": opened.info["labels"],
            "targets": opened.info["targets"],
            "dataset": examples.name,
            "negatives": opened.info["negatives"],
            "target_mean": examples.mean,
            "target_scale": examples.scale,
        },
    )


def _stream(pool: Pool, size: int, seed: int, shift: int, rank: int, world: int) -> PoolStream:
    return PoolStream(pool, size, seed, rank, world)
