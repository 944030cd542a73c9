"""Trained models and known matrices on the test split, on bins and on the user's sequences."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import models, splits
from motifloom.baselines import read_scores
from motifloom.databases import load_motif
from motifloom.evaluation import (
    auroc_spread,
    classification_metrics,
    curves,
    log_odds,
    matrix_scores,
    metrics_row,
    metrics_table,
    pearson_spread,
    regression_metrics,
)
from motifloom.files import InputError, write_table
from motifloom.sequences import read_fasta
from motifloom.store import SequenceStore, read_arrays, write_arrays

DISTINCT = "windows-distinct"


@dataclass(frozen=True)
class Scored:
    """The scores [N] of a row of metrics.tsv, and what the row says of the model.

    `members` [M, N] are the scores of an ensemble's members, each alone; None of anything else.
    """

    about: dict
    scores: np.ndarray
    members: np.ndarray | None = None


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
    as the row `pwm`. An ensemble's row says how its members do alone, and its best single training
    by validation has the row `<preset>-single`. `baselines` are files of scores
    (`baselines.write_scores`), a row each. Where test positives share a 31-mer with training, all
    rows come again as "windows-distinct" without these (`shares_with_training`).
    """
    examples = SequenceStore.open(store)
    rows = examples.rows("test")
    codes = np.asarray(examples.codes[rows])
    scored = _score_all(codes, weights, motif, release, examples.info["alphabet"] == "dna")
    for about, scores in (read_scores(path, len(rows)) for path in baselines):
        scored[about["model"]] = Scored(about, scores)
    settings = {"n_bootstrap": n_bootstrap, "seed": seed}
    named = {"dataset": dataset, "tf": tf}
    if examples.info["labels"] == "score":
        _regression(examples, rows, scored, named, metrics, curve_table, figure)
    else:
        _classification(examples, rows, scored, named, settings, metrics, curve_table, figure)


def _score_all(codes, weights, motif, release, both_strands, singles=True) -> dict[str, Scored]:
    """Every model's scores, by name; with `singles` those of an ensemble's best training too."""
    scored = {}
    for preset, path in weights.items():
        model = models.load(path)
        about = {"model": preset, "preset": preset, "members": model.info["members"]}
        scores, members = (found[..., 0] for found in model.score_members(codes))
        scored[preset] = Scored(about, scores, members if len(members) > 1 else None)
        if singles and len(members) > 1:
            single = about | {"model": f"{preset}-single", "members": 1}
            scored[single["model"]] = Scored(single, members[model.info["best_member"]])
    if motif:
        matrix = log_odds(load_motif(motif, release).matrix)
        about = {"model": "pwm", "preset": motif.rpartition("#")[2], "members": 1}
        scored["pwm"] = Scored(about, matrix_scores(codes, matrix, both_strands))
    return scored


def shares_with_training(examples: SequenceStore, rows: np.ndarray) -> np.ndarray:
    """Whether the positives behind test rows [n] stand, in part, in what was learned; bool [n].

    A row is True where it is, or was made for, a positive that shares a 31-mer (in DNA on either
    strand) with a positive of the training or validation split. Measured scores know no positives:
    there every sequence counts as one.
    """
    positive = (examples.targets[:, 0] > 0) | (examples.info["labels"] == "score")
    learned = np.flatnonzero(positive & (examples.split != splits.TEST))
    own = rows[positive[rows]]
    both = examples.info["alphabet"] == "dna"
    shared = np.zeros(len(examples), bool)
    shared[own] = splits.shares_kmer(
        examples.codes[own], examples.codes[learned], splits.LONGEST_KMER, both
    )
    return shared[examples.parent[rows]]


def _subsets(examples: SequenceStore, rows: np.ndarray) -> list[tuple[str, np.ndarray, str]]:
    """What metrics are over: name of the examples, which of the test rows, and the rows' note."""
    subsets = [("windows", np.ones(len(rows), bool), "")]
    shared = shares_with_training(examples, rows)
    if shared.any():
        measured = examples.info["labels"] == "score"
        count = (shared & (measured | (examples.targets[rows, 0] > 0))).sum()
        noun = "sequence" if measured else "positive"
        plural = "" if count == 1 else "s"
        note = f"left out: {count} {noun}{plural} sharing a {splits.LONGEST_KMER}-mer with training"
        subsets.append((DISTINCT, ~shared, note))
    return subsets


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
    parts = itertools.product(_subsets(examples, rows), _contrasts(examples, rows))
    for number, ((subset, kept, note), (kind, judged)) in enumerate(parts):
        mask = kept & judged
        common = named | {"examples": subset, "negatives": kind, "note": note}
        for name, one in scored.items():
            found = classification_metrics(
                labels[mask], one.scores[mask], groups=groups[mask], **settings
            )
            if one.members is not None:
                found |= auroc_spread(labels[mask], one.members[:, mask])
            table.append(metrics_row(**common, **one.about, metrics=found))
            if number == 0:
                drawn.append(curves(labels[mask], one.scores[mask]).assign(model=name))
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
    for subset, kept, note in _subsets(examples, rows):
        common = named | {"examples": subset, "negatives": "none", "note": note}
        for name, one in scored.items():
            found = regression_metrics(targets[kept], one.scores[kept], n_bootstrap=0)
            if one.members is not None:
                found |= pearson_spread(targets[kept], one.members[:, kept])
            if name == "pwm":
                found["mse"] = float("nan")  # bits are no scores
            table.append(metrics_row(**common, **one.about, metrics=found))
    for name, one in scored.items():
        points = {"model": name, "curve": "scores", "x": targets, "y": one.scores}
        drawn.append(pd.DataFrame(points))
    write_table(metrics_table(table), metrics)
    write_table(pd.concat(drawn), curve_table)
    main = next(iter(scored))
    draw_scatter(
        targets, scored[main].scores, f"{named['dataset']}: {main} on test sequences", figure
    )


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
        scored[name] = Scored(about, read_arrays(path)[0]["scores"][:, column])
    preset = models.load(weights).info["preset"]
    scored |= _score_all(bins, {preset: weights}, motif, release, True, singles=False)
    sampled = examples.kind[rows] == examples.info["kinds"].index("sampled")
    table = []
    for name, mask in (("bins", sampled), ("bins-all", np.ones(len(rows), bool))):
        for one in scored.values():
            found = classification_metrics(labels[mask], one.scores[mask], n_bootstrap, seed)
            if one.members is not None:
                found |= auroc_spread(labels[mask], one.members[:, mask])
            row = {"dataset": dataset, "tf": tf, "examples": name, "negatives": "bins"}
            table.append(metrics_row(**row, **one.about, metrics=found))
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
