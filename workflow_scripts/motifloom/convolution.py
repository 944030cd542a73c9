"""Convolutional layers: kernels as motifs under a maximum, and the layer with all its options."""

import torch
import torch.nn.functional as F
from torch import nn

from motifloom.files import InputError
from motifloom.networks import n_places
from motifloom.scan import (
    motif_mean,
    motif_scan,
    one_hot,
    place_index,
    reference_mean,
    reference_scan,
)

POOLINGS = ("max", "mean", "subsample")


class MotifConv(nn.Module):
    """A bank of kernels [C, 4, K] over one-hot bases, ReLU, and maxima over windows.

    ReLU(x + b) and max exchange, since both are non-decreasing and b is the same at all
    positions: the maxima are taken first, the learned threshold b is added after. With `n_places`
    a bias by the window's distance from the middle is added before the maximum
    (`scan.place_index`; `windows` are those of the sequences trained on). `padding` N, 0.25 in
    all channels, stand on both sides.
    """

    def __init__(
        self,
        n_kernels: int,
        kernel_size: int,
        both_strands: bool = False,
        windows: int = 0,
        place_bin: int = 0,
        padding: int = 0,
    ):
        super().__init__()
        self.both_strands = both_strands
        self.windows = windows
        self.place_bin = place_bin
        self.padding = padding
        rows = n_places(windows, place_bin)
        self.weight = nn.Parameter(torch.empty(n_kernels, 4, kernel_size))
        self.bias = nn.Parameter(torch.zeros(n_kernels))
        self.places = nn.Parameter(torch.zeros(rows, n_kernels)) if rows else None
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: torch.Tensor, pool: int = 0) -> torch.Tensor:
        """Float32 [N, P, C]: ReLU of the maxima over `pool` windows (0: over all, P = 1)."""
        return torch.relu(self.maxima(x, pool) + self.bias)

    def maxima(self, x: torch.Tensor, pool: int = 0) -> torch.Tensor:
        """Float32 [N, P, C]: the maxima before threshold and ReLU."""
        scan = motif_scan if x.dtype == torch.uint8 else reference_scan
        return scan(x, self.weight, pool, self.both_strands, **self._where(x))

    def means(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 [N, C]: the mean of ReLU(x + b) over all windows, with both strands of both."""
        scan = motif_mean if x.dtype == torch.uint8 else reference_mean
        return scan(x, self.weight, self.bias, self.both_strands, **self._where(x))

    def _where(self, x: torch.Tensor) -> dict:
        """What a scan needs to know of padding and places."""
        found = {"padding": self.padding, "unknown": 0.25 if self.padding else 0.0}
        if self.places is not None:
            windows = int(x.shape[-1]) + 2 * self.padding - self.weight.shape[2] + 1
            found |= {"places": self.places, "place_index": self.place_index(windows, x.device)}
        return found

    def place_index(self, windows: int, device="cpu") -> torch.Tensor:
        """Row of `places` for each window of a sequence, int64 [windows]."""
        return place_index(windows, self.place_bin, len(self.places), self.windows, device)


class ConvLayer(nn.Module):
    """A convolution, an activation and pooling, with every option a convolution has.

    y_p^o = f(sum_c sum_k x_{s p + d k - padding}^c W_k^{c, o} + b^o) for C_o `n_kernels` of
    `kernel_size` K over C_i `in_channels`, with `stride` s and `dilation` d; zeros stand for the
    `padding` positions on either side. f is ReLU, or with `relu` False nothing. Of each `pool_size`
    consecutive values, `pooling` keeps the first ("subsample"), the "mean" or the "max"; what does
    not fill a last pool is left out. Weights start as PyTorch starts them, biases at 0.

    Raises InputError for an unknown `pooling`.
    """

    def __init__(
        self,
        in_channels: int,
        n_kernels: int,
        kernel_size: int,
        *,
        padding: int = 0,
        stride: int = 1,
        dilation: int = 1,
        relu: bool = True,
        pool_size: int = 1,
        pooling: str = "max",
    ):
        super().__init__()
        if pooling not in POOLINGS:
            raise InputError(f"pooling {pooling!r} is unknown; choose one of {', '.join(POOLINGS)}")
        self.padding, self.stride, self.dilation = padding, stride, dilation
        self.relu, self.pool_size, self.pooling = relu, pool_size, pooling
        self.weight = nn.Parameter(torch.empty(n_kernels, in_channels, kernel_size))
        self.bias = nn.Parameter(torch.zeros(n_kernels))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 [N, C_o, P] of [N, C_i, L], or of base codes uint8 [N, L] where C_i is 4."""
        if x.dtype == torch.uint8:
            if self._can_scan():
                values = motif_scan(x, self.weight, self.pool_size, padding=self.padding)
                return self._activated(values.transpose(1, 2) + self.bias[:, None])
            x = one_hot(x)
        values = F.conv1d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation
        )  # [N, C_o, W]
        return self._pooled(self._activated(values))

    def _can_scan(self) -> bool:
        """Whether the motif scan gives the same: maxima over bases next to each other."""
        plain = self.stride == 1 and self.dilation == 1
        return plain and self.pooling == "max" and self.pool_size > 1

    def _activated(self, values: torch.Tensor) -> torch.Tensor:
        return torch.relu(values) if self.relu else values

    def _pooled(self, values: torch.Tensor) -> torch.Tensor:
        if self.pooling == "max":
            return F.max_pool1d(values, self.pool_size)
        if self.pooling == "mean":
            return F.avg_pool1d(values, self.pool_size)
        whole = values.shape[-1] // self.pool_size * self.pool_size
        return values[..., : whole : self.pool_size]

    def windows(self, length: int) -> int:
        """Outputs of the convolution before pooling, of an input of `length`."""
        shape = (self.weight.shape[2], self.padding, self.stride, self.dilation)
        return output_length(length, *shape)

    def output_length(self, length: int) -> int:
        """P of an input of `length`; see the function of that name."""
        return self.windows(length) // self.pool_size

    def shortest(self) -> int:
        """The shortest input that has an output."""
        window = self.dilation * (self.weight.shape[2] - 1) + 1
        return max(1, window + (self.pool_size - 1) * self.stride - 2 * self.padding)

    @property
    def step(self) -> int:
        """Input positions from one output to the next."""
        return self.stride * self.pool_size

    @property
    def span(self) -> int:
        """Input positions that one output sees: the kernel, and what its pool adds."""
        pooled = 1 if self.pooling == "subsample" else self.pool_size
        return self.dilation * (self.weight.shape[2] - 1) + 1 + (pooled - 1) * self.stride


