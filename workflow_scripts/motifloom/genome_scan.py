"""Trained models along whole chromosomes: a score every so many bases."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from motifloom.bin_store import gather
from motifloom.fixed_point import Bank, by_shape, scan_steps
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

        models = [inference.load("results/yeast/models/deepbind/Reb1")]
        genome = Genome.open("results/yeast/genome/genome.safetensors")
        for stretch in scan_genome(models, genome, step=10, chromosomes=["chrIV"]):
            stretch.scores  # float32 [104857, 1], the first one's
    """
    scorers, order = _scorers(models)
    for chrom in genome.names if chromosomes is None else chromosomes:
        genome.indices([chrom])  # refuses unknown names
        size = _BLOCK // step * step or step
        for start in range(0, genome.lengths[chrom], size):
            last = min(start + size, genome.lengths[chrom])
            scores = _score_steps(scorers, genome, chrom, start, last, step)
            yield Stretch(chrom, start, scores[:, order])


def _score_steps(scorers, genome, chrom, first, last, step) -> np.ndarray:
    """Scores float32 [n, T] of the steps that begin from base `first` to before `last`."""
    middles = range(first + step // 2, last + step // 2, step)
    return np.concatenate([score(genome, chrom, middles) for score in scorers], axis=1)


def _scorers(models: Sequence) -> tuple[list, np.ndarray]:
    """Functions that score windows around bases, and where in their columns each target stands."""
    scorers, columns = [], []
    for shape, numbers in by_shape(models).items():
        if shape is None:
            scorers += [partial(_score_each, models[number]) for number in numbers]
        else:
            scorers.append(partial(_score_bank, Bank.of([models[number] for number in numbers])))
        columns += numbers
    sizes = [len(model.info["targets"]) for model in models]
    begins = np.cumsum([0, *(sizes[number] for number in columns)])
    place = {number: int(begin) for number, begin in zip(columns, begins[:-1], strict=True)}
    order = [place[number] + i for number, size in enumerate(sizes) for i in range(size)]
    return scorers, np.array(order, int)


def _score_bank(bank: Bank, genome, chrom, middles) -> np.ndarray:
    """Scores float32 [n, T] of DeepBinds in windows around bases, evenly spaced."""
    half = bank.length // 2
    starts = range(middles.start - half, middles.stop - half, middles.step)
    return scan_steps(bank, genome, genome.names.index(chrom), starts)


def _score_each(model, genome, chrom, middles) -> np.ndarray:
    """Scores float32 [n, T] of one model in windows around bases [n], by scoring every window."""
    length, parts = model.info["hyperparameters"]["length"], []
    number = genome.names.index(chrom)
    begin, end = genome.offsets[number], genome.ends[number]
    for first in range(0, len(middles), _BATCH):
        starts = begin + np.array(middles[first : first + _BATCH]) - length // 2
        codes = np.empty((len(starts), length), np.uint8)
        gather(genome.flat, starts, np.full_like(starts, begin), np.full_like(starts, end), codes)
        parts.append(model.score(check_codes(codes)))
    return np.concatenate(parts)
