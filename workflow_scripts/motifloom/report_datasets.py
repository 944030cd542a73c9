"""Everything that the report shows of one dataset, gathered from the tables of a run."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from motifloom import report_tables as tables
from motifloom.report_attributions import Attribution, attributions
from motifloom.report_images import read_svg
from motifloom.report_motifs import Card, Motifs, dataset_motifs, was_recovered
from motifloom.report_run import Run, grouped
from motifloom.report_tables import Table, metric_table, plain_table
from motifloom.report_values import (
    Row,
    decimals,
    family,
    metric_name,
    model_name,
    number,
    text,
)

FIGURES = (  # file, caption
    ("windows.svg", "Curves over the test windows, or predictions against measured scores"),
    ("calibration.svg", "Reliability: predicted probability against the share that is bound"),
    ("distributions.svg", "Scores of bound sequences and of each kind of negatives"),
    ("composition.svg", "Composition of bound sequences and of each kind of negatives"),
)
CARD_FACTS = (  # name on the page, keys in the card
    ("network", ("model", "network")),
    ("preset", ("model", "preset")),
    ("parameters", ("model", "parameters")),
    ("members", ("model", "members")),
    ("strands", ("output", "strands")),
    ("training seed", ("training", "seed")),
    ("epochs", ("training", "epochs")),
    ("precision", ("training", "precision")),
    ("licence", ("licence",)),
    ("weights sha256", ("weights", "sha256")),
)


@dataclass(frozen=True)
class Figure:
    """A drawing as SVG, and what it shows."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Entry:
    """One dataset.

    `recovered` is None where the sheet expects no motif; `negatives` are those of the results
    table, where a dataset is tested against several; `letters` are those of its logos; `facts`
    are those of the sheet and of the
    model's card; `best` is the motif of the results table.
    """

    name: str
    tf: str
    anchor: str
    letters: str
    facts: list[tuple[str, str]]
    metrics: list[Row]
    negatives: str
    motifs: list[Motifs]
    recovered: bool | None
    comparisons: Table
    calibration: Table
    composition: Table
    qc: Table
    qc_rows: list[Row]
    figures: list[Figure]
    attributions: list[Attribution]

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
    def best(self) -> Card | None:
        """The best motif of the first model that has any."""
        return next((motifs.best for motifs in self.motifs if motifs.best), None)

    @property
    def headline(self) -> str:
        """The words beside the dataset's name where its section is closed."""
        scores = [
            f"{model_name(model)} {metric_name(metric)} {value}"
            for metric in ("auroc", "pearson")
            for model in ("deepbind", "pwm")
            if (value := decimals(self.row(model, "windows").get(metric)))
        ]
        notes = [] if scores else [row["note"] for row in self.metrics[:1] if row.get("note")]
        return " · ".join([*scores, *notes, *(["motif recovered"] if self.recovered else [])])

    @property
    def metric_table(self) -> Table:
        """All metric rows."""
        return metric_table(self.metrics)


@dataclass(frozen=True)
class Shared:
    """The rows of run-level tables by dataset, and the database matrices of their matches."""

    metrics: Mapping[tuple, list[Row]]
    matches: Mapping[tuple, list[Row]]
    comparisons: Mapping[tuple, list[Row]]
    calibration: Mapping[tuple, list[Row]]
    database: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> "Shared":
        """Those of a run."""
        names = ("metrics", "matches", "comparisons", "calibration")
        groups = (grouped(run.rows(f"{name}.tsv"), "dataset") for name in names)
        return cls(*groups, run.matrices("motifs/database.meme"))


def make_entries(run: Run, sheet: list[Row], models: Iterable[tuple[str, str]]) -> list[Entry]:
    """One `Entry` a line of the dataset sheet, in its order; models are (model, dataset)."""
    shared, models = Shared.of(run), list(models)
    names = anchors(row["dataset"] for row in sheet)
    return [
        make_entry(run, row, anchor, [m for m, dataset in models if dataset == row["dataset"]],
                   shared)
        for row, anchor in zip(sheet, names, strict=True)
    ]  # fmt: skip


def make_entry(run: Run, row: Row, anchor: str, models: list[str], shared: Shared) -> Entry:
    """The `Entry` of one line of the dataset sheet."""
    name, key = row["dataset"], (row["dataset"],)
    metrics, matches = shared.metrics.get(key, []), shared.matches.get(key, [])
    qc = run.rows(f"sequences/{name}/qc.tsv")
    letters = "ACGU" if text(row.get("alphabet")) == "rna" else "ACGT"
    first = next((model for model in models if family(model) == "deepbind"), "")
    return Entry(
        name=name,
        tf=text(row.get("tf")),
        anchor=anchor,
        letters=letters,
        facts=[*sheet_facts(row), *card_facts(run.json(f"models/{first}/{name}/card.json"))],
        metrics=metrics,
        negatives=main_negatives(metrics),
        motifs=dataset_motifs(run, name, models, matches, shared.database),
        recovered=was_recovered(text(row.get("motif")), matches),
        comparisons=plain_table(tables.COMPARISONS, shared.comparisons.get(key, [])),
        calibration=plain_table(tables.CALIBRATION, shared.calibration.get(key, [])),
        composition=plain_table(tables.COMPOSITION, run.rows(f"evaluation/{name}/composition.tsv")),
        qc=plain_table(tables.QC, qc),
        qc_rows=qc,
        figures=figures(run, name),
        attributions=attributions(run, name, letters),
    )


def figures(run: Run, dataset: str) -> list[Figure]:
    """The evaluation's drawings of one dataset."""
    drawn = ((read_svg(run.path(f"evaluation/{dataset}/{file}")), words) for file, words in FIGURES)
    return [Figure(svg, caption) for svg, caption in drawn if svg]


def main_negatives(rows: list[Row]) -> str:
    """Which negatives the results table uses of several: those that the metrics name first."""
    return next((row["negatives"] for row in rows if row["examples"] == "windows"), "")


def anchors(names: Iterable[str]) -> list[str]:
    """Distinct HTML ids for dataset names."""
    slugs: dict[str, None] = {}
    for name in names:
        slug = "dataset-" + re.sub(r"[^A-Za-z0-9_.+-]", "-", name)
        while slug in slugs:
            slug += "-"
        slugs[slug] = None
    return list(slugs)


def sheet_facts(row: Row) -> list[tuple[str, str]]:
    """What the dataset sheet says beyond name and TF: (column, value) without empty ones."""
    facts = ((name, text(value)) for name, value in row.items() if name not in {"dataset", "tf"})
    return [(name, value) for name, value in facts if value]


def card_facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the model's card says of network, training and weights: (name, value)."""
    facts = []
    for name, keys in CARD_FACTS:
        value: Any = card
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, str | int | float):
            facts.append((name, f"{value:,}" if name == "parameters" else text(value)[:24]))
    return [(name, value) for name, value in facts if value]


def sites_of(entry: Entry) -> float | None:
    """How many peaks or sites a dataset has: those read, or those of all splits."""
    counts = {row["stage"]: number(row["count"]) for row in entry.qc_rows}
    read = counts.get("peaks read")
    if read is None:
        splits = [counts.get(f"{split} sites") for split in ("train", "validation", "test")]
        held = [value for value in splits if value is not None]
        read = sum(held) if held else number(entry.row("deepbind", "windows").get("n_positive"))
    return read
