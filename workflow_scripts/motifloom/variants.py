"""What a variant does to the scores of trained models: reference and alternative allele.

Both alleles are scored in windows of the length that a model was trained on, with the first changed
base in the middle, and on request in windows moved along the chromosome.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from motifloom.alleles import Alleles, alternative_windows, left_aligned, reference_windows
from motifloom.files import InputError
from motifloom.fixed_point import Bank, by_shape, score_alleles
from motifloom.sequences import Genome

_BATCH = 1024


@dataclass(frozen=True)
class Effects:
    """Scores of n alleles by T targets of trained models, all [n, T].

    reference, alternative:           float32, with the change in the middle of the window
    reference_best, alternative_best: float32, the largest over all shifts of the window
    position: int64, 0-based first base, on the reference, of the kernel's window whose part of the
              score changes most, below 0 where it begins before the chromosome; -1 where no
              kernel's does, or the network has none
    strand:   int8, the strand on which that kernel reads, 1 or -1; 0 where there is none
    kernel:   int32, number of that kernel among those of all members, -1 where there is none
    """

    reference: np.ndarray
    alternative: np.ndarray
    reference_best: np.ndarray
    alternative_best: np.ndarray
    position: np.ndarray
    strand: np.ndarray
    kernel: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """Alternative minus reference, float32 [n, T]: of logits the change in log-odds."""
        return self.alternative - self.reference

    @property
    def best_difference(self) -> np.ndarray:
        """The same of the largest scores over all shifts."""
        return self.alternative_best - self.reference_best


def score_variants(
    models: Sequence, genome: Genome, alleles: Alleles, shifts: Sequence[int] = (0,)
) -> Effects:
    """Score both alleles of variants with trained models (`inference.load`).

    T is the number of all models' targets, in their order. `shifts` are bases by which windows
    are moved for the largest scores; 0 is always among them. Insertions and deletions in repeats
    are scored at their left ends, however they are written (`alleles.left_aligned`). An allele's
    row is the same, bit for bit, whichever others are scored with it. Raises InputError for a shift
    that moves a model's window away from the variant.

    DeepBinds with maxima and a linear read-out are scored together in 16-bit fixed point
    (`fixed_point.py`), which their own scores differ from by some 1e-4; all others score every
    window.

        models = [inference.load("results/yeast/models/deepbind/Reb1")]
        genome = Genome.open("results/yeast/genome/genome.safetensors")
        alleles = alleles_at(genome, [("chrIV", 87345, "C", "A"), ("chrIV", 125285, "ACC", "A")])
        score_variants(models, genome, alleles, shifts=(-25, 25)).difference  # float32 [2, 1]
    """
    return VariantScorer(models, genome, shifts).score(alleles)


class VariantScorer:
    """`score_variants` for one batch of alleles after the other: models are prepared once."""

    def __init__(self, models: Sequence, genome: Genome, shifts: Sequence[int] = (0,)):
        self.models, self.genome = models, genome
        self.shifts = (0, *sorted({*shifts} - {0}))
        _check_shifts(models, self.shifts)
        self.banks = {
            numbers: Bank.of([models[number] for number in numbers]) if shape else None
            for shape, numbers in by_shape(models).items()
        }

    def score(self, alleles: Alleles) -> Effects:
        """The scores of n alleles."""
        alleles = left_aligned(self.genome, alleles)
        parts: list = [None] * len(self.models)
        for numbers, bank in self.banks.items():
            if bank is None:
                for number in numbers:
                    parts[number] = _score_each(
                        self.models[number], self.genome, alleles, self.shifts
                    )
                continue
            found = score_alleles(bank, self.genome, alleles, self.shifts)
            for column, number in enumerate(numbers):
                parts[number] = [array[:, column : column + 1] for array in found]
        return Effects(*(np.concatenate(column, axis=1) for column in zip(*parts, strict=True)))


def _check_shifts(models: Sequence, shifts: Sequence[int]) -> None:
    furthest = max(map(abs, shifts))
    for model in models:
        length = model.info["hyperparameters"]["length"]
        if furthest >= length // 2:
            raise InputError(
                f"a shift of {furthest} moves a window of {length} bp away from the variant; give"
                f" shifts below {length // 2}"
            )


def _score_each(model, genome, alleles, shifts) -> tuple[np.ndarray, ...]:
    """The arrays of `Effects` of one model, by scoring every window."""
    length = model.info["hyperparameters"]["length"]
    scores = {}
    for shift in shifts:
        for kind, windows in (("ref", reference_windows), ("alt", alternative_windows)):
            rows = (
                model.score(windows(genome, alleles.take(np.arange(first, last)), length, shift))
                for first, last in _batches(len(alleles))
            )
            empty = np.empty((0, len(model.info["targets"])), np.float32)
            scores[kind, shift] = np.concatenate([empty, *rows])
    centred = scores["ref", 0], scores["alt", 0]
    best = (np.max([v for (k, _), v in scores.items() if k == kind], 0) for kind in ("ref", "alt"))
    none = np.full(centred[0].shape, -1)
    return (
        *centred, *best, none.astype(np.int64), np.zeros(none.shape, np.int8),
        none.astype(np.int32),
    )  # fmt: skip


def _batches(n: int):
    return ((first, min(first + _BATCH, n)) for first in range(0, n, _BATCH))
