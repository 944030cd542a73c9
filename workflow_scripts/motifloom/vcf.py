"""Variant files in: records of VCF and BCF as blocks of text, and the alleles in them.

VCF is https://samtools.github.io/hts-specs/VCFv4.4.pdf. Records stay the bytes that they are, since
what is written again must be what was read; compiled code finds the columns and alleles in them.
A BCF is turned into text by htslib, through pysam.
"""

import gzip
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
from numba import njit

from motifloom import bgzf
from motifloom.alleles import Alleles
from motifloom.files import InputError, check_readable, is_gzip
from motifloom.readers import refuse_spelling, some_names
from motifloom.sequences import UNKNOWN, Genome, check_codes

COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
CHROM, POS, ID, REF, ALT, INFO = 0, 1, 2, 3, 4, 7
LONGEST = 100_000  # bases of REF or ALT that are looked at
# Why an allele is not scored, by number from 1; 0 is one that is.
REASONS = (
    "chromosome not in the genome",
    "beyond the chromosome's ends",
    "symbolic allele",
    "breakend",
    "allele missing or spanning deletion (. or *)",
    "letters other than A, C, G, T, N",
    f"allele longer than {LONGEST} bases",
    "N in REF or in the genome there",
    "REF differs from the genome",
    "ALT is REF",
)
(
    _ELSEWHERE, _BEYOND, _SYMBOLIC, _BREAKEND, _MISSING, _LETTERS, _LONG, _UNSURE, MISMATCH, _SAME,
) = range(1, len(REASONS) + 1)  # fmt: skip
TYPES = ("SNV", "MNV", "insertion", "deletion", "complex")
_MOST_POSITION = (1 << 29) - 1  # that tabix's .tbi reaches
_READ = 1 << 22
_LONGEST_LINE = 1 << 26
_OTHER = 255
_SEMICOLON = ord(";")


def _letter_codes() -> np.ndarray:
    table = np.full(256, _OTHER, np.uint8)
    for code, letter in enumerate("ACGTN"):
        table[[ord(letter), ord(letter.lower())]] = code
    return table


_CODES = _letter_codes()


@dataclass(frozen=True)
class Header:
    """The lines of a VCF's header, without their ends; the last one names the columns."""

    lines: list[str]

    @property
    def n_columns(self) -> int:
        """Columns of every record, 8 without samples."""
        return self.lines[-1].count("\t") + 1

    @property
    def version(self) -> tuple[int, int]:
        """The version of VCF that it is in."""
        major, minor = re.search(r"v(\d+)\.(\d+)", self.lines[0]).groups()
        return int(major), int(minor)

    def has_info(self, key: str) -> bool:
        """Whether an INFO key is described."""
        return any(line.startswith(f"##INFO=<ID={key},") for line in self.lines)

    def with_info(self, key: str, line: str) -> "Header":
        """The header with one more line before the columns, in place of those of an INFO key."""
        kept = [one for one in self.lines if not one.startswith(f"##INFO=<ID={key},")]
        return Header([*kept[:-1], line, kept[-1]])


