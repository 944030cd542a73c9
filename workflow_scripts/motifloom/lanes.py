"""The inner loops of the motif scan: 16 kernels at a time, one SIMD register wide.

A lane is one kernel. Tables hold rows of 16 floats, one for each word of three letters, so that a
window of a sequence costs one row look-up and one vector addition a word. The loops are written
as LLVM vector code, since compilers do not keep an array of 16 sums in a register by themselves;
on CPUs with shorter registers LLVM splits the vectors. All functions are called from compiled
code only (Numba) and check nothing.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.extending import intrinsic

LANES = 16
WORD = 3
WORD_ROWS = 5**WORD
# Words a kernel up to which the loop over them is unrolled: kernels of 36.
_UNROLLED = 12

LETTERS = 5

_I1, _I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_BYTES, _SHORTS, _INDICES = (ir.VectorType(kind, LANES) for kind in (_I8, _I16, _I32))
_MASK = ir.VectorType(_I1, LANES)
_ZERO = ir.Constant(_VECTOR, [0.0] * LANES)


# The files that hold LLVM code.
_FILES = [
    Path(__file__).with_name(f"{name}.py") for name in ("lanes", "tiles", "peaks", "int_lanes")
]
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()


class _StampedCache(FunctionCache):
    """Numba's cache on disk, which also notices a change of the files with LLVM code.

    By itself it looks at the file of the compiled function alone, and would go on with loops of
    an earlier version of these.
    """

    def __init__(self, function: Callable):
        super().__init__(function)
        stamp = (self._impl.locator.get_source_stamp(), _DIGEST)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)


def compiled(**options) -> Callable:
    """Decorator of functions that use these loops: compiled once, kept on disk, without the lock.

    `options` are Numba's.
    """

    def decorate(function: Callable):
        dispatcher = njit(nogil=True, **options)(function)
        dispatcher._cache = _StampedCache(function)
        return dispatcher

    return decorate


def aligned(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros, float32, that begin at a cache line: rows that straddle two are slower to load."""
    size = int(np.prod(shape)) * 4
    raw = np.zeros(size + 64, np.uint8)
    first = -raw.ctypes.data % 64
    return raw[first : first + size].view(np.float32).reshape(shape)


def _pointers(context, builder, signature, arguments, *numbers):
    """Addresses in array arguments; one that is given as (array, offset) begins at the offset.

    `numbers` are the places of the arrays among the arguments, or pairs of array and offset.
    """
    found = []
    for number in numbers:
        array, offset = number if isinstance(number, tuple) else (number, None)
        layout = context.make_array(signature.args[array])
        data = layout(context, builder, arguments[array]).data
        found.append(data if offset is None else builder.gep(data, [arguments[offset]]))
    return found


def _number(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)


def _index(builder, array, place):
    """An unsigned 16-bit entry of an index array, as a 64-bit offset."""
    return builder.zext(builder.load(builder.gep(array, [place])), _I64)


def _row(builder, base, offset):
    """Pointer to the 16 floats that begin `offset` floats behind `base`."""
    return builder.bitcast(builder.gep(base, [offset]), _VECTOR.as_pointer())


def _load(builder, base, offset):
    return builder.load(_row(builder, base, offset), align=4)


def _splat(builder, scalar, vector_type):
    empty = ir.Constant(vector_type, ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, empty, ir.Constant(_INDICES, [0] * LANES))


def _window_sum(builder, inputs, position, n_words, unrolled, placed=True):
    """The 16 sums of one window: its place's row, if `placed`, and the rows of its words."""
    tables, words, place_rows, place_index = inputs
    total = _ZERO
    if placed:
        total = _load(builder, place_rows, _index(builder, place_index, position))
    if unrolled is not None:
        for word in range(unrolled):
            at = builder.add(position, _number(WORD * word))
            base = builder.gep(tables, [_number(word * WORD_ROWS * LANES)])
            row = _load(builder, base, _index(builder, words, at))
            total = row if total is _ZERO else builder.fadd(total, row)
        return total
    sums = cgutils.alloca_once_value(builder, total)
    with cgutils.for_range(builder, n_words, intp=_I64) as loop:
        at = builder.add(position, builder.mul(loop.index, _number(WORD)))
        base = builder.gep(tables, [builder.mul(loop.index, _number(WORD_ROWS * LANES))])
        row = _load(builder, base, _index(builder, words, at))
        builder.store(builder.fadd(builder.load(sums), row), sums)
    return builder.load(sums)


