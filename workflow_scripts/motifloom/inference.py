"""Trained DeepBinds on the CPU without PyTorch, and trained models of any kind by one interface.

Importing PyTorch takes longer than most jobs that only score with a DeepBind. What it gives here
equals what `models.TrainedModel` gives, up to the order of additions in the dense layers.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from motifloom.code_scan import mean_codes, place_index, scan_codes
from motifloom.files import InputError
from motifloom.networks import n_places
from motifloom.weights import read_model, weights_file

_NEVER = np.float32(-1e30)  # a threshold that no window passes
_BATCH = 1024


class Network(Protocol):
    """What jobs ask of one network, whoever runs it. C kernels of width K, T targets.

    weight float32 [C, 4, K] and bias [C]: the first layer, None of a network without kernels;
    sees_both: whether a kernel sees both strands by itself; linear: whether the logits are sums of
    pooled activations, `readout` float32 [F] of one target and its `shift`.
    """

    weight: np.ndarray | None
    bias: np.ndarray | None
    sees_both: bool
    linear: bool

    def shifts(self, length: int) -> np.ndarray | None:
        """What places add to each kernel, float32 [C, W]; None without places."""

    def activations(self, codes: np.ndarray) -> np.ndarray:
        """Each kernel's maximum after ReLU, float32 [N, C], of codes uint8 [N, L]."""

    def features(self, codes: np.ndarray) -> np.ndarray:
        """All that a linear read-out reads, float32 [N, F]."""

    def logits(self, codes: np.ndarray) -> np.ndarray:
        """Logits float32 [N, T]."""

    def silenced(self, kernels: Sequence[int]):
        """A context manager that gives the network with these kernels at 0 everywhere."""


@dataclass(frozen=True, eq=False)
class DeepBindArrays:
    """One trained DeepBind as arrays (`models.DeepBind` tells what they do).

    weight float32 [C, 4, K], bias [C], places [rows, C] or None, hidden ([H, F], [H]) or None,
    dense ([T, H or F], [T]); settings: the hyperparameters that build it.
    """

    weight: np.ndarray
    bias: np.ndarray
    places: np.ndarray | None
    hidden: tuple[np.ndarray, np.ndarray] | None
    dense: tuple[np.ndarray, np.ndarray]
    settings: Mapping

    @classmethod
    def of(cls, tensors: Mapping[str, np.ndarray], settings: Mapping) -> "DeepBindArrays":
        """A network of its named tensors; raises KeyError or ValueError where they do not fit."""
        n_kernels, width = settings["n_kernels"], settings["kernel_size"]
        n_features = n_kernels * (2 if settings["pooling"] == "max+mean" else 1)
        units = settings["hidden_units"]
        shapes = {"conv.weight": (n_kernels, 4, width), "conv.bias": (n_kernels,)}
        padded = width - 1 if settings["padding"] else 0
        windows = settings["length"] + 2 * padded - width + 1
        if rows := n_places(windows, settings["place_bin"]):
            shapes["conv.places"] = (rows, n_kernels)
        if units:
            shapes |= {"hidden.weight": (units, n_features), "hidden.bias": (units,)}
        n_targets = settings["n_targets"]
        shapes |= {"dense.weight": (n_targets, units or n_features), "dense.bias": (n_targets,)}
        if {name: array.shape for name, array in tensors.items()} != shapes:
            raise ValueError("arrays of other shapes")
        return cls(
            tensors["conv.weight"],
            tensors["conv.bias"],
            tensors.get("conv.places"),
            (tensors["hidden.weight"], tensors["hidden.bias"]) if units else None,
            (tensors["dense.weight"], tensors["dense.bias"]),
            settings,
        )

    @property
    def sees_both(self) -> bool:
        """Whether each kernel takes the better strand."""
        return self.settings["both_strands"]

    @property
    def linear(self) -> bool:
        """Whether the logit is a weighted sum of pooled activations."""
        return self.hidden is None

    @property
    def readout(self) -> np.ndarray:
        """Weights float32 [F] of the first target's logit, where it is linear."""
        return self.dense[0][0]

    @property
    def shift(self) -> float:
        """What is added to the first target's logit."""
        return float(self.dense[1][0])

    @property
    def _padding(self) -> int:
        return self.settings["kernel_size"] - 1 if self.settings["padding"] else 0

    def _windows(self, length: int) -> int:
        return length + 2 * self._padding - self.settings["kernel_size"] + 1

    def _place_index(self, length: int) -> np.ndarray:
        trained = self._windows(self.settings["length"])
        bases = self.settings["place_bin"]
        return place_index(self._windows(length), bases, len(self.places), trained)

    def _where(self, length: int) -> dict:
        found = {"padding": self._padding, "unknown": 0.25 if self._padding else 0.0}
        if self.places is not None:
            found |= {"places": self.places, "place_index": self._place_index(length)}
        return found

    def shifts(self, length: int) -> np.ndarray | None:
        """What places add to each kernel, float32 [C, W]; None without places.

        The windows are those of the sequence without padding.
        """
        if self.places is None:
            return None
        windows = length - self.settings["kernel_size"] + 1
        trained = self._windows(self.settings["length"])
        index = place_index(windows, self.settings["place_bin"], len(self.places), trained)
        return self.places[index].T

    def activations(self, codes: np.ndarray) -> np.ndarray:
        """Each kernel's maximum after ReLU, float32 [N, C], of codes uint8 [N, L]."""
        return _in_batches(self._maxima, codes)

    def features(self, codes: np.ndarray) -> np.ndarray:
        """Pooled activations, float32 [N, F]: maxima, then means where there are such."""
        return _in_batches(self._pooled, codes)

    def logits(self, codes: np.ndarray) -> np.ndarray:
        """Logits float32 [N, T] of codes uint8 [N, L]."""
        return _in_batches(self._logits, codes)

    def _maxima(self, codes: np.ndarray) -> np.ndarray:
        where = self._where(codes.shape[1])
        maxima, _ = scan_codes(codes, self.weight, 0, self.sees_both, **where)
        return np.maximum(maxima[:, 0] + self.bias, 0)

    def _pooled(self, codes: np.ndarray) -> np.ndarray:
        maxima = self._maxima(codes)
        if self.settings["pooling"] == "max":
            return maxima
        where = self._where(codes.shape[1])
        means = mean_codes(codes, self.weight, self.bias, self.sees_both, **where)
        return np.concatenate([maxima, means], axis=1)

    def _logits(self, codes: np.ndarray) -> np.ndarray:
        h = self._pooled(codes)  # [N, F]
        if self.hidden is not None:
            h = np.maximum(_dense(h, *self.hidden), 0)  # [N, H]
        return _dense(h, *self.dense)  # [N, T]

    @contextmanager
    def silenced(self, kernels: Sequence[int]) -> Iterator["DeepBindArrays"]:
        """The network with these kernels at 0 everywhere."""
        weight, bias = self.weight.copy(), self.bias.copy()
        weight[list(kernels)] = 0
        bias[list(kernels)] = _NEVER
        yield replace(self, weight=weight, bias=bias)


