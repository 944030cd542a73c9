"""The report's table of results, a row a dataset, and the figures above it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from motifloom.report_datasets import Entry
from motifloom.report_tables import members_alone
from motifloom.report_values import (
    BASELINES,
    EXAMPLE_NAMES,
    NEGATIVE_NAMES,
    NONE,
    Row,
    count,
    decimals,
    family,
    interval,
    joined,
    mean,
    metric_name,
    model_name,
    number,
    plural,
    text,
)


@dataclass(frozen=True)
class Bar:
    """Where an AUROC, its interval and the PWM's AUROC lie between 0.5 and 1, in per cent."""

    value: float
    low: float
    high: float
    reference: float | None


@dataclass(frozen=True)
class Spread:
    """How much an ensemble's members differ, as "±0.004", and what that means in words."""

    text: str
    meaning: str


@dataclass(frozen=True)
class Cell:
    """One cell of the results table; `sort` is what its column is ordered by ("" goes last)."""

    text: str = NONE
    detail: str = ""
    sort: str = ""
    tone: str = ""
    logo: str = ""
    link: str = ""
    bar: Bar | None = None
    spread: Spread | None = None


@dataclass(frozen=True)
class Column:
    """One column of the results table, or of another that is sorted like it.

    `kind` is text, number or logo; `first` the direction of its first sorting; `make` turns what
    a row is of, here a dataset's `Entry`, into the cell.
    """

    label: str
    detail: str
    kind: str
    first: str
    make: Callable[[Any], Cell]


def score_cell(row: Row, metric: str, reference: Row | None = None) -> Cell:
    """A metric with its interval; its note where the metric is missing.

    `reference` is the PWM's row, whose value the bar marks; None draws no bar.
    """
    value = number(row.get(metric))
    if value is None:
        return Cell(detail=text(row.get("note")), tone="missing")
    bar = None if reference is None else auroc_bar(row, reference)
    spread = members_spread(row, metric)
    return Cell(decimals(value), interval(row, metric), repr(value), bar=bar, spread=spread)


def members_spread(row: Row, metric: str) -> Spread | None:
    """The standard deviation of a metric over an ensemble's members; None of anything else."""
    alone = members_alone(metric)(row)
    if not alone:
        return None
    meaning = (
        f"{metric_name(metric)} of the ensemble’s {count(row.get('members'))} members, each alone:"
        f" {alone} (mean ± standard deviation)"
    )
    return Spread(f"±{alone.rpartition(' ')[2]}", meaning)


def auroc_bar(row: Row, reference: Row) -> Bar:
    """The bar of an AUROC on the scale 0.5 to 1; an interval that is missing has no width."""

    def position(value: float | None, default: float) -> float:
        placed = default if value is None else 200 * (value - 0.5)
        return round(min(max(placed, 0.0), 100.0), 1)

    value = position(number(row.get("auroc")), 0.0)
    tick = number(reference.get("auroc"))
    return Bar(
        value,
        position(number(row.get("auroc_low")), value),
        position(number(row.get("auroc_high")), value),
        None if tick is None else position(tick, 0.0),
    )


def name_cell(entry: Entry) -> Cell:
    """The dataset's name, a link to its section."""
    return Cell(entry.name, sort=entry.name, link=entry.anchor)


def correlation_cell(entry: Entry) -> Cell:
    """DeepBind's correlations with the measured scores."""
    row = entry.row("deepbind", "windows")
    pearson, spearman = decimals(row.get("pearson")), decimals(row.get("spearman"))
    spread = members_spread(row, "pearson")
    return Cell(pearson, spearman, pearson, spread=spread) if pearson else Cell()


def size_cell(entry: Entry) -> Cell:
    """The number of positives in the test split; of examples, where they carry scores."""
    row = entry.row("deepbind", "windows") or next(iter(entry.metrics), {})
    if number(row.get("n_positive")) is not None:
        return Cell(count(row["n_positive"]), "", text(row["n_positive"]))
    if number(row.get("n")) is not None:
        return Cell(count(row["n"]), "scored", text(row["n"]))
    return Cell()


def logo_cell(entry: Entry) -> Cell:
    """The logo of the dataset's best motif."""
    best = entry.best
    return Cell(best.name, logo=best.matrix) if best is not None and best.matrix else Cell()


def match_cell(entry: Entry) -> Cell:
    """The best motif's match and its E-value."""
    card = entry.best
    if card is None or card.best is None or not math.isfinite(card.best.evalue):
        return Cell()
    match, tone = card.best, "" if card.matched else "weak"
    return Cell(match.label, f"E {match.evalue_text}", repr(match.evalue), tone)


def drop_cell(entry: Entry) -> Cell:
    """How the validation metric changes when the best motif's kernels are silenced."""
    card = entry.best
    if card is None or card.drop is None:
        return Cell()
    return Cell(card.drop_text, "", repr(card.drop))


def recovered_cell(entry: Entry) -> Cell:
    """Whether the expected motif was recovered."""
    if entry.recovered is None:
        return Cell()
    return Cell("yes", sort="1", tone="yes") if entry.recovered else Cell("no", sort="0", tone="no")


