"""Sites called on a genome track: local maxima above a threshold, with p- and q-values.

A maximum's p-value is the share of the local maxima along shuffled sequence that reach its score,
p = (1 + those) / (1 + all of them) (North, Curtis & Sham 2002, American Journal of Human Genetics
71:439), its q-value that of Benjamini & Hochberg 1995 over all local maxima of the genome.
"""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.files import InputError, atomic, full_disk_noticed, write_table
from motifloom.local_maxima import local_maxima
from motifloom.sequences import Genome
from motifloom.shuffled_genome import NAME
from motifloom.site_matching import Threshold, best_threshold, known_summits, within
from motifloom.tracks import Scan, Track

log = logging.getLogger(__name__)

# ENCODE's narrowPeak (https://genome.ucsc.edu/FAQ/FAQformat.html#format12).
NARROW_PEAK = (
    "chrom", "start", "end", "name", "score", "strand", "signal", "p", "q", "peak",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "dataset", "model", "threshold", "threshold_by", "validation_f1", "n_sites", "n_maxima",
    "n_shuffled_maxima", "least_p",
)  # fmt: skip
_LONGEST = 1 << 29  # bases of a chromosome that tabix's index reaches
_NO_VALUE = -1.0  # narrowPeak's word for a p- or q-value that is not given


@dataclass(frozen=True)
class Chance:
    """Scores of the local maxima along shuffled sequence, float32 [m] in ascending order."""

    scores: np.ndarray

    def levels(self, scores: np.ndarray) -> np.ndarray:
        """How many of them reach each of the scores [n]: int64 [n], from 0 to m."""
        return len(self.scores) - np.searchsorted(self.scores, scores, "left")

    @property
    def p_values(self) -> np.ndarray:
        """The p-value of each level, float64 [m + 1]."""
        return np.arange(1, len(self.scores) + 2) / (1 + len(self.scores))

    def q_values(self, counts: np.ndarray) -> np.ndarray:
        """The q-value of each level, float64 [m + 1], where counts [m + 1] maxima have it.

        The same as `metrics.benjamini_hochberg` gives every maximum, which are too many to sort.
        """
        reached = np.maximum(np.cumsum(counts), 1)
        scaled = self.p_values * counts.sum() / reached
        return np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)


def call_sites(
    track: str | Path,
    shuffled: str | Path | None,
    peaks: str | Path,
    genome: str | Path,
    output: str | Path,
    index: str | Path,
    summary: str | Path,
    *,
    dataset: str,
    model: str,
    step: int,
    separation: int,
    tolerance: int,
    fdr: float,
    validation: Collection[str] = (),
    ignored: Collection[str] = (),
    aliases: str | Path | None = None,
    excluded: Sequence[str | Path] = (),
) -> None:
    """Write the sites of a track as narrowPeak (bgzip) with its tabix index, and a summary.

    The threshold is the score with the best F1 against the dataset's own peaks on the `validation`
    chromosomes; where these give none, the lowest score with q <= `fdr`. Excluded regions have no
    sites. Sites on `ignored` chromosomes are called by the same threshold, but stand outside all
    statistics and have no q-value. `shuffled` None gives no p- and q-values, and the threshold must
    come from validation. Memory is bounded by the longest chromosome.
    """
    opened = Genome.open(genome)
    known, regions = known_summits(peaks, opened.lengths, aliases, excluded)
    maxima = Maxima(Track(track, step), opened.lengths, separation, regions)
    chance = Chance(_shuffled_scores(shuffled, dataset, separation))
    census, validating = _take_census(maxima, chance, validation, ignored)
    q_values, n_maxima = chance.q_values(census.counts), int(census.counts.sum())
    threshold = best_threshold(validating, known, reach(tolerance, step), validation)
    threshold = threshold or _by_fdr(census, q_values, fdr, shuffled)
    chosen = _called(maxima, threshold.score, chance, q_values, ignored)
    n_sites = write_sites(chosen, output, index, dataset, threshold.score, census.highest)
    log.info("%d sites of %d maxima, threshold %.4g", n_sites, n_maxima, threshold.score)
    row = (dataset, model, f"{threshold.score:.9g}", threshold.by, threshold.f1, n_sites, n_maxima)
    row += (len(chance.scores), chance.p_values[0] if len(chance.scores) else np.nan)
    write_table(pd.DataFrame([row], columns=SUMMARY_COLUMNS), summary)


