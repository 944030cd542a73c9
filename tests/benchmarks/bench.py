"""Measure the library against what it replaces: python tests/benchmarks/bench.py --help.

A ratio above 1 means that ours is faster. What each row compares is told in docs/benchmarks.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import harness

ROOT = Path(__file__).resolve().parents[2]
# The library is no installed package: it lies beside the workflow's scripts.
sys.path.insert(0, str(ROOT / "workflow_scripts"))


def all_rows() -> list[harness.Row]:
    """The rows of all subjects, in the order in which they are measured."""
    import atlas
    import bootstrap
    import danq
    import extraction
    import genomes
    import loading
    import mutagenesis
    import pwms
    import scanning
    import shuffling
    import training
    import variants

    # Last, since it lets this process hold on to freed memory.
    subjects = (
        extraction, scanning, mutagenesis, training, shuffling, bootstrap, pwms, loading, danq,
        genomes, variants, atlas,
    )  # fmt: skip
    return [row for subject in subjects for row in subject.rows()]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Measure the library against what it replaces.")
    parser.add_argument("--output", type=Path, help="TSV file to write the table to")
    parser.add_argument("--only", default="", metavar="PREFIX", help="rows whose names begin so")
    parser.add_argument("--repeats", type=int, default=5, help="turns a row (default 5)")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    return options


def main(rows: Iterable[harness.Row], options: argparse.Namespace) -> None:
    """Measure the rows asked for, print each as it is done, and write the table."""
    from motifloom.files import write_table

    rows = list(rows)
    chosen = [row for row in rows if row.name.startswith(options.only)]
    if not chosen:
        sys.exit(
            f"no row begins with {options.only!r}; there are {', '.join(r.name for r in rows)}"
        )
    width = max(len(row.name) for row in chosen)
    print(harness.header(width), flush=True)
    results = []
    with tempfile.TemporaryDirectory(prefix="motifloom-bench-") as folder:
        for row, result in harness.run(chosen, Path(folder), options.repeats):
            print(harness.line(row, result, width), flush=True)
            results.append((row, result))
    if options.output:
        write_table(harness.table(results), options.output)


if __name__ == "__main__":
    main(all_rows(), parse())
