"""DeepBind's training steps, compiled: gather, scan, dense layers, loss, backward, update.

One call trains one network for a whole epoch without returning to Python, on one thread and
without the interpreter's lock, so that many networks train side by side over the same sequences
and small batches cost what their arithmetic costs. `DeepBind` in `models.py` is the same network
in plain PyTorch; tests hold losses, gradients and updates to it.

All parameters of a network are one flat float32 vector, in this order, kernels padded with zeros
to a multiple of 16 (C' of them, C' features of maxima, then C' of means where there are such):

    kernels [K, 4, C'], places [n_places, C'], thresholds [C'],
    hidden weights [F, hidden], hidden biases [hidden], dense weights [hidden or F], dense bias [1]
"""

from typing import NamedTuple

import numpy as np

from motifloom.lanes import (
    LANES,
    LETTERS,
    WORD,
    WORD_ROWS,
    compiled,
    fill_table,
    fill_words,
    fold_table,
    scan_lanes,
    scan_lanes_with_mean,
    scatter_lanes,
    scatter_windows,
    weigh_rows,
)

GIVEN, KERNEL, OUTPUT = range(3)
ADAM, NESTEROV = range(2)
CROSS_ENTROPY, MSE = range(2)
_BATCH = 256  # sequences scored at a time

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


class Shape(NamedTuple):
    """What a network is made of.

    length:   bases of a sequence
    width:    bases of a kernel (K)
    lanes:    kernels, rounded up to a multiple of 16 (C')
    hidden:   units of the hidden layer, 0 for none
    n_places: rows of the bias by distance from the middle, 0 for none
    place:    windows that share such a row, on either side of the middle
    padding:  N put on both sides of a sequence
    unknown:  what an N is in all four channels, 0 or 0.25
    strands:  GIVEN scores the sequence, KERNEL takes the better strand for each kernel, OUTPUT
              the better one of the network's two outputs
    mean:     1 where the mean over windows stands beside the maximum
    """

    length: int
    width: int
    lanes: int
    hidden: int
    n_places: int
    place: int
    padding: int
    unknown: float
    strands: int
    mean: int


class Rules(NamedTuple):
    """How a network is trained; rates fall along half a cosine from `rate` to `final_rate`.

    kernel_l1 and dense_l1 are L1 penalties on kernels and on hidden and dense weights, from update
    `l1_start` on; `decay` is decoupled weight decay (Loshchilov & Hutter 2019) on all weights but
    biases; `momentum` is Nesterov's; `smoothing` moves targets towards 1/2.
    """

    optimiser: int
    loss: int
    batch: int
    rate: float
    final_rate: float
    momentum: float
    kernel_l1: float
    dense_l1: float
    l1_start: int
    decay: float
    dropout: float
    smoothing: float


