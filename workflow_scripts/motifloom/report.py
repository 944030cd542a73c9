"""The report page: tables and logos of one run turned into a single self-contained HTML file.

The first part of the module holds pure functions that shape tables into what the page shows (the
view), the second embeds images, the last renders the template. The page loads nothing from
outside, and the same inputs give the same bytes.
"""

import base64
import json
import math
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

import motifloom
from motifloom.evaluation import METRIC_COLUMNS
from motifloom.files import check_readable, read_table, write_text

MATCH_COLUMNS = (
    "dataset", "model", "kernel", "n_sites", "information", "initialised_from", "match",
    "match_name", "evalue", "recovers",
)  # fmt: skip
QC_COLUMNS = ("stage", "count", "note")
TEXT_COLUMNS = (
    "dataset", "tf", "motif", "model", "preset", "examples", "negatives", "note", "kernel",
    "initialised_from", "match", "match_name", "recovers", "stage", "layer", "output_shape",
)  # fmt: skip

MODEL_NAMES = {
    "deepbind": "DeepBind",
    "danq": "DanQ",
    "resnet": "ResNet",
    "rnn": "RNN",
    "lstm": "LSTM",
    "cnn": "CNN",
    "pwm": "PWM",
    "kmer": "k-mers",
    "lsgkm": "LS-GKM",
}
BASELINES = ("pwm", "kmer", "lsgkm")  # no networks
NEGATIVE_NAMES = {
    "given": "given negatives",
    "dinucleotide": "dinucleotide shuffles",
    "gc": "GC-matched windows",
    "flank": "flanking windows",
    "none": "",
    "bins": "",
}
EXAMPLE_NAMES = {
    "windows-distinct": "windows that share no 31-mer with training",
    "bins-all": "all bins",
}

PACKAGES = (
    "numpy", "pandas", "torch", "numba", "safetensors", "scikit-learn", "pyfaidx", "bioframe",
    "memelite", "pyjaspar", "logomaker", "matplotlib", "jinja2", "snakemake",
)  # fmt: skip

SIGNIFICANT_EVALUE = 0.01
KERNELS_PER_DATASET = 8
KERNELS_PER_NETWORK = 24
NONE = "–"

Row = dict[str, Any]


# --- values as text -------------------------------------------------------------------------


def number(value: object) -> float | None:
    """A table's value as a float; None where it is missing or not a number."""
    if value is None or value is pd.NA:
        return None
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return None if math.isnan(result) else result


def text(value: object) -> str:
    """A table's value as text; "" where it is missing, whole floats without their ".0"."""
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def decimals(value: object, places: int = 3) -> str:
    """`value` with a fixed number of decimals, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{held:.{places}f}"


def significant(value: object) -> str:
    """`value` with three significant digits, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{held:.3g}"


def count(value: object) -> str:
    """`value` as a whole number with thousands separators, "" where it is missing."""
    held = number(value)
    return "" if held is None else f"{held:,.0f}"


def evalue(value: object) -> str:
    """An E-value with two significant digits, "" where it is missing.

    >>> evalue(2.13e-08), evalue(0.012), evalue(4.26)
    ('2.1e-8', '0.012', '4.3')
    """
    held = number(value)
    if held is None:
        return ""
    if held == 0 or 0.001 <= held < 1000:
        return f"{held:.2g}" if held < 100 else f"{held:.0f}"
    digits, exponent = f"{held:.1e}".split("e")
    return f"{digits}e{int(exponent)}"


def interval(row: Row, metric: str) -> str:
    """The 95 % interval of a metric as "0.891–0.932", "" where it is missing."""
    low, high = decimals(row.get(f"{metric}_low")), decimals(row.get(f"{metric}_high"))
    return f"{low}–{high}" if low and high else ""


def family(model: str) -> str:
    """The kind of network that a model's name begins with: "deepbind" of "deepbind-lecture"."""
    return model.partition("-")[0]


def model_name(model: str) -> str:
    """The name of a model as the page writes it.

    >>> model_name("danq"), model_name("danq-lecture")
    ('DanQ', 'DanQ-lecture')
    """
    kind = family(model)
    return MODEL_NAMES.get(kind, kind) + model.removeprefix(kind)


