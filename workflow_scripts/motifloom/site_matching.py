"""Called sites and known peaks, one to one: which are found, and where to draw the line."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numba import njit

from motifloom import readers
from motifloom.counts import Counts


def known_summits(
    peaks: str | Path,
    lengths: Mapping[str, int],
    aliases: str | Path | None = None,
    excluded: Sequence[str | Path] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summits of a dataset's peaks, columns chrom and summit, and the excluded regions.

    Each summit stands once; those in excluded regions, and peaks on chromosomes that `lengths`
    (name -> bases) lacks, are left out. Raises InputError as `readers.read_peaks` and
    `readers.rename_chromosomes` do.
    """
    counts = Counts()
    names = readers.read_aliases(aliases) if aliases else {}
    table, n_unknown = readers.rename_chromosomes(
        readers.read_peaks(peaks), dict(lengths), names, peaks
    )
    counts.add("peaks on an unknown chromosome", n_unknown)
    regions = readers.read_excluded(excluded, dict(lengths), names, counts)
    summits = table[["chrom", "summit"]].drop_duplicates(ignore_index=True)
    inside = within(summits.chrom, summits.summit, regions)
    counts.add("peaks in excluded regions", inside.sum())
    return summits[~inside].reset_index(drop=True), regions


def within(chroms: pd.Series, bases: np.ndarray, regions: pd.DataFrame) -> np.ndarray:
    """Whether bases [n] of chromosomes [n] lie in any of the regions (chrom, start, end)."""
    inside = np.zeros(len(chroms), bool)
    chroms, bases = np.asarray(chroms, object), np.asarray(bases, np.int64)
    for chrom, group in regions.groupby("chrom"):
        rows = np.flatnonzero(chroms == chrom)
        starts, ends = np.sort(group.start.to_numpy()), np.sort(group.end.to_numpy())
        begun = np.searchsorted(starts, bases[rows], "right")
        inside[rows] = begun > np.searchsorted(ends, bases[rows], "right")
    return inside


def match_sites(sites: pd.DataFrame, peaks: pd.DataFrame, tolerance: int) -> np.ndarray:
    """The peak that each site finds, int64 [n], its row in `peaks`; -1 where it finds none.

    `sites` have the columns chrom, summit and score, `peaks` chrom and summit. By score, of equal
    ones the first named, each site takes the nearest peak (of equally near ones the left) that is
    at most `tolerance` bases off and not taken yet. What the sites above any threshold find is
    thus the same with or without those below.
    """
    found = np.full(len(sites), -1)
    for chrom, group in peaks.groupby("chrom"):
        rows = np.flatnonzero((sites.chrom == chrom).to_numpy())
        ordered = group.sort_values("summit", kind="stable")
        by_score = np.argsort(-sites.score.to_numpy()[rows], kind="stable")
        matched = _match(
            sites.summit.to_numpy(np.int64)[rows],
            by_score,
            ordered.summit.to_numpy(np.int64),
            tolerance,
        )
        found[rows] = np.where(matched < 0, -1, ordered.index.to_numpy()[matched])
    return found


@njit(cache=True, nogil=True)
def _match(summits, order, peaks, tolerance):
    """Number of the peak, of ascending ones, that each summit finds in this order, or -1."""
    found = np.full(len(summits), -1, np.int64)
    taken = np.zeros(len(peaks), np.bool_)
    for i in order:
        right = np.searchsorted(peaks, summits[i])
        left, best = right - 1, -1
        while left >= 0 and taken[left] and summits[i] - peaks[left] <= tolerance:
            left -= 1
        while right < len(peaks) and taken[right] and peaks[right] - summits[i] <= tolerance:
            right += 1
        nearest = tolerance
        if left >= 0 and summits[i] - peaks[left] <= nearest:
            best, nearest = left, summits[i] - peaks[left] - 1
        if right < len(peaks) and peaks[right] - summits[i] <= nearest:
            best = right
        if best >= 0:
            taken[best], found[i] = True, best
    return found


@dataclass(frozen=True)
class Threshold:
    """A score from which on sites are called, and how it was chosen.

    score:  float; infinite where nothing is called
    by:     "validation" (the best F1 on validation chromosomes) or "fdr"
    f1:     that F1; NaN where it was not chosen so
    """

    score: float
    by: str
    f1: float = math.nan


def best_threshold(
    sites: pd.DataFrame, peaks: pd.DataFrame, tolerance: int, chroms: Collection[str]
) -> Threshold | None:
    """The score with the best F1 of sites against the peaks of some chromosomes.

    F1 = 2 TP / (sites + peaks), TP the matches of `match_sites`; of equal ones the higher score.
    None where the chromosomes have no peak, or no site finds one.
    """
    sites, peaks = on_chromosomes(sites, chroms), on_chromosomes(peaks, chroms)
    if not (len(sites) and len(peaks)):
        return None
    hits = match_sites(sites, peaks, tolerance) >= 0
    order = np.argsort(-sites.score.to_numpy(), kind="stable")
    scores, found = sites.score.to_numpy()[order], np.cumsum(hits[order])
    f1 = 2 * found / (np.arange(1, len(scores) + 1) + len(peaks))
    f1[:-1][scores[:-1] == scores[1:]] = -1  # equal scores are called together
    best = int(f1.argmax())
    return Threshold(float(scores[best]), "validation", float(f1[best])) if found[-1] else None


def on_chromosomes(frame: pd.DataFrame, chroms: Collection[str]) -> pd.DataFrame:
    """The rows on some chromosomes, numbered anew."""
    return frame[frame.chrom.isin(list(chroms))].reset_index(drop=True)
