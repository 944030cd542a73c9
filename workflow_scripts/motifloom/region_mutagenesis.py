"""Saturation mutagenesis of regions: what each single substitution does to a model's score.

A substitution's change is that of `variants.score_variants`: in the window of the length that the
model was trained on, the base in its middle.
"""

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import inference
from motifloom.alleles import Alleles
from motifloom.files import InputError, atomic, whole_folder
from motifloom.mutation_maps import draw_mutation_map
from motifloom.regions import read_named_regions
from motifloom.sequence_scores import is_stranded
from motifloom.sequences import ALPHABET, UNKNOWN, Genome, reverse_complement
from motifloom.variants import score_variants

MOST_BASES = 1000  # of an interval whose every substitution is scored
CHANGE_COLUMNS = ("interval", "chrom", "position", "ref", "alt", "change")
_AT_A_TIME = 1 << 16  # bases of intervals whose changes are held


def mutate_regions(
    weights: str | Path,
    genome: str | Path,
    bed: str | Path,
    table: str | Path,
    folder: str | Path,
    *,
    drawn: int,
    aliases: str | Path | None = None,
) -> None:
    """Write the change of a model's score by every substitution in a BED file's intervals.

    table:  gzipped TSV with CHANGE_COLUMNS: the interval's number in the file from 1, the position
            from 1 as in VCF, both bases on the forward strand, and the change of the score
    folder: <interval>.svg of the first `drawn` intervals, read as the model reads them

    Where the model tells strands apart, intervals of strand "-" are read as their reverse
    complement. Bases that are N have no rows. Raises InputError for intervals of more than
    MOST_BASES bases.
    """
    genome, model = Genome.open(genome), inference.load(weights)
    regions = read_named_regions(bed, genome, aliases)
    _refuse_long(regions, bed)
    turned = is_stranded(model.info) & (regions["strand"] == "-")
    with whole_folder(folder) as temporary, atomic(table) as partial, _gzipped(partial) as stream:
        stream.write("\t".join(CHANGE_COLUMNS) + "\n")
        for batch in _batches(regions):
            changes = changes_of(model, genome, batch, turned[batch.index].to_numpy(bool))
            for region, change in zip(batch.itertuples(), changes, strict=True):
                own = genome.codes(region.chrom)[region.start : region.end]
                _rows(region, own, change).to_csv(
                    stream, sep="\t", index=False, header=False, float_format="%.6g",
                    lineterminator="\n",
                )  # fmt: skip
                if region.Index < drawn:
                    path = temporary / f"{region.interval}.svg"
                    _draw(model, region, own, change, turned[region.Index], path)


def changes_of(model, genome: Genome, regions: pd.DataFrame, turned: np.ndarray) -> list:
    """Changes of the first target's score, float32 [4, L] of each region, rows A, C, G, T.

    Rows and columns are the forward strand's. An entry is the score with that base minus the
    genome's own; 0 at the base itself and where the genome has N. Regions that are `turned`, bool
    [n], are read on the other strand.
    """
    length = model.info["hyperparameters"]["length"]
    found: list = [None] * len(regions)
    for strand in np.unique(turned):
        rows = np.flatnonzero(turned == strand)
        part = regions.iloc[rows]
        if strand:
            read, chrom, start = _other_strand(genome, part, length)
        else:
            read, chrom, start = genome, genome.indices(part["chrom"]), part["start"].to_numpy()
        sizes = (part["end"] - part["start"]).to_numpy()
        changes = _changes(model, read, chrom, start, sizes)
        for row, change in zip(rows, np.split(changes, np.cumsum(sizes)[:-1]), strict=True):
            found[row] = change[::-1, ::-1].T if strand else change.T
    return found


def _other_strand(genome: Genome, regions: pd.DataFrame, length: int):
    """The regions' reverse complements with `length` bases on both sides as a genome of their own.

    Also the numbers of its chromosomes, one a region, and where in each the region begins.
    """
    pieces = []
    for region in regions.itertuples():
        own = genome.codes(region.chrom)
        first, last = region.start - length, region.end + length
        inside = own[max(first, 0) : last]
        beyond = max(-first, 0), max(last - len(own), 0)
        pieces.append(reverse_complement(np.pad(inside, beyond, constant_values=UNKNOWN)))
    names = [str(number) for number in range(len(pieces))]
    other = Genome(names, list(map(len, pieces)), np.concatenate(pieces))
    return other, np.arange(len(pieces)), np.full(len(pieces), length)


def _changes(model, genome: Genome, chrom, start, sizes) -> np.ndarray:
    """Changes by all substitutions, float32 [sum of sizes, 4], of intervals end to end."""
    begins = np.repeat(start - np.cumsum(sizes) + sizes, sizes)
    places = begins + np.arange(len(begins))  # [B]
    chroms = np.repeat(chrom, sizes)
    own = genome.flat[genome.offsets[chroms] + places]
    bases = np.arange(4, dtype=np.uint8)
    rows, columns = np.nonzero((own[:, None] != bases) & (own[:, None] != UNKNOWN))
    alleles = Alleles(
        chroms[rows].astype(np.int32),
        places[rows].astype(np.int64),
        np.ones(len(rows), np.int32),
        bases[columns],
        np.arange(len(rows) + 1, dtype=np.int64),
    )
    changes = np.zeros((len(own), 4), np.float32)
    changes[rows, columns] = score_variants([model], genome, alleles).difference[:, 0]
    return changes


def _refuse_long(regions: pd.DataFrame, bed: str | Path) -> None:
    sizes = (regions["end"] - regions["start"]).to_numpy()
    if (sizes > MOST_BASES).any():
        worst = regions.iloc[int(np.argmax(sizes > MOST_BASES))]
        raise InputError(
            f"{bed}: interval {worst['name']} has {worst.end - worst.start} bp; every substitution"
            f" is scored in intervals of up to {MOST_BASES} bp: cut it, or set mutagenesis: false"
        )


def _batches(regions: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """The regions in their order, about _AT_A_TIME bases at a time."""
    group = (regions["end"] - regions["start"]).cumsum() // _AT_A_TIME
    for _, batch in regions.groupby(group.to_numpy(), sort=True):
        yield batch


def _rows(region, own: np.ndarray, change: np.ndarray) -> pd.DataFrame:
    """The rows of the table of one region, by position and then by base."""
    places, bases = np.nonzero((own[:, None] != np.arange(4)) & (own[:, None] != UNKNOWN))
    letters = np.array(list(ALPHABET), object)
    columns = [
        region.interval,
        region.chrom,
        region.start + places + 1,
        letters[own[places]],
        letters[bases],
        change[bases, places],
    ]
    return pd.DataFrame(dict(zip(CHANGE_COLUMNS, columns, strict=True)))


def _draw(model, region, own: np.ndarray, change: np.ndarray, turned: bool, path: Path) -> None:
    """The mutation map of a region, on the strand that was read."""
    if turned:
        own, change = reverse_complement(own), change[::-1, ::-1]
    place = f"{region.chrom}:{region.start + 1}-{region.end}"
    title = [model.info["targets"][0], place + f" ({region.strand})" * (region.strand != ".")]
    if region.name != place:
        title.append(region.name)
    draw_mutation_map(own, change, None, " · ".join(title), path, alphabet=model.info["alphabet"])


@contextmanager
def _gzipped(path: Path) -> Iterator[io.TextIOWrapper]:
    """A text stream into a gzip file that holds neither a name nor a time."""
    with (
        open(path, "wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as stream,
    ):
        yield stream
