"""A linear model of gapped k-mer counts: what the networks have to be better than.

A feature is the number of times that two 3-mers stand in a sequence with a given number of bases
between them, 0 (a plain 6-mer) to 6: the spaced dyads of van Helden, Rios & Collado-Vides 2000,
Nucleic Acids Research 28:1808, a simple case of the gapped k-mers of Ghandi et al. 2014, PLoS
Computational Biology 10:e1003711. docs/baselines.md says what else was tried.

The counts are a sparse matrix, which takes some 50 times the room of the bases: 5 kB a sequence of
101. The fits are scikit-learn's logistic regression and, for measured scores, ridge regression.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from motifloom.baselines import training_examples, validation_examples, write_scores
from motifloom.files import write_table
from motifloom.sequences import UNKNOWN, decode
from motifloom.store import SequenceStore

log = logging.getLogger(__name__)

MAX_GAP = 6
PRESET = f"3-mer pairs, gaps 0-{MAX_GAP}"
# Inverse strengths of the penalty, strongest first: scikit-learn's C, for counts scaled so that
# the features of a training sequence have a length of about 1.
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
DEFAULT_STRENGTH = 3.0
_WORD = 3
_WORDS = 4**_WORD
_PAIRS = _WORDS**2
_NO_WORD = _WORDS  # a 3-mer that holds an N
_BLOCK = 1 << 17  # bases whose k-mers are counted at a time
_MOST_ITERATIONS = 1000  # some 30 are needed
_WEIGHTS_SHOWN = 100


def fit_kmer(
    store: str | Path,
    scores: str | Path,
    choice: str | Path,
    weights: str | Path,
    *,
    seed: int,
    negatives_per_positive: int,
) -> None:
    """Fit the model to a store's training split and write its scores of the test split.

    The penalty is chosen on the validation split by AUROC (for measured scores by Pearson's
    correlation), from the strongest on until a weaker one is no better; where that split cannot
    tell, it is DEFAULT_STRENGTH. `choice` gets a row a strength tried, `weights` the heaviest
    features, per count: log-odds, or units of the score. Raises InputError where a class lacks.
    """
    examples = SequenceStore.open(store)
    both = examples.info["alphabet"] == "dna"
    regression = examples.info["labels"] == "score"
    codes, targets = training_examples(examples, negatives_per_positive, seed)
    held = validation_examples(examples)
    counts = gapped_kmer_counts(codes, both)
    fits = fitted_path(counts, targets, regression, STRENGTHS)
    best, table = _chosen(fits, held, both, regression)
    if best is None:
        (best,) = fitted_path(counts, targets, regression, (DEFAULT_STRENGTH,))
        table = [{"strength": DEFAULT_STRENGTH, "validation": np.nan}]
    test = examples.codes[examples.rows("test")]
    write_scores(best.scores(test, both), scores, "kmer", PRESET)
    frame = pd.DataFrame(table)
    write_table(frame.assign(chosen=(frame.strength == best.strength).astype(int)), choice)
    write_table(heaviest(best.weights, both), weights)


@dataclass(frozen=True)
class LinearModel:
    """Weights float64 [F] of the features' counts, the intercept, and the strength C."""

    weights: np.ndarray
    intercept: float
    strength: float

    def scores(self, codes: np.ndarray, both_strands: bool) -> np.ndarray:
        """Scores, float64 [N], of base codes [N, L]: log-odds, or predicted scores."""
        parts = [counts @ self.weights for counts in _count_blocks(codes, both_strands)]
        return np.concatenate([np.empty(0), *parts]) + self.intercept


def gapped_kmer_counts(codes: np.ndarray, both_strands: bool) -> sparse.csr_array:
    """Counts of all gapped k-mers in base codes [N, L]: float32 [N, F], indices int32.

    With `both_strands` a k-mer and its reverse complement are one feature. K-mers that hold an N
    in one of their 3-mers are counted nowhere; an N between these does not matter. Features are
    numbered as in `feature_names`.
    """
    places = sum(max(codes.shape[1] - 2 * _WORD - gap + 1, 0) for gap in range(MAX_GAP + 1))
    # Room for distinct k-mers everywhere: what stays unused takes no memory, a second copy would.
    columns = np.empty(len(codes) * places, np.int32)
    values = np.empty(len(columns), np.float32)
    starts, filled = [np.zeros(1, np.int64)], 0
    for block in _count_blocks(codes, both_strands):
        stop = filled + block.nnz
        columns[filled:stop], values[filled:stop] = block.indices, block.data
        starts.append(filled + block.indptr[1:].astype(np.int64))
        filled = stop
    rows = np.concatenate(starts).astype(sparse.get_index_dtype(maxval=filled))
    shape = (len(codes), n_features(both_strands))
    return sparse.csr_array((values[:filled], columns[:filled], rows), shape=shape)


def n_features(both_strands: bool) -> int:
    """The number of features F."""
    return len(_distinct_pairs(both_strands)) * (MAX_GAP + 1)


def feature_names(both_strands: bool) -> list[str]:
    """The features' k-mers in the order of their numbers, by gap, then by sequence, gaps as N.

    Of two reverse complements the first in the alphabet stands for both.
    """
    shifts = 2 * np.arange(2 * _WORD)[::-1]
    pairs = _distinct_pairs(both_strands)[:, None] >> shifts & 3
    gaps = range(MAX_GAP + 1)
    columns = [[*range(_WORD), *[-1] * gap, *range(_WORD, 2 * _WORD)] for gap in gaps]
    padded = np.pad(pairs, ((0, 0), (0, 1)), constant_values=UNKNOWN)  # column -1 is N
    return [decode(row) for order in columns for row in padded[:, order]]


