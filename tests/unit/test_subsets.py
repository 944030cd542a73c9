"""Nested subsets of examples."""

import numpy as np
import pytest

from motifloom.subsets import nested_subset

# Ten sites in rows 5 to 14 with two negatives each behind them, then five given negatives.
SITES = np.arange(5, 15)
ROWS = np.arange(5, 40)
PARENTS = np.concatenate([SITES, np.repeat(SITES, 2), np.arange(35, 40)])
POSITIVE = np.isin(ROWS, SITES)


def subset(share, seed=1):
    return nested_subset(ROWS, PARENTS, POSITIVE, share, seed)


@pytest.mark.parametrize(
    ("share", "sites", "given"), [(0.1, 1, 1), (0.3, 3, 2), (0.35, 4, 2), (1, 10, 5)]
)
def test_shares_of_each_class(share, sites, given):
    kept = subset(share)
    assert kept[POSITIVE].sum() == sites
    assert kept[10:30].sum() == 2 * sites
    assert kept[30:].sum() == given
    assert set(PARENTS[10:30][kept[10:30]]) == set(ROWS[POSITIVE & kept])


def test_larger_shares_hold_the_smaller():
    previous = subset(0.01)
    for share in (0.1, 0.3, 0.7, 1.0):
        kept = subset(share)
        assert kept[previous].all()
        previous = kept
    assert previous.all()


def test_seeds():
    assert (subset(0.3) == subset(0.3)).all()
    assert any((subset(0.3) != subset(0.3, seed)).any() for seed in range(2, 6))
