"""What the baselines share: the examples that the networks are trained on, and scores on disk."""

from pathlib import Path

import numpy as np

from motifloom.files import InputError
from motifloom.negatives import dinucleotide_shuffle
from motifloom.store import SequenceStore, read_arrays, write_arrays


def training_examples(
    store: SequenceStore, negatives_per_positive: int, seed: int, most_positives: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Base codes uint8 [N, L] and targets float32 [N] of a store's training split.

    Where negatives are dinucleotide shuffles, which no store keeps for training, each positive is
    followed at the end by `negatives_per_positive` of them, drawn once from `seed`. With
    `most_positives` the first so many positives are taken, which are the strongest, and of other
    negatives so many that their share stays. Raises InputError where binary labels lack a class.
    """
    info = store.info
    rows = store.rows("train", _kinds(store))
    shuffled = info["labels"] == "binary" and info["negatives"] == "dinucleotide"
    if most_positives is not None:
        rows = _strongest(rows, store.targets[rows, 0] > 0, most_positives)
    codes, targets = np.asarray(store.codes[rows]), np.asarray(store.targets[rows, 0])
    if shuffled:
        made = dinucleotide_shuffle(np.repeat(codes, negatives_per_positive, axis=0), seed)
        codes = np.concatenate([codes, made])
        targets = np.concatenate([targets, np.zeros(len(made), np.float32)])
    if info["labels"] == "binary" and len(np.unique(targets > 0)) < 2:
        raise InputError(
            f"dataset {info['dataset']}: the training split holds one class only; give examples of"
            " both or choose negatives: kinds: [dinucleotide]"
        )
    return codes, targets


def validation_examples(store: SequenceStore) -> tuple[np.ndarray, np.ndarray]:
    """Base codes uint8 [N, L] and targets float32 [N] of a store's validation split; N may be 0.

    Its negatives are of the kind that is trained on.
    """
    rows = store.rows("validation", _kinds(store))
    return np.asarray(store.codes[rows]), np.asarray(store.targets[rows, 0])


def write_scores(scores: np.ndarray, path: str | Path, model: str, preset: str) -> None:
    """Write a baseline's scores [N] of all test rows, in the store's order, as float32 [N, 1].

    `model` and `preset` are what metrics.tsv says of them.
    """
    info = {"rows": "test", "model": model, "preset": preset}
    block = np.asarray(scores, np.float32)[:, None]
    write_arrays(path, {"scores": (block.shape, np.float32)}, [block], info)


def read_scores(path: str | Path, n: int) -> tuple[dict, np.ndarray]:
    """What metrics.tsv says of a baseline (model, preset, members), and its scores float32 [n].

    Raises InputError where the file holds other than `n` scores.
    """
    arrays, info = read_arrays(path)
    scores = arrays["scores"][:, 0]
    if len(scores) != n:
        raise InputError(f"{path}: holds {len(scores)} scores of {n} test rows; make it again")
    return {"model": info["model"], "preset": info["preset"], "members": 1}, scores


def _kinds(store: SequenceStore) -> tuple[str, ...]:
    """The kinds of examples that are trained on: positives, and the first kind of negatives."""
    return ("site", "given", store.info["negatives"])


def _strongest(rows: np.ndarray, positive: np.ndarray, most: int) -> np.ndarray:
    """The rows of the first `most` positives, and the same share of the others, in their order."""
    n_positive = positive.sum()
    if n_positive <= most:
        return rows
    n_others = round((~positive).sum() * most / n_positive)
    return np.sort(np.concatenate([rows[positive][:most], rows[~positive][:n_others]]))
