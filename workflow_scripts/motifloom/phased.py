"""Phased genotypes of a VCF or BCF file: which alleles each chromosome copy of a sample carries.

The formats are those of the VCF specification, versions 4.1 to 4.4
(https://samtools.github.io/hts-specs/).
"""

import os
import re
import shutil
import tempfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.alleles import Alleles, alleles_at
from motifloom.files import InputError, check_readable, open_text
from motifloom.readers import refuse_spelling
from motifloom.sequences import Genome

_GENOTYPE = re.compile(r"[|/]?(\d+|\.)(?:([|/])(\d+|\.))?")
_LETTERS = re.compile(r"[ACGTN]+", re.IGNORECASE)
_MISSING, _NO_COPY = -1, -2


@dataclass(frozen=True)
class Phased:
    """R records of phased genotypes of S samples, and the n alternative alleles that are carried.

    Both are in the order of their chromosomes and starts.

    samples: names
    chrom:   int64 [R], chromosome's number in the genome
    start:   int64 [R], 0-based first base of REF; end int64 [R], behind its last
    counts:  int64 [R, 3], genotypes that are heterozygous and not phased, copies without a called
             allele, copies of alleles that no letters are given of (<DEL>, breakends); all of them
             are taken for the reference
    haploid: bool [R, S], whether the sample has one copy only
    alleles: `Alleles` [n]; of equal starts insertions first, then in the file's order
    names:   of the n alleles, chromosome:position:REF:ALT as the file has them
    carried: bool [n, S, 2], whether a sample's copy carries the allele
    """

    samples: Sequence[str]
    chrom: np.ndarray
    start: np.ndarray
    end: np.ndarray
    counts: np.ndarray
    haploid: np.ndarray
    alleles: Alleles
    names: Sequence[str]
    carried: np.ndarray

    def records_over(self, chrom: int, start: int, end: int) -> np.ndarray:
        """Numbers of the records that overlap an interval, ascending."""
        return _over(self.chrom, self.start, self.end, chrom, start, end)

    def alleles_over(self, chrom: int, start: int, end: int) -> np.ndarray:
        """Numbers of the alleles that overlap an interval or insert bases in it, ascending."""
        own = self.alleles
        return _over(own.chrom, own.start, own.start + own.n_ref, chrom, start, end)


def _over(chroms, starts, ends, chrom, start, end) -> np.ndarray:
    """Numbers of the intervals [n], in order, that overlap one, or lie in it without a base."""
    first, last = np.searchsorted(chroms, [chrom, chrom + 1])
    longest = int((ends - starts).max(initial=0))
    first, last = first + np.searchsorted(starts[first:last], [start - longest, end])
    there = (ends[first:last] > start) & (starts[first:last] < end)
    return first + np.flatnonzero(there)


def read_phased(
    path: str | Path, genome: Genome, regions: pd.DataFrame, aliases: Mapping[str, str]
) -> Phased:
    """The records of a VCF or BCF that overlap regions (columns chrom, start, end).

    Plain, gzip or bgzip; with an index beside it (.tbi, .csi) only those records are read. Names of
    chromosomes may be `aliases` (alias -> name). Raises InputError for files that are none or
    damaged, have no samples or genotypes, name the genome's chromosomes otherwise, or have another
    REF than the genome; and for more than two copies of a chromosome.
    """
    spans = _spans(regions)
    records, variants, names, carried = [], [], [], []
    with _opened(path) as file:
        samples = list(file.header.samples)
        if not samples:
            raise InputError(f"{path}: has no samples; haplotypes need phased genotypes")
        naming = _Naming(path, genome, aliases)
        for chrom, record in _overlapping(file, spans, naming):
            fields = str(record).rstrip("\n").split("\t")
            where = f"{path}: record {record.chrom}:{record.pos}"
            copies, counts = _copies(fields, where)
            for number, alt in enumerate(record.alts or (), 1):
                holds = copies == number
                if not holds.any() or alt == "*" or alt.upper() == record.ref.upper():
                    continue  # '*' stands for a deletion that has a record of its own
                if not _LETTERS.fullmatch(alt):
                    counts[2] += holds.sum()
                    continue
                variants.append((chrom, record.pos, record.ref, alt))
                names.append(f"{record.chrom}:{record.pos}:{record.ref}:{alt}")
                carried.append(holds)
            single = (copies == _NO_COPY)[:, 1]
            records.append((chrom, record.start, record.stop, counts, single))
    try:
        alleles = alleles_at(genome, variants)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return _sorted(samples, genome, records, alleles, names, carried)


def _sorted(samples, genome, records, alleles, names, carried) -> Phased:
    chroms, starts, ends, counts, single = zip(*records, strict=True) if records else [()] * 5
    chroms, starts, n = genome.indices(chroms), np.array(starts, np.int64), len(samples)
    rows = np.lexsort([starts, chroms])
    order = np.lexsort([alleles.n_ref > 0, alleles.start, alleles.chrom])
    return Phased(
        samples,
        chroms[rows],
        starts[rows],
        np.array(ends, np.int64)[rows],
        np.array(counts, np.int64).reshape(-1, 3)[rows],
        np.array(single, bool).reshape(-1, n)[rows],
        alleles.take(order),
        [names[row] for row in order],
        np.array(carried, bool).reshape(-1, n, 2)[order],
    )


