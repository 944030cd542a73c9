"""The inner loops of the fixed-point scan: 32 kernels at a time, int16, one SIMD register wide.

A lane is one kernel. Sums saturate: what has fallen to -32768 must stay below every threshold
whatever is added, which `fixed_point.Bank` sees to by its choice of units. The loops are LLVM
vector code, as those of `lanes.py`, are called from compiled code only (Numba) and check nothing.
Arrays are given whole, each with the offset at which to begin.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from motifloom.lanes import WORD, WORD_ROWS, _for_each_width, _number, _pointers

INT_LANES = 32
LOWEST = -32768
# Words a kernel up to which the loop over them is unrolled: kernels of 24.
_UNROLLED = 8
_UNROLLED_BLOCK = 8  # rows of a block, likewise
FUSED_BLOCKS = 5, 8  # rows of blocks that are made while their rows are scored

_I16, _I32, _I64 = (ir.IntType(bits) for bits in (16, 32, 64))
_SHORTS = ir.VectorType(_I16, INT_LANES)
_INTEGERS = ir.VectorType(_I32, INT_LANES)
_FLOATS = ir.VectorType(ir.FloatType(), INT_LANES)


def _binary(name: str):
    """A two-operand vector operation of LLVM's by its intrinsic's name."""

    def emit(builder, left, right):
        kind = ir.FunctionType(_SHORTS, [_SHORTS, _SHORTS])
        function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v32i16")
        return builder.call(function, [left, right])

    return emit


_add, _larger = _binary("sadd.sat"), _binary("smax")


def _at(builder, base, offset, kind):
    return builder.bitcast(builder.gep(base, [offset]), kind.as_pointer())


def _load(builder, base, offset, kind=_SHORTS):
    return builder.load(_at(builder, base, offset, kind), align=2 if kind is _SHORTS else 4)


def _store(builder, value, base, offset, kind=_SHORTS):
    builder.store(value, _at(builder, base, offset, kind), align=2 if kind is _SHORTS else 4)


def _rows(builder, number):
    """An offset in numbers of 32 lanes each."""
    return builder.mul(number, _number(INT_LANES))


def _sum_words(builder, total, tables, words, position, n_words, unrolled):
    """Add the rows of the words of one window, tables of one strand; `unrolled` words or n_words.

    A word's number stands times 16 in `words`.
    """
    size = WORD_ROWS * INT_LANES

    def row(word, base):
        at = builder.add(position, word)
        number = builder.zext(builder.load(builder.gep(words, [at])), _I64)
        return _load(builder, base, builder.mul(number, _number(INT_LANES // 16)))

    if unrolled is not None:
        for word in range(unrolled):
            base = builder.gep(tables, [_number(word * size)])
            total = _add(builder, total, row(_number(WORD * word), base))
        return total
    sums = cgutils.alloca_once_value(builder, total)
    with cgutils.for_range(builder, n_words, intp=_I64) as loop:
        base = builder.gep(tables, [builder.mul(loop.index, _number(size))])
        added = row(builder.mul(loop.index, _number(WORD)), base)
        builder.store(_add(builder, builder.load(sums), added), sums)
    return builder.load(sums)


@intrinsic
def score_places(
    typingctx, tables, table, words, word, starts, start, n_words, both, count, scores, score
):
    """The better strand's score of 32 kernels in `count` windows of a sequence.

    tables: int16 [strands, n_words * 125 * 32], 32 values for each word and place
    words:  uint16, at base i the word that begins there, times 16
    starts: int16 [32], what every sum begins with
    both:   whether there are two strands' tables
    Writes `scores` int16 [count, 32].
    """
    signature = types.void(
        tables, table, words, word, starts, start, n_words, both, count, scores, score
    )

    def generate(context, builder, signature, arguments):
        *inputs, scores = _pointers(
            context, builder, signature, arguments, (0, 1), (2, 3), (4, 5), (9, 10)
        )
        n_words, both, count = arguments[6:9]

        def emit(score_at):
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                _store(builder, score_at(loop.index), scores, _rows(builder, loop.index))

        _for_each_shape(builder, inputs, n_words, both, emit)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def score_blocks(
    typingctx, tables, table, words, word, starts, start, n_words, both, count, width, blocks, block
):
    """As `score_places`, of `count` blocks of `width` windows: the largest score in each.

    Writes `blocks` int16 [count, 32].
    """
    signature = types.void(
        tables, table, words, word, starts, start, n_words, both, count, width, blocks, block
    )

    def generate(context, builder, signature, arguments):
        *inputs, blocks = _pointers(
            context, builder, signature, arguments, (0, 1), (2, 3), (4, 5), (10, 11)
        )
        n_words, both, count, width = arguments[6:10]
        best = cgutils.alloca_once(builder, _SHORTS)

        def emit(score_at):
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                builder.store(ir.Constant(_SHORTS, [LOWEST] * INT_LANES), best)
                first = builder.mul(loop.index, width)
                with cgutils.for_range(builder, width, intp=_I64) as inner:
                    found = score_at(builder.add(first, inner.index))
                    builder.store(_larger(builder, builder.load(best), found), best)
                _store(builder, builder.load(best), blocks, _rows(builder, loop.index))

        _for_each_shape(builder, inputs, n_words, both, emit)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def score_places_and_blocks(
    typingctx, tables, table, words, word, starts, start, n_words, both, count, width,
    scores, score, block,
):  # fmt: skip
    """`score_places` and `best_blocks` in one pass, for a `width` of 5 or 8.

    Writes `scores` int16 [count, 32] from `score` on, and the blocks from `block` on.
    """
    signature = types.void(
        tables, table, words, word, starts, start, n_words, both, count, width,
        scores, score, block,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        *inputs, scores, blocks = _pointers(
            context, builder, signature, arguments, (0, 1), (2, 3), (4, 5), (10, 11), (10, 12)
        )
        n_words, both, count, width = arguments[6:10]
        lowest = ir.Constant(_SHORTS, [LOWEST] * INT_LANES)
        held = [cgutils.alloca_once_value(builder, lowest) for _ in range(max(FUSED_BLOCKS) - 1)]

        def loop_of(size, score_at):
            # Of the first windows the block is not whole: it is written before the first place.
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                found = score_at(loop.index)
                _store(builder, found, scores, _rows(builder, loop.index))
                first = builder.sub(loop.index, _number(size - 1))
                _roll(builder, held[: size - 1], found, blocks, _rows(builder, first))

        def emit(score_at):
            narrow, wide = FUSED_BLOCKS
            with builder.if_else(builder.icmp_signed("==", width, _number(narrow))) as (one, two):
                with one:
                    loop_of(narrow, score_at)
                with two:
                    loop_of(wide, score_at)

        _for_each_shape(builder, inputs, n_words, both, emit)
        return context.get_dummy_value()

    return signature, generate


def _roll(builder, held, found, blocks, at):
    """Write the largest of the rows held and `found`, which takes the place of the oldest."""
    rows = [*(builder.load(row) for row in held), found]
    for row, place in zip(rows[1:], held, strict=True):
        builder.store(row, place)
    while len(rows) > 1:
        pairs = zip(rows[::2], rows[1::2], strict=False)
        rows = [_larger(builder, *pair) for pair in pairs] + rows[len(rows) // 2 * 2 :]
    _store(builder, rows[0], blocks, at)


def _for_each_shape(builder, inputs, n_words, both, emit):
    """Emit a loop for each number of words and of strands, and choose among them when run.

    `emit` is given a function that makes the 32 scores of the window at a place.
    """
    tables, words, starts = inputs
    start = _load(builder, starts, _number(0))
    reverse = builder.gep(tables, [builder.mul(n_words, _number(WORD_ROWS * INT_LANES))])

    def emit_strands(unrolled):
        def of(*strands):
            def score_at(place):
                sums = [
                    _sum_words(builder, start, bank, words, place, n_words, unrolled)
                    for bank in strands
                ]
                return sums[0] if len(sums) == 1 else _larger(builder, *sums)

            return score_at

        with builder.if_else(both) as (then, otherwise):
            with then:
                emit(of(tables, reverse))
            with otherwise:
                emit(of(tables))

    _for_each_width(builder, n_words, emit_strands, _UNROLLED)


@intrinsic
def best_blocks(typingctx, scores, score, width, count, blocks, block):
    """The largest of `width` consecutive rows of `scores` int16 [.., 32].

    Writes `blocks` int16 [count, 32], row i for the rows from i on.
    """
    signature = types.void(scores, score, width, count, blocks, block)

    def generate(context, builder, signature, arguments):
        scores, blocks = _pointers(context, builder, signature, arguments, (0, 1), (4, 5))
        width, count = arguments[2:4]

        def emit(unrolled):
            if unrolled is not None:
                _roll_blocks(builder, scores, blocks, count, unrolled)
                return
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                row = _load(builder, scores, _rows(builder, loop.index))
                best = cgutils.alloca_once_value(builder, row)
                with cgutils.for_range(builder, width, intp=_I64) as inner:
                    at = _rows(builder, builder.add(loop.index, inner.index))
                    row = _load(builder, scores, at)
                    builder.store(_larger(builder, builder.load(best), row), best)
                _store(builder, builder.load(best), blocks, _rows(builder, loop.index))

        _for_each_width(builder, width, emit, _UNROLLED_BLOCK)
        return context.get_dummy_value()

    return signature, generate


def _roll_blocks(builder, scores, blocks, count, width):
    """The loop of `best_blocks` with its rows in registers: each is loaded once."""
    held = [
        cgutils.alloca_once_value(builder, _load(builder, scores, _number(i * INT_LANES)))
        for i in range(width - 1)
    ]
    ahead = builder.gep(scores, [_number((width - 1) * INT_LANES)])
    with cgutils.for_range(builder, count, intp=_I64) as loop:
        at = _rows(builder, loop.index)
        _roll(builder, held, _load(builder, ahead, at), blocks, at)


@intrinsic
def best_of_four(typingctx, scores, base, step, pairs, count, places, place, best, output):
    """The largest of some rows of scores, each with what its place adds, in four windows.

    scores: int16 [.., 32], of the first window from row `base` on, of the others `step` rows apart
    pairs:  int32 [count, 3], two rows of scores and the row of `places` int16 [.., 32] that is
            added to the larger, all in bytes
    Writes `best` int16 [4, 32] from `output` on.
    """
    signature = types.void(scores, base, step, pairs, count, places, place, best, output)

    def generate(context, builder, signature, arguments):
        scores, pairs, places, best = _pointers(
            context, builder, signature, arguments, 0, 3, (5, 6), (7, 8)
        )
        base, step, count = arguments[1], arguments[2], arguments[4]
        lowest = ir.Constant(_SHORTS, [LOWEST] * INT_LANES)
        largest = [cgutils.alloca_once_value(builder, lowest) for _ in range(4)]
        begins = [
            _bytes(
                builder,
                builder.gep(
                    scores, [_rows(builder, builder.add(base, builder.mul(step, _number(i))))]
                ),
            )
            for i in range(4)
        ]
        places = _bytes(builder, places)
        with cgutils.for_range(builder, count, intp=_I64) as loop:
            one, other, row = _pair(builder, pairs, loop.index)
            added = _load(builder, places, row)
            for begin, held in zip(begins, largest, strict=True):
                rows = (_load(builder, begin, offset) for offset in (one, other))
                found = _add(builder, _larger(builder, *rows), added)
                builder.store(_larger(builder, builder.load(held), found), held)
        for i, held in enumerate(largest):
            _store(builder, builder.load(held), best, _number(i * INT_LANES))
        return context.get_dummy_value()

    return signature, generate


def _bytes(builder, array):
    return builder.bitcast(array, ir.IntType(8).as_pointer())


def _pair(builder, pairs, number):
    """The three offsets of a pair, in bytes."""
    pair = builder.gep(pairs, [builder.mul(number, _number(3))])
    return [builder.sext(builder.load(builder.gep(pair, [_number(i)])), _I64) for i in range(3)]


def _activations(builder, shorts):
    """What is above 0 of 32 numbers, as floats."""
    zero = ir.Constant(_SHORTS, [0] * INT_LANES)
    return builder.sitofp(builder.sext(_larger(builder, shorts, zero), _INTEGERS), _FLOATS)


@intrinsic
def read_out(typingctx, best, at, weights, weight, sums, output):
    """Add weights float32 [32] times what is above 0 of `best` int16 [32] to `sums` float32."""
    signature = types.void(best, at, weights, weight, sums, output)

    def generate(context, builder, signature, arguments):
        best, weights, sums = _pointers(
            context, builder, signature, arguments, (0, 1), (2, 3), (4, 5)
        )
        active = _activations(builder, _load(builder, best, _number(0)))
        part = builder.fmul(active, _load(builder, weights, _number(0), _FLOATS))
        total = builder.fadd(_load(builder, sums, _number(0), _FLOATS), part)
        _store(builder, total, sums, _number(0), _FLOATS)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def compare_alleles(
    typingctx, scores, base, own, own_base, pairs, bounds, bound, places, place,
    weights, weight, sums, reference, alternative, held, which, hold, group,
):  # fmt: skip
    """Read the best windows of 32 kernels out of the scores of two alleles.

    scores: int16 [.., 32], from row `base` on those of the reference; `own` those of windows that
            see the change, from row `own_base` on
    pairs:  int32 [.., 3], two rows of scores and the row of `places` int16 [.., 32] that is added
            to the larger, all in bytes
    bounds: int64, from `bound` on five numbers of pairs, between which lie those of both alleles,
            of the reference alone, of the alternative, and of the alternative's own scores
    Adds `weights` float32 [32] times what is above 0 to `sums` float32 at `reference` and
    `alternative`. Where `group` is no -1, keeps it in `which` int32, doubled, and 1 more where the
    part rises, in the lanes where these parts differ more than ever before; `held` float32 is by
    how much, both from `hold` on.
    """
    signature = types.void(
        scores, base, own, own_base, pairs, bounds, bound, places, place,
        weights, weight, sums, reference, alternative, held, which, hold, group,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        scores, own, pairs, bounds, places, weights, left, right, held, which = _pointers(
            context, builder, signature, arguments, 0, 2, 4, (5, 6), (7, 8), (9, 10),
            (11, 12), (11, 13), (14, 16), (15, 16),
        )  # fmt: skip
        scores = builder.gep(scores, [_rows(builder, arguments[1])])
        own = builder.gep(own, [_rows(builder, arguments[3])])
        ends = [builder.load(builder.gep(bounds, [_number(i)])) for i in range(5)]
        lowest = ir.Constant(_SHORTS, [LOWEST] * INT_LANES)
        both = cgutils.alloca_once_value(builder, lowest)
        _best_pairs(builder, scores, pairs, places, ends[0], ends[1], both)
        one = cgutils.alloca_once_value(builder, builder.load(both))
        _best_pairs(builder, scores, pairs, places, ends[1], ends[2], one)
        other = cgutils.alloca_once_value(builder, builder.load(both))
        _best_pairs(builder, scores, pairs, places, ends[2], ends[3], other)
        _best_pairs(builder, own, pairs, places, ends[3], ends[4], other)
        weights = _load(builder, weights, _number(0), _FLOATS)
        parts = []
        for best, sums in ((one, left), (other, right)):
            part = builder.fmul(_activations(builder, builder.load(best)), weights)
            total = builder.fadd(_load(builder, sums, _number(0), _FLOATS), part)
            _store(builder, total, sums, _number(0), _FLOATS)
            parts.append(part)
        with builder.if_then(builder.icmp_signed(">=", arguments[17], _number(0))):
            _keep_larger(builder, builder.fsub(parts[1], parts[0]), held, which, arguments[17])
        return context.get_dummy_value()

    return signature, generate


def _best_pairs(builder, scores, pairs, places, first, last, largest):
    """Raise `largest` to the best of some pairs of rows, each with what its place adds."""
    scores, places = _bytes(builder, scores), _bytes(builder, places)
    with cgutils.for_range_slice(builder, first, last, _number(1), intp=_I64) as (at, _):
        one, other, row = _pair(builder, pairs, at)
        rows = (_load(builder, scores, offset) for offset in (one, other))
        found = _add(builder, _larger(builder, *rows), _load(builder, places, row))
        builder.store(_larger(builder, builder.load(largest), found), largest)


def _keep_larger(builder, change, held, which, group):
    rises = builder.fcmp_ordered(">", change, ir.Constant(_FLOATS, [0.0] * INT_LANES))
    kind = ir.FunctionType(_FLOATS, [_FLOATS])
    absolute = cgutils.get_or_insert_function(builder.module, kind, "llvm.fabs.v32f32")
    change = builder.call(absolute, [change])
    former = _load(builder, held, _number(0), _FLOATS)
    larger = builder.fcmp_ordered(">", change, former)
    _store(builder, builder.select(larger, change, former), held, _number(0), _FLOATS)
    number = ir.Constant(_INTEGERS, ir.Undefined)
    doubled = builder.trunc(builder.shl(group, _number(1)), _I32)
    number = builder.insert_element(number, doubled, ir.Constant(_I32, 0))
    zeros = ir.Constant(_INTEGERS, [0] * INT_LANES)
    number = builder.shuffle_vector(number, number, zeros)
    number = builder.add(number, builder.zext(rises, _INTEGERS))
    kept = builder.select(larger, number, _load(builder, which, _number(0), _INTEGERS))
    _store(builder, kept, which, _number(0), _INTEGERS)
