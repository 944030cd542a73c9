"""Trained models and known matrices on the test split, on bins and on the user's sequences."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import models, splits
from motifloom.baselines import read_scores
from motifloom.bin_store import BinStore
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
    dna = examples.info["alphabet"] == "dna"
    scored = _score_all([codes], _scorers(weights, motif, release, dna), singles=True)
    for about, scores in (read_scores(path, len(rows)) for path in baselines):
        scored[about["model"]] = Scored(about, scores)
    settings = {"n_bootstrap": n_bootstrap, "seed": seed}
    named = {"dataset": dataset, "tf": tf}
    if examples.info["labels"] == "score":
        _regression(examples, rows, scored, named, metrics, curve_table, figure)
    else:
        _classification(examples, rows, scored, named, settings, metrics, curve_table, figure)


@dataclass(frozen=True)
class _Scorer:
    """What a row says of a model, and its scores of codes uint8 [n, L].

    These are float32 [1 + M, n]: those of the whole, then of each of M members; M is 0 for a
    matrix. `best` is the number of the member that is best by validation.
    """

    about: dict
    score: Callable[[np.ndarray], np.ndarray]
    best: int = 0


def _scorers(weights, motif, release, both_strands) -> dict[str, _Scorer]:
    """Every model by name, the known matrix as "pwm"."""
    found = {}
    for preset, path in weights.items():
        model = models.load(path)
        about = {"model": preset, "preset": preset, "members": model.info["members"]}
        found[preset] = _Scorer(about, partial(_scores_of, model), model.info["best_member"])
    if motif:
        matrix = log_odds(load_motif(motif, release).matrix)
        about = {"model": "pwm", "preset": motif.rpartition("#")[2], "members": 1}
        hits = partial(matrix_scores, log_odds=matrix, both_strands=both_strands)
        found["pwm"] = _Scorer(about, lambda codes: hits(codes)[None])
    return found


def _scores_of(model: models.TrainedModel, codes: np.ndarray) -> np.ndarray:
    """Scores of an ensemble and of its members, float32 [1 + M, n], of one target."""
    scores, members = model.score_members(codes)
    return np.concatenate([scores[None], members])[..., 0]


def _score_all(
    blocks: Iterable[np.ndarray],
    scorers: Mapping[str, _Scorer],
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
    from motifloom.hardware import choose_device  # not for jobs that predict nothing

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


def _predict_block(model: models.TrainedModel, codes: np.ndarray) -> np.ndarray:
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
    and the sampled share of others; "bins-all" every test bin. Of a dataset that was left out for
    want of labelled training bins the rows say so, and have no numbers.
    """
    bins = BinStore.open(store, genome)
    multitask = {name: {"model": name, "preset": name, "members": 1} for name in predictions}
    scorers = _scorers({models.load(weights).info["preset"]: weights}, motif, release, True)
    common = {"dataset": dataset, "tf": tf, "negatives": "bins"}
    if dataset not in bins.info["targets"]:
        about = [*multitask.values(), *(scorer.about for scorer in scorers.values())]
        table = [
            metrics_row(**common, **one, examples=name, metrics={}, note=LEFT_OUT)
            for name, one in itertools.product(_BIN_SUBSETS, about)
        ]
    else:
        scored = {
            name: Scored(multitask[name], read_track(path, dataset))
            for name, path in predictions.items()
        }
        crop = (bins.length - bins.info["bin"]) // 2
        scored |= _score_all(_code_blocks(bins, bins.rows("test"), crop), scorers)
        table = _bin_rows(bins, scored, common, n_bootstrap, seed)
    write_table(metrics_table(table), metrics)


def _bin_rows(bins: BinStore, scored: Mapping[str, Scored], common, n_bootstrap, seed) -> list:
    """Rows of metrics.tsv of one dataset's test bins, the sampled ones and all."""
    rows = bins.rows("test")
    labels = bins.track(rows, bins.info["targets"].index(common["dataset"]))
    sampled = bins.kind[rows] == bins.info["kinds"].index("sampled")
    table = []
    for name, mask in zip(_BIN_SUBSETS, (sampled, np.ones(len(rows), bool)), strict=True):
        for one in scored.values():
            found = classification_metrics(labels[mask], one.scores[mask], n_bootstrap, seed)
            if one.members is not None:
                found |= auroc_spread(labels[mask], one.members[:, mask])
            table.append(metrics_row(**common, **one.about, examples=name, metrics=found))
    return table


def score_fasta(weights: str | Path, fasta: str | Path, output: str | Path) -> None:
    """Write a table of a FASTA's records: sequence, length and one column of scores a target."""
    model = models.load(weights)
    names, records = read_fasta(fasta)
    scores = model.score(fasta)
    table = pd.DataFrame({"sequence": names, "length": [len(record) for record in records]})
    for target, column in zip(model.info["targets"], scores.T, strict=True):
        table[target] = column
    write_table(table, output)
