"""The report page: tables and drawings of one run turned into a single self-contained HTML file.

The page loads nothing from outside, and the same inputs give the same bytes. Sections of datasets
are packed and unpacked when they are opened, so that hundreds of them stay small.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from motifloom import report_tables as tables
from motifloom.files import check_readable, write_text
from motifloom.report_charts import chart_data, figures_script, inert_json, tables_script
from motifloom.report_datasets import Entry, make_entries
from motifloom.report_images import embedded, packed, read_svg
from motifloom.report_motifs import CARDS_PER_NETWORK, dataset_motifs, run_families
from motifloom.report_results import LEGEND, negatives_sentence, result_columns, summary
from motifloom.report_run import Run
from motifloom.report_sites import Called, called_sites, site_table
from motifloom.report_tables import plain_table
from motifloom.report_values import (
    NONE,
    Row,
    configuration_lines,
    family,
    model_name,
    number,
    plural,
    text,
)
from motifloom.report_variants import annotated, counts_table

PAGE_FILES = (
    "page.html.jinja", "section.html.jinja", "macros.html.jinja", "page.css", "page.js",
    "charts.js", "logos.js",
)  # fmt: skip
PACKAGES = (
    "numpy", "pandas", "torch", "numba", "safetensors", "scikit-learn", "pyfaidx", "bioframe",
    "memelite", "pyjaspar", "logomaker", "matplotlib", "tangermeme", "jinja2", "itables",
    "vl-convert-python", "snakemake",
)  # fmt: skip
MANY = 20  # datasets from which long lists start closed


def write_page(
    output: str | Path,
    templates: Iterable[str | Path],
    title: str,
    results: str | Path,
    inputs: Iterable[str | Path],
    sheet: Sequence[Mapping[str, str]],
    models: Iterable[tuple[str, str]],
    configuration: Mapping[str, Any],
    versions: Mapping[str, str],
) -> None:
    """Write one run's report, a single HTML file that needs nothing else.

    templates: the files PAGE_FILES of the folder report. results: the run's folder; of the files
    in it only `inputs` (files and folders) are read, by the names that docs/report.md lists, and
    what is missing is left out. sheet: the lines of the dataset sheet (dataset, tf, motif, ...).
    models: (model, dataset) of every trained model. Raises InputError for files that cannot be
    read.
    """
    run, sheet, models = Run.of(results, inputs), [dict(row) for row in sheet], list(models)
    environment = template_environment(templates)
    entries = make_entries(run, sheet, models)
    called = called_sites(run.rows("sites.tsv"), {entry.name: entry.anchor for entry in entries})
    presets = list(dict.fromkeys(model for model, _ in models))
    view = run_view(run, entries, models, called) | {
        "title": title,
        "configuration": "\n".join(configuration_lines(configuration)),
        "versions": list(versions.items()),
        "packed_sections": packed_sections(environment, entries),
        "sites": site_table(called, configuration),
        "variants": annotated(run, presets),
        "variant_counts": counts_table(run, presets),
    }
    write_text(environment.get_template("page.html.jinja").render(view), output)


def template_environment(templates: Iterable[str | Path]) -> jinja2.Environment:
    """Jinja over the texts of the given files by their names; every value is escaped."""
    sources = {}
    for path in map(Path, templates):
        check_readable(path)
        # A workflow that Snakemake fetches from a repository comes without the last line's end.
        sources[path.name] = path.read_text(encoding="utf-8").rstrip("\n")
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(sources),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"model_name": model_name, "plural": plural, "missing": NONE}
    environment.globals["files"] = sources
    return environment


def packed_sections(environment: jinja2.Environment, entries: list[Entry]) -> list[str]:
    """The content of each dataset's section with its drawings, packed.

    The HTML names drawings and attributions by their places in the lists that follow it as JSON.
    """
    template = environment.get_template("section.html.jinja")
    return [
        packed(
            inert_json(
                {
                    "html": template.render(entry=entry),
                    "images": [figure.svg for figure in entry.figures],
                    "attributions": [shown.drawn for shown in entry.attributions],
                }
            )
        )
        for entry in entries
    ]


def run_view(
    run: Run, entries: list[Entry], models: list[tuple[str, str]], called: list[Called]
) -> dict[str, Any]:
    """What the page shows of the run as a whole, by the names that the template uses."""
    metrics = run.rows("metrics.tsv")
    columns = result_columns(entries)
    rows = [[column.make(entry) for column in columns] for entry in entries]
    cells = [cell for row in rows for cell in row]
    charts = chart_data(run, entries, called)
    drawn = any(charts.values())
    return {
        "entries": entries,
        "columns": columns,
        "results": rows,
        "tiles": summary(entries),
        "legend": LEGEND if any(cell.bar for cell in cells) else None,
        "spread": any(cell.spread for cell in cells),
        "charts": inert_json(charts) if drawn else "",
        "charts_shown": {name: bool(values) for name, values in charts.items()},
        "compared": any(values for name, values in charts.items() if name != "called"),
        "figures_script": figures_script() if drawn else "",
        "tables_script": tables_script() if entries else "",
        "comparison": embedded(read_svg(run.path("evaluation/comparison.svg"))),
        "many": len(entries) > MANY,
        "families": run_families(run),
        **words_view(metrics),
        **tables_view(run, metrics, entries),
        "shared_motifs": shared_motifs(run, entries, models),
        "sizes_drawn": embedded(read_svg(run.path("architecture.svg"))),
    }


def words_view(metrics: list[Row]) -> dict[str, Any]:
    """What the sentences of the page need to know of the metrics."""
    return {
        "negatives": negatives_sentence(metrics),
        "examples": {row["examples"] for row in metrics},
        "models": {family(row["model"]) for row in metrics},
        "correlated": any(number(row.get("pearson")) is not None for row in metrics),
        "shuffled": "dinucleotide" in {row["negatives"] for row in metrics},
    }


def tables_view(run: Run, metrics: list[Row], entries: list[Entry]) -> dict[str, Any]:
    """The plain tables of the run as a whole."""
    folds, band_rows = run.rows("cross_validation.tsv"), run.rows("bands.tsv")
    networks, layers = tables.network_tables(run.rows("architecture.tsv"))
    over_all = [row for row in run.rows("comparisons.tsv") if row["dataset"] == "all"]
    return {
        "means": plain_table(tables.MEANS, tables.mean_rows(metrics)),
        "comparisons": plain_table(tables.COMPARISONS, over_all),
        "controls": plain_table(tables.CONTROLS, run.rows("motif_summary.tsv")),
        "learning": plain_table(tables.LEARNING_CURVE, run.rows("learning_curve.tsv")),
        "bands": plain_table(tables.BANDS, band_rows),
        "bands_note": text(band_rows[0].get("note")) if band_rows else "",
        "folds": plain_table(tables.FOLDS, folds),
        "without_folds": names_without(entries, folds),
        "networks": networks,
        "layers": layers,
    }


def names_without(entries: list[Entry], rows: list[Row]) -> list[str]:
    """The names of the datasets that no row is of."""
    present = {row["dataset"] for row in rows}
    return [entry.name for entry in entries if entry.name not in present]


def shared_motifs(run: Run, entries: list[Entry], models: list[tuple[str, str]]) -> list:
    """The motifs of networks that serve many datasets at once, a `Motifs` each."""
    own = {entry.name for entry in entries}
    matches = [row for row in run.rows("matches.tsv") if row["dataset"] not in own]
    together = dict.fromkeys(
        [dataset for _, dataset in models if dataset not in own]
        + [row["dataset"] for row in matches]
    )
    if not together:
        return []
    database = run.matrices("motifs/database.meme")
    found = []
    for dataset in together:
        names = [model for model, name in models if name == dataset]
        rows = [row for row in matches if row["dataset"] == dataset]
        found += dataset_motifs(run, dataset, names, rows, database, CARDS_PER_NETWORK)
    return found
