"""Random variants that match given ones: what a variant's score changes by if it hits anywhere.

Each is one of the given alleles moved to a random place of the genome. A change of one base, or of
several for as many, goes where the same three bases stand around its first one, since how often
bases change, and into which, depends on their neighbours (Alexandrov et al. 2013, Nature 500,
415-421). An insertion keeps its bases, a deletion its length.
"""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit

from motifloom.alleles import Alleles
from motifloom.sequences import UNKNOWN, Genome

log = logging.getLogger(__name__)

# Variants are compared with those of their own class.
CLASSES = ("substitutions", "indels")
_TRIES = 10_000  # places looked at for one variant; of human CG dinucleotides 1 in 100 is one


def class_of(alleles: Alleles) -> np.ndarray:
    """Index in CLASSES, int64 [n]: whether the number of bases changes."""
    return (alleles.n_ref != alleles.n_alt).astype(np.int64)


class Sample:
    """Up to `size` alleles of each class, drawn at random from as many as are shown.

    Which these are depends on the seed and the alleles' order, not on how they are cut into parts.
    Each allele gets a random key, and those with the lowest are kept.
    """

    def __init__(self, size: int, seed: int):
        self._size, self._random = size, np.random.default_rng([seed, 0])
        self._kept = [(np.empty(0), None) for _ in CLASSES]

    def add(self, alleles: Alleles) -> None:
        """Show some more alleles."""
        keys, classes = self._random.random(len(alleles)), class_of(alleles)
        for number, (kept_keys, kept) in enumerate(self._kept):
            rows = np.flatnonzero(classes == number)
            rows = rows[np.argsort(keys[rows], kind="stable")[: self._size]]
            parts = [alleles.take(rows)] if kept is None else [kept, alleles.take(rows)]
            together, all_keys = joined(parts), np.concatenate([kept_keys, keys[rows]])
            best = np.argsort(all_keys, kind="stable")[: self._size]
            self._kept[number] = (all_keys[best], together.take(best))

    def drawn(self) -> list[Alleles]:
        """The alleles of each class, in random order."""
        none = _no_alleles()
        return [none if kept is None else kept for _, kept in self._kept]


def _no_alleles() -> Alleles:
    none = np.empty(0, np.int64)
    return Alleles(none.astype(np.int32), none, none.astype(np.int32), none.astype(np.uint8),
                   np.zeros(1, np.int64))  # fmt: skip


def joined(parts: Iterable[Alleles]) -> Alleles:
    """Alleles one after the other."""
    parts = [_no_alleles(), *parts]
    sizes = np.concatenate([part.n_alt for part in parts])
    columns = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("chrom", "start", "n_ref", "alt")
    )
    return Alleles(*columns, np.concatenate([[0], np.cumsum(sizes)]))


def moved(
    genome: Genome, alleles: Alleles, size: int, ignored: Sequence[str], seed: int
) -> Alleles:
    """`size` alleles at random places of a genome, matched with those given, each as often.

    Not on the chromosomes `ignored`, and with a known base at either side and none unknown in what
    is replaced. Those for which no place is found are left out, all of them where there is none.
    """
    if not len(alleles):
        return alleles
    rows = np.resize(np.arange(len(alleles)), size)
    wanted = alleles.take(rows)
    open_to = np.flatnonzero([name not in set(ignored) for name in genome.names])
    ends = np.cumsum(genome.ends[open_to] - genome.offsets[open_to])
    chrom, start = np.full(size, -1, np.int32), np.empty(size, np.int64)
    if len(open_to):
        alike = class_of(wanted) == CLASSES.index("substitutions")
        _move(
            genome.flat, genome.offsets, genome.ends, open_to, ends, wanted.chrom, wanted.start,
            wanted.n_ref, wanted.alt, wanted.offsets, alike, np.random.default_rng([seed, 1]),
            chrom, start,
        )  # fmt: skip
    placed = np.flatnonzero(chrom >= 0)
    if len(placed) < size:
        log.info("for %d of %d random variants no place was found", size - len(placed), size)
    whole = Alleles(chrom, start, wanted.n_ref, wanted.alt, wanted.offsets)
    return whole.take(placed)


@njit(cache=True, nogil=True)
def _move(
    flat, begins, ends, open_to, cumulative, chrom, start, n_ref, alt, offsets, alike, random,
    new_chrom, new_start,
):  # fmt: skip
    """Fill `new_chrom` and `new_start` [n]; what finds no place keeps its -1.

    open_to: chromosomes, and the cumulative sums of their lengths.
    """
    context = np.empty(3, np.uint8)
    for i in range(len(start)):
        number = chrom[i]
        for k in range(3):
            place = begins[number] + start[i] + k - 1
            inside = begins[number] <= place < ends[number]
            context[k] = flat[place] if inside else UNKNOWN
        last = alt[offsets[i + 1] - 1] if offsets[i + 1] > offsets[i] else np.uint8(UNKNOWN)
        for _ in range(_TRIES):
            at = np.int64(random.random() * cumulative[-1])
            which = np.searchsorted(cumulative, at, "right")
            number = open_to[which]
            place = ends[number] - (cumulative[which] - at)
            if place < begins[number] + 1 or place + n_ref[i] + 1 > ends[number]:
                continue
            if alike[i] and not _fits(flat, place, n_ref[i], context, last):
                continue
            known = True
            for b in range(place - 1, place + n_ref[i] + 1):
                if flat[b] >= UNKNOWN:
                    known = False
                    break
            if known:
                new_chrom[i], new_start[i] = number, place - begins[number]
                break


@njit(cache=True, nogil=True)
def _fits(flat, place, n_ref, context, last):
    """Whether a substitution's neighbours are alike, and its last base another than there."""
    for k in range(3):
        if context[k] < UNKNOWN and flat[place + k - 1] != context[k]:
            return False
    return flat[place + n_ref - 1] != last
