"""Negatives: what a network must tell bound sequences from.

Dinucleotide shuffles of the positives, genomic windows of the same GC content, or the stretches
beside the positives.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numba import njit

from motifloom.files import InputError
from motifloom.sequences import UNKNOWN, Genome
from motifloom.splits import overlaps_intervals, touches

_LETTERS = UNKNOWN + 1
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_LOW_32 = np.uint64(0xFFFFFFFF)
# Candidate windows drawn for each negative wanted, round by round until all are served, and
# whether other bins than a positive's own are tried in that round.
_ROUNDS = ((8, False), (32, False), (128, True), (1024, True))
_FEWEST_DRAWN = 1 << 10
_MOST_DRAWN = 1 << 23


def dinucleotide_shuffle(
    codes: np.ndarray, seed: int, rows: np.ndarray | None = None
) -> np.ndarray:
    """Shuffle each sequence, keeping the exact count of every dinucleotide.

    Draws uniformly among all sequences with the same dinucleotide counts and the same first and
    last base: a random Euler path through the graph whose edges are the dinucleotides (Altschul &
    Erickson 1985, Mol Biol Evol 2:526). N is a letter like the others.

    `codes` [N, L] base codes; `rows` int64 [N] names each sequence (default 0..N-1). Returns
    uint8 [N, L]. A row's shuffle depends on `seed`, its name and its bases alone, not on the rows
    beside it. Raises ValueError for arrays of other shapes or codes above 4.
    """
    codes = np.ascontiguousarray(codes, np.uint8)
    if codes.ndim != 2:
        raise ValueError(f"codes have shape {codes.shape}; a shuffle takes [N, L]")
    rows = np.arange(len(codes)) if rows is None else np.asarray(rows)
    if rows.shape != (len(codes),):
        raise ValueError(f"rows have shape {rows.shape}; {len(codes)} sequences need as many")
    if codes.size and codes.max() > UNKNOWN:
        raise ValueError(f"base codes reach {codes.max()}; they go from 0 to {UNKNOWN}")
    shuffled = np.empty_like(codes)
    _shuffle_rows(codes, np.uint64(int(seed) % 2**64), rows.astype(np.uint64), shuffled)
    return shuffled


def gc_content(codes: np.ndarray) -> np.ndarray:
    """Share of G and C among the known bases of each row, float64 [N], of base codes [N, L].

    NaN for a row without any known base.
    """
    strong = ((codes == 1) | (codes == 2)).sum(axis=1)
    known = (codes != UNKNOWN).sum(axis=1)
    return np.divide(strong, known, out=np.full(len(codes), np.nan), where=known > 0)


def gc_matched(
    genome: Genome,
    allowed_chroms: Collection[str],
    positives_gc: np.ndarray,
    per_positive: int,
    length: int,
    forbidden: pd.DataFrame,
    seed: int,
    bin_width: float = 0.02,
    tolerance: float = 0.05,
    max_unknown: float = 0.1,
) -> pd.DataFrame:
    """Genomic windows with the GC content of the positives, `per_positive` for each.

    `positives_gc` float64 [M], shares without NaN. A positive gets random windows out of its own
    bin of `bin_width`; where a bin runs out, out of the bins around it, never more than
    `tolerance` away. No window repeats, overlaps `forbidden` (columns chrom, start, end), leaves
    its chromosome or holds a larger share of N than `max_unknown`.

    Returns columns chrom, start of M * per_positive windows of `length` bases; row i belongs to
    positive i // per_positive. Raises InputError if the genome does not hold enough of them, and
    ValueError for NaN in `positives_gc` or a tolerance or width that is not above 0.
    """
    wanted = np.repeat(np.asarray(positives_gc, np.float64), per_positive)
    if np.isnan(wanted).any():
        raise ValueError("a positive has no GC content; leave out windows of N alone")
    if min(tolerance, bin_width) <= 0:
        raise ValueError(f"tolerance {tolerance} and bin width {bin_width} must be above 0")
    chroms, offsets = _lay_out(genome, allowed_chroms, length)
    rng = np.random.default_rng(seed)
    pool, pool_gc = np.empty(0, np.int64), np.empty(0)
    chosen = np.full(len(wanted), -1)
    for draws, widen in _ROUNDS:
        if (chosen >= 0).all() or len(pool) == offsets[-1]:
            break
        n_drawn = min(draws * max(len(wanted), _FEWEST_DRAWN), _MOST_DRAWN)
        fresh = _draw(rng, offsets[-1], n_drawn, pool)
        gc = _usable_gc(genome, chroms, offsets, fresh, length, forbidden, max_unknown)
        pool, pool_gc = np.concatenate([pool, fresh]), np.concatenate([pool_gc, gc])
        # Once all the windows there are have been drawn, no better ones will come.
        widen = widen or len(pool) == offsets[-1]
        chosen = _match(wanted, pool_gc, chosen, min(bin_width, tolerance), tolerance, widen)
    _check_found(chosen, pool_gc, length, len(chroms), per_positive)
    which = np.searchsorted(offsets, pool[chosen], side="right") - 1
    return pd.DataFrame(
        {
            "chrom": np.array(chroms, object)[which],
            "start": pool[chosen] - offsets[which],
        }
    )


def flanking(
    chroms: Sequence[str],
    starts: np.ndarray,
    length: int,
    distance: int,
    lengths: Mapping[str, int],
    forbidden: pd.DataFrame,
    per_positive: int,
    seed: int,
) -> pd.DataFrame:
    """Windows beside the positives, `distance` bases from edge to edge.

    `chroms` [M] and `starts` [M] are the positives' windows of `length` bases. The first window
    lies on a random side, the second on the other, the third one step further out on the first
    side, and so on; a step is `distance + length` bases. Windows that leave the chromosome
    (`lengths`, in bases), overlap `forbidden` (columns chrom, start, end) or repeat an earlier
    one are dropped, so that a positive can have fewer than `per_positive`.

    Returns columns chrom, start and positive (its row), in the order of the positives. Raises
    InputError if no window is left.
    """
    first_side = np.random.default_rng(seed).choice([-1, 1], size=len(starts))
    turn = np.arange(per_positive)
    steps = first_side[:, None] * np.where(turn % 2 == 0, 1, -1) * (turn // 2 + 1)
    positive = np.repeat(np.arange(len(starts)), per_positive)
    frame = pd.DataFrame(
        {
            "chrom": np.asarray(chroms, object)[positive],
            "start": np.asarray(starts, np.int64)[positive] + steps.ravel() * (distance + length),
            "positive": positive,
        }
    )
    ends = frame["chrom"].map(lengths).to_numpy(np.float64)
    keep = (frame["start"] >= 0).to_numpy() & (frame["start"].to_numpy() + length <= ends)
    keep &= ~overlaps_intervals(frame["chrom"], frame["start"], length, forbidden)
    keep &= ~frame.duplicated(["chrom", "start"]).to_numpy()
    if len(frame) and not keep.any():
        raise InputError(
            f"none of the {len(frame)} windows {distance} bp beside the positives is free of"
            " peaks, excluded regions and chromosome ends; give another distance (negatives:"
            " flank_distance) or kind (negatives: kinds)"
        )
    return frame[keep].reset_index(drop=True)


def _lay_out(
    genome: Genome, allowed_chroms: Collection[str], length: int
) -> tuple[list[str], np.ndarray]:
    """Number all possible starts: the chromosomes, and int64 [C+1], the first number of each.

    The order is the genome's, so that the order of `allowed_chroms` does not matter.
    """
    allowed = set(allowed_chroms)
    chroms = [chrom for chrom in genome.lengths if chrom in allowed]
    n_starts = [max(genome.lengths[chrom] - length + 1, 0) for chrom in chroms]
    return chroms, np.concatenate([[0], np.cumsum(n_starts, dtype=np.int64)])


def _draw(rng: np.random.Generator, total: int, size: int, earlier: np.ndarray) -> np.ndarray:
    """About `size` numbers below `total`, int64 in random order, distinct and not in `earlier`."""
    # Past half of them, taking all is hardly more work and finds what is there to be found.
    drawn = rng.permutation(total) if size > total // 2 else rng.integers(total, size=size)
    return pd.unique(np.concatenate([earlier, drawn]))[len(earlier) :]


def _usable_gc(
    genome: Genome,
    chroms: list[str],
    offsets: np.ndarray,
    drawn: np.ndarray,
    length: int,
    forbidden: pd.DataFrame,
    max_unknown: float,
) -> np.ndarray:
    """GC content, float64, of the windows with the numbers `drawn`; NaN where not to be used."""
    gc = np.full(len(drawn), np.nan)
    order = np.argsort(drawn)
    bounds = np.searchsorted(drawn[order], offsets)
    blocked = forbidden.groupby("chrom", observed=True).indices
    begins, ends = (forbidden[name].to_numpy(np.int64) for name in ("start", "end"))
    for i, chrom in enumerate(chroms):
        rows = order[bounds[i] : bounds[i + 1]]
        if not len(rows):
            continue
        starts = drawn[rows] - offsets[i]
        strong, unknown = _count_bases(np.asarray(genome.codes(chrom)), starts, length)
        peaks = blocked.get(chrom, np.empty(0, np.int64))
        usable = (unknown < length) & (unknown <= max_unknown * length)
        usable &= ~touches(starts, starts + length, begins[peaks], ends[peaks])
        gc[rows[usable]] = strong[usable] / (length - unknown[usable])
    return gc


def _match(
    wanted: np.ndarray,
    gc: np.ndarray,
    chosen: np.ndarray,
    bin_width: float,
    tolerance: float,
    widen: bool,
) -> np.ndarray:
    """Give the slots without a window one of their own bin or, to `widen`, of ever farther bins.

    `wanted` [S] and `gc` [P] are GC contents of slots and windows, `chosen` [S] the window of
    each slot or -1. Returns the new `chosen`.
    """
    farthest = int(np.ceil(tolerance / bin_width - 1e-9)) if widen else 0
    for shift in sorted(range(-farthest, farthest + 1), key=abs):
        chosen = _match_bins(wanted, gc, chosen, shift, bin_width, tolerance)
    return chosen


def _match_bins(
    wanted: np.ndarray,
    gc: np.ndarray,
    chosen: np.ndarray,
    shift: int,
    bin_width: float,
    tolerance: float,
) -> np.ndarray:
    """Give each slot without a window one from the bin `shift` bins above its own.

    Windows of the slot's own bin are taken in their (random) order, those of another bin from its
    near side. Arguments and result as in `_match`.
    """
    slots = np.flatnonzero(chosen < 0)
    slots, aims = _sorted_by_bin(slots, _bins(wanted[slots], bin_width) + shift, wanted, shift)
    windows = np.flatnonzero(np.isfinite(gc))
    bins = _bins(gc[windows], bin_width)
    free = np.isin(bins, aims)
    free &= ~np.isin(windows, chosen)
    windows, bins = _sorted_by_bin(windows[free], bins[free], gc, shift)
    rank = np.arange(len(slots)) - np.searchsorted(aims, aims)
    place = np.searchsorted(bins, aims) + rank
    found = place < np.searchsorted(bins, aims, side="right")
    slots, windows = slots[found], windows[place[found]]
    near = np.abs(gc[windows] - wanted[slots]) <= tolerance + 1e-9
    chosen = chosen.copy()
    chosen[slots[near]] = windows[near]
    return chosen


def _bins(gc: np.ndarray, bin_width: float) -> np.ndarray:
    # The small number puts exact multiples of the width, inexact in binary, into their own bin.
    return np.floor(gc / bin_width + 1e-9).astype(np.int64)


def _sorted_by_bin(
    items: np.ndarray, bins: np.ndarray, gc: np.ndarray, shift: int
) -> tuple[np.ndarray, np.ndarray]:
    """Items and their bins sorted by bin, inside it by GC content in the sense of `shift`."""
    order = np.lexsort((np.sign(shift) * gc[items], bins))
    return items[order], bins[order]


def _check_found(
    chosen: np.ndarray, pool_gc: np.ndarray, length: int, n_chroms: int, per_positive: int
) -> None:
    n_found = int((chosen >= 0).sum())
    if n_found < len(chosen):
        raise InputError(
            f"only {n_found} of {len(chosen)} GC-matched negatives were found among"
            f" {np.isfinite(pool_gc).sum()} free windows of {length} bp on {n_chroms} chromosomes;"
            f" ask for fewer, now {per_positive} (negatives: train_negatives_per_positive or"
            " test_negatives_per_positive), or use kinds: [dinucleotide]"
        )


@njit(cache=True, nogil=True)
def _count_bases(codes, starts, length):
    """Counts of C and G and of N, int64 [n] each, in windows at ascending `starts`.

    A window that overlaps the one before it is counted from where that one ended.
    """
    strong = np.empty(len(starts), np.int64)
    unknown = np.empty(len(starts), np.int64)
    left, right, n_strong, n_unknown = 0, 0, 0, 0
    for i in range(len(starts)):
        if starts[i] >= right:
            left, right, n_strong, n_unknown = starts[i], starts[i], 0, 0
        while right < starts[i] + length:
            n_strong += codes[right] == 1 or codes[right] == 2
            n_unknown += codes[right] == UNKNOWN
            right += 1
        while left < starts[i]:
            n_strong -= codes[left] == 1 or codes[left] == 2
            n_unknown -= codes[left] == UNKNOWN
            left += 1
        strong[i], unknown[i] = n_strong, n_unknown
    return strong, unknown


@njit(cache=True, nogil=True)
def _mix(value):
    """Scramble 64 bits: the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def _below(state, bound):
    """Next random integer in [0, bound), exactly uniform (Lemire 2019), bound below 2**32."""
    wide = np.uint64(bound)
    while True:
        state[0] += _GOLDEN
        product = (_mix(state[0]) >> np.uint64(32)) * wide
        low = product & _LOW_32
        if low >= wide or low >= (_LOW_32 - wide + np.uint64(1)) % wide:
            return np.int64(product >> np.uint64(32))


