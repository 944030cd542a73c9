"""DeepBind's change by every substitution of a base, without scanning every variant.

A substitution changes the K windows that cover it, each by one entry of the kernel: the score of
window p under a kernel W becomes S_p + W[new, k] - W[old, k] at k = i - p. So one scan of the
sequence gives all variants' maxima. They differ from the sequence's own maximum only

- where a changed window rises above it, which a window further below the maximum than the
  kernel's largest rise cannot; and
- within the maximum's own window, where the best of the others takes over.

A maximum that stays below the threshold of the ReLU counts as the threshold.
"""

from dataclasses import dataclass

import numpy as np
import torch

from motifloom.code_scan import _THREAD_WORTH, _additions, _encode, _line, _prepare, _spell
from motifloom.lanes import LANES, LETTERS, WORD, compiled
from motifloom.models import DeepBind
from motifloom.peaks import lowest_bit, mark_lanes, rising_positions, store_lanes
from motifloom.threads import share_rows

# Sequences that are scanned with one block of kernels before the next takes the cache.
_ROWS = 32
# Bytes of changes held at a time.
_CHANGE_BYTES = 1 << 26
_NOWHERE = -(1 << 30)


@dataclass(frozen=True)
class _Bank:
    """Kernels as the compiled code takes them; S strands, C kernels, F features, U units.

    tables [S, blocks, ..], biases [blocks, ..], index uint16 [windows]: as those of `scan.py`,
        the reverse strand as a bank of its own over the forward bases
    columns: [S, C, K, 5], what each letter adds at each position; N stands in row 4
    rises:   [S, C, 5, ..], how much more the best letter adds there; -inf behind the kernel's end
    bias:    [C], the thresholds
    readout: [F, U], from the features to the hidden layer, or with U = 1 to the logit
    """

    tables: np.ndarray
    biases: np.ndarray
    index: np.ndarray
    columns: np.ndarray
    rises: np.ndarray
    bias: np.ndarray
    readout: np.ndarray
    padding: int
    means: bool

    @classmethod
    def of(cls, network: DeepBind, length: int, target: int) -> "_Bank":
        """The bank of a network for sequences of one length."""
        conv = network.conv
        kernels = conv.weight.detach().cpu().numpy()
        unknown = np.float32(0.25 if conv.padding else 0.0)
        windows = length + 2 * conv.padding - kernels.shape[2] + 1
        places = index = None
        if conv.places is not None:
            places = conv.places.detach().cpu().numpy()
            index = conv.place_index(windows).numpy()
        strands = [kernels, kernels[:, ::-1, ::-1]][: 1 + conv.both_strands]
        prepared = [_prepare(bank, unknown, places, index, windows) for bank in strands]
        bases = np.stack(strands).transpose(0, 1, 3, 2)  # [S, C, K, 4]
        columns = np.concatenate([bases, unknown * bases.sum(3, keepdims=True)], axis=3)
        layer = network.dense.weight[target : target + 1]
        layer = layer if network.hidden is None else network.hidden.weight
        return cls(
            tables=np.stack([tables for tables, _, _ in prepared]),
            biases=prepared[0][1],
            index=prepared[0][2],
            columns=np.ascontiguousarray(columns),
            rises=_rises(bases, columns),
            bias=conv.bias.detach().cpu().numpy(),
            readout=np.ascontiguousarray(layer.detach().cpu().numpy().T),
            padding=conv.padding,
            means=network.hyperparameters["pooling"] == "max+mean",
        )


