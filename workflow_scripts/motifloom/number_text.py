"""Numbers and words as text, written into byte buffers by compiled code.

Each function writes from `at` on into `out`, uint8 [n], which must be long enough, and returns
where it ended. They are for other compiled functions, which write millions of table rows.
"""

import numpy as np
from numba import njit

# The most bytes that `put_fixed` and `put_integer` write, those of a missing value aside.
LONGEST = 24
_ZERO, _MINUS, _POINT = ord("0"), ord("-"), ord(".")
_POWERS = 10.0 ** np.arange(13)
_WHOLE = 10 ** np.arange(13, dtype=np.uint64)


@njit(cache=True, nogil=True)
def put_bytes(out, at, source, first, last):
    """The bytes source[first:last]."""
    for i in range(first, last):
        out[at + i - first] = source[i]
    return at + last - first


@njit(cache=True, nogil=True)
def put_integer(out, at, value):
    """An integer in decimal digits; int64 but its lowest."""
    if value < 0:
        out[at] = _MINUS
        at, value = at + 1, -value
    return _put_whole(out, at, np.uint64(value))


@njit(cache=True, nogil=True)
def put_fixed(out, at, value, decimals, missing):
    """A number with 1 to 12 decimals; the bytes `missing` where it is not finite.

    Of a float32 they are those of Python's format(value, ".4f"), since its product with a power of
    ten up to 12 is exact in float64; ties go to the even digit. What rounds to 0 has no sign.
    Numbers of more than 18 digits count as missing.
    """
    scaled = np.rint(abs(np.float64(value)) * _POWERS[decimals])
    if not scaled < 1e18:
        return put_bytes(out, at, missing, 0, len(missing))
    if value < 0 and scaled > 0:
        out[at] = _MINUS
        at += 1
    if scaled < 1e9 and decimals < 10:  # dividing 32 bits is faster, and most numbers are small
        small = np.uint32(scaled)
        whole32 = small // np.uint32(_WHOLE[decimals])
        at = _put_whole(out, at, whole32)
        return _put_decimals(out, at, small - whole32 * np.uint32(_WHOLE[decimals]), decimals)
    digits = np.uint64(scaled)
    whole = digits // _WHOLE[decimals]
    at = _put_whole(out, at, whole)
    return _put_decimals(out, at, digits - whole * _WHOLE[decimals], decimals)


@njit(cache=True, nogil=True)
def _put_decimals(out, at, value, decimals):
    """The point and an unsigned number below 10 ** decimals, with zeros before it."""
    ten = type(value)(10)
    out[at] = _POINT
    for i in range(at + decimals, at, -1):
        rest = value // ten
        out[i] = _ZERO + np.uint8(value - rest * ten)
        value = rest
    return at + decimals + 1


@njit(cache=True, nogil=True)
def _put_whole(out, at, value):
    """The digits of an unsigned number."""
    ten = type(value)(10)
    if value < ten:
        out[at] = _ZERO + np.uint8(value)
        return at + 1
    n, rest = 1, value // ten
    while rest > 0:
        n, rest = n + 1, rest // ten
    for i in range(at + n - 1, at - 1, -1):
        rest = value // ten
        out[i] = _ZERO + np.uint8(value - rest * ten)
        value = rest
    return at + n


def as_words(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Texts end to end, uint8, and where each begins and ends, int64 [n + 1]."""
    raw = [text.encode() for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in raw], dtype=np.int64)])
    return np.frombuffer(b"".join(raw), np.uint8), offsets