@njit(cache=True, nogil=True)
def _shuffle_rows(codes, seed, rows, shuffled):
    state = np.empty(1, np.uint64)
    edges = np.empty(codes.shape[1], np.uint8)
    key = _mix(seed + _GOLDEN)
    for i in range(len(codes)):
        state[0] = _mix(key ^ rows[i])
        _shuffle_row(codes[i], state, edges, shuffled[i])


@njit(cache=True, nogil=True)
def _shuffle_row(codes, state, edges, shuffled):
    """Shuffle one sequence; `edges` [L] is working space, `state` the random numbers' state."""
    if len(codes) < 4:
        shuffled[:] = codes
        return
    begin = _group_successors(codes, edges)
    _place_last_edges(begin, edges, codes[-1], state)
    for letter in range(_LETTERS):
        # The last edge out of a letter is fixed, except for the letter where the path ends.
        n_free = begin[letter + 1] - begin[letter] - (letter != codes[-1])
        for i in range(n_free - 1, 0, -1):
            _swap(edges, begin[letter] + i, begin[letter] + _below(state, i + 1))
    letter = codes[0]
    shuffled[0] = letter
    for i in range(1, len(codes)):
        begin[letter] += 1
        letter = edges[begin[letter] - 1]
        shuffled[i] = letter


