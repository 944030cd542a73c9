"""A linear model of gapped k-mer counts: what the networks have to be better than.

A feature is the number of times that two 3-mers stand in a sequence with a given number of bases
between them, 0 (a plain 6-mer) to 6: the spaced dyads of van Helden, Rios & Collado-Vides 2000,
Nucleic Acids Research 28:1808, a simple case of the gapped k-mers of Ghandi et al. 2014, PLoS
Computational Biology 10:e1003711. docs/baselines.md says what else was tried.

Counts are never stored, since 700 of them a sequence take 50 times the room of its bases. What a
fit needs, their products with weights and with residuals, are sums over look-ups in a table that
fits the cache, made anew from the bases at every step. The fit is that of a logistic regression
(or, for measured scores, a ridge regression) with an intercept that is not penalised.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit
from scipy.special import expit

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
_STRIDE = 128  # a power of two above _NO_WORD, so that a pair's place is a shift and an or
_MOST_ITERATIONS = 100
_TOLERANCE = 1e-4  # of the gradient of the mean loss; finer ones changed no metric's third digit
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
    fits = fitted_path(GappedKmers(codes, both), targets, regression, STRENGTHS)
    best, table = _chosen(fits, held, both, regression)
    if best is None:
        (best,) = fitted_path(GappedKmers(codes, both), targets, regression, (DEFAULT_STRENGTH,))
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
        return GappedKmers(codes, both_strands).dot(self.weights) + self.intercept


class GappedKmers:
    """The counts X [N, F] of all gapped k-mers in base codes [N, L], as a matrix never formed.

    With `both_strands` a k-mer and its reverse complement are one feature. K-mers that hold an N
    in one of their 3-mers are counted nowhere; an N between these does not matter. Features are
    numbered as in `feature_names`.
    """

    def __init__(self, codes: np.ndarray, both_strands: bool):
        self.ids = feature_ids(both_strands)
        self.n_features = int(self.ids.max()) + 1
        self.words = _encode_words(np.ascontiguousarray(codes, np.uint8))

    def __len__(self) -> int:
        return len(self.words)

    def dot(self, weights: np.ndarray) -> np.ndarray:
        """X w, float64 [N], of weights [F]."""
        table = np.zeros((MAX_GAP + 1, _WORDS + 1, _STRIDE), np.float32)
        table[:, :_WORDS, :_WORDS] = weights[self.ids].reshape(-1, _WORDS, _WORDS)
        sums = np.empty(len(self.words))
        _look_up(self.words, table.reshape(MAX_GAP + 1, -1), sums)
        return sums

    def transposed_dot(self, values: np.ndarray) -> np.ndarray:
        """X' v, float64 [F], of values [N]."""
        table = np.zeros((MAX_GAP + 1, _WORDS + 1, _STRIDE))
        _spread(self.words, np.asarray(values, np.float64), table.reshape(MAX_GAP + 1, -1))
        pairs = table[:, :_WORDS, :_WORDS].ravel()
        return np.bincount(self.ids.ravel(), pairs, self.n_features)


def feature_ids(both_strands: bool) -> np.ndarray:
    """Feature of every pair of 3-mers at every gap, int64 [MAX_GAP + 1, 4096].

    A pair's number has two bits a base (A, C, G, T = 0..3), first base highest. With
    `both_strands` a pair and its reverse complement share a feature.
    """
    kept = _distinct_pairs(both_strands)
    ids = np.searchsorted(kept, _canonical_pairs() if both_strands else np.arange(_PAIRS))
    return ids + np.arange(MAX_GAP + 1)[:, None] * len(kept)


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
    counts: GappedKmers, targets: np.ndarray, regression: bool, strengths: tuple[float, ...]
) -> Iterator[LinearModel]:
    """The model under each of the strengths, fitted when it is asked for.

    `targets` float [N] are labels 0 and 1, or with `regression` scores. Minimised over w and b is
    C * sum(loss) + |w|^2 / 2, the loss being log(1 + exp(-z)) of the label's sign or half the
    squared error of standardised scores, by L-BFGS (Liu & Nocedal 1989, Mathematical Programming
    45:503), each strength beginning where the one before ended.
    """
    problem = _Problem(counts, targets, regression)
    point = np.zeros(counts.n_features + 1)
    for strength in strengths:
        point = problem.minimised(point, strength)
        yield problem.model(point, strength)


