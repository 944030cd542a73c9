"""Multi-task examples: the genome in bins, each with its context and one label a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import readers, splits
from motifloom.counts import Counts
from motifloom.files import InputError, atomic, write_table
from motifloom.sequences import UNKNOWN, Genome, extract_windows
from motifloom.store import SequenceStore


@dataclass(frozen=True)
class BinRules:
    """How bins are tiled, labelled and kept (config section `multitask`).

    label "site": a bin is positive where a peak's summit lies in it; "overlap": where a peak
    covers at least `min_overlap` of it. `empty_share` of the bins without any label are kept for
    training and for the rows "bins" of the evaluation; all test bins are stored.
    """

    bin: int = 200
    context: int = 1000
    label: str = "overlap"
    min_overlap: float = 0.5
    empty_share: float = 1.0
    ignored_chromosomes: tuple[str, ...] = ()


def build_bins(
    peaks: Mapping[str, str | Path],
    genome: str | Path,
    output: str | Path,
    qc: str | Path,
    *,
    rules: BinRules,
    test: Sequence[str],
    validation: Sequence[str],
    max_unknown: float,
    seed: int,
    aliases: str | Path | None = None,
    excluded: Sequence[str | Path] = (),
) -> None:
    """Write the sequence store of labelled bins over the datasets `peaks` (name -> file).

    Codes are the context [N, context], targets 0/1 [N, T] in the datasets' order. Raises
    InputError where a split has no bin with a label.
    """
    counts = Counts()
    opened = Genome.open(genome)
    alias_table = readers.read_aliases(aliases) if aliases else {}
    chrom, start = _tile(opened, rules)
    counts.add("bins tiled", len(start), f"{rules.bin} bp")
    labels = np.zeros((len(start), len(peaks)), bool)
    for column, (name, path) in enumerate(peaks.items()):
        table, _ = readers.rename_chromosomes(
            readers.read_peaks(path), opened.lengths, alias_table, path
        )
        labels[:, column] = _label(table, opened, chrom, start, rules)
        counts.add("bins labelled", labels[:, column].sum(), name)
    blocked = readers.read_excluded(excluded, opened.lengths, alias_table, counts)
    anywhere = BinRules(bin=rules.bin, label="overlap", min_overlap=1 / rules.bin)
    keep = ~_label(blocked, opened, chrom, start, anywhere)
    counts.add("dropped: in an excluded region", (~keep).sum())
    chrom, start, labels = chrom[keep], start[keep], labels[keep]
    split = splits.by_chromosome(np.asarray(opened.names, object)[chrom], test, validation)
    sampled = _sample(labels, rules.empty_share, seed)
    keep = sampled | (split == 2)
    counts.add("left out: training and validation bins without a label", (~keep).sum())
    kept = [array[keep] for array in (chrom, start, labels, split, sampled)]
    _finish(opened, kept, list(peaks), rules, max_unknown, seed, counts, output, qc)


def _tile(genome: Genome, rules: BinRules) -> tuple[np.ndarray, np.ndarray]:
    """Chromosome numbers and first bases of all whole bins."""
    n_bins = [
        0 if name in rules.ignored_chromosomes else length // rules.bin
        for name, length in genome.lengths.items()
    ]
    chrom = np.repeat(np.arange(len(n_bins)), n_bins)
    first = np.repeat(np.cumsum([0, *n_bins])[:-1], n_bins)
    return chrom, (np.arange(len(chrom)) - first) * rules.bin


def _label(table: pd.DataFrame, genome: Genome, chrom, start, rules: BinRules) -> np.ndarray:
    """Which bins carry the label of one dataset's peaks, bool [N]."""
    index = pd.Index(genome.names).get_indexer(table.chrom)
    n_bins = np.bincount(chrom, minlength=len(genome.names))
    first = np.cumsum(n_bins) - n_bins
    if rules.label == "site":
        bin_of = table.summit.to_numpy() // rules.bin
        peak, span = np.arange(len(table)), np.ones(len(table), np.int64)
    else:
        begin, end = table.start.to_numpy(), table.end.to_numpy()
        span = (end - 1) // rules.bin - begin // rules.bin + 1
        peak = np.repeat(np.arange(len(table)), span)
        bin_of = np.repeat(begin // rules.bin, span) + _count_up(span)
        low = np.maximum(bin_of * rules.bin, begin[peak])
        high = np.minimum((bin_of + 1) * rules.bin, end[peak])
        enough = high - low >= rules.min_overlap * rules.bin
        peak, bin_of = peak[enough], bin_of[enough]
    whole = bin_of < n_bins[index[peak]]
    labelled = np.zeros(len(start), bool)
    labelled[first[index[peak[whole]]] + bin_of[whole]] = True
    return labelled


def _count_up(lengths: np.ndarray) -> np.ndarray:
    """0, 1, .., l-1 for each length l, end to end."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _sample(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Bins with a label and a random share of the others, bool [N]."""
    chosen = labels.any(1)
    return chosen | (np.random.default_rng(seed).random(len(chosen)) < share)


def _finish(genome, kept, names, rules, max_unknown, seed, counts, output, qc) -> None:
    """Extract contexts, drop N and leaks, write store and QC table, both whole."""
    chrom, start, labels, split, sampled = kept
    flank = (rules.context - rules.bin) // 2
    chrom_names = np.asarray(genome.names, object)[chrom]
    codes = extract_windows(genome, chrom_names, start - flank, rules.context)
    unknown = (codes == UNKNOWN).mean(1) > max_unknown
    counts.add("dropped: too many N", unknown.sum())
    learned = np.flatnonzero((split < 2) & ~unknown)
    leaked = splits.repeats(codes[learned], codes[(split == 2) & ~unknown])
    counts.add("dropped: sequence also in the test split", leaked.sum(), "either strand")
    keep = ~unknown
    keep[learned[leaked]] = False
    splits.check_no_leak(codes[keep], split[keep], chrom_names[keep], (start - flank)[keep])
    _require_labels(labels[keep], split[keep], counts)
    store = SequenceStore(
        codes=codes[keep],
        targets=labels[keep].astype(np.float32),
        split=split[keep],
        kind=(~sampled[keep]).astype(np.uint8),
        parent=np.arange(keep.sum()),
        chrom=chrom[keep].astype(np.int32),
        start=(start - flank)[keep],
        strand=np.zeros(keep.sum(), np.uint8),
        info={
            "dataset": "multitask",
            "alphabet": "dna",
            "labels": "binary",
            "targets": names,
            "kinds": ["sampled", "unsampled"],
            "chromosomes": genome.names,
            "bin": rules.bin,
            "seed": seed,
        },
    )
    with atomic(qc) as temporary:
        write_table(counts.frame(), temporary)
        store.write(output)


def _require_labels(labels, split, counts: Counts) -> None:
    if not labels.any():
        raise InputError(
            "multitask: no bin carries a label; for narrow peaks set multitask: label: site, or"
            " lower min_overlap"
        )
    for code, name in enumerate(("train", "validation", "test")):
        chosen = split == code
        counts.add(f"{name} bins", chosen.sum(), f"{int(labels[chosen].any(1).sum())} labelled")
        if not labels[chosen].any():
            raise InputError(
                f"multitask: no {name} bin carries a label; choose other {name} chromosomes in"
                " splits or more datasets in multitask: datasets"
            )
