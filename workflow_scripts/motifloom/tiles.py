"""The inner loops of the recurrence: a tile of a matrix product in registers, and LSTM cells.

A tile is up to 6 rows of 64 columns: 24 sums of one SIMD register each, to which every step of the
inner dimension adds 24 products out of 4 registers of weights and 6 numbers broadcast. Operands
are float32, or bfloat16 with sums in float32 where the CPU multiplies pairs of these
(`has_bfloat16`). The loops are LLVM vector code, as those of `lanes.py`. All functions but
`has_bfloat16` and `has_wide_registers` are called from compiled code only and check nothing.
"""

import functools

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from motifloom.lanes import LANES, _add_to, _load, _number, _pointers, _row, _splat

TILE_ROWS = 6
TILE_REGISTERS = 4
TILE_COLUMNS = TILE_REGISTERS * LANES

_I16, _I32, _I64 = (ir.IntType(bits) for bits in (16, 32, 64))
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INTEGERS = ir.VectorType(_I32, LANES)


class _BFloat16(type(_FLOAT).__mro__[1]):
    """LLVM's bfloat, which llvmlite has no name for."""

    null = "0xR0000"
    intrinsic_name = "bf16"

    def __str__(self):
        return "bfloat"


_BFloat16._create_instance()
_HALVES = ir.VectorType(_BFloat16(), LANES)
_PAIRS = ir.VectorType(_BFloat16(), 2 * LANES)


@functools.cache
def _features() -> frozenset[str]:
    found = llvmlite.binding.get_host_cpu_features()
    return frozenset(name for name, present in found.items() if present)


def has_wide_registers() -> bool:
    """Whether the CPU has the 32 registers of 16 floats that a tile is made for (AVX-512)."""
    return "avx512f" in _features()


def has_bfloat16() -> bool:
    """Whether the CPU multiplies pairs of bfloat16 and adds them up in float32 (AVX-512 BF16)."""
    return has_wide_registers() and "avx512bf16" in _features()


@intrinsic
def multiply_tile(
    typingctx, rows, left, at, line, count, other, other_at, other_line, other_count,
    weights, weight, start, begin, tile,
):  # fmt: skip
    """A tile of [left, other] @ weights + start.

    rows:    how many of the 6 rows there are
    left:    row r is `count` numbers from at + r * line on; behind it stand those of `other`
    weights: from `weight` on, [count + other_count, 64]; of bfloat16, pairs of rows are
             interleaved: [(count + other_count) / 2, 64, 2], and both counts are even
    start:   float32 [64] from `begin` on, what every row starts at
    tile:    float32 [6 * 64], is written
    Operands are all float32, or all bfloat16 given as uint16.
    """
    signature = types.void(
        rows, left, at, line, count, other, other_at, other_line, other_count,
        weights, weight, start, begin, tile,
    )  # fmt: skip
    paired = left.dtype != types.float32

    def generate(context, builder, signature, arguments):
        left, other, weights, start, tile = _pointers(
            context, builder, signature, arguments, (1, 2), (5, 6), (9, 10), (11, 12), 13
        )
        line, count, other_line, other_count = (arguments[i] for i in (3, 4, 7, 8))
        done = builder.append_basic_block("multiplied")
        switch = builder.switch(arguments[0], done)
        for n in range(1, TILE_ROWS + 1):
            block = builder.append_basic_block(f"rows_{n}")
            switch.add_case(_number(n), block)
            builder.position_at_end(block)
            sums = _begin_sums(builder, start, n)
            _add_products(builder, sums, left, line, count, weights, paired)
            behind = builder.gep(weights, [builder.mul(count, _number(TILE_COLUMNS))])
            _add_products(builder, sums, other, other_line, other_count, behind, paired)
            for r, row in enumerate(sums):
                for v, total in enumerate(row):
                    target = _row(builder, tile, _number((r * TILE_REGISTERS + v) * LANES))
                    builder.store(builder.load(total), target, align=4)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, generate


def _begin_sums(builder, start, n):
    registers = [_load(builder, start, _number(v * LANES)) for v in range(TILE_REGISTERS)]
    return [[cgutils.alloca_once_value(builder, r) for r in registers] for _ in range(n)]