class _Problem:
    """The objective of one fit, over centred and scaled counts, which L-BFGS likes better."""

    def __init__(self, counts: GappedKmers, targets: np.ndarray, regression: bool):
        n = len(counts)
        self.counts, self.regression = counts, regression
        self.mean = counts.transposed_dot(np.ones(n)) / n
        # Few k-mers stand twice in a sequence, so the sum of its counts is that of their squares.
        self.scale = np.sqrt(self.mean.sum()) or 1.0
        self.offset, self.unit = 0.0, 1.0
        targets = np.asarray(targets, np.float64)
        if regression:
            self.offset, self.unit = targets.mean(), targets.std() or 1.0
        self.targets = (targets - self.offset) / self.unit

    def minimised(self, start: np.ndarray, strength: float) -> np.ndarray:
        """The weights of the scaled counts, and the intercept last: float64 [F + 1]."""
        from scipy.optimize import minimize

        found = minimize(
            self._objective,
            start,
            args=(1 / (strength * len(self.counts)),),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS, "gtol": _TOLERANCE, "ftol": 0},
        )
        log.info("C = %g: loss %.5f after %d iterations", strength, found.fun, found.nit)
        return found.x

    def _objective(self, point: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
        """Mean loss plus the penalty, and its gradient."""
        n, weights = len(self.counts), point[:-1]
        z = (self.counts.dot(weights) - self.mean @ weights) / self.scale + point[-1]
        if self.regression:
            residuals = z - self.targets
            loss = residuals @ residuals / 2
        else:
            residuals = expit(z) - self.targets
            loss = np.logaddexp(0, z).sum() - self.targets @ z
        slope = self.counts.transposed_dot(residuals) - residuals.sum() * self.mean
        gradient = np.append(slope / self.scale / n + penalty * weights, residuals.mean())
        return loss / n + penalty / 2 * (weights @ weights), gradient

    def model(self, point: np.ndarray, strength: float) -> LinearModel:
        """The same model over plain counts and in the targets' own units."""
        weights = point[:-1] / self.scale
        intercept = point[-1] - self.mean @ weights
        return LinearModel(weights * self.unit, intercept * self.unit + self.offset, strength)


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
        value = _correlation(targets, predicted) if regression else _auroc(targets > 0, predicted)
        table.append({"strength": model.strength, "validation": value})
        if not value > best_value:
            break
        best, best_value = model, value
    return best, table


def _auroc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), of positives bool [N] and scores [N]."""
    ranks = pd.Series(scores).rank().to_numpy()[positive]
    n_positive, n_negative = positive.sum(), (~positive).sum()
    return (ranks.sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def _correlation(targets: np.ndarray, scores: np.ndarray) -> float:
    """Pearson's correlation; 0 where the scores are constant."""
    return float(np.corrcoef(targets, scores)[0, 1]) if np.ptp(scores) else 0.0


def _canonical_pairs() -> np.ndarray:
    """The smaller of each pair's number and that of its reverse complement, int64 [4096]."""
    pairs = np.arange(_PAIRS)
    reverse = sum((3 - (pairs >> 2 * i & 3)) << 2 * (2 * _WORD - 1 - i) for i in range(2 * _WORD))
    return np.minimum(pairs, reverse)


def _distinct_pairs(both_strands: bool) -> np.ndarray:
    """The numbers of the pairs that stand for a feature, ascending."""
    return np.unique(_canonical_pairs()) if both_strands else np.arange(_PAIRS)


@njit(cache=True)
def _encode_words(codes):
    """Number of the 3-mer at every place, uint8 [N, L - 2]; _NO_WORD for one with an N."""
    words = np.empty((len(codes), max(codes.shape[1] - _WORD + 1, 0)), np.uint8)
    for i in range(words.shape[0]):
        for j in range(words.shape[1]):
            word = 0  # once beyond all words, it stays there
            for code in codes[i, j : j + _WORD]:
                word = 4 * word + code if code < 4 and word < _NO_WORD else _PAIRS
            words[i, j] = min(word, _NO_WORD)
    return words


@njit(cache=True)
def _look_up(words, table, sums):
    """Sum the entries of `table` [gaps, words * stride] at each sequence's pairs into `sums`."""
    for i in range(len(words)):
        total = 0.0
        for gap in range(len(table)):
            own, part = table[gap], np.float32(0)
            for j in range(words.shape[1] - _WORD - gap):
                part += own[_place(words[i, j], words[i, j + _WORD + gap])]
            total += part
        sums[i] = total


@njit(cache=True)
def _spread(words, values, table):
    """Add each sequence's value to the entries of `table` [gaps, words * stride] at its pairs."""
    for i in range(len(words)):
        value = values[i]
        for gap in range(len(table)):
            own = table[gap]
            for j in range(words.shape[1] - _WORD - gap):
                own[_place(words[i, j], words[i, j + _WORD + gap])] += value


@njit(cache=True)
def _place(first, second):
    # Unsigned, so that no look-up has to ask whether its index is negative.
    return np.uint64(first) * np.uint64(_STRIDE) | np.uint64(second)
