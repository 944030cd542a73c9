"""In-silico saturation mutagenesis: a model's score with every single base substituted.

The mutation maps are those of Alipanahi et al. 2015 (Nature Biotechnology 33:831, Figs. 4 and 5).
DeepBind's are computed from one scan a sequence (`substitutions.py`), every other network's by
scoring all variants.
"""

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from motifloom.models import DeepBind, TrainedModel
from motifloom.sequences import reverse_complement
from motifloom.substitutions import logit_changes


def mutate(
    model: nn.Module,
    codes: np.ndarray,
    target: int = 0,
    *,
    batch_size: int = 1024,
    progress: bool = False,
) -> np.ndarray:
    """Change of a model's score by every substitution, float32 [N, 4, L], rows A, C, G, T.

    model:  a trained model, or one network, whose logits count as they are
    codes:  base codes uint8 [N, L]
    target: number of the target whose score is looked at

    An entry is the variant's score minus the sequence's own, in the unit of `TrainedModel.score`:
    added to that score it gives the variant's. It is 0 at the base itself; at an N all four entries
    are the score with that base minus the score with the N. Strands are put together for each
    variant as the model does it. `batch_size` variants are scored at a time, and `progress` shows
    a bar, where the network is no DeepBind.
    """
    model = as_model(model)
    codes = np.ascontiguousarray(codes, np.uint8)
    if all(isinstance(network, DeepBind) for network in model.networks):
        return _mutate_deepbind(model, codes, target, batch_size)
    return mutate_each(model, codes, target, batch_size=batch_size, progress=progress)


def as_model(network: nn.Module) -> TrainedModel:
    """The network as a trained model of one member that reads the strand it is given."""
    if isinstance(network, TrainedModel):
        return network
    targets = [str(number) for number in range(network.hyperparameters["n_targets"])]
    info = {"network": type(network).__name__, "strands": "given", "targets": targets}
    return TrainedModel([network], info | {"target_scale": 1.0, "target_mean": 0.0})


def _mutate_deepbind(model, codes, target, batch_size) -> np.ndarray:
    """The map of a DeepBind or an ensemble of them, from one scan a sequence and strand."""
    strands = model.info["strands"]
    changes = _mean_changes(model, codes, target)
    if strands != "given":
        other = reverse_complement(codes)
        reverse = _mean_changes(model, other, target)[:, ::-1, ::-1]
        if strands == "mean":
            changes = (changes + reverse) / 2
        else:
            own, others = (
                _mean_logits(model, x, target, batch_size)[:, None, None] for x in (codes, other)
            )
            changes = np.maximum(own + changes, others + reverse) - np.maximum(own, others)
    return np.ascontiguousarray((changes * np.float32(model.info["target_scale"])).swapaxes(1, 2))


def _mean_changes(model, codes, target) -> np.ndarray:
    """Mean of the members' changes of the logit, float32 [N, L, 4], on the strand given."""
    total = logit_changes(model.networks[0], codes, target)
    for network in model.networks[1:]:
        total += logit_changes(network, codes, target)
    total /= np.float32(len(model.networks))
    return total


def _mean_logits(model, codes, target, batch_size) -> np.ndarray:
    """Mean of the members' logits, float32 [N], on the strand given."""
    device = next(model.parameters()).device
    parts = [np.empty(0, np.float32)]
    with torch.inference_mode():
        for first in range(0, len(codes), batch_size):
            batch = torch.tensor(codes[first : first + batch_size], device=device)
            logits = torch.stack([network(batch)[:, target] for network in model.networks])
            parts.append(logits.mean(0).cpu().numpy())
    return np.concatenate(parts)


def mutate_each(
    model: nn.Module,
    codes: np.ndarray,
    target: int = 0,
    *,
    batch_size: int = 1024,
    progress: bool = False,
) -> np.ndarray:
    """The same as `mutate` by scoring every variant, for any network."""
    model = as_model(model)
    changes = np.zeros((*codes.shape, 4), np.float32)
    base = model.score(codes, batch_size)[:, target]
    rows, places, bases = np.nonzero(codes[..., None] != np.arange(4, dtype=np.uint8))
    with tqdm(total=len(rows), desc="variants", unit="variant", disable=not progress) as bar:
        for first in range(0, len(rows), batch_size):
            part = slice(first, first + batch_size)
            variants = codes[rows[part]]
            variants[np.arange(len(variants)), places[part]] = bases[part]
            scores = model.score(variants, batch_size)[:, target]
            changes[rows[part], places[part], bases[part]] = scores - base[rows[part]]
            bar.update(len(variants))
    return np.ascontiguousarray(changes.swapaxes(1, 2))