def heaviest(weights: np.ndarray, both_strands: bool) -> pd.DataFrame:
    """The features of the largest weights [F] of either sign: columns kmer, weight."""
    order = np.argsort(-np.abs(weights), kind="stable")[:_WEIGHTS_SHOWN]
    names = np.array(feature_names(both_strands), object)
    return pd.DataFrame({"kmer": names[order], "weight": weights[order]})


def fitted_path(
    counts: sparse.csr_array, targets: np.ndarray, regression: bool, strengths: tuple[float, ...]
) -> Iterator[LinearModel]:
    """The model under each of the strengths, fitted when it is asked for.

    `targets` float [N] are labels 0 and 1, or with `regression` scores. Minimised over w and b is
    C * sum(loss) + |w|^2 / 2 for counts divided by their root mean squared length, the loss being
    log(1 + exp(-z)) of the label's sign or half the squared error. A logistic regression begins
    where that of the strength before ended.
    """
    # Few k-mers stand twice in a sequence, so the sum of its counts is that of their squares.
    # A penalty for plain counts that is so much stronger spares a scaled copy of them.
    squared_length = counts.sum() / counts.shape[0] or 1.0
    if regression:
        model = Ridge(solver="lsqr", copy_X=False)
    else:
        model = LogisticRegression(max_iter=_MOST_ITERATIONS, warm_start=True)
    for strength in strengths:
        c = float(strength / squared_length)
        model.set_params(**{"alpha": 1 / c} if regression else {"C": c}).fit(counts, targets)
        log.info("C = %g: %d iterations", strength, np.ravel(model.n_iter_).item())
        weights = model.coef_.ravel().astype(np.float64)
        yield LinearModel(weights, np.ravel(model.intercept_).item(), strength)


def _chosen(
    fits: Iterator[LinearModel],
    held: tuple[np.ndarray, np.ndarray],
    both_strands: bool,
    regression: bool,
) -> tuple[LinearModel | None, list[dict]]:
    """The best model on the validation examples, None where they cannot tell, and what was seen."""
    codes, targets = held
    best, best_value, table = None, -np.inf, []
    if len(np.unique(targets)) < 2:
        return best, table
    for model in fits:
        predicted = model.scores(codes, both_strands)
        value = (_correlation if regression else roc_auc_score)(targets, predicted)
        table.append({"strength": model.strength, "validation": value})
        if not value > best_value:
            break
        best, best_value = model, value
    return best, table


def _correlation(targets: np.ndarray, scores: np.ndarray) -> float:
    """Pearson's correlation; 0 where the scores are constant."""
    return float(np.corrcoef(targets, scores)[0, 1]) if np.ptp(scores) else 0.0


def _count_blocks(codes: np.ndarray, both_strands: bool) -> Iterator[sparse.csr_array]:
    """The counts of `gapped_kmer_counts`, some rows at a time."""
    table, size = _feature_table(both_strands), max(1, _BLOCK // max(codes.shape[1], 1))
    for first in range(0, len(codes), size):
        words = _words(codes[first : first + size])
        pairs = [
            table[gap][words[:, : -_WORD - gap], words[:, _WORD + gap :]]
            for gap in range(MAX_GAP + 1)
        ]
        features = np.concatenate(pairs, axis=1)
        known = features >= 0
        starts = np.append(0, np.cumsum(known.sum(axis=1))).astype(np.int32)
        entries = (np.ones(starts[-1], np.float32), features[known], starts)
        counts = sparse.csr_array(entries, shape=(len(words), n_features(both_strands)))
        counts.sum_duplicates()
        yield counts


def _feature_table(both_strands: bool) -> np.ndarray:
    """Feature of two 3-mers at every gap, int32 [MAX_GAP + 1, 65, 65]; -1 where one has an N.

    A 3-mer's number has two bits a base (A, C, G, T = 0..3), first base highest.
    """
    kept = _distinct_pairs(both_strands)
    ids = np.searchsorted(kept, _canonical_pairs() if both_strands else np.arange(_PAIRS))
    ids = ids + np.arange(MAX_GAP + 1)[:, None] * len(kept)
    padded = np.pad(ids.reshape(-1, _WORDS, _WORDS), ((0, 0), (0, 1), (0, 1)), constant_values=-1)
    return padded.astype(np.int32)


def _words(codes: np.ndarray) -> np.ndarray:
    """Number of the 3-mer at every place of base codes [N, L], [N, L - 2]; _NO_WORD with an N."""
    parts = [codes[:, i : codes.shape[1] - _WORD + 1 + i] for i in range(_WORD)]
    words = (16 * parts[0] + 4 * parts[1] + parts[2]).astype(np.intp)
    return np.where(np.maximum.reduce(parts) < 4, words, _NO_WORD)


def _canonical_pairs() -> np.ndarray:
    """The smaller of each pair's number and that of its reverse complement, int64 [4096]."""
    pairs = np.arange(_PAIRS)
    reverse = sum((3 - (pairs >> 2 * i & 3)) << 2 * (2 * _WORD - 1 - i) for i in range(2 * _WORD))
    return np.minimum(pairs, reverse)


def _distinct_pairs(both_strands: bool) -> np.ndarray:
    """The numbers of the pairs that stand for a feature, ascending."""
    return np.unique(_canonical_pairs()) if both_strands else np.arange(_PAIRS)
