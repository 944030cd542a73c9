"""DeepBinds of many TFs at once along a genome, in 16-bit integers.

A DeepBind's maximum over positions needs each kernel's score at each base once, however many
windows share the base, and a changed base only changes the K scores that see it. Scores are
integers, in units of a kernel's own: sums are then the same in any order, so that a window's score
does not depend on what is scored beside it, and 32 kernels fit in a register.

A unit is the sum of all that can raise a kernel's score, divided by 32,767; `Bank.of` rounds each
of the K entries, so that a kernel's score is off by about sqrt(K / 12) units.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from motifloom.alleles import Alleles
from motifloom.code_scan import place_index
from motifloom.inference import DeepBindModel
from motifloom.int_lanes import (
    FUSED_BLOCKS,
    INT_LANES,
    LOWEST,
    best_blocks,
    best_of_four,
    compare_alleles,
    read_out,
    score_blocks,
    score_places,
    score_places_and_blocks,
)
from motifloom.lanes import LETTERS, WORD, WORD_ROWS, aligned, compiled, fill_words
from motifloom.sequences import UNKNOWN, Genome, check_codes
from motifloom.threads import share_rows

_HIGHEST = 32767
# Places scored at a time: scores and blocks of 32 kernels, 256 kB, stay in the second-level cache.
_TILE = 2048
# Tiles that take the same kernels' tables, which are read from memory anew for the next ones.
_TILES = 8
_PIECES = 4  # that a thread's share is cut into, since threads are not equally fast
_MOST = 256  # variants of a tile, whose own scores stay in that cache too
# Bases of a window up to which it fits into a tile, moved or not.
_LONGEST = 1000
# Rows that are looked through together where places add nothing.
_BLOCK = 8
# Bases up to which alleles are short: behind them the reference's scores are used again.
SHORT = 16


def _word_places() -> np.ndarray:
    letters = np.arange(WORD_ROWS)[:, None] // LETTERS ** np.arange(WORD)[::-1] % LETTERS
    return np.argsort(np.argsort((letters == 4).any(1), kind="stable")).astype(np.uint16)


# Rows of the words of letters a, b, c, number 25 a + 5 b + c: those without N stand together, and
# take little of the first-level cache.
_WORD_PLACES = _word_places()


@dataclass(frozen=True, eq=False)
class Bank:
    """Kernels of T DeepBinds of one shape, in G groups of 32; those of a target stand together.

    tables:  int16 [G, strands * ceil(K / 3) * 125 * 32], what a word of three letters adds
    starts:  int16 [G, 32], the thresholds
    places:  int16 [G, rows * 32], what the distance from the window's middle adds
    weights: float32 [G, 32], from a kernel's units to its part of the score; 0 behind the last
    kernels: int32 [G, 32], number of each among all kernels of its model's members
    columns: int16 [G, strands, 32, K, 5], what each letter adds at each of a kernel's places
    bounds:  int64 [T + 1], the groups of each target
    shifts:  float32 [T], what is added to all parts
    rows:    int32 [W], the row of `places` of each of a window's W places
    """

    tables: np.ndarray
    starts: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    kernels: np.ndarray
    columns: np.ndarray
    bounds: np.ndarray
    shifts: np.ndarray
    rows: np.ndarray
    length: int
    width: int
    both: bool
    block: int

    @classmethod
    def of(cls, models: Sequence[DeepBindModel]) -> "Bank":
        """The bank of models of one `shape_of`."""
        parts = [_groups(model) for model in models]
        settings = models[0].networks[0].settings
        windows = settings["length"] - settings["kernel_size"] + 1
        places, block = models[0].networks[0].places, settings["place_bin"] or _BLOCK
        rows = np.zeros(windows, np.int32)
        if places is not None:
            rows = place_index(windows, block, len(places)).astype(np.int32)
        columns = [_together(column) for column in zip(*parts, strict=True)]
        sizes = [len(part[0]) for part in parts]
        return cls(
            *columns,
            bounds=np.concatenate([[0], np.cumsum(sizes)]),
            shifts=np.array([_shift(model) for model in models], np.float32),
            rows=rows,
            length=settings["length"],
            width=settings["kernel_size"],
            both=bool(settings["both_strands"]),
            block=block,
        )

    @property
    def n_words(self) -> int:
        """Words of three letters of a kernel."""
        return -(-self.width // WORD)

    def cover(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows of scores that together hold a window's places from `first` to before `last`.

        Offsets int32 from the window's beginning, those of blocks `_TILE` higher, and the rows of
        `places` that belong to them, int32. A block is the largest of `block` places.
        """
        offsets, rows = [], []
        for row, run in itertools.groupby(range(first, last), lambda p: self.rows[p]):
            run = list(run)
            if len(run) < self.block or self.block == 1:
                found = run
            else:
                begins = [*run[: 1 - self.block : self.block], run[-self.block]]
                found = sorted({_TILE + p for p in begins})
            offsets += found
            rows += [row] * len(found)
        return np.array(offsets, np.int32), np.array(rows, np.int32)


