"""ResNet-1D: a stem, residual blocks, pooling over positions, logits.

He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016; the order
inside a block: the same, Identity mappings in deep residual networks. ECCV 2016; dilations that
grow by block: Yu F, Koltun V. Multi-scale context aggregation by dilated convolutions. ICLR 2016.
"""

import torch
from torch import nn

from motifloom.convolution import ConvLayer, central, check_length
from motifloom.files import InputError
from motifloom.scan import one_hot

# What a block adds to its input; "linear" is a 1 x 1 convolution.
ORDERS = {
    "relu-last": "x + relu(linear(x))",
    "relu-first": "x + linear(relu(x))",
    "linear-stem": "h + linear(relu(h))",
    "conv": "h + conv(relu(h))",
}
READOUTS = ("centre", "max", "mean")


class Block(nn.Module):
    """One residual block, x + f(x) with f of the given order, over [N, channels, P].

    The kernel is `kernel_size` wide for "conv" and 1 otherwise; zeros pad both sides, so that
    positions stay.
    """

    def __init__(self, channels: int, order: str, kernel_size: int = 3, dilation: int = 1):
        super().__init__()
        self.relu_last = order == "relu-last"
        width = kernel_size if order == "conv" else 1
        padding = dilation * (width // 2) if width > 1 else 0
        self.conv = ConvLayer(
            channels,
            channels,
            width,
            padding=padding,
            dilation=dilation if width > 1 else 1,
            relu=self.relu_last,
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 [N, channels, P] of the same shape."""
        return x + self.conv(x if self.relu_last else torch.relu(x))


class ResNet(nn.Module):
    """h_1 = x + f_1[x], h_2 = h_1 + f_2[h_1], ...: stem, `blocks` of an order, pooling, logits.

    `order` (see `ORDERS`): "conv" stands behind a convolutional stem of `n_kernels` of
    `kernel_size` with `padding`, `stride`, `dilation`, `pool_size` and `pooling` (`ConvLayer`),
    and its blocks have kernels of `block_kernel_size` (odd) whose dilation grows by the factor
    `dilation_growth` from block to block. "linear-stem" has a 1 x 1 convolution to `n_kernels`
    channels for a stem; "relu-last" and "relu-first" add to the four bases' channels themselves.
    Those three look at single bases, whatever the depth.

    `readout` is the "mean" or "max" over positions, or "centre": the maximum over those that
    overlap the `centre` middle bases, which is where a bin's label comes from. `dropout` acts on
    what is read out. Raises InputError for unknown choices, even block kernels and sequences that
    are too short.
    """

    def __init__(
        self,
        length: int,
        n_targets: int,
        n_kernels: int = 64,
        kernel_size: int = 12,
        pool_size: int = 10,
        blocks: int = 5,
        block_kernel_size: int = 3,
        dilation_growth: int = 2,
        order: str = "conv",
        readout: str = "centre",
        dropout: float = 0.0,
        padding: int = 0,
        stride: int = 1,
        dilation: int = 1,
        pooling: str = "max",
        centre: int = 200,
    ):
        super().__init__()
        _check(order, readout, block_kernel_size)
        self.hyperparameters = {
            "length": length,
            "n_targets": n_targets,
            "n_kernels": n_kernels,
            "kernel_size": kernel_size,
            "pool_size": pool_size,
            "blocks": blocks,
            "block_kernel_size": block_kernel_size,
            "dilation_growth": dilation_growth,
            "order": order,
            "readout": readout,
            "dropout": dropout,
            "padding": padding,
            "stride": stride,
            "dilation": dilation,
            "pooling": pooling,
            "centre": centre,
        }
        self.conv = None  # the stem
        if order == "linear-stem":
            self.conv = ConvLayer(4, n_kernels, 1, relu=False)
        elif order == "conv":
            self.conv = ConvLayer(
                4,
                n_kernels,
                kernel_size,
                padding=padding,
                stride=stride,
                dilation=dilation,
                relu=False,  # the blocks begin with one
                pool_size=pool_size,
                pooling=pooling,
            )
            check_length(length, self.conv.shortest())
        channels = n_kernels if self.conv else 4
        self.blocks = nn.ModuleList(
            Block(channels, order, block_kernel_size, dilation_growth**i) for i in range(blocks)
        )
        self.dropout = nn.Dropout(dropout)
        self.dense = nn.Linear(channels, n_targets)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of codes [N, L] or one-hot [N, 4, L]."""
        length = x.shape[-1]
        if self.conv is None and x.dtype == torch.uint8:
            x = one_hot(x)  # [N, 4, L]
        h = x if self.conv is None else self.conv(x)  # [N, n_kernels or 4, P]
        for block in self.blocks:
            h = block(h)  # the same shape
        return self.dense(self.dropout(self._read(h, length)))  # [N, n_targets]

    def _read(self, h: torch.Tensor, length: int) -> torch.Tensor:
        if self.hyperparameters["readout"] == "mean":
            return h.mean(2)
        if self.hyperparameters["readout"] == "centre":
            h = h[..., self.central_positions(length, h.shape[2])]
        return h.amax(2)

    def central_positions(self, length: int, positions: int) -> slice:
        """The positions whose stem overlaps the middle bases, of a sequence of `length`."""
        stem = self.conv
        first, step, span = (-stem.padding, stem.step, stem.span) if stem is not None else (0, 1, 1)
        centre = self.hyperparameters["centre"]
        # Plain numbers also while shapes are traced for ONNX, where // would round towards 0.
        return central(*map(int, (positions, length, centre, first, step, span)))


def _check(order: str, readout: str, block_kernel_size: int) -> None:
    if order not in ORDERS:
        raise InputError(f"order {order!r} is unknown; choose one of {', '.join(ORDERS)}")
    if readout not in READOUTS:
        raise InputError(f"readout {readout!r} is unknown; choose one of {', '.join(READOUTS)}")
    if block_kernel_size % 2 == 0:
        raise InputError(
            f"block_kernel_size is {block_kernel_size}; give an odd number, so that a block's"
            " output stays in place"
        )