@njit(cache=True, nogil=True)
def _group_successors(codes, edges):
    """Fill `edges` with the successors of each letter; its own begin at begin[letter]."""
    begin = np.zeros(_LETTERS + 1, np.int64)
    for i in range(len(codes) - 1):
        begin[codes[i] + 1] += 1
    for letter in range(_LETTERS):
        begin[letter + 1] += begin[letter]
    filled = begin.copy()
    for i in range(len(codes) - 1):
        edges[filled[codes[i]]] = codes[i + 1]
        filled[codes[i]] += 1
    return begin


@njit(cache=True, nogil=True)
def _place_last_edges(begin, edges, end, state):
    """Draw for each letter the edge by which it is left for the last time; put that one last.

    These edges form a tree towards `end`; a loop-erased random walk draws uniformly among all
    such trees (Wilson 1996).
    """
    last = np.zeros(_LETTERS, np.int64)
    reached = np.zeros(_LETTERS, np.bool_)
    reached[end] = True
    for letter in range(_LETTERS):
        if begin[letter] == begin[letter + 1]:
            continue
        here = letter
        while not reached[here]:
            last[here] = begin[here] + _below(state, begin[here + 1] - begin[here])
            here = edges[last[here]]
        here = letter
        while not reached[here]:
            reached[here] = True
            here = edges[last[here]]
    for letter in range(_LETTERS):
        if letter != end and begin[letter] < begin[letter + 1]:
            _swap(edges, last[letter], begin[letter + 1] - 1)


@njit(cache=True, nogil=True)
def _swap(values, i, j):
    values[i], values[j] = values[j], values[i]
