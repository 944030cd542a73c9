"""Called sites against known peaks on held-out chromosomes: precision and recall.

Beside the sites of a model stand those of the dataset's known matrix, called by the same rules
from a plain scan of the same chromosomes.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.bootstrap import Resampler, block_sizes
from motifloom.databases import load_motif
from motifloom.evaluation import INTERVAL
from motifloom.files import open_text, read_table, write_table
from motifloom.matrix_hits import matrix_hits
from motifloom.pwm import log_odds
from motifloom.sequences import Genome
from motifloom.site_calling import NARROW_PEAK, reach
from motifloom.site_matching import (
    Threshold,
    best_threshold,
    known_summits,
    match_sites,
    on_chromosomes,
    within,
)

log = logging.getLogger(__name__)

RATES = ("precision", "recall", "f1")
SITE_METRIC_COLUMNS = (
    "dataset", "tf", "model", "preset", "split", "n_sites", "n_peaks", "found",
    *(f"{rate}{end}" for rate in RATES for end in ("", "_low", "_high")),
    "threshold", "threshold_by", "tolerance", "note",
)  # fmt: skip
_PIECE = 10_000  # bases of a chromosome that are drawn together in the bootstrap
_ABOUT = ("dataset", "tf", "model", "preset")
NOT_HELD_OUT = "no chromosomes are held out (splits: by chromosomes)"
NO_PEAK = "no peak on these chromosomes"
NO_MATRIX_THRESHOLD = "no threshold can be chosen on validation chromosomes"


def evaluate_sites(
    sites: str | Path,
    summary: str | Path,
    peaks: str | Path,
    genome: str | Path,
    output: str | Path,
    *,
    row: Mapping[str, str],
    model: str,
    motif: str,
    release: str,
    held_out: Mapping[str, Sequence[str]],
    step: int,
    separation: int,
    tolerance: int,
    n_bootstrap: int,
    seed: int,
    aliases: str | Path | None = None,
    excluded: Sequence[str | Path] = (),
) -> None:
    """Write a table of SITE_METRIC_COLUMNS: a row for each split that is held out, and model.

    `sites` and `summary` are what `site_calling.call_sites` wrote; `held_out` maps "validation"
    and "test" to their chromosomes, of those that are split by chromosome. `motif` is the known
    matrix (JASPAR id or FILE#ID), "" for none: row "pwm", at the threshold with the best F1 on the
    validation chromosomes. Without any chromosome held out there is one row without numbers.
    """
    opened = Genome.open(genome)
    known, regions = known_summits(peaks, opened.lengths, aliases, excluded)
    chosen = read_table(summary, ("dataset", "model", "threshold_by")).iloc[0]
    judge = _Judge(known, held_out, n_bootstrap, seed)
    about = {"dataset": row["dataset"], "tf": row["tf"], "model": model, "preset": model}
    threshold = Threshold(float(chosen.threshold), chosen.threshold_by)
    rows = judge.rows(read_sites(sites), threshold, about, reach(tolerance, step))
    if motif and held_out:
        hits = matrix_sites(opened, motif, release, held_out, separation, regions)
        about |= {"model": "pwm", "preset": motif.rpartition("#")[2]}
        best = best_threshold(hits, known, tolerance, held_out.get("validation", ()))
        rows += judge.rows(hits[hits.score >= best.score] if best else hits, best, about, tolerance)
    table = pd.DataFrame(rows).reindex(columns=list(SITE_METRIC_COLUMNS))
    counts = ["n_sites", "n_peaks", "found", "tolerance"]
    write_table(table.assign(**table[counts].astype("Int64")), output)


def read_sites(path: str | Path) -> pd.DataFrame:
    """Sites that `site_calling.write_sites` wrote: columns chrom, summit (int64), score (float32).

    Unlike a file of a user's, it may hold none, and is not checked.
    """
    types = {"chrom": str, "start": np.int64, "peak": np.int64, "signal": np.float32}
    with open_text(path) as stream:
        found = pd.read_csv(
            stream,
            sep="\t",
            header=None,
            names=list(NARROW_PEAK),
            usecols=list(types),
            dtype=types,
            keep_default_na=False,
        )
    return pd.DataFrame(
        {"chrom": found.chrom, "summit": found.start + found.peak, "score": found.signal}
    )


def matrix_sites(
    genome: Genome,
    motif: str,
    release: str,
    held_out: Mapping[str, Sequence[str]],
    separation: int,
    regions: pd.DataFrame,
) -> pd.DataFrame:
    """Hits of a known matrix on the held-out chromosomes, outside of the excluded regions.

    Columns chrom, summit and score (`matrix_hits`).
    """
    matrix = log_odds(load_motif(motif, release).matrix)
    frames = [pd.DataFrame({"chrom": [], "summit": [], "score": []})]
    for chrom in dict.fromkeys(chrom for chroms in held_out.values() for chrom in chroms):
        middles, scores = matrix_hits(genome.codes(chrom), matrix, separation)
        frames.append(pd.DataFrame({"chrom": chrom, "summit": middles, "score": scores}))
    found = pd.concat(frames[1:] or frames, ignore_index=True)
    return found[~within(found.chrom, found.summit, regions)].reset_index(drop=True)


class _Judge:
    """Makes rows of the table, of the peaks of one dataset."""

    def __init__(self, known: pd.DataFrame, held_out: Mapping, n_bootstrap: int, seed: int):
        self.known, self.held_out = known, held_out
        self.n_bootstrap, self.seed = n_bootstrap, seed

    def rows(
        self, sites: pd.DataFrame, threshold: Threshold | None, about: dict, tolerance: int
    ) -> list[dict]:
        """A row for each held-out split of the sites called by a threshold; None for none."""
        about = about | {"tolerance": tolerance}
        if threshold is None:
            return [about | {"split": s, "note": NO_MATRIX_THRESHOLD} for s in self.held_out]
        about |= {"threshold": threshold.score, "threshold_by": threshold.by}
        if not self.held_out:
            return [about | {"split": "none", "n_sites": len(sites), "note": NOT_HELD_OUT}]
        rows = []
        for split, chroms in self.held_out.items():
            here, known = on_chromosomes(sites, chroms), on_chromosomes(self.known, chroms)
            found = site_metrics(here, known, tolerance, self.n_bootstrap, self.seed)
            rows.append(about | {"split": split} | found)
            log.info(
                "%s, %s: %d sites, %d peaks, %d found",
                about["model"], split, found["n_sites"], found["n_peaks"], found["found"],
            )  # fmt: skip
        return rows


def site_metrics(
    sites: pd.DataFrame, peaks: pd.DataFrame, tolerance: int, n_bootstrap: int = 1000, seed: int = 0
) -> dict[str, float | int | str]:
    """Precision, recall and F1 of sites against peaks, each with its 95 % interval.

    A peak is found by one site (`match_sites`); another site there is wrong. The bootstrap draws
    pieces of _PIECE bases of the chromosomes, of those that hold a site or a peak, with all in
    them; a site and the peak it finds count where the site is. Without a peak the rates are NaN,
    and note says so; without a site precision is NaN, recall and F1 are 0.
    """
    hits = match_sites(sites, peaks, tolerance)
    right = hits >= 0
    missed = peaks.drop(index=hits[right])
    kinds = [sites[right], sites[~right], missed]
    counts = [len(kind) for kind in kinds]
    metrics = {"n_sites": len(sites), "n_peaks": len(peaks), "found": counts[0]}
    values = _rates(*np.array(counts, np.float64)[:, None])
    replicates = _rates(*_replicates(kinds, n_bootstrap, seed))
    for name, value, drawn in zip(RATES, values, replicates, strict=True):
        drawn = drawn[np.isfinite(drawn)]
        ends = np.percentile(drawn, INTERVAL) if len(drawn) and len(peaks) else (np.nan, np.nan)
        ends = ends if np.isfinite(value[0]) else (np.nan, np.nan)
        metrics |= {name: value[0], f"{name}_low": ends[0], f"{name}_high": ends[1]}
    if len(peaks):
        return metrics | {"note": ""}
    return metrics | dict.fromkeys(RATES, np.nan) | {"note": NO_PEAK}


def _rates(right: np.ndarray, wrong: np.ndarray, missed: np.ndarray) -> list[np.ndarray]:
    """Precision, recall and F1, float64 [B] each, of counts [B]; NaN where nothing is counted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return [
            right / (right + wrong),
            right / (right + missed),
            2 * right / (2 * right + wrong + missed),
        ]


def _replicates(kinds: Iterable[pd.DataFrame], n_bootstrap: int, seed: int) -> np.ndarray:
    """Counts float64 [3, n_bootstrap] of three kinds of places in pieces drawn with replacement."""
    frames = [kind[["chrom", "summit"]].assign(kind=k) for k, kind in enumerate(kinds)]
    places = pd.concat(frames, ignore_index=True)
    piece = places.groupby(["chrom", places.summit // _PIECE], sort=True).ngroup().to_numpy()
    n_pieces = int(piece.max(initial=-1)) + 1
    if not n_pieces:
        return np.zeros((3, n_bootstrap))
    table = np.zeros((n_pieces, 3))
    np.add.at(table, (piece, places.kind.to_numpy()), 1)
    units, rng = Resampler(np.arange(n_pieces), n_pieces), np.random.default_rng(seed)
    drawn = [units.draw(size, rng) @ table for size in block_sizes(n_bootstrap, units.cost)]
    return np.vstack([np.empty((0, 3)), *drawn]).T


def collect_sites(tables: Iterable[str | Path], output: str | Path) -> None:
    """Write tables of `evaluate_sites` as one; rows of the known matrix that repeat stand once."""
    frames = [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in tables]
    write_table(pd.concat(frames).drop_duplicates(), output)
