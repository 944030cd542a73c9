"""The inner loops of mutagenesis: every window's score kept, and the windows near a maximum.

16 kernels at a time, one SIMD register wide, in LLVM vector code as those of `lanes.py`. The
functions are called from compiled code only and check nothing.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from motifloom.lanes import (
    _BYTES,
    _I16,
    _I32,
    _I64,
    _INDICES,
    _VECTOR,
    LANES,
    LETTERS,
    _begin_best,
    _for_each_width,
    _keep_larger,
    _load,
    _number,
    _pointers,
    _row,
    _splat,
    _store_best,
    _window_sum,
)


@intrinsic
def store_lanes(
    typingctx, tables, table, words, word, rows, row, index, n_words, count,
    scores, score, values, where, output, placed,
):  # fmt: skip
    """Score of every window under 16 kernels, and the best window of each.

    The arguments are those of `lanes.scan_lanes`; the windows are 0, 1, ... (`count` of them).
    Writes scores float32 [count * 16] from `score` on, and 16 `values` float32 and `where` int32
    at `output`; among equal windows the first is the best.
    """
    signature = types.void(
        tables, table, words, word, rows, row, index, n_words, count,
        scores, score, values, where, output, placed,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        *inputs, scores, values, where = _pointers(
            context, builder, signature, arguments,
            (0, 1), (2, 3), (4, 5), 6, (9, 10), (11, 13), (12, 13),
        )  # fmt: skip
        n_words, count = arguments[7:9]
        best, place = _begin_best(builder)

        def scan(placed):
            def emit(unrolled):
                with cgutils.for_range(builder, count, intp=_I64) as loop:
                    position = loop.index
                    total = _window_sum(builder, inputs, position, n_words, unrolled, placed)
                    target = _row(builder, scores, builder.mul(position, _number(LANES)))
                    builder.store(total, target, align=4)
                    _keep_larger(builder, total, position, best, place)

            return emit

        with builder.if_else(arguments[14]) as (then, otherwise):
            with then:
                _for_each_width(builder, n_words, scan(True))
            with otherwise:
                _for_each_width(builder, n_words, scan(False))
        _store_best(builder, best, place, values, where)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def mark_lanes(
    typingctx, scores, score, count, bounds, where, width, marks, mark, rest,
):  # fmt: skip
    """Windows whose score exceeds a bound, and the best window away from the maximum.

    scores:  float32 [count * 16] from `score` on, as `store_lanes` writes them
    bounds:  float32 [16], of each kernel
    where:   int32 [16], the window that is each kernel's maximum
    marks:   uint16 [count] from `mark` on, is written: bits of the kernels above their bounds
    rest:    float32 [16], is raised to the best of the windows that share no position of `width`
             with the maximum
    """
    signature = types.void(scores, score, count, bounds, where, width, marks, mark, rest)

    def generate(context, builder, signature, arguments):
        scores, bounds, where, marks, rest = _pointers(
            context, builder, signature, arguments, (0, 1), 3, 4, (6, 7), 8
        )
        count, width = arguments[2], builder.trunc(arguments[5], _I32)
        bound = _load(builder, bounds, _number(0))
        held = cgutils.alloca_once_value(builder, _load(builder, rest, _number(0)))
        vector = _INDICES.as_pointer()
        place = builder.load(builder.bitcast(where, vector), align=4)
        reach = _splat(builder, builder.sub(width, ir.Constant(_I32, 1)), _INDICES)
        span = builder.add(reach, reach)
        first = builder.sub(place, reach)
        with cgutils.for_range(builder, count, intp=_I64) as loop:
            total = _load(builder, scores, builder.mul(loop.index, _number(LANES)))
            bits = builder.bitcast(builder.fcmp_ordered(">", total, bound), _I16)
            builder.store(bits, builder.gep(marks, [loop.index]))
            here = _splat(builder, builder.trunc(loop.index, _I32), _INDICES)
            away = builder.icmp_unsigned(">", builder.sub(here, first), span)
            best = builder.load(held)
            larger = builder.and_(away, builder.fcmp_ordered(">", total, best))
            builder.store(builder.select(larger, total, best), held)
        builder.store(builder.load(held), _row(builder, rest, _number(0)), align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def lowest_bit(typingctx, bits):
    """Number of the lowest bit set, int64, of `bits` int64 other than 0."""
    signature = types.int64(bits)

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return signature, generate


@intrinsic
def rising_positions(typingctx, rises, rise, line, letters, letter, room):
    """Which of 16 positions of a kernel could rise by more than `room`: bits, int64.

    rises:   float32, for each of 5 letters the rise at the positions from `rise` on, `line` apart
    letters: uint8, those of the window at the positions from `letter` on
    """
    signature = types.int64(rises, rise, line, letters, letter, room)

    def generate(context, builder, signature, arguments):
        rises, letters = _pointers(context, builder, signature, arguments, (0, 1), (3, 4))
        line, room = arguments[2], arguments[5]
        read = builder.load(builder.bitcast(letters, _BYTES.as_pointer()), align=1)
        found = _load(builder, rises, builder.mul(line, _number(LETTERS - 1)))
        for number in range(LETTERS - 1):
            row = _load(builder, rises, builder.mul(line, _number(number)))
            here = builder.icmp_unsigned("==", read, ir.Constant(_BYTES, [number] * LANES))
            found = builder.select(here, row, found)
        bits = builder.fcmp_ordered(">", found, _splat(builder, room, _VECTOR))
        return builder.zext(builder.bitcast(bits, _I16), _I64)

    return signature, generate
