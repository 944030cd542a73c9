"""Contribution of every base to a model's score, by DeepLIFT/SHAP or the gradient.

DeepLIFT: Shrikumar, Greenside, Kundaje 2017 (ICML, PMLR 70:3145), its rescale rule; averaged over
dinucleotide-shuffled references as DeepLIFT/SHAP (Lundberg & Lee 2017, NeurIPS). Computed by
tangermeme, which hooks modules of PyTorch: DeepBind is therefore put into plain ones first.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from motifloom.models import DeepBind, TrainedModel, reverse_complement
from motifloom.mutagenesis import as_model
from motifloom.negatives import dinucleotide_shuffle
from motifloom.scan import reverse_complement_kernels
from motifloom.sequences import UNKNOWN, one_hot

N_REFERENCES = 20
# Activations of the sequence-reference pairs taken at a time.
_PAIR_VALUES = 1 << 23


@dataclass(frozen=True)
class Attribution:
    """Contributions of bases to scores.

    values: hypothetical contributions, float32 [N, 4, L], rows A, C, G, T: the contribution that
            each base would have there. The entry of the base itself is its contribution.
    method: "deeplift" (of the mean over references), or "gradient" where the network has parts that
            DeepLIFT has no rule for: the values are then the gradient of the score
    gap:    largest difference between a sequence's contributions, summed, and its score minus the
            mean of its references; NaN for gradients and where every sequence holds an N
    """

    values: np.ndarray
    method: str
    gap: float


def attribute(
    model: nn.Module,
    codes: np.ndarray,
    target: int = 0,
    *,
    n_references: int = N_REFERENCES,
    seed: int = 1,
    rows: np.ndarray | None = None,
) -> Attribution:
    """Attributions of a model's score, of base codes uint8 [N, L].

    DeepLIFT/SHAP for DeepBind, the gradient for every other network. The `n_references` shuffles of
    a sequence depend on `seed` and its name in `rows`, int64 [N] (default 0..N-1). An N
    contributes nothing.
    """
    model, codes = as_model(model), np.asarray(codes, np.uint8)
    if not all(isinstance(network, DeepBind) for network in model.networks):
        return Attribution(_gradient(model, codes, target), "gradient", float("nan"))
    if not len(codes):
        return Attribution(np.zeros((0, 4, codes.shape[1]), np.float32), "deeplift", float("nan"))
    names = np.arange(len(codes)) if rows is None else np.asarray(rows)
    names = names[:, None] * n_references + np.arange(n_references)
    repeated = np.repeat(codes, n_references, axis=0)
    references = dinucleotide_shuffle(repeated, seed, names.ravel())
    values = _deeplift(model, codes, references, target)
    return Attribution(values, "deeplift", _gap(model, codes, references, values, target))


def contributions(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """What each base contributes, float32 [N, 4, L]: `values` at the base itself, else 0."""
    return values * one_hot(codes)


def _deeplift(model, codes, references, target) -> np.ndarray:
    """Hypothetical contributions [N, 4, L]; references uint8 [N * R, L]."""
    from tangermeme.deep_lift_shap import deep_lift_shap  # not for jobs that attribute nothing

    unknown = 0.25 if model.networks[0].conv.padding else 0.0
    x = torch.from_numpy(one_hot(codes, unknown))
    baselines = torch.from_numpy(one_hot(references, unknown))
    baselines = baselines.reshape(len(codes), -1, *x.shape[1:])
    # The rule is additive over outputs, so that one member at a time gives the ensemble's mean.
    apart = model.info["strands"] != "max"
    groups = [[network] for network in model.networks] if apart else [list(model.networks)]
    total = torch.zeros_like(x)
    for networks in groups:
        plain = PlainDeepBind(networks, model.info["strands"], codes.shape[1])
        pairs = max(1, _PAIR_VALUES // (2 * plain.n_values))
        with warnings.catch_warnings():
            # Sequences with an N are no one-hot ones; that contributions add up is checked here.
            warnings.simplefilter("ignore")
            total += deep_lift_shap(
                plain, x, target=target, references=baselines, batch_size=pairs,
                hypothetical=True, only_warn=True, device="cpu",
            )  # fmt: skip
    return total.numpy() * np.float32(model.info["target_scale"] / len(groups))


def _gap(model, codes, references, values, target) -> float:
    whole = (codes != UNKNOWN).all(1)
    if not whole.any():
        return float("nan")
    scores = model.score(codes)[:, target]
    means = model.score(references)[:, target].reshape(len(codes), -1).mean(1)
    sums = contributions(values, codes).sum((1, 2))
    return float(np.abs(sums - (scores - means))[whole].max())


def _gradient(model: TrainedModel, codes: np.ndarray, target: int, batch_size: int = 64):
    """Gradient of the score by the one-hot input, float32 [N, 4, L]."""
    found = np.zeros((len(codes), 4, codes.shape[1]), np.float32)
    for first in range(0, len(codes), batch_size):
        part = slice(first, first + batch_size)
        x = torch.from_numpy(one_hot(codes[part])).requires_grad_()
        found[part] = torch.autograd.grad(model(x)[:, target].sum(), x)[0].numpy()
    return found * np.float32(model.info["target_scale"])


class PlainDeepBind(nn.Module):
    """DeepBinds, averaged, in modules that DeepLIFT has rules for: logits of one-hot [N, 4, L].

    `strands` as `TrainedModel` has it; sequences have `length` bases. Gives float32 [N, T].
    """

    def __init__(self, networks: list[DeepBind], strands: str, length: int):
        super().__init__()
        self.strands = strands
        copies = 1 if strands == "given" else 2
        # A module of its own for every use: the rules look at what each was given.
        self.passes = nn.ModuleList(
            nn.ModuleList(_PlainMember(network, length) for network in networks)
            for _ in range(copies)
        )
        self.larger = nn.MaxPool1d(2)

    @property
    def n_values(self) -> int:
        """Activations of one sequence in the widest layer."""
        return sum(member.n_values for members in self.passes for member in members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inputs = [x, reverse_complement(x)]
        logits = [
            torch.stack([member(strand) for member in members]).mean(0)
            for members, strand in zip(self.passes, inputs, strict=False)
        ]  # [N, T] each
        if self.strands == "max":
            return self.larger(torch.stack(logits, 2))[..., 0]
        return torch.stack(logits).mean(0)


class _PlainMember(nn.Module):
    """One DeepBind; both strands' windows stand side by side under one maximum."""

    def __init__(self, network: DeepBind, length: int):
        super().__init__()
        conv = network.conv
        n_kernels, _, width = conv.weight.shape
        self.padding, self.unknown = conv.padding, 0.25 if conv.padding else 0.0
        windows = length + 2 * conv.padding - width + 1
        banks = [conv.weight, reverse_complement_kernels(conv.weight)][: 1 + conv.both_strands]
        shift = torch.zeros(n_kernels, windows)
        if conv.places is not None:
            shift = conv.places.detach()[conv.place_index(windows)].T
        self.register_buffer("bank", torch.cat(banks).detach().clone())
        self.register_buffer("shift", shift.clone())
        self.register_buffer("bias", conv.bias.detach().clone())
        self.n_values = len(self.bank) * windows
        self.pool = nn.MaxPool1d(len(banks) * windows)
        self.relu = nn.ReLU()
        self.means_relu = nn.ReLU() if network.hyperparameters["pooling"] == "max+mean" else None
        self.hidden = _copy(network.hidden)
        self.hidden_relu = nn.ReLU()
        self.dense = _copy(network.dense)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x, (self.padding, self.padding), value=self.unknown)
        strands = F.conv1d(x, self.bank).split(len(self.bias), dim=1)
        values = torch.cat([strand + self.shift for strand in strands], 2)  # [N, C, S W]
        h = self.relu(self.pool(values)[..., 0] + self.bias)  # [N, C]
        if self.means_relu is not None:
            h = torch.cat([h, self.means_relu(values + self.bias[:, None]).mean(2)], 1)
        if self.hidden is not None:
            h = self.hidden_relu(self.hidden(h))
        return self.dense(h)  # [N, T]


def _copy(layer: nn.Linear | None) -> nn.Linear | None:
    """A layer of one's own, which hooks may be put on."""
    if layer is None:
        return None
    made = nn.Linear(layer.in_features, layer.out_features)
    made.load_state_dict(layer.state_dict())
    return made
