"""A DeepBind as the compiled steps take it: shape, rules and one vector of parameters."""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from motifloom import steps
from motifloom.files import InputError
from motifloom.presets import DeepBindPreset

_MOST_PLACES = 4095


@dataclass(frozen=True)
class Network:
    """One DeepBind: `shape`, `rules`, its number of kernels and its parameters `theta`."""

    shape: steps.Shape
    rules: steps.Rules
    n_kernels: int
    theta: np.ndarray

    def with_theta(self, theta: np.ndarray) -> "Network":
        """The same network with other parameters."""
        return replace(self, theta=theta)

    def predict(self, codes: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Logits float32 [n] of codes uint8 [N, L], or of some of their rows."""
        rows = np.arange(len(codes)) if rows is None else np.asarray(rows, np.int64)
        logits = np.empty(len(rows), np.float32)
        steps.predict(self.shape, self.theta, codes, rows, logits)
        return logits

    @property
    def thresholds(self) -> np.ndarray:
        """The thresholds of the kernels, float32 [n_kernels]."""
        first = steps.offsets(self.shape)[2]
        return self.theta[first : first + self.n_kernels]

    def is_closed(self, codes: np.ndarray) -> bool:
        """Whether no kernel is above its threshold in any of the sequences, uint8 [N, L]."""
        return steps.is_closed(self.shape, self.theta, codes)

    def tensors(self) -> dict[str, np.ndarray]:
        """The parameters by the names that `models.DeepBind` gives them.

        conv.weight [C, 4, K], conv.bias [C], conv.places [n_places, C], hidden.weight [H, F],
        hidden.bias [H], dense.weight [1, H or F], dense.bias [1]; F is C, or 2 C with means.
        """
        shape, at = self.shape, steps.offsets(self.shape)
        parts = [self.theta[a:b] for a, b in itertools.pairwise(at)]
        kernels, places, thresholds, hidden, hidden_bias, dense, bias = parts
        used = slice(0, self.n_kernels)
        columns = np.concatenate(
            [np.arange(self.n_kernels) + i * shape.lanes for i in range(1 + shape.mean)]
        )
        found = {
            "conv.weight": kernels.reshape(shape.width, 4, shape.lanes)[:, :, used].transpose(
                2, 1, 0
            ),
            "conv.bias": thresholds[used],
        }
        if shape.n_places:
            found["conv.places"] = places.reshape(shape.n_places, shape.lanes)[:, used]
        if shape.hidden:
            found["hidden.weight"] = hidden.reshape(-1, shape.hidden)[columns].T
            found["hidden.bias"] = hidden_bias
            found["dense.weight"] = dense[None]
        else:
            found["dense.weight"] = dense[None, columns]
        return found | {"dense.bias": bias}


def n_places(windows: int, place_bin: int) -> int:
    """Rows of a bias by distance from the middle, `place_bin` windows a row on either side."""
    return min((windows - 1) // (2 * place_bin) + 1, _MOST_PLACES) if place_bin else 0


def shape_of(preset: DeepBindPreset, length: int, alphabet: str = "dna") -> steps.Shape:
    """The shape of a preset's network on sequences of `length`; RNA has one strand.

    Raises InputError where the sequences are shorter than the kernels.
    """
    width = preset.kernel_size
    padding = width - 1 if preset.padding else 0
    if length + 2 * padding < width:
        raise InputError(
            f"sequences of {length} bp are too short for this network, which needs {width};"
            " lengthen windows or choose smaller kernels"
        )
    strands = steps.GIVEN
    if alphabet == "dna":
        strands = steps.OUTPUT if preset.strands == "max" else strands
        strands = steps.KERNEL if preset.both_strands else strands
    windows = length + 2 * padding - width + 1
    return steps.Shape(
        length=length,
        width=width,
        lanes=steps.lanes_of(preset.n_kernels),
        hidden=preset.hidden_units,
        n_places=n_places(windows, preset.place_bin),
        place=max(preset.place_bin, 1),
        padding=padding,
        unknown=0.25 if padding else 0.0,
        strands=strands,
        mean=int(preset.pooling == "max+mean"),
    )


def rules_of(preset: DeepBindPreset, loss: str) -> steps.Rules:
    """The rules of a preset's training; `loss` "cross-entropy" or "mse"."""
    return steps.Rules(
        optimiser={"adam": steps.ADAM, "nesterov": steps.NESTEROV}[preset.optimiser],
        loss={"cross-entropy": steps.CROSS_ENTROPY, "mse": steps.MSE}[loss],
        batch=preset.batch_size,
        rate=float(preset.learning_rate),
        final_rate=float(preset.final_learning_rate or preset.learning_rate),
        momentum=float(preset.momentum),
        kernel_l1=float(preset.kernel_l1),
        dense_l1=float(preset.dense_l1),
        l1_start=preset.l1_start,
        decay=float(preset.weight_decay),
        dropout=float(preset.dropout),
        smoothing=float(preset.smoothing) if loss == "cross-entropy" else 0.0,
    )


def start_network(
    preset: DeepBindPreset, length: int, alphabet: str, loss: str, seed: int
) -> Network:
    """A preset's network with random weights, thresholds, places and biases 0 where scales say so.

    With a scale of 0, weights and their biases are uniform in +-1/sqrt(inputs), as PyTorch starts
    layers (He et al. 2015 with a = sqrt(5)); otherwise weights are normal with that deviation and
    biases 0, as DeepBind starts.
    """
    shape, n_kernels = shape_of(preset, length, alphabet), preset.n_kernels
    random = np.random.default_rng(seed)
    at = steps.offsets(shape)
    theta = np.zeros(at[-1], np.float32)
    kernels = theta[at[0] : at[1]].reshape(shape.width, 4, shape.lanes)
    drawn = _draw(random, (n_kernels, 4, shape.width), 4 * shape.width, preset.kernel_scale)
    kernels[:, :, :n_kernels] = drawn.transpose(2, 1, 0)
    parts = [np.arange(n_kernels) + i * shape.lanes for i in range(1 + shape.mean)]
    columns = np.concatenate(parts)
    inputs = len(columns)
    if shape.hidden:
        hidden = theta[at[3] : at[4]].reshape(-1, shape.hidden)
        hidden[columns] = _draw(random, (inputs, shape.hidden), inputs, preset.dense_scale)
        if not preset.dense_scale:
            theta[at[4] : at[5]] = _draw(random, shape.hidden, inputs, 0)
        inputs, columns = shape.hidden, np.arange(shape.hidden)
    theta[at[5] + columns] = _draw(random, len(columns), inputs, preset.dense_scale)
    if not preset.dense_scale:
        theta[at[6]] = _draw(random, (), inputs, 0)
    return Network(shape, rules_of(preset, loss), n_kernels, theta)


def _draw(random: np.random.Generator, size, inputs: int, scale: float) -> np.ndarray:
    if scale:
        return random.normal(0, scale, size)
    bound = 1 / np.sqrt(inputs)
    return random.uniform(-bound, bound, size)
