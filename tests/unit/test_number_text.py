import numpy as np
import pytest
from numba import njit

from motifloom.number_text import LONGEST, as_words, put_bytes, put_fixed, put_integer

NA = np.frombuffer(b"NA", np.uint8)


@njit
def fixed(values, decimals, missing, out):
    at = 0
    for value in values:
        at = put_fixed(out, at, value, decimals, missing)
        out[at] = 32
        at += 1
    return at


def text_of(values, decimals):
    values = np.asarray(values, np.float32)
    out = np.empty(len(values) * (LONGEST + 1), np.uint8)
    end = fixed(values, decimals, NA, out)
    return out[:end].tobytes().decode().split()


def integer(value):
    out = np.zeros(LONGEST, np.uint8)
    return out[: put_integer(out, 0, value)].tobytes()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, "0.0000"),
        (-0.0, "0.0000"),
        (-0.00004, "0.0000"),
        (1, "1.0000"),
        (-12.34567, "-12.3457"),
        (0.03125, "0.0312"),
        (0.09375, "0.0938"),
        (1e6, "1000000.0000"),
        (np.nan, "NA"),
        (np.inf, "NA"),
        (-np.inf, "NA"),
        (3e38, "NA"),
    ],
)
def test_four_decimals(value, expected):
    assert text_of([value], 4) == [expected]


@pytest.mark.parametrize("decimals", [1, 4, 6, 12])
def test_decimals_are_pythons(decimals):
    random = np.random.default_rng(0)
    values = (random.normal(size=20_000) * 10.0 ** random.integers(-6, 5, 20_000)).astype("f4")
    expected = [format(float(value), f".{decimals}f") for value in values]
    zero = format(0.0, f".{decimals}f")
    assert text_of(values, decimals) == [zero if x == f"-{zero}" else x for x in expected]


@pytest.mark.parametrize("value", [0, 7, 10, -1, 99, 100, 1234567890123456789, -(2**62)])
def test_integers(value):
    assert integer(value) == str(value).encode()


def test_bytes_are_put_behind_each_other():
    out = np.zeros(5, np.uint8)
    source = np.frombuffer(b"abcdef", np.uint8)
    assert put_bytes(out, put_bytes(out, 0, source, 0, 2), source, 3, 6) == 5
    assert out.tobytes() == b"abdef"


def test_words_lie_end_to_end():
    text, offsets = as_words(["ab", "", "c"])
    assert text.tobytes() == b"abc"
    assert offsets.tolist() == [0, 2, 2, 3]


def test_no_words():
    text, offsets = as_words([])
    assert len(text) == 0
    assert offsets.tolist() == [0]
