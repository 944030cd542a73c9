"""Measure labelling and reading at human scale: python tests/benchmarks/scale.py --help.

A genome of hg38's chromosome lengths and hundreds of peak files are simulated once, beside the
table; the time counts from there. What is measured is told in docs/benchmarks.md.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
# The library is no installed package: it lies beside the workflow's scripts.
sys.path.insert(0, str(ROOT / "workflow_scripts"))

# Chromosomes of the human assembly GRCh38, bases
# (https://hgdownload.soe.ucsc.edu/goldenPath/hg38/bigZips/hg38.chrom.sizes).
HG38 = {
    "chr1": 248956422,
    "chr2": 242193529,
    "chr3": 198295559,
    "chr4": 190214555,
    "chr5": 181538259,
    "chr6": 170805979,
    "chr7": 159345973,
    "chr8": 145138636,
    "chr9": 138394717,
    "chr10": 133797422,
    "chr11": 135086622,
    "chr12": 133275309,
    "chr13": 114364328,
    "chr14": 107043718,
    "chr15": 101991189,
    "chr16": 90338345,
    "chr17": 83257441,
    "chr18": 80373285,
    "chr19": 58617616,
    "chr20": 64444167,
    "chr21": 46709983,
    "chr22": 50818468,
    "chrX": 156040895,
    "chrY": 57227415,
    "chrM": 16569,
}
TEST, VALIDATION = ("chr8", "chr9"), ("chr7",)
PEAKS = (20_000, 50_000)
# Peaks lie on common places, as many as ENCODE registers candidate regulatory elements in man
# (The ENCODE Project Consortium 2020, Nature 583:699).
PLACES = 926_535
LINE = 60
COLUMNS = ("stage", "what", "unit", "value", "seconds", "peak_memory_mb")
SHIFT = 20  # bases that augmented examples are moved by, at most


def simulate_genome(lengths: dict[str, int], path: Path) -> None:
    """Write a FASTA of random bases; 10,000 N at both ends and 1 % in the middle of each record."""
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", np.uint8)
    with open(path, "wb") as stream:
        for name, length in lengths.items():
            bases = letters[rng.integers(4, size=length, dtype=np.uint8)]
            if length > 100_000:
                bases[:10_000] = bases[-10_000:] = ord("N")
                bases[length // 2 : length // 2 + length // 100] = ord("N")
            stream.write(f">{name}\n".encode())
            stream.write(_lines(bases))


def _lines(bases: np.ndarray) -> bytes:
    whole = len(bases) // LINE * LINE
    lines = np.full((whole // LINE, LINE + 1), ord("\n"), np.uint8)
    lines[:, :LINE] = bases[:whole].reshape(-1, LINE)
    rest = bases[whole:].tobytes()
    return lines.tobytes() + (rest + b"\n" if rest else b"")


def simulate_peaks(lengths: dict[str, int], folder: Path, n_files: int, share: float) -> None:
    """Write narrowPeak files of 20,000 to 50,000 peaks (times `share`) on common places."""
    rng = np.random.default_rng(1)
    names = np.array(list(lengths), object)
    ends = np.cumsum(list(lengths.values()))
    places = np.sort(rng.integers(ends[-1], size=round(PLACES * share)))
    for number in range(n_files):
        n = round(rng.integers(*PEAKS) * share)
        place = np.sort(rng.choice(places, n, replace=False))
        index = np.searchsorted(ends, place, side="right")
        length = np.array(list(lengths.values()))[index]
        width = rng.integers(150, 500, n)
        middle = place - (ends[index] - length) + rng.integers(-50, 51, n)
        start = np.clip(middle - width // 2, 0, length - width)
        frame = pd.DataFrame({"chrom": names[index], "start": start, "end": start + width})
        frame = frame.assign(name=".", score=rng.integers(1001, size=n), strand=".")
        frame = frame.assign(signal=rng.gamma(2, 10, n).round(5), p=-1, q=-1, peak=width // 2)
        frame.to_csv(
            folder / f"track{number + 1:04}.narrowPeak", sep="\t", header=False, index=False
        )


def make_inputs(folder: Path, n_files: int, share: float) -> tuple[Path, dict[str, Path]]:
    """The FASTA and the peak files by track, simulated where they are missing."""
    lengths = {name: max(10_000, round(length * share)) for name, length in HG38.items()}
    fasta, peaks = folder / "genome.fa", folder / "peaks"
    if not fasta.exists():
        folder.mkdir(parents=True, exist_ok=True)
        simulate_genome(lengths, folder / "partial.fa")
        os.replace(folder / "partial.fa", fasta)
    if not peaks.exists() or len(list(peaks.iterdir())) != n_files:
        peaks.mkdir(exist_ok=True)
        simulate_peaks(lengths, peaks, n_files, share)
    return fasta, {path.stem: path for path in sorted(peaks.iterdir())}


def encode(fasta: Path, genome: Path) -> tuple[float, float]:
    """Seconds, and million bases a second, of encoding a FASTA."""
    from motifloom.sequences import encode_genome

    begin = time.perf_counter()
    lengths = encode_genome(fasta, genome)
    seconds = time.perf_counter() - begin
    return seconds, sum(lengths.values()) / 1e6 / seconds


def label(peaks: dict[str, Path], genome: Path, store: Path, threads: int) -> tuple[float, float]:
    """Seconds, and tracks a second, of labelling bins and writing their store."""
    from motifloom.bins import BinRules, build_bins

    begin = time.perf_counter()
    build_bins(
        peaks, genome, store, store.with_suffix(".tsv"), rules=BinRules(), test=TEST,
        validation=VALIDATION, max_unknown=0.1, seed=1, threads=threads,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    return seconds, len(peaks) / seconds


def stream(
    store: Path, genome: Path, size: int, cold: bool, augmented: bool, n: int
) -> tuple[float, float]:
    """Seconds, and examples a second, of the first `n` examples of a shuffled epoch.

    The clock starts before the order is drawn. Codes of 1,000 bases and all labels, as tensors;
    with `augmented` moved and turned at random.
    """
    import torch

    from motifloom.bin_store import BinStore
    from motifloom.streams import BinStream, augment

    torch.set_num_threads(1)
    if cold:
        _forget(genome)
        _forget(store)
    opened = BinStore.open(store, genome)
    margin = SHIFT if augmented else 0
    batches = BinStream(opened, opened.rows("train", ("sampled",)), size, 1, margin=margin)
    opened.codes(np.zeros(1, np.int64), margin), opened.labels(np.zeros(1, np.int64))  # compiled
    rng = np.random.default_rng(0)
    begin, seen = time.perf_counter(), 0
    for batch in batches.batches(0):
        if augmented:
            moved = torch.from_numpy(rng.integers(-SHIFT, SHIFT + 1, batch.size))
            turned = torch.from_numpy(rng.random(batch.size) < 0.5)
            augment(batch.codes, moved, turned, opened.length)
        seen += batch.size
        if seen >= n:
            break
    seconds = time.perf_counter() - begin
    return seconds, seen / seconds


def _forget(path: Path) -> None:
    """Ask the kernel to drop a file's pages from its cache."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def in_process(work: Callable[[], tuple[float, float]]) -> tuple[float, float, float]:
    """What `work` returns, done in a process of its own, and the memory it held at most, MB.

    The pages of mapped files that it has touched are counted.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_report, args=(work, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        sys.exit("a measured process failed; its error stands above")
    finally:
        process.join()


def _report(work, connection) -> None:
    found = work()
    connection.send((*found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description="Measure labelling and reading at human scale.")
    parser.add_argument("--output", type=Path, required=True, help="TSV file of the table")
    parser.add_argument("--folder", type=Path, required=True, help="where the inputs are kept")
    parser.add_argument("--tracks", type=int, default=500, help="peak files (default 500)")
    parser.add_argument("--threads", type=int, default=2, help="of labelling (default 2)")
    parser.add_argument("--share", type=float, default=1.0, help="of the genome (default 1)")
    parser.add_argument("--examples", type=int, default=400_000, help="read for each rate")
    return parser.parse_args(arguments)


def main(options: argparse.Namespace) -> None:
    """Simulate what is missing, measure, print each row as it is done, and write the table."""
    from motifloom.files import write_table

    fasta, peaks = make_inputs(options.folder, options.tracks, options.share)
    genome, store = options.folder / "genome.safetensors", options.folder / "bins.safetensors"
    works = [
        ("encode", "genome", "Mb/s", partial(encode, fasta, genome)),
        ("label", "bins", "tracks/s", partial(label, peaks, genome, store, options.threads)),
    ]
    for size in (100, 1000):
        for augmented in (False, True):
            for cold in (True, False):
                what = f"batches of {size}{', augmented' * augmented}, {'cold' if cold else 'warm'}"
                work = partial(stream, store, genome, size, cold, augmented, options.examples)
                works.append(("stream", what, "examples/s", work))
    rows = []
    for stage, what, unit, work in works:
        seconds, value, memory = in_process(work)
        rows.append((stage, what, unit, value, seconds, memory))
        print(f"{stage:7} {what:36} {value:>10,.0f} {unit:11} {seconds:8.1f} s {memory:7,.0f} MB",
              flush=True)  # fmt: skip
    write_table(pd.DataFrame(rows, columns=list(COLUMNS)), options.output)


if __name__ == "__main__":
    main(parse())
