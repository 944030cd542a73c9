"""First-layer kernels of a trained model, read off as motifs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from motifloom import inference
from motifloom.bin_store import BinStore
from motifloom.files import write_table
from motifloom.importance import Judged, Silenced, drops, is_linear
from motifloom.inference import Network
from motifloom.merging import Group, merge
from motifloom.motif_files import read_meme, write_jaspar, write_meme, write_transfac
from motifloom.motifs import (
    Motif,
    kernel_table,
    kernels_to_pwms,
    motif_table,
    position_table,
    rank_motifs,
)
from motifloom.store import SequenceStore

log = logging.getLogger(__name__)

# Kernels of a network for one target that are compared with each other, twice as many of one for
# several; the cost grows with the square.
_MOST_COMPARED = 256
# Labelled bins that sites are counted on, at most: more of them change no matrix visibly.
_MOST_BINS = 100_000
# Networks that must be run again for each silenced motif: so many motifs, on so many labelled
# bins and as many without a label.
_MOST_SILENCED = 16
_MOST_JUDGED = 500
# Bins that must carry a target's label before a kernel is held against it.
_FEWEST_LABELLED = 5


@dataclass(frozen=True)
class MotifFiles:
    """Where the motifs of a model go: all kernels, the distinct motifs, and where they lie."""

    kernels_meme: str | Path
    kernels: str | Path
    meme: str | Path
    jaspar: str | Path
    transfac: str | Path
    table: str | Path
    positions: str | Path


@dataclass(frozen=True, eq=False)
class Examples:
    """What kernels are read off on and judged on.

    bound: base codes uint8 [N, L] of bound sequences outside the test split; bins are cropped to
    what their label is about. seen, labels: base codes [M, L] with labels bool [M, T], which a
    kernel may tell apart: bound sequences and others, or labelled bins. validation, test: what
    the model is judged on.
    """

    bound: np.ndarray
    seen: np.ndarray
    labels: np.ndarray
    validation: Judged
    test: Judged


def export_motifs(
    weights: str | Path,
    store: str | Path,
    files: MotifFiles,
    *,
    genome: str | Path | None = None,
    database: str | Path | None = None,
    recipe: str = "deepbind",
    top: int | None = None,
) -> None:
    """Write a model's kernels and the distinct motifs that they hold.

    Kernels of all members of an ensemble are read off. Sites are counted on the bound training and
    validation sequences, or the `top` of them by score. With a `genome` the store holds bins:
    sites are counted on the bin itself, half a kernel beyond its edges, of up to 100,000 labelled
    ones evenly spread over the genome. Kernels that hold the same motif become one (`merge`, with
    the motifs of a `database` in MEME format as background). How much it matters is the drop of
    the validation metric with all its kernels silenced (`importance`), which the motifs are
    ranked by; the test metric's drop is only written down. Where each motif takes another run of
    the networks, this is done for the 16 with the largest effect (`_effects`), on 500 labelled
    bins and 500 without a label. A network without kernels has none to write.
    """
    model = inference.load(weights)
    first = model.networks[0].weight
    kernels: list[Motif] = []
    motifs: list[Motif] = []
    if first is None:
        log.info("%s reads bases without kernels: no motifs", model.info["network"])
    else:
        examples = _examples(model, store, genome, first.shape[2])
        kernels = _kernels_of(model, examples, recipe, top)
        background = read_meme(database) if database else []
        most = _MOST_COMPARED if len(model.info["targets"]) == 1 else 2 * _MOST_COMPARED
        kernels, groups = merge(kernels, background, most, model.info["alphabet"] == "dna")
        motifs = _weighed(model, kernels, groups, examples)
        kernels = _weighed_kernels(model, kernels, examples)
        log.info("%d kernels, %d distinct motifs", len(kernels), len(motifs))
    _write(files, kernels, motifs, model.info["alphabet"])


def _write(files: MotifFiles, kernels: list[Motif], motifs: list[Motif], alphabet: str) -> None:
    letters = "ACGU" if alphabet == "rna" else "ACGT"
    write_meme(kernels, files.kernels_meme, letters)
    held = {
        name.removesuffix("-"): (motif.name, "-" if name.endswith("-") else "+")
        for motif in motifs
        for name in motif.kernels
    }
    write_table(kernel_table(kernels, held), files.kernels)
    ranked = rank_motifs(motifs)
    write_meme(ranked, files.meme, letters)
    write_jaspar(ranked, files.jaspar)
    write_transfac(ranked, files.transfac)
    write_table(motif_table(ranked), files.table)
    write_table(position_table(ranked), files.positions)


# --- examples -------------------------------------------------------------------------------


def _examples(model, store, genome, width: int) -> Examples:
    if genome is None:
        return _sequences(SequenceStore.open(store))
    bins = BinStore.open(store, genome)
    rows = _spread(np.flatnonzero(bins.labelled() & (bins.split < 2)), _MOST_BINS)
    # The bin itself, and half a kernel around it.
    bound = bins.codes(rows, crop=max(0, (bins.length - bins.info["bin"]) // 2 - width // 2))
    judged = (_judged_bins(bins, split) for split in ("validation", "test"))
    return Examples(bound, bound, bins.labels(rows) > 0, *judged)


def _sequences(examples: SequenceStore) -> Examples:
    learned = examples.split < 2
    bound = (examples.targets > 0).any(1)
    scored = examples.info["labels"] == "score"
    if scored:
        bound = examples.targets[:, 0] > np.median(examples.targets[learned, 0])
    kinds = ("site", "given", examples.info["negatives"])
    judged = []
    for split in ("validation", "test"):
        rows = examples.rows(split, kinds)
        metric = "pearson" if scored else "auroc"
        judged.append(Judged(examples.codes[rows], examples.targets[rows], metric))
    rows = np.flatnonzero(learned & np.isin(examples.kind, _numbers_of(examples, kinds)))
    seen, labels = examples.codes[rows], bound[rows][:, None]
    return Examples(seen[labels[:, 0]], seen, labels, *judged)


def _numbers_of(examples: SequenceStore, kinds: Sequence[str]) -> list[int]:
    return [number for number, kind in enumerate(examples.info["kinds"]) if kind in kinds]


def _judged_bins(bins: BinStore, split: str) -> Judged:
    """Labelled bins and sampled ones without a label, evenly spread, with all their context."""
    rows = bins.rows(split, ("sampled",))
    labelled = bins.labelled()[rows]
    chosen = [_spread(rows[mask], _MOST_JUDGED) for mask in (labelled, ~labelled)]
    rows = np.sort(np.concatenate(chosen))
    return Judged(bins.codes(rows), bins.labels(rows), "auroc")


def _spread(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of rows [n], evenly spread."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


# --- kernels --------------------------------------------------------------------------------


def _kernels_of(model, examples: Examples, recipe: str, top) -> list[Motif]:
    """The kernels of all members as motifs, member by member."""
    bound = examples.bound
    if top is not None and len(bound) > top and len(model.info["targets"]) == 1:
        best = np.argsort(-model.score(bound)[:, 0], kind="stable")[:top]
        bound = bound[best]
    started = model.info.get("initialised_from")
    kernels = []
    for member, network in enumerate(model.networks):
        found = _read_off(network, bound, recipe, model.info["strands"] != "given")
        effects = _effects(network, examples)
        names = started or [""] * len(found)
        prefix = f"m{member}" if len(model.networks) > 1 else ""
        kernels += [
            replace(
                kernel,
                name=f"{prefix}{kernel.name}",
                member=member,
                effect=float(effect),
                initialised_from=name,
            )
            for kernel, effect, name in zip(found, effects, names, strict=True)
        ]
    return kernels


def _read_off(network: Network, bound: np.ndarray, recipe: str, both: bool) -> list[Motif]:
    return kernels_to_pwms(
        network.weight,
        network.bias,
        bound,
        recipe=recipe,
        both_strands=both or network.sees_both,
        shifts=network.shifts(bound.shape[1]),
    )


def _effects(network: Network, examples: Examples) -> np.ndarray:
    """Effect of each kernel, float64 [C]; NaN where there is nothing to tell apart.

    Of a linear read-out w_c (mean activation on bound - mean activation on other sequences), of
    the mean over positions too where that is read. Of other networks how much better the kernel
    fires where a label is: its mean activation (the maximum over the sequence) with a target's
    label less that without, by the standard error of that difference, for the target where this
    is largest.
    """
    n_kernels = len(network.weight)
    read = network.features if network.linear else network.activations
    values = read(examples.seen).astype(np.float64)  # [N, C or 2C]
    counts = examples.labels.sum(0)
    fewest = 1 if network.linear else _FEWEST_LABELLED
    kept = (counts >= fewest) & (len(values) - counts >= fewest)
    if not kept.any():
        return np.full(n_kernels, np.nan)
    labels, counts = examples.labels[:, kept].astype(np.float64), counts[kept][:, None]
    sums = labels.T @ values  # [T, C or 2C]
    others = len(values) - counts
    differences = sums / counts - (values.sum(0) - sums) / others
    if network.linear:
        return (network.readout * differences[0]).reshape(-1, n_kernels).sum(0)
    errors = values.std(0) * np.sqrt(1 / counts + 1 / others)
    return (differences / np.maximum(errors, 1e-12)).max(0)


# --- what they are worth --------------------------------------------------------------------


def _numbers(kernels: Sequence[Motif]) -> dict[str, tuple[int, int]]:
    """Member and number in its first layer of each kernel, by name."""
    found: dict[str, tuple[int, int]] = {}
    counts: dict[int, int] = {}
    for kernel in kernels:
        found[kernel.name] = kernel.member, counts.get(kernel.member, 0)
        counts[kernel.member] = found[kernel.name][1] + 1
    return found


def _silenced(names: Sequence[str], numbers: dict[str, tuple[int, int]]) -> Silenced:
    silenced: dict[int, list[int]] = {}
    for name in names:
        member, number = numbers[name.removesuffix("-")]
        silenced.setdefault(member, []).append(number)
    return silenced


def _weighed(model, kernels: list[Motif], groups: list[Group], examples: Examples) -> list[Motif]:
    """The distinct motifs with the drops of the metric, those of most worth in rank order first."""
    linear = is_linear(model)
    motifs = rank_motifs(group.merged(len(model.networks), linear) for group in groups)
    limit = len(motifs) if linear else _MOST_SILENCED
    numbers = _numbers(kernels)
    silenced = [_silenced(motif.kernels, numbers) for motif in motifs[:limit]]
    seen, unseen = (
        drops(model, judged, silenced) for judged in (examples.validation, examples.test)
    )
    metric = examples.validation.metric
    weighed = [
        replace(motif, validation_drop=float(drop), test_drop=float(other))
        for motif, drop, other in zip(motifs, seen, unseen, strict=False)
    ]
    return [replace(motif, metric=metric) for motif in [*weighed, *motifs[limit:]]]


def _weighed_kernels(model, kernels: list[Motif], examples: Examples) -> list[Motif]:
    """The kernels with the validation drop of each alone, where that costs no run of networks."""
    if not is_linear(model):
        return kernels
    numbers = _numbers(kernels)
    silenced = [_silenced([kernel.name], numbers) for kernel in kernels]
    found = drops(model, examples.validation, silenced)
    return [
        replace(kernel, validation_drop=float(drop))
        for kernel, drop in zip(kernels, found, strict=True)
    ]
