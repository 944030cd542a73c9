"""What every job of the workflow does around its one library call."""

import logging
import os
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TextIO

import motifloom
from motifloom.files import InputError, full_disk
from motifloom.versions import installed

log = logging.getLogger(__name__)

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# What results depend on most; provenance has the others.
_PACKAGES = ("numpy", "numba", "pandas", "torch")
_MOST_LISTED = 8


@contextmanager
def job(snakemake) -> Iterator[None]:
    """Run a block as a job: its log, its number of CPU threads, clear ends.

    `snakemake` is the object that scripts find under this name. The log has what was run and with
    which versions, the input files, what the library says, the output files with their numbers of
    rows, and the time and memory taken. PyTorch and Numba must be imported inside the block, since
    they read the thread counts when they load (NumPy's, loaded already, are set by Snakemake to
    the same). An InputError ends the job with its one sentence, in the log and on the terminal,
    without a traceback; any other error keeps its traceback in the log, and its sentence is last.
    SIGTERM and SIGINT end it with exit code 128 + their number, after half-written files are gone.
    """
    threads = max(1, snakemake.threads)  # 0 stands for a job that waits for no core
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    # Where cores are shared, threads that wait in long busy loops keep the others from theirs.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    path = snakemake.log[0]
    output, terminal = sys.stdout, sys.stderr
    with _opened(path) as stream:
        sys.stdout = sys.stderr = stream
        logging.basicConfig(
            stream=stream, level=logging.INFO, format="%(asctime)s %(message)s", force=True
        )
        began = time.monotonic()
        try:
            with _unwound():
                _log_start(snakemake)
                yield
                _log_end(snakemake, time.monotonic() - began)
        except KeyboardInterrupt as stop:
            number = stop.args[0] if stop.args else signal.SIGINT
            _say(f"stopped by {signal.Signals(number).name}; run again", stream, terminal)
            sys.exit(128 + number)
        except InputError as error:
            _say(f"error: {error}", stream, terminal)
            sys.exit(1)
        except Exception as error:
            with suppress(OSError):
                traceback.print_exc(file=stream)
            # A job writes where it works, temporary files, and compiled functions beside the code.
            written = (Path.cwd(), os.environ.get("TMPDIR", "/tmp"), motifloom.__path__[0])
            said = full_disk(error, *written) or error
            _say(f"error: {type(error).__name__}: {said} (see {path})", stream, terminal)
            sys.exit(1)
        finally:
            sys.stdout, sys.stderr = output, terminal


@contextmanager
def _opened(path: str) -> Iterator[TextIO]:
    """A job's log; where the disk is full its lines are lost, but not the job's own clear end."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        stream = open(path, "w", encoding="utf-8", buffering=1)  # noqa: SIM115
    except OSError as error:
        sys.exit(f"error: {path}: {full_disk(error, Path(path).parent) or error}")
    try:
        yield stream
    finally:
        with suppress(OSError):
            stream.close()


@contextmanager
def _unwound() -> Iterator[None]:
    """Let SIGTERM and SIGINT raise KeyboardInterrupt with their number, so that blocks clean up."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return

    def stop(number: int, frame) -> None:
        # A second signal must not end the cleaning up.
        for each in former:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt(number)

    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number, handler in former.items():
        if handler != signal.SIG_IGN:  # as of jobs that shells start in the background
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _log_start(snakemake) -> None:
    wildcards = "".join(f", {name} {value}" for name, value in snakemake.wildcards.items())
    log.info("%s%s, threads %d", snakemake.rule, wildcards, snakemake.threads)
    log.info("%s", ", ".join(f"{name} {number}" for name, number in installed(_PACKAGES).items()))
    if "CUDA_VISIBLE_DEVICES" in os.environ:
        log.info("CUDA_VISIBLE_DEVICES %s", os.environ["CUDA_VISIBLE_DEVICES"])
    _log_files("input", snakemake.input)


def _log_end(snakemake, seconds: float) -> None:
    _log_files("output", snakemake.output)
    # In kilobytes, on macOS in bytes; of this process, at its peak.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak /= 1e6 if sys.platform == "darwin" else 1e3
    log.info("done in %.1f s, at most %.0f MB of memory", seconds, peak)


def _log_files(kind: str, paths: Sequence[str]) -> None:
    for path in paths[:_MOST_LISTED]:
        log.info("%s %s: %s", kind, path, _describe(Path(path)))
    if len(paths) > _MOST_LISTED:
        log.info("%s: %d more files", kind, len(paths) - _MOST_LISTED)


def _describe(path: Path) -> str:
    """A file's size, of a table of ours its rows, of a folder its number of files."""
    if path.is_dir():
        return f"{sum(1 for _ in path.iterdir())} files"
    if not path.exists():
        return "absent"
    size = path.stat().st_size
    if path.suffix != ".tsv":
        return f"{size:,} bytes"
    with open(path, "rb") as stream:
        lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return f"{max(lines - 1, 0):,} rows, {size:,} bytes"


def _say(message: str, stream: IO[str], terminal: IO[str]) -> None:
    print(message, file=terminal, flush=True)
    # The disk of the log may be the one that is full.
    with suppress(OSError):
        print(message, file=stream, flush=True)
