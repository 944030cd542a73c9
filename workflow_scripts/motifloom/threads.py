"""Rows of a batch shared among threads, for compiled code that lets go of Python's lock."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch


def share_rows(n: int, work: Callable[[int, int], object], worth: int | None = None) -> list:
    """Results of `work(first, last)` over n rows, in order: one share a thread PyTorch has.

    There are at most `worth` shares, and at least one.
    """
    threads = max(1, min(torch.get_num_threads(), n, n if worth is None else worth))
    if threads == 1:
        return [work(0, n)]
    edges = np.linspace(0, n, threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda pair: work(*pair), itertools.pairwise(edges)))
