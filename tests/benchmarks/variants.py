"""Variants scored by thirteen models, against plain PyTorch."""

from functools import partial
from pathlib import Path

import extraction
import numpy as np
import torch
import trained
from harness import Pair, Row
from trained import LENGTH, PlainDeepBind, check_scores, deepbinds

from motifloom.alleles import Alleles
from motifloom.scan import one_hot
from motifloom.sequences import Genome
from motifloom.variants import score_variants

N_VARIANTS, N_REFERENCE = 1_000_000, 256
BATCH = 16  # windows; of those tried the fastest
TURNS = 2  # each may take a minute


def rows() -> list[Row]:
    """Rows of this subject."""
    note = "; ".join(filter(None, (extraction.note(), trained.note())))
    return [Row("variants-textbook", "variants/s", against_textbook, note, TURNS)]


def against_textbook(
    folder: Path, n: int = N_VARIANTS, n_reference: int = N_REFERENCE, models: list | None = None
) -> Pair:
    """The reference cuts and scores both alleles' windows of the first `n_reference` variants."""
    models = models or deepbinds()
    genome = Genome.open(extraction.encoded_genome(folder)[1])
    alleles = substitutions(genome, n)
    plain = [PlainDeepBind(model) for model in models]
    return Pair(
        ours=lambda: score_variants(models, genome, alleles).difference,
        reference=partial(differences, plain, genome, alleles.take(np.arange(n_reference))),
        n_ours=n,
        n_reference=n_reference,
        check=check_scores,
    )


def substitutions(genome: Genome, n: int, seed: int = 0) -> Alleles:
    """Random substitutions in genome order, a window away from the chromosomes' ends."""
    random = np.random.default_rng(seed)
    rooms = np.array(list(genome.lengths.values())) - 2 * LENGTH
    bounds = np.concatenate([[0], np.cumsum(rooms)])
    drawn = np.sort(random.integers(bounds[-1], size=n))
    chrom = np.searchsorted(bounds, drawn, side="right") - 1
    start = drawn - bounds[chrom] + LENGTH
    own = genome.flat[genome.offsets[chrom] + start]
    alt = ((own + random.integers(1, 4, n)) % 4).astype(np.uint8)
    ones = np.ones(n, np.int32)
    return Alleles(chrom.astype(np.int32), start, ones, alt, np.arange(n + 1))


@torch.inference_mode()
def differences(models: list[PlainDeepBind], genome: Genome, alleles: Alleles) -> np.ndarray:
    """Alternative minus reference, float32 [n, T], both windows cut and scored in batches."""
    parts = []
    for first in range(0, len(alleles), BATCH):
        batch = slice(first, first + BATCH)
        begins = genome.offsets[alleles.chrom[batch]] + alleles.start[batch] - LENGTH // 2
        reference = genome.flat[begins[:, None] + np.arange(LENGTH)]
        alternative = reference.copy()
        alternative[:, LENGTH // 2] = alleles.alt[batch]
        both = (one_hot(torch.from_numpy(c)).contiguous() for c in (reference, alternative))
        before, after = (torch.stack([model.windows(x) for model in models], 1) for x in both)
        parts.append(after - before)
    return torch.cat(parts).numpy()
