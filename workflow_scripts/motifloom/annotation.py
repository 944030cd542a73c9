"""Variant files annotated with what they do to binding: a VCF and a table, each with an index.

The file is read twice: once to check all of it and to draw random variants like its own, once to
score and write. What is in memory does not grow with it.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from numba import njit
from tqdm import tqdm

from motifloom import bgzf, calibration, inference, null_variants, tabix
from motifloom.alleles import Alleles
from motifloom.counts import Counts
from motifloom.files import InputError, atomic, write_table
from motifloom.readers import read_aliases
from motifloom.sequences import Genome
from motifloom.threads import n_threads
from motifloom.variant_rows import ENTRY, NUMBERS, SKIPPED, TABLE, Lines, Rows, Values
from motifloom.variants import Effects, VariantScorer
from motifloom.vcf import (
    MISMATCH,
    REASONS,
    TYPES,
    AlternativeAlleles,
    Records,
    VariantFile,
    find_alleles,
    spans_of,
)

log = logging.getLogger(__name__)

OUTPUTS = ("vcf", "vcf_index", "table", "table_index", "skipped", "summary")
_MOST_RECORDS = 65536
_MOST_VALUES = 1 << 20  # alleles times targets that are held at a time
_DIGITS = 4  # decimals of a logit; of scores as many behind the first digit of their spread
_P_DIGITS = 6
_LOG_SECONDS = 60.0
MakeScorer = Callable[[Sequence, Genome, Sequence[int]], VariantScorer]


@dataclass(frozen=True)
class Target:
    """One thing that a model scores: a dataset's name, and how its scores are read.

    `fitted` is the map from scores to probabilities, "logit" of scores that are log-odds already,
    or None where there is none; `decimals` are those that its scores are written with.
    """

    name: str
    fitted: Mapping | str | None
    decimals: int

    def log_odds(self, scores: np.ndarray) -> np.ndarray:
        """Log-odds of being bound, float64 [n], of scores [n]; NaN where they are not known."""
        if self.fitted is None:
            return np.full(len(scores), np.nan)
        if self.fitted == "logit":
            return scores.astype(np.float64)
        return calibration.log_odds(self.fitted, scores)


def annotate_variants(
    variants: str | Path,
    genome: str | Path,
    weights: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    *,
    model: str,
    calibrations: Mapping[str, str | Path],
    aliases: str | Path | None = None,
    ignored: Sequence[str] = (),
    shifts: Sequence[int] = (),
    n_null: int = 10_000,
    mismatches: str = "skip",
    seed: int = 1,
    make_scorer: MakeScorer = VariantScorer,
    most_records: int = _MOST_RECORDS,
) -> None:
    """Score both alleles of all variants of a VCF or BCF with the models of one preset.

    `weights` maps datasets to weights, a multi-task network's from "multitask"; `calibrations` maps
    datasets to calibration.json. `outputs` maps to paths: those of OUTPUTS. `n_null` random
    variants of each class are scored too, for p-values (none: NA), away from the chromosomes
    `ignored`. With `mismatches` "error" a REF that the genome lacks ends the job, otherwise its
    alleles are skipped. `most_records` are held at a time; it changes no output.

    Raises InputError as `vcf.VariantFile` does, and for models and calibrations that do not fit.
    """
    opened, source = Genome.open(genome), VariantFile(variants)
    models = {name: inference.load(path) for name, path in weights.items()}
    targets = _targets(models, calibrations, model)
    batch = max(1, min(most_records, _MOST_VALUES // len(targets)))
    read = _Reader(source, opened, read_aliases(aliases) if aliases else {}, batch)
    counts, sample = _survey(read, null_variants.Sample(n_null, seed), mismatches)
    # p-values are of windows that are not moved.
    centred = _Scorers(list(models.values()), opened, (), make_scorer)
    null = _null_differences(opened, sample, n_null, ignored, seed, centred, batch, counts)
    scorer = _Scorers(list(models.values()), opened, shifts, make_scorer) if shifts else centred
    key = info_key(model)
    decimals = _decimals(targets)
    names = [target.name for target in targets]
    with ExitStack() as stack:
        paths = {name: stack.enter_context(atomic(outputs[name])) for name in OUTPUTS}
        with _Writers(paths, source.header, names, decimals, key, model) as writers:
            n = counts.lines[0][1]
            for records, found in _shown(_ahead(read.batches()), n):
                scored = scorer.score(found.alleles)
                values = _values(scored, targets, null, null_variants.class_of(found.alleles))
                writers.write(records, found, values)
        write_table(counts.frame(), paths["summary"])


def info_key(model: str) -> str:
    """The INFO key of a preset's annotations."""
    return "MOTIFLOOM_" + "".join(letter if letter.isalnum() else "_" for letter in model)