def _for_each_width(builder, width, emit, most=_UNROLLED):
    """Call `emit(unrolled)` for each width (of kernels in words) up to `most`; choose when run.

    Wider ones take what `emit(None)` makes.
    """
    general = builder.append_basic_block("any_width")
    done = builder.append_basic_block("scanned")
    switch = builder.switch(width, general)
    for unrolled in range(1, most + 1):
        block = builder.append_basic_block(f"width_{unrolled}")
        switch.add_case(_number(unrolled), block)
        builder.position_at_end(block)
        emit(unrolled)
        builder.branch(done)
    builder.position_at_end(general)
    emit(None)
    builder.branch(done)
    builder.position_at_end(done)


# Arrays are given whole, each with the offset at which to begin: in compiled code a slice costs
# more than many of these loops.


@intrinsic
def scan_lanes(
    typingctx, tables, table, words, word, rows, row, index, n_words, first, step, count,
    values, where, output, placed,
):  # fmt: skip
    """Best window of each of 16 kernels.

    tables, from `table` on:  float32 [n_words * 125 * 16], 16 values for each word and place
    words, from `word` on:    uint16, at base i the word that begins there, times 16
    rows, from `row` on:      float32 [* 16], added to a window by where it lies
    index:                    uint16, at window p its row, times 16
    placed:                   whether there are such rows (bool); without, both are left alone
    The windows first, first + step, ... (count of them) are looked at in this order; among equal
    ones the first wins. Writes 16 `values` float32 and `where` int32, the windows, at `output`.
    """
    signature = types.void(
        tables, table, words, word, rows, row, index, n_words, first, step, count,
        values, where, output, placed,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        *inputs, values, where = _pointers(
            context, builder, signature, arguments, (0, 1), (2, 3), (4, 5), 6, (11, 13), (12, 13)
        )
        n_words, first, step, count = arguments[7:11]
        best, place = _begin_best(builder)

        def scan(placed):
            def emit(unrolled):
                with cgutils.for_range(builder, count, intp=_I64) as loop:
                    position = builder.add(first, builder.mul(loop.index, step))
                    total = _window_sum(builder, inputs, position, n_words, unrolled, placed)
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


def _begin_best(builder):
    best, place = (cgutils.alloca_once(builder, kind) for kind in (_VECTOR, _INDICES))
    builder.store(ir.Constant(_VECTOR, [float("-inf")] * LANES), best)
    builder.store(ir.Constant(_INDICES, [0] * LANES), place)
    return best, place


def _keep_larger(builder, total, position, best, place):
    held = builder.load(best)
    larger = builder.fcmp_ordered(">", total, held)
    here = _splat(builder, builder.trunc(position, _I32), _INDICES)
    builder.store(builder.select(larger, total, held), best)
    builder.store(builder.select(larger, here, builder.load(place)), place)


def _store_best(builder, best, place, values, where):
    builder.store(builder.load(best), builder.bitcast(values, _VECTOR.as_pointer()), align=4)
    builder.store(builder.load(place), builder.bitcast(where, _INDICES.as_pointer()), align=4)


@intrinsic
def scan_lanes_with_mean(
    typingctx, tables, table, words, word, rows, row, index, n_words, first, step, count,
    values, where, output, thresholds, threshold, sums, active, activity,
):  # fmt: skip
    """As `scan_lanes`, and the sum over windows of ReLU(window + threshold).

    Adds to 16 `sums` float32 at `output`; 16 `thresholds` float32 stand at `threshold`. Writes
    `active` uint16, at window p behind `activity` the bits of the kernels above 0 there.
    """
    signature = types.void(
        tables, table, words, word, rows, row, index, n_words, first, step, count,
        values, where, output, thresholds, threshold, sums, active, activity,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        *inputs, values, where, shift, sums, active = _pointers(
            context, builder, signature, arguments,
            (0, 1), (2, 3), (4, 5), 6, (11, 13), (12, 13), (14, 15), (16, 13), (17, 18),
        )  # fmt: skip
        n_words, first, step, count = arguments[7:11]
        best, place = _begin_best(builder)
        summed = cgutils.alloca_once_value(builder, _load(builder, sums, _number(0)))
        shift = _load(builder, shift, _number(0))

        def emit(unrolled):
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                position = builder.add(first, builder.mul(loop.index, step))
                total = _window_sum(builder, inputs, position, n_words, unrolled)
                _keep_larger(builder, total, position, best, place)
                raised = builder.fadd(total, shift)
                above = builder.fcmp_ordered(">", raised, _ZERO)
                part = builder.select(above, raised, _ZERO)
                builder.store(builder.fadd(builder.load(summed), part), summed)
                bits = builder.bitcast(above, _I16)
                builder.store(bits, builder.gep(active, [position]))

        _for_each_width(builder, n_words, emit)
        _store_best(builder, best, place, values, where)
        builder.store(builder.load(summed), _row(builder, sums, _number(0)), align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def scatter_lanes(
    typingctx, tables, table, words, word, rows, row, index, n_words, count, active, activity,
    slopes, slope,
):  # fmt: skip
    """Backward of the mean: add 16 `slopes` float32, at `slope`, where a kernel was active.

    Arguments as those of `scan_lanes_with_mean`, with gradients in the place of tables and rows.
    """
    signature = types.void(
        tables, table, words, word, rows, row, index, n_words, count, active, activity,
        slopes, slope,
    )  # fmt: skip

    def generate(context, builder, signature, arguments):
        tables, words, rows, index, active, slopes = _pointers(
            context, builder, signature, arguments, (0, 1), (2, 3), (4, 5), 6, (9, 10), (11, 12)
        )
        n_words, count = arguments[7:9]
        slopes = _load(builder, slopes, _number(0))

        def emit(unrolled):
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                bits = builder.load(builder.gep(active, [loop.index]))
                with builder.if_then(builder.icmp_unsigned("!=", bits, ir.Constant(_I16, 0))):
                    part = builder.select(builder.bitcast(bits, _MASK), slopes, _ZERO)
                    _add_to(builder, rows, _index(builder, index, loop.index), part)
                    _scatter_words(builder, tables, words, loop.index, n_words, unrolled, part)

        _for_each_width(builder, n_words, emit)
        return context.get_dummy_value()

    return signature, generate


def _add_to(builder, base, offset, part):
    row = _row(builder, base, offset)
    builder.store(builder.fadd(builder.load(row, align=4), part), row, align=4)


def _scatter_words(builder, tables, words, position, n_words, unrolled, part):
    if unrolled is not None:
        for word in range(unrolled):
            at = builder.add(position, _number(WORD * word))
            base = builder.gep(tables, [_number(word * WORD_ROWS * LANES)])
            _add_to(builder, base, _index(builder, words, at), part)
        return
    with cgutils.for_range(builder, n_words, intp=_I64) as loop:
        at = builder.add(position, builder.mul(loop.index, _number(WORD)))
        base = builder.gep(tables, [builder.mul(loop.index, _number(WORD_ROWS * LANES))])
        _add_to(builder, base, _index(builder, words, at), part)


@intrinsic
def fill_words(typingctx, letters, letter, words, word, count):
    """The words of a sequence of letters, times 16.

    letters, from `letter` on: uint8, 0 to 4, two more than words; writes words uint16, from `word`
    on. `count` of them are rounded up to a multiple of 16.
    """
    signature = types.void(letters, letter, words, word, count)

    def generate(context, builder, signature, arguments):
        letters, words = _pointers(context, builder, signature, arguments, (0, 1), (2, 3))
        steps = builder.sdiv(builder.add(arguments[4], _number(LANES - 1)), _number(LANES))
        five = ir.Constant(_SHORTS, [LETTERS] * LANES)
        with cgutils.for_range(builder, steps, intp=_I64) as loop:
            first = builder.mul(loop.index, _number(LANES))
            total = ir.Constant(_SHORTS, [0] * LANES)
            for letter in range(WORD):
                at = builder.gep(letters, [builder.add(first, _number(letter))])
                read = builder.load(builder.bitcast(at, _BYTES.as_pointer()), align=1)
                total = builder.add(builder.mul(total, five), builder.zext(read, _SHORTS))
            total = builder.mul(total, ir.Constant(_SHORTS, [LANES] * LANES))
            target = builder.bitcast(builder.gep(words, [first]), _SHORTS.as_pointer())
            builder.store(total, target, align=2)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fill_table(typingctx, columns, n_words, tables, table):
    """Rows of all words of 16 kernels.

    columns float32 [n_words * 3 * 5 * 16]: 16 values for each position and letter; writes
    `tables` float32 [n_words * 125 * 16], from `table` on: (first + second) + third letter.
    """
    signature = types.void(columns, n_words, tables, table)

    def generate(context, builder, signature, arguments):
        columns, table = _pointers(context, builder, signature, arguments, 0, (2, 3))
        with cgutils.for_range(builder, arguments[1], intp=_I64) as loop:
            source = builder.mul(loop.index, _number(WORD * LETTERS * LANES))
            target = builder.mul(loop.index, _number(WORD_ROWS * LANES))
            rows = [
                _load(builder, columns, builder.add(source, _number(row * LANES)))
                for row in range(WORD * LETTERS)
            ]
            for a in range(LETTERS):
                for b in range(LETTERS):
                    pair = builder.fadd(rows[a], rows[LETTERS + b])
                    for c in range(LETTERS):
                        row = (a * LETTERS + b) * LETTERS + c
                        at = builder.add(target, _number(row * LANES))
                        total = builder.fadd(pair, rows[2 * LETTERS + c])
                        builder.store(total, _row(builder, table, at), align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fold_table(typingctx, tables, table, n_words, columns, column):
    """The transpose of `fill_table`: adds each word's row to its three letters' columns."""
    signature = types.void(tables, table, n_words, columns, column)

    def generate(context, builder, signature, arguments):
        table, columns = _pointers(context, builder, signature, arguments, (0, 1), (3, 4))
        with cgutils.for_range(builder, arguments[2], intp=_I64) as loop:
            source = builder.mul(loop.index, _number(WORD_ROWS * LANES))
            target = builder.mul(loop.index, _number(WORD * LETTERS * LANES))
            sums = [_ZERO] * (WORD * LETTERS)
            for row in range(WORD_ROWS):
                value = _load(builder, table, builder.add(source, _number(row * LANES)))
                letters = (row // LETTERS**2, row // LETTERS % LETTERS, row % LETTERS)
                for place, letter in enumerate(letters):
                    column = place * LETTERS + letter
                    sums[column] = builder.fadd(sums[column], value)
            for column, total in enumerate(sums):
                at = builder.add(target, _number(column * LANES))
                _add_to(builder, columns, at, total)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def scatter_windows(typingctx, letters, places, slopes, count, steps, gradient, kernel):
    """Add slopes to one kernel's gradient at the letters of windows.

    Window i of `count` begins at `letters[places[i]]` (uint8; 16 * steps are read) and adds
    `slopes[i]` (float32). gradient float32 [5 * 16 * steps], from `kernel` on: a line of positions
    for each letter. What lies behind the kernel's width is written too and means nothing.
    """
    signature = types.void(letters, places, slopes, count, steps, gradient, kernel)

    def generate(context, builder, signature, arguments):
        letters, places, slopes, gradient = _pointers(
            context, builder, signature, arguments, 0, 1, 2, (5, 6)
        )
        count, steps = arguments[3:5]
        line = builder.mul(steps, _number(LANES))
        with cgutils.for_range(builder, steps, intp=_I64) as outer:
            position = builder.mul(outer.index, _number(LANES))
            rows = [
                _row(builder, gradient, builder.add(position, builder.mul(line, _number(letter))))
                for letter in range(LETTERS)
            ]
            # Kept in registers over all windows.
            sums = [cgutils.alloca_once_value(builder, builder.load(row, align=4)) for row in rows]
            with cgutils.for_range(builder, count, intp=_I64) as loop:
                place = builder.load(builder.gep(places, [loop.index]))
                at = builder.gep(letters, [builder.add(place, position)])
                read = builder.load(builder.bitcast(at, _BYTES.as_pointer()), align=1)
                slope = _splat(builder, builder.load(builder.gep(slopes, [loop.index])), _VECTOR)
                for letter, total in enumerate(sums):
                    here = ir.Constant(_BYTES, [letter] * LANES)
                    part = builder.select(builder.icmp_unsigned("==", read, here), slope, _ZERO)
                    builder.store(builder.fadd(builder.load(total), part), total)
            for row, total in zip(rows, sums, strict=True):
                builder.store(builder.load(total), row, align=4)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def weigh_rows(typingctx, values, value, count, rows, row, stride, sums, total):
    """Add `count` rows of 16, each times its value, to 16 sums, all float32.

    Row i is read from `rows` at row + i * stride, its factor from `values` at value + i, and the
    sums stand in `sums` at `total`.
    """
    signature = types.void(values, value, count, rows, row, stride, sums, total)

    def generate(context, builder, signature, arguments):
        values, rows, sums = _pointers(
            context, builder, signature, arguments, (0, 1), (3, 4), (6, 7)
        )
        count, stride = arguments[2], arguments[5]
        target = _row(builder, sums, _number(0))
        held = cgutils.alloca_once_value(builder, builder.load(target, align=4))
        with cgutils.for_range(builder, count, intp=_I64) as loop:
            factor = builder.load(builder.gep(values, [loop.index]))
            row = _load(builder, rows, builder.mul(loop.index, stride))
            part = builder.fmul(_splat(builder, factor, _VECTOR), row)
            builder.store(builder.fadd(builder.load(held), part), held)
        builder.store(builder.load(held), target, align=4)
        return context.get_dummy_value()

    return signature, generate
