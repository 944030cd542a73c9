"""What models say of variants as lines of text: of a VCF, of a table, of alleles left out.

A million variants by a dozen TFs are ten million rows; compiled code writes them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit

from motifloom.number_text import LONGEST, as_words, put_bytes, put_fixed, put_integer
from motifloom.vcf import ALT, INFO, REASONS, REF, AlternativeAlleles, Records

# The numbers of an allele and target, in the order of `Values.numbers`.
NUMBERS = (
    "reference",
    "alternative",
    "difference",
    "log_odds",
    "p",
    "best_reference",
    "best_alternative",
    "best_difference",
)
_AFTER_KERNEL = 5  # the first of them that stands behind the kernel's columns
_KERNEL = ("strand", "position", "kernel")
_COMMON = (*NUMBERS[:_AFTER_KERNEL], *_KERNEL)
# The parts of an entry in the VCF, and the columns of the table.
ENTRY = ("allele", "dataset", *_COMMON, *NUMBERS[_AFTER_KERNEL:-1])
TABLE = ("#chrom", "pos", "id", "ref", "alt", "dataset", *_COMMON, *NUMBERS[_AFTER_KERNEL:])
SKIPPED = ("chrom", "pos", "id", "ref", "alt", "line", "reason")
_BUFFER = 1 << 26  # bytes that rows are written into before they are handed on
_TAB, _FEED, _BAR, _COMMA, _SEMICOLON, _DOT = (ord(letter) for letter in "\t\n|,;.")


@dataclass(frozen=True)
class Lines:
    """Lines of text about the next n records or alleles.

    text:   the lines, in a buffer that the next ones overwrite
    rows:   int64 [n], rows of the records, or of the alleles among those of all entries of ALT
    starts: int64 [n + 1], where in the text the lines of each begin, and where the last ones end
    """

    text: memoryview
    rows: np.ndarray
    starts: np.ndarray


@dataclass(frozen=True)
class Values:
    """What T targets' models say of n alleles.

    numbers:  float32 [n, T, 8], those of NUMBERS; NaN where there is none
    strand:   int8 [n, T], 1, -1 or 0 for none
    position: int64 [n, T], 0-based, and kernel: int32 [n, T]; -1 for none
    """

    numbers: np.ndarray
    strand: np.ndarray
    position: np.ndarray
    kernel: np.ndarray


class Rows:
    """Writes lines about alleles; `names` [T] are the targets', `decimals` int64 [T, 8].

    A VCF's entries go under the INFO key `key`; with `replaced` what stands there already is left
    out. One object is for one thread.
    """

    def __init__(self, names: list[str], decimals: np.ndarray, key: str = "", replaced=False):
        self._words, self._decimals = as_words([_encoded(name) for name in names]), decimals
        self._key, self._replaced = as_words([f"{key}="])[0], replaced
        self._longest = max(map(len, map(_encoded, names)), default=0)
        self._buffer = np.empty(0, np.uint8)

    def vcf(self, records: Records, found: AlternativeAlleles, values: Values) -> Iterator[Lines]:
        """The records' lines, annotated."""
        offsets = np.searchsorted(found.record, np.arange(len(records) + 1))
        entries = (found.last - found.first + self._longest + (len(ENTRY) + 1) * LONGEST) * (
            found.row >= 0
        )
        sizes = np.concatenate([[0], np.cumsum(entries)])
        bounds = np.diff(sizes[offsets]) * len(self._decimals)
        bounds += records.ends - records.columns[:, 0] + len(self._key) + 8
        for first, last, out in self._chunks(bounds):
            starts = np.empty(last - first + 1, np.int64)
            _write_records(
                out, starts, first, last, records.text, records.columns, records.ends, offsets,
                found.first, found.last, found.row, self._key, self._replaced,
                *self._words, self._decimals, values.numbers, values.strand, values.position,
                values.kernel,
            )  # fmt: skip
            yield Lines(memoryview(out[: starts[-1]]), np.arange(first, last), starts)

    def table(self, records: Records, found: AlternativeAlleles, values: Values) -> Iterator[Lines]:
        """A row of TABLE for each scored allele and target."""
        scored = np.flatnonzero(found.row >= 0)
        before = (records.columns[:, ALT] - records.columns[:, 0])[found.record[scored]]
        bounds = before + (found.last - found.first)[scored] + self._longest
        bounds = (bounds + (len(TABLE) + 1) * LONGEST) * len(self._decimals)
        for first, last, out in self._chunks(bounds):
            starts = np.empty(last - first + 1, np.int64)
            _write_table(
                out, starts, scored[first:last], records.text, records.columns, found.record,
                found.first, found.last, found.row, *self._words, self._decimals, values.numbers,
                values.strand, values.position, values.kernel,
            )  # fmt: skip
            yield Lines(memoryview(out[: starts[-1]]), scored[first:last], starts)

    def skipped(self, records: Records, found: AlternativeAlleles) -> Iterator[bytes]:
        """A row of SKIPPED for each allele that is not scored."""
        left_out = np.flatnonzero(found.row < 0)
        before = (records.columns[:, ALT] - records.columns[:, 0])[found.record[left_out]]
        bounds = before + (found.last - found.first)[left_out] + LONGEST + 80
        for first, last, out in self._chunks(bounds):
            end = _write_skipped(
                out, left_out[first:last], records.text, records.columns, records.numbers,
                found.record, found.first, found.last, found.reason, *_REASON_WORDS,
            )  # fmt: skip
            yield out[:end].tobytes()

    def _chunks(self, bounds: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Runs of rows, and a buffer for each that holds their `bounds` [n] bytes."""
        sums, first = np.concatenate([[0], np.cumsum(bounds)]), 0
        while first < len(bounds):
            last = int(np.searchsorted(sums, sums[first] + _BUFFER, "right")) - 1
            last = max(last, first + 1)
            needed = int(sums[last] - sums[first])
            if len(self._buffer) < needed:
                self._buffer = np.empty(max(needed, _BUFFER), np.uint8)
            yield first, last, self._buffer
            first = last


def _encoded(name: str) -> str:
    """A name without what ends an INFO entry, in the way of section 1.2 of VCF 4.3."""
    special = "%:;=,|\t\r\n "
    return "".join(f"%{ord(letter):02X}" if letter in special else letter for letter in name)


_REASON_WORDS = as_words(["", *REASONS])
_NA, _NONE = np.frombuffer(b"NA", np.uint8), np.frombuffer(b".", np.uint8)


@njit(cache=True, nogil=True)
def _put_values(
    out, at, i, t, separator, missing, most, decimals, numbers, strand, position, kernel
):
    """The columns from reference on, the first `most` of the numbers, each behind a separator."""
    for k in range(most):
        if k == _AFTER_KERNEL:
            out[at] = separator
            at += 1
            if strand[i, t]:
                out[at] = 43 if strand[i, t] > 0 else 45  # + or -
                at += 1
            else:
                at = put_bytes(out, at, missing, 0, len(missing))
            for place in (position[i, t] + (position[i, t] >= 0), np.int64(kernel[i, t])):
                out[at] = separator
                at += 1
                if place >= 0:
                    at = put_integer(out, at, place)
                else:
                    at = put_bytes(out, at, missing, 0, len(missing))
        out[at] = separator
        at = put_fixed(out, at + 1, numbers[i, t, k], decimals[t, k], missing)
    return at


@njit(cache=True, nogil=True)
def _write_table(
    out, starts, chosen, text, columns, record, first, last, row, words, word_ends, decimals,
    numbers, strand, position, kernel,
):  # fmt: skip
    """Rows of TABLE of the alleles `chosen`, and where those of each begin."""
    at = 0
    for k in range(len(chosen)):
        a, own = chosen[k], at
        begin, end = columns[record[a], 0], columns[record[a], REF + 1]
        starts[k] = at
        at = put_bytes(out, at, text, begin, end)
        at = put_bytes(out, at, text, first[a], last[a])
        out[at] = _TAB
        at += 1
        size = at - own
        for t in range(len(decimals)):
            if t:
                at = put_bytes(out, at, out, own, own + size)
            at = put_bytes(out, at, words, word_ends[t], word_ends[t + 1])
            at = _put_values(
                out, at, row[a], t, _TAB, _NA, 8, decimals, numbers, strand, position, kernel
            )
            out[at] = _FEED
            at += 1
    starts[-1] = at


@njit(cache=True, nogil=True)
def _write_records(
    out, starts, begin, end, text, columns, ends, offsets, first, last, row, key, replaced, words,
    word_ends, decimals, numbers, strand, position, kernel,
):  # fmt: skip
    """Lines of the records from `begin` to before `end`, and where each begins."""
    at = 0
    for i in range(begin, end):
        starts[i - begin] = at
        at = put_bytes(out, at, text, columns[i, 0], columns[i, INFO])
        info = at
        at = _put_info(out, at, text, columns[i, INFO], columns[i, INFO + 1] - 1, key, replaced)
        is_first = True
        for a in range(offsets[i], offsets[i + 1]):
            if row[a] < 0:
                continue
            for t in range(len(decimals)):
                if is_first:
                    if at > info and out[at - 1] != _SEMICOLON:
                        out[at] = _SEMICOLON
                        at += 1
                    at = put_bytes(out, at, key, 0, len(key))
                else:
                    out[at] = _COMMA
                    at += 1
                is_first = False
                at = put_bytes(out, at, text, first[a], last[a])
                out[at] = _BAR
                at = put_bytes(out, at + 1, words, word_ends[t], word_ends[t + 1])
                at = _put_values(
                    out, at, row[a], t, _BAR, _NONE, 7, decimals, numbers, strand, position, kernel
                )
        if at == info:
            out[at] = _DOT
            at += 1
        at = put_bytes(out, at, text, columns[i, INFO + 1] - 1, ends[i])
        out[at] = _FEED
        at += 1
    starts[-1] = at


@njit(cache=True, nogil=True)
def _put_info(out, at, text, first, last, key, replaced):
    """What a record's INFO holds: nothing for ".", and nothing of a key that is replaced."""
    if last - first == 1 and text[first] == _DOT:
        return at
    if not replaced:
        return put_bytes(out, at, text, first, last)
    start, begin = at, first
    for b in range(first, last + 1):
        if b < last and text[b] != _SEMICOLON:
            continue
        ours = _is_key(text, begin, b, key)
        if not ours:
            if at > start:
                out[at] = _SEMICOLON
                at += 1
            at = put_bytes(out, at, text, begin, b)
        begin = b + 1
    return at


@njit(cache=True, nogil=True)
def _is_key(text, first, last, key):
    """Whether an INFO entry is that of a key, which ends in "=" itself."""
    size = len(key) - 1
    if last - first < size or (last - first > size and text[first + size] != key[size]):
        return False
    same = True
    for k in range(size):
        same = same and text[first + k] == key[k]
    return same


@njit(cache=True, nogil=True)
def _write_skipped(
    out, chosen, text, columns, numbers, record, first, last, reason, words, word_ends
):
    """Rows of SKIPPED of the alleles `chosen`; the bytes written."""
    at = 0
    for a in chosen:
        at = put_bytes(out, at, text, columns[record[a], 0], columns[record[a], REF + 1])
        at = put_bytes(out, at, text, first[a], last[a])
        out[at] = _TAB
        at = put_integer(out, at + 1, numbers[record[a]])
        out[at] = _TAB
        at = put_bytes(out, at + 1, words, word_ends[reason[a]], word_ends[reason[a] + 1])
        out[at] = _FEED
        at += 1
    return at
