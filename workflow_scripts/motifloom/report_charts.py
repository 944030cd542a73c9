"""Data of the report's interactive figures, and the scripts that draw them.

The page's own script turns the data into Vega-Lite specifications. Vega runs without evaluating
text as code (its expression interpreter), so that the page's content policy can forbid that.
"""

import json
import re
from importlib import resources
from typing import Any

from motifloom.report_datasets import Entry, sites_of
from motifloom.report_run import Run, grouped
from motifloom.report_sites import Called, site_points
from motifloom.report_values import (
    EXAMPLE_NAMES,
    NEGATIVE_NAMES,
    Row,
    family,
    metric_name,
    model_name,
    number,
)

CHART_METRICS = ("auroc", "auprc", "pearson")


def chart_data(run: Run, entries: list[Entry], called: list[Called]) -> dict[str, Any]:
    """What the figures show: metrics, reliability, bands, learning curves and called sites."""
    return {
        "points": points(entries),
        "reliability": reliability(run, entries),
        "bands": bands(run.rows("bands.tsv")),
        "learning": learning(run.rows("learning_curve.tsv")),
        "called": site_points(called),
    }


def points(entries: list[Entry]) -> list[dict[str, Any]]:
    """One point a dataset, kind of examples and metric: the value and interval of every model."""
    found = []
    for entry in entries:
        sites = sites_of(entry)
        for (examples, negatives), rows in grouped(entry.metrics, "examples", "negatives").items():
            for metric in CHART_METRICS:
                scores = model_scores(rows, metric)
                if scores:
                    found.append(
                        {
                            "dataset": entry.name,
                            "tf": entry.tf,
                            "anchor": entry.anchor,
                            "sites": sites,
                            "group": group_name(examples, negatives),
                            "metric": metric_name(metric),
                            "scores": scores,
                        }
                    )
    return found


def group_name(examples: str, negatives: str) -> str:
    """What was scored against what, in words."""
    against = NEGATIVE_NAMES.get(negatives, negatives)
    name = EXAMPLE_NAMES.get(examples, examples)
    return f"{name} against {against}" if against else name


def model_scores(rows: list[Row], metric: str) -> dict[str, list[float | None]]:
    """Value, low and high of a metric by model name, of models that have it."""
    return {
        model_name(row["model"]): [
            number(row.get(metric + end)) for end in ("", "_low", "_high")
        ]
        for row in rows
        if number(row.get(metric)) is not None
    }  # fmt: skip


def reliability(run: Run, entries: list[Entry]) -> list[dict[str, Any]]:
    """Reliability of each dataset's first DeepBind: predicted, observed and interval by bin.

    Of several curves the calibrated one against the results table's negatives is taken.
    """
    found = []
    for entry in entries:
        rows = [
            row
            for row in run.rows(f"evaluation/{entry.name}/reliability.tsv")
            if family(row["model"]) == "deepbind"
            and row.get("stage", "") in ("", "calibrated")
            and row.get("negatives", "") in ("", entry.negatives)
        ]
        bins = [
            [number(row[name]) for name in ("predicted", "observed", "low", "high", "n")]
            for row in rows
            if row["model"] == rows[0]["model"]
        ]
        if bins:
            found.append({"dataset": entry.name, "anchor": entry.anchor, "bins": bins})
    return found


def bands(rows: list[Row]) -> list[dict[str, Any]]:
    """Quartiles of a metric by number of peaks, over this run's datasets."""
    return [
        {
            "model": model_name(row["model"]),
            "group": group_name("windows", row["negatives"]),
            "metric": metric_name(row["metric"]),
            "low": number(row.get("n_peaks_low")),
            "high": number(row.get("n_peaks_high")),
        }
        | {name: number(row.get(name)) for name in ("q25", "median", "q75")}
        for row in rows
    ]


def learning(rows: list[Row]) -> list[dict[str, Any]]:
    """Metrics by the number of training sites, against each dataset's first negatives."""
    first = {name: own[0].get("negatives", "") for (name,), own in grouped(rows, "dataset").items()}
    return [
        {
            "dataset": row["dataset"],
            "sites": number(row.get("n_train_positives")),
            "metric": metric_name(metric),
            "value": number(row.get(metric)),
        }
        for row in rows
        if row.get("negatives", "") == first[row["dataset"]]
        for metric in CHART_METRICS
        if number(row.get(metric)) is not None
    ]


# --- scripts --------------------------------------------------------------------------------


def inert_json(data: object) -> str:
    """JSON that may stand inside a script element: `<` is written as its escape."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def tables_script() -> str:
    """DataTables with jQuery as the package itables carries it, as a module that names jQuery."""
    source = resources.files("itables").joinpath("html/dt_bundle.js").read_text(encoding="utf-8")
    exported = re.search(r"export\{([^}]*)\};?", source)
    names = dict(reversed(pair.split(" as ")) for pair in exported[1].split(","))
    kept = source[: exported.start()] + f"window.jQuery={names['jQuery']};"
    return inert_script(kept)


def figures_script() -> str:
    """Vega-Embed, Vega-Lite and Vega as the package vl-convert carries them."""
    import vl_convert

    return inert_script(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def inert_script(source: str) -> str:
    """A script that no text inside it can end: HTML's marks are broken up by escapes."""
    return source.replace("</script", "<\\/script").replace("<!--", "<\\!--")