def metric_name(metric: str) -> str:
    """The name of a metric as the page writes it."""
    return metric.upper() if metric.startswith("au") else metric.capitalize()


def configuration_lines(value: object, indent: str = "") -> Iterator[str]:
    """Nested mappings and lists as the lines of a YAML text, keys in the order given."""
    keyed = isinstance(value, Mapping)
    for key, item in value.items() if keyed else ((None, item) for item in value):
        head = f"{indent}{key}:" if keyed else f"{indent}-"
        if isinstance(item, Mapping | list | tuple) and len(item):
            yield head
            yield from configuration_lines(item, indent + "  ")
        else:
            yield f"{head} {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, Mapping | list | tuple):
        return "{}" if isinstance(value, Mapping) else "[]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if not isinstance(value, str):
        return str(value)
    plain = re.fullmatch(r"[A-Za-z_/.][\w ./+-]*", value)
    reserved = value.lower() in {"true", "false", "null", "yes", "no", "on", "off"}
    return value if plain and not reserved else json.dumps(value, ensure_ascii=False)


# --- the view: tables -----------------------------------------------------------------------


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
    image: str = ""
    link: str = ""
    bar: Bar | None = None
    spread: Spread | None = None


@dataclass(frozen=True)
class Column:
    """One column of the results table.

    `kind` is text, number or image; `first` the direction of its first sorting; `make` turns a
    dataset's `Entry` into the cell.
    """

    label: str
    detail: str
    kind: str
    first: str
    make: Callable[["Entry"], Cell]


@dataclass(frozen=True)
class Table:
    """A plain table: headers, which of them are numeric, and rows of text."""

    headers: list[str]
    numeric: list[bool]
    rows: list[list[str]]


def plain_table(
    columns: Sequence[tuple[str, bool, Callable[[Row], str]]], rows: list[Row]
) -> Table:
    """A `Table` of `rows` by columns (header, numeric, text of a row) without its empty columns."""
    texts = [[make(row) for row in rows] for _, _, make in columns]
    kept = [position for position, column in enumerate(texts) if any(column)]
    return Table(
        [columns[position][0] for position in kept],
        [columns[position][1] for position in kept],
        [[texts[position][row] for position in kept] for row in range(len(rows))],
    )


def field(name: str, form: Callable[[object], str] = text) -> Callable[[Row], str]:
    """A function that takes column `name` of a row and forms its text."""
    return lambda row: form(row.get(name))


def named(names: Mapping[str, str]) -> Callable[[str], str]:
    """A function that gives a key's name, or the key itself where it has none."""
    return lambda key: names.get(key, key)


def scored(metric: str) -> Callable[[Row], str]:
    """A function that writes a metric of a row with its interval."""

    def form(row: Row) -> str:
        value, limits = decimals(row.get(metric)), interval(row, metric)
        return f"{value} ({limits})" if limits else value

    return form


def members_alone(metric: str) -> Callable[[Row], str]:
    """A function that writes how the members of a row's ensemble do alone: mean ± sd."""

    def form(row: Row) -> str:
        value = decimals(row.get(f"{metric}_members_mean"))
        sd = decimals(row.get(f"{metric}_members_sd"))
        return f"{value} ± {sd}" if value and sd else ""

    return form


METRIC_TABLE = [
    ("Model", False, field("model", model_name)),
    ("Preset", False, field("preset")),
    ("Members", True, field("members", count)),
    ("Examples", False, field("examples", named(EXAMPLE_NAMES))),
    ("Negatives", False, field("negatives", named(NEGATIVE_NAMES))),
    ("n", True, field("n", count)),
    ("Positives", True, field("n_positive", count)),
    ("AUROC", True, scored("auroc")),
    ("AUROC of members", True, members_alone("auroc")),
    ("AUPRC", True, scored("auprc")),
    ("Pearson", True, field("pearson", decimals)),
    ("Pearson of members", True, members_alone("pearson")),
    ("Spearman", True, field("spearman", decimals)),
    ("MSE", True, field("mse", significant)),
    ("Note", False, field("note")),
]
QC_TABLE = [
    ("Stage", False, field("stage")),
    ("Count", True, field("count", count)),
    ("Note", False, field("note")),
]
MEAN_TABLE = [
    *(column for column in METRIC_TABLE if column[0] in {"Model", "Examples", "Negatives"}),
    ("Datasets", True, field("datasets", count)),
    ("Mean AUROC", True, field("auroc", decimals)),
    ("Mean AUPRC", True, field("auprc", decimals)),
    ("Mean Pearson", True, field("pearson", decimals)),
    ("Mean Spearman", True, field("spearman", decimals)),
]


