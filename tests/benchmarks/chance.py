"""How many motifs match a database by chance: python tests/benchmarks/chance.py [FILE.meme ...].

Simulated kernels, and those of MEME files (untrimmed: motifs: recipe: danq), are matched as whole
matrices, trimmed (`motifs.trim`) and by their informative stretch (`databases.core`), beside the
same with shuffled columns. The table printed is that of docs/matches.md.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow_scripts"))

from motifloom.databases import core, is_substantial, load_jaspar, tomtom
from motifloom.motif_files import read_meme
from motifloom.motifs import Motif, information, shuffle_columns, trim

WAYS = {
    "whole": lambda motif: motif,
    "trimmed": lambda motif: replace(motif, matrix=trim(motif.matrix)),
    "stretch": core,
}
N, CONTROLS, EVALUE = 150, 3, 0.01


def columns(rng: np.random.Generator, bits: np.ndarray) -> np.ndarray:
    """Columns [4, W] of about so many bits: random ones, blended with the uniform column."""
    sharp = rng.dirichlet([0.05] * 4, size=len(bits)).T
    shares = np.linspace(0, 1, 101)
    blends = shares[:, None, None] * sharp + (1 - shares[:, None, None]) / 4
    held = np.stack([information(blend) for blend in blends])
    chosen = np.abs(held - bits).argmin(axis=0)
    return blends[chosen, :, np.arange(len(bits))].T


def short_in_wide(rng: np.random.Generator, width: int) -> np.ndarray:
    """A random motif of 6 to 12 columns with flanks of 0.05 to 0.3 bits a column."""
    bits = rng.uniform(0.05, 0.3, width)
    length = rng.integers(6, 13)
    start = rng.integers(width - length + 1)
    bits[start : start + length] = rng.uniform(0.5, 1.9, length)
    return columns(rng, bits)


def hidden(rng: np.random.Generator, target: Motif, width: int) -> np.ndarray:
    """A database matrix, blurred and counted from 60 sites, with such flanks, on either strand."""
    inner = trim(target.matrix, 0.25)[:, :width] * 0.85 + 0.0375
    inner = np.stack([rng.dirichlet(60 * column + 0.1) for column in inner.T], axis=1)
    start = rng.integers(width - inner.shape[1] + 1)
    matrix = columns(rng, rng.uniform(0.05, 0.3, width))
    matrix[:, start : start + inner.shape[1]] = inner if rng.random() < 0.5 else inner[::-1, ::-1]
    return matrix


def simulated(targets: list[Motif]) -> dict[str, list[np.ndarray]]:
    """Matrices by what they are."""
    rng = np.random.default_rng(0)
    picked = rng.choice(len(targets), N)
    return {
        "short motif in 26": [short_in_wide(rng, 26) for _ in range(N)],
        "short motif in 30": [short_in_wide(rng, 30) for _ in range(N)],
        "26 columns of 0.05 to 0.7 bits": [
            columns(rng, rng.uniform(0.05, 0.7, 26)) for _ in range(N)
        ],
        "26 columns of 0.05 to 1 bits": [columns(rng, rng.uniform(0.05, 1, 26)) for _ in range(N)],
        "database motif in 26": [hidden(rng, targets[i], 26) for i in picked],
    }


def matched(motifs: list[Motif], targets: list[Motif]) -> float:
    """Share of motifs with a match."""
    return float((tomtom(motifs, targets)["evalue"] < EVALUE).mean())


def main(paths: list[str]) -> None:
    """Print a table: of each set and way the share that matches, and that by chance."""
    print("| motifs | database | way | matched | by chance |\n|---|---|---|---|---|")
    for group in ("vertebrates", "fungi"):
        targets = load_jaspar("JASPAR2026", "CORE", [group])
        sets = {
            name: [Motif(f"k{i}", matrix, n_sites=100) for i, matrix in enumerate(matrices)]
            for name, matrices in simulated(targets).items()
        }
        sets |= {path: list(filter(is_substantial, read_meme(path))) for path in paths}
        for name, motifs in sets.items():
            for way, cut in WAYS.items():
                cuts = [cut(motif) for motif in motifs]
                chance = [matched(shuffle_columns(cuts, i), targets) for i in range(CONTROLS)]
                print(
                    f"| {name} | {group} | {way} | {matched(cuts, targets):.1%}"
                    f" | {np.mean(chance):.1%} |",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
