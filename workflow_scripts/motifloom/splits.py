"""Splits without leaks: what goes to train, validation and test, and checks that hold them apart.

Windows that overlap in the genome, or that carry the same sequence on either strand, must not lie
on both sides of a split: a network remembers them. Splits are uint8 codes, positions in SPLITS.
"""

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from motifloom.files import InputError
from motifloom.sequences import UNKNOWN, reverse_complement
from motifloom.store import SPLITS

TRAIN, VALIDATION, TEST = range(len(SPLITS))
LONGEST_KMER = 31
_BLOCK_BASES = 1 << 20


class LeakError(Exception):
    """Test windows repeat or overlap what the networks are trained on."""


def cluster_windows(chroms: Sequence[str], starts: np.ndarray, length: int) -> np.ndarray:
    """Cluster ids, int64 [N], of windows of one length chained by overlaps on either strand.

    `chroms` [N] names, `starts` [N] 0-based first bases. Windows that only touch end to end are
    apart. Ids count from 0 in the order of first appearance.

    >>> cluster_windows(["chr2", "chr1", "chr1", "chr1"], np.array([0, 9, 20, 0]), 10).tolist()
    [0, 1, 2, 1]
    """
    starts = np.asarray(starts, np.int64)
    if not len(starts):  # bioframe refuses empty frames
        return np.zeros(0, np.int64)
    import bioframe

    frame = pd.DataFrame({"chrom": _texts(chroms), "start": starts, "end": starts + length})
    clusters = bioframe.cluster(frame, min_dist=None)["cluster"]
    return _by_appearance(clusters.to_numpy(np.int64))


def group_identical(codes: np.ndarray, both_strands: bool = True) -> np.ndarray:
    """Group ids, int64 [N], of equal rows of base codes [N, L].

    With `both_strands` a row and its reverse complement are equal too. Rows are compared by
    128-bit hashes, so two different ones share a group with a chance below 1e-30. Ids count from
    0 in the order of first appearance.
    """
    return _group_keys(_row_keys(codes, both_strands))