def _targets(models: Mapping, calibrations: Mapping, preset: str) -> list[Target]:
    """All models' targets, in order."""
    found = []
    for name, model in models.items():
        info = model.info
        spread = float(info.get("target_scale", 1.0))
        decimals = int(np.clip(_DIGITS - np.floor(np.log10(spread)), 1, 12))
        if name == "multitask":
            found += [Target(one, "logit", decimals) for one in info["targets"]]
            continue
        fitted = None
        if info["labels"] == "binary" and name in calibrations:
            fitted = calibration.read_maps(calibrations[name])["models"].get(preset)
        found.append(Target(name, fitted, decimals))
    if not found:
        raise InputError(f"{preset}: there is no model to score variants with")
    return found


def _decimals(targets: Sequence[Target]) -> np.ndarray:
    """Decimals of every target's numbers, int64 [T, 8]."""
    fixed = {"log_odds": _DIGITS, "p": _P_DIGITS}
    rows = [[fixed.get(name, target.decimals) for name in NUMBERS] for target in targets]
    return np.array(rows, np.int64)


@dataclass(frozen=True)
class _Reader:
    """A variant file on a genome, batch after batch, as often as asked for."""

    source: VariantFile
    genome: Genome
    aliases: Mapping[str, str]
    size: int

    def batches(self) -> Iterator[tuple[Records, AlternativeAlleles]]:
        for records in self.source.records(self.genome, dict(self.aliases), self.size):
            yield records, find_alleles(records, self.genome)


def _survey(read: _Reader, sample, mismatches: str) -> tuple[Counts, list[Alleles]]:
    """Check and count the whole file, and draw some of its alleles."""
    n_records, reasons = 0, np.zeros(len(REASONS) + 1, np.int64)
    kinds = np.zeros(len(TYPES), np.int64)
    for records, found in read.batches():
        wrong = np.flatnonzero(found.reason == MISMATCH)
        if len(wrong) and mismatches == "error":
            _refuse_mismatch(read, records, int(found.record[wrong[0]]))
        n_records += len(records)
        reasons += np.bincount(found.reason, minlength=len(reasons))
        kinds += np.bincount(found.kind, minlength=len(kinds))
        sample.add(found.alleles)
    counts = Counts()
    counts.add("records", n_records)
    counts.add("alternative alleles", reasons.sum())
    counts.add("scored", reasons[0])
    for kind, count in zip(TYPES, kinds, strict=True):
        counts.add(f"scored: {kind}", count)
    for reason, count in zip(REASONS, reasons[1:], strict=True):
        counts.add(f"skipped: {reason}", count)
    return counts, sample.drawn()


def _refuse_mismatch(read: _Reader, records: Records, row: int) -> None:
    ref, pos = records.field(row, 3), int(records.pos[row])
    codes = read.genome.codes(read.genome.names[records.chrom[row]])[pos - 1 : pos - 1 + len(ref)]
    letters = "".join("ACGTN"[code] for code in codes[:50])
    read.source.fail(
        int(records.numbers[row]),
        f"REF is {ref[:50]!r}, but the genome has {letters!r} at {records.field(row, 0)}:{pos}; is"
        " this the right genome assembly? to skip such alleles set variants: mismatches: skip",
    )


