"""Models along a genome, against plain PyTorch and against FIMO."""

from functools import partial
from pathlib import Path

import extraction
import numpy as np
import torch
import trained
from harness import Pair, Row, Skip
from trained import LENGTH, PlainDeepBind, check_scores, deepbinds

from motifloom.genome_scan import scan_genome
from motifloom.scan import one_hot
from motifloom.sequences import UNKNOWN, Genome

CHROMOSOME = "chrIV"  # yeast's longest
STEP = 10
BATCH = 16  # windows; of those tried the fastest
BLOCK = 500  # bases that the leaner reference looks at at a time, likewise
# Bases that ours has of the chromosome, and bases of them that the reference has.
BASES, WINDOWED, ALONG, BY_FIMO = 1_500_000, 4_000, 20_000, 300_000
TURNS = 3  # of FIMO, which takes a dozen seconds


def rows() -> list[Row]:
    """Rows of this subject."""
    unit = "bases/s"
    note = "; ".join(filter(None, (extraction.note(), trained.note())))
    return [
        Row("genome-scan-conv1d", unit, partial(against_conv1d, n_reference=WINDOWED), note),
        Row(
            "genome-scan-conv1d-once", unit,
            partial(against_conv1d, n_reference=ALONG, once=True), note,
        ),
        Row("genome-scan-fimo", unit, against_fimo, note, TURNS),
    ]  # fmt: skip


def stretch(folder: Path, bases: int) -> Genome:
    """The first bases of yeast's longest chromosome as a genome of its own."""
    codes = Genome.open(extraction.encoded_genome(folder)[1]).codes(CHROMOSOME)[:bases]
    return Genome([CHROMOSOME], [len(codes)], np.array(codes))


def scores_of(models: list, genome: Genome) -> np.ndarray:
    """Scores float32 [n, T] of all steps."""
    return np.concatenate([part.scores for part in scan_genome(models, genome, STEP)])


def against_conv1d(
    folder: Path,
    n_reference: int,
    once: bool = False,
    bases: int = BASES,
    models: list | None = None,
) -> Pair:
    """The reference has the first `n_reference` bases, its kernels each window or the stretch."""
    models = models or deepbinds()
    genome = stretch(folder, bases)
    plain = [PlainDeepBind(model) for model in models]
    codes = padded(genome.flat, n_reference)
    return Pair(
        ours=partial(scores_of, models, genome),
        reference=partial(along_once if once else along_windows, plain, codes),
        n_ours=len(genome.flat),
        n_reference=n_reference,
        check=check_scores,
    )


def padded(codes: np.ndarray, bases: int) -> torch.Tensor:
    """The bases that the windows of the first steps see; N before the chromosome."""
    before = LENGTH // 2 - STEP // 2
    after = codes[: bases - STEP + STEP // 2 + LENGTH - LENGTH // 2]
    return torch.from_numpy(np.concatenate([np.full(before, UNKNOWN, np.uint8), after]))


@torch.inference_mode()
def along_windows(models: list[PlainDeepBind], codes: torch.Tensor) -> np.ndarray:
    """Scores [n, T] of windows cut every STEP bases, one-hot in batches."""
    parts = []
    for batch in codes.unfold(0, LENGTH, STEP).split(BATCH):
        x = one_hot(batch).contiguous()
        parts.append(torch.stack([model.windows(x) for model in models], 1))
    return torch.cat(parts).numpy()


@torch.inference_mode()
def along_once(models: list[PlainDeepBind], codes: torch.Tensor) -> np.ndarray:
    """The same, kernels reading every base once."""
    parts, n = [], (len(codes) - LENGTH) // STEP + 1
    for first in range(0, n, BLOCK // STEP):
        last = min(first + BLOCK // STEP, n)
        x = one_hot(codes[None, first * STEP : (last - 1) * STEP + LENGTH])[0].contiguous()
        parts.append(torch.stack([model.along(x, STEP) for model in models], 1))
    return torch.cat(parts).numpy()


def against_fimo(folder: Path, bases: int = BY_FIMO, models: list | None = None) -> Pair:
    """The reference counts the hits of as many matrices as there are kernels, on both strands.

    It is not the same work: FIMO gives matches to single matrices, ours the scores of networks,
    made of every kernel's best match in a window.
    """
    try:
        from memelite import fimo
    except ImportError as error:
        raise Skip("the package memelite is not installed") from error
    models = models or deepbinds()
    genome = stretch(folder, bases)
    kernels = np.concatenate([network.weight for m in models for network in m.networks])
    shares = torch.softmax(torch.from_numpy(4 * kernels), 1).numpy()
    motifs = {f"kernel{number}": share for number, share in enumerate(shares)}
    sequence = one_hot(torch.from_numpy(genome.flat[None])).to(torch.int8).numpy()
    return Pair(
        ours=partial(scores_of, models, genome),
        reference=partial(fimo, motifs, sequence, return_counts=True),
        n_ours=len(genome.flat),
        n_reference=len(genome.flat),
        check=check_fimo,
    )


def check_fimo(ours: np.ndarray, counts: np.ndarray) -> None:
    """Both have read all of it."""
    if not (len(ours) and np.isfinite(ours).all() and np.sum(counts) > 0):
        raise AssertionError("no scores, or no hits")
