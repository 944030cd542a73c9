"""Mini-batches: shuffled for training, in order for looks and predictions.

Reading is shuffled in two steps, so that it stays sequential enough for disks and network file
systems: examples in genome order are cut into runs, the runs of an epoch are dealt out at random
into pools, and each pool is shuffled as a whole. A small set is one pool, shuffled completely.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from motifloom.bin_store import BinStore

# Consecutive examples that are read together, and runs that are shuffled together.
RUN, POOL = 512, 256
# Batches that a thread reads ahead.
_AHEAD = 4


class Batch(NamedTuple):
    """Some examples, those of one process of a batch.

    codes:   uint8 [n, L]
    targets: float32 [n, T]
    weight:  float32 [n], 1, or 0 for an example that stands in where a process has none
    size:    examples of the batch in all processes together
    """

    codes: torch.Tensor
    targets: torch.Tensor
    weight: torch.Tensor
    size: int


def batch_of(codes: np.ndarray, targets: np.ndarray, rank: int, world: int) -> Batch:
    """The part of a whole batch, codes [n, L] and targets [n, T], that process `rank` sees."""
    own = share_of(len(codes), rank, world)
    return _batch(codes[own], targets[own], rank, len(codes))


def share_of(n: int, rank: int, world: int) -> np.ndarray:
    """Places, int64, in a batch of n that process `rank` of `world` sees: every world-th one.

    A process for which none is left sees the first one, which then does not count.
    """
    own = np.arange(rank, n, world)
    return own if len(own) else np.zeros(1, np.int64)


def _batch(codes: np.ndarray, targets: np.ndarray, rank: int, size: int) -> Batch:
    """A Batch of the examples that process `rank` sees of `size`."""
    weight = torch.full((len(codes),), float(rank < size))
    return Batch(torch.from_numpy(codes), torch.from_numpy(targets), weight, size)


class _Shuffled:
    """Shuffled batches of rows (a `training.Stream`); what a row is, `_examples` knows.

    rows:        ascending row numbers
    size:        examples of a batch, in all processes together
    rank, world: which process this is, and of how many; each sees its share of every batch
    """

    def __init__(self, rows: np.ndarray, size: int, seed: int, rank: int = 0, world: int = 1):
        self.rows, self.size, self.seed = rows, size, seed
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return -(-len(self.rows) // self.size)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from number `first` on; those before are not read."""
        order = shuffled(len(self.rows), np.random.default_rng([self.seed, epoch]))
        return ahead(lambda number: self._read(order, number), range(first, len(self)))

    def _read(self, order: np.ndarray, number: int) -> Batch:
        places = order[number * self.size : (number + 1) * self.size]
        rows = self.rows[places[share_of(len(places), self.rank, self.world)]]
        return _batch(*self._examples(rows), self.rank, len(places))

    def _examples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Codes uint8 [n, L] and targets float32 [n, T] of some rows."""
        raise NotImplementedError


class BinStream(_Shuffled):
    """Shuffled batches of a store's bins; `margin` bases are read beyond their contexts."""

    def __init__(
        self,
        store: BinStore,
        rows: np.ndarray,
        size: int,
        seed: int,
        *,
        margin: int = 0,
        rank: int = 0,
        world: int = 1,
    ):
        super().__init__(rows, size, seed, rank, world)
        self.store, self.margin = store, margin

    def _examples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.store.codes(rows, self.margin), self.store.labels(rows)


class ArrayStream(_Shuffled):
    """Shuffled batches of arrays, codes uint8 [N, L] and targets float32 [N, T], maybe mapped."""

    def __init__(
        self,
        codes: np.ndarray,
        targets: np.ndarray,
        rows: np.ndarray,
        size: int,
        seed: int,
        *,
        rank: int = 0,
        world: int = 1,
    ):
        super().__init__(rows, size, seed, rank, world)
        self.codes, self.targets = codes, targets

    def _examples(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.codes[rows], self.targets[rows]


class BinReader:
    """Batches of bins in the order of `rows`, anew at each iteration.

    `crop` bases of the contexts are left out on both sides.
    """

    def __init__(self, store: BinStore, rows: np.ndarray, size: int, crop: int = 0):
        self.store, self.rows, self.size, self.crop = store, rows, size, crop

    def __iter__(self) -> Iterator[Batch]:
        return ahead(self._read, range(0, len(self.rows), self.size))

    def _read(self, first: int) -> Batch:
        rows = self.rows[first : first + self.size]
        codes = self.store.codes(rows, crop=self.crop)
        return _batch(codes, self.store.labels(rows), 0, len(rows))


def shuffled(n: int, rng: np.random.Generator, run: int = RUN, pool: int = POOL) -> np.ndarray:
    """A random order, int64 [n], that stays within pools of `pool` random runs of `run` each."""
    runs = rng.permutation(-(-n // run))
    order = (runs[:, None] * run + np.arange(run)).ravel()
    order = order[order < n]
    for first in range(0, n, run * pool):
        rng.shuffle(order[first : first + run * pool])
    return order


def augment(
    codes: torch.Tensor, shift: torch.Tensor, turned: torch.Tensor, length: int
) -> torch.Tensor:
    """Contexts uint8 [n, length] out of codes [n, length + 2 m], on the device of the tensors.

    `shift` int64 [n], from -m to m, moves the middle; where `turned` bool [n] is set the reverse
    complement is taken.
    """
    margin = (codes.shape[1] - length) // 2
    places = torch.arange(length, device=codes.device)
    places = torch.where(turned[:, None], length - 1 - places, places)
    found = codes.gather(1, places + (margin + shift)[:, None])
    return torch.where(turned[:, None] & (found < 4), 3 - found, found)


def ahead(read: Callable[[int], Batch], numbers: Iterable[int]) -> Iterator[Batch]:
    """`read(number)` for each number in order, read by a thread some batches ahead.

    The thread ends with the iteration, also where that is given up; its errors are raised here.
    """
    waiting: queue.Queue = queue.Queue(_AHEAD)
    stopped = threading.Event()

    def put(item) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for number in numbers:
                if not put(read(number)):
                    return
            put(None)
        except BaseException as error:  # raised again by the reader
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
