"""Multi-task examples: the genome in bins, each with its context and one label a dataset.

Nothing here is as large as bins times tracks or bins times bases: labels are sparse, and contexts
are looked at one by one in the encoded genome.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit

from motifloom import readers, splits
from motifloom.bin_store import BinStore
from motifloom.counts import Counts
from motifloom.files import InputError, atomic, file_digest, write_table
from motifloom.sequences import UNKNOWN, Genome, extract_windows

log = logging.getLogger(__name__)

_BLOCK = 1 << 16  # contexts looked at by a thread at a time


@dataclass(frozen=True)
class BinRules:
    """How bins are tiled, labelled and kept (config section `multitask`).

    label "site": a bin is positive where a peak's summit lies in it; "overlap": where a peak
    covers at least `min_overlap` of it. Of each split, `empty_per_labelled` times as many bins
    without any label as with one are drawn at random (None: all): these are trained on, looked at
    during training, and the rows "bins" of the evaluation. The other bins of the validation and
    test chromosomes are stored too. A track with fewer than `min_positives` labelled training
    bins is left out.
    """

    bin: int = 200
    context: int = 1000
    label: str = "overlap"
    min_overlap: float = 0.5
    empty_per_labelled: float | None = 1.0
    min_positives: int = 1
    ignored_chromosomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Bins:
    """Bins of a genome in its order: chrom int32 [N], start int64 [N] (of the bin itself)."""

    chrom: np.ndarray
    start: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def take(self, chosen: np.ndarray) -> "Bins":
        """Those chosen by a mask or by numbers."""
        return Bins(self.chrom[chosen], self.start[chosen])


@dataclass(frozen=True)
class Labels:
    """Sparse labels: those of bin i are tracks[offsets[i] : offsets[i + 1]], ascending.

    offsets int64 [N + 1], tracks int32.
    """

    offsets: np.ndarray
    tracks: np.ndarray

    @classmethod
    def join(cls, carriers: Sequence[np.ndarray], n: int) -> "Labels":
        """Labels of n bins from each track's bins (ascending numbers, each once)."""
        offsets = np.zeros(n + 1, np.int64)
        for bins in carriers:
            offsets[bins + 1] += 1
        np.cumsum(offsets, out=offsets)
        tracks, place = np.empty(offsets[-1], np.int32), offsets[:-1].copy()
        for number, bins in enumerate(carriers):
            tracks[place[bins]] = number
            place[bins] += 1
        return cls(offsets, tracks)

    @property
    def any(self) -> np.ndarray:
        """Whether each bin carries a label, bool [N]."""
        return self.offsets[1:] > self.offsets[:-1]

    def take(self, rows: np.ndarray) -> "Labels":
        """Those of ascending rows."""
        sizes = np.diff(self.offsets)[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        wanted = np.repeat(self.offsets[rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Labels(offsets, self.tracks[wanted])

    def positives(self, chosen: np.ndarray, n_tracks: int) -> np.ndarray:
        """How many bins of a mask [N] each track labels, int64 [n_tracks]."""
        return np.bincount(
            self.tracks[np.repeat(chosen, np.diff(self.offsets))], minlength=n_tracks
        )

    def keep_tracks(self, kept: np.ndarray) -> "Labels":
        """Without the tracks that are not kept (bool [T]); the others are renumbered."""
        there = kept[self.tracks]
        before = np.concatenate([[0], np.cumsum(there)])
        numbers = (np.cumsum(kept) - 1).astype(np.int32)
        return Labels(before[self.offsets], numbers[self.tracks[there]])


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
    threads: int = 1,
) -> None:
    """Write the store of labelled bins over the datasets `peaks` (name -> file), and a QC table.

    Targets are in the datasets' order. A training or validation bin whose whole context stands,
    on either strand, in the test split too is dropped. Raises InputError where a held-out
    chromosome is not in the genome, where no bin is left, where no track has enough labelled
    training bins, and where a split has no bin with a label.
    """
    counts, opened = Counts(), Genome.open(genome)
    for name in (*test, *validation):
        if name not in opened.lengths:
            raise InputError(
                f"splits: chromosome {name!r} is not in the genome (it has"
                f" {', '.join(opened.names[:5])}, ...); name others or rename it"
            )
    alias_table = readers.read_aliases(aliases) if aliases else {}
    bins = _tile(opened, rules)
    counts.add("bins tiled", len(bins), f"{rules.bin} bp")
    read = partial(_carriers, genome=opened, aliases=alias_table, rules=rules)
    with ThreadPoolExecutor(threads) as pool:
        carriers = list(pool.map(read, peaks.values()))
    for name, found in zip(peaks, carriers, strict=True):
        counts.add("bins labelled", len(found), name)
    labels = Labels.join(carriers, len(bins))
    kept = ~_excluded(opened, bins, rules, excluded, alias_table, counts)
    split = splits.by_chromosome_number(opened.names, bins.chrom, test, validation)
    kept = _without_unknown_and_leaks(
        opened, bins, rules, split, kept, max_unknown, threads, counts
    )
    if not len(kept):
        raise InputError(
            f"multitask: no bin is left of {len(bins)} ({counts.drops()}); check"
            " genome: excluded, ignored_chromosomes and windows: max_unknown"
        )
    bins, split, labels = bins.take(kept), split[kept], labels.take(kept)
    names, labels = _frequent(list(peaks), labels, split, rules, counts)
    sampled = _sample(labels.any, split, rules.empty_per_labelled, seed)
    stored = np.flatnonzero(sampled | (split > 0))
    counts.add("left out: training bins without a label", len(bins) - len(stored))
    bins, split, labels = bins.take(stored), split[stored], labels.take(stored)
    _require_labels(labels.any, split, sampled[stored], counts)
    store = BinStore(
        genome=opened,
        chrom=bins.chrom,
        start=bins.start - (rules.context - rules.bin) // 2,
        split=split,
        kind=(~sampled[stored]).astype(np.uint8),
        offsets=labels.offsets,
        tracks=labels.tracks,
        info=_info(names, peaks, opened, rules, seed),
    )
    with atomic(qc) as temporary:
        write_table(counts.frame(), temporary)
        store.write(output)


def _info(names: list[str], peaks: Mapping, genome: Genome, rules: BinRules, seed: int) -> dict:
    """What a store says of its targets, and where they are from."""
    return {
        "dataset": "multitask",
        "alphabet": "dna",
        "labels": "binary",
        "targets": names,
        "left_out": [name for name in peaks if name not in names],
        "kinds": ["sampled", "unsampled"],
        "chromosomes": [[name, genome.lengths[name]] for name in genome.names],
        "bin": rules.bin,
        "context": rules.context,
        "seed": seed,
        "genome_sha256": genome.digest(),
        "peaks_sha256": {name: file_digest(path) for name, path in peaks.items()},
    }


def _tile(genome: Genome, rules: BinRules) -> Bins:
    """All whole bins of the chromosomes that are not ignored."""
    n_bins = _bins_by_chromosome(genome, rules)
    chrom = np.repeat(np.arange(len(n_bins), dtype=np.int32), n_bins)
    first = np.repeat(np.cumsum([0, *n_bins])[:-1], n_bins)
    return Bins(chrom, (np.arange(len(chrom)) - first) * rules.bin)


def _bins_by_chromosome(genome: Genome, rules: BinRules) -> np.ndarray:
    """Whole bins of each chromosome, int64."""
    lengths = np.array(list(genome.lengths.values()), np.int64)
    ignored = np.isin(genome.names, list(rules.ignored_chromosomes))
    return np.where(ignored, 0, lengths // rules.bin)


def _carriers(path: str | Path, genome: Genome, aliases: Mapping, rules: BinRules) -> np.ndarray:
    """Numbers of the bins that carry the label of a file's peaks, ascending, each once."""
    table, _ = readers.rename_chromosomes(
        readers.read_peaks(path), genome.lengths, dict(aliases), path
    )
    return _labelled(table, genome, rules)


def _labelled(table: pd.DataFrame, genome: Genome, rules: BinRules) -> np.ndarray:
    """Numbers of the bins that intervals (columns chrom, start, end, summit) label, ascending."""
    index = pd.Index(genome.names).get_indexer(table.chrom)
    n_bins = _bins_by_chromosome(genome, rules)
    first = np.cumsum(n_bins) - n_bins
    if rules.label == "site":
        bin_of, peak = table.summit.to_numpy() // rules.bin, np.arange(len(table))
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
    found = np.sort(first[index[peak[whole]]] + bin_of[whole])
    return found[np.diff(found, prepend=-1) > 0]


def _count_up(lengths: np.ndarray) -> np.ndarray:
    """0, 1, .., l-1 for each length l, end to end."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _excluded(genome, bins, rules, paths, aliases, counts: Counts) -> np.ndarray:
    """Whether each bin touches an excluded region, bool [N]."""
    regions = readers.read_excluded(paths, genome.lengths, aliases, counts)
    touching = BinRules(
        bin=rules.bin,
        label="overlap",
        min_overlap=1 / rules.bin,
        ignored_chromosomes=rules.ignored_chromosomes,
    )
    blocked = np.zeros(len(bins), bool)
    blocked[_labelled(regions, genome, touching)] = True
    counts.add("dropped: in an excluded region", blocked.sum())
    return blocked


def _without_unknown_and_leaks(
    genome, bins, rules, split, kept, max_unknown, threads, counts: Counts
) -> np.ndarray:
    """Numbers of the bins of a mask `kept` that are known well enough and leak into no test.

    Contexts are compared by 64-bit hashes that are the same on both strands, so that equal ones
    are always found; those that they find alike are compared as `splits.repeats` does, where
    different ones pass for equal with a chance below 1e-30.
    """
    rows = np.flatnonzero(kept)
    unknown, hashes = look_at_contexts(genome, bins.take(rows), rules, threads)
    known = unknown <= max_unknown * rules.context
    counts.add("dropped: too many N", (~known).sum())
    rows, hashes = rows[known], hashes[known]
    tested = split[rows] == splits.TEST
    leaked = ~tested
    leaked[leaked] = np.isin(hashes[leaked], hashes[tested])
    alike = tested & np.isin(hashes, hashes[leaked])
    codes = [_contexts(genome, bins.take(rows[some]), rules) for some in (leaked, alike)]
    leaked[leaked] = splits.repeats(*codes)
    counts.add("dropped: sequence also in the test split", leaked.sum(), "either strand")
    return rows[~leaked]


def _contexts(genome: Genome, bins: Bins, rules: BinRules) -> np.ndarray:
    """Base codes, uint8 [n, context], of some bins."""
    names = np.array(genome.names, object)[bins.chrom]
    flank = (rules.context - rules.bin) // 2
    return extract_windows(genome, names, bins.start - flank, rules.context)


def look_at_contexts(
    genome: Genome, bins: Bins, rules: BinRules, threads: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Of each bin's context the number of N, int32 [N], and a hash, uint64 [N].

    A sequence and its reverse complement have the same hash.
    """
    unknown, hashes = np.empty(len(bins), np.int32), np.empty(len(bins), np.uint64)
    flank = (rules.context - rules.bin) // 2

    def look(first: int) -> None:
        rows = slice(first, first + _BLOCK)
        chrom = bins.chrom[rows]
        begins, ends = genome.offsets[chrom], genome.ends[chrom]
        places = begins + bins.start[rows] - flank
        _look(genome.flat, places, begins, ends, rules.context, unknown[rows], hashes[rows])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(look, range(0, len(bins), _BLOCK)))
    return unknown, hashes


@njit(cache=True, nogil=True)
def _look(flat, first, begins, ends, length, unknown, hashes):
    # Each loop does one simple thing, so that it becomes vector code.
    strands = np.zeros((2, -(-length // 8) * 8), np.uint8)
    words = strands.view(np.uint64)
    forward, backward = strands[0, :length], strands[1, :length]
    for i in range(len(first)):
        low, high = max(first[i], begins[i]), min(first[i] + length, ends[i])
        if high - low < length:
            forward[:] = UNKNOWN
        forward[low - first[i] : high - first[i]] = flat[low:high]
        missing = np.int32(0)
        for place in range(length):
            missing += forward[place] == UNKNOWN
        for place in range(length):
            code = forward[place]
            backward[length - 1 - place] = np.uint8(3) - code if code < UNKNOWN else code
        unknown[i] = missing
        hashes[i] = _hash(words[0], words[1])


@njit(cache=True, nogil=True)
def _hash(forward, backward):
    """The smaller hash of two rows of words uint64, side by side since each waits for itself.

    Words are mixed one after the other by the finaliser of MurmurHash3 (Appleby 2011).
    """
    first = second = np.uint64(len(forward))
    for i in range(len(forward)):
        first = (first ^ forward[i]) * np.uint64(0xFF51AFD7ED558CCD)
        second = (second ^ backward[i]) * np.uint64(0xFF51AFD7ED558CCD)
        first ^= first >> np.uint64(33)
        second ^= second >> np.uint64(33)
    first *= np.uint64(0xC4CEB9FE1A85EC53)
    second *= np.uint64(0xC4CEB9FE1A85EC53)
    return min(first ^ (first >> np.uint64(33)), second ^ (second >> np.uint64(33)))


def _frequent(names, labels: Labels, split, rules, counts: Counts) -> tuple[list[str], Labels]:
    """Names and labels of the tracks with enough labelled training bins."""
    found = labels.positives(split == splits.TRAIN, len(names))
    kept = found >= rules.min_positives
    for name, n in zip(names, found, strict=True):
        if n < rules.min_positives:
            counts.add("labelled training bins of a track left out", n, name)
            log.info(
                "track %s is left out: %d labelled training bins (min_positives is %d)",
                name, n, rules.min_positives,
            )  # fmt: skip
    if not kept.any():
        raise InputError(
            f"multitask: no track has {rules.min_positives} labelled training bins; for narrow"
            " peaks set multitask: label: site, lower min_overlap or min_positives, or give more"
            " training chromosomes"
        )
    return [n for n, k in zip(names, kept, strict=True) if k], labels.keep_tracks(kept)


def _sample(labelled, split, per_labelled: float | None, seed: int) -> np.ndarray:
    """Bins with a label and, in each split, as many others as asked for; bool [N]."""
    if per_labelled is None:
        return np.ones(len(labelled), bool)
    chosen = labelled.copy()
    for code in range(3):
        empty = np.flatnonzero((split == code) & ~labelled)
        wanted = round(per_labelled * (labelled & (split == code)).sum())
        rng = np.random.default_rng([seed, code])
        chosen[rng.choice(empty, min(wanted, len(empty)), replace=False, shuffle=False)] = True
    return chosen


def _require_labels(labelled, split, sampled, counts: Counts) -> None:
    for code, name in enumerate(("train", "validation", "test")):
        chosen = split == code
        note = f"{int(labelled[chosen].sum())} labelled, {int(sampled[chosen].sum())} sampled"
        counts.add(f"{name} bins", chosen.sum(), note)
        if not labelled[chosen].any():
            raise InputError(
                f"multitask: no {name} bin carries a label; choose other {name} chromosomes in"
                " splits or more datasets in multitask: datasets"
            )