@dataclass(frozen=True)
class Records:
    """n records in a row, as text.

    text:    uint8, lines end to end, each with its line feed
    columns: int64 [n, 9], where in `text` the eight fixed columns begin, and the byte behind INFO
             and what separates it
    ends:    int64 [n], where lines end
    pos:     int64 [n], 1-based
    chrom:   int32 [n], chromosome's number in the genome, -1 where it lacks it
    numbers: int64 [n], line (of a BCF record) in the file, 1-based
    runs:    chromosomes as the file names them, each with its first row and the one behind its last
    """

    text: np.ndarray
    columns: np.ndarray
    ends: np.ndarray
    pos: np.ndarray
    chrom: np.ndarray
    numbers: np.ndarray
    runs: list[tuple[str, int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.pos)

    def field(self, row: int, column: int) -> str:
        """One of the fixed columns of a record."""
        first, last = self.columns[row, column], self.columns[row, column + 1] - 1
        return self.text[first:last].tobytes().decode("utf-8", "replace")


@dataclass(frozen=True)
class AlternativeAlleles:
    """The m entries of ALT of some records, in order, and those n that can be scored.

    record:  int64 [m], row of `Records`
    first, last: int64 [m], where ALT's entry begins and ends in the records' text
    reason:  uint8 [m], 0 or number in REASONS, from 1, why it is not scored
    row:     int64 [m], row in `alleles`, -1 where it is not scored
    kind:    uint8 [n], index in TYPES
    alleles: what the scored ones do to the genome, ends that REF and ALT share left out
    """

    record: np.ndarray
    first: np.ndarray
    last: np.ndarray
    reason: np.ndarray
    row: np.ndarray
    kind: np.ndarray
    alleles: Alleles


@dataclass
class _Order:
    """What of the records so far tells whether the next ones are in order."""

    chrom: bytes = b""
    number: int = -1
    pos: int = 0
    seen: dict[bytes, int] = field(default_factory=dict)


class VariantFile:
    """A VCF or BCF, plain, gzip or bgzip, read in pieces; it is opened anew by each reading.

    Raises InputError for files that are missing, damaged, cut short or no VCF of version 4.
    """

    def __init__(self, path: str | Path):
        self.path = path
        check_readable(path)
        if is_gzip(path) and bgzf.is_blocked(path) and not bgzf.is_whole(path):
            raise InputError(
                f"{path}: the compressed file is cut short (its last block is missing); fetch or"
                " make it again"
            )
        with _unpacked(path) as stream:
            start = stream.read(5)
        self.is_bcf = start.startswith(b"BCF")
        if not self.is_bcf and not start.startswith((b"##fil", b"\xef\xbb\xbf##")):
            raise InputError(
                f"{path}: is no VCF (its first line is not ##fileformat=VCFv4.x); give a VCF or BCF"
                " with its header"
            )
        with self._opened() as (lines, _):
            self.header = Header(lines)

    def records(
        self, genome: Genome, aliases: dict[str, str], most: int = 65536
    ) -> Iterator[Records]:
        """The records in order, at most so many at a time.

        `aliases` (alias -> name) name chromosomes as the genome does. Raises InputError for records
        that are damaged or unsorted, whose chromosome is plainly another spelling of one of the
        genome's, or beyond what tabix can index, and where no chromosome is one of the genome's.
        """
        order, known, number = _Order(), False, 1 if self.is_bcf else len(self.header.lines) + 1
        with self._opened() as (_, blocks):
            for text in blocks:
                starts, ends, numbers = _lines(text, number)
                number += int((text == ord("\n")).sum())
                for first in range(0, len(starts), most):
                    part = slice(first, first + most)
                    found = self._parsed(text, starts[part], ends[part], numbers[part])
                    self._name(found, genome, aliases, order)
                    known = known or bool((found.chrom >= 0).any())
                    yield found
        if order.seen and not known:
            names = [name.decode("utf-8", "replace") for name in order.seen]
            raise InputError(
                f"{self.path}: no record is on a chromosome of the genome: the file has"
                f" {some_names(names)}, the genome {some_names(genome.names)}; is this the right"
                " genome assembly? if only names differ, give both in the table of genome:"
                " chromosome_aliases"
            )

    @contextmanager
    def _opened(self) -> Iterator[tuple[list[str], Iterable[np.ndarray]]]:
        """The header's lines, and what follows as blocks of whole lines, uint8."""
        with _turned(self.path):
            if self.is_bcf:
                with _bcf(self.path) as (header, records):
                    yield _checked(header.splitlines(), self.path), _joined(records)
            else:
                with _unpacked(self.path) as stream:
                    yield _header_lines(stream, self.path), _blocks(stream, self.path)

    def _parsed(self, text, starts, ends, numbers) -> Records:
        """Records of lines, their chromosomes not named yet."""
        n = len(starts)
        columns, pos = np.empty((n, 9), np.int64), np.empty(n, np.int64)
        row, fault = _find_columns(text, starts, ends, self.header.n_columns, columns, pos)
        found = Records(text, columns, ends, pos, np.full(n, -1, np.int32), numbers)
        if fault == 1:
            count = text[starts[row] : ends[row]].tobytes().count(b"\t") + 1
            self.fail(
                numbers[row],
                f"has {count} columns separated by tabs where the header has"
                f" {self.header.n_columns}; is the file damaged?",
            )
        if fault == 2:
            self.fail(numbers[row], f"POS is {found.field(row, POS)!r}; give a whole number")
        if fault == 4:
            self.fail(numbers[row], "holds a byte that is no text; is the file damaged?")
        if fault == 3:
            self.fail(numbers[row], "CHROM, REF, ALT or INFO is empty; write . for what is missing")
        return found

    def _name(self, found: Records, genome: Genome, aliases, order: _Order) -> None:
        """Number the records' chromosomes in place, and refuse those out of order."""
        if not len(found):
            return
        changes = np.flatnonzero(_new_chromosomes(found.text, found.columns))
        for first, last in itertools.pairwise([*changes.tolist(), len(found)]):
            name = found.text[found.columns[first, 0] : found.columns[first, 1] - 1].tobytes()
            if name != order.chrom:
                self._begin(name, int(found.numbers[first]), genome, aliases, order)
            pos = found.pos[first:last]
            back = np.flatnonzero(np.diff(pos, prepend=order.pos) < 0)
            if len(back):
                self._unsorted(found.numbers[first + back[0]], "its position is before the last's")
            if pos[-1] > _MOST_POSITION:
                self.fail(
                    found.numbers[last - 1],
                    f"position {pos[-1]} is beyond {_MOST_POSITION}, where a tabix index ends;"
                    " take such records out",
                )
            order.pos = int(pos[-1])
            found.runs.append((name.decode("utf-8", "surrogateescape"), first, last))
            found.chrom[first:last] = order.number

    def _begin(self, name: bytes, number: int, genome, aliases, order: _Order) -> None:
        """Take up the records of the next chromosome."""
        text = name.decode("utf-8", "replace")
        if name in order.seen:
            self._unsorted(
                number,
                f"chromosome {text!r} was there before, from {self._at(order.seen[name])} on",
            )
        own = text if text in genome.lengths else aliases.get(text, text)
        order.seen[name], order.chrom, order.pos = number, name, 0
        order.number = genome.names.index(own) if own in genome.lengths else -1
        if order.number < 0:
            refuse_spelling(own, genome.lengths, f"{self.path}, {self._at(number)}")

    def _unsorted(self, number: int, what: str) -> NoReturn:
        self.fail(number, f"{what}; sort the file (bcftools sort)")

    def _at(self, number: int) -> str:
        return f"{'record' if self.is_bcf else 'line'} {number}"

    def fail(self, number: int, what: str) -> NoReturn:
        """Raise InputError about one line or record."""
        raise InputError(f"{self.path}, {self._at(number)}: {what}")


@contextmanager
def _turned(path: str | Path) -> Iterator[None]:
    """Turn errors of decompression and of htslib into sentences."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the compressed file is damaged or cut short ({error}); fetch it again"
        ) from error


@contextmanager
def _unpacked(path: str | Path) -> Iterator[IO[bytes]]:
    with _turned(path), gzip.open(path) if is_gzip(path) else open(path, "rb") as stream:
        yield stream


@contextmanager
def _bcf(path: str | Path):
    """The header's text of a BCF, and its records."""
    import pysam  # not for jobs that read text

    loud = pysam.set_verbosity(0)  # what is wrong is said once, below
    try:
        with pysam.VariantFile(str(path)) as source:
            yield str(source.header), source
    except (OSError, ValueError, MemoryError, OverflowError, NotImplementedError) as error:
        raise InputError(
            f"{path}: the BCF is damaged or cut short ({error}); make it again"
        ) from error
    finally:
        pysam.set_verbosity(loud)


def _joined(records: Iterable, most: int = 4096) -> Iterator[np.ndarray]:
    """Blocks of lines, uint8, of pysam's records."""
    records = iter(records)
    while lines := [str(record) for record in itertools.islice(records, most)]:
        yield np.frombuffer("".join(lines).encode(), np.uint8)


def _header_lines(stream: IO[bytes], path: str | Path) -> list[str]:
    """Read a header up to the line of the columns."""
    lines = []
    while line := stream.readline(_LONGEST_LINE):
        if not line.startswith((b"#", b"\xef\xbb\xbf#")):
            break
        lines.append(line.rstrip(b"\r\n").decode("utf-8-sig", "surrogateescape"))
        if line.startswith(b"#CHROM"):
            break
    return _checked(lines, path)


def _checked(lines: list[str], path: str | Path) -> list[str]:
    """A header's lines, without fault."""
    version = lines[0].partition("=")[2] if lines else ""
    if not re.fullmatch(r"VCFv4\.\d+", version.strip()):
        raise InputError(
            f"{path}: its first line is not ##fileformat=VCFv4.x but has version {version!r};"
            " convert it (bcftools view)"
        )
    if any("\0" in line for line in lines):
        raise InputError(f"{path}: its header holds a byte that is no text; is the file damaged?")
    columns = lines[-1].split("\t")
    if tuple(columns[: len(COLUMNS)]) != COLUMNS:
        raise InputError(
            f"{path}: the header does not end in a line {'<tab>'.join(COLUMNS)}; mend the header"
        )
    return lines


def _blocks(stream: IO[bytes], path: str | Path) -> Iterator[np.ndarray]:
    """What is left of a stream as blocks of whole lines, uint8, each line ended by a line feed."""
    parts, size = [], 0  # of a line whose end is not read yet
    while block := stream.read(_READ):
        whole = block.rfind(b"\n") + 1
        if whole:
            yield _as_lines(b"".join([*parts, block[:whole]]))
            parts, size = [], 0
        parts.append(block[whole:])
        size += len(block) - whole
        if size > _LONGEST_LINE:
            raise InputError(f"{path}: has a line of more than {_LONGEST_LINE} bytes; is it a VCF?")
    if size:
        yield _as_lines(b"".join([*parts, b"\n"]))


def _as_lines(text: bytes) -> np.ndarray:
    return np.frombuffer(text.replace(b"\r\n", b"\n") if b"\r" in text else text, np.uint8)


def _lines(text: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Begins, ends and numbers, int64 [n], of the lines that are not blank, the first `number`."""
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    filled = np.flatnonzero(ends > starts)
    return starts[filled], ends[filled], number + filled


@njit(cache=True, nogil=True)
def _find_columns(text, starts, ends, n_columns, columns, pos):
    """Fill `columns` [n, 9] and `pos` [n]; the first row at fault and its fault, or n and 0.

    Faults: 1 another number of columns, 2 POS is no number, 3 an empty column, 4 a zero byte.
    """
    for i in range(len(starts)):
        n = 1
        columns[i, 0] = starts[i]
        for b in range(starts[i], ends[i]):
            if text[b] == 9:
                if n <= 8:
                    columns[i, n] = b + 1
                n += 1
            elif text[b] == 0:
                return i, 4
        if n != n_columns:
            return i, 1
        if n == 8:
            columns[i, 8] = ends[i] + 1
        for column in (0, 3, 4, 7):
            if columns[i, column + 1] - columns[i, column] < 2:
                return i, 3
        first, last = columns[i, 1], columns[i, 2] - 1
        if not 0 < last - first <= 18:
            return i, 2
        pos[i] = 0
        for b in range(first, last):
            if not 48 <= text[b] <= 57:
                return i, 2
            pos[i] = 10 * pos[i] + (text[b] - 48)
    return len(starts), 0


@njit(cache=True, nogil=True)
def _new_chromosomes(text, columns):
    """Whether the chromosome is another than the row's before, bool [n]; True of the first."""
    new = np.ones(len(columns), np.bool_)
    for i in range(1, len(columns)):
        first, size = columns[i, 0], columns[i, 1] - columns[i, 0]
        before = columns[i - 1, 0]
        if size == columns[i - 1, 1] - before:
            same = True
            for b in range(size):
                same = same and text[first + b] == text[before + b]
            new[i] = not same
    return new


def spans_of(records: Records) -> tuple[np.ndarray, np.ndarray]:
    """The bases that an index files records under: 0-based begins and ends, int64 [n] each.

    At least one base, that behind the chromosome's begin for position 0, up to the end of REF, to
    INFO's END and as far as SVLEN says, whichever is last.
    """
    begins, ends = np.empty(len(records), np.int64), np.empty(len(records), np.int64)
    _find_spans(records.text, records.columns, records.pos, _END, _SVLEN, begins, ends)
    return begins, ends


_END, _SVLEN = (np.frombuffer(key, np.uint8) for key in (b"END=", b"SVLEN="))


@njit(cache=True, nogil=True)
def _find_spans(text, columns, pos, end_key, length_key, begins, ends):
    """Fill `begins` and `ends`."""
    for i in range(len(pos)):
        begin = max(pos[i] - 1, 0)
        end = begin + columns[i, REF + 1] - 1 - columns[i, REF]
        last, is_start = columns[i, INFO + 1] - 1, True
        for b in range(columns[i, INFO], last):
            if is_start and (text[b] == end_key[0] or text[b] == length_key[0]):
                end = max(end, _largest(text, b, last, end_key))
                end = max(end, begin + _largest(text, b, last, length_key))
            is_start = text[b] == _SEMICOLON
        begins[i], ends[i] = begin, min(end, _MOST_POSITION + 1)


@njit(cache=True, nogil=True)
def _largest(text, first, last, key):
    """The largest of the whole numbers, signs aside, that INFO has under a key; 0 for none."""
    for k in range(len(key)):
        if first + k >= last or text[first + k] != key[k]:
            return 0
    largest = value = 0
    for b in range(first + len(key), last):
        if text[b] == _SEMICOLON:
            break
        is_digit = 48 <= text[b] <= 57
        value = min(10 * value + text[b] - 48, _MOST_POSITION + 1) if is_digit else 0
        largest = max(largest, value)
    return largest


def find_alleles(records: Records, genome: Genome) -> AlternativeAlleles:
    """The alternative alleles of records, and which of them can be scored, or why not.

    Letters of any case count alike. What REF and ALT share is left out, first at their ends, then
    at their beginnings.
    """
    text, columns = records.text, records.columns
    counts = _count_alleles(text, columns)
    record = np.repeat(np.arange(len(records)), counts)
    m = len(record)
    first, last, change = np.empty(m, np.int64), np.empty(m, np.int64), np.empty((m, 4), np.int64)
    reason = np.empty(m, np.uint8)
    _find_alleles(
        text, columns, records.pos, records.chrom, genome.flat, genome.offsets, genome.ends,
        _CODES, first, last, change, reason,
    )  # fmt: skip
    scored = np.flatnonzero(reason == 0)
    row = np.full(m, -1)
    row[scored] = np.arange(len(scored))
    start, n_ref, begin, end = change[scored].T
    sizes = end - begin
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(begin - offsets[:-1], sizes) + np.arange(offsets[-1])
    chrom = records.chrom[record[scored]]
    alt = check_codes(_CODES[text[places]])
    alleles = Alleles(chrom, start, n_ref.astype(np.int32), alt, offsets)
    return AlternativeAlleles(record, first, last, reason, row, types_of(alleles), alleles)


def types_of(alleles: Alleles) -> np.ndarray:
    """What alleles do to the genome, uint8 [n], indices in TYPES."""
    removed, added = alleles.n_ref, alleles.n_alt
    conditions = [(removed == 1) & (added == 1), removed == added, removed == 0, added == 0]
    return np.select(conditions, [0, 1, 2, 3], 4).astype(np.uint8)


@njit(cache=True, nogil=True)
def _count_alleles(text, columns):
    """Entries of ALT, int64 [n]."""
    counts = np.ones(len(columns), np.int64)
    for i in range(len(columns)):
        for b in range(columns[i, ALT], columns[i, ALT + 1] - 1):
            counts[i] += text[b] == 44
    return counts


@njit(cache=True, nogil=True)
def _find_alleles(
    text, columns, pos, chrom, flat, begins, ends, codes, first, last, change, reason
):
    """Fill, for every entry of ALT, where it is, `change` (start, n_ref, alt's ends) and reason."""
    m = 0
    for i in range(len(pos)):
        ref, ref_end = columns[i, REF], columns[i, REF + 1] - 1
        fault = _reference_fault(text, ref, ref_end, pos[i], chrom[i], flat, begins, ends, codes)
        begin, column_end = columns[i, ALT], columns[i, ALT + 1] - 1
        for b in range(begin, column_end + 1):
            if b < column_end and text[b] != 44:
                continue
            first[m], last[m] = begin, b
            why = fault
            if fault == 0 or fault > _BEYOND:
                own = _allele_fault(text, begin, b, codes)
                why = own if own else fault
            if why == 0:
                shared_end, shared = _shared(text, ref, ref_end, begin, b, codes)
                change[m, 0] = pos[i] - 1 + shared
                change[m, 1] = ref_end - ref - shared - shared_end
                change[m, 2], change[m, 3] = begin + shared, b - shared_end
                if change[m, 1] == 0 and change[m, 2] == change[m, 3]:
                    why = _SAME
            reason[m] = why
            m, begin = m + 1, b + 1


@njit(cache=True, nogil=True)
def _reference_fault(text, first, last, pos, chrom, flat, begins, ends, codes):
    """The reason why no allele of a record can be scored, or 0."""
    if chrom < 0:
        return _ELSEWHERE
    place = begins[chrom] + pos - 1
    if pos < 1 or place + (last - first) > ends[chrom]:
        return _BEYOND
    if last - first > LONGEST:
        return _LONG
    unsure = differs = False
    for b in range(first, last):
        code, own = codes[text[b]], flat[place + b - first]
        if code == _OTHER:
            return _LETTERS
        unsure |= code == UNKNOWN or own >= UNKNOWN
        differs |= code != own
    return _UNSURE if unsure else MISMATCH if differs else 0


@njit(cache=True, nogil=True)
def _allele_fault(text, first, last, codes):
    """The reason why an entry of ALT can never be scored, or 0."""
    if last - first == 1 and (text[first] == 46 or text[first] == 42):  # . and *
        return _MISSING
    if last > first and text[first] == 60:  # <
        return _SYMBOLIC
    other = last == first
    for b in range(first, last):
        if text[b] == 91 or text[b] == 93 or text[b] == 46:  # [ ] .
            return _BREAKEND
        other |= codes[text[b]] == _OTHER
    return _LETTERS if other else _LONG if last - first > LONGEST else 0


@njit(cache=True, nogil=True)
def _shared(text, ref, ref_end, alt, alt_end, codes):
    """Bases that REF and ALT share at their ends and, in what is left, at their beginnings."""
    most, at_end, at_start = min(ref_end - ref, alt_end - alt), 0, 0
    while at_end < most and codes[text[ref_end - 1 - at_end]] == codes[text[alt_end - 1 - at_end]]:
        at_end += 1
    while at_start < most - at_end and codes[text[ref + at_start]] == codes[text[alt + at_start]]:
        at_start += 1
    return at_end, at_start
