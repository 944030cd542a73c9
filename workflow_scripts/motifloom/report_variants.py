"""The report's tables of annotated variants: what was scored, and the strongest effects."""

from collections.abc import Sequence
from dataclasses import dataclass

from motifloom.report_run import Run
from motifloom.report_tables import Table, field, plain_table
from motifloom.report_values import Row, change, count, evalue, model_name, number, plural, text

SHOWN = 20  # alleles with the strongest effects
_ALLELE = ("chrom", "pos", "id", "ref", "alt")
_SCORED, _SKIPPED, _RANDOM = "scored: ", "skipped: ", "random variants: "


@dataclass(frozen=True)
class Annotated:
    """One file of variants scored with one preset."""

    variants: str
    model: str
    strongest: Table


def annotated(run: Run, models: Sequence[str] = ()) -> list[Annotated]:
    """The run's annotated files by name, each with its presets in the order of `models`."""
    return [
        Annotated(
            variants, model, plain_table(STRONGEST, strongest(run.rows(_path(variants, model))))
        )
        for variants, model in _scored(run, models)
    ]


def counts_table(run: Run, models: Sequence[str] = ()) -> Table:
    """A row a file and preset: how many records and alleles it has, and why some are skipped."""
    rows = [
        {"variants": variants, "model": model}
        | {row["stage"]: row["count"] for row in run.rows(_path(variants, model, "summary"))}
        for variants, model in _scored(run, models)
    ]
    return plain_table(COUNTS, rows)


def strongest(rows: list[Row]) -> list[Row]:
    """The first rows of a table of strongest effects, each allele's first alone."""
    first: dict[tuple, Row] = {}
    for row in rows:
        first.setdefault(tuple(row[name] for name in _ALLELE), row)
    return list(first.values())[:SHOWN]


def _scored(run: Run, models: Sequence[str]) -> list[tuple[str, str]]:
    """(file, preset) of every summary of the run."""
    places = {model: place for place, model in enumerate(models)}
    paths = (path for path in run.listed if path.match("variants/*/*.summary.tsv"))
    found = ((path.parent.name, path.name.removesuffix(".summary.tsv")) for path in paths)
    return sorted(found, key=lambda one: (one[0], places.get(one[1], len(places)), one[1]))


def _path(variants: str, model: str, kind: str = "top") -> str:
    return f"variants/{variants}/{model}.{kind}.tsv"


def _parts(row: Row, prefix: str) -> str:
    """The counts above 0 of stages that begin so, in words: "1 breakend, 3 ALT is REF"."""
    parts = [
        f"{count(value)} {stage.removeprefix(prefix)}"
        for stage, value in row.items()
        if stage.startswith(prefix) and number(value)
    ]
    return ", ".join(parts)


def _types(row: Row) -> str:
    """The scored alleles by type: "12 SNVs, 1 deletion, 2 complex"."""
    named = {
        stage if stage.endswith("complex") else plural(number(value) or 0, stage): value
        for stage, value in row.items()
        if stage.startswith(_SCORED)
    }
    return _parts(named, _SCORED)


def _skipped(row: Row) -> str:
    """How many alleles were skipped."""
    return count(sum(number(row[stage]) or 0 for stage in row if stage.startswith(_SKIPPED)))


def _score(value: object, sign: str = "") -> str:
    """A score with three significant digits, or as many as it has before the point."""
    held = number(value)
    if held is None:
        return ""
    form = "#.3g" if abs(held) < 100 else ",.0f"
    return f"{held:{sign}{form}}".replace("-", "−")


def _signed(value: object) -> str:
    """The same with its sign."""
    return _score(value, "+")


COUNTS = [
    ("File", False, field("variants")),
    ("Model", False, field("model", model_name)),
    ("Records", True, field("records", count)),
    ("Alleles", True, field("alternative alleles", count)),
    ("Scored", True, field("scored", count)),
    ("Of them", False, _types),
    ("Random variants", False, lambda row: _parts(row, _RANDOM)),
    ("Skipped", True, _skipped),
    ("Why", False, lambda row: _parts(row, _SKIPPED)),
]
STRONGEST = [
    ("Chromosome", False, field("chrom")),
    ("Position", True, field("pos", count)),
    ("Id", False, lambda row: "" if row["id"] == "." else row["id"]),
    ("Ref", False, field("ref")),
    ("Alt", False, field("alt")),
    ("Dataset", False, field("dataset")),
    ("Reference", True, field("reference", _score)),
    ("Alternative", True, field("alternative", _score)),
    ("Difference", True, field("difference", _signed)),
    ("Δ log-odds", True, field("log_odds", lambda value: change(value, 2))),
    ("p", True, field("p", evalue)),
    ("Strand", False, field("strand", lambda value: text(value).replace("-", "−"))),
    ("Motif at", True, field("position", count)),
]