def spread(metric: str) -> Callable[[Row], str]:
    """A function that writes a metric's mean over the folds with its sd, and lowest to highest."""

    def form(row: Row) -> str:
        value, sd = decimals(row.get(f"{metric}_mean")), decimals(row.get(f"{metric}_sd"))
        limits = f"{decimals(row.get(f'{metric}_min'))}–{decimals(row.get(f'{metric}_max'))}"
        return f"{value} ± {sd} ({limits})" if sd else value

    return form


FOLD_TABLE = [
    ("Dataset", False, field("dataset")),
    *(column for column in METRIC_TABLE if column[0] in {"Model", "Examples", "Negatives"}),
    ("Folds", True, field("folds", count)),
    ("AUROC", True, spread("auroc")),
    ("AUPRC", True, spread("auprc")),
    ("Pearson", True, spread("pearson")),
    ("Spearman", True, spread("spearman")),
    ("Note", False, field("note")),
]


def bases(value: object) -> str:
    """`value` as a number of base pairs, "" where it is missing."""
    return f"{count(value)} bp" if count(value) else ""


NETWORK_TABLE = [
    ("Network", False, field("model", model_name)),
    ("Layer", False, field("layer")),
    ("Output", True, field("output_shape", lambda shape: text(shape).replace("x", "×"))),
    ("Parameters", True, field("parameters", count)),
    ("Operations", True, field("operations", count)),
    ("Receptive field", True, field("receptive_field", bases)),
]


def mean_rows(metrics: list[Row]) -> list[Row]:
    """The metrics of each model, examples and negatives, averaged over the datasets with one."""
    keys, scores = ("model", "examples", "negatives"), ("auroc", "auprc", "pearson", "spearman")
    means = []
    for group, rows in grouped(metrics, *keys).items():
        valued = [row for row in rows if any(number(row[score]) is not None for score in scores)]
        if valued:
            averages = {score: mean(row[score] for row in valued) for score in scores}
            means.append(dict(zip(keys, group, strict=True)) | {"datasets": len(valued)} | averages)
    return sorted(
        means,
        key=lambda row: (family(row["examples"]) != "windows", row["examples"], row["negatives"]),
    )


def mean(values: Iterable[object]) -> float | None:
    """The mean of the values that are there, None where there is none."""
    held = [value for value in map(number, values) if value is not None]
    return sum(held) / len(held) if held else None


# --- the view: kernels ----------------------------------------------------------------------


@dataclass(frozen=True)
class Kernel:
    """One kernel with its best match in the motif database and the TFs whose motif it recovers.

    `image` is its logo as a data URI, "" where none was drawn.
    """

    name: str
    sites: str
    information: str
    initialised_from: str
    match: str
    match_name: str
    evalue: float
    recovers: str
    image: str = ""

    @property
    def significant(self) -> bool:
        """Whether the best match's E-value is below 0.01."""
        return self.evalue < SIGNIFICANT_EVALUE

    @property
    def evalue_text(self) -> str:
        """The E-value as the page writes it."""
        return evalue(self.evalue) if math.isfinite(self.evalue) else ""


def kernels_of(rows: list[Row]) -> list[Kernel]:
    """The kernels of one model in the order of the match table, each with its best match."""
    best: dict[str, Row] = {}
    for row in rows:
        held = best.setdefault(text(row["kernel"]), row)
        if _evalue(row) < _evalue(held):
            best[text(row["kernel"])] = row
    return [
        Kernel(
            name,
            count(row["n_sites"]),
            decimals(row["information"], 1),
            text(row["initialised_from"]),
            text(row["match"]),
            text(row["match_name"]),
            _evalue(row),
            row["recovers"].replace(",", ", "),
        )
        for name, row in best.items()
    ]


