"""Damaged and invented files for every reader; `make fuzz` runs this.

    python tests/fuzz/fuzz.py                      every reader, 152,000 inputs, one seed
    python tests/fuzz/fuzz.py --readers peaks meme --scale 0.1
    python tests/fuzz/fuzz.py --replay FOLDER/peaks-17.bed --readers peaks

An input ends accepted, or refused with an InputError (of Snakemake's files: WorkflowError) of one
line; anything else is uncaught: another error, a warning, a crash, more work or
memory than the input's size allows. Those are kept in a folder. Every reader has a process of its
own, which is started again behind the input that it crashed at.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "workflow_scripts")]

import mutations  # noqa: E402
from targets import TARGETS  # noqa: E402
from trial import Target, attempt, warm_up  # noqa: E402

GRAMMAR = 5  # every fifth input is written by grammar
LARGE = 150  # every so many is blown up
MEASURED = 64 << 10  # bytes from which on the memory multiple is told
HEADROOM = 4 << 30  # bytes of address space that a reader may take beside what it has
COLUMNS = (
    "reader",
    "inputs",
    "accepted",
    "refused",
    "uncaught",
    "seconds",
    "longest_s",
    "memory_x",
    "limit_x",
)
COUNTS, LARGEST = COLUMNS[2:8], ("longest_s", "memory_x")


def mutated(target: Target, seed: int, number: int) -> bytes:
    """Input `number` of a reader: a mutated seed, the same for the same seed."""
    rng = random.Random(f"{seed} {target.name} {number}")
    seeds = target.seeds()
    if number < len(seeds):
        return seeds[number]
    data = mutations.mutate(rng.choice(seeds), rng, target.kind)
    return mutations.grow(data, rng, target.kind) if number % LARGE == 0 and target.grows else data


def inputs(target: Target, seed: int, count: int, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Numbered inputs of a reader from number `first` on: mutated ones, then those by grammar."""
    n_mutated = count - count // GRAMMAR
    for number in range(first, n_mutated):
        yield number, mutated(target, seed, number)
    for place, data in enumerate(by_grammar(target, seed, count // GRAMMAR)):
        if n_mutated + place >= first:
            yield n_mutated + place, data


def by_grammar(target: Target, seed: int, count: int) -> list[bytes]:
    """`count` inputs by grammar, drawn by hypothesis."""
    import hypothesis
    from grammar import strategy

    found: list[bytes] = []
    settings = hypothesis.settings(
        max_examples=100,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    drawn = strategy(target)
    for part in range(-(-count // 100)):
        collect = hypothesis.given(drawn)(lambda data: found.append(data))
        settings(hypothesis.seed(f"{seed} {target.name} {part}")(collect))()
    # Small sets of choices are exhausted early.
    return [found[i % len(found)] for i in range(count)] if found else []


def work(arguments) -> None:
    """The process of one reader: a JSON line of its counts, failing inputs into the folder."""
    target = TARGETS[arguments.readers[0]]
    sys.setrecursionlimit(1000)
    counts = dict.fromkeys(COUNTS, 0)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / target.file
        warm_up(target, path)
        _limit_memory()
        for number, data in inputs(target, arguments.seed, arguments.count, arguments.first):
            _note(arguments.state, number, counts, path)
            traced = len(data) >= MEASURED // 4 or number % 16 == 0
            outcome = attempt(target, path, data, traced)
            counts[outcome.verdict] += 1
            counts["seconds"] += outcome.seconds
            counts["longest_s"] = max(counts["longest_s"], outcome.seconds)
            if outcome.size >= MEASURED:
                counts["memory_x"] = max(counts["memory_x"], outcome.peak / outcome.size)
            if outcome.verdict == "uncaught":
                _keep(arguments.folder, target, number, data, outcome.why)
        _note(arguments.state, arguments.count, counts, path)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if sys.platform == "linux" else 0
    if pages:
        most = pages * resource.getpagesize() + HEADROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _note(state: str, number: int, counts: dict, path: Path) -> None:
    """Leave behind where this process is, for its parent in case that it dies."""
    content = json.dumps([number, counts, str(path)])
    with open(state, "w", encoding="utf-8") as stream:
        stream.write(content)


def _keep(folder: str, target: Target, number: int, data: bytes, why: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    path = Path(folder) / f"{target.name}-{number}{Path(target.file).suffix}"
    path.write_bytes(data)
    print(f"{path}: {why}", file=sys.stderr, flush=True)


def run_reader(name: str, arguments) -> dict:
    """All inputs of one reader, in as many processes as crashes ask for; its row of the table."""
    target = TARGETS[name]
    count = max(1, round(target.inputs * arguments.scale))
    total = dict.fromkeys(COUNTS, 0)
    first = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        state = Path(folder) / "state.json"
        while first < count:
            command = [sys.executable, __file__, "--worker", "--readers", name, "--first", first]
            command += ["--count", count, "--seed", arguments.seed, "--state", state]
            # One thread each: the inputs are small, and readers run beside each other.
            environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
            command = [*map(str, command), "--folder", arguments.folder]
            done = subprocess.run(command, env=environment)
            if not state.exists():
                raise SystemExit(f"{name}: the reader's process did not start")
            reached, counts, _ = json.loads(state.read_text())
            for key, value in counts.items():
                total[key] = max(total[key], value) if key in LARGEST else total[key] + value
            if done.returncode > 0:
                raise SystemExit(f"{name}: the harness itself failed")
            if done.returncode:
                data = dict(inputs(target, arguments.seed, count, reached))[reached]
                _keep(arguments.folder, target, reached, data, f"crashed ({done.returncode})")
                total["uncaught"] += 1
            first = reached + 1
    return {"reader": name, "inputs": count, **total, "limit_x": target.multiple}


def replay(arguments) -> int:
    """One kept input again, with what came of it."""
    target = TARGETS[arguments.readers[0]]
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        warm_up(target, Path(folder) / target.file)
        data = Path(arguments.replay).read_bytes()
        outcome = attempt(target, Path(folder) / target.file, data, traced=True)
    print(f"{outcome.verdict} in {outcome.seconds:.2f} s, {outcome.peak:,} bytes: {outcome.why}")
    return int(outcome.verdict == "uncaught")


def print_table(rows: list[dict]) -> None:
    """The table of counts, readers in their order, totals last."""
    total = {"reader": "total", "limit_x": ""}
    for key in COLUMNS[1:8]:
        values = [row[key] for row in rows]
        total[key] = max(values) if key in LARGEST else sum(values)
    print(("{:<12}" + "{:>11}" * 8).format(*COLUMNS))
    for row in [*rows, total]:
        cells = [row[key] for key in COLUMNS]
        shown = [f"{cell:.2f}" if isinstance(cell, float) else f"{cell}" for cell in cells]
        print(("{:<12}" + "{:>11}" * 8).format(*shown))


def main() -> int:
    parser = argparse.ArgumentParser(description="Feed damaged files to every reader.")
    parser.add_argument("--readers", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the inputs")
    parser.add_argument("--folder", default="results/fuzz", help="where failing inputs go")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--replay", help="one kept input, read again by --readers")
    for hidden in ("--first", "--count"):
        parser.add_argument(hidden, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--state", help=argparse.SUPPRESS)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments)
        return 0
    if arguments.replay:
        return replay(arguments)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(lambda name: run_reader(name, arguments), arguments.readers))
    print_table(rows)
    failed = sum(row["uncaught"] for row in rows)
    if failed:
        print(
            f"{failed} uncaught, kept in {arguments.folder}; again, one of them: python"
            " tests/fuzz/fuzz.py --replay FILE --readers READER"
        )
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
