"""A dataset's test windows examined: calibration, paired comparisons, what its negatives are."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.calibration import (
    FITS,
    RELIABILITY_COLUMNS,
    apply,
    expected_error,
    expected_error_interval,
    reliability,
    sigmoid,
)
from motifloom.comparisons import compare, comparison_table, pairs_with_first
from motifloom.composition import base_composition, score_distributions
from motifloom.evaluation import ONE_CLASS
from motifloom.files import write_table, write_text
from motifloom.store import SequenceStore
from motifloom.window_scores import WindowScores

CALIBRATION_COLUMNS = (
    "dataset",
    "model",
    "examples",
    "negatives",
    "fitted_on",
    "n_fitted",
    "n_fitted_positive",
    "n",
    "n_positive",
    "ece_before",
    "ece_after",
    "ece_low",
    "ece_high",
    "method",
    "note",
)
NO_SCORES = "no validation scores to fit on"
NOTHING_TO_FIT = "the validation split lacks a class to fit on"
_COUNTS = ("n_fitted", "n_fitted_positive", "n", "n_positive")
_RELIABILITY = ("model", *RELIABILITY_COLUMNS, "negatives", "stage")


def examine_windows(
    scores: str | Path,
    store: str | Path,
    outputs: Mapping[str, str | Path],
    *,
    method: str,
    n_bootstrap: int,
    seed: int,
) -> None:
    """Write what a dataset's scores (`WindowScores`) say beyond metrics.

    `method` is "platt" or "isotonic". `outputs` maps to paths: calibration, reliability, maps
    (JSON), comparisons, composition, distributions, and the figures calibration_figure,
    composition_figure and distributions_figure.
    """
    windows = WindowScores.open(scores)
    _write_calibration(windows, outputs, method, n_bootstrap, seed)
    rows = compare_windows(windows, n_bootstrap, seed)
    write_table(comparison_table(rows), outputs["comparisons"])
    _write_composition(windows, SequenceStore.open(store).codes, outputs)


def _write_calibration(windows, outputs, method: str, n_bootstrap: int, seed: int) -> None:
    """Write the tables, the maps and the figure of a dataset's probabilities."""
    from motifloom.eval_plots import draw_calibration

    table, curves, maps = calibrate(windows, method, n_bootstrap, seed)
    write_table(table, outputs["calibration"])
    write_table(curves, outputs["reliability"])
    write_text(json.dumps(maps, indent=1) + "\n", outputs["maps"])
    main = curves[curves["negatives"] == windows.contrasts()[0][0]]
    title = f"{windows.info['dataset']}: calibration ({method})"
    draw_calibration(main, title, outputs["calibration_figure"])


def _write_composition(windows: WindowScores, codes: np.ndarray, outputs) -> None:
    """Write what the kinds of test windows are made of and how they are scored; `codes` [N, L]."""
    from motifloom.eval_plots import draw_composition, draw_distributions

    dataset, test = windows.info["dataset"], windows.of_split("test")
    groups = [(kind, chosen & test) for kind, chosen in windows.groups_by_kind()]
    groups = [(kind, chosen) for kind, chosen in groups if chosen.any()]
    composed = base_composition(codes, [(kind, windows.row[chosen]) for kind, chosen in groups])
    write_table(composed, outputs["composition"])
    title = f"{dataset}: composition of the test windows"
    draw_composition(composed, title, outputs["composition_figure"])
    found = score_distributions(zip(windows.models, windows.scores, strict=True), groups)
    write_table(found, outputs["distributions"])
    title = f"{dataset}: scores of the test windows"
    draw_distributions(found, title, outputs["distributions_figure"])


