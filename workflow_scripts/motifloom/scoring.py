"""Trained models and known matrices on the test split, on bins and on the user's sequences."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import inference
from motifloom.bin_store import BinStore
from motifloom.comparisons import compare, comparison_table, pairs_with_first
from motifloom.databases import load_motif
from motifloom.evaluation import (
    RECALLS,
    auroc_spread,
    classification_metrics,
    metrics_row,
    metrics_table,
)
from motifloom.files import InputError, write_table
from motifloom.pwm import log_odds, matrix_scores
from motifloom.sequences import read_fasta
from motifloom.store import read_arrays, write_arrays

LEFT_OUT = "too few labelled training bins (multitask: min_positives)"
# Bins a block of predicted scores: one track's part of a block is read with few disk accesses.
BLOCK = 8192
_BIN_SUBSETS = ("bins", "bins-all")


@dataclass(frozen=True)
class Scored:
    """The scores [N] of a row of metrics.tsv, and what the row says of the model.

    `members` [M, N] are the scores of an ensemble's members, each alone; None of anything else.
    """

    about: dict
    scores: np.ndarray
    members: np.ndarray | None = None


@dataclass(frozen=True)
class Scorer:
    """What a row says of a model, and its scores of codes uint8 [n, L].

    These are float32 [1 + M, n]: those of the whole, then of each of M members; M is 0 for a
    matrix. `best` is the number of the member that is best by validation.
    """

    about: dict
    score: Callable[[np.ndarray], np.ndarray]
    best: int = 0


def scorers_of(weights, motif, release, both_strands) -> dict[str, Scorer]:
    """Every model by name, the known matrix as "pwm"."""
    found = {}
    for preset, path in weights.items():
        model = inference.load(path)
        about = {"model": preset, "preset": preset, "members": model.info["members"]}
        found[preset] = Scorer(about, partial(_scores_of, model), model.info["best_member"])
    if motif:
        matrix = log_odds(load_motif(motif, release).matrix)
        about = {"model": "pwm", "preset": motif.rpartition("#")[2], "members": 1}
        hits = partial(matrix_scores, log_odds=matrix, both_strands=both_strands)
        found["pwm"] = Scorer(about, lambda codes: hits(codes)[None])
    return found


def _scores_of(model, codes: np.ndarray) -> np.ndarray:
    """Scores of an ensemble and of its members, float32 [1 + M, n], of one target."""
    scores, members = model.score_members(codes)
    return np.concatenate([scores[None], members])[..., 0]


def score_all(
    blocks: Iterable[np.ndarray],
    scorers: Mapping[str, Scorer],
    singles: bool = False,
) -> dict[str, Scored]:
    """Scores of the codes in all blocks; with `singles` of an ensemble's best training too."""
    parts = {name: [] for name in scorers}
    for codes in blocks:
        for name, scorer in scorers.items():
            parts[name].append(scorer.score(codes))
    scored = {}
    for name, scorer in scorers.items():
        scores, *members = np.concatenate(parts[name], axis=1)
        several = np.array(members) if len(members) > 1 else None
        scored[name] = Scored(scorer.about, scores, several)
        if singles and several is not None:
            about = scorer.about | {"model": f"{name}-single", "members": 1}
            scored[about["model"]] = Scored(about, several[scorer.best])
    return scored