def metric_column(model: str, metric: str, examples: str, negatives: str | None = None) -> Column:
    """A column of one model's metric; networks' AUROCs get a bar with the PWM's as its tick."""
    barred = metric == "auroc" and model not in BASELINES

    def make(entry: Entry) -> Cell:
        reference = entry.row("pwm", examples, negatives) if barred else None
        cell = score_cell(entry.row(model, examples, negatives), metric, reference)
        # The note stands once a row, where the eye falls first.
        told = (model, metric) == ("deepbind", "auroc") and negatives is None
        return cell if told or cell.tone != "missing" else Cell()

    where = EXAMPLE_NAMES.get(examples, examples)
    if negatives is not None:
        where = NEGATIVE_NAMES.get(negatives, negatives)
    return Column(f"{model_name(model)} {metric_name(metric)}", where, "number", "descending", make)


def other_negatives(entries: list[Entry]) -> list[str]:
    """The negatives that DeepBind is tested against beside the main ones, in customary order."""
    present = {
        row["negatives"]
        for entry in entries
        for row in entry.metrics
        if (family(row["model"]), row["examples"]) == ("deepbind", "windows")
        and row["negatives"] != entry.negatives
    }
    return [name for name in NEGATIVE_NAMES if name in present]


DROP = Column("Without it", "validation metric", "number", "descending", drop_cell)


def result_columns(entries: list[Entry]) -> list[Column]:
    """The results table's columns, the essential first, without metrics that no dataset has."""
    first = [
        metric_column("deepbind", "auroc", "windows"),
        *(metric_column(model, "auroc", "windows") for model in BASELINES),
        metric_column("deepbind", "auprc", "windows"),
        Column("DeepBind Pearson", "Spearman", "number", "descending", correlation_cell),
    ]
    further = [
        *(metric_column("deepbind", "auroc", "windows", kind) for kind in other_negatives(entries)),
        metric_column("danq", "auroc", "bins"),
        metric_column("pwm", "auroc", "bins"),
    ]

    def informative(column: Column) -> bool:
        return any(cell.text != NONE or cell.detail for cell in map(column.make, entries))

    return [
        Column("Dataset", "", "text", "ascending", name_cell),
        Column("TF", "", "text", "ascending", lambda entry: Cell(entry.tf or NONE, sort=entry.tf)),
        Column("Positives", "test split", "number", "descending", size_cell),
        *filter(informative, first),
        Column("Motif", "the best", "logo", "", logo_cell),
        Column("Match", "E-value", "number", "ascending", match_cell),
        *filter(informative, [DROP]),
        Column("Recovered", "expected motif", "number", "descending", recovered_cell),
        *filter(informative, further),
    ]


LEGEND = Bar(value=70.0, low=52.0, high=86.0, reference=24.0)


@dataclass(frozen=True)
class Tile:
    """One figure of the summary strip."""

    value: str
    label: str
    detail: str


def comparison_tile(
    entries: list[Entry], model: str, metric: str, examples: str, label: str
) -> Tile | None:
    """The mean of a model's metric beside the PWM's, over the datasets that have both.

    Without any PWM's value the model's own mean over all its datasets; None without any.
    """
    pairs = [
        (
            number(entry.row(model, examples).get(metric)),
            number(entry.row("pwm", examples).get(metric)),
        )
        for entry in entries
    ]
    both = [pair for pair in pairs if None not in pair]
    own = [value for value, _ in both or pairs if value is not None]
    if not own:
        return None
    detail = f"{len(own)} {plural(len(own), 'dataset')}"
    if both:
        detail = f"PWM {decimals(mean(value for _, value in both))} · {detail}"
    return Tile(decimals(mean(own)), label, detail)


def summary(entries: list[Entry]) -> list[Tile]:
    """The summary strip."""
    factors = len({entry.tf for entry in entries if entry.tf})
    expected = [entry.recovered for entry in entries if entry.recovered is not None]
    tiles = [
        Tile(
            count(len(entries)),
            plural(len(entries), "dataset"),
            f"{factors} transcription {plural(factors, 'factor')}",
        ),
        comparison_tile(entries, "deepbind", "auroc", "windows", "DeepBind, mean AUROC"),
        comparison_tile(entries, "deepbind", "auprc", "windows", "DeepBind, mean AUPRC"),
        comparison_tile(entries, "deepbind", "pearson", "windows", "DeepBind, mean Pearson"),
        comparison_tile(entries, "danq", "auroc", "bins", "DanQ on bins, mean AUROC"),
    ]
    if expected:
        recovered = f"{sum(expected)} of {len(expected)}"
        tiles.append(Tile(recovered, "motifs recovered", "datasets with an expected motif"))
    return [tile for tile in tiles if tile]


def negatives_sentence(metrics: list[Row]) -> str:
    """Which negatives the windows were tested against, as a list in words."""
    present = {row["negatives"] for row in metrics if row["examples"] == "windows"}
    names = [name for key, name in NEGATIVE_NAMES.items() if name and key in present]
    return joined(names)
