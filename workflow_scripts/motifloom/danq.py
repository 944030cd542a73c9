"""DanQ (Quang & Xie 2016): convolution, bidirectional LSTM, dense layers, for many targets at once.

Quang D, Xie X. DanQ: a hybrid convolutional and recurrent deep neural network for quantifying the
function of DNA sequences. Nucleic Acids Research 44, e107 (2016).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from motifloom.convolution import MotifConv, check_length
from motifloom.dropout import Dropout
from motifloom.files import InputError
from motifloom.motifs import Motif, information
from motifloom.recurrence import BiLSTM
from motifloom.scan import motif_scan, reference_scan

BACKGROUND = 0.25  # what Quang & Xie take off the probabilities of a matrix

READOUTS = ("max", "last", "flatten", "centre")


class DanQ(nn.Module):
    """Convolution, max pooling, bidirectional LSTM along the sequence, read-out, dense layers.

    `readout` turns the LSTM's steps [N, P, 2 * lstm_units] into one vector: "max" over all steps
    (the lecture's choice), "last" step of each direction, "flatten" (all steps, the paper's
    choice), or "centre": the maximum over the steps that overlap the `centre` middle bases,
    which is where a bin's label comes from. With `direct`, the maxima of the kernels over the
    middle bases and both strands also reach the logits through a linear layer of their own, so
    that the kernels learn before the LSTM does. `dense_units` 0 leaves the hidden layer out.
    `lstm_units` 0 leaves the recurrence out: steps are the pooled features [N, P, n_kernels].
    With `both_strands` the pooled features are those of each kernel's better strand.

    Raises InputError for an unknown read-out, "last" without recurrence, and sequences that are
    too short.
    """

    def __init__(
        self,
        length: int,
        n_targets: int,
        n_kernels: int = 320,
        kernel_size: int = 26,
        pool_size: int = 13,
        lstm_units: int = 320,
        dense_units: int = 925,
        dropout: float = 0.5,
        readout: str = "flatten",
        conv_dropout: float = 0.2,
        direct: bool = False,
        centre: int = 200,
        both_strands: bool = False,
    ):
        super().__init__()
        check_length(length, kernel_size + pool_size - 1)
        if readout not in READOUTS:
            raise InputError(f"readout {readout!r} is unknown; choose one of {', '.join(READOUTS)}")
        if readout == "last" and not lstm_units:
            raise InputError("readout 'last' needs an LSTM; choose another or give lstm_units")
        self.hyperparameters = {
            "length": length,
            "n_targets": n_targets,
            "n_kernels": n_kernels,
            "kernel_size": kernel_size,
            "pool_size": pool_size,
            "lstm_units": lstm_units,
            "dense_units": dense_units,
            "dropout": dropout,
            "readout": readout,
            "conv_dropout": conv_dropout,
            "direct": direct,
            "centre": centre,
            "both_strands": both_strands,
        }
        self.conv = MotifConv(n_kernels, kernel_size, both_strands)
        self.conv_dropout = Dropout(conv_dropout)
        self.lstm = BiLSTM(n_kernels, lstm_units) if lstm_units else None
        steps = (length - kernel_size + 1) // pool_size
        width = (2 * lstm_units or n_kernels) * (steps if readout == "flatten" else 1)
        self.dropout = Dropout(dropout)
        self.hidden = nn.Linear(width, dense_units) if dense_units else None
        self.dense = nn.Linear(dense_units or width, n_targets)
        self.direct = nn.Linear(n_kernels, n_targets) if direct else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of codes [N, length] or one-hot [N, 4, length]."""
        steps = self.conv(x, self.hyperparameters["pool_size"])  # [N, P, n_kernels]
        steps = self.conv_dropout(steps)
        if self.lstm is not None:
            steps = self.lstm(steps)  # [N, P, 2 * lstm_units]
        h = self.dropout(self._read(steps))
        if self.hidden is not None:
            h = torch.relu(self.hidden(h))  # [N, dense_units]
        logits = self.dense(h)  # [N, n_targets]
        return logits + self.direct_logits(x) if self.direct is not None else logits

    def direct_logits(self, x: torch.Tensor) -> torch.Tensor:
        """What the direct path alone says, float32 [N, n_targets]."""
        scan = motif_scan if x.dtype == torch.uint8 else reference_scan
        middle = x[..., self.middle(x.shape[-1])]
        best = scan(middle, self.conv.weight, 0, True).squeeze(1)  # [N, n_kernels]
        found = torch.relu(best + self.conv.bias)
        # A path that is held gives what it will give in use.
        return self.direct(self.dropout(found) if self.direct.weight.requires_grad else found)

    def middle(self, length: int) -> slice:
        """What the direct path sees: the `centre` bases and half a kernel on both sides."""
        size, centre = self.hyperparameters["kernel_size"], self.hyperparameters["centre"]
        flank = max(0, (length - centre) // 2 - size // 2)
        return slice(flank, length - flank)

    def _read(self, steps: torch.Tensor) -> torch.Tensor:
        readout = self.hyperparameters["readout"]
        units = self.hyperparameters["lstm_units"]
        if readout == "flatten":
            return steps.flatten(1)
        if readout == "last":
            return torch.cat([steps[:, -1, :units], steps[:, 0, units:]], 1)
        if readout == "centre":
            steps = steps[:, self.central_steps(steps.shape[1])]
        return steps.amax(1)

    def central_steps(self, n_steps: int) -> slice:
        """The steps whose windows begin in the `centre` middle bases, of `n_steps`."""
        length, centre = self.hyperparameters["length"], self.hyperparameters["centre"]
        pool = self.hyperparameters["pool_size"]
        flank = max(0, (length - centre) // 2)
        return slice(min(flank // pool, n_steps - 1), min(-(-(length - flank) // pool), n_steps))


class DirectPath(nn.Module):
    """The direct path of a DanQ as a network of its own, to train its kernels first."""

    def __init__(self, danq: DanQ):
        super().__init__()
        self.danq = danq

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of the direct path alone."""
        return self.danq.direct_logits(x)


def start_uniform(network: nn.Module, bound: float, seed: int) -> None:
    """Draw all weights from U(-bound, bound) and set all biases to 0, in place.

    Quang & Xie 2016, Methods, with a bound of 0.05. The same seed gives the same weights.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.rpartition(".")[2].startswith("bias"):
                parameter.zero_()
            else:
                drawn = torch.rand(parameter.shape, generator=random)
                parameter.copy_((2 * drawn - 1) * bound)


def start_from_matrices(
    weight: torch.Tensor, bias: torch.Tensor, motifs: Sequence[Motif], seed: int
) -> list[str]:
    """Start half of the kernels from known matrices, in place; the name of each one's, or "".

    weight float32 [C, 4, K], bias [C]; C // 2 of the motifs, drawn at random, or all where they
    are fewer. Each gives the first kernels their probabilities minus BACKGROUND at a random
    offset, the bases beside it left as they are, and their bias from U(-1, 0) (Quang & Xie 2016,
    Methods). Of a matrix wider than K the K columns with the most information are taken.
    """
    random = np.random.default_rng(seed)
    n_kernels, width = weight.shape[0], weight.shape[2]
    chosen = random.permutation(len(motifs))[: n_kernels // 2]
    with torch.no_grad():
        for kernel, index in enumerate(chosen):
            matrix = _narrowed(motifs[index].matrix, width)
            first = random.integers(width - matrix.shape[1] + 1)
            columns = slice(first, first + matrix.shape[1])
            weight[kernel, :, columns] = torch.from_numpy(matrix - BACKGROUND)
            bias[kernel] = random.uniform(-1, 0)
    return [motifs[index].name for index in chosen] + [""] * (n_kernels - len(chosen))


def _narrowed(matrix: np.ndarray, width: int) -> np.ndarray:
    """The `width` neighbouring columns with the most information; all where there are fewer."""
    if matrix.shape[1] <= width:
        return matrix
    total = np.convolve(information(matrix), np.ones(width), "valid")
    first = int(total.argmax())
    return matrix[:, first : first + width]
