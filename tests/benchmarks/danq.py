"""One step of training DanQ against the textbook's class in PyTorch."""

import functools
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.nn.functional as F
from harness import Pair, Result, Row
from torch import nn

LENGTH, BATCH, RATE = 1000, 100, 1e-3
# Edge of the square matrices whose product tells what the machine can do.
PEAK_SIZE = 2048


@dataclass(frozen=True)
class Shape:
    """Hyper-parameters of DanQ, and how many steps one call takes."""

    kernels: int
    width: int
    pool: int
    units: int
    readout: str
    dense: int
    targets: int
    steps: int

    @property
    def pools(self) -> int:
        """Steps of the recurrence."""
        return (LENGTH - self.width + 1) // self.pool

    @property
    def features(self) -> int:
        """Inputs of the dense layers."""
        return 2 * self.units * (self.pools if self.readout == "flatten" else 1)

    def operations(self) -> float:
        """Additions and multiplications of the textbook's matrix products in one step.

        Backward costs twice forward; the convolution, whose input needs no gradient, once.
        """
        windows = LENGTH - self.width + 1
        convolution = windows * self.kernels * 4 * self.width
        recurrence = 2 * self.pools * 4 * self.units * (self.kernels + self.units)
        dense = self.dense * (self.features + self.targets)
        return 2.0 * BATCH * (2 * convolution + 3 * recurrence + 3 * dense)


SHAPES = {
    "medium": Shape(64, 20, 10, 64, "max", 128, 49, steps=5),
    "2016": Shape(320, 26, 13, 320, "flatten", 925, 919, steps=1),
}
# Row: shape, bfloat16 on our side, on the reference's.
ROWS = {
    "danq-step-medium": ("medium", False, False),
    "danq-step-2016": ("2016", False, False),
    "danq-step-2016-bf16": ("2016", True, False),
    "danq-step-2016-bf16-both": ("2016", True, True),
}


def rows() -> list[Row]:
    """Rows of this subject; last of all, since they let the process hold on to freed memory."""
    return [
        Row(
            name,
            "examples/s",
            partial(against_textbook, SHAPES[shape], *halved),
            partial(speeds, SHAPES[shape], halved),
        )
        for name, (shape, *halved) in ROWS.items()
    ]


def against_textbook(shape: Shape, halved: bool, halved_reference: bool, folder: Path) -> Pair:
    """Forward, loss, backward and update of a batch of 100 sequences of 1,000 bases.

    The textbook's class trains in a process of its own: ours holds on to freed memory, which would
    speed it up too. Both have PyTorch's number of threads; the textbook is given one-hot input.
    """
    from motifloom.memory import hold_freed

    reference = elsewhere(shape, halved_reference)  # begins while the rest is made ready
    hold_freed()
    codes, targets = drawn(shape)
    torch.manual_seed(0)
    textbook, ours = Textbook(shape), our_network(shape)
    copy_weights(textbook, ours)
    compare(textbook, ours, codes, targets, halved)
    ours.train()
    optimiser = torch.optim.AdamW(ours.parameters(), RATE, weight_decay=0, fused=True)
    n, examples = shape.steps, BATCH * shape.steps
    return Pair(
        ours=partial(train, ours, optimiser, codes, targets, halved, n),
        reference=reference,
        n_ours=examples,
        n_reference=examples,
        check=check_losses,
    )


def drawn(shape: Shape) -> tuple[torch.Tensor, torch.Tensor]:
    """Base codes uint8 [N, L] and targets float32 [N, T]."""
    draw = torch.Generator().manual_seed(0)
    codes = torch.randint(4, (BATCH, LENGTH), generator=draw, dtype=torch.uint8)
    targets = torch.randint(2, (BATCH, shape.targets), generator=draw)
    return codes, targets.float()


class Textbook(nn.Module):
    """DanQ as a lecture writes it; takes one-hot [N, 4, L]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.readout = shape.readout
        self.conv = nn.Conv1d(4, shape.kernels, shape.width)
        self.pool = nn.MaxPool1d(shape.pool)
        self.conv_dropout = nn.Dropout(0.2)
        self.lstm = nn.LSTM(shape.kernels, shape.units, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Linear(shape.features, shape.dense)
        self.dense = nn.Linear(shape.dense, shape.targets)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.conv_dropout(self.pool(F.relu(self.conv(x))))
        h, _ = self.lstm(h.transpose(1, 2))
        h = h.flatten(1) if self.readout == "flatten" else h.amax(1)
        return self.dense(F.relu(self.hidden(self.dropout(h))))


def our_network(shape: Shape) -> nn.Module:
    """The library's DanQ of this shape."""
    from motifloom.models import DanQ

    return DanQ(
        LENGTH, shape.targets, shape.kernels, shape.width, shape.pool, shape.units, shape.dense,
        readout=shape.readout,
    )  # fmt: skip


