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
    return _put_digits(out, at, np.uint64(value), 1)


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
    end = _put_digits(out, at, np.uint64(scaled), decimals + 1)
    for i in range(end, end - decimals, -1):
        out[i] = out[i - 1]
    out[end - decimals] = _POINT
    return end + 1


@njit(cache=True, nogil=True)
def _put_digits(out, at, value, least):
    """The digits of a uint64, with zeros before them where they are fewer than `least`."""
    n, rest = 1, value // np.uint64(10)
    while rest > 0:
        n, rest = n + 1, rest // np.uint64(10)
    n = max(n, least)
    for i in range(at + n - 1, at - 1, -1):
        rest = value // np.uint64(10)
        out[i] = _ZERO + np.uint8(value - rest * np.uint64(10))
        value = rest
    return at + n


def as_words(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Texts end to end, uint8, and where each begins and ends, int64 [n + 1]."""
    raw = [text.encode() for text in texts]
    offsets = np.concatenate([[0], np.cumsum([len(word) for word in raw], dtype=np.int64)])
    return np.frombuffer(b"".join(raw), np.uint8), offsets
