"""The rows of a table of variants with the strongest effects, kept while the table is written.

A million alleles by a dozen TFs are ten million rows; a reader first wants the few at their head.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.files import write_table
from motifloom.variant_rows import NUMBERS, TABLE, Lines, Values

MOST = 100  # rows of each target
_SHOWN = 40  # letters of an id or an allele that are kept; a variant may have 100,000
_CUT = [TABLE.index(name) for name in ("id", "ref", "alt")]
_KEY = ("p", "size", "order", "target", "row")
_BEFORE = -1  # the row of what an earlier batch brought
_P, _DIFFERENCE = NUMBERS.index("p"), NUMBERS.index("difference")


class Strongest:
    """The `most` strongest rows of each of T targets, out of all batches of a table.

    Stronger is a lower p, then a larger difference in units of its target's `scales`
    (float64 [T]), then what comes first in the table. Without p-values differences decide. Rows
    without a difference are left out. What is held does not grow with the table.
    """

    def __init__(self, scales: Sequence[float], most: int = MOST):
        self._scales, self._most = np.asarray(scales, np.float64), most
        # p, minus the difference's size, number of the allele, target, row of the batch.
        self._kept = {name: np.empty(0, np.float64) for name in _KEY[:2]}
        self._kept |= {name: np.empty(0, np.int64) for name in _KEY[2:]}
        self._texts = np.empty(0, object)
        self._n = 0

    def passing(self, parts: Iterator[Lines], values: Values) -> Iterator[Lines]:
        """The lines of a batch's table (`variant_rows.Rows.table`), noted as they pass."""
        self._choose(values)
        first = 0
        for part in parts:
            self._note(part, first)
            first += len(part.rows)
            yield part
        self._n += len(values.numbers)
        self._kept["row"][:] = _BEFORE

    def write(self, path: str | Path) -> None:
        """Write the rows kept as a table, the strongest first; without "#" in its header."""
        chosen = np.lexsort([self._kept[name] for name in ("target", "order", "size", "p")])
        columns = [name.removeprefix("#") for name in TABLE]
        rows = [self._texts[row].decode("utf-8", "replace").split("\t") for row in chosen]
        write_table(pd.DataFrame(rows, columns=columns, dtype=str), path)

    def _choose(self, values: Values) -> None:
        """Bring a batch's numbers in, and let go what is no longer among the strongest."""
        sizes = -np.abs(values.numbers[..., _DIFFERENCE]) / self._scales
        p = values.numbers[..., _P].astype(np.float64)
        p[np.isnan(p)] = 1.0
        rows, targets = np.nonzero(self._may_enter(p, sizes))
        new = (p[rows, targets], sizes[rows, targets], self._n + rows, targets, rows)
        for name, array in zip(_KEY, new, strict=True):
            self._kept[name] = np.concatenate([self._kept[name], array])
        self._texts = np.concatenate([self._texts, np.full(len(rows), None, object)])
        order = np.lexsort([self._kept[name] for name in ("order", "size", "p", "target")])
        starts = np.searchsorted(self._kept["target"][order], np.arange(len(self._scales)))
        ranks = np.arange(len(order)) - starts[self._kept["target"][order]]
        order = order[ranks < self._most]
        self._kept = {name: array[order] for name, array in self._kept.items()}
        self._texts = self._texts[order]

    def _may_enter(self, p: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """Which of a batch's rows, bool [n, T], are not behind the weakest that is kept."""
        worst_p, worst_size = np.full((2, len(self._scales)), np.inf)
        counts = np.bincount(self._kept["target"], minlength=len(self._scales))
        full = counts >= self._most
        last = np.cumsum(counts)[full] - 1  # targets stand together, their weakest last
        worst_p[full], worst_size[full] = self._kept["p"][last], self._kept["size"][last]
        enters = (p < worst_p) | ((p == worst_p) & (sizes < worst_size))
        return enters & ~np.isnan(sizes)

    def _note(self, part: Lines, first: int) -> None:
        """Take the rows kept out of lines, which tell of a batch's rows from `first` on."""
        own = self._kept["row"]
        here = np.flatnonzero((own >= first) & (own < first + len(part.rows)))
        here = here[np.argsort(own[here], kind="stable")]
        alleles, starts = np.unique(own[here] - first, return_index=True)
        for allele, kept in zip(alleles, np.split(here, starts[1:]), strict=False):
            text = bytes(part.text[part.starts[allele] : part.starts[allele + 1]])
            lines = text.split(b"\n")
            for row in kept:
                self._texts[row] = _shortened(lines[self._kept["target"][row]])


def _shortened(line: bytes) -> bytes:
    """A line of the table with long ids and alleles cut."""
    cells = line.split(b"\t")
    for column in _CUT:
        if len(cells[column]) > _SHOWN:
            cells[column] = cells[column][:_SHOWN] + b"...[%d]" % len(cells[column])
    return b"\t".join(cells)