def shape_of(model) -> tuple | None:
    """What models of one bank have in common; None of a model that this scan is not made for.

    It is for DeepBinds with maxima alone, a linear read-out and no padding, on the strand given.
    """
    if not isinstance(model, DeepBindModel):
        return None
    settings, strands = model.info["hyperparameters"], model.info["strands"]
    plain = settings["pooling"] == "max" and not settings["padding"]
    if not plain or settings["hidden_units"] or settings["n_targets"] != 1 or strands != "given":
        return None
    if settings["length"] > _LONGEST:
        return None
    names = ("length", "kernel_size", "both_strands", "place_bin")
    return tuple(settings[name] for name in names)


def _together(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays one behind the other, the whole at the beginning of a cache line."""
    shape, kind = (sum(map(len, arrays)), *arrays[0].shape[1:]), arrays[0].dtype
    floats = -(-int(np.prod(shape)) * kind.itemsize // 4)
    whole = aligned((floats,)).view(kind)[: int(np.prod(shape))].reshape(shape)
    return np.concatenate(arrays, out=whole)


def by_shape(models: Sequence) -> dict[tuple | None, tuple[int, ...]]:
    """The numbers of models of every shape, in their order; under None those without a bank."""
    found: dict[tuple | None, tuple[int, ...]] = {}
    for number, model in enumerate(models):
        shape = shape_of(model)
        found[shape] = (*found.get(shape, ()), number)
    return found


def _shift(model: DeepBindModel) -> float:
    bias = np.mean([network.shift for network in model.networks])
    return bias * model.info["target_scale"] + model.info["target_mean"]


def _groups(model: DeepBindModel) -> tuple[np.ndarray, ...]:
    """The arrays of one model's groups, as `Bank` has them from `tables` to `columns`."""
    networks, both = model.networks, model.networks[0].sees_both
    kernels = np.concatenate([network.weight for network in networks]).astype(np.float64)
    bias = np.concatenate([network.bias for network in networks]).astype(np.float64)
    places = np.zeros((1, len(bias)))
    if networks[0].places is not None:
        places = np.concatenate([network.places for network in networks], axis=1)
    readout = np.concatenate([network.readout for network in networks]).astype(np.float64)
    readout *= model.info["target_scale"] / len(networks)
    highest = np.maximum(kernels.max(1), 0).sum(1) + np.maximum(bias, 0)
    highest += np.maximum(places.max(0), 0)
    # What can never pass its threshold adds nothing; an N, which adds 0, may be the best letter.
    able = np.maximum(kernels.max(1), 0).sum(1) + bias + places.max(0) > 0
    used = np.flatnonzero(able & (readout != 0))
    unit = highest[used] / _HIGHEST
    lanes = -(-max(len(used), 1) // INT_LANES) * INT_LANES
    numbers = np.full(lanes, -1, np.int32)
    numbers[: len(used)] = used
    weights = np.zeros(lanes, np.float32)
    weights[: len(used)] = readout[used] * unit
    quantised = np.zeros((lanes, 4, kernels.shape[2]), np.int64)
    quantised[: len(used)] = np.rint(kernels[used] / unit[:, None, None])
    starts = np.full(lanes, LOWEST, np.int64)
    starts[: len(used)] = np.rint(bias[used] / unit)
    rows = np.zeros((len(places), lanes), np.int64)
    rows[:, : len(used)] = np.rint(places[:, used] / unit)
    strands = [quantised, quantised[:, ::-1, ::-1]][: 1 + both]
    grouped = lanes // INT_LANES
    tables = np.stack([_word_tables(bank) for bank in strands], axis=1)
    letters = np.zeros((grouped, len(strands), INT_LANES, kernels.shape[2], LETTERS), np.int16)
    for strand, bank in enumerate(strands):
        shape = (grouped, INT_LANES, 4, -1)
        letters[:, strand, ..., :4] = _short(bank).reshape(shape).swapaxes(2, 3)
    return (
        np.ascontiguousarray(tables.reshape(grouped, -1)),
        _short(starts).reshape(grouped, INT_LANES),
        np.ascontiguousarray(
            _short(rows).reshape(-1, grouped, INT_LANES).swapaxes(0, 1).reshape(grouped, -1)
        ),
        weights.reshape(grouped, INT_LANES),
        numbers.reshape(grouped, INT_LANES),
        letters,
    )


def _short(numbers: np.ndarray) -> np.ndarray:
    # Below the lowest is as good as the lowest: nothing lifts either above 0.
    return np.clip(numbers, LOWEST, _HIGHEST).astype(np.int16)


def _word_tables(kernels: np.ndarray) -> np.ndarray:
    """Tables int16 [G, ceil(K / 3), 125, 32] of integer kernels [G * 32, 4, K]; N adds 0.

    Words are in the order of `_WORD_PLACES`.
    """
    lanes, _, width = kernels.shape
    n_words = -(-width // WORD)
    columns = np.zeros((lanes, n_words * WORD, LETTERS), np.int64)
    columns[:, :width, :4] = kernels.transpose(0, 2, 1)
    a, b, c = (columns[:, i::WORD] for i in range(WORD))
    words = a[..., :, None, None] + b[..., None, :, None] + c[..., None, None, :]
    words = words.reshape(lanes // INT_LANES, INT_LANES, n_words, WORD_ROWS)
    return _short(words.transpose(0, 2, 3, 1)[:, :, np.argsort(_WORD_PLACES)])


def scan_steps(bank: Bank, genome: Genome, chrom: int, starts: range) -> np.ndarray:
    """Scores float32 [n, T] of the windows that begin at `starts`, evenly spaced, of a chromosome.

    chrom is its number in the genome; what lies beyond its ends reads as N.
    """
    begin, end = int(genome.offsets[chrom]), int(genome.ends[chrom])
    last = begin + max(starts.stop, 0) + bank.length
    check_codes(genome.flat[begin + max(starts.start, 0) : min(end, last)])
    windows, every, step = len(bank.rows), bank.block, starts.step
    # Windows of a tile, by four; of long steps more than fit, so that blocks stand behind them.
    tile = max(1, (_TILE - windows) // step + 1)
    tile += -tile % 4
    behind = max(_TILE, (tile - 1) * step + windows)
    offsets, rows = bank.cover(0, windows)
    blocks = offsets - _TILE
    if (blocks % every == 0).all() and (blocks >= 0).all() and step % every == 0:
        # All blocks begin at multiples of their width: no score need be kept.
        offsets, step = blocks // every, step // every
    else:
        every = 0
        offsets = np.where(blocks >= 0, blocks + behind, offsets)
    pairs = _in_bytes(_paired(zip(rows, offsets, strict=True)))
    scores = np.empty((len(starts), len(bank.shifts)), np.float32)

    def work(first, last):
        _scan(
            genome.flat, begin, end, begin + starts.start, starts.step, first, last,
            *_arrays(bank), pairs, bank.block, every, step, tile, behind, scores,
        )  # fmt: skip

    share_rows(len(starts), work, len(starts) * starts.step // _TILE, _PIECES)
    return scores


def _arrays(bank: Bank) -> tuple:
    return (
        bank.tables, bank.starts, bank.places, bank.weights, bank.bounds, bank.shifts,
        bank.n_words, bank.both, len(bank.rows), _WORD_PLACES,
    )  # fmt: skip


@compiled()
def _shorts(size):
    """Zeros, int16, that begin at a cache line: rows that straddle two are slower to load."""
    raw = np.zeros(size + 32, np.int16)
    first = (-raw.ctypes.data % 64) // 2
    return raw[first : first + size]


@compiled()
def _floats(size):
    """The same of float32."""
    raw = np.zeros(size + 16, np.float32)
    first = (-raw.ctypes.data % 64) // 4
    return raw[first : first + size]


@compiled()
def _copy_letters(flat, begin, end, first, count, letters, at):
    """Letters of a chromosome from `first` on to `letters` from `at` on; N beyond its ends."""
    for i in range(count):
        place = first + i
        # Of a damaged genome other codes would lead out of the tables.
        known = begin <= place < end and flat[place] < UNKNOWN
        letters[at + i] = flat[place] if known else np.uint8(UNKNOWN)


@compiled()
def _spell(letters, at, word_places, words, count):
    """Words uint16, times 16, of letters from `at` on, `at` on too; `count` a multiple of 16."""
    fill_words(letters, at, words, at, count)
    for i in range(at, at + count):
        words[i] = word_places[words[i] // 16] * np.uint16(16)


@compiled()
def _total(sums, at):
    """The sum of 32 numbers, always in one order."""
    total = 0.0
    for lane in range(at, at + INT_LANES, 4):
        total += (sums[lane] + sums[lane + 1]) + (sums[lane + 2] + sums[lane + 3])
    return total


@compiled()
def _scan(
    flat, begin, end, start, bases, first, last, tables, starts, places, weights, bounds, shifts,
    n_words, both, windows, word_places, pairs, width, every, step, tile, behind, scores,
):  # fmt: skip
    """Scores [n, T] of the windows number `first` to before `last`; they begin `bases` apart.

    With `every`, scores are kept as the largest of each `every` places, so that windows are `step`
    rows apart; with 0 all are kept, and the largest of each `width` from row `behind` on. `tile`
    windows, a multiple of four, are scored at a time.
    """
    tile = min(tile, -(-(last - first) // 4) * 4)
    room = (tile - 1) * bases + windows
    line = -(-(room + n_words * WORD) // INT_LANES) * INT_LANES
    letters = np.full(_TILES * line + 2 * INT_LANES, 4, np.uint8)
    words = np.zeros(_TILES * line, np.uint16)
    found = _shorts((behind + room) * INT_LANES)
    best = _shorts(4 * INT_LANES)
    sums = _floats(_TILES * tile * INT_LANES)
    flat_tables, flat_places = tables.reshape(-1), places.reshape(-1)
    flat_pairs = pairs.reshape(-1)
    flat_starts, flat_weights = starts.reshape(-1), weights.reshape(-1)
    for begun in range(first, last, _TILES * tile):
        n = min(_TILES * tile, last - begun)
        n_tiles = -(-n // tile)
        for t in range(n_tiles):
            here = start + (begun + t * tile) * bases
            _copy_letters(flat, begin, end, here, line, letters, t * line)
            _spell(letters, t * line, word_places, words, line)
        for target in range(len(shifts)):
            sums[:] = 0
            for group in range(bounds[target], bounds[target + 1]):
                for t in range(n_tiles):
                    bank = (
                        flat_tables, group * tables.shape[1], words, t * line, flat_starts,
                        group * INT_LANES, n_words, both,
                    )  # fmt: skip
                    if every:
                        score_blocks(*bank, room // every, every, found, 0)
                    else:
                        score_places(*bank, room, found, 0)
                        best_blocks(found, 0, width, room - width + 1, found, behind * INT_LANES)
                    for i in range(0, tile, 4):
                        best_of_four(
                            found, i * step, step, flat_pairs, len(pairs), flat_places,
                            group * places.shape[1], best, 0,
                        )  # fmt: skip
                        for j in range(4):
                            read_out(
                                best, j * INT_LANES, flat_weights, group * INT_LANES,
                                sums, (t * tile + i + j) * INT_LANES,
                            )  # fmt: skip
            for i in range(n):
                scores[begun + i, target] = _total(sums, i * INT_LANES) + shifts[target]


@dataclass(frozen=True, eq=False)
class _Lists:
    """Which rows of scores hold an allele's windows, for each shape of alleles and each shift.

    Shapes are pairs (bases replaced, bases put there), (-1, -1) for long alleles. Rows are numbered
    from the allele's first row of scores, of the alternative's own scores from the first of these.

    bounds: int64 [H, shifts, 5] and pairs int32 [.., 3], as `compare_alleles` takes them; rows of
            blocks stand `_TILE` higher
    """

    bounds: np.ndarray
    pairs: np.ndarray

    @classmethod
    def of(cls, bank: Bank, shapes: np.ndarray, shifts: Sequence[int]) -> "_Lists":
        bounds = np.zeros((len(shapes), len(shifts), 5), np.int64)
        pairs: list[tuple[int, int, int]] = []
        for h, (n_ref, n_alt) in enumerate(shapes):
            for j, shift in enumerate(shifts):
                bounds[h, j, 0] = len(pairs)
                parts = _parts(bank, int(n_ref), int(n_alt), shift, shift - min(shifts))
                for i, part in enumerate(parts):
                    pairs += _paired(part)
                    bounds[h, j, i + 1] = len(pairs)
        return cls(bounds, _in_bytes(pairs))


def _paired(rows: Iterable[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Pairs (row of places, row of scores) two by two: two rows of scores and that of places."""
    found = []
    for row, group in itertools.groupby(sorted(rows), lambda pair: pair[0]):
        offsets = [offset for _, offset in group]
        # Of an odd number the last stands twice, which changes no maximum.
        offsets += offsets[-1:] * (len(offsets) % 2)
        found += [(*half, row) for half in zip(offsets[::2], offsets[1::2], strict=True)]
    return found


def _in_bytes(pairs: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Pairs of rows, int32 [n, 3], as offsets in bytes."""
    return np.array(pairs, np.int32).reshape(-1, 3) * np.int32(INT_LANES * 2)


def _parts(bank: Bank, n_ref: int, n_alt: int, shift: int, moved: int) -> tuple[list, ...]:
    """The four lists of pairs (row of places, row of scores) of one shape and shift."""
    windows, first = len(bank.rows), bank.length // 2 - shift
    if n_ref < 0:
        own = [(int(row), place + moved) for place, row in enumerate(bank.rows)]
        return [], _pairs(bank, 0, windows, moved), [], own
    # The windows that see the change, of either allele.
    before = min(max(first - bank.width + 1, 0), windows)
    after, own_after = (min(max(first + n, before), windows) for n in (n_ref, n_alt))
    shared = _pairs(bank, 0, before, moved)
    own = [(int(bank.rows[p]), p - (first - bank.width + 1)) for p in range(before, own_after)]
    if n_ref == n_alt:
        both = shared + _pairs(bank, after, windows, moved)
        return both, _pairs(bank, before, after, moved), [], own
    beyond = _pairs(bank, own_after, windows, moved + n_ref - n_alt)
    return shared, _pairs(bank, before, windows, moved), beyond, own


def _pairs(bank: Bank, first: int, last: int, moved: int) -> list[tuple[int, int]]:
    offsets, rows = bank.cover(first, last)
    return [(int(row), int(at) + moved) for at, row in zip(offsets, rows, strict=True)]


def score_alleles(
    bank: Bank, genome: Genome, alleles: Alleles, shifts: Sequence[int]
) -> tuple[np.ndarray, ...]:
    """The arrays of `variants.Effects` of a bank's T targets; `shifts` begin with 0.

    A shift must leave the first changed base in the window.
    """
    n, n_targets = len(alleles), len(bank.shifts)
    scores = np.empty((4, n, n_targets), np.float32)
    position = np.full((n, n_targets), -1, np.int64)
    strand, kernel = np.zeros((n, n_targets), np.int8), np.full((n, n_targets), -1, np.int32)
    if not n:
        return *scores, position, strand, kernel
    check_codes(alleles.alt)
    order = np.lexsort((alleles.start, alleles.chrom))
    n_ref, n_alt = alleles.n_ref.astype(np.int64), alleles.n_alt
    long = (n_ref > SHORT) | (n_alt > SHORT)
    pairs = np.stack([np.where(long, -1, n_ref), np.where(long, -1, n_alt)], axis=1)
    shapes, shape = np.unique(pairs, axis=0, return_inverse=True)
    lists = _Lists.of(bank, shapes, shifts)
    begins = genome.offsets[alleles.chrom]
    ends = genome.ends[alleles.chrom]
    starts = begins + alleles.start
    span = bank.length + max(shifts) - min(shifts)
    sizes = span + np.maximum(np.where(long, 0, n_ref - n_alt), 0)
    first = starts - bank.length // 2 + min(shifts)
    base, tiles = _plan(order, first, sizes, begins)
    own = np.where(long, span - bank.width + 1, bank.width - 1 + n_alt)

    def work(low, high):
        _score(
            genome.flat, begins, ends, starts, n_ref, alleles.alt, alleles.offsets, order,
            first, sizes, base, tiles[low : high + 1], shape.reshape(-1), own,
            lists.bounds, lists.pairs, *_arrays(bank), bank.kernels,
            bank.columns, bank.rows,
            bank.width, bank.length // 2, -min(shifts), bank.block,
            scores, position, strand, kernel,
        )  # fmt: skip

    share_rows(len(tiles) - 1, work, pieces=_PIECES)
    return *scores, position, strand, kernel


@compiled()
def _plan(order, first, sizes, begins):
    """Where the alleles' letters stand in their tile, int64 [n], and where in `order` tiles begin.

    Letters that neighbours share stand there once.
    """
    n = len(order)
    base, tiles = np.empty(n, np.int64), [0]
    at, high, chrom = 0, 0, np.int64(-1)
    for k in range(n):
        i = order[k]
        begun = tiles[-1]
        apart = k == begun or begins[i] != chrom or first[i] > high
        place = at if apart else at - (high - first[i])
        if k > begun and (place + sizes[i] > _TILE or k - begun >= _MOST):
            tiles.append(k)
            place, high = 0, first[i]
        base[i] = place
        end = first[i] + sizes[i]
        high = end if apart or k == tiles[-1] else max(high, end)
        at = max(at, place + sizes[i]) if k != tiles[-1] else sizes[i]
        chrom = begins[i]
    tiles.append(n)
    return base, np.array(tiles)


@compiled()
def _own_letters(flat, begin, end, start, n_ref, alt, first, n_alt, before, letters, at, count):
    """Letters of a haplotype, from `before` bases before the change on."""
    for i in range(count):
        behind = i - before
        if 0 <= behind < n_alt:
            letters[at + i] = alt[first + behind]
            continue
        place = start + behind + (n_ref - n_alt if behind >= n_alt else 0)
        known = begin <= place < end and flat[place] < UNKNOWN
        letters[at + i] = flat[place] if known else np.uint8(UNKNOWN)


@compiled()
def _score(
    flat, begins, ends, starts, n_ref, alt, alt_offsets, order, first, sizes, base, tiles, shape,
    own, bounds, pairs, tables, thresholds, places, weights, targets, shifts, n_words,
    both, windows, word_places, kernels, columns, place_rows, width, middle, moved, block,
    scores, position, strand, kernel,
):  # fmt: skip
    """Scores [4, n, T] and hits [n, T] of the alleles of some tiles.

    middle: where in a window the change begins; windows begin `moved` rows behind an allele's first
    """
    n_shifts = bounds.shape[1]
    room = longest = 0
    for k in range(tiles[0], tiles[-1]):
        room = max(room, base[order[k]] + sizes[order[k]])
        longest = max(longest, own[order[k]])
    line = -(-(room + n_words * WORD) // INT_LANES) * INT_LANES
    letters = np.full(_TILES * line + 2 * INT_LANES, 4, np.uint8)
    words = np.zeros(_TILES * line, np.uint16)
    own_line = -(-(longest + n_words * WORD) // INT_LANES) * INT_LANES
    most = _TILES * _MOST
    own_letters = np.full((most + 1) * own_line, 4, np.uint8)
    own_words = np.zeros(most * own_line, np.uint16)
    found = _shorts((_TILE + room) * INT_LANES)
    own_found = _shorts(_MOST * longest * INT_LANES)
    counts = np.zeros(_TILES, np.int64)
    n_sums = n_shifts * most * INT_LANES
    sums = _floats(2 * n_sums)
    held, which = _floats(most * INT_LANES), _floats(most * INT_LANES).view(np.int32)
    flat_tables, flat_places = tables.reshape(-1), places.reshape(-1)
    flat_starts, flat_weights = thresholds.reshape(-1), weights.reshape(-1)
    flat_bounds, flat_pairs = bounds.reshape(-1), pairs.reshape(-1)
    for begun in range(0, len(tiles) - 1, _TILES):
        ended = min(begun + _TILES, len(tiles) - 1)
        n = tiles[ended] - tiles[begun]
        rows_here = order[tiles[begun] : tiles[ended]]
        for t in range(begun, ended):
            counts[t - begun] = 0
            for k in range(tiles[t], tiles[t + 1]):
                i = order[k]
                at = (t - begun) * line + base[i]
                _copy_letters(flat, begins[i], ends[i], first[i], sizes[i], letters, at)
                counts[t - begun] = max(counts[t - begun], base[i] + sizes[i] - width + 1)
            _spell(letters, (t - begun) * line, word_places, words, line)
        for k in range(n):
            i = rows_here[k]
            n_alt = alt_offsets[i + 1] - alt_offsets[i]
            long = n_ref[i] > SHORT or n_alt > SHORT
            _own_letters(
                flat, begins[i], ends[i], starts[i], n_ref[i], alt, alt_offsets[i], n_alt,
                middle + moved if long else width - 1, own_letters, k * own_line, own_line,
            )  # fmt: skip
            _spell(own_letters, k * own_line, word_places, own_words, own_line)
        for target in range(len(shifts)):
            for j in range(2 * n_shifts):
                sums[j * most * INT_LANES : (j * most + n) * INT_LANES] = 0
            held[: n * INT_LANES] = 0
            which[: n * INT_LANES] = -1
            for group in range(targets[target], targets[target + 1]):
                table, place = group * tables.shape[1], group * places.shape[1]
                lane = group * INT_LANES
                for t in range(begun, ended):
                    bank = (
                        flat_tables, table, words, (t - begun) * line, flat_starts, lane, n_words,
                        both, counts[t - begun],
                    )  # fmt: skip
                    if block == FUSED_BLOCKS[0] or block == FUSED_BLOCKS[1]:
                        score_places_and_blocks(*bank, block, found, 0, _TILE * INT_LANES)
                    else:
                        score_places(*bank, found, 0)
                        n_blocks = counts[t - begun] - block + 1
                        best_blocks(found, 0, block, n_blocks, found, _TILE * INT_LANES)
                    low, high = tiles[t] - tiles[begun], tiles[t + 1] - tiles[begun]
                    for k in range(low, high):
                        score_places(
                            flat_tables, table, own_words, k * own_line, flat_starts, lane,
                            n_words, both, own[rows_here[k]], own_found,
                            (k - low) * longest * INT_LANES,
                        )  # fmt: skip
                    for k in range(low, high):
                        i = rows_here[k]
                        for j in range(n_shifts):
                            at = (j * most + k) * INT_LANES
                            compare_alleles(
                                found, base[i], own_found, (k - low) * longest, flat_pairs,
                                flat_bounds, (shape[i] * n_shifts + j) * 5, flat_places, place,
                                flat_weights, lane, sums, at, at + n_sums,
                                held, which, k * INT_LANES, group if j == 0 else -1,
                            )  # fmt: skip
            for t in range(begun, ended):
                for k in range(tiles[t] - tiles[begun], tiles[t + 1] - tiles[begun]):
                    i = rows_here[k]
                    for side in range(2):
                        best = np.float32(-np.inf)
                        for j in range(n_shifts):
                            at = ((side * n_shifts + j) * most + k) * INT_LANES
                            score = np.float32(_total(sums, at) + shifts[target])
                            best = max(best, score)
                            if j == 0:
                                scores[side, i, target] = score
                        scores[2 + side, i, target] = best
                    lane = _strongest(held, k * INT_LANES)
                    if lane >= 0:
                        group = which[k * INT_LANES + lane] // 2
                        rises = which[k * INT_LANES + lane] % 2 == 1
                        side = rises == (weights[group, lane] > 0)
                        reverse, offset = _find_hit(
                            columns, thresholds, places, group, lane, place_rows, letters,
                            (t - begun) * line + base[i] + moved, own_letters, k * own_line,
                            n_ref[i], alt_offsets[i + 1] - alt_offsets[i], side, middle, moved,
                            width,
                        )  # fmt: skip
                        kernel[i, target] = kernels[group, lane]
                        strand[i, target] = -1 if reverse else 1
                        position[i, target] = starts[i] + offset - begins[i]


@compiled()
def _strongest(held, at):
    """The lane of the largest of 32 numbers, -1 where none is above 0."""
    lane = 0
    for other in range(1, INT_LANES):
        if held[at + other] > held[at + lane]:
            lane = other
    return lane if held[at + lane] > 0 else -1


@compiled()
def _find_hit(
    columns, thresholds, places, group, lane, place_rows, letters, begin, own_letters, own, n_ref,
    n_alt, side, middle, moved, width,
):  # fmt: skip
    """A kernel's best window among those in which the alleles differ, on the alternative or not.

    The kernel is lane `lane` of a group; letters of the reference's window stand from `begin` on,
    the alternative's own ones from `own` on. Returns whether the window lies on the reverse strand,
    and its first base, counted on the reference from the first base replaced.
    """
    long = n_ref > SHORT or n_alt > SHORT
    before = 0 if long else max(0, middle - width + 1)
    best, reverse, offset = np.int64(0), False, 0
    flat, strands = columns.reshape(-1), columns.shape[1]
    last = len(place_rows)
    if n_ref == n_alt and not long:
        last = min(middle + n_ref, last)
    for p in range(before, last):
        source, at = letters, begin + p
        if side and long:
            source, at = own_letters, own + moved + p
        elif side and p < middle + n_alt:
            source, at = own_letters, own + p - (middle - width + 1)
        elif side:
            at = begin + p + n_ref - n_alt
        start = np.int64(thresholds[group, lane]) + places[group, place_rows[p] * INT_LANES + lane]
        for turned in range(strands):
            score = start
            column = ((group * strands + turned) * INT_LANES + lane) * width * LETTERS
            for k in range(width):
                score += flat[np.uintp(column + k * LETTERS) + np.uintp(source[np.uintp(at + k)])]
            if score > best:
                best, reverse, offset = score, turned == 1, p - middle
                if side and p >= middle + n_alt:
                    offset += n_ref - n_alt
                elif side and p > middle:
                    offset = min(offset, n_ref)
    return reverse, offset