def output_length(
    length: int,
    kernel_size: int,
    padding: int = 0,
    stride: int = 1,
    dilation: int = 1,
    pool_size: int = 1,
) -> int:
    """Outputs of a convolution with pooling; 0 where not one window fits.

    >>> output_length(10, 3), output_length(10, 3, padding=1), output_length(10, 3, dilation=4)
    (8, 10, 2)
    >>> output_length(10, 3, stride=2), output_length(10, 3, stride=2, pool_size=3)
    (4, 1)
    """
    windows = (length + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1
    return max(windows, 0) // pool_size


def central(outputs: int, length: int, centre: int, first: int, step: int, span: int) -> slice:
    """The outputs that overlap the `centre` middle bases of a sequence of `length`.

    Output p sees the bases from first + p step on, `span` of them. At least one is given.

    >>> central(5, 20, 4, first=0, step=4, span=4)
    slice(2, 3, None)
    """
    flank = max(0, (length - centre) // 2)
    low = (flank - first - span) // step + 1
    high = -(-(length - flank - first) // step)
    low = min(max(low, 0), outputs - 1)
    return slice(low, max(min(high, outputs), low + 1))


def check_length(length: int, shortest: int) -> None:
    """Raise InputError where sequences of `length` are shorter than a network needs."""
    if length < shortest:
        raise InputError(
            f"sequences of {length} bp are too short for this network, which needs {shortest};"
            " lengthen windows or choose smaller kernels"
        )
