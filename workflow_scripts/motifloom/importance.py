"""How much kernels matter: what a model loses when they are silenced.

A silenced kernel never fires: its activation is 0 everywhere. The loss is that of the mean AUROC
over the targets with both classes, or of Pearson's correlation for scores, on the same examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from motifloom.inference import over_strands, strands_of
from motifloom.metrics import auroc, pearson


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


def drops(model, judged: Judged, groups: Sequence[Silenced]) -> np.ndarray:
    """What the metric loses with each group of kernels silenced, float64 [G]; NaN without any.

    `model` is one of `inference.load`. Where the read-out of a DeepBind is linear the logits are
    put together anew from the pooled activations, otherwise the members concerned are run again.
    """
    if not groups or not len(judged.codes):
        return np.full(len(groups), np.nan)
    parts = _Linear(model, judged.codes) if is_linear(model) else _Rerun(model, judged.codes)
    whole = judged.value(parts.without({}))
    return np.array([whole - judged.value(parts.without(group)) for group in groups])


def is_linear(model) -> bool:
    """Whether the logit is a weighted sum of pooled activations."""
    return model.networks[0].linear


class _Linear:
    """Logits of a linear DeepBind of one target as sums of what each kernel gives."""

    def __init__(self, model, codes: np.ndarray):
        self.info = model.info
        self.given = [  # [S][M] of float32 [N, C]
            [_parts(network, strand) for network in model.networks]
            for strand in strands_of(model.info, codes)
        ]
        shift = np.mean([network.shift for network in model.networks])
        self.logits = (
            np.stack([np.mean([part.sum(1) for part in parts], axis=0) for parts in self.given])
            + shift
        )  # float64 [S, N]

    def without(self, silenced: Silenced) -> np.ndarray:
        """Logits [N, 1] of the model with kernels silenced."""
        logits = self.logits.copy()
        for strand, parts in enumerate(self.given):
            for member, kernels in silenced.items():
                logits[strand] -= parts[member][:, list(kernels)].sum(1) / len(parts)
        return over_strands(self.info, logits)[:, None]


def _parts(network, codes: np.ndarray) -> np.ndarray:
    """What each kernel adds to the logit of codes [N, L], float32 [N, C]."""
    given = network.features(codes) * network.readout
    return given.reshape(len(codes), -1, len(network.weight)).sum(1)


class _Rerun:
    """Logits of any model, of which the members with silenced kernels are run again."""

    def __init__(self, model, codes: np.ndarray):
        self.model = model
        self.codes = codes
        self.logits = np.stack([self._run(network) for network in model.networks])  # [M, S, N, T]

    def _run(self, network) -> np.ndarray:
        strands = strands_of(self.model.info, self.codes)
        return np.stack([network.logits(strand) for strand in strands])

    def without(self, silenced: Silenced) -> np.ndarray:
        """Logits [N, T] of the model with kernels silenced."""
        logits = self.logits.copy()
        for member, kernels in silenced.items():
            with self.model.networks[member].silenced(kernels) as network:
                logits[member] = self._run(network)
        return over_strands(self.model.info, logits.mean(0))
