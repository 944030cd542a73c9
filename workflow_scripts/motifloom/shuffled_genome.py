"""A genome without sites: what scores along it reach is what chance gives."""

import logging
from collections.abc import Collection
from pathlib import Path

import numpy as np

from motifloom.files import InputError
from motifloom.negatives import dinucleotide_shuffle
from motifloom.sequences import UNKNOWN, Genome
from motifloom.tracks import load_model, write_scan

log = logging.getLogger(__name__)

NAME = "shuffled"
PIECE = 2000  # bases shuffled together: the composition along the genome stays


def shuffled_genome(
    genome: Genome, n_bases: int, seed: int, ignored: Collection[str] = (), piece: int = PIECE
) -> Genome:
    """One chromosome, NAME, of pieces of a genome, each with its dinucleotides shuffled.

    Chromosomes that are not `ignored` are cut into pieces; of those without N about `n_bases` are
    taken, evenly along the genome, or all where they are fewer. Pieces keep their order. Raises
    InputError where there is none.
    """
    starts = np.concatenate(
        [
            offset + piece * _known_pieces(genome.flat[offset:end], piece)
            for name, offset, end in zip(genome.names, genome.offsets, genome.ends, strict=True)
            if name not in ignored
        ]
        or [np.empty(0, np.int64)]
    )
    if not len(starts):
        raise InputError(
            f"tracks: null_bases: no chromosome has a stretch of {piece} bases without N to"
            " shuffle; set 0 for sites without p-values"
        )
    n = min(len(starts), max(1, n_bases // piece))
    chosen = starts[np.arange(n) * len(starts) // n]
    codes = genome.flat[chosen[:, None] + np.arange(piece)]
    log.info("%d pieces of %d bases shuffled", n, piece)
    return Genome([NAME], [n * piece], dinucleotide_shuffle(codes, seed).reshape(-1))


def _known_pieces(codes: np.ndarray, piece: int) -> np.ndarray:
    """Numbers, int64 [n], of the pieces of base codes [L] that hold no N."""
    whole = len(codes) // piece
    known = (codes[: whole * piece].reshape(whole, piece) < UNKNOWN).all(axis=1)
    return np.flatnonzero(known)


def scan_shuffled(
    weights: str | Path,
    genome: str | Path,
    output: str | Path,
    *,
    step: int,
    n_bases: int,
    seed: int,
    ignored: Collection[str] = (),
    device: str = "cpu",
) -> None:
    """Write a model's scores along `shuffled_genome`, as `tracks.Scan` reads them."""
    shuffled = shuffled_genome(Genome.open(genome), n_bases, seed, ignored)
    write_scan(load_model(weights, device), shuffled, [NAME], step, output, 1.0)
