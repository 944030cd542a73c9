"""Trained models and known matrices on the test split, on bins and on the user's sequences."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import models
from motifloom.baselines import read_scores
from motifloom.databases import load_motif
from motifloom.evaluation import (
    classification_metrics,
    curves,
    log_odds,
    matrix_scores,
    metrics_row,
    metrics_table,
    regression_metrics,
)
from motifloom.files import InputError, write_table
from motifloom.sequences import read_fasta
from motifloom.store import SequenceStore, read_arrays, write_arrays


def evaluate_windows(
    store: str | Path,
    weights: Mapping[str, str | Path],
    metrics: str | Path,
    curve_table: str | Path,
    figure: str | Path,
    *,
    dataset: str,
    tf: str,
    motif: str,
    release: str,
    n_bootstrap: int,
    seed: int,
    baselines: Sequence[str | Path] = (),
) -> None:
    """Metrics, curves and a figure for a dataset's test split.

    `weights` maps presets to weights files; `motif` (JASPAR id or FILE#ID, may be "") is scanned
    as the row `pwm`. An ensemble's best single training by validation has the row
    `<preset>-single`. `baselines` are files of scores (`baselines.write_scores`), a row each.
    """
    examples = SequenceStore.open(store)
    rows = examples.rows("test")
    codes = np.asarray(examples.codes[rows])
    scored = _score_all(codes, weights, motif, release, examples.info["alphabet"] == "dna")
    for about, scores in (read_scores(path, len(rows)) for path in baselines):
        scored[about["model"]] = (about, scores)
    settings = {"n_bootstrap": n_bootstrap, "seed": seed}
    named = {"dataset": dataset, "tf": tf, "examples": "windows"}
    if examples.info["labels"] == "score":
        _regression(examples, rows, scored, named, metrics, curve_table, figure)
    else:
        _classification(examples, rows, scored, named, settings, metrics, curve_table, figure)


def _score_all(
    codes, weights, motif, release, both_strands, singles=True
) -> dict[str, tuple[dict, np.ndarray]]:
    """Scores [N] of every model, by name, with what metrics.tsv says of it."""
    scored = {}
    for preset, path in weights.items():
        model = models.load(path)
        members = model.info["members"]
        about = {"model": preset, "preset": preset, "members": members}
        scored[preset] = (about, model.score(codes)[:, 0])
        if singles and members > 1:
            best = models.TrainedModel([model.networks[model.info["best_member"]]], model.info)
            name = f"{preset}-single"
            scored[name] = (about | {"model": name, "members": 1}, best.score(codes)[:, 0])
    if motif:
        matrix = log_odds(load_motif(motif, release).matrix)
        about = {"model": "pwm", "preset": motif.rpartition("#")[2], "members": 1}
        scored["pwm"] = (about, matrix_scores(codes, matrix, both_strands))
    return scored


def _contrasts(examples: SequenceStore, rows: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Kinds of negatives and, for each, which of the test rows it is judged on."""
    kinds = np.asarray(examples.info["kinds"], object)[examples.kind[rows]]
    positive = examples.targets[rows, 0] > 0
    given = (kinds == "given") & ~positive
    made = [kind for kind in examples.info["kinds"] if kind not in ("site", "given")]
    found = [("given", positive | given)] if given.any() else []
    found += [(kind, positive | (kinds == kind)) for kind in made if (kinds == kind).any()]
    return found or [(examples.info["negatives"], positive)]


def _classification(examples, rows, scored, named, settings, metrics, curve_table, figure):
    from motifloom.plots import draw_curves  # not for jobs that draw nothing

    table, drawn, legend = [], [], {}
    labels = (examples.targets[rows, 0] > 0).astype(int)
    # A site and the negatives made for it are drawn together.
    groups = np.asarray(examples.parent[rows])
    for number, (kind, mask) in enumerate(_contrasts(examples, rows)):
        for name, (about, scores) in scored.items():
            found = classification_metrics(
                labels[mask], scores[mask], groups=groups[mask], **settings
            )
            table.append(metrics_row(**named, **about, negatives=kind, metrics=found))
            if number == 0:
                drawn.append(curves(labels[mask], scores[mask]).assign(model=name))
                legend[name] = f"{name} (AUROC {found['auroc']:.3f}, AUPRC {found['auprc']:.3f})"
    write_table(metrics_table(table), metrics)
    frame = pd.concat(drawn)[["model", "curve", "x", "y"]]
    write_table(frame, curve_table)
    kind = table[0]["negatives"]
    draw_curves(frame, legend, f"{named['dataset']}: test windows, negatives {kind}", figure)


def _regression(examples, rows, scored, named, metrics, curve_table, figure):
    from motifloom.plots import draw_scatter  # not for jobs that draw nothing

    table, drawn = [], []
    targets = np.asarray(examples.targets[rows, 0])
    for name, (about, scores) in scored.items():
        found = regression_metrics(targets, scores, n_bootstrap=0)  # no interval is reported
        if name == "pwm":
            found["mse"] = float("nan")  # bits are no scores
        table.append(metrics_row(**named, **about, negatives="none", metrics=found))
        drawn.append(pd.DataFrame({"model": name, "curve": "scores", "x": targets, "y": scores}))
    write_table(metrics_table(table), metrics)
    write_table(pd.concat(drawn), curve_table)
    main = next(iter(scored))
    draw_scatter(targets, scored[main][1], f"{named['dataset']}: {main} on test sequences", figure)


def predict_bins(store: str | Path, weights: str | Path, output: str | Path) -> None:
    """Write a multi-task model's logits float32 [n, T] of all test bins, in the store's order."""
    examples = SequenceStore.open(store)
    rows = examples.rows("test")
    model = models.load(weights)
    if model.info["targets"] != examples.info["targets"]:
        raise InputError(f"{weights}: its targets are not those of {store}; train it again")
    scores = model.score(np.asarray(examples.codes[rows]), batch_size=256)
    write_arrays(output, {"scores": (scores.shape, np.float32)}, [scores], {"rows": "test"})


def evaluate_bins(
    store: str | Path,
    predictions: Mapping[str, str | Path],
    weights: str | Path,
    metrics: str | Path,
    *,
    dataset: str,
    tf: str,
    motif: str,
    release: str,
    n_bootstrap: int,
    seed: int,
) -> None:
    """Metrics on one dataset's test bins: multi-task models, DeepBind and the known matrix.

    DeepBind and the matrix score the bin itself (best hit over its bases), the multi-task models
    (`predictions`: model -> file) its context. Rows "bins" take bins with any dataset's label
    and the sampled share of others; "bins-all" every test bin.
    """
    examples = SequenceStore.open(store)
    rows = examples.rows("test")
    column = examples.info["targets"].index(dataset)
    labels = examples.targets[rows, column] > 0
    flank = (examples.length - examples.info["bin"]) // 2
    bins = np.ascontiguousarray(examples.codes[rows, flank : examples.length - flank])
    scored = {}
    for name, path in predictions.items():
        about = {"model": name, "preset": name, "members": 1}
        scored[name] = (about, read_arrays(path)[0]["scores"][:, column])
    preset = models.load(weights).info["preset"]
    scored |= _score_all(bins, {preset: weights}, motif, release, True, singles=False)
    sampled = examples.kind[rows] == examples.info["kinds"].index("sampled")
    table = []
    for name, mask in (("bins", sampled), ("bins-all", np.ones(len(rows), bool))):
        for about, scores in scored.values():
            found = classification_metrics(labels[mask], scores[mask], n_bootstrap, seed)
            row = {"dataset": dataset, "tf": tf, "examples": name, "negatives": "bins"}
            table.append(metrics_row(**row, **about, metrics=found))
    write_table(metrics_table(table), metrics)


def score_fasta(weights: str | Path, fasta: str | Path, output: str | Path) -> None:
    """Write a table of a FASTA's records: sequence, length and one column of scores a target."""
    model = models.load(weights)
    names, records = read_fasta(fasta)
    scores = model.score(fasta)
    table = pd.DataFrame({"sequence": names, "length": [len(record) for record in records]})
    for target, column in zip(model.info["targets"], scores.T, strict=True):
        table[target] = column
    write_table(table, output)