def _rises(bases: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The bank's `rises`, of bases [S, C, K, 4] and columns [S, C, K, 5]; whole registers wide."""
    n_strands, n_kernels, width, _ = columns.shape
    line = -(-width // LANES) * LANES
    rises = np.full((n_strands, n_kernels, LETTERS, line), -np.inf, np.float32)
    rises[..., :width] = (bases.max(3, keepdims=True) - columns).swapaxes(2, 3)
    return rises


def logit_changes(network: DeepBind, codes: np.ndarray, target: int = 0) -> np.ndarray:
    """Change of one logit by every substitution, float32 [N, L, 4], of base codes uint8 [N, L].

    0 at the base itself; at an N, the logit with each base minus that with the N. As many threads
    as PyTorch has take part; the result does not depend on them, nor on the sequences beside one.
    """
    bank = _Bank.of(network, codes.shape[1], target)
    units = bank.readout.shape[1]
    changes = np.empty((*codes.shape, 4), np.float32)
    rows = max(1, _CHANGE_BYTES // (codes.shape[1] * 16 * units))
    for first in range(0, len(codes), rows):
        part = np.array(codes[first : first + rows])  # writable: compiled once for all
        found = _unit_changes(bank, part)
        changes[first : first + rows] = _through_hidden(network, part, found, target)
    return changes


def _unit_changes(bank: _Bank, codes: np.ndarray) -> np.ndarray:
    """Changes of the units behind the features, float32 [n, L, 4, U]."""
    changes = np.zeros((*codes.shape, 4, bank.readout.shape[1]), np.float32)

    def work(first, last):
        _change(
            codes[first:last], bank.tables, bank.biases, bank.index, bank.columns,
            bank.rises, bank.bias, bank.readout, bank.padding, bank.means, changes[first:last],
        )  # fmt: skip

    additions = _additions(len(bank.index), bank.tables[0], len(bank.tables) > 1)
    share_rows(len(codes), work, 4 * len(codes) * additions // _THREAD_WORTH)
    return changes


def _through_hidden(network, codes, changes, target) -> np.ndarray:
    """Changes [n, L, 4] of the logit, of those [n, L, 4, U] of the units before it."""
    if network.hidden is None:
        return changes[..., 0]
    device = network.dense.weight.device
    with torch.inference_mode():
        features = network.features(torch.as_tensor(codes, device=device))
        before = network.hidden(features).cpu().numpy()
    weights = network.dense.weight[target].detach().cpu().numpy()
    changes += before[:, None, None]
    np.maximum(changes, 0, out=changes)
    return changes @ weights - (np.maximum(before, 0) @ weights)[:, None, None]


@compiled()
def _change(codes, tables, biases, index, columns, rises, bias, readout, padding, means, changes):
    """Add every substitution's change of the units to `changes` [n, L, 4, U]."""
    strands, n_kernels, width = columns.shape[:3]
    length, windows = codes.shape[1], len(index)
    line, n_words = _line(width, windows), -(-width // WORD)
    rows = max(1, min(_ROWS, len(codes)))
    words = np.empty((rows, 1, line), np.uint16)
    letters = np.full((rows, 1, length + 2 * padding + LANES), 4, np.uint8)
    spelled = np.full(line + 2 * LANES, 4, np.uint8)
    flat, flat_tables, flat_biases = words.reshape(-1), tables.reshape(-1), biases.reshape(-1)
    scores = np.empty(strands * windows * LANES, np.float32)
    marks = np.empty((strands, windows), np.uint16)
    best, where = np.empty((2, LANES), np.float32), np.empty((2, LANES), np.int32)
    flat_best, flat_where = best.reshape(-1), where.reshape(-1)
    peaks = np.empty(LANES, np.float32), np.empty(LANES, np.int32), np.empty(LANES, np.float32)
    gains, touched = np.zeros(length * 4, np.float32), np.empty(length * 4 + 1, np.intp)
    found, counts = np.empty((LANES, strands * windows), np.int32), np.empty(LANES, np.intp)
    near = np.empty((strands, 2 * width), np.float32)
    reach = np.empty(n_kernels, np.float32)
    for c in range(n_kernels):
        reach[c] = rises[0, c].max()
    for first in range(0, len(codes), rows):
        n = min(rows, len(codes) - first)
        _encode(codes, first, padding, 1, spelled, words[:n])
        _spell(codes, first, padding, letters[:n])
        for block in range(tables.shape[1]):
            for i in range(n):
                for s in range(strands):
                    store_lanes(
                        flat_tables, (s * tables.shape[1] + block) * tables.shape[2],
                        flat, i * line, flat_biases, block * biases.shape[1], index, n_words,
                        windows, scores, s * windows * LANES, flat_best, flat_where, s * LANES,
                    )  # fmt: skip
                here = letters[i, 0], columns, readout, padding, changes[first + i]
                _change_maxima(
                    scores, best, where, block, bias, reach, rises, *here,
                    peaks, marks, near, gains, touched, found, counts,
                )  # fmt: skip
                if means:
                    _change_means(scores, block, bias, reach, *here, marks)


@compiled()
def _change_maxima(
    scores, best, where, block, bias, reach, rises, letters, columns, readout, padding, changes,
    peaks, marks, near, gains, touched, found, counts,
):  # fmt: skip
    """Changes by way of the maxima of 16 kernels, those of block `block`, of one sequence."""
    strands, n_kernels, width = columns.shape[:3]
    windows = marks.shape[1]
    top, peak, rest = peaks
    bounds = np.full(LANES, np.inf, np.float32)
    lanes = min(LANES, n_kernels - block * LANES)
    peak[:] = _NOWHERE
    rest[:] = -np.inf
    for lane in range(lanes):
        c = block * LANES + lane
        reverse = int(strands > 1 and best[1, lane] > best[0, lane])
        top[lane] = max(best[reverse, lane], -bias[c])
        if best[reverse, lane] > -bias[c]:
            peak[lane] = where[reverse, lane]
        bounds[lane] = top[lane] - reach[c]
    for s in range(strands):
        begin = s * windows * LANES
        mark_lanes(
            scores, begin, windows, bounds, peak, width, marks.reshape(-1), s * windows, rest
        )
    for lane in range(lanes):
        if peak[lane] != _NOWHERE:
            c = block * LANES + lane
            _change_peak(
                scores, windows, lane, peak[lane], top[lane], rest[lane], -bias[c], c,
                letters, columns, readout, padding, changes, near,
            )  # fmt: skip
    _list_windows(marks, found, counts)
    for lane in range(lanes):
        c = block * LANES + lane
        _raise_windows(
            scores, windows, lane, c, found[lane], counts[lane], top[lane], peak[lane], rises,
            letters, columns, readout, padding, changes, gains, touched,
        )  # fmt: skip


@compiled()
def _list_windows(marks, found, counts):
    """Put the windows marked [S, W] in order by kernel: int32 [16, S * W], and their numbers."""
    counts[:] = 0
    flat, flat_found, line = marks.reshape(-1), found.reshape(-1), np.uintp(found.shape[1])
    for window in range(np.uintp(flat.size)):
        bits = np.int64(flat[window])
        while bits:
            lane = np.uintp(lowest_bit(bits))
            bits &= bits - 1
            flat_found[lane * line + np.uintp(counts[lane])] = window
            counts[lane] += 1


@compiled()
def _change_peak(
    scores, windows, lane, peak, top, rest, threshold, c, letters, columns, readout, padding,
    changes, near,
):  # fmt: skip
    """Changes within the window that holds a kernel's maximum, all windows around it compared.

    `rest` is the best of the windows that do not meet it.
    """
    strands, _, width = columns.shape[:3]
    length, units = changes.shape[0], readout.shape[1]
    low, high = max(0, peak - width + 1), min(windows - 1, peak + width - 1)
    for s in range(strands):
        for p in range(low, high + 1):
            near[s, p - low] = scores[(s * windows + p) * LANES + lane]
    for at in range(max(peak, padding), min(peak + width, padding + length)):
        letter = letters[at]
        first, last = max(low, at - width + 1), min(high, at)
        outside = max(rest, threshold)
        to_a = to_c = to_g = to_t = np.float32(-np.inf)
        for s in range(strands):
            column = columns[s, c]
            for q in range(first - low):
                outside = max(outside, near[s, q])
            for q in range(last + 1 - low, high + 1 - low):
                outside = max(outside, near[s, q])
            for p in range(first, last + 1):
                k = at - p
                base = near[s, p - low] - column[k, letter]
                to_a = max(to_a, base + column[k, 0])
                to_c = max(to_c, base + column[k, 1])
                to_g = max(to_g, base + column[k, 2])
                to_t = max(to_t, base + column[k, 3])
        for new in range(4):
            if new != letter:
                inside = to_a if new == 0 else to_c if new == 1 else to_g if new == 2 else to_t
                step = max(outside, inside) - top
                for unit in range(units):
                    changes[at - padding, new, unit] += step * readout[c, unit]


@compiled()
def _raise_windows(
    scores, windows, lane, c, found, count, top, peak, rises, letters, columns, readout, padding,
    changes, gains, touched,
):  # fmt: skip
    """Changes by windows of a kernel that a substitution raises above the maximum.

    `found` lists the `count` windows that one could raise; gains [L * 4], all 0, and touched are
    for use here: by how much each substitution has raised the kernel so far, and which.
    """
    n_kernels, width, length = columns.shape[1], np.uintp(columns.shape[2]), changes.shape[0]
    flat_rises, flat_columns, n_touched = rises.reshape(-1), columns.reshape(-1), 0
    flat_changes, units = changes.reshape(-1), readout.shape[1]
    line = np.uintp(rises.shape[3])
    for t in range(np.uintp(count)):
        window = np.int64(found[t])
        room = top - scores[np.uintp(window * LANES + lane)]
        reverse = np.int64(window >= windows)
        p = np.uintp(window - reverse * windows)
        row = reverse * n_kernels + c
        kernel = np.uintp(row * columns.shape[2] * LETTERS)
        for first in range(np.uintp(0), line, np.uintp(LANES)):
            rise = np.uintp(row * LETTERS) * line + first
            able = rising_positions(flat_rises, rise, line, letters, p + first, room)
            while able:
                k = first + np.uintp(lowest_bit(able))
                able &= able - 1
                place = np.int64(p + k)
                i = place - padding
                if i < 0 or i >= length or peak <= place < peak + np.int64(width):
                    continue
                letter = np.uintp(letters[p + k])
                column = kernel + k * np.uintp(LETTERS)
                least = flat_columns[column + letter] + room
                for new in range(np.uintp(4)):
                    gain = flat_columns[column + new] - least
                    at = np.uintp(i) * np.uintp(4) + new
                    step = gain - gains[at]
                    if step > 0 and new != letter:
                        touched[n_touched] = at
                        n_touched += gains[at] == 0
                        gains[at] = gain
                        for unit in range(units):
                            flat_changes[at * np.uintp(units) + np.uintp(unit)] += (
                                step * readout[c, unit]
                            )
    for t in range(n_touched):
        gains[touched[t]] = 0


@compiled()
def _change_means(scores, block, bias, reach, letters, columns, readout, padding, changes, marks):
    """Changes by way of the means of ReLU over all windows, of 16 kernels of one sequence."""
    strands, n_kernels, width = columns.shape[:3]
    windows, (length, _, units) = marks.shape[1], changes.shape
    bounds, nowhere = np.full(LANES, np.inf, np.float32), np.full(LANES, _NOWHERE, np.int32)
    unused = np.zeros(LANES, np.float32)
    for lane in range(min(LANES, n_kernels - block * LANES)):
        c = block * LANES + lane
        bounds[lane] = -bias[c] - reach[c]
    share = np.float32(1) / np.float32(windows * strands)
    for s in range(strands):
        begin = s * windows * LANES
        mark_lanes(
            scores, begin, windows, bounds, nowhere, width, marks.reshape(-1), s * windows, unused
        )  # fmt: skip
        for p in range(windows):
            bits = np.int64(marks[s, p])
            while bits:
                lane = lowest_bit(bits)
                bits &= bits - 1
                c = block * LANES + lane
                score = scores[begin + p * LANES + lane] + bias[c]
                before = max(score, np.float32(0))
                for k in range(max(0, padding - p), min(width, padding + length - p)):
                    letter = letters[p + k]
                    base = score - columns[s, c, k, letter]
                    for new in range(4):
                        if new != letter:
                            after = max(base + columns[s, c, k, new], np.float32(0))
                            step = (after - before) * share
                            for unit in range(units):
                                weight = readout[n_kernels + c, unit]
                                changes[p + k - padding, new, unit] += step * weight