def _in_batches(function, codes: np.ndarray) -> np.ndarray:
    """What a function of codes [n, L] gives for all of codes [N, L], memory bounded by a batch."""
    starts = range(0, max(len(codes), 1), _BATCH)
    parts = [function(np.ascontiguousarray(codes[at : at + _BATCH])) for at in starts]
    return np.concatenate(parts)


def _dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """A layer's values float32 [N, U] of x [N, F]; the same of a row alone and in company.

    BLAS adds in an order that depends on the number of rows; here it does not.
    """
    return np.einsum("nf,uf->nu", x, weight) + bias


@dataclass(frozen=True, eq=False)
class DeepBindModel:
    """The networks of a trained DeepBind and its info, as `models.TrainedModel` has them."""

    networks: Sequence[DeepBindArrays]
    info: Mapping

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Scores float32 [N, T] of base codes uint8 [N, L]: logits, or in the unit of training."""
        return self.score_members(codes)[0]

    def score_members(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float32 [N, T] and each member's own, float32 [M, N, T]."""
        logits = _in_batches(self._with_members, codes)
        scale, shift = (np.float32(self.info[name]) for name in ("target_scale", "target_mean"))
        scores = logits.swapaxes(0, 1) * scale + shift
        return scores[0], scores[1:]

    def _with_members(self, codes: np.ndarray) -> np.ndarray:
        """Logits [N, 1 + M, T]: the mean of the members, then those of every member alone."""
        logits = np.stack(
            [
                np.stack([network.logits(strand) for network in self.networks])
                for strand in strands_of(self.info, codes)
            ]
        )  # [S, M, N, T]
        logits = np.concatenate([logits.mean(1, keepdims=True, dtype=np.float32), logits], axis=1)
        return over_strands(self.info, logits).swapaxes(0, 1)


def strands_of(info: Mapping, codes: np.ndarray) -> list[np.ndarray]:
    """The codes uint8 [N, L] on each of the strands that a model's preset scores."""
    if info["strands"] == "given":
        return [codes]
    turned = codes[:, ::-1]
    return [codes, np.where(turned < 4, 3 - turned, turned)]


def over_strands(info: Mapping, logits: np.ndarray) -> np.ndarray:
    """Logits [S, ...] of the strands put together as the model's preset asks, [...]."""
    return logits.max(0) if info["strands"] == "max" else logits.mean(0, dtype=logits.dtype)


def load(path: str | Path):
    """A trained model as jobs read it: a DeepBind as `DeepBindModel`, others through PyTorch.

    Its `networks` follow `Network`, and it has `info`, `score` and `score_members`. Nothing in the
    file is run. Raises InputError where it is damaged or no model of ours.
    """
    path = weights_file(path)
    tensors, info = read_model(path)
    if info["network"] != "DeepBind":
        from motifloom.torch_networks import load_readable  # not for jobs that need no PyTorch

        return load_readable(path)
    try:
        found: list[dict] = [{} for _ in range(info["members"])]
        for name, array in tensors.items():
            member, _, own = name.partition(".")
            found[int(member)][own] = array
        networks = [DeepBindArrays.of(one, info["hyperparameters"]) for one in found]
        if not networks:
            raise ValueError("no members")
    except (KeyError, TypeError, ValueError, IndexError, ArithmeticError) as error:
        raise InputError(f"{path}: weights and description disagree; train it again") from error
    return DeepBindModel(networks, info)