def _add_products(builder, sums, left, line, count, weights, paired):
    """Add to the sums of each row its `count` numbers times as many rows of weights."""
    pair = 2 if paired else 1
    pointers = [builder.gep(left, [builder.mul(line, _number(r))]) for r in range(len(sums))]
    steps = builder.sdiv(count, _number(pair))
    with cgutils.for_range(builder, steps, intp=_I64) as loop:
        place = builder.mul(loop.index, _number(pair * TILE_COLUMNS))
        registers = [
            _load_operand(builder, weights, builder.add(place, _number(v * pair * LANES)), paired)
            for v in range(TILE_REGISTERS)
        ]
        at = builder.mul(loop.index, _number(pair))
        for pointer, row in zip(pointers, sums, strict=True):
            factor = _broadcast(builder, pointer, at, paired)
            for total, register in zip(row, registers, strict=True):
                held = builder.load(total)
                builder.store(_multiply_add(builder, factor, register, held, paired), total)


def _load_operand(builder, base, offset, paired):
    if not paired:
        return _load(builder, base, offset)
    pointer = builder.bitcast(builder.gep(base, [offset]), _PAIRS.as_pointer())
    return builder.load(pointer, align=2)


def _broadcast(builder, base, offset, paired):
    """One number, or one pair of bfloat16, in all lanes."""
    pointer = builder.gep(base, [offset])
    if not paired:
        return _splat(builder, builder.load(pointer), _VECTOR)
    pair = builder.load(builder.bitcast(pointer, _I32.as_pointer()), align=2)
    return builder.bitcast(_splat(builder, pair, _INTEGERS), _PAIRS)


def _multiply_add(builder, factor, register, total, paired):
    if not paired:
        return _fma(builder, factor, register, total)
    kind = ir.FunctionType(_VECTOR, [_VECTOR, _PAIRS, _PAIRS])
    name = "llvm.x86.avx512bf16.dpbf16ps.512"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [total, factor, register])


def _fma(builder, a, b, c):
    """a b + c, rounded once."""
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v16f32")
    return builder.call(function, [a, b, c])


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


_ONE, _TWO = _constant(1.0), _constant(2.0)
# exp(x) = 2**n exp(r), |r| <= ln 2 / 2: ln 2 in two parts, and the polynomial of Cephes' expf
# (Moshier), which is right to 2e-7 of the value.
_LOG2_E = 1.44269504088896341
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_POLYNOMIAL = (
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1,
)  # fmt: skip
# Beyond these sigmoid and tanh are 0 or 1 to float32's precision, and 2**n stays a normal number.
_LARGEST = 87.0
# Added and taken off again, it rounds to whole numbers.
_ROUNDER = float(3 << 22)


def _exp(builder, x):
    """exp of 16 floats, cut at +-87; what is no number stays none."""
    low, high = _constant(-_LARGEST), _constant(_LARGEST)
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    x = builder.select(builder.fcmp_ordered(">", x, high), high, x)
    shifted = _fma(builder, x, _constant(_LOG2_E), _constant(_ROUNDER))
    whole = builder.fsub(shifted, _constant(_ROUNDER))
    rest = _fma(builder, whole, _constant(-_LN2_HIGH), x)
    rest = _fma(builder, whole, _constant(-_LN2_LOW), rest)
    value = _constant(_POLYNOMIAL[0])
    for coefficient in _POLYNOMIAL[1:]:
        value = _fma(builder, value, rest, _constant(coefficient))
    value = _fma(builder, value, builder.fmul(rest, rest), builder.fadd(rest, _ONE))
    # The last bits of the shifted number are n: as bits of the exponent they multiply by 2**n.
    power = builder.shl(builder.bitcast(shifted, _INTEGERS), ir.Constant(_INTEGERS, [23] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(value, _INTEGERS), power), _VECTOR)


def _sigmoid(builder, x):
    """1 / (1 + exp(-x)), right to 1e-7."""
    return builder.fdiv(_ONE, builder.fadd(_ONE, _exp(builder, builder.fneg(x))))


def _tanh(builder, x):
    """1 - 2 / (exp(2 x) + 1), right to 2e-7 (not relative to the value)."""
    power = _exp(builder, builder.fmul(_TWO, x))
    return builder.fsub(_ONE, builder.fdiv(_TWO, builder.fadd(power, _ONE)))


def _store(builder, vector, base, offset=None):
    offset = _number(0) if offset is None else offset
    builder.store(vector, _row(builder, base, offset), align=4)


