"""The motif scan: a convolution over base codes with pooled maxima.

On one-hot input a convolution is a sum of table rows: the K positions of a kernel are grouped
into 3-mers, a bank of 16 kernels becomes ceil(K / 3) tables of 125 rows (5 letters) by 16, and a
window costs ceil(K / 3) row look-ups and vector additions (`lanes.py`). After a maximum over
positions only the winning window carries gradient, so that the backward pass adds K values a
maximum instead of convolving again.

Three ways lead to the same values and gradients: `reference_scan`, plain PyTorch on one-hot
input; the compiled scan on the CPU; and on other devices a convolution for the winners alone,
whose gradient is gathered at their windows (`gathered_scan`).
"""

import numpy as np
import torch
import torch.nn.functional as F

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


def reverse_complement_kernels(kernels: torch.Tensor) -> torch.Tensor:
    """Kernels [C, 4, K] that see on the forward strand what `kernels` see on the reverse one."""
    return kernels.flip(1, 2)


def one_hot(codes: torch.Tensor, unknown: float = 0.0) -> torch.Tensor:
    """One-hot float32 [N, 4, L] of base codes uint8 [N, L]; N is `unknown` in all channels."""
    table = torch.eye(5, 4, device=codes.device)
    table[4] = unknown
    return table[codes.long()].transpose(1, 2)