def calibrate(
    windows: WindowScores, method: str, n_bootstrap: int, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Every model's probabilities, fitted on validation and judged on test windows.

    Returns the table of CALIBRATION_COLUMNS, a row a kind of negatives and model; the reliability
    curves, columns model, RELIABILITY_COLUMNS, negatives and stage ("calibrated", or "raw": the
    sigmoid of a network's logit); and what calibration.json holds: dataset, negatives and, by
    model, the map fitted with the first kind of negatives and the examples it was fitted on.
    Measured scores have no probability: both tables are empty.
    """
    rows, curves = [], []
    maps = {"dataset": windows.info["dataset"], "negatives": "", "models": {}}
    contrasts = windows.contrasts() if windows.binary else []
    for number, (kind, judged) in enumerate(contrasts):
        named = {"dataset": windows.info["dataset"], "examples": "windows", "negatives": kind}
        for model, scores in zip(windows.info["models"], windows.scores, strict=True):
            name = model["model"]
            parts = [judged & windows.of_split(split) for split in ("validation", "test")]
            fitted, note = _fit(windows.positive[parts[0]], scores[parts[0]], method)
            stages = _stages(fitted, scores[parts[1]], model["logit"])
            found = _judged(windows, parts, stages, n_bootstrap, seed)
            note = "; ".join(filter(None, (note, found.pop("note"))))
            rows.append(named | {"model": name, "method": method, "note": note} | found)
            for stage, probabilities in stages.items():
                curve = reliability(windows.positive[parts[1]], probabilities)
                curves.append(curve.assign(model=name, negatives=kind, stage=stage))
            if number == 0 and fitted:
                counts = {key: found[key] for key in ("n_fitted", "n_fitted_positive")}
                maps["negatives"] = kind
                maps["models"][name] = fitted | counts
    table = pd.DataFrame(rows, columns=list(CALIBRATION_COLUMNS))
    curves = pd.concat(curves) if curves else pd.DataFrame(columns=list(_RELIABILITY))
    curves = curves.sort_values("stage", kind="stable")[list(_RELIABILITY)]
    return table.astype(dict.fromkeys(_COUNTS, "Int64")), curves, maps


def _fit(positive: np.ndarray, scores: np.ndarray, method: str) -> tuple[dict, str]:
    """The map of a model's validation scores, or {} and why there is none."""
    if len(np.unique(positive)) < 2:
        return {}, NOTHING_TO_FIT
    if not np.isfinite(scores).all():
        return {}, NO_SCORES
    return FITS[method](positive, scores), ""


def _stages(fitted: dict, scores: np.ndarray, logit: bool) -> dict[str, np.ndarray]:
    """Probabilities of test scores as they come, where these are logits, and under the map."""
    found = {"calibrated": apply(fitted, scores)} if fitted else {}
    return found | ({"raw": sigmoid(scores)} if logit else {})


def _judged(windows, parts, stages, n_bootstrap: int, seed: int) -> dict:
    """The numbers of a row of the calibration table, and its note."""
    fit, test = parts
    positive = windows.positive[test]
    row = {
        "fitted_on": "validation",
        "n_fitted": int(fit.sum()),
        "n_fitted_positive": int(windows.positive[fit].sum()),
        "n": len(positive),
        "n_positive": int(positive.sum()),
        "note": "",
    }
    if row["n_positive"] in (0, row["n"]):
        return row | {"note": ONE_CLASS}
    if "raw" in stages:
        row["ece_before"] = expected_error(positive, stages["raw"])
    if "calibrated" in stages:
        row["ece_after"] = expected_error(positive, stages["calibrated"])
        row["ece_low"], row["ece_high"] = expected_error_interval(
            positive, stages["calibrated"], n_bootstrap, seed, windows.parent[test]
        )
    return row


def compare_windows(windows: WindowScores, n_bootstrap: int, seed: int) -> list[dict]:
    """Rows of comparisons.tsv: the first model with every other, for all examples and negatives.

    A site and the negatives made for it are resampled together.
    """
    rows = []
    test = windows.of_split("test")
    usable = [bool(np.isfinite(scores[test]).all()) for scores in windows.scores]
    scored = dict(zip(windows.models, windows.scores, strict=True))
    scored = {name: scored[name] for name, kept in zip(scored, usable, strict=True) if kept}
    truth = windows.positive if windows.binary else windows.label
    for subset, kept, _ in windows.subsets():
        for kind, judged in windows.contrasts():
            mask = kept & judged
            named = {"dataset": windows.info["dataset"], "examples": subset, "negatives": kind}
            found = compare(
                truth[mask],
                {name: scores[mask] for name, scores in scored.items()},
                pairs_with_first(list(scored)),
                windows.binary,
                n_bootstrap,
                seed,
                windows.parent[mask],
            )
            rows += [named | row for row in found]
    return rows
