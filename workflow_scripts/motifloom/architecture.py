"""Each network layer by layer: parameters, operations a sequence, receptive field.

Operations are multiplications with their additions, of one sequence on one strand: a convolution
with L_out windows, C_o kernels of K over C_i channels takes (L_out C_o) (K C_i), a dense layer
inputs times outputs, a recurrent one steps times gates times H (I + H) in each direction. Biases,
activations and maxima are not counted.

A layer's receptive field are the bases that one of its outputs sees, in closed form: 1 + sum over
the layers l up to it of (K_l - 1) d_l times the product of the strides before l, for kernels K_l
with dilation d_l; pools count as kernels without weights (Araujo, Norris & Sim, Computing
receptive fields of convolutional neural networks, Distill 2019). After a recurrent layer, or a
read-out over all positions, it is the whole sequence, but for bases at the end that fill no pool.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from torch import nn

from motifloom import models
from motifloom.convolution import ConvLayer, MotifConv
from motifloom.danq import DanQ
from motifloom.files import write_table
from motifloom.plots import draw_architecture
from motifloom.recurrent import Recurrent
from motifloom.resnet import ResNet

COLUMNS = ("model", "layer", "output_shape", "parameters", "operations", "receptive_field")
TOTAL = "total"
_GATES = {"RNN": 1, "LSTM": 4}


@dataclass(frozen=True)
class Layer:
    """One layer: positions by channels or one vector, and the counts of the module's head."""

    name: str
    output_shape: tuple[int, ...]
    parameters: int
    operations: int
    receptive_field: int


@dataclass(frozen=True)
class Field:
    """Which bases outputs see: output p those from `first` + p `step` on, `span` of them."""

    first: int = 0
    step: int = 1
    span: int = 1

    def after(self, span: int, step: int = 1, padding: int = 0) -> "Field":
        """The field after a layer that sees `span` of these outputs, every `step`-th of them."""
        return Field(
            self.first - padding * self.step,
            self.step * step,
            self.span + (span - 1) * self.step,
        )

    def seen(self, outputs: slice, length: int) -> tuple[int, int]:
        """First base and the one after the last that some outputs see, of `length`."""
        low = self.first + outputs.start * self.step
        high = self.first + (outputs.stop - 1) * self.step + self.span
        return max(low, 0), min(high, length)


def describe(networks: Mapping[str, nn.Module]) -> pd.DataFrame:
    """A row a layer of each network, and one with the totals; columns COLUMNS.

    `output_shape` is text, positions x channels or the length of a vector. The receptive field of
    the total is what any of the logits sees.
    """
    rows = []
    for name, network in networks.items():
        length = network.hyperparameters["length"]
        found = layers(network, length)
        total = Layer(
            TOTAL,
            (),
            sum(layer.parameters for layer in found),
            sum(layer.operations for layer in found),
            found[-1].receptive_field,
        )
        rows += [(name, *_row(layer)) for layer in [*found, total]]
    return pd.DataFrame(rows, columns=COLUMNS)


def write_architecture(
    weights: Mapping[str, str | Path], table: str | Path, figure: str | Path
) -> None:
    """Describe trained models in a table and draw their totals; of an ensemble, one member.

    `weights`: model name to its weights file.
    """
    frame = describe({name: models.load(path).networks[0] for name, path in weights.items()})
    write_table(frame, table)
    draw_architecture(frame[frame["layer"] == TOTAL], figure)


def _row(layer: Layer) -> tuple:
    shape = " x ".join(map(str, layer.output_shape))
    return (layer.name, shape, layer.parameters, layer.operations, layer.receptive_field)


@functools.singledispatch
def layers(network: nn.Module, length: int) -> list[Layer]:
    """The layers of a network on sequences of `length`, in the order of its forward pass."""
    raise TypeError(f"no description of {type(network).__name__}")


@layers.register
def _deepbind(network: models.DeepBind, length: int) -> list[Layer]:
    conv = network.conv
    kernels, _, width = conv.weight.shape
    windows = length + 2 * conv.padding - width + 1
    operations = _kernels(conv, windows)
    features = (network.hidden or network.dense).in_features
    pooled = "maximum" if features == kernels else "maximum, mean"
    return [
        Layer("convolution", (windows, kernels), _parameters(conv), operations, min(width, length)),
        Layer(pooled, (features,), 0, 0, length),
        *_dense(network, length),
    ]


