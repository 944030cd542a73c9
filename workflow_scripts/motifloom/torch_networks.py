"""PyTorch's networks by the interface of `inference.Network`."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import nn

from motifloom import models
from motifloom.convolution import MotifConv

_NEVER = -1e30  # a threshold that no window passes
_BATCH = 256


class TorchNetwork:
    """One network of a `models.TrainedModel`; see `inference.Network`."""

    linear = False

    def __init__(self, network: nn.Module):
        self.network = network
        self.conv = _first_layer(network)
        self.weight = self.bias = None
        if self.conv is not None:
            self.weight = self.conv.weight.detach().numpy()
            self.bias = self.conv.bias.detach().numpy()

    @property
    def sees_both(self) -> bool:
        """Whether a kernel sees both strands by itself or through the direct path."""
        own = getattr(self.conv, "both_strands", False)
        return bool(own or self.network.hyperparameters.get("direct"))

    def shifts(self, length: int) -> np.ndarray | None:
        """What places add to each kernel, float32 [C, W]; None without places."""
        if getattr(self.conv, "places", None) is None:
            return None
        windows = length - self.weight.shape[2] + 1
        return self.conv.places.detach()[self.conv.place_index(windows)].T.numpy()

    def activations(self, codes: np.ndarray) -> np.ndarray:
        """Each kernel's maximum after ReLU, float32 [N, C], of codes uint8 [N, L]."""
        if isinstance(self.conv, MotifConv):
            return _run(lambda batch: self.conv(batch).squeeze(1), codes, 1024)
        return _run(lambda batch: torch.relu(self.conv(batch).amax(2)), codes, 1024)

    def logits(self, codes: np.ndarray) -> np.ndarray:
        """Logits float32 [N, T] of codes uint8 [N, L]."""
        return _run(self.network, codes, _BATCH)

    @contextmanager
    def silenced(self, kernels: Sequence[int]) -> Iterator["TorchNetwork"]:
        """The network with these kernels at 0 everywhere, within the block."""
        chosen = list(kernels)
        held = copy.deepcopy((self.conv.weight.data[chosen], self.conv.bias.data[chosen]))
        threshold = _NEVER if getattr(self.conv, "relu", True) else 0.0
        try:
            with torch.no_grad():
                self.conv.weight[chosen] = 0.0
                self.conv.bias[chosen] = threshold
            yield self
        finally:
            with torch.no_grad():
                self.conv.weight[chosen], self.conv.bias[chosen] = held


class ReadableModel:
    """A `models.TrainedModel` whose networks are `TorchNetwork`s."""

    def __init__(self, model: models.TrainedModel):
        self.model = model
        self.networks = [TorchNetwork(network) for network in model.networks]
        self.info: Mapping = model.info

    def score(self, codes: np.ndarray) -> np.ndarray:
        """Scores float32 [N, T] of base codes uint8 [N, L]."""
        return self.model.score(codes)

    def score_members(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores float32 [N, T] and each member's own, float32 [M, N, T]."""
        return self.model.score_members(codes)


def load_readable(path: str | Path) -> ReadableModel:
    """A trained model of any kind; raises InputError as `models.load` does."""
    return ReadableModel(models.load(path))


def _first_layer(network: nn.Module) -> nn.Module | None:
    """The convolution whose kernels are motifs; None where bases are read one by one or apart."""
    conv = getattr(network, "conv", None)
    return None if conv is None or getattr(conv, "dilation", 1) > 1 else conv


def _run(function, codes: np.ndarray, size: int) -> np.ndarray:
    with torch.inference_mode():
        parts = [function(batch) for batch in torch.from_numpy(np.array(codes)).split(size)]
        return torch.cat(parts).numpy()