def _null_differences(
    genome: Genome, drawn: Sequence[Alleles], size: int, ignored, seed: int, scorer, batch: int,
    counts: Counts,
) -> list[np.ndarray]:  # fmt: skip
    """Sizes of the score's changes by random variants of each class: float32 [T, n], rising."""
    found = []
    for name, alleles in zip(null_variants.CLASSES, drawn, strict=True):
        random = null_variants.moved(genome, alleles, size, ignored, seed)
        counts.add(f"random variants: {name}", len(random))
        starts = range(0, max(len(random), 1), batch)
        parts = [
            scorer.score(random.take(np.arange(first, min(first + batch, len(random))))).difference
            for first in starts
        ]
        found.append(np.sort(np.abs(np.concatenate(parts)).T, axis=1))
    return found


class _Scorers:
    """Scores models together, each with those shifts that leave the variant in its window."""

    def __init__(self, models: Sequence, genome: Genome, shifts: Sequence[int], make: MakeScorer):
        self._groups: dict[tuple[int, ...], list[int]] = {}
        for number, model in enumerate(models):
            half = model.info["hyperparameters"]["length"] // 2
            fitting = tuple(shift for shift in shifts if 0 < abs(shift) < half)
            self._groups.setdefault(fitting, []).append(number)
        self._scorers = [
            make([models[number] for number in numbers], genome, (0, *fitting))
            for fitting, numbers in self._groups.items()
        ]
        sizes = [len(model.info["targets"]) for model in models]
        columns = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
        own = [columns[number] for numbers in self._groups.values() for number in numbers]
        self._order = np.argsort(np.concatenate(own))  # of columns as scored, those of the models

    def score(self, alleles: Alleles) -> Effects:
        """What all models say of n alleles, targets in the models' order."""
        parts = [scorer.score(alleles) for scorer in self._scorers]
        if len(parts) == 1:
            return parts[0]
        arrays = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts], axis=1)
            for field in fields(Effects)
        }
        return Effects(**{name: array[:, self._order] for name, array in arrays.items()})


def _values(
    effects: Effects, targets: Sequence[Target], null: Sequence[np.ndarray], classes: np.ndarray
) -> Values:
    """What is written of n alleles."""
    before, after = effects.reference, effects.alternative
    columns = {
        "reference": before,
        "alternative": after,
        "difference": effects.difference,
        "best_reference": effects.reference_best,
        "best_alternative": effects.alternative_best,
        "best_difference": effects.best_difference,
    }
    numbers = np.empty((*before.shape, len(NUMBERS)), np.float32)
    for name, column in columns.items():
        numbers[..., NUMBERS.index(name)] = column
    for t, target in enumerate(targets):
        change = target.log_odds(after[:, t]) - target.log_odds(before[:, t])
        numbers[:, t, NUMBERS.index("log_odds")] = change
    p = numbers[..., NUMBERS.index("p")]
    empirical_p(np.ascontiguousarray(columns["difference"]), classes, *null, p)
    return Values(numbers, effects.strand, effects.position, effects.kernel)


@njit(cache=True, nogil=True)
def empirical_p(differences, classes, substitutions, indels, p):
    """Fill `p` [n, T]: two-sided p-values of changes of the score, float32 [n, T].

    p = (1 + b) / (1 + m), with b of m random variants changing it at least as much (Phipson &
    Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9, 39). Those of an allele's class [n], int64, are
    float32 [T, m], absolute and rising. NaN where there are none.
    """
    for i in range(differences.shape[0]):
        null = indels if classes[i] else substitutions
        m = null.shape[1]
        for t in range(differences.shape[1]):
            size = abs(differences[i, t])
            if m == 0 or np.isnan(size):
                p[i, t] = np.nan
            else:
                p[i, t] = (1 + m - np.searchsorted(null[t], size)) / (1 + m)


