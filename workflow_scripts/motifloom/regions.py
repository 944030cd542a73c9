"""The user's regions of a genome, scored with a trained model: as a whole and window by window."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import inference
from motifloom.files import write_table
from motifloom.readers import read_aliases, read_regions, rename_chromosomes
from motifloom.sequence_scores import Stretches, is_stranded, score_stretches
from motifloom.sequences import Genome

log = logging.getLogger(__name__)

REGION_COLUMNS = ("interval", "chrom", "start", "end", "name", "strand")


def read_named_regions(
    bed: str | Path, genome: Genome, aliases: str | Path | None = None
) -> pd.DataFrame:
    """Regions of a BED file under the genome's names, columns REGION_COLUMNS.

    `interval` counts the file's intervals from 1, `strand` is "+", "-" or ".". Intervals on
    chromosomes that the genome lacks are left out; raises InputError as `readers.read_regions` and
    `readers.rename_chromosomes` do.
    """
    table = read_regions(bed)
    table.insert(0, "interval", np.arange(1, len(table) + 1))
    known = read_aliases(aliases) if aliases else {}
    table, n_dropped = rename_chromosomes(table, genome.lengths, known, bed)
    log.info("%d intervals; %d on chromosomes that the genome lacks", len(table), n_dropped)
    return table[list(REGION_COLUMNS)]


def stretches_of(regions: pd.DataFrame, genome: Genome, turned: bool = False) -> Stretches:
    """Where the regions lie on the genome; with `turned` those of strand "-" are read on it."""
    number = genome.indices(regions["chrom"])
    begins = genome.offsets[number]
    return Stretches(
        genome.flat,
        begins,
        genome.ends[number],
        begins + regions["start"].to_numpy(),
        begins + regions["end"].to_numpy(),
        turned & (regions["strand"] == "-").to_numpy(bool),
    )


def score_regions(
    weights: str | Path,
    genome: str | Path,
    bed: str | Path,
    output: str | Path,
    aliases: str | Path | None = None,
) -> None:
    """Write a table of a BED file's intervals and their scores by one model.

    Columns: REGION_COLUMNS, length, score (of the interval as one sequence; NA where the network
    takes no such length), best (the largest of windows of the trained length along it) and
    best_start (0-based first base of that window on the chromosome); see `score_stretches`. Where
    the model tells strands apart, intervals of strand "-" are read as their reverse complement.
    """
    genome, model = Genome.open(genome), inference.load(weights)
    regions = read_named_regions(bed, genome, aliases)
    found = score_stretches(model, stretches_of(regions, genome, is_stranded(model.info)))
    table = regions.assign(
        length=regions["end"] - regions["start"],
        score=found.whole,
        best=found.best,
        best_start=regions["start"] + found.at,
    )
    write_table(table, output)
