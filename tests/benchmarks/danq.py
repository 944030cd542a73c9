"""A step of training DanQ against the textbook's network in PyTorch."""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from harness import Pair, Result, Row
from torch import nn

from motifloom.memory import hold_freed
from motifloom.models import DanQ
from motifloom.scan import one_hot

BATCH, LENGTH, RATE = 100, 1000, 1e-3


@dataclass(frozen=True)
class Size:
    """A network, as DanQ's arguments, and how many steps a turn has."""

    n_targets: int
    n_kernels: int
    kernel_size: int
    pool_size: int
    lstm_units: int
    dense_units: int
    readout: str
    steps: int
    dropouts: dict = field(default_factory=lambda: {"conv_dropout": 0.2, "dropout": 0.5})

    def danq(self) -> DanQ:
        """Ours."""
        sizes = {
            name: value for name, value in vars(self).items() if name not in ("steps", "dropouts")
        }
        return DanQ(LENGTH, **sizes, **self.dropouts)

    @property
    def products(self) -> float:
        """Operations of the matrix products of recurrent and dense layers in a step.

        An LSTM of H units on I inputs makes P * 2 * 4 H (I + H) multiplications a sequence, a
        dense layer as many as it has weights; each is also an addition, and backward costs twice
        as much as forward. The convolution, which ours does not make as a product, is left out.
        """
        pools = (LENGTH - self.kernel_size + 1) // self.pool_size
        lstm = pools * 8 * self.lstm_units * (self.n_kernels + self.lstm_units)
        width = 2 * self.lstm_units * (pools if self.readout == "flatten" else 1)
        dense = self.dense_units * (width + self.n_targets)
        return 2 * 3 * BATCH * (lstm + dense)


MEDIUM = Size(49, 64, 20, 10, 64, 128, "max", steps=5)
PUBLISHED = Size(919, 320, 26, 13, 320, 925, "flatten", steps=1)


def rows() -> list[Row]:
    """Rows of this subject; the reference is float32 in all of them."""
    return [
        Row(name, "examples/s", partial(against_textbook, size=size, halved=halved), note)
        for name, size, halved in (
            ("danq-step-medium", MEDIUM, False),
            ("danq-step-2016", PUBLISHED, False),
            ("danq-step-2016-bf16", PUBLISHED, True),
        )
        for note in [partial(describe, size=size, halved=halved)]
    ]


