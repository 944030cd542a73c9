"""How a comparison is measured: ours and the reference in turn, medians of several, one table."""

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

COLUMNS = ("name", "unit", "ours", "reference", "ratio")


class Skip(Exception):
    """A comparison cannot be made here; the message says what is missing."""


@dataclass(frozen=True)
class Pair:
    """Two functions that do the same work, and how many items a call of each works through.

    check: takes the results of both and raises where they differ; called once, on the warm-up's
    """

    ours: Callable[[], object]
    reference: Callable[[], object]
    n_ours: int
    n_reference: int
    check: Callable[[object, object], object]


@dataclass(frozen=True)
class Result:
    """Rates in items a second, the ratio of their medians, and the range of the turns' ratios.

    A ratio above 1 means that ours is faster.
    """

    ours: float
    reference: float
    ratio: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Row:
    """One line of the table.

    name:  begins with its subject
    unit:  of both rates, e.g. windows/s
    setup: makes the inputs, in the folder it is given, and returns the pair; may raise Skip
    note:  printed at the end of the line; a function is called with the result and gives it
    turns: at most so many, of a row that takes long
    """

    name: str
    unit: str
    setup: Callable[[Path], Pair]
    note: str | Callable[[Result], str] = ""
    turns: int | None = None


def measure(pair: Pair, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of each call of ours and of the reference, called in turn after one warm-up.

    The warm-up pays for compilation and first reads, and its results are checked. What a call
    returns is let go outside the time measured.
    """
    pair.check(pair.ours(), pair.reference())
    turns = [(_seconds(pair.ours), _seconds(pair.reference)) for _ in range(repeats)]
    ours, reference = zip(*turns, strict=True)
    return list(ours), list(reference)


def _seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - begin
    del result
    return seconds


def summarise(pair: Pair, ours: list[float], reference: list[float]) -> Result:
    """Rates and ratios of the seconds that `measure` gives."""
    our_rate = pair.n_ours / statistics.median(ours)
    reference_rate = pair.n_reference / statistics.median(reference)
    share = pair.n_ours / pair.n_reference
    ratios = [share * theirs / own for own, theirs in zip(ours, reference, strict=True)]
    return Result(our_rate, reference_rate, our_rate / reference_rate, min(ratios), max(ratios))


def run(rows: Iterable[Row], folder: Path, repeats: int) -> Iterator[tuple[Row, Result | Skip]]:
    """Measure the rows one after the other; of a row that is skipped, the reason."""
    for row in rows:
        try:
            pair = row.setup(folder)
        except Skip as reason:
            yield row, reason
        else:
            turns = repeats if row.turns is None else min(repeats, row.turns)
            yield row, summarise(pair, *measure(pair, turns))


def header(width: int) -> str:
    """The printed table's first line, for names of at most `width` letters."""
    name, unit, *numbers = COLUMNS
    return f"{name:{width}} {unit:13}" + "".join(f"{n:>12}" for n in numbers) + f"{'range':>18}"


def line(row: Row, result: Result | Skip, width: int) -> str:
    """A row of the printed table; rates with three digits, ratios with one decimal or two."""
    start = f"{row.name:{width}} {row.unit:13}"
    if isinstance(result, Skip):
        return f"{start} skipped: {result}"
    rates = "".join(f"{rate:>12,.{_decimals(rate)}f}" for rate in (result.ours, result.reference))
    spread = f"{_ratio(result.lowest)} to {_ratio(result.highest)}"
    note = row.note(result) if callable(row.note) else row.note
    end = f"  {note}" if note else ""
    return f"{start}{rates}{_ratio(result.ratio):>12}{spread:>18}{end}"


def _decimals(value: float) -> int:
    return 0 if value >= 100 else 2


def _ratio(value: float) -> str:
    return f"{value:.{2 if value < 10 else 1}f}"


def table(results: Iterable[tuple[Row, Result | Skip]]) -> pd.DataFrame:
    """The measured rows as a table with the columns name, unit, ours, reference, ratio."""
    measured = [
        (row.name, row.unit, result.ours, result.reference, result.ratio)
        for row, result in results
        if isinstance(result, Result)
    ]
    return pd.DataFrame(measured, columns=list(COLUMNS))
