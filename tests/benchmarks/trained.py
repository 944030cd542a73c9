"""Thirteen DeepBinds, and the same networks in plain PyTorch as one would write them."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from motifloom.inference import DeepBindArrays, DeepBindModel, load
from motifloom.networks import n_places

MODELS = Path(__file__).resolve().parents[2] / "results/yeast/models/deepbind"
# Those of yeast's with a clear motif.
TFS = (
    "Reb1", "Abf1", "Rap1", "Ume6", "Sko1", "Cbf1", "Tbf1", "Hap1", "Fkh1", "Cin5", "Hap3", "Mcm1",
    "Yrr1",
)  # fmt: skip
LENGTH, WIDTH, PLACE_BIN = 101, 12, 5
TOLERANCE = 2e-3  # of scores; ours are computed in fixed point


def note() -> str:
    """What a row says of its networks."""
    return "" if _weights() else "random weights: make yeast trains the networks"


def deepbinds(n: int = len(TFS), members: int = 6, n_kernels: int = 256) -> list[DeepBindModel]:
    """The models that `make yeast` trained or, where there are none or others are asked for,
    random ones of the default preset's shape.
    """
    if paths := _weights():
        found = [load(path) for path in paths]
        shapes = {(len(m.networks), m.info["hyperparameters"]["n_kernels"]) for m in found[:n]}
        if shapes == {(members, n_kernels)}:
            return found[:n]
    return [random_deepbind(seed, members, n_kernels) for seed in range(n)]


def _weights() -> list[Path]:
    paths = [MODELS / tf / "weights.safetensors" for tf in TFS]
    return paths if all(path.exists() for path in paths) else []


def random_deepbind(seed: int, members: int, n_kernels: int) -> DeepBindModel:
    """A model of random weights, about as large as trained ones."""
    random = np.random.default_rng(seed)
    settings = {
        "length": LENGTH, "n_targets": 1, "n_kernels": n_kernels, "kernel_size": WIDTH,
        "hidden_units": 0, "pooling": "max", "place_bin": PLACE_BIN, "padding": False,
        "dropout": 0.35, "both_strands": True,
    }  # fmt: skip
    places = n_places(LENGTH - WIDTH + 1, PLACE_BIN)

    def draw(*shape: int, scale: float) -> np.ndarray:
        return random.normal(0, scale, shape).astype(np.float32)

    networks = [
        DeepBindArrays(
            draw(n_kernels, 4, WIDTH, scale=0.2),
            draw(n_kernels, scale=0.1) - np.float32(0.1),
            draw(places, n_kernels, scale=0.2),
            None,
            (draw(1, n_kernels, scale=0.2), draw(1, scale=0.1)),
            settings,
        )
        for _ in range(members)
    ]
    info = {
        "network": "DeepBind", "hyperparameters": settings, "strands": "given", "labels": "binary",
        "alphabet": "dna", "preset": "deepbind", "targets": [f"random{seed}"], "members": members,
        "target_scale": 1.0, "target_mean": 0.0,
    }  # fmt: skip
    return DeepBindModel(networks, info)


class PlainDeepBind:
    """A trained model as one would write it: conv1d on both strands, maximum, dense, mean.

    Its networks take the better strand of each kernel and have a linear read-out.
    """

    def __init__(self, model: DeepBindModel):
        self.members = [_tensors(network) for network in model.networks]
        self.scale = model.info["target_scale"]
        self.mean = model.info["target_mean"]

    def windows(self, x: torch.Tensor) -> torch.Tensor:
        """Scores [B] of one-hot windows [B, 4, LENGTH]."""
        return self._combined([self._maxima(x, *member[:2]) for member in self.members])

    def along(self, x: torch.Tensor, step: int) -> torch.Tensor:
        """Scores [n] of windows that begin every `step` bases of a one-hot stretch [4, N].

        Kernels read the stretch once; windows are made of what they found.
        """
        return self._combined([self._sliding(x[None], step, *m[:2]) for m in self.members])

    @staticmethod
    def _maxima(x, weight, places):
        found = _both_strands(x, weight)  # [B, C, W]
        return (found + places).amax(2)

    @staticmethod
    def _sliding(x, step, weight, places):
        found = _both_strands(x, weight)[0].unfold(1, places.shape[1], step)  # [C, n, W]
        return (found + places[:, None]).amax(2).T

    def _combined(self, maxima: list[torch.Tensor]) -> torch.Tensor:
        """Scores [B] of each member's maxima [B, C]."""
        logits = [
            F.relu(found + bias) @ dense + shift
            for found, (*_, bias, dense, shift) in zip(maxima, self.members, strict=True)
        ]
        return torch.stack(logits).mean(0) * self.scale + self.mean


def _tensors(network: DeepBindArrays) -> tuple:
    """Kernels [C, 4, K], biases by place [C, W], bias [C], dense weights [C] and bias."""
    dense, shift = network.dense
    weight, bias, places, readout = (
        torch.from_numpy(np.array(array))
        for array in (network.weight, network.bias, network.shifts(LENGTH), dense[0])
    )
    return weight, places, bias, readout, float(shift[0])


def _both_strands(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Of each window of x [B, 4, L] and kernel the larger strand, [B, C, L - K + 1]."""
    return torch.maximum(F.conv1d(x, weight), F.conv1d(x, weight.flip(1, 2)))


def check_scores(ours: np.ndarray, reference: np.ndarray) -> None:
    """Compare scores [n, T] with those of the rows that the reference has."""
    np.testing.assert_allclose(ours[: len(reference)], reference, atol=TOLERANCE)
