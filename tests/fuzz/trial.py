"""One input given to one reader: what came of it, how long it took and how much memory."""

import signal
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

# Processor seconds that an input may take, and those a megabyte of it; seconds of any kind (a
# reader that waits).
CPU_SECONDS, CPU_SECONDS_A_MEGABYTE, WALL_SECONDS = 5.0, 10.0, 120.0
# Memory: a constant, and the reader's multiple of the input.
CONSTANT = 16 << 20
LONGEST_SENTENCE = 1000  # letters, the file's path aside
_QUIET = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning)


@dataclass(frozen=True)
class Target:
    """A reader: how it is called on a path, what it is fed and what it may cost.

    kind: "text", "json", "arrays" or "bytes", which mutations apply; seeds: valid files; multiple:
    bytes of memory a byte of the input (unpacked), beside CONSTANT.
    """

    name: str
    file: str
    kind: str
    seeds: Callable[[], list[bytes]]
    read: Callable[[Path], object]
    inputs: int
    multiple: int
    refusals: Callable[[], tuple[type[Exception], ...]]

    @property
    def grows(self) -> bool:
        """Whether large inputs are tried; Snakemake takes half a minute for a megabyte of YAML."""
        return self.name != "config"


@dataclass(frozen=True)
class Outcome:
    """How one input ended: "accepted", "refused" or "uncaught", and why."""

    verdict: str
    why: str
    seconds: float
    peak: int = 0  # bytes; 0 where it was not measured
    size: int = 1  # bytes of the input, unpacked


class Hang(BaseException):
    """The reader took too long."""


@contextmanager
def time_limit(size: int):
    """Raise Hang in the block where reading `size` bytes takes too long."""
    seconds = CPU_SECONDS + CPU_SECONDS_A_MEGABYTE * size / 1e6

    def stop(number, frame):
        raise Hang

    timers = ((signal.ITIMER_PROF, signal.SIGPROF, seconds),)
    timers += ((signal.ITIMER_REAL, signal.SIGALRM, WALL_SECONDS),)
    former = [signal.signal(number, stop) for _, number, _ in timers]
    try:
        for timer, _, seconds in timers:
            signal.setitimer(timer, seconds)
        yield
    finally:
        for (timer, number, _), handler in zip(timers, former, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)


def warm_up(target: Target, path: Path) -> None:
    """Read the valid files once without limits: what is imported and compiled then is ready."""
    for data in target.seeds():
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        with suppress(*target.refusals()):
            target.read(path)


def attempt(target: Target, path: Path, data: bytes, traced: bool = False) -> Outcome:
    """Write `data` to `path` and have the reader read it; `traced` measures memory too."""
    size = unpacked_size(data)
    # A new file each time: arrays of the last one may still be mapped.
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    if traced:
        tracemalloc.start()
    began = perf_counter()
    try:
        verdict, why = _verdict(target, path, size)
    finally:
        seconds = perf_counter() - began
        peak = 0
        if traced:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    if verdict != "uncaught" and peak > CONSTANT + target.multiple * size:
        verdict, why = "uncaught", f"took {peak:,} bytes of memory for {size:,}"
    return Outcome(verdict, why, seconds, peak, size)


def _verdict(target: Target, path: Path, size: int) -> tuple[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for category in _QUIET:
                warnings.simplefilter("ignore", category)
            with time_limit(size):
                target.read(path)
    except Hang:
        return "uncaught", "was not done in time"
    except target.refusals() as error:
        fault = _fault_of_sentence(str(error), path)
        return ("uncaught", fault) if fault else ("refused", str(error))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return "uncaught", _described(error)
    return "accepted", ""


def _described(error: BaseException) -> str:
    """Type, text and place of an error, innermost place in the workflow's own code."""
    place, trace = "", error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if "motifloom" in name or "common.smk" in name or "targets" in name:
            place = f" at {Path(name).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return f"{type(error).__name__}: {str(error)[:200]!r}{place}"


def _fault_of_sentence(message: str, path: Path) -> str:
    """What is wrong with a refusal as a sentence for a user; "" where nothing is."""
    rest = message.replace(str(path), "")
    if not rest.strip():
        return "is refused without a sentence"
    if "\n" in rest or not rest.isprintable():
        return f"is refused in more than a line: {rest[:200]!r}"
    if len(rest) > LONGEST_SENTENCE:
        return f"is refused in {len(rest)} letters: {rest[:200]!r}"
    return ""


def unpacked_size(data: bytes, most: int = 1 << 26) -> int:
    """Bytes of a file, of a gzip file those it unpacks to, as far as it is sound (or `most`)."""
    size, rest = len(data), data
    found = 0
    try:
        while rest[:2] == b"\x1f\x8b" and found < most:
            unpacking = zlib.decompressobj(31)
            block, rest = unpacking.decompress(rest, 1 << 16), b""
            while block and found < most:
                found += len(block)
                block = unpacking.decompress(unpacking.unconsumed_tail, 1 << 16)
            rest = unpacking.unused_data
    except zlib.error:
        pass
    return max(1, size, found)
