"""What every job of the workflow does around its one library call."""

import logging
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motifloom.files import InputError

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@contextmanager
def job(log: str, threads: int) -> Iterator[None]:
    """Run a block as a job: output to `log`, `threads` CPU threads, clear ends.

    PyTorch and Numba must be imported inside the block, since they read the thread counts when
    they load (NumPy's, loaded already, are set by Snakemake to the same). An InputError ends the
    job with its one sentence, in the log and on the terminal, without a traceback; any other
    error keeps its traceback in the log.
    """
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    # Where cores are shared, threads that wait in long busy loops keep the others from theirs.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    output, terminal = sys.stdout, sys.stderr
    with open(log, "w", encoding="utf-8", buffering=1) as stream:
        sys.stdout = sys.stderr = stream
        logging.basicConfig(
            stream=stream, level=logging.INFO, format="%(asctime)s %(message)s", force=True
        )
        try:
            yield
        except InputError as error:
            _say(f"error: {error}", stream, terminal)
            sys.exit(1)
        except Exception as error:
            traceback.print_exc(file=stream)
            _say(f"error: {type(error).__name__}: {error} (see {log})", stream, terminal)
            sys.exit(1)
        finally:
            sys.stdout, sys.stderr = output, terminal


def _say(message: str, *streams) -> None:
    for stream in streams:
        print(message, file=stream, flush=True)
