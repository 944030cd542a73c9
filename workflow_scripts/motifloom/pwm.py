"""The best hit of a known matrix in each sequence: the classical baseline, row `pwm`."""

from collections.abc import Sequence

import numpy as np

_PADDING = {"mode": "constant", "constant_values": 4}


def log_odds(
    ppm: np.ndarray,
    background: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
    pseudocount: float = 1e-3,
) -> np.ndarray:
    """Log-odds, float64 [4, W] in bits, of base probabilities `ppm` [4, W], rows A, C, G, T.

    s(b, i) = log2(p'(b, i) / q(b)) with p' = (p + pseudocount q) / (1 + pseudocount), q the
    background: Wasserman & Sandelin 2004, Nature Reviews Genetics 5:276, with the pseudocount
    given as a fraction of the number of sites and shared out by the background.
    Raises ValueError where columns of `ppm` do not sum to 1 (within 1 %).
    """
    ppm = np.asarray(ppm, np.float64)
    if ppm.ndim != 2 or len(ppm) != 4 or (ppm < 0).any():
        raise ValueError("a matrix of base probabilities must be [4, W] and not negative")
    if not np.allclose(ppm.sum(axis=0), 1, atol=0.01):
        raise ValueError("each column of base probabilities must sum to 1")
    base = np.asarray(background, np.float64)[:, None]
    return np.log2((ppm + pseudocount * base) / (1 + pseudocount) / base)


def matrix_scores(
    codes: np.ndarray, log_odds: np.ndarray, both_strands: bool = True, block: int = 1 << 16
) -> np.ndarray:
    """Best log-odds, float64 [N], of a PWM anywhere in each sequence: the classical baseline.

    `codes` uint8 [N, L]; `log_odds` [4, W], rows A, C, G, T. The score of a window is the sum
    over its bases (Stormo 2000, Bioinformatics 16:16); an N adds 0. A sequence shorter than the
    matrix is padded with N on both sides, so that every placement that covers it counts. With
    `both_strands` the reverse complement is scored too and the larger score taken. `block` is
    the number of bases scored at a time.
    """
    log_odds = np.asarray(log_odds, np.float64)
    if log_odds.ndim != 2 or len(log_odds) != 4 or not np.isfinite(log_odds).all():
        raise ValueError("a log-odds matrix must be [4, W] and finite; add a pseudocount")
    width = log_odds.shape[1]
    strands = (log_odds, log_odds[::-1, ::-1]) if both_strands else (log_odds,)
    tables = np.stack([triplet_tables(matrix) for matrix in strands])
    short = max(0, width - codes.shape[1])
    beyond = 3 * tables.shape[1] - width
    windows = codes.shape[1] + 2 * short - width + 1
    scores = np.empty(len(codes))
    rows = max(1, block // (codes.shape[1] + 2 * short))
    for first in range(0, len(codes), rows):
        part = np.pad(codes[first : first + rows], ((0, 0), (short, short + beyond)), **_PADDING)
        # Integers of the machine's width, because `take` would convert others at every look-up.
        part = part.astype(np.intp)
        triplets = part[:, :-2] * 25 + part[:, 1:-1] * 5 + part[:, 2:]
        best = [_best_hit(triplets, table, windows) for table in tables]
        scores[first : first + rows] = np.max(best, axis=0)
    return scores


def triplet_tables(matrix: np.ndarray) -> np.ndarray:
    """Score of every triplet of codes at columns 3g to 3g+2: [ceil(W/3), 125]; N and padding 0."""
    columns = np.pad(matrix, ((0, 1), (0, -matrix.shape[1] % 3))).T.reshape(-1, 3, 5)
    first, second, third = columns[:, 0], columns[:, 1], columns[:, 2]
    triplets = first[:, :, None, None] + second[:, None, :, None] + third[:, None, None, :]
    return np.ascontiguousarray(triplets.reshape(-1, 125))


def _best_hit(triplets: np.ndarray, table: np.ndarray, windows: int) -> np.ndarray:
    """Largest window score [rows] of triplet codes [rows, L] under a table [G, 125]."""
    scores = table[0].take(triplets[:, :windows])
    for group in range(1, len(table)):
        scores += table[group].take(triplets[:, 3 * group : 3 * group + windows])
    return scores.max(axis=1)
