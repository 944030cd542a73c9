"""Alternative alleles on a genome, and the windows of sequence that hold them."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from motifloom.bin_store import gather
from motifloom.sequences import UNKNOWN, Genome, check_codes


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
