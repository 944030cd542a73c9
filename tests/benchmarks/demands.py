"""Measure whole jobs of thirteen DeepBinds on yeast's genome: python tests/benchmarks/demands.py.

A million variants, and the genome on both strands. Each is measured in a process of its own, from
loading the models on, after another one has compiled what is kept on the disk. Of the variants a
sample is scored again one by one and compared bit for bit.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import fields
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The library is no installed package: it lies beside the workflow's scripts.
sys.path.insert(0, str(ROOT / "workflow_scripts"))

import numpy as np  # noqa: E402
from scale import in_process  # noqa: E402

# Seconds and megabytes that are allowed.
VARIANTS, GENOME = (60, 2_000), (20, 2_000)


class Clock:
    """Seconds since it was made: by the clock, and of all cores in this process."""

    def __init__(self):
        self._begin = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """The two."""
        return time.perf_counter() - self._begin[0], time.process_time() - self._begin[1]


def score(path: Path, n: int, sample: int, shifts: tuple[int, ...] = ()) -> tuple[int, tuple]:
    """How many of a sample of n variants differ when scored alone, and the time for all n."""
    from trained import deepbinds
    from variants import substitutions

    from motifloom.sequences import Genome
    from motifloom.variants import score_variants

    genome = Genome.open(path)
    alleles = substitutions(genome, n)
    clock = Clock()
    models = deepbinds()
    effects = score_variants(models, genome, alleles, shifts)
    taken = clock.read()
    differing = 0
    for row in np.random.default_rng(1).choice(n, min(sample, n), replace=False):
        alone = score_variants(models, genome, alleles.take([row]), shifts)
        differing += any(
            getattr(effects, field.name)[row].tobytes() != getattr(alone, field.name)[0].tobytes()
            for field in fields(effects)
        )
    return differing, taken


def scan(path: Path, chromosomes: list[str] | None = None, step: int = 10) -> tuple[int, tuple]:
    """How many bases were scanned, and the time."""
    from trained import deepbinds

    from motifloom.genome_scan import scan_genome
    from motifloom.sequences import Genome

    genome = Genome.open(path)
    clock = Clock()
    n = sum(len(part.scores) for part in scan_genome(deepbinds(), genome, step, chromosomes))
    return n * step, clock.read()


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Measure variants and the genome's scan whole.")
    parser.add_argument("--only", choices=["variants", "genome"], help="one of the two")
    parser.add_argument("--variants", type=int, default=1_000_000, help="default 1,000,000")
    parser.add_argument("--sample", type=int, default=1_000, help="scored alone, default 1,000")
    parser.add_argument("--shifts", type=int, nargs="*", default=[], help="of windows, bases")
    parser.add_argument("--chromosomes", nargs="*", help="of the scan, default all")
    return parser.parse_args(arguments)


def main(options: argparse.Namespace) -> bool:
    """Print what was measured; whether all is as demanded."""
    import extraction
    import trained

    kept = True
    with tempfile.TemporaryDirectory(prefix="motifloom-demands-") as folder:
        path = extraction.encoded_genome(Path(folder))[1]
        cores = f"{len(os.sched_getaffinity(0))} cores"
        print("; ".join(filter(None, (cores, extraction.note(), trained.note()))), flush=True)
        if options.only != "genome":
            shifts = tuple(options.shifts)
            in_process(partial(score, path, 100, 1, shifts))
            found = in_process(partial(score, path, options.variants, options.sample, shifts))
            differing, taken, memory = found
            kept &= told(f"{options.variants:,} variants", taken, memory, VARIANTS)
            print(f"of {options.sample:,} scored one by one {differing} differ in any bit")
            kept &= differing == 0
        if options.only != "variants":
            in_process(partial(scan, path, ["chrM"]))
            n, taken, memory = in_process(partial(scan, path, options.chromosomes))
            kept &= told(f"{n:,} bases", taken, memory, GENOME)
    return kept


def told(what: str, taken: tuple, memory: float, allowed: tuple[float, float]) -> bool:
    """Print a line; whether it is within what is allowed. Cores' time tells of a busy machine."""
    seconds, of_cores = taken
    kept = seconds <= allowed[0] and memory <= allowed[1]
    print(
        f"{what}: {seconds:.1f} s ({of_cores:.1f} s of all cores), at most {memory:,.0f} MB"
        f" (allowed {allowed[0]} s, {allowed[1]:,} MB): {'kept' if kept else 'MISSED'}",
        flush=True,
    )
    return kept


if __name__ == "__main__":
    sys.exit(0 if main(parse()) else 1)
