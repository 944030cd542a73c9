"""Scores of sequences of any length: as a whole, and in the windows that a model was trained on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motifloom import inference
from motifloom.bin_store import gather
from motifloom.files import InputError
from motifloom.sequences import (
    UNKNOWN,
    check_codes,
    check_letters,
    encode,
    read_fasta,
    reverse_complement,
)
from motifloom.weights import takes_any_length

STEP = 10  # bases from one window to the next
_WINDOWS = 8192  # windows scored at a time
_BASES = 1 << 22  # bases of whole sequences scored at a time


@dataclass(frozen=True)
class Stretches:
    """n stretches of sequence on arrays that hold more of it on both sides.

    flat:         uint8, base codes of chromosomes, or other sequences, end to end
    begins, ends: int64 [n], where in `flat` the sequence that a stretch lies on begins and ends
    first, last:  int64 [n], where in `flat` the stretch begins and ends
    turned:       bool [n], whether the reverse complement is scored
    """

    flat: np.ndarray
    begins: np.ndarray
    ends: np.ndarray
    first: np.ndarray
    last: np.ndarray
    turned: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class StretchScores:
    """Scores of n stretches by one target of a model.

    whole: float32 [n], of the stretch as one sequence; NaN where the network does not take it
    best:  float32 [n], the largest of all windows of the trained length
    at:    int64 [n], first base, counted from the stretch's own, of the first window with it
    """

    whole: np.ndarray
    best: np.ndarray
    at: np.ndarray


def score_sequences(
    model, sequences: Sequence[str] | Sequence[np.ndarray] | np.ndarray | str | Path
) -> np.ndarray:
    """Scores of sequences by a trained model, float32 [N, T], T its targets (`info["targets"]`).

    model:     what `inference.load` or `models.load` gave, or the path of a trained model: its
               weights file or folder
    sequences: a list of texts of nucleotide letters, or of base codes (uint8 [L] each; one array
               [N, L] will do); or the path of a FASTA file, plain or gzipped

    Scores are logits for 0/1 labels, and in the unit of the training's otherwise. Sequences may
    differ in length where the network takes any length, as every DeepBind does from its kernel's
    up. Raises InputError, naming the sequence, for other lengths and letters that are none.

    By a model of yeast's Reb1, whose motif is TTACCCG:

    >>> score_sequences("results/yeast/models/deepbind/Reb1", ["CGTTACCCGGAAT", "TTAGGCGGATTACCA"])
    array([[ 2.19], [-0.37]], dtype=float32)
    """
    if isinstance(model, str | Path):
        model = inference.load(model)
    names, records = _records(sequences)
    scores = np.empty((len(records), len(model.info["targets"])), np.float32)
    lengths = np.array([len(record) for record in records], np.int64)
    for length in np.unique(lengths):
        rows = np.flatnonzero(lengths == length)
        if fault := unfit_length(model.info, int(length)):
            raise InputError(f"{names[rows[0]]}: {fault}")
        for part in np.array_split(rows, -(-len(rows) * length // _BASES)):
            scores[part] = model.score(np.stack([records[row] for row in part]))
    return scores


def _records(sequences) -> tuple[Sequence[str], Sequence[np.ndarray]]:
    """What each sequence is called in an error, and its base codes uint8 [L]."""
    if isinstance(sequences, str | Path):
        names, records = read_fasta(sequences)
        return [f"{sequences}: record {name}" for name in names], records
    names = [f"sequence {number + 1}" for number in range(len(sequences))]
    return names, [_codes(*one) for one in zip(sequences, names, strict=True)]


def _codes(sequence: str | np.ndarray, name: str) -> np.ndarray:
    if isinstance(sequence, str):
        check_letters(sequence, name)
        return encode(sequence)
    codes = np.asarray(sequence)
    if codes.ndim != 1 or codes.dtype != np.uint8 or (codes.size and codes.max() > UNKNOWN):
        raise InputError(f"{name}: is neither letters nor base codes (uint8, 0 to 4)")
    return codes


def unfit_length(info: dict, length: int) -> str:
    """Why a trained model does not take sequences of that length; "" where it does."""
    settings = info["hyperparameters"]
    if not takes_any_length(info):
        trained = settings["length"]
        return "" if length == trained else f"has {length} bp; this network takes {trained} bp"
    shortest = settings["kernel_size"]
    return "" if length >= shortest else f"has {length} bp; a kernel has {shortest} bp"


def is_stranded(info: dict) -> bool:
    """Whether a model's score tells the two strands of a sequence apart.

    That is so of RNA, and of DNA's where neither the kernels nor the preset read both strands.
    """
    settings = info["hyperparameters"]
    both = settings.get("both_strands") or settings.get("direct")
    return info["strands"] == "given" and not both


def score_stretches(model, stretches: Stretches, target: int = 0) -> StretchScores:
    """Score stretches as a whole and in windows of the trained length.

    Windows begin every STEP bases from the stretch's first, closer where a kernel's site could
    lie in none of them, and a last one ends with it, so that all lie within it. A stretch that is
    not longer than a window has one around its middle, on what lies beside it; beyond the ends of
    all sequence reads N. Memory does not grow with n but for the scores themselves.
    """
    best, at = _best_windows(model, stretches, target)
    return StretchScores(_whole(model, stretches, target), best, at)


def _whole(model, stretches: Stretches, target: int) -> np.ndarray:
    """Scores float32 [n] of whole stretches; NaN of those that the network does not take."""
    scores = np.full(len(stretches), np.nan, np.float32)
    lengths = stretches.last - stretches.first
    for length in np.unique(lengths):
        if unfit_length(model.info, int(length)):
            continue
        rows = np.flatnonzero(lengths == length)
        for part in np.array_split(rows, -(-len(rows) * length // _BASES)):
            codes = _gathered(stretches, part, stretches.first[part], int(length))
            scores[part] = model.score(codes)[:, target]
    return scores


def _best_windows(model, stretches, target) -> tuple[np.ndarray, np.ndarray]:
    """The best windows' scores float32 [n], and where they begin, int64 [n] from `first` on."""
    settings, n = model.info["hyperparameters"], len(stretches)
    length = settings["length"]
    step = max(1, min(STEP, length - settings.get("kernel_size", 1) + 1))
    best, at = np.full(n, -np.inf, np.float32), np.zeros(n, np.int64)
    for rows, places in _windows(stretches, length, step):
        codes = _gathered(stretches, rows, stretches.first[rows] + places, length)
        scores = model.score(codes)[:, target]
        groups = np.concatenate([[0], np.flatnonzero(np.diff(rows)) + 1])
        owners, largest = rows[groups], np.maximum.reduceat(scores, groups)
        sizes = np.diff(groups, append=len(rows))
        # The first window of each group that has the group's largest score.
        order = np.where(scores == np.repeat(largest, sizes), np.arange(len(rows)), len(rows))
        winners = np.minimum.reduceat(order, groups)
        better = largest > best[owners]
        best[owners[better]] = largest[better]
        at[owners[better]] = places[winners[better]]
    return best, at


def _windows(
    stretches: Stretches, length: int, step: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of windows: rows of their stretches, ascending, and first bases from `first` on."""
    sizes = stretches.last - stretches.first
    counts = np.maximum(-(-(sizes - length) // step), 0) + 1
    ends = np.cumsum(counts)
    for begin in range(0, int(counts.sum()), _WINDOWS):
        numbers = np.arange(begin, min(begin + _WINDOWS, ends[-1]))
        rows = np.searchsorted(ends, numbers, side="right")
        places = (numbers - (ends[rows] - counts[rows])) * step
        longest = sizes[rows] - length
        middle = (stretches.first + stretches.last)[rows] // 2 - length // 2
        around = middle - stretches.first[rows]
        yield rows, np.where(longest > 0, np.minimum(places, longest), around)


def _gathered(stretches: Stretches, rows, starts, length: int) -> np.ndarray:
    """Base codes uint8 [m, length] from `starts` of `flat` on, turned where the stretch is."""
    codes = np.empty((len(rows), length), np.uint8)
    gather(stretches.flat, starts, stretches.begins[rows], stretches.ends[rows], codes)
    turned = stretches.turned[rows]
    codes[turned] = reverse_complement(codes[turned])
    return check_codes(codes)
