"""Rows are shared evenly, in order, on PyTorch's threads or on others."""

import os
import sys

import pytest
import torch

from motifloom import threads


@pytest.fixture(params=["pytorch's", "others"])
def three_threads(request, monkeypatch):
    before = torch.get_num_threads()
    if request.param == "others":
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def pair(first, last):
    return first, last


@pytest.mark.usefixtures("three_threads")
def test_shares_are_even_and_in_order():
    assert threads.share_rows(10, pair) == [(0, 3), (3, 6), (6, 10)]
    assert threads.share_rows(2, pair) == [(0, 1), (1, 2)]
    assert threads.share_rows(10, pair, worth=2) == [(0, 5), (5, 10)]
    assert threads.share_rows(10, pair, worth=2, pieces=2) == [(0, 2), (2, 5), (5, 7), (7, 10)]
    assert threads.share_rows(2, pair, pieces=4) == [(0, 1), (1, 2)]


@pytest.mark.parametrize(("asked", "expected"), [("3", 3), ("0", 2), ("", 2), ("4,2", 2)])
def test_without_pytorch_the_setting_of_openmp_counts(monkeypatch, asked, expected):
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert threads.n_threads() == expected


@pytest.mark.usefixtures("three_threads")
def test_little_work_is_one_share():
    assert threads.share_rows(10, pair, worth=0) == [(0, 10)]
    assert threads.share_rows(0, pair) == [(0, 0)]


@pytest.mark.usefixtures("three_threads")
def test_what_a_share_raises_is_raised():
    def work(first, last):
        if first == 3:
            raise ValueError("in the second share")

    with pytest.raises(ValueError, match="second share"):
        threads.share_rows(10, work)
