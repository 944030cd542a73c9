"""Training DeepBind, one network and many, against textbook PyTorch."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from harness import Pair, Row

from motifloom import networks, steps
from motifloom.presets import DeepBindPreset
from motifloom.scan import one_hot
from motifloom.search import Judge, Pool, Training, train_together

# Sequences, their length, sequences a batch, both strands.
SHAPES = {
    "101-b64": (8192, 101, 64, False),
    "101-b64-both": (8192, 101, 64, True),
    "101-b512": (8192, 101, 512, False),
    "101-b512-both": (8192, 101, 512, True),
    "1000-b64": (1024, 1000, 64, False),
    "1000-b64-both": (1024, 1000, 64, True),
}
SEARCHED = 30
RATE = 1e-3


def rows() -> list[Row]:
    """Rows of this subject: `train-one-*` and, with many networks together, `train-search-*`."""
    unit = "sequences/s"
    return [
        Row(f"train-{name}-{shape}", unit, partial(against_textbook, shape=sizes, n_networks=n))
        for name, n in (("one", 1), ("search", SEARCHED))
        for shape, sizes in SHAPES.items()
    ]


def against_textbook(folder: Path, shape: tuple[int, int, int, bool], n_networks: int) -> Pair:
    """One epoch of 16 kernels of 24 with Adam; the reference trains the first of the networks.

    Its sequences are given one-hot encoded; both gather their batches. Both have PyTorch's
    number of threads.
    """
    n, length, batch, both = shape
    random = np.random.default_rng(0)
    codes = random.integers(4, size=(n, length), dtype=np.uint8)
    targets = random.integers(2, size=n).astype(np.float32)
    preset = DeepBindPreset(
        n_kernels=16, kernel_size=24, both_strands=both, batch_size=batch,
        learning_rate=RATE, final_learning_rate=RATE,
    )  # fmt: skip
    started = [
        networks.start_network(preset, length, "dna", "cross-entropy", seed)
        for seed in range(n_networks)
    ]
    order = np.arange(n)
    steps.shuffle_order(order, steps.stream(0, 0))
    inputs = one_hot(torch.from_numpy(codes)).contiguous()
    return Pair(
        ours=partial(train_ours, started, Pool(codes, targets)),
        reference=partial(
            train_textbook, started[0], inputs, torch.from_numpy(targets), torch.from_numpy(order),
            batch, both,
        ),
        n_ours=n * n_networks,
        n_reference=n,
        check=check_losses,
    )  # fmt: skip


def train_ours(started: list[networks.Network], pool: Pool) -> float:
    """Mean loss of the first network over one epoch, in which all are trained."""
    n = len(pool.codes)
    count = -(-n // started[0].rules.batch)
    everything, nothing = np.ones(n, bool), np.empty(0, np.int64)
    trainings = [
        Training(network, everything, nothing, key, count, (count,))
        for key, network in enumerate(started)
    ]
    judge = Judge(pool.codes[:0], pool.targets[:0], lambda targets, logits: 0.0)
    train_together(trainings, pool, judge, torch.get_num_threads())
    return trainings[0].seen[0].train_loss


class Textbook(torch.nn.Module):
    """Convolution, ReLU, max pooling, linear: with both strands, each kernel's larger maximum."""

    def __init__(self, network: networks.Network, both: bool):
        super().__init__()
        tensors = {name: torch.tensor(array) for name, array in network.tensors().items()}
        self.conv = torch.nn.Conv1d(4, 16, 24)
        self.dense = torch.nn.Linear(16, 1)
        self.both = both
        self.load_state_dict(tensors)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.relu(self.conv(x))
        h = F.max_pool1d(h, h.shape[2]).squeeze(2)
        if self.both:
            other = F.relu(F.conv1d(x, self.conv.weight.flip(1, 2), self.conv.bias))
            h = torch.maximum(h, F.max_pool1d(other, other.shape[2]).squeeze(2))
        return self.dense(h).squeeze(1)


def train_textbook(network, inputs, targets, order, batch: int, both: bool) -> float:
    """Mean loss over one epoch of the textbook's network."""
    textbook = Textbook(network, both)
    optimiser = torch.optim.Adam(textbook.parameters(), RATE)
    total = 0.0
    for rows in batches(order, batch):
        loss = F.binary_cross_entropy_with_logits(textbook(inputs[rows]), targets[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        total += loss.item() * len(rows)
    return total / len(order)


def batches(order: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """Consecutive pieces of an order."""
    return (order[first : first + size] for first in range(0, len(order), size))


def check_losses(ours: float, reference: float) -> None:
    """The first network has learned the same on the way."""
    if abs(ours - reference) > 1e-3:
        raise AssertionError(f"mean losses {ours:.6f} and {reference:.6f} differ")