def lanes_of(n_kernels: int) -> int:
    """Kernels rounded up to whole SIMD registers."""
    return -(-n_kernels // LANES) * LANES


@compiled()
def n_windows(shape):
    """Windows of a padded sequence."""
    return shape.length + 2 * shape.padding - shape.width + 1


@compiled()
def offsets(shape):
    """Where each part of the parameter vector begins, and its end: int64 [8]."""
    features = shape.lanes * (1 + shape.mean)
    found = np.zeros(8, np.int64)
    found[1] = found[0] + shape.width * 4 * shape.lanes
    found[2] = found[1] + shape.n_places * shape.lanes
    found[3] = found[2] + shape.lanes
    found[4] = found[3] + shape.hidden * features
    found[5] = found[4] + shape.hidden
    found[6] = found[5] + (shape.hidden if shape.hidden else features)
    found[7] = found[6] + 1
    return found


@compiled()
def _mix(value):
    """Scramble 64 bits: the finaliser of splitmix64 (Steele, Lea & Flood 2014)."""
    value = (value ^ (value >> np.uint64(30))) * _MIX_1
    value = (value ^ (value >> np.uint64(27))) * _MIX_2
    return value ^ (value >> np.uint64(31))


def stream(key: int, number: int) -> np.uint64:
    """The name of a random stream of its own for each key and number."""
    return np.random.SeedSequence([int(key), number + 1]).generate_state(1, np.uint64)[0]


@compiled()
def shuffle_order(order, key):
    """Shuffle int64 [n] in place (Fisher & Yates), by the random stream named `key`."""
    for i in range(len(order) - 1, 0, -1):
        # A bias below 2**-40 for any dataset that fits in memory.
        j = np.int64(_mix(key + np.uint64(i) * _GOLDEN) % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]


@compiled()
def place_rows(shape):
    """Row of the bias by distance from the middle for each window: int64 [windows]."""
    windows = n_windows(shape)
    rows = np.zeros(windows, np.int64)
    for p in range(windows):
        if shape.n_places:
            row = abs(2 * p - (windows - 1)) // (2 * shape.place)
            rows[p] = min(row, shape.n_places - 1)
    return rows


@compiled()
def _empty_rows(n_rows, size):
    """Aligned zeros float32 [n_rows, size]: `lanes.aligned`, in compiled code."""
    raw = np.zeros(n_rows * size + LANES, np.float32)
    first = (-raw.ctypes.data % 64) // 4
    return raw[first : first + n_rows * size].reshape(n_rows, size)


@compiled()
def _encode(shape, codes, rows, space):
    """Letters and words of the sequences at `rows`, and of their reverse complements."""
    strands, line, n_words = space.letters.shape[1], space.letters.shape[2], space.words.shape[2]
    letters, words = space.letters.reshape(-1), space.words.reshape(-1)
    bases, length = codes.reshape(-1), np.uintp(shape.length)
    for i in range(len(rows)):
        sequence = np.uintp(rows[i]) * length
        for s in range(strands):
            first = np.uintp((i * strands + s) * line + shape.padding)
            if s == 0:
                for b in range(length):
                    letters[first + b] = bases[sequence + b]
            else:
                last = sequence + length - np.uintp(1)
                for b in range(length):
                    base = bases[last - b]
                    letters[first + b] = np.uint8(3) - base if base < 4 else np.uint8(4)
            place = i * strands + s
            fill_words(letters, place * line, words, place * n_words, n_words)


@compiled()
def _fill_tables(shape, kernels, tables):
    """Tables [blocks, words * 125 * 16] of kernels [K, 4, C']."""
    n_words = -(-shape.width // WORD)
    columns, flat = np.zeros((n_words * WORD, LETTERS, LANES), np.float32), tables.reshape(-1)
    for block in range(shape.lanes // LANES):
        for k in range(shape.width):
            for letter in range(4):
                first = (k * 4 + letter) * shape.lanes + block * LANES
                columns[k, letter] = kernels[first : first + LANES]
            total = (columns[k, 0] + columns[k, 1]) + (columns[k, 2] + columns[k, 3])
            columns[k, 4] = np.float32(shape.unknown) * total
        fill_table(columns.reshape(-1), n_words, flat, block * tables.shape[1])


@compiled()
def _fill_places(shape, places, table):
    """Bias rows [blocks, rows * 16] of places [n_places, C'], one row of 0 where there are none."""
    for block in range(shape.lanes // LANES):
        for row in range(shape.n_places):
            for lane in range(LANES):
                value = places[row * shape.lanes + block * LANES + lane]
                table[block, row * LANES + lane] = value


class Workspace(NamedTuple):
    """What one network needs while it is trained or scores: its size does not grow with the data.

    letters uint8 [batch, S, P + 32], words uint16 [batch, S, P] (S strands; P is at least the
    padded bases and a multiple of 16),
    index uint16 [windows]: places times 16,
    tables float32 [blocks, words * 125 * 16], biases float32 [blocks, places * 16],
    values float32, where int32, sums float32 [batch, S, C'],
    active uint16 [batch, S, blocks, windows], features float32 [batch, heads, F],
    units float32 [batch, heads, hidden], winner uint8 [batch, C']
    """

    letters: np.ndarray
    words: np.ndarray
    index: np.ndarray
    tables: np.ndarray
    biases: np.ndarray
    values: np.ndarray
    where: np.ndarray
    sums: np.ndarray
    active: np.ndarray
    features: np.ndarray
    units: np.ndarray
    winner: np.ndarray


@compiled()
def _workspace(shape, batch):
    windows, n_words = n_windows(shape), -(-shape.width // WORD)
    blocks, strands = shape.lanes // LANES, 1 if shape.strands == GIVEN else 2
    heads = 2 if shape.strands == OUTPUT else 1
    # Vector code reads and writes whole registers of letters and words.
    size = -(-(windows + WORD * n_words) // LANES) * LANES
    rows = max(shape.n_places, 1)
    return Workspace(
        np.full((batch, strands, size + 2 * LANES), 4, np.uint8),
        np.empty((batch, strands, size), np.uint16),
        (place_rows(shape) * LANES).astype(np.uint16),
        _empty_rows(blocks, n_words * WORD_ROWS * LANES),
        _empty_rows(blocks, rows * LANES),
        np.empty((batch, strands, shape.lanes), np.float32),
        np.empty((batch, strands, shape.lanes), np.int32),
        np.zeros((batch, strands, shape.lanes), np.float32),
        np.empty((batch, strands, blocks, windows if shape.mean else 1), np.uint16),
        np.empty((batch, heads, shape.lanes * (1 + shape.mean)), np.float32),
        np.empty((batch, heads, max(shape.hidden, 1)), np.float32),
        np.zeros((batch, shape.lanes), np.uint8),
    )


class Sums(NamedTuple):
    """Gradients of a batch as they are gathered.

    kernels float32 [C', 5 * positions], a line of positions for each letter (rounded up to a
    multiple of 16); of the means columns float32 [blocks, 3 * words * 5 * 16], and
    before they are folded tables float32 [blocks, words * 125 * 16] and biases float32
    [blocks, places * 16]; places float32 [places, C'], thresholds float32 [C']
    """

    kernels: np.ndarray
    columns: np.ndarray
    places: np.ndarray
    thresholds: np.ndarray
    tables: np.ndarray
    biases: np.ndarray


@compiled()
def _sums(shape):
    n_words, rows = -(-shape.width // WORD), max(shape.n_places, 1)
    blocks = shape.lanes // LANES
    return Sums(
        _empty_rows(shape.lanes, LETTERS * -(-shape.width // LANES) * LANES),
        np.zeros((blocks, n_words * WORD * LETTERS * LANES), np.float32),
        np.zeros((rows, shape.lanes), np.float32),
        np.zeros(shape.lanes, np.float32),
        _empty_rows(blocks, n_words * WORD_ROWS * LANES if shape.mean else 1),
        _empty_rows(blocks, rows * LANES),
    )


@compiled()
def _load_network(shape, theta, at, space):
    """Make the tables of a network's kernels and places."""
    _fill_tables(shape, theta[: at[1]], space.tables)
    _fill_places(shape, theta[at[1] : at[2]], space.biases)


@compiled()
def _scan_batch(shape, theta, at, n, space):
    """Maxima, and sums above the thresholds, of the n sequences in the workspace."""
    windows, n_words = n_windows(shape), -(-shape.width // WORD)
    strands, blocks, line = space.words.shape[1], shape.lanes // LANES, space.words.shape[2]
    table_size, bias_size = space.tables.shape[1], space.biases.shape[1]
    tables, biases = space.tables.reshape(-1), space.biases.reshape(-1)
    words, index = space.words.reshape(-1), space.index
    values, where = space.values.reshape(-1), space.where.reshape(-1)
    sums, active = space.sums.reshape(-1), space.active.reshape(-1)
    sums[: n * strands * shape.lanes] = 0
    for block in range(blocks):
        for example in range(n * strands):
            # Backwards on the reverse strand: of equal windows the first on the forward wins.
            reverse = example % strands
            first, step = (windows - 1, -1) if reverse else (0, 1)
            output = example * shape.lanes + block * LANES
            if shape.mean:
                scan_lanes_with_mean(
                    tables, block * table_size, words, example * line, biases, block * bias_size,
                    index, n_words, first, step, windows, values, where, output,
                    theta, at[2] + block * LANES,
                    sums, active, (example * blocks + block) * windows,
                )  # fmt: skip
            else:
                scan_lanes(
                    tables, block * table_size, words, example * line, biases, block * bias_size,
                    index, n_words, first, step, windows, values, where, output,
                    shape.n_places > 0,
                )  # fmt: skip


@compiled()
def _gather_features(shape, thresholds, n, space):
    """Features: ReLU of maxima, then means; for KERNEL the better strand and the mean of both."""
    lanes, windows = shape.lanes, n_windows(shape)
    values, sums = space.values, space.sums
    for i in range(n):
        for head in range(space.features.shape[1]):
            line = space.features[i, head]
            for c in range(lanes):
                s = head
                if shape.strands == KERNEL:
                    s = 1 if values[i, 1, c] > values[i, 0, c] else 0
                    space.winner[i, c] = s
                line[c] = max(values[i, s, c] + thresholds[c], np.float32(0))
            if shape.mean and shape.strands == KERNEL:
                for c in range(lanes):
                    line[lanes + c] = (sums[i, 0, c] + sums[i, 1, c]) / np.float32(2 * windows)
            elif shape.mean:
                for c in range(lanes):
                    line[lanes + c] = sums[i, head, c] / np.float32(windows)


@compiled(fastmath={"reassoc", "contract", "nsz"})
def _dot(a, i, b, j, size):
    """Inner product of a[i : i + size] and b[j : j + size]."""
    total = np.float32(0)
    i, j = np.uintp(i), np.uintp(j)
    for f in range(np.uintp(size)):
        total += a[i + f] * b[j + f]
    return total


@compiled()
def _add_scaled(a, i, factor, b, j, size):
    """a[i : i + size] += factor * b[j : j + size]."""
    i, j = np.uintp(i), np.uintp(j)
    for f in range(np.uintp(size)):
        a[i + f] += factor * b[j + f]


@compiled()
def _logit(shape, theta, at, features, line, units, unit):
    """Logit of the features from `line` on; `units`, from `unit` on, take the hidden layer's."""
    size = shape.lanes * (1 + shape.mean)
    if not shape.hidden:
        return _dot(features, line, theta, at[5], size) + theta[at[6]]
    hidden = shape.hidden
    for h in range(hidden):
        units[unit + h] = theta[at[4] + h]
    whole = hidden // LANES * LANES
    for h in range(0, whole, LANES):
        weigh_rows(features, line, size, theta, at[3] + h, hidden, units, unit + h)
    for h in range(whole, hidden):
        for f in range(size):
            units[unit + h] += features[line + f] * theta[at[3] + f * hidden + h]
    for h in range(hidden):
        units[unit + h] = max(units[unit + h], np.float32(0))
    return _dot(units, unit, theta, at[5], hidden) + theta[at[6]]


@compiled()
def _head_backward(shape, theta, at, features, line, units, unit, slope, gradient, backs, back):
    """Backward of `_logit`: adds to `gradient`, and to `backs`, from `back` on, the features'."""
    size = shape.lanes * (1 + shape.mean)
    gradient[at[6]] += slope
    if not shape.hidden:
        _add_scaled(gradient, at[5], slope, features, line, size)
        _add_scaled(backs, back, slope, theta, at[5], size)
        return
    hidden = shape.hidden
    for h in range(hidden):
        value = units[unit + h]
        gradient[at[5] + h] += slope * value
        # What reaches the hidden units takes their place.
        units[unit + h] = slope * theta[at[5] + h] if value > 0 else np.float32(0)
    _add_scaled(gradient, at[4], np.float32(1), units, unit, hidden)
    for f in range(size):
        value = features[line + f]
        if value > 0:
            _add_scaled(gradient, at[3] + f * hidden, value, units, unit, hidden)
            backs[back + f] += _dot(units, unit, theta, at[3] + f * hidden, hidden)


@compiled()
def _loss(kind, logit, target):
    """Loss of one example and its slope by the logit."""
    if kind == MSE:
        return (logit - target) ** 2, 2 * (logit - target)
    small = np.exp(-abs(logit))
    loss = max(logit, np.float32(0)) - logit * target + np.log1p(small)
    chance = 1 / (1 + small) if logit >= 0 else small / (1 + small)
    return loss, chance - target


@compiled()
def step_key(key, step):
    """The name of dropout's random stream in one update."""
    return _mix(key + np.uint64(step) * _GOLDEN)


@compiled()
def drop(features, n, dropout, key):
    """Set features float32 [n, heads, F] to 0 with the chance `dropout`, scale the others.

    F is even; both heads lose the same.
    """
    scale = np.float32(1 / (1 - dropout))
    limit = np.uint64(dropout * 2.0**32)
    low = np.uint64(0xFFFFFFFF)
    for i in range(n):
        for f in range(0, features.shape[2], 2):
            bits = _mix(key + np.uint64(i * features.shape[2] + f) * _GOLDEN)
            kept = scale if (bits & low) >= limit else np.float32(0)
            other = scale if (bits >> np.uint64(32)) >= limit else np.float32(0)
            for head in range(features.shape[1]):
                features[i, head, f] *= kept
                features[i, head, f + 1] *= other


@compiled()
def _forward(shape, theta, at, codes, rows, space):
    """Features of the sequences at `rows`, into the workspace."""
    thresholds = theta[at[2] : at[3]]
    _encode(shape, codes, rows, space)
    _scan_batch(shape, theta, at, len(rows), space)
    _gather_features(shape, thresholds, len(rows), space)


@compiled()
def _score_batch(shape, theta, at, n, space, logits, heads):
    """The largest logit of each of n examples, and its head, the first of equal ones."""
    features, units = space.features.reshape(-1), space.units.reshape(-1)
    n_heads, size, n_units = space.units.shape[1], space.features.shape[2], space.units.shape[2]
    for i in range(n):
        for head in range(n_heads):
            place = i * n_heads + head
            logit = _logit(shape, theta, at, features, place * size, units, place * n_units)
            if head == 0 or logit > logits[i]:
                logits[i], heads[i] = logit, head


@compiled()
def _scatter_maxima(shape, heads, backs, space, sums):
    """Gradient of the winning windows, from that of the features, `backs` [n, F]."""
    strands, line = space.letters.shape[1], space.letters.shape[2]
    letters, where = space.letters.reshape(-1), space.where.reshape(-1)
    steps, size, lanes = -(-shape.width // LANES), sums.kernels.shape[1], shape.lanes
    kernels, index, winner = sums.kernels.reshape(-1), space.index, space.winner
    windows, slopes = np.empty(len(backs), np.int64), np.empty(len(backs), np.float32)
    for c in range(lanes):
        count, total = 0, np.float32(0)
        for i in range(len(backs)):
            slope = backs[i, c]
            if slope == 0:
                continue
            s = heads[i]
            if shape.strands == KERNEL:
                s = np.int64(winner[i, c])
            p = np.int64(where[(i * strands + s) * lanes + c])
            windows[count], slopes[count] = (i * strands + s) * line + p, slope
            count += 1
            total += slope
            if shape.n_places:
                sums.places[np.int64(index[p]) // LANES, c] += slope
        sums.thresholds[c] += total
        scatter_windows(letters, windows, slopes, count, steps, kernels, c * size)


@compiled()
def _scatter_means(shape, heads, backs, space, sums):
    """Gradient of the means, `backs` [n, F]; kernels outermost, to keep their tables at hand."""
    windows, n_words = n_windows(shape), -(-shape.width // WORD)
    strands, blocks, line = space.words.shape[1], shape.lanes // LANES, space.words.shape[2]
    share = np.float32(1 / (windows * (2 if shape.strands == KERNEL else 1)))
    shared = (backs * share).reshape(-1)
    tables, biases = sums.tables.reshape(-1), sums.biases.reshape(-1)
    words, active, index = space.words.reshape(-1), space.active.reshape(-1), space.index
    columns = sums.columns.reshape(-1)
    table_size, bias_size = sums.tables.shape[1], sums.biases.shape[1]
    for block in range(blocks):
        for i in range(len(backs)):
            slope = i * backs.shape[1] + shape.lanes + block * LANES
            for s in range(strands):
                example = i * strands + s
                if shape.strands == OUTPUT and s != heads[i]:
                    continue
                scatter_lanes(
                    tables, block * table_size, words, example * line, biases, block * bias_size,
                    index, n_words, windows, active, (example * blocks + block) * windows,
                    shared, slope,
                )  # fmt: skip
        fold_table(tables, block * table_size, n_words, columns, block * sums.columns.shape[1])
        for row in range(len(sums.places)):
            for lane in range(LANES):
                value = sums.biases[block, row * LANES + lane]
                sums.places[row, block * LANES + lane] += value
                sums.thresholds[block * LANES + lane] += value


@compiled()
def _collect_gradient(shape, at, sums, gradient):
    """The sums as parts of the flat gradient; an N counts `unknown` of each letter."""
    lanes, unknown = shape.lanes, np.float32(shape.unknown)
    line = -(-shape.width // LANES) * LANES
    for c in range(lanes):
        kernel, block, lane = sums.kernels[c], c // LANES, c % LANES
        for k in range(shape.width):
            of_n = unknown * kernel[4 * line + k]
            for letter in range(4):
                gradient[(k * 4 + letter) * lanes + c] = kernel[letter * line + k] + of_n
        if shape.mean:
            columns = sums.columns[block]
            for k in range(shape.width):
                of_n = unknown * columns[(k * LETTERS + 4) * LANES + lane]
                for letter in range(4):
                    value = columns[(k * LETTERS + letter) * LANES + lane] + of_n
                    gradient[(k * 4 + letter) * lanes + c] += value
    for row in range(shape.n_places):
        for c in range(lanes):
            gradient[at[1] + row * lanes + c] = sums.places[row, c]
    for c in range(lanes):
        gradient[at[2] + c] = sums.thresholds[c]


@compiled()
def _backward(shape, theta, at, slopes, heads, scale, space, sums, gradient):
    """Gradient of a batch whose loss has `slopes` [n] by the logits of the chosen `heads` [n]."""
    gradient[:] = 0
    sums.kernels[:], sums.places[:], sums.thresholds[:] = 0, 0, 0
    n_heads, size, n_units = space.units.shape[1], space.features.shape[2], space.units.shape[2]
    backs = np.zeros((len(slopes), size), np.float32)
    features, units, flat = space.features.reshape(-1), space.units.reshape(-1), backs.reshape(-1)
    for i in range(len(slopes)):
        place = i * n_heads + heads[i]
        line, back = np.uintp(place * size), np.uintp(i * size)
        _head_backward(
            shape, theta, at, features, line, units, place * n_units, slopes[i], gradient,
            flat, back,
        )  # fmt: skip
        for f in range(np.uintp(size)):
            # A feature of 0 is closed by its ReLU or dropped, and passes nothing on.
            open_ = features[line + f] > 0
            flat[back + f] = flat[back + f] * scale if open_ else np.float32(0)
    _scatter_maxima(shape, heads, backs, space, sums)
    if shape.mean:
        sums.columns[:], sums.tables[:], sums.biases[:] = 0, 0, 0
        _scatter_means(shape, heads, backs, space, sums)
    _collect_gradient(shape, at, sums, gradient)


@compiled()
def _add_penalties(rules, theta, at, gradient):
    """L1 penalties: lambda sign(w), on kernels, hidden and dense weights."""
    if rules.kernel_l1 > 0:
        for i in range(at[0], at[1]):
            gradient[i] += np.float32(rules.kernel_l1 * np.sign(theta[i]))
    if rules.dense_l1 > 0:
        for i in range(at[3], at[4]):
            gradient[i] += np.float32(rules.dense_l1 * np.sign(theta[i]))
        for i in range(at[5], at[6]):
            gradient[i] += np.float32(rules.dense_l1 * np.sign(theta[i]))


@compiled()
def _decay(rules, rate, theta, at):
    shrink = np.float32(1 - rate * rules.decay)
    for i in range(at[0], at[2]):
        theta[i] *= shrink
    for i in range(at[3], at[4]):
        theta[i] *= shrink
    for i in range(at[5], at[6]):
        theta[i] *= shrink


@compiled()
def _update(rules, rate, step, theta, at, gradient, moments):
    """One step of Adam (Kingma & Ba 2015) or of Nesterov's momentum, as PyTorch writes them."""
    if step >= rules.l1_start:
        _add_penalties(rules, theta, at, gradient)
    if rules.decay > 0:
        _decay(rules, rate, theta, at)
    first, second = moments
    if rules.optimiser == NESTEROV:
        momentum, rate = np.float32(rules.momentum), np.float32(rate)
        for i in range(len(theta)):
            first[i] = momentum * first[i] + gradient[i]
            theta[i] -= rate * (gradient[i] + momentum * first[i])
        return
    size = np.float32(rate / (1 - 0.9 ** (step + 1)))
    root = np.float32(1 / np.sqrt(1 - 0.999 ** (step + 1)))
    for i in range(len(theta)):
        first[i] = np.float32(0.9) * first[i] + np.float32(0.1) * gradient[i]
        second[i] = np.float32(0.999) * second[i] + np.float32(0.001) * gradient[i] * gradient[i]
        theta[i] -= size * first[i] / (np.sqrt(second[i]) * root + np.float32(1e-8))


@compiled()
def _batch_loss(rules, targets, rows, logits, slopes):
    """Summed loss of a batch; `slopes` [n] are those of its mean by the logits."""
    total = 0.0
    for i in range(len(rows)):
        target = targets[rows[i]] * (1 - rules.smoothing) + rules.smoothing / 2
        loss, slope = _loss(rules.loss, logits[i], np.float32(target))
        total += loss
        slopes[i] = slope / len(rows)
    return total


@compiled()
def rate_at(rules, step, total_steps):
    """Learning rate of a step: half a cosine from `rate` to `final_rate`."""
    progress = min(step / total_steps, 1.0)
    share = 0.5 * (1 + np.cos(np.pi * progress))
    return rules.final_rate + (rules.rate - rules.final_rate) * share


@compiled()
def train_epoch(shape, rules, codes, targets, order, theta, moments, first_step, total_steps, key):
    """Train one network on the examples in `order`, batch by batch, in place; the mean loss.

    codes uint8 [N, L], targets float32 [N], order int64 [n]: rows of them; theta float32
    [parameters], moments float32 [2, parameters]; key uint64, the name of dropout's random
    stream. Stops where the loss is no finite number any more, and returns it.
    """
    at, batch = offsets(shape), min(rules.batch, max(len(order), 1))
    space, sums = _workspace(shape, batch), _sums(shape)
    logits, slopes = np.empty(batch, np.float32), np.empty(batch, np.float32)
    heads, gradient = np.zeros(batch, np.int64), np.empty(len(theta), np.float32)
    scale, total = np.float32(1 / (1 - rules.dropout)), 0.0
    for number in range(-(-len(order) // batch)):
        rows = order[number * batch : (number + 1) * batch]
        n, step = len(rows), first_step + number
        _load_network(shape, theta, at, space)
        _forward(shape, theta, at, codes, rows, space)
        if rules.dropout > 0:
            drop(space.features, n, rules.dropout, step_key(key, step))
        _score_batch(shape, theta, at, n, space, logits, heads)
        loss = _batch_loss(rules, targets, rows, logits, slopes)
        if not np.isfinite(loss):
            return loss
        total += loss
        _backward(shape, theta, at, slopes[:n], heads[:n], scale, space, sums, gradient)
        _update(rules, rate_at(rules, step, total_steps), step, theta, at, gradient, moments)
    return total / len(order)


@compiled()
def predict(shape, theta, codes, rows, logits):
    """Logits float32 [n], in place, of the sequences at `rows` int64 [n] of codes uint8 [N, L]."""
    at, batch = offsets(shape), min(_BATCH, max(len(rows), 1))
    space, heads = _workspace(shape, batch), np.zeros(batch, np.int64)
    _load_network(shape, theta, at, space)
    for first in range(0, len(rows), batch):
        part = rows[first : first + batch]
        _forward(shape, theta, at, codes, part, space)
        _score_batch(shape, theta, at, len(part), space, logits[first : first + batch], heads)


@compiled()
def is_closed(shape, theta, codes):
    """Whether all features of all sequences, codes uint8 [N, L], are 0."""
    at, rows = offsets(shape), np.arange(len(codes))
    space = _workspace(shape, min(_BATCH, max(len(codes), 1)))
    _load_network(shape, theta, at, space)
    for first in range(0, len(codes), _BATCH):
        part = rows[first : first + _BATCH]
        _forward(shape, theta, at, codes, part, space)
        if space.features[: len(part)].any():
            return False
    return True


@compiled()
def mean_loss(kind, logits, targets):
    """Mean loss of logits float32 [n] against targets float32 [n]; `kind` as in `Rules`."""
    total = 0.0
    for i in range(len(logits)):
        total += _loss(kind, logits[i], targets[i])[0]
    return total / max(len(logits), 1)