def predict_bins(
    store: str | Path,
    genome: str | Path,
    weights: str | Path,
    output: str | Path,
    device: str = "cpu",
) -> None:
    """Write a multi-task model's logits of all test bins, in the store's order.

    They are the array `scores` float32 [blocks, T, BLOCK], the last block filled up with NaN, so
    that one track is read without the others (`read_track`). Raises InputError where the device
    asked for is not there.
    """
    from motifloom import models  # not for jobs that predict nothing
    from motifloom.hardware import choose_device

    bins = BinStore.open(store, genome)
    model = models.load(weights).to(choose_device(device))
    targets = bins.info["targets"]
    if model.info["targets"] != targets:
        raise InputError(f"{weights}: its targets are not those of {store}; train it again")
    rows = bins.rows("test")
    shape = (-(-len(rows) // BLOCK), len(targets), BLOCK)
    info = {"rows": "test", "n": len(rows), "targets": targets}
    scores = (_predict_block(model, codes) for codes in _code_blocks(bins, rows))
    write_arrays(output, {"scores": (shape, np.float32)}, scores, info)


def _predict_block(model, codes: np.ndarray) -> np.ndarray:
    """Logits float32 [1, T, BLOCK] of codes uint8 [n, L], n at most BLOCK."""
    scores = np.full((1, len(model.info["targets"]), BLOCK), np.nan, np.float32)
    scores[0, :, : len(codes)] = model.score(codes, batch_size=256).T
    return scores


def _code_blocks(bins: BinStore, rows: np.ndarray, crop: int = 0) -> Iterator[np.ndarray]:
    """Codes of rows [n], BLOCK at a time, `crop` bases of the contexts left out on both sides."""
    return (
        bins.codes(rows[first : first + BLOCK], crop=crop) for first in range(0, len(rows), BLOCK)
    )


def read_track(path: str | Path, target: str) -> np.ndarray:
    """One target's scores, float32 [n], out of a file of `predict_bins`."""
    arrays, info = read_arrays(path)
    if target not in info.get("targets", ()):
        raise InputError(f"{path}: has no scores of {target!r}; predict the bins again")
    return arrays["scores"][:, info["targets"].index(target)].ravel()[: info["n"]]


def evaluate_bins(
    store: str | Path,
    genome: str | Path,
    predictions: Mapping[str, str | Path],
    weights: str | Path,
    metrics: str | Path,
    comparisons: str | Path,
    *,
    dataset: str,
    tf: str,
    motif: str,
    release: str,
    n_bootstrap: int,
    seed: int,
    recalls: Sequence[float] = RECALLS,
) -> None:
    """Metrics on one dataset's test bins: multi-task models, DeepBind and the known matrix.

    DeepBind and the matrix score the bin itself (best hit over its bases), the multi-task models
    (`predictions`: model -> file) its context. Rows "bins" take bins with any dataset's label
    and the sampled share of others; "bins-all" every test bin. Of a dataset that was left out for
    want of labelled training bins the rows say so, and have no numbers. `comparisons` gets the
    differences of DeepBind to each of the others and of the multi-task models to each other.
    """
    bins = BinStore.open(store, genome)
    multitask = {name: {"model": name, "preset": name, "members": 1} for name in predictions}
    scorers = scorers_of({inference.load(weights).info["preset"]: weights}, motif, release, True)
    common = {"dataset": dataset, "tf": tf, "negatives": "bins"}
    if dataset not in bins.info["targets"]:
        about = [*multitask.values(), *(scorer.about for scorer in scorers.values())]
        table = [
            metrics_row(**common, **one, examples=name, metrics={}, note=LEFT_OUT, recalls=recalls)
            for name, one in itertools.product(_BIN_SUBSETS, about)
        ]
        differences = []
    else:
        scored = {
            name: Scored(multitask[name], read_track(path, dataset))
            for name, path in predictions.items()
        }
        crop = (bins.length - bins.info["bin"]) // 2
        scored |= score_all(_code_blocks(bins, bins.rows("test"), crop), scorers)
        settings = {"n_bootstrap": n_bootstrap, "seed": seed}
        pairs = pairs_with_first([*scorers, *predictions])
        pairs = [*pairs, *itertools.combinations(predictions, 2)]
        table, differences = _judge_bins(bins, scored, pairs, common, recalls, settings)
    write_table(metrics_table(table, recalls), metrics)
    write_table(comparison_table(differences), comparisons)


def _judge_bins(
    bins: BinStore, scored: Mapping[str, Scored], pairs, common, recalls, settings
) -> tuple[list, list]:
    """Rows of metrics.tsv and comparisons.tsv of a dataset's test bins, sampled ones and all."""
    rows = bins.rows("test")
    labels = bins.track(rows, bins.info["targets"].index(common["dataset"]))
    sampled = bins.kind[rows] == bins.info["kinds"].index("sampled")
    compared = {key: common[key] for key in ("dataset", "negatives")}
    table, differences = [], []
    for name, mask in zip(_BIN_SUBSETS, (sampled, np.ones(len(rows), bool)), strict=True):
        for one in scored.values():
            found = classification_metrics(
                labels[mask], one.scores[mask], recalls=recalls, **settings
            )
            if one.members is not None:
                found |= auroc_spread(labels[mask], one.members[:, mask])
            named = common | one.about | {"examples": name, "recalls": recalls}
            table.append(metrics_row(**named, metrics=found))
        masked = {model: one.scores[mask] for model, one in scored.items()}
        found = compare(labels[mask], masked, pairs, binary=True, **settings)
        differences += [compared | {"examples": name} | row for row in found]
    return table, differences


def score_fasta(weights: str | Path, fasta: str | Path, output: str | Path) -> None:
    """Write a table of a FASTA's records: sequence, length and one column of scores a target."""
    from motifloom import models  # not for jobs that read no FASTA

    model = models.load(weights)
    names, records = read_fasta(fasta)
    scores = model.score(fasta)
    table = pd.DataFrame({"sequence": names, "length": [len(record) for record in records]})
    for target, column in zip(model.info["targets"], scores.T, strict=True):
        table[target] = column
    write_table(table, output)
