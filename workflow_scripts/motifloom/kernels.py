"""First-layer kernels of a trained model, read off as motifs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from motifloom import models
from motifloom.bin_store import BinStore
from motifloom.files import write_table
from motifloom.motifs import Motif, kernels_to_pwms, motif_table, write_meme
from motifloom.store import SequenceStore

# Labelled bins that sites are counted on, at most: more of them change no matrix visibly.
_MOST_BINS = 100_000


def export_motifs(
    weights: str | Path,
    store: str | Path,
    meme: str | Path,
    table: str | Path,
    *,
    genome: str | Path | None = None,
    recipe: str = "deepbind",
    top: int | None = None,
) -> None:
    """Write a model's kernels as a MEME file and a table of them in rank order.

    Of an ensemble the member with the lowest validation loss is shown. Sites are counted on the
    bound training and validation sequences, or the `top` of them by score. With a `genome` the
    store holds bins: sites are counted on the bin itself, half a kernel beyond its edges, of up
    to 100,000 labelled ones evenly spread over the genome. A network without kernels has none to
    write.
    """
    model = models.load(weights)
    motifs = _motifs_of(model, store, genome, recipe, top)
    write_table(motif_table(motifs), table)
    write_meme(motifs, meme, "ACGU" if model.info["alphabet"] == "rna" else "ACGT")


def _motifs_of(model: models.TrainedModel, store, genome, recipe, top) -> list[Motif]:
    network = model.networks[model.info["best_member"]]
    conv = _first_layer(network)
    if conv is None:
        return []
    if genome is None:
        bound, other = _sequences(SequenceStore.open(store))
    else:
        bound = _labelled_bins(BinStore.open(store, genome), conv.weight.shape[2])
        other = bound[:0]
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


def _sequences(examples: SequenceStore) -> tuple[np.ndarray, np.ndarray]:
    """Bound and unbound sequences outside the test split."""
    learned = examples.split < 2
    bound = (examples.targets > 0).any(1)
    if examples.info["labels"] == "score":
        bound = examples.targets[:, 0] > np.median(examples.targets[learned, 0])
    return examples.codes[learned & bound], examples.codes[learned & ~bound]


def _labelled_bins(bins: BinStore, width: int) -> np.ndarray:
    """Codes of labelled bins outside the test split, and half a kernel of `width` around them."""
    rows = np.flatnonzero(bins.labelled() & (bins.split < 2))
    if len(rows) > _MOST_BINS:
        rows = rows[np.linspace(0, len(rows) - 1, _MOST_BINS).astype(np.int64)]
    crop = max(0, (bins.length - bins.info["bin"]) // 2 - width // 2)
    return bins.codes(rows, crop=crop)


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