def _evalue(row: Row) -> float:
    held = number(row["evalue"])
    return math.inf if held is None else held


def by_match(kernels: list[Kernel]) -> list[Kernel]:
    """Kernels that recover an expected motif first, then by E-value.

    A partner's motif may match better than the factor's own. Where no E-value is below 0.01, the
    kernels stay in the order of the match table.
    """
    if any(kernel.significant for kernel in kernels):
        return sorted(kernels, key=lambda kernel: (not kernel.recovers, kernel.evalue))
    return kernels


@dataclass(frozen=True)
class Motifs:
    """The kernels of one model: those that a section shows, the best one, and how many it has.

    `best` has the lowest E-value, if that is below 0.01; otherwise it is the match table's first.
    """

    model: str
    kernels: list[Kernel]
    best: Kernel
    total: int


def shown_motifs(model: str, rows: list[Row], folder: str | Path | None, limit: int) -> Motifs:
    """The best `limit` kernels of a model, those with a logo in `folder` before the others."""
    ranked = by_match(kernels_of(rows))
    order = sorted(ranked, key=lambda kernel: logo_path(folder, kernel.name) is None)
    chosen = by_match([kernel for kernel in ranked if kernel in order[:limit]])
    kernels = [replace(kernel, image=logo(folder, kernel.name)) for kernel in chosen]
    best = next((kernel for kernel in kernels if kernel.name == ranked[0].name), ranked[0])
    return Motifs(model, kernels, best, len(ranked))


# --- the view: datasets ---------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """Everything the page shows of one dataset.

    `recovered` is None where the sheet expects no motif; `negatives` are those of the results
    table, where a dataset is tested against several.
    """

    name: str
    tf: str
    anchor: str
    sheet: list[tuple[str, str]]
    metrics: list[Row]
    negatives: str
    motifs: list[Motifs]
    recovered: bool | None
    curves: str
    qc: Table

    def row(self, model: str, examples: str, negatives: str | None = None) -> Row:
        """The first metric row of a kind of model; {} where there is none.

        Windows are those against `negatives`, by default the ones of the results table.
        """
        wanted = self.negatives if negatives is None else negatives
        for row in self.metrics:
            same = family(row["model"]) == model and row["examples"] == examples
            if same and (examples != "windows" or row["negatives"] == wanted):
                return row
        return {}

    @property
    def best(self) -> Kernel | None:
        """The best kernel of the first model that has any."""
        return self.motifs[0].best if self.motifs else None

    @property
    def headline(self) -> str:
        """The words beside the dataset's name where its section is closed."""
        scores = [
            f"{model_name(model)} {metric_name(metric)} {value}"
            for metric in ("auroc", "pearson")
            for model in ("deepbind", "pwm")
            if (value := decimals(self.row(model, "windows").get(metric)))
        ]
        notes = [] if scores else [row["note"] for row in self.metrics[:1] if row["note"]]
        return " · ".join([*scores, *notes, *(["motif recovered"] if self.recovered else [])])

    @property
    def metric_table(self) -> Table:
        """All metric rows."""
        return plain_table(METRIC_TABLE, self.metrics)


def main_negatives(rows: list[Row]) -> str:
    """Which negatives the results table uses of several: those that the metrics name first."""
    return next((row["negatives"] for row in rows if row["examples"] == "windows"), "")


def was_recovered(expected: str, rows: list[Row]) -> bool | None:
    """Whether any kernel of DeepBind recovers the expected motif; None where none is expected.

    Of several DeepBinds the match table's first counts.
    """
    models = [row["model"] for row in rows if family(row["model"]) == "deepbind"]
    recovered = any(row["recovers"] for row in rows if row["model"] in models[:1])
    return recovered if expected or recovered else None


