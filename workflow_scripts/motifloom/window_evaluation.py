"""Every model on a dataset's test windows: scores on disk, metrics, curves and a figure."""

import itertools
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.baselines import read_scores
from motifloom.evaluation import (
    RECALLS,
    auroc_spread,
    classification_metrics,
    curves,
    metrics_row,
    metrics_table,
    pearson_spread,
    regression_metrics,
)
from motifloom.files import write_table
from motifloom.scoring import Scored, score_all, scorers_of
from motifloom.store import SequenceStore
from motifloom.window_scores import WindowScores

log = logging.getLogger(__name__)


def evaluate_windows(
    store: str | Path,
    weights: Mapping[str, str | Path],
    metrics: str | Path,
    curve_table: str | Path,
    figure: str | Path,
    scores: str | Path,
    *,
    dataset: str,
    tf: str,
    motif: str,
    release: str,
    n_bootstrap: int,
    seed: int,
    baselines: Sequence[str | Path] = (),
    recalls: Sequence[float] = RECALLS,
) -> None:
    """Metrics, curves and a figure for a dataset's test split, and all models' scores.

    `weights` maps presets to weights files; `motif` (JASPAR id or FILE#ID, may be "") is scanned
    as the row `pwm`. An ensemble's row says how its members do alone, and its best single training
    by validation has the row `<preset>-single`. `baselines` are files of scores
    (`baselines.write_scores`), a row each. Where test positives share a 31-mer with training, all
    rows come again as "windows-distinct" without these (`shares_with_training`). `scores` gets
    the scores of test and validation windows (`WindowScores`); those of baselines are of the test.
    """
    examples = SequenceStore.open(store)
    rows = [examples.rows("test"), examples.rows("validation")]
    n_test = len(rows[0])
    dna = examples.info["alphabet"] == "dna"
    scored = score_all(
        (np.asarray(examples.codes[part]) for part in rows),
        scorers_of(weights, motif, release, dna),
        singles=True,
    )
    for about, found in (read_scores(path, n_test) for path in baselines):
        known = np.pad(found, (0, len(rows[1])), constant_values=np.nan)
        scored[about["model"]] = Scored(about, known)
    named = {"dataset": dataset, "tf": tf}
    models = [one.about | {"logit": one.about["preset"] in weights} for one in scored.values()]
    everything = np.stack([one.scores for one in scored.values()])
    windows = WindowScores.of(
        examples, np.concatenate(rows), everything, named | {"models": models}
    )
    windows.write(scores)
    settings = {"n_bootstrap": n_bootstrap, "seed": seed, "recalls": recalls}
    if windows.binary:
        _classification(windows, scored, named, settings, metrics, curve_table, figure)
    else:
        _regression(windows, scored, named, recalls, metrics, curve_table, figure)


def _classification(windows, scored, named, settings, metrics, curve_table, figure):
    from motifloom.plots import draw_curves  # not for jobs that draw nothing

    table, drawn, legend = [], [], {}
    labels, recalls = windows.positive.astype(int), settings["recalls"]
    parts = itertools.product(windows.subsets(), windows.contrasts())
    for number, ((subset, kept, note), (kind, judged)) in enumerate(parts):
        mask = kept & judged
        common = named | {"examples": subset, "negatives": kind, "note": note, "recalls": recalls}
        # A site and the negatives made for it are drawn together.
        resampled = settings | {"groups": windows.parent[mask]}
        for name, one in scored.items():
            found = classification_metrics(labels[mask], one.scores[mask], **resampled)
            if one.members is not None:
                found |= auroc_spread(labels[mask], one.members[:, mask])
            table.append(metrics_row(**common, **one.about, metrics=found))
            _log(name, f"{subset}, negatives {kind}", found, ("auroc", "auprc"))
            if number == 0:
                drawn.append(curves(labels[mask], one.scores[mask]).assign(model=name))
                legend[name] = f"{name} (AUROC {found['auroc']:.3f}, AUPRC {found['auprc']:.3f})"
    write_table(metrics_table(table, recalls), metrics)
    frame = pd.concat(drawn)[["model", "curve", "x", "y"]]
    write_table(frame, curve_table)
    kind = table[0]["negatives"]
    draw_curves(frame, legend, f"{named['dataset']}: test windows, negatives {kind}", figure)


def _regression(windows, scored, named, recalls, metrics, curve_table, figure):
    from motifloom.plots import draw_scatter  # not for jobs that draw nothing

    table = []
    for subset, kept, note in windows.subsets():
        common = named | {"examples": subset, "negatives": "none", "note": note}
        for name, one in scored.items():
            found = regression_metrics(windows.label[kept], one.scores[kept], n_bootstrap=0)
            if one.members is not None:
                found |= pearson_spread(windows.label[kept], one.members[:, kept])
            if name == "pwm":
                found["mse"] = float("nan")  # bits are no scores
            table.append(metrics_row(**common, **one.about, metrics=found, recalls=recalls))
            _log(name, subset, found, ("pearson", "spearman"))
    write_table(metrics_table(table, recalls), metrics)
    test = windows.of_split("test")
    points = {name: one.scores[test] for name, one in scored.items()}
    drawn = [
        pd.DataFrame({"model": name, "curve": "scores", "x": windows.label[test], "y": predicted})
        for name, predicted in points.items()
    ]
    write_table(pd.concat(drawn), curve_table)
    main = next(iter(points))
    title = f"{named['dataset']}: {main} on test sequences"
    draw_scatter(windows.label[test], points[main], title, figure)


def _log(name: str, examples: str, found: dict, metrics: Sequence[str]) -> None:
    values = ", ".join(f"{metric} {found[metric]:.4f}" for metric in metrics)
    log.info("%s on %s (%d): %s", name, examples, found["n"], values)
