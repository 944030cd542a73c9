"""The compiled motif scan over base codes, NumPy in and out: no job needs PyTorch for it.

How it works is told in `scan.py`, where PyTorch's networks take it.
"""

import numpy as np

from motifloom.lanes import (
    LANES,
    LETTERS,
    WORD,
    WORD_ROWS,
    aligned,
    compiled,
    fill_table,
    fill_words,
    scan_lanes,
    scan_lanes_with_mean,
    scatter_windows,
)
from motifloom.threads import share_rows

# Additions below which a second thread costs more than it saves.
_THREAD_WORTH = 20_000_000
# Words, uint16, encoded at a time: half of a common second-level cache.
_BLOCK_WORDS = 1 << 18
# Windows of 16 kernels each that are put in order at a time: 100 kB, in the same cache.
_GATHERED = 512


def place_index(windows: int, place_bin: int, rows: int, trained: int | None = None) -> np.ndarray:
    """Row of the bias by distance from the middle for each window: int64 [windows].

    `place_bin` windows on either side of the middle share a row; the last row goes on outwards.
    In a sequence with more windows than the `trained` number the middle is wider by twice as many,
    so that from twice that number on every site counts as in the middle of one cut around it.
    """
    wider = 2 * max(0, windows - (trained or windows))
    twice = np.abs(2 * np.arange(windows) - (windows - 1)) - wider
    return np.minimum(np.maximum(twice, 0) // (2 * place_bin), rows - 1)


def scan_codes(
    codes: np.ndarray,
    kernels: np.ndarray,
    pool: int,
    both_strands: bool,
    padding: int = 0,
    unknown: float = 0.0,
    places: np.ndarray | None = None,
    place_index: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Pooled maxima float32 [N, P, C] and where they are, int32 [N, P, C].

    codes uint8 [N, L], kernels float32 [C, 4, K]; places float32 [rows, C] and their index int64
    [W]. A position is the first base, on the forward strand and counted from the beginning of the
    padding, of the window; windows that win on the reverse strand are given as -1 - position.
    """
    windows = _windows_of(codes, kernels, padding)
    pool = pool or windows
    shape = (len(codes), windows // pool, len(kernels))
    values, positions = np.empty(shape, np.float32), np.empty(shape, np.int32)
    tables, biases, index = _prepare(kernels, unknown, places, place_index, windows)

    def scan(rows):
        inputs = (codes[rows], tables, biases, index, kernels.shape[2], windows, padding)
        _scan(*inputs, places is not None, pool, both_strands, values[rows], positions[rows])

    run_blocks(len(codes), _additions(windows, tables, both_strands), scan)
    return values, positions


def mean_codes(
    codes: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray,
    both_strands: bool,
    padding: int = 0,
    unknown: float = 0.0,
    places: np.ndarray | None = None,
    place_index: np.ndarray | None = None,
) -> np.ndarray:
    """Mean of ReLU(window + bias), float32 [N, C]; arguments as those of `scan_codes`."""
    windows = _windows_of(codes, kernels, padding)
    tables, biases, index = _prepare(kernels, unknown, places, place_index, windows)
    thresholds = np.full(len(tables) * LANES, -np.inf, np.float32)
    thresholds[: len(bias)] = bias
    sums = np.zeros((len(codes), len(thresholds)), np.float32)

    def scan(rows):
        inputs = (codes[rows], tables, biases, index, kernels.shape[2], windows, padding)
        _scan_means(*inputs, thresholds, both_strands, sums[rows])

    run_blocks(len(codes), _additions(windows, tables, both_strands), scan)
    return sums[:, : len(kernels)] / np.float32(windows * (1 + both_strands))


def _windows_of(codes: np.ndarray, kernels: np.ndarray, padding: int) -> int:
    width = kernels.shape[2]
    windows = codes.shape[1] + 2 * padding - width + 1
    if windows < 1:
        raise ValueError(f"sequences of {codes.shape[1]} are shorter than kernels of {width}")
    return windows


def _additions(windows: int, tables: np.ndarray, both_strands: bool) -> int:
    """Additions that one sequence costs."""
    n_words = tables.shape[1] // (WORD_ROWS * LANES)
    return windows * n_words * len(tables) * LANES * (1 + both_strands)


def _prepare(kernels, unknown, places, place_index, windows):
    """Tables, bias rows [blocks, rows * 16] and their index, as `lanes.py` takes them."""
    tables = word_tables(kernels, unknown)
    if places is None:
        return tables, aligned((len(tables), LANES)), np.zeros(windows, np.uint16)
    biases = aligned((len(tables), len(places), LANES))
    for block, bias in enumerate(biases):
        part = places[:, block * LANES : (block + 1) * LANES]
        bias[:, : part.shape[1]] = part
    return tables, biases.reshape(len(tables), -1), (place_index * LANES).astype(np.uint16)


def word_tables(kernels: np.ndarray, unknown: float = 0.0) -> np.ndarray:
    """Tables float32 [blocks, ceil(K / 3) * 125 * 16] of kernels [C, 4, K].

    Row 25 a + 5 b + c of the g-th third of a block holds what letters a, b, c (N is `unknown` of
    all four) at positions 3 g, 3 g + 1, 3 g + 2 add to its 16 kernels.
    """
    n_kernels, _, width = kernels.shape
    blocks, n_words = -(-n_kernels // LANES), -(-width // WORD)
    columns = np.zeros((blocks * LANES, n_words * WORD, LETTERS), np.float32)
    columns[:n_kernels, :width, :4] = kernels.transpose(0, 2, 1)
    columns[:, :, 4] = np.float32(unknown) * columns[:, :, :4].sum(2)
    tables = aligned((blocks, n_words * WORD_ROWS * LANES))
    lanes_last = columns.reshape(blocks, LANES, -1).transpose(0, 2, 1)
    _fill_tables(np.ascontiguousarray(lanes_last), n_words, tables)
    return tables


def run_blocks(n: int, additions: int, work) -> list:
    """Apply `work` to one row slice a thread; the results in row order.

    `additions` are those of one row: small work stays on one thread.
    """
    worth = n * additions // _THREAD_WORTH
    return share_rows(n, lambda first, last: work(slice(first, last)), worth)


@compiled()
def _fill_tables(columns, n_words, tables):
    flat = tables.reshape(-1)
    for block in range(len(tables)):
        fill_table(columns[block].reshape(-1), n_words, flat, block * tables.shape[1])


@compiled()
def _encode(codes, first, padding, strands, letters, words):
    """Words uint16 [n, S, line] of n sequences from row `first` on, and of their reverses."""
    length, line = codes.shape[1], words.shape[2]
    flat = words.reshape(-1)
    for i in range(words.shape[0]):
        for s in range(strands):
            for b in range(length):
                if s == 0:
                    letters[padding + b] = codes[first + i, b]
                else:
                    base = codes[first + i, length - 1 - b]
                    letters[padding + b] = np.uint8(3) - base if base < 4 else np.uint8(4)
            fill_words(letters, 0, flat, (i * strands + s) * line, line)


@compiled()
def _line(width, windows):
    """Words that windows of a sequence reach, as whole registers."""
    return -(-(windows + width + 2) // LANES) * LANES


@compiled()
def _scan(
    codes, tables, biases, index, width, windows, padding, placed, pool, both, values, positions
):
    strands, line, n_words = 1 + both, _line(width, windows), -(-width // WORD)
    n_pools, n_kernels = values.shape[1:]
    rows = min(max(1, _BLOCK_WORDS // (strands * line)), max(len(codes), 1))
    words = np.empty((rows, strands, line), np.uint16)
    letters = np.full(line + 2 * LANES, 4, np.uint8)
    flat, flat_tables, flat_biases = words.reshape(-1), tables.reshape(-1), biases.reshape(-1)
    best, where = np.empty((2, LANES), np.float32), np.empty((2, LANES), np.int32)
    flat_best, flat_where = best.reshape(-1), where.reshape(-1)
    for first in range(0, len(codes), rows):
        n = min(rows, len(codes) - first)
        _encode(codes, first, padding, strands, letters, words[:n])
        for block in range(len(tables)):
            for i in range(n):
                for q in range(n_pools):
                    for s in range(strands):
                        # Backwards on the reverse strand: of equal windows the first on the
                        # forward strand wins.
                        begin = q * pool if s == 0 else windows - 1 - q * pool
                        scan_lanes(
                            flat_tables, block * tables.shape[1], flat, (i * strands + s) * line,
                            flat_biases, block * biases.shape[1], index, n_words,
                            begin, 1 if s == 0 else -1, pool, flat_best, flat_where, s * LANES,
                            placed,
                        )  # fmt: skip
                    for lane in range(min(LANES, n_kernels - block * LANES)):
                        c = block * LANES + lane
                        if both and best[1, lane] > best[0, lane]:
                            values[first + i, q, c] = best[1, lane]
                            positions[first + i, q, c] = -1 - (windows - 1 - where[1, lane])
                        else:
                            values[first + i, q, c] = best[0, lane]
                            positions[first + i, q, c] = where[0, lane]


@compiled()
def _scan_means(codes, tables, biases, index, width, windows, padding, thresholds, both, sums):
    strands, line, n_words = 1 + both, _line(width, windows), -(-width // WORD)
    rows = min(max(1, _BLOCK_WORDS // (strands * line)), max(len(codes), 1))
    words = np.empty((rows, strands, line), np.uint16)
    letters = np.full(line + 2 * LANES, 4, np.uint8)
    flat, flat_tables, flat_biases = words.reshape(-1), tables.reshape(-1), biases.reshape(-1)
    best, where = np.empty(LANES, np.float32), np.empty(LANES, np.int32)
    active, total = np.empty(windows, np.uint16), np.zeros(LANES, np.float32)
    for first in range(0, len(codes), rows):
        n = min(rows, len(codes) - first)
        _encode(codes, first, padding, strands, letters, words[:n])
        for block in range(len(tables)):
            for i in range(n):
                total[:] = 0
                for s in range(strands):
                    scan_lanes_with_mean(
                        flat_tables, block * tables.shape[1], flat, (i * strands + s) * line,
                        flat_biases, block * biases.shape[1], index, n_words, 0, 1, windows,
                        best, where, 0, thresholds, block * LANES, total, active, 0,
                    )  # fmt: skip
                for lane in range(LANES):
                    sums[first + i, block * LANES + lane] = total[lane]


@compiled()
def _spell(codes, first, padding, letters):
    """Letters uint8 [n, S, .. >= L] of n sequences from row `first` on, and of their reverses."""
    length = np.uintp(codes.shape[1])
    for i in range(letters.shape[0]):
        read, spelled = codes[first + i], letters[i, 0, padding:]
        for b in range(length):
            spelled[b] = read[b]
        if letters.shape[1] > 1:
            reverse = letters[i, 1, padding:]
            for b in range(length):
                base = read[length - np.uintp(1) - b]
                reverse[b] = np.uint8(3) - base if base < 4 else np.uint8(4)


@compiled()
def scatter(codes, padding, strands, width, positions, gradient, index, kernels, places):
    """Add the gradient of winning windows to kernels [C, 5, .. >= K] and places [rows or 0, C].

    Of so many sequences at a time, windows are first put in order by kernel: its gradient then
    stays in registers (`scatter_windows`).
    """
    (n_pools, n_kernels), line = positions.shape[1:], kernels.shape[2]
    length = codes.shape[1] + 2 * padding
    rows = max(1, min(len(codes), _GATHERED // n_pools))
    letters = np.full((rows, strands, length + line), 4, np.uint8)
    windows = np.empty((LANES, rows * n_pools + 1), np.int64)
    slopes = np.empty(windows.shape, np.float32)
    counts = np.empty(LANES, np.int64)
    spelled, sums = letters.reshape(-1), kernels.reshape(-1)
    for first in range(0, len(codes), rows):
        n = min(rows, len(codes) - first)
        _spell(codes, first, padding, letters[:n])
        for block in range(0, n_kernels, LANES):
            counts[:] = 0
            for i in range(n):
                here = positions[first + i], gradient[first + i], block
                begin = i * strands * (length + line)
                _gather(*here, begin, begin + 2 * length + line - width, windows, slopes, counts)
                if len(places):
                    _scatter_places(*here, index, places)
            for lane in range(min(LANES, n_kernels - block)):
                scatter_windows(
                    spelled, windows[lane], slopes[lane], counts[lane], line // LANES,
                    sums, (block + lane) * LETTERS * line,
                )  # fmt: skip


@compiled()
def _gather(positions, gradient, block, begin, reverse, windows, slopes, counts):
    """Put winning windows of a sequence that have a gradient behind those of its 16 kernels.

    positions and gradient [P, C]; window p begins at letter begin + p, or on the reverse strand
    at reverse - p. Writes windows and slopes [16, ..] from `counts` [16] on.
    """
    n_kernels, line = np.uintp(positions.shape[1]), np.uintp(windows.shape[1])
    block, lanes = np.uintp(block), np.uintp(min(LANES, positions.shape[1] - block))
    flat_positions, flat_gradient = positions.reshape(-1), gradient.reshape(-1)
    flat_windows, flat_slopes = windows.reshape(-1), slopes.reshape(-1)
    for q in range(np.uintp(positions.shape[0])):
        for lane in range(lanes):
            slope = flat_gradient[q * n_kernels + block + lane]
            p = np.int64(flat_positions[q * n_kernels + block + lane])
            at = lane * line + np.uintp(counts[lane])
            # One without a gradient is overwritten by the next.
            flat_windows[at] = begin + p if p >= 0 else reverse + 1 + p
            flat_slopes[at] = slope
            counts[lane] += np.int64(slope != 0)


@compiled()
def _scatter_places(positions, gradient, block, index, places):
    """Add the gradient of a sequence's windows to that of their places [rows, C]."""
    for q in range(positions.shape[0]):
        for c in range(block, min(block + LANES, positions.shape[1])):
            p = positions[q, c]
            places[index[p if p >= 0 else -1 - p], c] += gradient[q, c]