def _ahead(items: Iterator) -> Iterator:
    """The items of an iterator, each made while the one before is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, items, end)
            yield item


def _shown(batches: Iterator, total: int) -> Iterator:
    """Batches, with a bar on a terminal and a line a minute in the log."""
    done, said = 0, time.monotonic()
    with tqdm(total=total, desc="variants", unit="record", disable=None) as bar:
        for records, found in batches:
            yield records, found
            done += len(records)
            bar.update(len(records))
            if time.monotonic() - said >= _LOG_SECONDS:
                said = time.monotonic()
                log.info("record %d of %d", done, total)


class _Writers:
    """The three files of lines under way, each written by a thread of its own."""

    def __init__(self, paths, header, names, decimals, key: str, model: str):
        self._paths, self._header, self._key, self._model = paths, header, key, model
        replaced = header.has_info(key)
        self._rows = [Rows(names, decimals, key, replaced) for _ in range(3)]
        self._indices = (tabix.Index(), tabix.Index())
        self._waiting: list[Future] = []

    def __enter__(self) -> "_Writers":
        with ExitStack() as stack:
            self._pools = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3)]
            threads = n_threads()
            self._vcf = stack.enter_context(bgzf.writing(self._paths["vcf"], threads))
            self._table = stack.enter_context(bgzf.writing(self._paths["table"], threads))
            self._skipped = stack.enter_context(open(self._paths["skipped"], "wb"))
            header = self._header.with_info(self._key, info_line(self._key, self._model))
            text = "\n".join(header.lines) + "\n"
            self._vcf.write(text.encode("utf-8", "surrogateescape"))
            self._table.write(("\t".join(TABLE) + "\n").encode())
            self._skipped.write(("\t".join(SKIPPED) + "\n").encode())
            self._stack = stack.pop_all()
        return self

    def write(self, records: Records, found: AlternativeAlleles, values: Values) -> None:
        """Write a batch, when the one before is written."""
        self._wait()
        (vcf, table, skipped), (vcf_index, table_index) = self._rows, self._indices
        begins, ends = spans_of(records)
        of_all, of_scored = np.arange(len(records)), found.record
        lines = vcf.vcf(records, found, values), table.table(records, found, values)
        tasks = (
            partial(_write_indexed, self._vcf, vcf_index, lines[0], of_all, records, begins, ends),
            partial(
                _write_indexed, self._table, table_index, lines[1], of_scored, records, begins,
                begins + 1,
            ),
            partial(self._skipped.writelines, skipped.skipped(records, found)),
        )  # fmt: skip
        self._waiting = [pool.submit(task) for pool, task in zip(self._pools, tasks, strict=True)]

    def _wait(self) -> None:
        for one in self._waiting:
            one.result()
        self._waiting = []

    def __exit__(self, *failure) -> None:
        with self._stack:
            wait(self._waiting)  # before their files are closed
            if failure[0] is None:
                self._wait()
        if failure[0] is None:
            self._write_indices()

    def _write_indices(self) -> None:
        vcf_index, table_index = self._indices
        table_index.write(self._paths["table_index"], tabix.TABLE, self._table.blocks)
        if self._header.version < (4, 5):
            vcf_index.write(self._paths["vcf_index"], tabix.VCF, self._vcf.blocks)
        else:
            # From 4.5 on samples may say how far a record reaches.
            import pysam

            index = str(self._paths["vcf_index"])
            pysam.tabix_index(str(self._paths["vcf"]), preset="vcf", index=index, force=True)


def _write_indexed(
    stream, index: tabix.Index, parts: Iterator[Lines], record, records: Records, begins, ends
) -> None:
    """Write lines and note where they are, `record` [rows] being their rows of `records`."""
    for part in parts:
        rows, starts = record[part.rows], stream.written + part.starts
        for name, first, last in records.runs:
            a, b = np.searchsorted(rows, [first, last])
            own = rows[a:b]
            index.add(name, begins[own], ends[own], starts[a:b], starts[a + 1 : b + 1])
        stream.write(part.text)


def info_line(key: str, model: str) -> str:
    """The header's line about a preset's annotations; the names are told as bcftools reads them."""
    return (
        f'##INFO=<ID={key},Number=.,Type=String,Description="Change of the score of {model} models'
        f' by motifloom. Format: {"|".join(ENTRY)}">'
    )
