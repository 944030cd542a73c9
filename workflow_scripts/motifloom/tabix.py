"""Indices for blocked tables by place, made while these are written.

The format is tabix's (https://samtools.github.io/hts-specs/tabix.pdf, Li 2011, Bioinformatics 27,
718-719). htslib makes one too, but has to unpack and read the whole file for it, which takes longer
than writing the rows did.
"""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numba import njit

from motifloom import bgzf

# Columns of chromosome, begin and end, from 1; format: 0 a table, 2 a VCF; positions count from 1.
TABLE = (0, 1, 2, 2)
VCF = (2, 1, 2, 0)
MOST = 1 << 29  # bases that its bins cover
_SHIFTS, _FIRST = (14, 17, 20, 23, 26), (4681, 585, 73, 9, 1)
_STATISTICS = 37450  # bin that holds a chromosome's first and last byte and number of lines


class Index:
    """The index of a file under way, whose lines are sorted by chromosome and begin."""

    def __init__(self):
        self._names: list[str] = []
        self._chunks: list[list[np.ndarray]] = []  # of each chromosome: rows bin, first, last
        self._windows: list[np.ndarray] = []  # of each: the first byte of a line in every 16 kb
        self._lines: list[int] = []

    def add(
        self, name: str, begins: np.ndarray, ends: np.ndarray, first: np.ndarray, last: np.ndarray
    ) -> None:
        """Add n lines of one chromosome, all int64 [n].

        begins and ends are 0-based and half-open, first and last the bytes, in the unpacked file,
        where a line begins and the next one does. Lines of other places may not lie between them.
        """
        if not len(begins):
            return
        if not self._names or self._names[-1] != name:
            self._names.append(name)
            self._chunks.append([])
            self._windows.append(np.empty(0, np.int64))
            self._lines.append(0)
        bins = bins_of(begins, ends)
        runs = np.flatnonzero(np.diff(bins, prepend=-1))
        until = np.append(runs[1:], len(bins)) - 1
        self._chunks[-1].append(np.stack([bins[runs], first[runs], last[until]], axis=1))
        wanted = int((ends.max() - 1) >> _SHIFTS[0]) + 1
        grown = np.full(max(wanted, len(self._windows[-1])), -1)
        grown[: len(self._windows[-1])] = self._windows[-1]
        _mark(grown, begins, ends, first)
        self._windows[-1] = grown
        self._lines[-1] += len(begins)

    def write(self, path: str | Path, columns: Sequence[int], blocks: np.ndarray) -> None:
        """Write the index; `blocks` int64: where the packed file's blocks begin, its end's too."""
        names = b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in self._names)
        head = struct.pack("<8i", len(self._names), *columns, ord("#"), 0, len(names))
        parts = [b"TBI\1", head, names]
        for chunks, windows, lines in zip(self._chunks, self._windows, self._lines, strict=True):
            parts += _chromosome(np.concatenate(chunks), windows, lines, blocks)
        with bgzf.writing(path, 1) as stream:
            stream.write(b"".join([*parts, struct.pack("<Q", 0)]))


def bins_of(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The smallest bin that holds each interval, int64 [n] (SAM specification, section 5.3)."""
    last = ends - 1
    inside = [begins >> shift == last >> shift for shift in _SHIFTS]
    numbers = [first + (begins >> shift) for first, shift in zip(_FIRST, _SHIFTS, strict=True)]
    return np.select(inside, numbers, 0)


def _chromosome(chunks: np.ndarray, windows: np.ndarray, lines: int, blocks) -> list[bytes]:
    """A chromosome's part of the index."""
    # Chunks that follow each other are one, however the lines were added.
    new = np.append(True, (np.diff(chunks[:, 0]) != 0) | (chunks[1:, 1] != chunks[:-1, 2]))
    runs = np.flatnonzero(new)
    chunks = np.column_stack([chunks[runs, :2], chunks[np.append(runs[1:], len(chunks)) - 1, 2]])
    places = _virtual(chunks[:, 1:], blocks)
    parts, order = [], np.argsort(chunks[:, 0], kind="stable")
    bins, starts = np.unique(chunks[order, 0], return_index=True)
    for number, rows in zip(bins.tolist(), np.split(order, starts[1:]), strict=True):
        parts += [struct.pack("<Ii", number, len(rows)), places[rows].tobytes()]
    ends = (int(places[0, 0]), int(places[-1, 1]), lines, 0)
    parts.append(struct.pack("<Ii4Q", _STATISTICS, 2, *ends))
    # Where no line lies, nothing before the last one's needs to be looked at.
    filled = np.maximum.accumulate(np.where(windows < 0, chunks[0, 1], windows))
    count = struct.pack("<i", len(bins) + 1)
    return [count, *parts, struct.pack("<i", len(filled)), _virtual(filled, blocks).tobytes()]


def _virtual(places: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Places in the unpacked file as the format has them, uint64: the block's begin, and in it."""
    number, within = np.divmod(places, bgzf.BLOCK)
    return ((blocks[number] << 16) | within).astype("<u8")


@njit(cache=True, nogil=True)
def _mark(windows, begins, ends, first):
    """Note in every window that a line reaches into where the first such line begins."""
    for i in range(len(begins)):
        for w in range(begins[i] >> 14, ((ends[i] - 1) >> 14) + 1):
            if windows[w] < 0:
                windows[w] = first[i]
