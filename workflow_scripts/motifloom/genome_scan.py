"""Trained models along whole chromosomes: a score every so many bases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from motifloom.bin_store import gather
from motifloom.sequences import Genome, check_codes

_BLOCK = 1 << 20  # bases scored before their scores are handed on
_BATCH = 1024


@dataclass(frozen=True)
class Stretch:
    """Scores along a part of a chromosome.

    chrom:  the chromosome's name
    start:  int, 0-based first base of the first step
    scores: float32 [n, T]; row i belongs to the bases from start + i * step on
    """

    chrom: str
    start: int
    scores: np.ndarray


def scan_genome(
    models: Sequence, genome: Genome, step: int = 10, chromosomes: Sequence[str] | None = None
) -> Iterator[Stretch]:
    """Scores of trained models (`inference.load`) along chromosomes, by default all of them.

    A chromosome is cut into steps of `step` bases, the last one maybe shorter. A step's score is
    the model's of the window, as long as those trained on, whose middle base (length // 2) is the
    step's (step // 2); what lies beyond the chromosome's ends reads as N. T is the number of all
    models' targets, in their order. Stretches come in order; memory does not grow with the genome.
    """
    for chrom in genome.names if chromosomes is None else chromosomes:
        genome.indices([chrom])  # refuses unknown names
        size = _BLOCK // step * step or step
        for start in range(0, genome.lengths[chrom], size):
            last = min(start + size, genome.lengths[chrom])
            yield Stretch(chrom, start, _score_steps(models, genome, chrom, start, last, step))


def _score_steps(models, genome, chrom, first, last, step) -> np.ndarray:
    """Scores float32 [n, T] of the steps that begin from base `first` to before `last`."""
    starts = np.arange(first, last, step) + step // 2
    return np.concatenate([_score_each(model, genome, chrom, starts) for model in models], axis=1)


def _score_each(model, genome, chrom, middles) -> np.ndarray:
    """Scores float32 [n, T] of one model in windows around bases [n], by scoring every window."""
    length, parts = model.info["hyperparameters"]["length"], []
    number = genome.names.index(chrom)
    begin, end = genome.offsets[number], genome.ends[number]
    for first in range(0, len(middles), _BATCH):
        starts = begin + middles[first : first + _BATCH] - length // 2
        codes = np.empty((len(starts), length), np.uint8)
        gather(genome.flat, starts, np.full_like(starts, begin), np.full_like(starts, end), codes)
        parts.append(model.score(check_codes(codes)))
    return np.concatenate(parts)
