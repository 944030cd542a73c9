"""Windows cut from a genome, against tools that fetch them one by one."""

import gzip
import shutil
import subprocess
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyfaidx
from harness import Pair, Row, Skip

from motifloom.sequences import Genome, decode, encode, encode_genome, extract_windows

GENOME = Path(__file__).resolve().parents[3] / "shared/data/yeast/sacCer3.fa.gz"
# Chromosomes of the yeast assembly sacCer3, for a simulated genome of the same size.
LENGTHS = {
    "chrI": 230218,
    "chrII": 813184,
    "chrIII": 316620,
    "chrIV": 1531933,
    "chrV": 576874,
    "chrVI": 270161,
    "chrVII": 1090940,
    "chrVIII": 562643,
    "chrIX": 439888,
    "chrX": 745751,
    "chrXI": 666816,
    "chrXII": 1078177,
    "chrXIII": 924431,
    "chrXIV": 784333,
    "chrXV": 1091291,
    "chrXVI": 948066,
    "chrM": 85779,
}
N_WINDOWS = 100_000
LENGTH = 1000


def rows() -> list[Row]:
    """Rows of this subject."""
    setups = {
        "extract-pyfaidx-1000bp": against_pyfaidx,
        "extract-pyfaidx-1000bp-shuffled": partial(against_pyfaidx, in_order=False),
        "extract-pyfaidx-1000bp-raw": partial(against_pyfaidx, raw=True),
        "extract-fasta-pyfaidx-1000bp": partial(against_pyfaidx, encoded=False),
        "extract-bedtools-1000bp": against_bedtools,
        "extract-genvarloader-1000bp": against_genvarloader,
    }
    return [Row(name, "windows/s", setup, note()) for name, setup in setups.items()]


def note() -> str:
    """What a row says of its genome."""
    return "" if GENOME.exists() else "on a simulated genome of yeast's chromosome lengths"


@dataclass(frozen=True)
class Inputs:
    """A FASTA, the same genome encoded, and windows: names [N] and 0-based starts int64 [N]."""

    fasta: Path
    encoded: Path
    chroms: np.ndarray
    starts: np.ndarray


def against_pyfaidx(
    folder: Path, encoded: bool = True, in_order: bool = True, raw: bool = False
) -> Pair:
    """Ours from the encoded genome, or from the FASTA; pyfaidx with its index at hand."""
    inputs = make_inputs(folder, in_order)
    chroms, starts = inputs.chroms.tolist(), inputs.starts.tolist()
    source = inputs.encoded if encoded else inputs.fasta
    fetch = fetch_raw_by_pyfaidx if raw else fetch_by_pyfaidx
    return _pair(inputs, source, lambda: fetch(inputs.fasta, chroms, starts))


def against_bedtools(folder: Path) -> Pair:
    """The reference is a whole run of bedtools, BED file and index at hand, and its output read."""
    if not shutil.which("bedtools"):
        raise Skip("bedtools is not installed")
    inputs = make_inputs(folder)
    bed = folder / "windows.bed"
    bed.write_text(
        "".join(
            f"{chrom}\t{start}\t{start + LENGTH}\n"
            for chrom, start in zip(inputs.chroms, inputs.starts, strict=True)
        )
    )
    return _pair(inputs, inputs.encoded, lambda: fetch_by_bedtools(inputs.fasta, bed))


def against_genvarloader(folder: Path) -> Pair:
    """The reference opens the memory-mapped copy that genvarloader makes at its first run."""
    if not find_spec("genvarloader"):
        raise Skip("the package genvarloader is not installed")
    inputs = make_inputs(folder)
    chroms = inputs.chroms.astype(str)
    return _pair(
        inputs,
        inputs.encoded,
        lambda: fetch_by_genvarloader(inputs.fasta, chroms, inputs.starts),
    )


def _pair(inputs: Inputs, source: Path, reference) -> Pair:
    return Pair(
        ours=lambda: extract_windows(source, inputs.chroms, inputs.starts, LENGTH),
        reference=reference,
        n_ours=N_WINDOWS,
        n_reference=N_WINDOWS,
        check=np.testing.assert_array_equal,
    )


def fetch_by_pyfaidx(fasta: Path, chroms: list[str], starts: list[int]) -> np.ndarray:
    """Base codes, uint8 [N, LENGTH], of windows fetched as pyfaidx's guide does, one by one."""
    windows = np.empty((len(starts), LENGTH), np.uint8)
    with pyfaidx.Fasta(str(fasta)) as source:
        for row, (chrom, start) in enumerate(zip(chroms, starts, strict=True)):
            windows[row] = encode(source[chrom][start : start + LENGTH].seq)
    return windows


def fetch_raw_by_pyfaidx(fasta: Path, chroms: list[str], starts: list[int]) -> np.ndarray:
    """The same with pyfaidx's option for plain strings, its fastest."""
    windows = np.empty((len(starts), LENGTH), np.uint8)
    with pyfaidx.Fasta(str(fasta), as_raw=True) as source:
        for row, (chrom, start) in enumerate(zip(chroms, starts, strict=True)):
            windows[row] = encode(source[chrom][start : start + LENGTH])
    return windows


def fetch_by_bedtools(fasta: Path, bed: Path) -> np.ndarray:
    """Base codes, uint8 [N, LENGTH], of the windows of a BED file."""
    command = ["bedtools", "getfasta", "-fi", str(fasta), "-bed", str(bed)]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    # Every second line is a sequence.
    return encode(b"".join(output.split(b"\n")[1::2])).reshape(-1, LENGTH)


def fetch_by_genvarloader(fasta: Path, chroms: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Base codes, uint8 [N, LENGTH], of windows fetched all at once."""
    import genvarloader

    reference = genvarloader.Reference.from_path(fasta, in_memory=False)
    windows = reference.fetch(chroms, starts, starts + LENGTH)
    return encode(np.asarray(windows.data).tobytes()).reshape(-1, LENGTH)


def make_inputs(folder: Path, in_order: bool = True) -> Inputs:
    """Random windows inside the chromosomes, in genome order or shuffled; files made if missing."""
    fasta, encoded = encoded_genome(folder)
    genome = Genome.open(encoded)
    rng = np.random.default_rng(0)
    bounds = np.cumsum([0, *(length - LENGTH + 1 for length in genome.lengths.values())])
    drawn = np.sort(rng.integers(bounds[-1], size=N_WINDOWS))
    if not in_order:
        drawn = rng.permutation(drawn)
    index = np.searchsorted(bounds, drawn, side="right") - 1
    return Inputs(fasta, encoded, np.array(genome.names, object)[index], drawn - bounds[index])


def encoded_genome(folder: Path) -> tuple[Path, Path]:
    """The FASTA of yeast's genome, or of a simulated one, and the same encoded; made if missing."""
    fasta, encoded = folder / "genome.fa", folder / "genome.safetensors"
    if not encoded.exists():
        fasta.write_bytes(gzip.decompress(GENOME.read_bytes()) if GENOME.exists() else simulate())
        encode_genome(fasta, encoded)
    return fasta, encoded


def simulate(width: int = 60) -> bytes:
    """A FASTA of random bases with yeast's chromosome lengths."""
    rng = np.random.default_rng(0)
    records = []
    for name, length in LENGTHS.items():
        letters = decode(rng.choice(4, length, p=(0.31, 0.19, 0.19, 0.31)))
        lines = [letters[start : start + width] for start in range(0, length, width)]
        records.append("\n".join([f">{name}", *lines, ""]))
    return "".join(records).encode("ascii")
