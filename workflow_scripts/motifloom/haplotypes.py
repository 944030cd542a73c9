"""Haplotypes of regions: what each copy of a sample's chromosomes reads there, and its scores."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import inference
from motifloom.bin_store import gather
from motifloom.files import InputError, write_table
from motifloom.phased import Phased, read_phased
from motifloom.readers import read_aliases
from motifloom.regions import REGION_COLUMNS, read_named_regions
from motifloom.sequence_scores import Stretches, is_stranded, score_stretches
from motifloom.sequences import Genome
from motifloom.store import read_arrays, write_arrays

log = logging.getLogger(__name__)

COUNT_COLUMNS = ("unphased", "missing", "no_letters")
_SCORES = (("whole", "score", "difference"), ("best", "best", "best_difference"))
_TEXTS = ("chrom", "name", "strand", "carriers", "variants")
_BASES = 1 << 22  # bases of haplotypes held at a time


@dataclass(frozen=True)
class Haplotype:
    """A sequence that a region has on some of the samples' chromosomes.

    held:     numbers of the alleles on it, by position
    carriers: numbers of the copies, twice the sample's and one more for its second
    """

    held: tuple[int, ...]
    carriers: tuple[int, ...]


def build_haplotypes(
    variants: str | Path,
    genome: str | Path,
    bed: str | Path,
    table: str | Path,
    arrays: str | Path,
    counts: str | Path,
    aliases: str | Path | None = None,
) -> None:
    """Find the distinct haplotypes of a BED file's intervals in phased genotypes.

    table:  TSV with REGION_COLUMNS, haplotype (0 is the reference, the others by their number of
            carriers), n_carriers, carriers (sample:1 or sample:2, by commas), variants
            (chromosome:position:REF:ALT, by commas) and length
    arrays: safetensors file with the sequences of the table's rows, end to end: codes uint8, and
            offsets int64 [rows + 1]
    counts: TSV with REGION_COLUMNS and, of each interval, records, haplotypes, COUNT_COLUMNS
            (`phased.Phased.counts`), border (copies of alleles that reach over the interval's ends)
            and overlapping (distinct haplotypes' alleles that overlap one before them)

    Alleles that reach over an interval's ends, or overlap one before them on the same haplotype,
    are left as the reference.
    """
    genome = Genome.open(genome)
    regions = read_named_regions(bed, genome, aliases)
    known = read_aliases(aliases) if aliases else {}
    phased = read_phased(variants, genome, regions, known)
    rows, codes, qc = [], [], []
    for region in regions.itertuples(index=False):
        found, counted = haplotypes_of(phased, genome, region)
        qc.append([*region, *counted])
        for number, one in enumerate(found):
            codes.append(sequence_of(phased, genome, region, one))
            rows.append([*region, number, *_described(phased, one), len(codes[-1])])
    columns = [*REGION_COLUMNS, "haplotype", "n_carriers", "carriers", "variants", "length"]
    counted = ["records", "haplotypes", *COUNT_COLUMNS, "border", "overlapping"]
    _write_sequences(codes, arrays)
    write_table(pd.DataFrame(rows, columns=columns), table)
    write_table(pd.DataFrame(qc, columns=[*REGION_COLUMNS, *counted]), counts)
    log.info("%d haplotypes of %d intervals, %d records", len(rows), len(qc), len(phased.start))


def haplotypes_of(phased: Phased, genome: Genome, region) -> tuple[list[Haplotype], list[int]]:
    """The distinct haplotypes of one region, the reference first, and what was counted.

    The counts are those of `build_haplotypes`, in its order.
    """
    (number,) = genome.indices([region.chrom])
    records = phased.records_over(number, region.start, region.end)
    within, border = _alleles_within(phased, number, region)
    carried = phased.carried[within].reshape(len(within), 2 * len(phased.samples))  # [V, 2 S]
    there = np.ones((len(phased.samples), 2), bool)
    there[:, 1] = ~phased.haploid[records].any(0)
    copies = np.flatnonzero(there.ravel())
    patterns, inverse = np.unique(carried[:, copies].T, axis=0, return_inverse=True)
    inverse, found, overlapping = inverse.ravel(), {(): []}, 0
    for row, pattern in enumerate(patterns):
        held, dropped = _apart(phased, within[pattern])
        overlapping += dropped
        found.setdefault(held, []).extend(copies[inverse == row].tolist())
    ordered = sorted(found, key=lambda held: (held != (), -len(found[held]), held))
    counts = phased.counts[records].sum(0).tolist()
    return (
        [Haplotype(held, tuple(sorted(found[held]))) for held in ordered],
        [len(records), len(found), *counts, border, overlapping],
    )


def _alleles_within(phased: Phased, chrom: int, region) -> tuple[np.ndarray, int]:
    """Numbers of the alleles that lie within a region, and the copies of those across its ends.

    An insertion is within where it has bases of the region on both sides.
    """
    numbers = phased.alleles_over(chrom, region.start, region.end)
    start, n_ref = phased.alleles.start[numbers], phased.alleles.n_ref[numbers]
    within = (start >= region.start) & (start + n_ref <= region.end)
    return numbers[within], int(phased.carried[numbers[~within]].sum())


def _apart(phased: Phased, numbers: np.ndarray) -> tuple[tuple[int, ...], int]:
    """Of the alleles on a haplotype those that overlap none before them, and how many others."""
    held, end, inserted = [], -1, -1
    for number in numbers.tolist():
        start, n_ref = int(phased.alleles.start[number]), int(phased.alleles.n_ref[number])
        if start < end or (n_ref == 0 and start == inserted):
            continue
        held.append(number)
        end = start + n_ref
        inserted = start if n_ref == 0 else -1
    return tuple(held), len(numbers) - len(held)


def sequence_of(phased: Phased, genome: Genome, region, haplotype: Haplotype) -> np.ndarray:
    """Base codes uint8 [L] of a region with the haplotype's alleles in their places."""
    own, alleles = genome.codes(region.chrom), phased.alleles
    parts, at = [], region.start
    for number in haplotype.held:
        start = int(alleles.start[number])
        parts += [own[at:start], alleles.alt[alleles.offsets[number] : alleles.offsets[number + 1]]]
        at = start + int(alleles.n_ref[number])
    return np.concatenate([*parts, own[at : region.end]])


def _described(phased: Phased, haplotype: Haplotype) -> tuple[int, str, str]:
    """How many copies carry a haplotype, which, and its variants."""
    carriers = [f"{phased.samples[copy // 2]}:{copy % 2 + 1}" for copy in haplotype.carriers]
    variants = [phased.names[number] for number in haplotype.held]
    return len(carriers), ",".join(carriers), ",".join(variants)


def _write_sequences(codes: Sequence[np.ndarray], path: str | Path) -> None:
    offsets = np.cumsum([0, *map(len, codes)], dtype=np.int64)
    together = np.concatenate([*codes, np.empty(0, np.uint8)])
    shapes = {"offsets": (offsets.shape, np.int64), "codes": (together.shape, np.uint8)}
    write_arrays(path, shapes, [offsets, together], {"rows": len(codes)})


def score_haplotypes(
    weights: str | Path,
    genome: str | Path,
    table: str | Path,
    arrays: str | Path,
    output: str | Path,
) -> None:
    """Write the table of `build_haplotypes` with the haplotypes' scores by one model.

    Columns more: score and best as `regions.score_regions` has them, difference and best_difference
    to those of the reference. Haplotypes shorter than the trained length are scored in the window
    around their middle, with the genome's bases beside the interval.
    """
    genome, model = Genome.open(genome), inference.load(weights)
    haplotypes = pd.read_csv(
        table, sep="\t", dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False
    )
    sequences, _ = read_arrays(arrays)
    if len(sequences["offsets"]) != len(haplotypes) + 1:
        raise InputError(f"{arrays}: does not belong to {table}; build the haplotypes again")
    length, turned = model.info["hyperparameters"]["length"], is_stranded(model.info)
    parts = [
        score_stretches(model, _stretches(rows, genome, *codes, length, turned))
        for rows, *codes in _batches(haplotypes, sequences)
    ]
    reference = haplotypes.groupby("interval")["haplotype"].transform("idxmin")
    for kind, name, difference in _SCORES:
        scores = np.concatenate([getattr(part, kind) for part in parts])
        haplotypes[name] = scores
        haplotypes[difference] = scores - scores[reference]
    write_table(haplotypes, output)


def _batches(haplotypes: pd.DataFrame, sequences) -> Iterator[tuple]:
    """Rows of the table with their codes, end to end, and where these begin and end."""
    offsets = np.asarray(sequences["offsets"])
    begin = 0
    while begin < len(haplotypes):
        end = max(begin + 1, int(np.searchsorted(offsets, offsets[begin] + _BASES)))
        end = min(end, begin + 4096, len(haplotypes))
        codes = np.asarray(sequences["codes"][offsets[begin] : offsets[end]])
        yield haplotypes[begin:end], codes, offsets[begin : end + 1] - offsets[begin]
        begin = end


def _stretches(rows: pd.DataFrame, genome: Genome, codes, offsets, length, turned) -> Stretches:
    """Haplotypes end to end, each with a window's length of the genome on both sides."""
    number = genome.indices(rows["chrom"])
    begins, ends = genome.offsets[number], genome.ends[number]
    flanks = np.empty((2, len(rows), length), np.uint8)
    gather(genome.flat, begins + rows["start"].to_numpy() - length, begins, ends, flanks[0])
    gather(genome.flat, begins + rows["end"].to_numpy(), begins, ends, flanks[1])
    own = [codes[a:b] for a, b in pairwise(offsets)]
    parts = zip(flanks[0], own, flanks[1], strict=True)
    last = np.cumsum(np.diff(offsets) + 2 * length)
    first = last - np.diff(offsets) - 2 * length
    return Stretches(
        np.concatenate([piece for three in parts for piece in three]),
        first,
        last,
        first + length,
        last - length,
        turned & (rows["strand"] == "-").to_numpy(bool),
    )