@layers.register
def _danq(network: DanQ, length: int) -> list[Layer]:
    readout = network.hyperparameters["readout"]
    found, field = _pooled_kernels(network, length)
    steps, inputs = found[-1].output_shape
    central = network.central_steps(steps) if readout == "centre" else slice(0, steps)
    seen = field.seen(central, length)
    if network.lstm is not None:
        units = network.lstm.weight_hh.shape[2]
        operations = 2 * _recurrence(steps, 4, inputs, units)
        shape = (steps, 2 * units)
        seen = field.seen(slice(0, steps), length)
        reach = _width(seen)
        found.append(Layer("BiLSTM", shape, _parameters(network.lstm), operations, reach))
    features = (network.hidden or network.dense).in_features
    found.append(Layer(f"read-out: {readout}", (features,), 0, 0, _width(seen)))
    dense = _dense(network, _width(seen))
    if network.direct is None:
        return found + dense
    # The logits are the sum of both paths.
    middle = network.middle(length)
    both = _width(seen, (middle.start, middle.stop))
    return [*found, _direct(network, middle), *dense[:-1], replace(dense[-1], receptive_field=both)]


def _pooled_kernels(network: DanQ, length: int) -> tuple[list[Layer], Field]:
    """DanQ's kernels and their maxima, and which bases these see."""
    conv, pool = network.conv, network.hyperparameters["pool_size"]
    kernels, _, width = conv.weight.shape
    windows, field = length - width + 1, Field().after(width)
    operations = _kernels(conv, windows)
    pooled = field.after(pool, pool)
    return [
        Layer("convolution", (windows, kernels), _parameters(conv), operations, field.span),
        Layer(f"maximum of {pool}", (windows // pool, kernels), 0, 0, pooled.span),
    ], pooled


def _direct(network: DanQ, middle: slice) -> Layer:
    """The direct path, over both strands of the middle."""
    width = middle.stop - middle.start
    windows = width - network.conv.weight.shape[2] + 1
    dense = network.direct
    operations = 2 * _convolution(windows, network.conv.weight)
    operations += dense.in_features * dense.out_features
    return Layer("direct path", (dense.out_features,), _parameters(dense), operations, width)


@layers.register
def _resnet(network: ResNet, length: int) -> list[Layer]:
    found, field, positions, channels = [], Field(), length, 4
    if network.conv is not None:
        found = _stem(network.conv, length)
        positions, channels = found[-1].output_shape
        field = field.after(network.conv.span, network.conv.step, network.conv.padding)
    for number, block in enumerate(network.blocks, 1):
        conv = block.conv
        field = field.after(conv.span, padding=conv.padding)
        name = f"block {number}" + (f", dilation {conv.dilation}" if conv.dilation > 1 else "")
        operations = _convolution(positions, conv.weight)
        reach = min(field.span, length)
        found.append(Layer(name, (positions, channels), _parameters(conv), operations, reach))
    readout = network.hyperparameters["readout"]
    read = slice(0, positions)
    if readout == "centre":
        read = network.central_positions(length, positions)
    width = _width(field.seen(read, length))
    found.append(Layer(f"read-out: {readout}", (channels,), 0, 0, width))
    return found + _dense(network, width)


def _stem(conv: ConvLayer, length: int) -> list[Layer]:
    """The convolution of a stem, and its pooling where there is any."""
    kernels, _, width = conv.weight.shape
    windows = conv.windows(length)
    span = conv.dilation * (width - 1) + 1
    found = [
        Layer(
            "stem",
            (windows, kernels),
            _parameters(conv),
            _convolution(windows, conv.weight),
            min(span, length),
        )
    ]
    if conv.pool_size > 1:
        shape = (conv.output_length(length), kernels)
        name = f"{conv.pooling} of {conv.pool_size}"
        found.append(Layer(name, shape, 0, 0, min(conv.span, length)))
    return found


@layers.register
def _recurrent(network: Recurrent, length: int) -> list[Layer]:
    kind, layer = type(network).__name__, network.recurrent
    units = layer.hidden_size
    operations = _recurrence(length, _GATES[kind], layer.input_size, units)
    return [
        Layer(kind, (length, units), _parameters(layer), operations, length),
        Layer("last step", (units,), 0, 0, length),
        *_dense(network, length),
    ]


def _dense(network: nn.Module, receptive_field: int) -> list[Layer]:
    """The hidden layer, where there is one, and the logits."""
    named = {"dense, ReLU": getattr(network, "hidden", None), "logits": network.dense}
    return [
        Layer(
            name,
            (layer.out_features,),
            _parameters(layer),
            layer.in_features * layer.out_features,
            receptive_field,
        )
        for name, layer in named.items()
        if layer is not None
    ]


def _kernels(conv: MotifConv, windows: int) -> int:
    """Operations of kernels that look at one strand or at both."""
    return (1 + conv.both_strands) * _convolution(windows, conv.weight)


def _convolution(windows: int, weight) -> int:
    return windows * weight.numel()


def _recurrence(steps: int, gates: int, inputs: int, units: int) -> int:
    return steps * gates * units * (inputs + units)


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _width(*seen: tuple[int, int]) -> int:
    """Bases of the stretch that covers those given by their ends."""
    lows, highs = zip(*seen, strict=True)
    return max(highs) - min(lows)
