"""The report's table of sites called along the genome, models beside the known matrices."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from motifloom.report_results import Cell, Column, name_cell, score_cell
from motifloom.report_values import NONE, Row, count, joined, model_name, number, text

MATRIX = "pwm"
SPLITS = ("test", "validation")  # the rows to compare come first
RATES = {"precision": "Precision", "recall": "Recall", "f1": "F1"}


@dataclass(frozen=True)
class Called:
    """A model's sites on the chromosomes of one split, and those of the dataset's known matrix.

    `matrix` is {} where there is none; `anchor` is that of the dataset's section, `name` its name.
    """

    name: str
    anchor: str
    own: Row
    matrix: Row


@dataclass(frozen=True)
class SiteTable:
    """The table with what its sentences need.

    `anchors` has a row's section, `chosen` the values of threshold_by, `fdr` the q-value that goes
    with it, `chromosomes` (split, names), `tolerance` bases; `matrix` tells if there is any.
    """

    columns: list[Column]
    rows: list[list[Cell]]
    anchors: list[str]
    chosen: set[str]
    fdr: str
    chromosomes: list[tuple[str, str]]
    tolerance: str
    matrix: bool


def called_sites(rows: list[Row], anchors: Mapping[str, str]) -> list[Called]:
    """Rows of sites.tsv, each model's beside the matrix's of its dataset and split.

    Those of the test chromosomes come first. `anchors` maps datasets to their sections.
    """
    of_matrices = [row for row in rows if row["model"] == MATRIX]
    matrices = {(row["dataset"], row["split"]): row for row in of_matrices}
    found = [
        Called(
            row["dataset"],
            anchors.get(row["dataset"], ""),
            row,
            matrices.get((row["dataset"], row["split"]), {}),
        )
        for row in rows
        if row["model"] != MATRIX
    ]
    places = {split: place for place, split in enumerate(SPLITS)}
    return sorted(found, key=lambda one: places.get(one.own["split"], len(places)))


def site_table(called: list[Called], configuration: Mapping[str, Any]) -> SiteTable:
    """The table of `called_sites`; `configuration` tells which chromosomes a split has."""
    columns = [column for column in COLUMNS if any(column.make(one).sort for one in called)]
    splits = dict.fromkeys(one.own["split"] for one in called)
    settings = configuration.get("splits", {})
    chromosomes = [(split, settings.get(split, {}).get("chromosomes", [])) for split in splits]
    return SiteTable(
        columns=columns,
        rows=[[column.make(one) for column in columns] for one in called],
        anchors=[one.anchor for one in called],
        chosen={text(one.own.get("threshold_by")) for one in called},
        fdr=text(configuration.get("tracks", {}).get("fdr")),
        chromosomes=[(split, joined(names)) for split, names in chromosomes if names],
        tolerance=_tolerance(called),
        matrix=any(one.matrix for one in called),
    )


def _tolerance(called: list[Called]) -> str:
    """How far off a peak may be found, of each model where they differ: "50 (DeepBind) or ..."."""
    models: dict[str, dict[str, None]] = {}
    for one in called:
        models.setdefault(count(one.own.get("tolerance")), {})[model_name(one.own["model"])] = None
    if len(models) < 2:
        return "".join(models)
    return " or ".join(f"{bases} ({joined(list(names))})" for bases, names in models.items())


def site_points(called: list[Called]) -> list[dict[str, Any]]:
    """Recall, precision and F1 of every row that has them, and of its matrix, for a figure."""
    return [
        {
            "dataset": one.name,
            "tf": text(one.own.get("tf")),
            "anchor": one.anchor,
            "model": model_name(one.own["model"]),
            "split": one.own["split"],
            "own": own,
            "matrix": _rates(one.matrix),
        }
        for one in called
        if (own := _rates(one.own))
    ]


def _rates(row: Row) -> list[float] | None:
    """Recall, precision and F1; None unless all are there."""
    values = [number(row.get(name)) for name in ("recall", "precision", "f1")]
    return None if None in values else values


def _counted(name: str, side: str = "own") -> Callable[[Called], Cell]:
    """A count of the model's row or of the matrix's."""

    def make(called: Called) -> Cell:
        value = getattr(called, side).get(name)
        return Cell(count(value) or NONE, sort=text(value))

    return make


def _rated(rate: str, side: str = "own") -> Callable[[Called], Cell]:
    """A rate with its interval; the note of a row without rates stands once, at its precision."""

    def make(called: Called) -> Cell:
        cell = score_cell(getattr(called, side), rate)
        return cell if cell.sort or rate == "precision" else Cell()

    return make


def _text(name: str, form: Callable[[str], str] = text) -> Callable[[Called], Cell]:
    """A word of the model's row."""

    def make(called: Called) -> Cell:
        value = form(called.own.get(name, ""))
        return Cell(value or NONE, sort=value)

    return make


COLUMNS = [
    Column("Dataset", "", "text", "ascending", name_cell),
    Column("TF", "", "text", "ascending", _text("tf")),
    Column("Model", "", "text", "ascending", _text("model", model_name)),
    Column("Chromosomes", "", "text", "ascending", _text("split")),
    Column("Peaks", "", "number", "descending", _counted("n_peaks")),
    Column("Sites", "", "number", "descending", _counted("n_sites")),
    *(Column(name, "", "number", "descending", _rated(rate)) for rate, name in RATES.items()),
    Column("Sites", "PWM", "number", "descending", _counted("n_sites", "matrix")),
    *(
        Column(name, "PWM", "number", "descending", _rated(rate, "matrix"))
        for rate, name in RATES.items()
    ),
]