def copy_weights(textbook: Textbook, ours: nn.Module) -> None:
    """Give ours the textbook's weights."""
    own = dict(textbook.named_parameters())
    with torch.no_grad():
        for name, parameter in ours.named_parameters():
            parameter.copy_(counterpart(own, name))


def counterpart(values: dict[str, torch.Tensor], name: str) -> torch.Tensor:
    """What of the textbook's is our parameter `name`; both biases of its LSTM add up to ours."""
    if not name.startswith("lstm."):
        return values[name]
    if name == "lstm.bias":
        return counterpart(values, "lstm.bias_ih") + counterpart(values, "lstm.bias_hh")
    return torch.stack([values[f"{name}_l0{suffix}"] for suffix in ("", "_reverse")])


def compare(textbook: Textbook, ours: nn.Module, codes, targets, halved: bool) -> None:
    """Loss and gradients without dropout; gradients as a whole, for rounding decides near ties."""
    losses, gradients = [], []
    for network, inputs in ((textbook.eval(), encoded(codes)), (ours.eval(), codes)):
        loss = loss_of(network, inputs, targets, halved and network is ours)
        loss.backward()
        losses.append(loss.item())
        gradients.append({name: p.grad for name, p in network.named_parameters()})
        network.zero_grad()
    tolerance = 0.1 if halved else 0.01
    if abs(losses[0] - losses[1]) > tolerance * 1e-2:
        raise AssertionError(f"losses {losses[1]:.6f} and {losses[0]:.6f} differ")
    for name, found in gradients[1].items():
        right = counterpart(gradients[0], name)
        if name == "lstm.bias":
            right = right / 2  # the gradient by either bias is the gradient by their sum
        difference = (found - right).norm() / right.norm()
        if difference > tolerance:
            raise AssertionError(f"gradients of {name} differ by {difference:.3g} of their norm")


def encoded(codes: torch.Tensor) -> torch.Tensor:
    """One-hot float32 [N, 4, L] of codes without N."""
    return F.one_hot(codes.long(), 4).transpose(1, 2).float().contiguous()


def loss_of(network: nn.Module, inputs, targets, halved: bool) -> torch.Tensor:
    """Mean loss of a batch; `halved` as Fabric's bf16-mixed does it."""
    with torch.autocast("cpu", torch.bfloat16, enabled=halved):
        logits = network(inputs)
    return F.binary_cross_entropy_with_logits(logits.float(), targets)


def train(network, optimiser, inputs, targets, halved: bool, steps: int) -> float:
    """Loss of the last of some steps."""
    for _ in range(steps):
        loss = loss_of(network, inputs, targets, halved)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def elsewhere(shape: Shape, halved: bool) -> Callable[[], float]:
    """A function that has the textbook trained by another process, which ends with it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    arguments = (there, shape, halved, torch.get_num_threads())
    context.Process(target=serve, args=arguments, daemon=True).start()
    there.close()

    def ask() -> float:
        here.send("train")
        return here.recv()

    return ask


def serve(connection: Connection, shape: Shape, halved: bool, threads: int) -> None:
    """Train the textbook's class for some steps whenever asked to, and tell the loss."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    textbook = Textbook(shape)
    optimiser = torch.optim.Adam(textbook.parameters(), RATE)
    codes, targets = drawn(shape)
    inputs = encoded(codes)
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        connection.send(train(textbook, optimiser, inputs, targets, halved, shape.steps))


def check_losses(ours: float, reference: float) -> None:
    """After the same steps from the same start, dropout makes all the difference."""
    if not abs(ours - reference) < 0.05:
        raise AssertionError(f"losses {ours:.4f} and {reference:.4f} differ")


@functools.cache
def peak(halved: bool) -> float:
    """GFLOPS of a large matrix product, the best of five."""
    kind = torch.bfloat16 if halved else torch.float32
    left, right = torch.randn(2, PEAK_SIZE, PEAK_SIZE).to(kind).unbind()
    seconds = []
    for _ in range(6):
        begin = time.perf_counter()
        left @ right
        seconds.append(time.perf_counter() - begin)
    return 2 * PEAK_SIZE**3 / min(seconds[1:]) / 1e9


def speeds(shape: Shape, halved: list[bool], result: Result) -> str:
    """GFLOPS of ours and of the reference, and their share of the peak in the same precision.

    Both are reckoned by the textbook's operations. Ours makes fewer: its convolution is looked up.
    """
    parts = []
    for rate, of in zip((result.ours, result.reference), halved, strict=True):
        speed, best = rate / BATCH * shape.operations() / 1e9, peak(of)
        parts.append(f"{speed:.0f} of {best:.0f} GFLOPS ({speed / best:.0%})")
    return " and ".join(parts)
