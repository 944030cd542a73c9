"""Nested subsets of a store's examples, for learning curves."""

import math

import numpy as np

_SUBSETS = 7  # first word of the random stream


def nested_subset(
    rows: np.ndarray, parents: np.ndarray, positive: np.ndarray, share: float, seed: int
) -> np.ndarray:
    """Which of the examples make up a share of them, bool [n]; a larger share holds a smaller.

    `rows` and `parents` int64 [n] are their rows in the store and those of the sites that they
    were made for (their own of others), `positive` bool [n] says which count as positive. Of
    positives and of given negatives ceil(share x their number) are drawn, each in one random order
    for all shares; negatives made for a site come with it.
    """
    own = parents == rows
    random = np.random.default_rng([seed, _SUBSETS])
    kept = []
    for part in (own & positive, own & ~positive):
        order = random.permutation(np.flatnonzero(part))
        # Rounded, since 0.1 x 30 is a little more than 3.
        kept.append(order[: math.ceil(round(share * len(order), 9))])
    return np.isin(parents, rows[np.concatenate(kept)])