class Textbook(nn.Module):
    """Convolution, ReLU, max pooling, dropout, LSTM in both directions, read-out, dense layers."""

    def __init__(self, size: Size):
        super().__init__()
        hidden, self.readout = size.lstm_units, size.readout
        pools = (LENGTH - size.kernel_size + 1) // size.pool_size
        self.conv = nn.Conv1d(4, size.n_kernels, size.kernel_size)
        self.pool = nn.MaxPool1d(size.pool_size)
        self.conv_dropout = nn.Dropout(size.dropouts["conv_dropout"])
        self.lstm = nn.LSTM(size.n_kernels, hidden, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(size.dropouts["dropout"])
        width = 2 * hidden * (pools if size.readout == "flatten" else 1)
        self.hidden = nn.Linear(width, size.dense_units)
        self.dense = nn.Linear(size.dense_units, size.n_targets)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.conv_dropout(self.pool(F.relu(self.conv(x))))
        steps, _ = self.lstm(h.transpose(1, 2))
        h = steps.flatten(1) if self.readout == "flatten" else steps.amax(1)
        return self.dense(F.relu(self.hidden(self.dropout(h))))

    def take(self, danq: DanQ) -> None:
        """Take the weights of ours; the LSTM's second bias is 0."""
        state, own = danq.state_dict(), self.state_dict()
        for name, tensor in own.items():
            if name in state:
                tensor.copy_(state[name])
        for d, suffix in enumerate(("_l0", "_l0_reverse")):
            own[f"lstm.weight_ih{suffix}"].copy_(state["lstm.weight_ih"][d])
            own[f"lstm.weight_hh{suffix}"].copy_(state["lstm.weight_hh"][d])
            own[f"lstm.bias_ih{suffix}"].copy_(state["lstm.bias"][d])
            own[f"lstm.bias_hh{suffix}"].zero_()


def against_textbook(folder: Path, size: Size, halved: bool) -> Pair:
    """Steps of Adam on a batch; the reference is given its input one-hot encoded.

    Both have all of PyTorch's threads and memory that is kept when freed.
    """
    hold_freed()
    torch.manual_seed(0)
    danq, textbook = size.danq(), Textbook(size)
    textbook.take(danq)
    codes = torch.randint(4, (BATCH, LENGTH), dtype=torch.uint8)
    targets = (torch.rand(BATCH, size.n_targets) < 0.1).float()
    inputs = one_hot(codes).contiguous()
    check_gradients(danq, codes, textbook, inputs, targets, halved)
    ours = torch.optim.AdamW(danq.parameters(), RATE, weight_decay=0, fused=True)
    theirs = torch.optim.Adam(textbook.parameters(), RATE)
    return Pair(
        ours=partial(train, danq, ours, codes, targets, size.steps, halved),
        reference=partial(train, textbook, theirs, inputs, targets, size.steps, False),
        n_ours=BATCH * size.steps,
        n_reference=BATCH * size.steps,
        check=check_losses,
    )


def loss_of(network: nn.Module, x: torch.Tensor, targets: torch.Tensor, halved: bool):
    """Loss of a batch; halved: with bfloat16 operands."""
    with torch.autocast("cpu", torch.bfloat16, enabled=halved):
        return F.binary_cross_entropy_with_logits(network(x).float(), targets)


def train(network, optimiser, x, targets, steps: int, halved: bool) -> float:
    """The last loss of so many steps on the same batch."""
    for _ in range(steps):
        optimiser.zero_grad()
        loss = loss_of(network, x, targets, halved)
        loss.backward()
        optimiser.step()
    return loss.item()


def check_gradients(danq, codes, textbook, inputs, targets, halved: bool) -> None:
    """Without dropout the same weights have the same loss and, as a whole, the same gradients."""
    most, found = (0.05 if halved else 0.01), []
    for network, x, half in ((danq, codes, halved), (textbook, inputs, False)):
        network.eval()
        loss = loss_of(network, x, targets, half)
        loss.backward()
        network.train()
        names = ("conv.weight", "conv.bias", "hidden.weight", "dense.weight")
        tensors = [network.get_parameter(name).grad for name in names]
        lstm = [p.grad for n, p in network.lstm.named_parameters() if n.startswith("weight_ih")]
        found.append((loss.item(), [*tensors, torch.cat([p.flatten() for p in lstm])]))
        network.zero_grad()
    (ours, slopes), (theirs, expected) = found
    if abs(ours - theirs) > 1e-5 + 1e-2 * halved:
        raise AssertionError(f"losses {ours:.6f} and {theirs:.6f} differ")
    for own, right in zip(slopes, expected, strict=True):
        difference = (own - right.view_as(own)).norm() / right.norm()
        if difference > most:
            raise AssertionError(f"gradients differ by {difference:.3g} of their norm")


def check_losses(ours: float, reference: float) -> None:
    """With dropout of its own, each side learns as well as the other."""
    if abs(ours - reference) > 0.05:
        raise AssertionError(f"losses {ours:.4f} and {reference:.4f} differ")


def describe(result: Result, size: Size, halved: bool) -> str:
    """What both reach in matrix products, and how much of what the machine can do that is."""
    peaks = [peak(dtype) for dtype in (torch.float32, torch.bfloat16)[: 1 + halved]]
    ours, theirs = (rate * size.products / BATCH / 1e9 for rate in (result.ours, result.reference))
    return (
        f"{ours:.0f} and {theirs:.0f} GFLOPS in products,"
        f" {ours / peaks[-1]:.0%} and {theirs / peaks[0]:.0%} of torch.mm's"
    )


def peak(dtype: torch.dtype, size: int = 2048, repeats: int = 5) -> float:
    """GFLOPS of a large product, the best of several."""
    left, right = torch.randn(2, size, size).to(dtype)
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds) / 1e9
