"""What sets negatives apart: base composition of each kind of example, and the scores they get."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from motifloom.negatives import gc_content

DINUCLEOTIDES = tuple(first + second for first in "ACGT" for second in "ACGT")
COMPOSITION_COLUMNS = ("kind", "n", "gc_mean", "gc_sd", *DINUCLEOTIDES)
DISTRIBUTION_COLUMNS = ("model", "kind", "low", "high", "count")
_BASES = 1 << 22  # counted at a time
_BINS = 40


def base_composition(codes: np.ndarray, groups: Iterable[tuple[str, np.ndarray]]) -> pd.DataFrame:
    """GC content and dinucleotide frequencies of groups of sequences: COMPOSITION_COLUMNS.

    `codes` uint8 [N, L]; each of `groups` is a name and row numbers int [n]. gc_mean and gc_sd are
    mean and sample standard deviation over sequences of their share of G and C among known bases;
    dinucleotides AA to TT are shares of all overlapping pairs of known bases.
    """
    rows = []
    for kind, chosen in groups:
        gc, pairs = _gc_and_pairs(codes, chosen)
        known = gc[np.isfinite(gc)]
        row = {"kind": kind, "n": len(chosen)}
        row["gc_mean"] = known.mean() if len(known) else np.nan
        row["gc_sd"] = known.std(ddof=1) if len(known) > 1 else np.nan
        shares = pairs / pairs.sum() if pairs.any() else np.full(16, np.nan)
        rows.append(row | dict(zip(DINUCLEOTIDES, shares, strict=True)))
    return pd.DataFrame(rows, columns=list(COMPOSITION_COLUMNS))


def _gc_and_pairs(codes: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """GC content float [n] of rows [n] of codes, and counts int64 [16] of dinucleotides."""
    gc, pairs = np.empty(len(rows)), np.zeros(25, np.int64)
    size = max(1, _BASES // max(codes.shape[1], 1))
    for first in range(0, len(rows), size):
        block = np.asarray(codes[rows[first : first + size]])
        gc[first : first + size] = gc_content(block)
        pairs += np.bincount((5 * block[:, :-1] + block[:, 1:]).ravel(), minlength=25)
    return gc, pairs.reshape(5, 5)[:4, :4].ravel()


def score_distributions(
    models: Iterable[tuple[str, np.ndarray]], groups: Iterable[tuple[str, np.ndarray]]
) -> pd.DataFrame:
    """Histogram of every model's scores by kind of example: DISTRIBUTION_COLUMNS.

    `models` are names and scores [n], `groups` kinds and which examples they are, bool [n]. Bins
    of one model are the same for all kinds, 40 of equal width over all its scores; they hold
    low <= score < high, the last one its high end too. Models without finite scores are left out.
    """
    groups, parts = list(groups), []
    for model, scores in models:
        finite = np.isfinite(scores)
        if not finite.any():
            continue
        edges = np.histogram_bin_edges(scores[finite].astype(np.float64), _BINS)
        for kind, chosen in groups:
            count, _ = np.histogram(scores[finite & chosen], edges)
            part = {"low": edges[:-1], "high": edges[1:], "count": count}
            parts.append(pd.DataFrame({"model": model, "kind": kind} | part))
    columns = list(DISTRIBUTION_COLUMNS)
    return pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