def place_index(
    windows: int, place_bin: int, rows: int, trained: int | None = None, device="cpu"
) -> torch.Tensor:
    """Row of the bias by distance from the middle for each window: int64 [windows].

    `place_bin` windows on either side of the middle share a row; the last row goes on outwards.
    In a sequence with more windows than the `trained` number the middle is wider by twice as many,
    so that from twice that number on every site counts as in the middle of one cut around it.
    """
    wider = 2 * max(0, windows - (trained or windows))
    twice = (2 * torch.arange(windows, device=device) - (windows - 1)).abs() - wider
    return (twice.clamp(min=0) // (2 * place_bin)).clamp(max=rows - 1)


def reference_scan(
    x: torch.Tensor,
    kernels: torch.Tensor,
    pool: int = 0,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """The scan by `conv1d` and `max_pool1d`: float [N, P, C] of one-hot input [N, 4, L].

    `pool` 0 takes one maximum over all W = L + 2 padding - K + 1 windows (P = 1), otherwise one
    over each `pool` consecutive windows (P = W // pool). With `both_strands`, the larger of both
    strands. `padding` bases of `unknown` in all channels stand on both sides; `places` [rows, C]
    are added to window p in row `place_index[p]`.
    """
    strands = _activations(x, kernels, both_strands, padding, unknown, places, place_index)
    pooled = [F.max_pool1d(values, pool or values.shape[-1]) for values in strands]
    values = pooled[0] if len(pooled) == 1 else larger(*pooled)
    return values.transpose(1, 2)


def larger(forward: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
    """The larger of two strands' values; of equal ones the forward strand takes the gradient."""
    return torch.where(reverse > forward, reverse, forward)


def reference_mean(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over windows (of both strands) of ReLU(window + bias): float [N, C] of [N, 4, L].

    `bias` [C]; the other arguments as those of `reference_scan`.
    """
    strands = _activations(x, kernels, both_strands, padding, unknown, places, place_index)
    means = [torch.relu(values + bias[:, None]).mean(2) for values in strands]
    return sum(means) / len(means)


def _activations(x, kernels, both_strands, padding, unknown, places, place_index) -> list:
    """Values [N, C, W] of all windows, of the forward and of the reverse strand."""
    if padding:
        x = F.pad(x, (padding, padding), value=unknown)
    banks = [kernels, reverse_complement_kernels(kernels)] if both_strands else [kernels]
    values = [F.conv1d(x, bank) for bank in banks]
    if places is not None:
        shift = places[place_index].T
        values = [value + shift for value in values]
    return values


def motif_scan(
    codes: torch.Tensor,
    kernels: torch.Tensor,
    pool: int = 0,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """The scan over base codes uint8 [N, L] (N is `unknown` in all channels): float32 [N, P, C].

    Differentiable in `kernels` [C, 4, K] and `places` [rows, C]; `place_index` must be the same
    from either end, as `place_index` makes it. Equals `reference_scan` of the one-hot codes; among
    equal windows the first on the forward strand wins and takes the gradient. Compiled on the CPU
    with as many threads as PyTorch has; elsewhere `gathered_scan`.
    """
    if places is None:
        windows = codes.shape[1] + 2 * padding - kernels.shape[2] + 1
        place_index = torch.zeros(max(windows, 0), dtype=torch.int64, device=codes.device)
        places = kernels.new_zeros(1, len(kernels))
    scan = _Scan.apply if codes.device.type == "cpu" else gathered_scan
    return scan(codes, kernels, places, place_index, pool, both_strands, padding, unknown)


def motif_mean(
    codes: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """`reference_mean` over base codes uint8 [N, L]: float32 [N, C].

    Compiled on the CPU where no gradient is asked for; otherwise the reference itself.
    """
    where = {"padding": padding, "unknown": unknown, "places": places, "place_index": place_index}
    wanted = any(t is not None and t.requires_grad for t in (kernels, bias, places))
    if codes.device.type != "cpu" or (wanted and torch.is_grad_enabled()):
        return reference_mean(one_hot(codes, unknown), kernels, bias, both_strands, **where)
    arrays = [t if t is None else t.detach().numpy() for t in (places, place_index)]
    means = mean_codes(
        codes.numpy(), kernels.detach().numpy(), bias.detach().numpy(), both_strands,
        padding, unknown, *arrays,
    )  # fmt: skip
    return torch.from_numpy(means)


class _Scan(torch.autograd.Function):
    """Forward by table look-ups, backward at the winning windows only."""

    @staticmethod
    def forward(ctx, codes, kernels, places, place_index, pool, both_strands, padding, unknown):
        values, positions = scan_codes(
            codes.numpy(), kernels.detach().numpy(), pool, both_strands, padding, unknown,
            places.detach().numpy(), place_index.numpy(),
        )  # fmt: skip
        ctx.save_for_backward(codes, place_index)
        ctx.positions, ctx.strands = positions, 1 + both_strands
        ctx.padding, ctx.unknown = padding, unknown
        ctx.shape, ctx.rows = kernels.shape, len(places)
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx, gradient):
        codes, index = (tensor.numpy() for tensor in ctx.saved_tensors)
        gradient = np.ascontiguousarray(gradient.numpy())
        n_kernels, _, width = ctx.shape
        line = -(-width // LANES) * LANES

        def scatter(rows):
            found = np.zeros((n_kernels, LETTERS, line), np.float32)
            shifts = np.zeros((ctx.rows * ctx.needs_input_grad[2], n_kernels), np.float32)
            inputs = (codes[rows], ctx.padding, ctx.strands, width, ctx.positions[rows])
            _scatter(*inputs, gradient[rows], index, found, shifts)
            return found, shifts

        blocks = _run_blocks(len(codes), ctx.positions[:1].size * LETTERS * line, scatter)
        total, shifts = (sum(parts) for parts in zip(*blocks, strict=True))
        kernels = total[:, :4, :width] + np.float32(ctx.unknown) * total[:, 4:, :width]
        shifts = torch.from_numpy(shifts) if ctx.needs_input_grad[2] else None
        return None, torch.from_numpy(kernels), shifts, *[None] * 5


def gathered_scan(
    codes: torch.Tensor,
    kernels: torch.Tensor,
    places: torch.Tensor,
    place_index: torch.Tensor,
    pool: int,
    both_strands: bool,
    padding: int,
    unknown: float,
) -> torch.Tensor:
    """`motif_scan` on any device: one convolution finds the winners, without gradient.

    Their windows are then gathered and scored once more, K values a maximum, so that autograd
    need not convolve again. Returns float32 [N, P, C].
    """
    x = one_hot(codes, unknown)
    with torch.no_grad():
        strands = _activations(x, kernels, both_strands, padding, unknown, places, place_index)
        best, where = zip(
            *(F.max_pool1d(v, pool or v.shape[-1], return_indices=True) for v in strands),
            strict=True,
        )
        reverse = torch.zeros_like(where[0], dtype=torch.bool)
        place = where[0]
        if both_strands:
            reverse = best[1] > best[0]
            place = torch.where(reverse, where[1], place)
    if not torch.is_grad_enabled() or not (kernels.requires_grad or places.requires_grad):
        return (torch.maximum(*best) if both_strands else best[0]).transpose(1, 2)
    windows = F.pad(x, (padding, padding), value=unknown).unfold(2, kernels.shape[2], 1)
    found = windows.transpose(1, 2)  # [N, W, 4, K]
    rows = torch.arange(len(codes), device=codes.device)[:, None, None]
    seen = found[rows, place]  # [N, C, P, 4, K]
    seen = torch.where(reverse[..., None, None], seen.flip(-2, -1), seen)
    shift = places[place_index[place], torch.arange(len(kernels), device=codes.device)[:, None]]
    return (torch.einsum("ncpbk,cbk->ncp", seen, kernels) + shift).transpose(1, 2)


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

    _run_blocks(len(codes), _additions(windows, tables, both_strands), scan)
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

    _run_blocks(len(codes), _additions(windows, tables, both_strands), scan)
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


def _run_blocks(n: int, additions: int, work) -> list:
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
def _scatter(codes, padding, strands, width, positions, gradient, index, kernels, places):
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