def anchors(names: Iterable[str]) -> list[str]:
    """Distinct HTML ids for dataset names."""
    slugs: list[str] = []
    for name in names:
        slug = "dataset-" + re.sub(r"[^A-Za-z0-9_.+-]", "-", name)
        while slug in slugs:
            slug += "-"
        slugs.append(slug)
    return slugs


# --- the view: the results table ------------------------------------------------------------


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
        f"{metric_name(metric)} of the ensemble’s {count(row['members'])} members, each alone:"
        f" {alone} (mean ± standard deviation)"
    )
    return Spread(f"±{alone.rpartition(' ')[2]}", meaning)


def auroc_bar(row: Row, reference: Row) -> Bar:
    """The bar of an AUROC on the scale 0.5 to 1; an interval that is missing has no width."""

    def position(value: float | None, default: float) -> float:
        placed = default if value is None else 200 * (value - 0.5)
        return round(min(max(placed, 0.0), 100.0), 1)

    value = position(number(row["auroc"]), 0.0)
    tick = number(reference.get("auroc"))
    return Bar(
        value,
        position(number(row["auroc_low"]), value),
        position(number(row["auroc_high"]), value),
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
    """The logo of the dataset's best kernel."""
    best = entry.best
    if best is None or not best.image:
        return Cell()
    return Cell(best.name, image=best.image)


def match_cell(entry: Entry) -> Cell:
    """The best kernel's match and its E-value."""
    best = entry.best
    if best is None or not math.isfinite(best.evalue):
        return Cell()
    tone = "" if best.significant else "weak"
    return Cell(best.match_name or best.match, f"E {best.evalue_text}", repr(best.evalue), tone)


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
        Column("Motif", "best kernel", "image", "", logo_cell),
        Column("Match", "E-value", "number", "ascending", match_cell),
        Column("Recovered", "expected motif", "number", "descending", recovered_cell),
        *filter(informative, further),
    ]


LEGEND = Bar(value=70.0, low=52.0, high=86.0, reference=24.0)


# --- the view: the summary ------------------------------------------------------------------


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


def plural(number_of: int, noun: str) -> str:
    """`noun`, with an s unless there is one of it."""
    return noun if number_of == 1 else f"{noun}s"


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
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


# --- images ---------------------------------------------------------------------------------