def merge_groups(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Group ids, int64 [N], of two groupings [N] joined: rows that share a group in either.

    The joining is transitive (connected components); ids count in the order of first appearance.

    >>> merge_groups(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
    [0, 0, 0, 1]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = _by_appearance(a), _by_appearance(b)
    if not len(first):
        return first
    second = second + first.max() + 1
    n_nodes = second.max() + 1
    edges = coo_array((np.ones(len(first), bool), (first, second)), shape=(n_nodes, n_nodes))
    components = connected_components(edges.tocsr(), directed=False)[1]
    return _by_appearance(components[first])


def by_chromosome(
    chroms: Sequence[str], test: Collection[str], validation: Collection[str]
) -> np.ndarray:
    """Split codes, uint8 [N], by the names of chromosomes held out; all others are for training.

    Raises InputError where a chromosome is held out for both.
    """
    both = sorted(set(test) & set(validation))
    if both:
        raise InputError(
            f"chromosome {both[0]!r} is held out both for test and for validation;"
            " name it in one of the two"
        )
    chroms = pd.Series(np.asarray(chroms, object), dtype=object)
    split = np.full(len(chroms), TRAIN, np.uint8)
    split[chroms.isin(list(validation)).to_numpy()] = VALIDATION
    split[chroms.isin(list(test)).to_numpy()] = TEST
    return split


def by_chromosome_number(
    names: Sequence[str], chrom: np.ndarray, test: Collection[str], validation: Collection[str]
) -> np.ndarray:
    """As `by_chromosome`, of numbers `chrom` int [N] into the chromosomes' names."""
    return by_chromosome(names, test, validation)[chrom]


def by_clusters(
    clusters: np.ndarray, fraction: float, seed: int, split_code: int, current: np.ndarray
) -> np.ndarray:
    """Split codes, uint8 [N], with whole random clusters of training rows moved to `split_code`.

    `clusters` [N] ids, `current` [N] split codes. Of the rows with `current` 0 at least
    `fraction` is moved, and less than one cluster too many.
    """
    rows = np.flatnonzero(current == TRAIN)
    names, member, sizes = np.unique(clusters[rows], return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    # The small number keeps a product like 0.1 * 30 = 3.0000000000000004 from asking for more.
    wanted = fraction * len(rows) - 1e-9
    n_moved = np.searchsorted(np.cumsum(sizes[order]), wanted) + 1 if wanted > 0 else 0
    moved = np.zeros(len(names), bool)
    moved[order[:n_moved]] = True
    split = current.astype(np.uint8)
    split[rows[moved[member]]] = split_code
    return split


def deal_clusters(clusters: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Fold of each row, int64 [N] counted from 1, with whole clusters (ids [N]) in one fold.

    The clusters stand in random order and are cut into runs of about N / n_folds rows. Folds are
    empty only where there are fewer clusters than folds or a cluster is larger than that.
    """
    names, member, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    fold = np.empty(len(names), np.int64)
    fold[order] = middle * n_folds / max(len(member), 1)
    return fold[member] + 1


def by_fold(folds: np.ndarray, test: int, validation: int) -> np.ndarray:
    """Split codes, uint8 [N], of rows in `folds` [N]: one fold held out for each, others train.

    >>> by_fold(np.array([1, 2, 3, 0, 1]), 1, 2).tolist()
    [2, 1, 0, 0, 2]
    """
    return np.select([folds == test, folds == validation], [TEST, VALIDATION], TRAIN).astype(
        np.uint8
    )


def by_ranks(order: np.ndarray, top: int, split_code: int, current: np.ndarray) -> np.ndarray:
    """Split codes, uint8 [N], with every other one of the strongest training rows moved.

    `order` [N] is the rank of each row, 0 the strongest; rows of equal rank (members of one
    cluster) stay together. The rows with `current` 0 are ranked anew among themselves, and of the
    first `top` ranks the 2nd, 4th, 6th, ... go to `split_code`: the hold-out of DeepBind's ENCODE
    sets (Alipanahi et al. 2015, Supplementary Notes).
    """
    rows = np.flatnonzero(current == TRAIN)
    rank = np.unique(order[rows], return_inverse=True)[1]
    split = current.astype(np.uint8)
    split[rows[(rank < top) & (rank % 2 == 1)]] = split_code
    return split


def canonical_kmers(
    codes: np.ndarray, k: int, both_strands: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """All k-mers of base codes [N, L], two bits a base, first base in the highest bits.

    Returns k-mers uint64 [N, L-k+1], with `both_strands` the smaller one of the k-mer and its
    reverse complement, and bool [N, L-k+1], False where the k-mer holds an N (its number then
    means nothing). Raises ValueError unless 1 <= k <= 31.

    >>> canonical_kmers(np.array([[0, 1, 3, 4]], np.uint8), 2)[0][:, :2].tolist()
    [[1, 2]]
    """
    if not 1 <= k <= LONGEST_KMER:
        raise ValueError(f"k is {k}; k-mers of 1 to {LONGEST_KMER} bases fit 64 bits")
    valid = codes != UNKNOWN
    forward = (codes & 3).astype(np.uint64)
    backward = forward ^ np.uint64(3)
    width = 1
    while width < k:
        # Two overlapping windows of `width` bases make one of `width + step`.
        step = min(width, k - width)
        forward = _joined_forward(forward, step)
        if both_strands:
            backward = _joined_backward(backward, width, step)
        valid = valid[:, :-step] & valid[:, step:]
        width += step
    return (np.minimum(forward, backward) if both_strands else forward), valid


def shares_kmer(
    codes: np.ndarray, reference: np.ndarray, k: int, both_strands: bool = True
) -> np.ndarray:
    """Whether each row of base codes [N, L] shares a k-mer with any row of `reference` [M, R].

    Returns bool [N]. K-mers with an N are shared with none. Memory: about 32 bytes for each
    distinct k-mer of the reference.
    """
    shared = np.zeros(len(codes), bool)
    known = [np.empty(0, np.uint64)]
    for rows in _row_blocks(reference):
        kmers, valid = canonical_kmers(reference[rows], k, both_strands)
        known.append(_sorted_distinct(kmers[valid]))
    known = _sorted_distinct(np.concatenate(known))
    if not len(known):
        return shared
    for rows in _row_blocks(codes):
        kmers, valid = canonical_kmers(codes[rows], k, both_strands)
        row, column = np.nonzero(valid)
        kmers = kmers[row, column]
        # Sorted queries walk through the long table once instead of jumping about in it.
        order = np.argsort(kmers)
        kmers = kmers[order]
        position = np.minimum(np.searchsorted(known, kmers), len(known) - 1)
        shared[rows.start + row[order[known[position] == kmers]]] = True
    return shared


def repeats(codes: np.ndarray, reference: np.ndarray, both_strands: bool = True) -> np.ndarray:
    """Whether each row of base codes [N, L] equals any row of `reference` [M, R]; bool [N].

    With `both_strands` the reverse complement counts as equal. Rows of other lengths never do.
    """
    if codes.shape[1] != reference.shape[1]:
        return np.zeros(len(codes), bool)
    keys = np.concatenate([_row_keys(codes, both_strands), _row_keys(reference, both_strands)])
    groups = _group_keys(keys)
    return np.isin(groups[: len(codes)], groups[len(codes) :])


def touches(
    starts: np.ndarray, ends: np.ndarray, reference_starts: np.ndarray, reference_ends: np.ndarray
) -> np.ndarray:
    """Whether each interval [start, end) of one axis overlaps any of the reference; bool [N].

    An interval overlaps as many others as begin before its end, less those that end before it
    begins; neither set needs to be sorted or merged.
    """
    begun = np.searchsorted(np.sort(reference_starts), ends, side="left")
    ended = np.searchsorted(np.sort(reference_ends), starts, side="right")
    return begun > ended


def overlaps_intervals(
    chroms: Sequence[str], starts: np.ndarray, length: int, intervals: pd.DataFrame
) -> np.ndarray:
    """Whether each window overlaps any of `intervals` (columns chrom, start, end); bool [N]."""
    starts = np.asarray(starts, np.int64)
    if not len(starts) or not len(intervals):  # bioframe refuses empty frames
        return np.zeros(len(starts), bool)
    import bioframe

    frame = pd.DataFrame({"chrom": _texts(chroms), "start": starts, "end": starts + length})
    reference = intervals[["chrom", "start", "end"]].reset_index(drop=True)
    reference = reference.assign(chrom=_texts(reference["chrom"]))
    return bioframe.count_overlaps(frame, reference)["count"].to_numpy() > 0


def overlaps(
    chroms: Sequence[str],
    starts: np.ndarray,
    reference_chroms: Sequence[str],
    reference_starts: np.ndarray,
    length: int,
    reference_length: int,
) -> np.ndarray:
    """Whether each window [start, start + length) overlaps any reference window; bool [N].

    Strands do not matter; windows that only touch end to end do not overlap.
    """
    reference_starts = np.asarray(reference_starts, np.int64)
    reference = pd.DataFrame(
        {
            "chrom": np.asarray(reference_chroms, object),
            "start": reference_starts,
            "end": reference_starts + reference_length,
        }
    )
    return overlaps_intervals(chroms, starts, length, reference)


def check_no_leak(
    codes: np.ndarray,
    split: np.ndarray,
    chroms: Sequence[str] | None = None,
    starts: np.ndarray | None = None,
    both_strands: bool = True,
) -> None:
    """Raise LeakError if a test window overlaps or repeats a training or validation window.

    `codes` [N, L] base codes, `split` [N] split codes; `chroms` and `starts` [N], where given,
    are the windows' places on the genome, with a negative start for windows that have none
    (shuffles, given sequences). With `both_strands` the reverse complement is a repeat too.
    """
    test = split == TEST
    n_repeats = int(repeats(codes[test], codes[~test], both_strands).sum())
    n_overlaps = 0
    if chroms is not None and starts is not None:
        chroms, length = np.asarray(chroms, object), codes.shape[1]
        held, rest = test & (starts >= 0), ~test & (starts >= 0)
        found = overlaps(chroms[held], starts[held], chroms[rest], starts[rest], length, length)
        n_overlaps = int(found.sum())
    if n_repeats or n_overlaps:
        strands = " on either strand" if both_strands else ""
        raise LeakError(
            f"of {test.sum()} test windows {n_overlaps} overlap a training or validation window"
            f" in the genome and {n_repeats} repeat the sequence of one{strands};"
            " drop these or hold out whole chromosomes"
        )


def _texts(names: Sequence[str]) -> np.ndarray:
    return np.asarray(names, object).astype(str)


def _by_appearance(labels: np.ndarray) -> np.ndarray:
    """The same grouping with ids, int64, counted in the order of first appearance."""
    return pd.factorize(np.asarray(labels))[0].astype(np.int64)


def _sorted_distinct(values: np.ndarray) -> np.ndarray:
    """Distinct values, ascending; np.unique, by a hash table, is many times slower here."""
    values = np.sort(values)
    first = np.ones(len(values), bool)
    first[1:] = values[1:] != values[:-1]
    return values[first]


def _row_blocks(codes: np.ndarray) -> Iterator[slice]:
    """Consecutive row slices of [N, L] that hold about a million bases each."""
    step = max(1, _BLOCK_BASES // max(codes.shape[1], 1))
    return (slice(first, first + step) for first in range(0, len(codes), step))


def _row_keys(codes: np.ndarray, both_strands: bool) -> np.ndarray:
    """Hashes, uint64 [N, 2], of rows of base codes [N, L], alike for equal rows.

    Each half is a sum of random 64-bit numbers, one for each position, times the base's code.
    With `both_strands` it is the smaller hash of the row and its reverse complement.
    """
    factors = np.random.default_rng(0).integers(
        2**64, size=(codes.shape[1], 2), dtype=np.uint64, endpoint=False
    )
    keys = np.empty((len(codes), 2), np.uint64)
    for rows in _row_blocks(codes):
        block = np.asarray(codes[rows])
        keys[rows] = block.astype(np.uint64) @ factors
        if both_strands:
            other = reverse_complement(block).astype(np.uint64) @ factors
            smaller = other[:, 0] < keys[rows][:, 0]
            keys[rows] = np.where(smaller[:, None], other, keys[rows])
    return keys


def _group_keys(keys: np.ndarray) -> np.ndarray:
    """Group ids, int64 [N], of equal rows of keys [N, 2], in the order of first appearance."""
    groups = pd.DataFrame(keys).groupby([0, 1], sort=False).ngroup()
    return groups.to_numpy(np.int64)


def _joined_forward(kmers: np.ndarray, step: int) -> np.ndarray:
    """K-mers `step` bases wider: each one followed by the last `step` bases of a later one."""
    bits = np.uint64(2 * step)
    ends = kmers[:, step:] & np.uint64((1 << 2 * step) - 1)
    return (kmers[:, :-step] << bits) | ends


def _joined_backward(kmers: np.ndarray, width: int, step: int) -> np.ndarray:
    """Reverse complements of k-mers of `width` bases, made `step` bases wider likewise."""
    ends = kmers[:, step:] >> np.uint64(2 * (width - step))
    return kmers[:, :-step] | (ends << np.uint64(2 * width))
