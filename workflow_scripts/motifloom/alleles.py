"""Alternative alleles on a genome, and the windows of sequence that hold them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit

from motifloom.bin_store import gather
from motifloom.files import InputError
from motifloom.sequences import UNKNOWN, Genome, check_codes, decode, encode

_FURTHEST = 10_000  # bases that an insertion or deletion is moved along a repeat


@dataclass(frozen=True)
class Alleles:
    """n alternative alleles: each replaces some bases of a genome's forward strand by others.

    chrom:   int32 [n], chromosome's number in the genome
    start:   int64 [n], 0-based first base replaced; of an insertion the base behind it
    n_ref:   int32 [n], bases replaced, 0 for an insertion
    alt:     uint8, base codes of all alternative alleles end to end
    offsets: int64 [n + 1], where in `alt` each one begins and ends

    What both alleles share at their ends is best left out (`trimmed`).
    """

    chrom: np.ndarray
    start: np.ndarray
    n_ref: np.ndarray
    alt: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    @property
    def n_alt(self) -> np.ndarray:
        """Bases put in their place, int64 [n]."""
        return np.diff(self.offsets)

    def take(self, rows: np.ndarray) -> "Alleles":
        """Some of the alleles, by row numbers int [m]."""
        rows = np.asarray(rows, np.int64)
        sizes = self.n_alt[rows]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        places = np.repeat(self.offsets[rows] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return Alleles(
            self.chrom[rows], self.start[rows], self.n_ref[rows], self.alt[places], offsets
        )


def window_starts(alleles: Alleles, length: int, shift: int = 0) -> np.ndarray:
    """First bases, int64 [n], of windows of `length` with the first changed base in the middle.

    That is base `length // 2` of the window; `shift` moves the window along the chromosome. Both
    alleles' windows begin at the same base.
    """
    return alleles.start - length // 2 + shift


def reference_windows(genome: Genome, alleles: Alleles, length: int, shift: int = 0) -> np.ndarray:
    """Base codes, uint8 [n, length], of the genome around every allele.

    What lies beyond a chromosome's ends reads as N.
    """
    codes = np.empty((len(alleles), length), np.uint8)
    begins, ends = genome.offsets[alleles.chrom], genome.ends[alleles.chrom]
    gather(genome.flat, begins + window_starts(alleles, length, shift), begins, ends, codes)
    return check_codes(codes)


def alternative_windows(
    genome: Genome, alleles: Alleles, length: int, shift: int = 0
) -> np.ndarray:
    """Base codes, uint8 [n, length], of the genome with every allele in its place.

    A window begins where the reference's does, so that bases behind an insertion move out of it
    and bases behind a deletion into it. With a shift so large that the window begins behind the
    change, it begins so many bases behind it as it would before.
    """
    codes = np.empty((len(alleles), length), np.uint8)
    begins, ends = genome.offsets[alleles.chrom], genome.ends[alleles.chrom]
    middle = length // 2 - shift
    _splice(
        genome.flat, begins + alleles.start, begins, ends, alleles.n_ref, alleles.alt,
        alleles.offsets, middle, codes,
    )  # fmt: skip
    return check_codes(codes)


def left_aligned(genome: Genome, alleles: Alleles) -> Alleles:
    """The same changes, each insertion and deletion as far to the left as it may stand.

    In a repeat one change can be written in several places (Tan, Abecasis & Kang 2015,
    Bioinformatics 31:2202), which would be scored in different windows. Alleles that replace bases
    by others stay as they are, and so do all without what they share (`trimmed`) at their ends.

    >>> genome = Genome(["chr1"], [8], encode("GCAAAAAT"))
    >>> one = Alleles(*map(np.array, ([0], [6], [1], [], [0, 0])))
    >>> left_aligned(genome, one).start.tolist()
    [2]
    """
    start, alt = alleles.start.copy(), alleles.alt.copy()
    _align(genome.flat, genome.offsets, alleles.chrom, start, alleles.n_ref, alt, alleles.offsets)
    return Alleles(alleles.chrom, start, alleles.n_ref, alt, alleles.offsets)


@njit(cache=True, nogil=True)
def _align(flat, begins, chrom, start, n_ref, alt, offsets):
    """Move starts [n], and turn the bases put there in `alt`, in place."""
    for i in range(len(start)):
        first, last = offsets[i], offsets[i + 1]
        if (n_ref[i] > 0) == (last > first):
            continue
        begin, moved = begins[chrom[i]], 0
        while start[i] > 0 and moved < _FURTHEST:
            before = flat[begin + start[i] - 1]
            if last > first:
                # After so many steps the inserted bases have been turned by as many.
                end = alt[last - 1 - moved % (last - first)]
            else:
                end = flat[begin + start[i] + n_ref[i] - 1]
            if before != end or before >= UNKNOWN:
                break
            start[i] -= 1
            moved += 1
        if last > first and moved % (last - first):
            turn = moved % (last - first)
            turned = np.concatenate((alt[last - turn : last], alt[first : last - turn]))
            alt[first:last] = turned


@njit(cache=True, nogil=True)
def _splice(flat, start, begins, ends, n_ref, alt, offsets, middle, codes):
    """Write haplotypes to `codes` [n, L]: the allele of row i begins at base `middle`.

    start, begins, ends: first base replaced, and the chromosome's first and last, in `flat`.
    """
    length = codes.shape[1]
    for i in range(len(start)):
        inserted = offsets[i + 1] - offsets[i]
        moved = np.int64(n_ref[i]) - inserted
        for b in range(length):
            at = b - middle
            if 0 <= at < inserted:
                codes[i, b] = alt[offsets[i] + at]
                continue
            place = start[i] + at + (moved if at >= inserted else 0)
            inside = begins[i] <= place < ends[i]
            codes[i, b] = flat[place] if inside else np.uint8(UNKNOWN)


def alleles_at(genome: Genome, variants: Iterable[tuple[str, int, str, str]]) -> Alleles:
    """Alleles of variants as VCF writes them: chromosome, position from 1, REF and ALT.

    REF and ALT hold the letters A, C, G, T and N; bases that they share at their ends are left
    out. Raises InputError, naming the variant, for an unknown chromosome, bases beyond its end,
    other letters, a REF that is not the genome's and an ALT that changes nothing.

    >>> genome = Genome(["chr1"], [8], encode("ACGTTTGA"))
    >>> found = alleles_at(genome, [("chr1", 2, "C", "G"), ("chr1", 4, "TT", "T")])
    >>> found.start.tolist(), found.n_ref.tolist(), found.n_alt.tolist()
    ([1, 4], [1, 1], [1, 0])
    """
    variants = list(variants)
    numbers = genome.indices([chrom for chrom, *_ in variants]).astype(np.int32)
    starts, n_ref, alts = [], [], []
    for number, (chrom, position, ref, alt) in zip(numbers, variants, strict=True):
        where = f"variant {chrom}:{position} {ref}>{alt}"
        _check_reference(genome, number, position, ref, alt, where)
        if ref.upper() == alt.upper():
            raise InputError(f"{where}: changes nothing; give other bases as ALT")
        first, last = trimmed(ref.upper(), alt.upper())
        starts.append(position - 1 + first)
        n_ref.append(len(ref) - first - last)
        alts.append(alt[first : len(alt) - last])
    offsets = np.cumsum([0, *map(len, alts)], dtype=np.int64)
    return Alleles(
        numbers, np.array(starts, np.int64), np.array(n_ref, np.int32), encode("".join(alts)),
        offsets,
    )  # fmt: skip


def trimmed(ref: str, alt: str) -> tuple[int, int]:
    """Bases that two alleles share at their beginning and at their end; the end is taken first.

    >>> trimmed("CAAG", "CAG")
    (1, 2)
    """
    shortest, last, first = min(len(ref), len(alt)), 0, 0
    while last < shortest and ref[-1 - last] == alt[-1 - last]:
        last += 1
    while first < shortest - last and ref[first] == alt[first]:
        first += 1
    return first, last


def _check_reference(genome, number, position, ref, alt, where) -> None:
    """Refuse a variant whose letters or bases are not such, or not the genome's."""
    if not isinstance(position, int | np.integer) or position < 1:
        raise InputError(f"{where}: its position is no whole number from 1, as VCF counts")
    for name, letters in (("REF", ref), ("ALT", alt)):
        if not letters or set(letters.upper()) - set("ACGTN"):
            raise InputError(f"{where}: {name} is {letters!r}; give letters of A, C, G, T and N")
    begin = genome.offsets[number] + position - 1
    if begin + len(ref) > genome.ends[number]:
        length = genome.ends[number] - genome.offsets[number]
        raise InputError(
            f"{where}: reaches past the end of the chromosome ({length} bp); is this the right"
            " genome assembly?"
        )
    own = genome.flat[begin : begin + len(ref)]
    if not np.array_equal(own, encode(ref)):
        raise InputError(
            f"{where}: the genome has {decode(own)} there; is this the right genome assembly?"
            " positions count from 1"
        )