def reach(tolerance: int, step: int) -> int:
    """Bases that a peak may be off a called site: one inside the site's step is never too far."""
    return max(tolerance, step // 2)


@dataclass(frozen=True)
class Maxima:
    """The local maxima of a track outside excluded regions, chromosome by chromosome.

    Iterates over (chromosome, frame with the columns chrom, summit and score), in the order of
    `lengths`.
    """

    track: Track
    lengths: Mapping[str, int]
    separation: int
    regions: pd.DataFrame

    def __iter__(self) -> Iterator[tuple[str, pd.DataFrame]]:
        for chrom in self.lengths:
            if chrom not in self.track.lengths:  # no step has a score
                continue
            scores, length = self.track.scores(chrom), self.lengths[chrom]
            summits, heights = local_maxima(scores, self.track.step, length, self.separation)
            found = pd.DataFrame({"chrom": chrom, "summit": summits, "score": heights})
            yield chrom, found[~within(found.chrom, found.summit, self.regions)]


def _shuffled_scores(path: str | Path | None, dataset: str, separation: int) -> np.ndarray:
    """Scores float32 [m], ascending, of the local maxima along shuffled sequence, if any."""
    if path is None:
        return np.empty(0, np.float32)
    scan = Scan.open(path)
    scores = np.concatenate(list(scan.blocks(NAME, dataset)))
    return np.sort(local_maxima(scores, scan.step, scan.lengths[NAME], separation)[1])


@dataclass
class Census:
    """What is counted of all maxima on chromosomes that are not ignored, by level of chance.

    counts:  int64 [m + 1], how many maxima have each level
    lowest:  float32 [m + 1], the lowest score of them
    highest: the highest score of all
    """

    counts: np.ndarray
    lowest: np.ndarray
    highest: float = -np.inf

    def add(self, levels: np.ndarray, scores: np.ndarray) -> None:
        """Count maxima with levels and scores [n]."""
        self.counts += np.bincount(levels, minlength=len(self.counts))
        np.minimum.at(self.lowest, levels, scores)
        self.highest = max(self.highest, float(scores.max(initial=-np.inf)))


def _take_census(maxima, chance: Chance, validation, ignored) -> tuple[Census, pd.DataFrame]:
    """The census of all maxima, and those on validation chromosomes."""
    m = len(chance.scores)
    census = Census(np.zeros(m + 1, np.int64), np.full(m + 1, np.inf, np.float32))
    held = [pd.DataFrame({"chrom": [], "summit": [], "score": []})]
    for chrom, sites in maxima:
        if chrom in validation:
            held.append(sites)
        if chrom not in ignored:
            scores = sites.score.to_numpy()
            census.add(chance.levels(scores), scores)
    return census, pd.concat(held[1:] or held, ignore_index=True)


def _by_fdr(census: Census, q_values: np.ndarray, fdr: float, shuffled) -> Threshold:
    """The lowest score with q <= fdr; infinite where no maximum has such a q."""
    if shuffled is None:
        raise InputError(
            "tracks: null_bases is 0, but the validation chromosomes have no peak that a site"
            " finds, so that nothing tells where sites begin; set null_bases above 0"
        )
    called = np.flatnonzero((q_values <= fdr) & (census.counts > 0))
    return Threshold(float(census.lowest[called[-1]]) if len(called) else np.inf, "fdr")


def _called(
    maxima: Maxima, lowest: float, chance: Chance, q_values: np.ndarray, ignored: Collection[str]
) -> Iterator[pd.DataFrame]:
    """The maxima that reach a score, a frame a chromosome, as narrowPeak has them (see there).

    Without names and column 5. A site spans `separation` bases around its summit, so that none
    overlap, cut at the ends of the chromosome.
    """
    for chrom, sites in maxima:
        sites = sites[sites.score >= lowest]
        if not len(sites):
            continue
        first, levels = sites.summit - maxima.separation // 2, chance.levels(sites.score.to_numpy())
        start, end = first.clip(lower=0), first + maxima.separation
        tested = len(chance.scores) > 0
        yield pd.DataFrame(
            {
                "chrom": chrom,
                "start": start,
                "end": end.clip(upper=maxima.lengths[chrom]),
                "strand": ".",
                "signal": sites.score,
                "p": -np.log10(chance.p_values[levels]) if tested else _NO_VALUE,
                "q": -np.log10(q_values[levels]) if tested and chrom not in ignored else _NO_VALUE,
                "peak": sites.summit - start,
            }
        )


def write_sites(
    chromosomes, output: str | Path, index: str | Path, dataset: str, lowest: float, highest: float
) -> int:
    """Write sites, a frame a chromosome, as bgzipped narrowPeak with its index; their number.

    Names count along the genome. Column 5 grows from 0 at the score `lowest` to 1000 at `highest`.
    """
    import pysam

    n_sites, span = 0, max(highest - lowest, np.finfo(np.float32).tiny)
    with ExitStack() as stack:
        listed, indexed = (stack.enter_context(atomic(path)) for path in (output, index))
        stack.enter_context(full_disk_noticed(listed))
        with pysam.BGZFile(str(listed), "wb") as stream:
            for sites in chromosomes:
                _check_length(sites)
                numbers = np.arange(n_sites + 1, n_sites + len(sites) + 1)
                share = ((sites.signal - lowest) / span).clip(0, 1)
                lines = sites.assign(
                    name=np.char.add(f"{dataset}_", numbers.astype(str)),
                    score=np.rint(1000 * share).astype(np.int64),
                    signal=_texts(sites.signal, ".9g"),
                    p=_texts(sites.p, ".5g"),
                    q=_texts(sites.q, ".5g"),
                )[list(NARROW_PEAK)]
                stream.write(lines.to_csv(sep="\t", header=False, index=False).encode())
                n_sites += len(sites)
        pysam.tabix_index(str(listed), preset="bed", index=str(indexed), force=True)
    return n_sites


def _texts(values: pd.Series, form: str) -> np.ndarray:
    """Numbers as text; float32 comes back from nine digits as it was."""
    return np.char.mod(f"%{form}", values.to_numpy(np.float64) + 0.0)


def _check_length(sites: pd.DataFrame) -> None:
    if sites.end.max() > _LONGEST:
        raise InputError(
            f"{sites.chrom.iloc[0]}: has sites beyond base {_LONGEST}, which tabix's index does"
            " not reach; give the genome in shorter pieces"
        )
