"""First-layer kernels of a trained model, read off as motifs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from motifloom import models
from motifloom.files import write_table
from motifloom.motifs import Motif, kernels_to_pwms, motif_table, write_meme
from motifloom.store import SequenceStore


def export_motifs(
    weights: str | Path,
    store: str | Path,
    meme: str | Path,
    table: str | Path,
    *,
    recipe: str = "deepbind",
    top: int | None = None,
) -> None:
    """Write a model's kernels as a MEME file and a table of them in rank order.

    Of an ensemble the member with the lowest validation loss is shown. Sites are counted on the
    bound training and validation sequences (for bins on the bin itself, half a kernel beyond its
    edges), or the `top` of them by score. A network without kernels has none to write.
    """
    model = models.load(weights)
    motifs = _motifs_of(model, SequenceStore.open(store), recipe, top)
    write_table(motif_table(motifs), table)
    write_meme(motifs, meme, "ACGU" if model.info["alphabet"] == "rna" else "ACGT")


def _motifs_of(model: models.TrainedModel, examples: SequenceStore, recipe, top) -> list[Motif]:
    network = model.networks[model.info["best_member"]]
    conv = _first_layer(network)
    if conv is None:
        return []
    bound, other = _sequences(examples, conv.weight.shape[2])
    # A kernel sees both strands by itself, through the direct path, or where both are scored.
    both = (
        getattr(conv, "both_strands", False)
        or bool(network.hyperparameters.get("direct"))
        or model.info["strands"] != "given"
    )
    scores = model.score(bound)[:, 0] if top and model.info["network"] == "DeepBind" else None
    motifs = kernels_to_pwms(
        conv.weight.detach().numpy(),
        conv.bias.detach().numpy(),
        bound,
        scores,
        recipe=recipe,
        both_strands=both,
        top=top,
        shifts=_shifts(conv, bound.shape[1]),
    )
    started = model.info.get("initialised_from") or [""] * len(motifs)
    motifs = [
        replace(motif, initialised_from=name) for motif, name in zip(motifs, started, strict=True)
    ]
    return _with_effects(motifs, network, bound, other)


def _first_layer(network) -> nn.Module | None:
    """The convolution whose kernels are motifs; None where bases are read one by one or apart."""
    conv = getattr(network, "conv", None)
    return None if conv is None or getattr(conv, "dilation", 1) > 1 else conv


def _sequences(examples: SequenceStore, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Bound and unbound sequences outside the test split, of bins the labelled middle."""
    learned = examples.split < 2
    bound = (examples.targets > 0).any(1)
    if examples.info["labels"] == "score":
        bound = examples.targets[:, 0] > np.median(examples.targets[learned, 0])
    edge = 0
    if "bin" in examples.info:
        edge = max(0, (examples.length - examples.info["bin"]) // 2 - width // 2)
    middle = slice(edge, examples.length - edge)
    rows = (np.flatnonzero(learned & bound), np.flatnonzero(learned & ~bound))
    return tuple(np.ascontiguousarray(examples.codes[part, middle]) for part in rows)


def _shifts(conv, length: int) -> np.ndarray | None:
    """What the places of windows add to each kernel, float32 [C, W]; None without places."""
    if getattr(conv, "places", None) is None:
        return None
    windows = length - conv.weight.shape[2] + 1
    return conv.places.detach()[conv.place_index(windows)].T.numpy()


def _with_effects(motifs, network, bound, other) -> list[Motif]:
    """Effect of each kernel on the logit of a linear read-out.

    w_c (mean activation on bound - mean activation on unbound sequences), of its mean over
    positions too where that is read; left as NaN where the read-out is not linear in the pooled
    activations or no unbound sequence is stored.
    """
    if not isinstance(network, models.DeepBind) or network.hidden is not None or not len(other):
        return motifs
    with torch.inference_mode():
        means = [network.features(torch.tensor(codes)).mean(0) for codes in (bound, other)]
    effects = (network.dense.weight[0] * (means[0] - means[1])).detach().numpy()
    effects = effects.reshape(-1, len(motifs)).sum(0)
    return [
        replace(motif, effect=float(effect)) for motif, effect in zip(motifs, effects, strict=True)
    ]