@contextmanager
def _opened(path: str | Path) -> Iterator:
    """A variant file opened by pysam; what it finds wrong while it is read becomes a sentence."""
    import pysam  # not for jobs that read no variants

    check_readable(path)
    # Its own warnings, of contigs that the header lacks and the like, are of no use to a job's log.
    former = pysam.set_verbosity(0)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="motifloom-") as folder,
            pysam.VariantFile(os.fspath(_unpacked(path, folder))) as file,
        ):
            yield file
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: is no sound VCF or BCF file ({error}); bcftools view tells where"
        ) from error
    finally:
        pysam.set_verbosity(former)


def _unpacked(path: str | Path, folder: str) -> Path:
    """The file itself, or its content where it is plain gzip, which pysam does not read."""
    with open(path, "rb") as stream:
        head = stream.read(14)
    if head[:2] != b"\x1f\x8b" or head[12:14] == b"BC":  # BGZF's mark (SAM specification, 4.1)
        return Path(path)
    plain = Path(folder) / "variants.vcf"
    with open_text(path) as source, open(plain, "w", encoding="utf-8", newline="\n") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return plain


class _Naming:
    """A file's names of chromosomes -> the genome's, "" for those that it lacks."""

    def __init__(self, path: str | Path, genome: Genome, aliases: Mapping[str, str]):
        self.path, self.genome, self.aliases = path, genome, aliases
        self.known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        if name not in self.known:
            self.known[name] = self._find(name)
        return self.known[name]

    def _find(self, name: str) -> str:
        lengths = self.genome.lengths
        found = name if name in lengths else self.aliases.get(name, name)
        if found in lengths:
            return found
        refuse_spelling(found, lengths, str(self.path))
        return ""


def _spans(regions: pd.DataFrame) -> dict[str, list[tuple[int, int]]]:
    """Chromosome -> what its regions cover together, ascending and apart."""
    spans: dict[str, list[tuple[int, int]]] = {}
    ordered = regions.sort_values(["chrom", "start", "end"])
    for chrom, start, end in zip(ordered.chrom, ordered.start, ordered.end, strict=True):
        known = spans.setdefault(chrom, [])
        if known and start <= known[-1][1]:
            known[-1] = known[-1][0], max(end, known[-1][1])
        else:
            known.append((start, end))
    return spans


def _overlapping(file, spans, naming: _Naming) -> Iterator[tuple]:
    """(chromosome, record) of every record that overlaps one of the spans, each once."""
    if file.index is None or not len(file.header.contigs):
        yield from _filtered(file, spans, naming)
        return
    for name in file.header.contigs:
        # Headers may list chromosomes, by whatever names, that no record is on.
        if not _has_records(file, name):
            continue
        before = -1
        for start, end in spans.get(chrom := naming(name), []):
            for record in file.fetch(name, max(start - 1, 0), end + 1):
                # One that reaches over from an earlier span came with that.
                if record.start >= before:
                    yield chrom, record
            before = end + 1


def _has_records(file, name: str) -> bool:
    try:
        return next(file.fetch(name), None) is not None
    except ValueError:  # the index does not know it
        return False


def _filtered(file, spans, naming: _Naming) -> Iterator[tuple]:
    """The same of all records of a file without an index."""
    starts = {chrom: [start for start, _ in known] for chrom, known in spans.items()}
    for record in file:
        chrom = naming(record.chrom)
        if chrom not in spans:
            continue
        # The last span that begins before the record ends; one more base for insertions.
        at = bisect_right(starts[chrom], record.stop) - 1
        if at >= 0 and spans[chrom][at][1] >= record.start:
            yield chrom, record


def _copies(fields: Sequence[str], where: str) -> tuple[np.ndarray, list[int]]:
    """Number of the allele on each copy, int16 [S, 2], and `Phased.counts` of a record's fields."""
    if len(fields) < 10 or fields[8].partition(":")[0] != "GT":
        raise InputError(f"{where} has no genotypes (GT); haplotypes need them of every record")
    texts = [field.partition(":")[0] for field in fields[9:]]
    rows, distinct = pd.factorize(np.array(texts, object))
    parsed = [_parse(text) for text in distinct]
    if None in parsed:
        text = distinct[parsed.index(None)]
        raise InputError(f"{where} has the genotype {text!r}; one or two copies are read")
    times = np.bincount(rows, minlength=len(distinct))
    unphased = np.array([one[2] for one in parsed])
    copies = np.array([one[:2] for one in parsed], np.int16)[rows]
    counts = [int(times[unphased].sum()), int((copies == _MISSING).sum()), 0]
    return copies, counts


@lru_cache(maxsize=4096)
def _parse(genotype: str) -> tuple[int, int, bool] | None:
    """The alleles of both copies, and whether it is unknown which is which; None for others.

    Where that is unknown both are taken for the reference, 0.
    """
    found = _GENOTYPE.fullmatch(genotype)
    if not found:
        return None
    first, mark, second = found.groups()
    if genotype == ".":
        second = "."  # of how many copies is not said
    one, two = (
        _NO_COPY if text is None else _MISSING if text == "." else int(text)
        for text in (first, second)
    )
    if mark == "/" and one != two:
        return 0, 0, True
    return one, two, False
