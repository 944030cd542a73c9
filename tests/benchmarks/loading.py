"""Training from a store of bins against the same steps on one batch, repeated."""

from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from harness import Pair, Row

LENGTH, BATCH, TARGETS = 1000, 100, 500
N_BINS, BASES = 200_000, 50_000_000


def rows() -> list[Row]:
    """Rows of this subject: how much of a step's speed is left when its batch must be read."""
    return [
        Row("loading-danq-medium", "examples/s", partial(against_one_batch, steps=20)),
        Row("loading-cnn-64", "examples/s", partial(against_one_batch, steps=60, lstm_units=0)),
    ]


def against_one_batch(folder: Path, steps: int, lstm_units: int = 64) -> Pair:
    """Updates of DanQ (64 kernels of 20, pool 10) with shuffled, turned and moved batches.

    The reference repeats one batch, which is turned and moved on the spot as ours are.
    """
    from motifloom.hardware import Hardware, open_fabric
    from motifloom.models import DanQ
    from motifloom.streams import BinStream
    from motifloom.training import FitSettings, Trainer

    store = bin_store(folder)
    settings = FitSettings(1, 1e-3, 1e-4, shift=20, reverse_complement=True)
    network = DanQ(LENGTH, TARGETS, 64, 20, 10, lstm_units, 128, readout="max")
    stream = BinStream(store, np.arange(len(store)), BATCH, 1, margin=20)
    trainer = Trainer(open_fabric(Hardware()), network, stream, [], settings, None, False)
    trainer.model.train()
    same = next(iter(stream.batches(0)))
    batches = iter(())

    def real() -> None:
        nonlocal batches
        for _ in range(steps):
            batch = next(batches, None)
            if batch is None:
                batches = stream.batches(0)
                batch = next(batches)
            trainer.step(batch)

    def repeated() -> None:
        for batch in islice(iter(lambda: same, None), steps):
            trainer.step(batch)

    n = steps * BATCH
    return Pair(real, repeated, n, n, check=lambda *_: None)


def bin_store(folder: Path):
    """A store, on disk with its genome, of random bins with one label in a hundred."""
    from motifloom.bin_store import BinStore
    from motifloom.sequences import Genome
    from motifloom.store import write_arrays

    rng = np.random.default_rng(0)
    path = folder / "loading.genome.safetensors"
    codes = rng.integers(0, 4, BASES, dtype=np.uint8)
    info = {"chromosomes": ["chr1"], "lengths": [BASES]}
    write_arrays(path, {"codes": ((BASES,), np.uint8)}, [codes], info)
    labels = rng.random((N_BINS, TARGETS), np.float32) < 0.01
    store = BinStore(
        genome=Genome.open(path),
        chrom=np.zeros(N_BINS, np.int32),
        start=np.arange(N_BINS, dtype=np.int64) * 200,
        split=np.zeros(N_BINS, np.uint8),
        kind=np.zeros(N_BINS, np.uint8),
        offsets=np.concatenate([[0], np.cumsum(labels.sum(1))]),
        tracks=np.nonzero(labels)[1].astype(np.int32),
        info={
            "targets": [f"track{number}" for number in range(TARGETS)],
            "context": LENGTH,
            "bin": 200,
            "kinds": ["sampled", "unsampled"],
            "chromosomes": [["chr1", BASES]],
        },
    )
    store.write(folder / "loading.bins.safetensors")
    return BinStore.open(folder / "loading.bins.safetensors", path)