_DROPPED = re.compile(r"<\?xml.*?\?>|<!DOCTYPE[^>]*>|<!--.*?-->|<metadata>.*?</metadata>", re.S)
_PATH = re.compile(r'(?<=\sd=")[^"]*')
_TOKEN = re.compile(r"[A-DF-Za-df-z]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def compact_svg(svg: str) -> str:
    """`svg` without prologue, comments, metadata and needless digits of its paths.

    Coordinates keep a ten-thousandth of their path's largest one, which no screen can show. A
    drawing of matplotlib comes out at about half its size.
    """
    return re.sub(r"\s+", " ", _PATH.sub(_compact_path, _DROPPED.sub("", svg))).strip()


def _compact_path(found: re.Match[str]) -> str:
    tokens = _TOKEN.findall(found[0])
    values = [float(token) for token in tokens if not token.isalpha()]
    # An arc's flags may be written without separators, so paths with arcs stay as they are.
    if not any(values) or {"A", "a"} & set(tokens):
        return found[0]
    places = max(0, 3 - math.floor(math.log10(max(map(abs, values)))))
    short = (token if token.isalpha() else _short(float(token), places) for token in tokens)
    return re.sub(r" ?([A-Za-z]) ?", r"\1", " ".join(short))


def _short(value: float, places: int) -> str:
    written = f"{value:.{places}f}"
    written = written.rstrip("0").rstrip(".") if "." in written else written
    return "0" if written == "-0" else written


def cropped_svg(svg: str) -> str:
    """A drawing of matplotlib cut down to what lies within its axes, unchanged without axes.

    The page says in its own type what a logo's title, caption and scale say.
    """
    box = re.search(r"<clipPath[^>]*>\s*<rect ([^>]*)/>", svg)
    given = dict(re.findall(r'(\w+)="([-\d.]+)"', box[1])) if box else {}
    if not {"x", "y", "width", "height"} <= set(given):
        return svg
    frame = 'viewBox="{x} {y} {width} {height}" width="{width}" height="{height}"'.format(**given)
    root = re.sub(r'\s(?:viewBox|width|height)="[^"]*"', "", re.search(r"<svg[^>]*", svg)[0])
    letters = re.sub(r"<text.*?</text>", "", svg, flags=re.S)
    return re.sub(r"<svg[^>]*", f"{root} {frame}", letters, count=1)


def embedded(path: str | Path | None, change: Callable[[str], str] = str) -> str:
    """An SVG file, compacted and changed by `change`, as a data URI; "" for None."""
    if path is None:
        return ""
    check_readable(path)
    svg = change(compact_svg(Path(path).read_text(encoding="utf-8")))
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def logo_path(folder: str | Path | None, kernel: str) -> Path | None:
    """The file of a kernel's logo, None where none was drawn."""
    path = None if folder is None else Path(folder) / f"{kernel}.svg"
    return path if path is not None and path.exists() else None


def logo(folder: str | Path | None, kernel: str) -> str:
    """The letters of a kernel's logo as a data URI, "" where none was drawn."""
    return embedded(logo_path(folder, kernel), cropped_svg)


# --- the page -------------------------------------------------------------------------------


def table_rows(source: str | Path | pd.DataFrame | None, columns: Sequence[str]) -> list[Row]:
    """The rows of a table, given as a frame or a TSV, with at least `columns`."""
    if source is None:
        return []
    if not isinstance(source, pd.DataFrame):
        source = read_table(source, tuple(TEXT_COLUMNS))
    names = [*source.columns, *(name for name in columns if name not in source)]
    rows = source.astype(object).reindex(columns=names).to_dict("records")
    return [
        {name: text(value) if name in TEXT_COLUMNS else value for name, value in row.items()}
        for row in rows
    ]


def grouped(rows: list[Row], *names: str) -> dict[tuple, list[Row]]:
    """Rows by the values of their columns `names`, both in the order of the table."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return groups


def make_entries(
    datasets: pd.DataFrame,
    metrics: list[Row],
    matches: list[Row],
    logo_folders: Mapping[tuple[str, str], str | Path],
    qc: Mapping[str, str | Path | pd.DataFrame],
    curves: Mapping[str, str | Path],
) -> list[Entry]:
    """One `Entry` a line of the dataset sheet, in its order."""
    metrics_of, matches_of = grouped(metrics, "dataset"), grouped(matches, "dataset")
    sheet = table_rows(datasets, ["dataset", "tf", "motif"])
    entries = []
    for row, anchor in zip(sheet, anchors(row["dataset"] for row in sheet), strict=True):
        name = row["dataset"]
        own, found = metrics_of.get((name,), []), matches_of.get((name,), [])
        entries.append(
            Entry(
                name,
                row["tf"],
                anchor,
                sheet_facts(row),
                own,
                main_negatives(own),
                dataset_motifs(name, found, logo_folders),
                was_recovered(row["motif"], found),
                embedded(curves.get(name)),
                plain_table(QC_TABLE, table_rows(qc.get(name), QC_COLUMNS)),
            )
        )
    return entries


def sheet_facts(row: Row) -> list[tuple[str, str]]:
    """What the dataset sheet says beyond name and TF: (column, value) without empty ones."""
    facts = ((name, text(value)) for name, value in row.items() if name not in {"dataset", "tf"})
    return [(name, value) for name, value in facts if value]


def dataset_motifs(
    dataset: str, rows: list[Row], folders: Mapping[tuple[str, str], str | Path]
) -> list[Motifs]:
    """The kernels of each model of one dataset, DeepBind's first."""
    groups = sorted(grouped(rows, "model").items(), key=lambda item: family(*item[0]) != "deepbind")
    return [
        shown_motifs(model, found, folders.get((model, dataset)), KERNELS_PER_DATASET)
        for (model,), found in groups
    ]


def network_motifs(
    matches: list[Row], folders: Mapping[tuple[str, str], str | Path], datasets: set[str]
) -> list[Motifs]:
    """The kernels of networks that serve many datasets at once."""
    return [
        shown_motifs(model, rows, folders.get((model, dataset)), KERNELS_PER_NETWORK)
        for (model, dataset), rows in grouped(matches, "model", "dataset").items()
        if dataset not in datasets
    ]


def installed_versions() -> dict[str, str]:
    """Versions of motifloom, Python and those of PACKAGES that are installed here."""
    versions = {"motifloom": motifloom.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def network_tables(networks: str | Path | pd.DataFrame | None) -> tuple[Table, Table]:
    """The networks' totals, and the same of every layer."""
    rows = table_rows(networks, ["model", "layer"])
    sizes = [column for column in NETWORK_TABLE if column[0] not in {"Layer", "Output"}]
    totals = [row for row in rows if row["layer"] == "total"]
    return plain_table(sizes, totals), plain_table(NETWORK_TABLE, rows)


def names_without(entries: list[Entry], rows: list[Row]) -> list[str]:
    """The names of the datasets that no row is of."""
    present = {row["dataset"] for row in rows}
    return [entry.name for entry in entries if entry.name not in present]


def write_page(
    output: str | Path,
    template: str | Path,
    title: str,
    datasets: pd.DataFrame,
    metrics: str | Path | pd.DataFrame,
    matches: str | Path | pd.DataFrame,
    logo_folders: Mapping[tuple[str, str], str | Path],
    qc: Mapping[str, str | Path | pd.DataFrame],
    comparison_svg: str | Path | None,
    curves: Mapping[str, str | Path],
    configuration: Mapping[str, Any],
    versions: Mapping[str, str],
    networks: str | Path | pd.DataFrame | None = None,
    networks_svg: str | Path | None = None,
    cross_validation: str | Path | pd.DataFrame | None = None,
) -> None:
    """Write one run's report, a single HTML file that needs nothing else.

    `datasets` is the dataset sheet (columns dataset, tf, and any of kind, labels, motif,
    negatives, ...); `metrics` and `matches` are metrics.tsv and matches.tsv; `logo_folders` maps
    (model, dataset) to the folder with <kernel>.svg; `qc` maps a dataset to its table of stage,
    count and note; `curves` to its SVG; `networks` is architecture.tsv, `networks_svg` its figure;
    `cross_validation` is cross_validation.tsv.
    Tables are frames or paths. Raises InputError for files that cannot be read.
    """
    metric_rows, match_rows = (
        table_rows(metrics, METRIC_COLUMNS),
        table_rows(matches, MATCH_COLUMNS),
    )
    fold_rows = table_rows(cross_validation, [])
    sizes, layers = network_tables(networks)
    entries = make_entries(datasets, metric_rows, match_rows, logo_folders, qc, curves)
    columns = result_columns(entries)
    results = [(entry, [column.make(entry) for column in columns]) for entry in entries]
    page = render(
        template,
        title=title,
        entries=entries,
        columns=columns,
        results=results,
        tiles=summary(entries),
        means=plain_table(MEAN_TABLE, mean_rows(metric_rows)),
        negatives=negatives_sentence(metric_rows),
        examples={row["examples"] for row in metric_rows},
        models={family(row["model"]) for row in metric_rows},
        correlated=any(number(row["pearson"]) is not None for row in metric_rows),
        comparison=embedded(comparison_svg),
        shared_motifs=network_motifs(match_rows, logo_folders, {entry.name for entry in entries}),
        networks=sizes,
        layers=layers,
        sizes_drawn=embedded(networks_svg),
        folds=plain_table(FOLD_TABLE, fold_rows),
        without_folds=names_without(entries, fold_rows),
        configuration="\n".join(configuration_lines(configuration)),
        versions=list(versions.items()),
        shuffled="dinucleotide" in {row["negatives"] for row in metric_rows},
        model_name=model_name,
        missing=NONE,
        spread=any(cell.spread for _, cells in results for cell in cells),
        legend=None if not any(cell.bar for _, cells in results for cell in cells) else LEGEND,
    )
    write_text(page, output)


def render(template: str | Path, **view: Any) -> str:
    """The template's text with `view` filled in; every value is escaped."""
    check_readable(template)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(Path(template).read_text(encoding="utf-8")).render(view)
