"""How much kernels matter: what a model loses when they are silenced.

A silenced kernel never fires: its activation is 0 everywhere. The loss is that of the mean AUROC
over the targets with both classes, or of Pearson's correlation for scores, on the same examples.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from motifloom import models
from motifloom.metrics import auroc, pearson

_NEVER = -1e30  # a threshold that no window passes
_BATCH = 256


@dataclass(frozen=True, eq=False)
class Judged:
    """Examples that a model is judged on.

    codes: base codes uint8 [N, L]; targets: labels 0/1 or scores, float32 [N, T]; metric: "auroc"
    or "pearson".
    """

    codes: np.ndarray
    targets: np.ndarray
    metric: str

    def value(self, logits: np.ndarray) -> float:
        """The metric of logits [N, T], the mean over targets that have one; NaN without any."""
        judge = auroc if self.metric == "auroc" else pearson
        found = [judge(*pair) for pair in zip(self.targets.T, logits.T, strict=True)]
        known = [value for value in found if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")


# Kernels to silence: numbers of a member's kernels, by number of the member.
Silenced = Mapping[int, Sequence[int]]


def drops(model: models.TrainedModel, judged: Judged, groups: Sequence[Silenced]) -> np.ndarray:
    """What the metric loses with each group of kernels silenced, float64 [G]; NaN without any.

    Where the read-out of a DeepBind is linear the logits are put together anew from the pooled
    activations, otherwise the members concerned are run again.
    """
    if not groups or not len(judged.codes):
        return np.full(len(groups), np.nan)
    parts = _Linear(model, judged.codes) if is_linear(model) else _Rerun(model, judged.codes)
    whole = judged.value(parts.without({}))
    return np.array([whole - judged.value(parts.without(group)) for group in groups])


def is_linear(model: models.TrainedModel) -> bool:
    """Whether the logit is a weighted sum of pooled activations."""
    network = model.networks[0]
    return isinstance(network, models.DeepBind) and network.hidden is None


class _Linear:
    """Logits of a linear DeepBind of one target as sums of what each kernel gives."""

    def __init__(self, model: models.TrainedModel, codes: np.ndarray):
        self.model = model
        self.given: list[list[np.ndarray]] = []  # [S][M] of float32 [N, C]
        with torch.inference_mode():
            for strand in strands_of(model, torch.from_numpy(np.array(codes))):
                self.given.append([self._parts(network, strand) for network in model.networks])
        bias = [float(network.dense.bias.detach()[0]) for network in model.networks]
        self.logits = np.stack(
            [np.mean([part.sum(1) for part in parts], axis=0) for parts in self.given]
        ) + np.mean(bias)  # [S, N]

    def _parts(self, network: models.DeepBind, codes: torch.Tensor) -> np.ndarray:
        """What each kernel adds to the logit of codes [N, L], float32 [N, C]."""
        n_kernels = network.conv.weight.shape[0]
        parts = []
        for batch in codes.split(_BATCH):
            given = network.features(batch) * network.dense.weight[0]
            parts.append(given.view(len(batch), -1, n_kernels).sum(1))
        return torch.cat(parts).numpy()

    def without(self, silenced: Silenced) -> np.ndarray:
        """Logits [N, 1] of the model with kernels silenced."""
        logits = self.logits.copy()
        for strand, parts in enumerate(self.given):
            for member, kernels in silenced.items():
                logits[strand] -= parts[member][:, list(kernels)].sum(1) / len(parts)
        return over_strands(self.model, logits)[:, None]


class _Rerun:
    """Logits of any model, of which the members with silenced kernels are run again."""

    def __init__(self, model: models.TrainedModel, codes: np.ndarray):
        self.model = model
        self.codes = torch.from_numpy(np.array(codes))
        self.logits = np.stack([self._run(network) for network in model.networks])  # [M, S, N, T]

    def _run(self, network: torch.nn.Module) -> np.ndarray:
        with torch.inference_mode():
            return np.stack(
                [
                    torch.cat([network(batch) for batch in strand.split(_BATCH)]).numpy()
                    for strand in strands_of(self.model, self.codes)
                ]
            )

    def without(self, silenced: Silenced) -> np.ndarray:
        """Logits [N, T] of the model with kernels silenced."""
        logits = self.logits.copy()
        for member, kernels in silenced.items():
            network = self.model.networks[member]
            with silence(network, kernels):
                logits[member] = self._run(network)
        return over_strands(self.model, logits.mean(0))


def strands_of(model: models.TrainedModel, codes: torch.Tensor) -> list[torch.Tensor]:
    """The codes [N, L] on each of the strands that the model's preset scores."""
    if model.info["strands"] == "given":
        return [codes]
    return [codes, models.reverse_complement(codes)]


def over_strands(model: models.TrainedModel, logits: np.ndarray) -> np.ndarray:
    """Logits [S, ...] of the strands put together as the model's preset asks, [...]."""
    return logits.max(0) if model.info["strands"] == "max" else logits.mean(0)


@contextmanager
def silence(network: torch.nn.Module, kernels: Sequence[int]) -> Iterator[None]:
    """Within the block the first layer's `kernels` (their numbers) give 0 everywhere."""
    conv, chosen = network.conv, list(kernels)
    held = conv.weight.detach()[chosen].clone(), conv.bias.detach()[chosen].clone()
    threshold = _NEVER if getattr(conv, "relu", True) else 0.0
    try:
        with torch.no_grad():
            conv.weight[chosen] = 0.0
            conv.bias[chosen] = threshold
        yield
    finally:
        with torch.no_grad():
            conv.weight[chosen], conv.bias[chosen] = held