def _store_halves(builder, vector, base, offset=None):
    """Store 16 floats as bfloat16, rounded to the nearest."""
    pointer = base if offset is None else builder.gep(base, [offset])
    halves = builder.fptrunc(vector, _HALVES)
    builder.store(halves, builder.bitcast(pointer, _HALVES.as_pointer()), align=2)


@intrinsic
def forward_cells(
    typingctx, tile, at, before, old, gates, gate, cells, cell, states, state, copies, copy
):
    """16 cells of an LSTM (Hochreiter & Schmidhuber 1997, with a forget gate).

    tile:   float32 [4, 16] from `at` on, what gates i, f, g, o receive
    before: float32 [16] from `old` on, c of the step before
    Writes gates float32 [4, 16] (after their sigmoid or tanh), cells float32 [16]
    (c = f c' + i g), states float32 [16] (h = o tanh(c)) and, where copies are uint16, h as
    bfloat16; each from its offset on.
    """
    signature = types.void(
        tile, at, before, old, gates, gate, cells, cell, states, state, copies, copy
    )
    halves = copies.dtype != types.float32

    def generate(context, builder, signature, arguments):
        tile, before, gates, cells, states, copies = _pointers(
            context, builder, signature, arguments, *((i, i + 1) for i in range(0, 12, 2))
        )
        received = [_load(builder, tile, _number(g * LANES)) for g in range(4)]
        kinds = (_sigmoid, _sigmoid, _tanh, _sigmoid)
        i, f, g, o = (kind(builder, x) for kind, x in zip(kinds, received, strict=True))
        c = _fma(builder, f, _load(builder, before, _number(0)), builder.fmul(i, g))
        h = builder.fmul(o, _tanh(builder, c))
        for number, value in enumerate((i, f, g, o)):
            _store(builder, value, gates, _number(number * LANES))
        _store(builder, c, cells)
        _store(builder, h, states)
        if halves:
            _store_halves(builder, h, copies)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def backward_cells(
    typingctx, gates, gate, cells, cell, before, old, slopes, slope, carried, carry, copies, copy,
    totals, total,
):  # fmt: skip
    """Backward of `forward_cells`.

    gates, cells, before: as written and read there
    slopes:  float32 [16], the gradient by h
    carried: float32 [16], the gradient by c out of the step behind; is replaced by that for the
             step before
    Replaces gates by the gradient by what they received, or where copies are uint16 leaves them
    alone and writes it there as bfloat16. Adds it to totals, float32 [4, 16] from `total` on.
    """
    signature = types.void(
        gates, gate, cells, cell, before, old, slopes, slope, carried, carry, copies, copy,
        totals, total,
    )  # fmt: skip
    halves = copies.dtype != types.float32

    def generate(context, builder, signature, arguments):
        gates, cells, before, slopes, carried, copies, totals = _pointers(
            context, builder, signature, arguments, *((i, i + 1) for i in range(0, 14, 2))
        )
        i, f, g, o = (_load(builder, gates, _number(k * LANES)) for k in range(4))
        squashed = _tanh(builder, _load(builder, cells, _number(0)))
        by_h = _load(builder, slopes, _number(0))
        by_c = builder.fmul(builder.fmul(by_h, o), _slope_of_tanh(builder, squashed))
        by_c = builder.fadd(by_c, _load(builder, carried, _number(0)))
        _store(builder, builder.fmul(by_c, f), carried)
        found = (
            builder.fmul(builder.fmul(by_c, g), _slope_of_sigmoid(builder, i)),
            builder.fmul(
                builder.fmul(by_c, _load(builder, before, _number(0))),
                _slope_of_sigmoid(builder, f),
            ),
            builder.fmul(builder.fmul(by_c, i), _slope_of_tanh(builder, g)),
            builder.fmul(builder.fmul(by_h, squashed), _slope_of_sigmoid(builder, o)),
        )
        store, target = (_store_halves, copies) if halves else (_store, gates)
        for number, value in enumerate(found):
            store(builder, value, target, _number(number * LANES))
            _add_to(builder, totals, _number(number * LANES), value)
        return context.get_dummy_value()

    return signature, generate


def _slope_of_sigmoid(builder, value):
    return builder.fmul(value, builder.fsub(_ONE, value))


def _slope_of_tanh(builder, value):
    return builder.fsub(_ONE, builder.fmul(value, value))
