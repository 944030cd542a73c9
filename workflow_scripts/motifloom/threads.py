"""Rows of a batch shared among threads, for compiled code that lets go of Python's lock."""

import ctypes
import functools
import itertools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

_BODY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def share_rows(
    n: int, work: Callable[[int, int], object], worth: int | None = None, pieces: int = 1
) -> list:
    """Results of `work(first, last)` over n rows, in order: one share a thread (`n_threads`).

    There are at most `worth` shares, and at least one; each is cut into so many pieces, which go to
    the threads as these become free. What a share raises is raised here.
    """
    shares = max(1, min(n_threads(), n, n if worth is None else worth))
    if shares == 1:
        return [work(0, n)]
    edges = np.linspace(0, n, min(shares * pieces, n) + 1).astype(int).tolist()
    tasks = [functools.partial(work, *pair) for pair in itertools.pairwise(edges)]
    library = _openmp()
    if library is None:
        with ThreadPoolExecutor(shares) as pool:
            return list(pool.map(lambda task: task(), tasks))
    return _run_on_pytorchs(library, tasks, shares)


def n_threads() -> int:
    """Threads of this process: PyTorch's where it is loaded, else OpenMP's setting, else CPUs."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return torch.get_num_threads()
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else os.cpu_count() or 1


def _run_on_pytorchs(library: ctypes.CDLL, tasks: list[Callable[[], object]], threads: int) -> list:
    """Results of tasks that run on some threads of PyTorch's own operations.

    These wait for the next operation in a busy loop for some milliseconds, and would take the
    cores from other threads meanwhile.
    """
    results, failures, numbers = [None] * len(tasks), [], iter(range(len(tasks)))

    def body(_):
        # There may be fewer threads than asked for.
        for number in numbers:
            try:
                results[number] = tasks[number]()
            except BaseException as error:
                failures.append(error)

    library.GOMP_parallel(_BODY(body), None, threads, 0)
    if failures:
        raise failures[0]
    return results


def _openmp() -> ctypes.CDLL | None:
    """GNU's OpenMP, where PyTorch has loaded it; it may do so later."""
    if "torch" not in sys.modules or not hasattr(os, "RTLD_NOLOAD"):
        return None
    try:
        library = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
    except OSError:
        return None
    library.GOMP_parallel.argtypes = (_BODY, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
    library.GOMP_parallel.restype = None
    return library
