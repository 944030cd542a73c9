"""Families: the motifs of all TFs and models that are the same motif, and their consensus.

Motifs are compared with each other by Tomtom (`databases.compare`, by their informative stretches,
with the motif database as further background) and joined by average linkage.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from motifloom.databases import SIMILAR_EVALUE, compare, core, core_bounds, is_substantial
from motifloom.files import whole_folder, write_table
from motifloom.matches import match
from motifloom.motif_files import read_meme, read_motifs, write_meme
from motifloom.motifs import Motif, consensus, trim_bounds

MOST_MOTIFS = 12  # of a model and dataset, best first, that enter
MOST_SHARED = 48  # of a network of many TFs
# Mean log10 of the p-values (the larger of both directions) up to which two groups are one family,
# and below which all matches count alike; see docs/matches.md.
_SAME, _SMALLEST = -4.0, -10.0
_MOST_LOGOS = 60
_BLOCK_BYTES = 1 << 27  # of Tomtom's results at a time
FAMILY_COLUMNS = (
    "family", "name", "n_motifs", "n_tfs", "tfs", "models", "consensus", "match", "match_name",
    "evalue", "logo",
)  # fmt: skip
MEMBER_COLUMNS = ("family", "model", "dataset", "tf", "kernel", "strand", "offset")
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Entry:
    """A motif and where it was found; tf is "" for networks of many TFs."""

    model: str
    dataset: str
    tf: str
    motif: Motif


@dataclass(frozen=True, eq=False)
class Alignments:
    """All motifs against all: log10 p-values float32 [N, N], of the larger direction; offsets int16
    [N, N] and reverse bool [N, N] as `databases.tomtom` gives them, rows the queries."""

    log_pvalues: np.ndarray
    offsets: np.ndarray
    reverse: np.ndarray


@dataclass(frozen=True, eq=False)
class Family:
    """Entries of one motif, how each lies in it, and the aligned mean of their matrices.

    places: (strand, offset) of each entry, the offset being the consensus's column under the
    entry's first, as it lies on that strand.
    """

    entries: tuple[Entry, ...]
    places: tuple[tuple[str, int], ...]
    motif: Motif

    @property
    def tfs(self) -> list[str]:
        """The TFs whose models hold the motif, sorted."""
        return sorted({entry.tf for entry in self.entries if entry.tf})


def align(
    cores: Sequence[Motif], background: Sequence[Motif] = (), reverse_complement: bool = True
) -> Alignments:
    """Compare motifs with each other, in blocks; `background`: further targets of Tomtom."""
    n = len(cores)
    found = Alignments(
        np.empty((n, n), np.float32), np.empty((n, n), np.int16), np.empty((n, n), bool)
    )
    targets = [*cores, *background]
    block = max(1, _BLOCK_BYTES // (40 * len(targets)))
    for first in range(0, n, block):
        rows = slice(first, first + block)
        pvalues, _, offsets, _, strands = compare(cores[rows], targets, reverse_complement)
        found.log_pvalues[rows] = np.log10(np.maximum(pvalues[:, :n], 1e-300))
        found.offsets[rows] = offsets[:, :n]
        found.reverse[rows] = strands[:, :n] == 1
    np.maximum(found.log_pvalues, found.log_pvalues.T.copy(), out=found.log_pvalues)
    return found


def group(log_pvalues: np.ndarray) -> np.ndarray:
    """Group numbers, int [N], of motifs by average linkage of their log10 p-values [N, N]."""
    if len(log_pvalues) < 2:
        return np.arange(len(log_pvalues))
    distances = np.maximum(log_pvalues, _SMALLEST) - _SMALLEST
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average")
    return fcluster(tree, _SAME - _SMALLEST, "distance")


def cluster(
    entries: Sequence[Entry], background: Sequence[Motif] = (), reverse_complement: bool = True
) -> list[Family]:
    """Families of the entries, those of most TFs, then of most motifs and sites, first."""
    if not entries:
        return []
    aligned = align([core(entry.motif) for entry in entries], background, reverse_complement)
    labels = group(aligned.log_pvalues)
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    families = [_family([entries[i] for i in part], part, aligned) for part in parts]
    return sorted(families, key=lambda f: (-len(f.tfs), -len(f.entries), -f.motif.n_sites))


def _family(entries: list[Entry], part: np.ndarray, aligned: Alignments) -> Family:
    """The family of the entries numbered `part`, on the grid of the one closest to all others."""
    middle = part[aligned.log_pvalues[np.ix_(part, part)].sum(axis=1).argmin()]
    reverse = aligned.reverse[middle, part] & (part != middle)
    offsets = np.where(part == middle, 0, aligned.offsets[middle, part])
    oriented = [
        entry.motif.matrix[::-1, ::-1] if turned else entry.motif.matrix
        for entry, turned in zip(entries, reverse, strict=True)
    ]
    starts = -offsets - [
        width - bounds[1] if turned else bounds[0]
        for bounds, width, turned in (
            (core_bounds(entry.motif.matrix), entry.motif.matrix.shape[1], turned)
            for entry, turned in zip(entries, reverse, strict=True)
        )
    ]
    weights = np.array([entry.motif.n_sites for entry in entries], float)
    matrix, first = mean_matrix(oriented, starts, weights)
    places = [("-" if r else "+", int(s - first)) for r, s in zip(reverse, starts, strict=True)]
    motif = Motif("", matrix, n_sites=int(weights.sum()))
    return Family(tuple(entries), tuple(places), motif)


def mean_matrix(
    matrices: Sequence[np.ndarray], starts: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, int]:
    """Weighted mean of matrices [4, W_i] whose first columns lie at `starts`; its first column.

    Columns that less than half of the weight covers and uninformative ends (`motifs.trim`) are
    left out.
    """
    lowest = int(min(starts))
    span = max(start + matrix.shape[1] for start, matrix in zip(starts, matrices, strict=True))
    sums, cover = np.zeros((4, span - lowest)), np.zeros(span - lowest)
    for matrix, start, weight in zip(matrices, starts - lowest, weights, strict=True):
        columns = slice(start, start + matrix.shape[1])
        sums[:, columns] += weight * matrix
        cover[columns] += weight
    kept = np.flatnonzero(cover >= min(weights.sum() / 2, cover.max()))
    # A column that nothing covers, between two that stay, is uniform.
    mean = ((sums + 1e-9) / (cover + 4e-9))[:, kept[0] : kept[-1] + 1]
    start, end = trim_bounds(mean)
    return mean[:, start:end], lowest + int(kept[0]) + start


def cluster_files(
    memes: Sequence[str | Path],
    tables: Sequence[str | Path],
    models: Sequence[tuple[str, str]],
    database: str | Path,
    output: str | Path,
    members: str | Path,
    meme: str | Path,
    logos: str | Path,
    *,
    tfs: Mapping[str, str],
    alphabets: Mapping[str, str],
    threshold: float = SIMILAR_EVALUE,
) -> None:
    """Write the families of a run's motifs: FAMILY_COLUMNS, MEMBER_COLUMNS, MEME file and logos.

    memes, tables: the motifs of `models` (model, dataset), in that order; the MOST_MOTIFS best
    substantial ones of each enter. tfs, alphabets: of each dataset; a dataset without a line (that
    of networks of many TFs) has no TF, is DNA and lets MOST_SHARED enter. RNA is compared on one
    strand and apart from DNA. Logos are drawn of families of two motifs or more, 60 at most.
    """
    targets = read_meme(database)
    entries: dict[str, list[Entry]] = {"dna": [], "rna": []}
    for (model, dataset), *paths in zip(models, memes, tables, strict=True):
        motifs = [motif for motif in read_motifs(*paths) if is_substantial(motif)]
        entries[alphabets.get(dataset, "dna")] += [
            Entry(model, dataset, tfs.get(dataset, ""), motif)
            for motif in motifs[: MOST_MOTIFS if dataset in tfs else MOST_SHARED]
        ]
    dna = cluster(entries["dna"], targets)
    families = named([*dna, *cluster(entries["rna"], targets, reverse_complement=False)])
    both = [True] * len(dna) + [False] * (len(families) - len(dna))
    table = family_table(families, targets, both, threshold)
    log.info("%d motifs are %d families", sum(map(len, entries.values())), len(families))
    write_table(table, output)
    write_table(member_table(families), members)
    names = dict(zip(table["family"], table["name"], strict=True))
    write_meme([replace(f.motif, alt_name=names[f.motif.name]) for f in families], meme)
    _draw(families, table, both, logos)


def named(families: Iterable[Family]) -> list[Family]:
    """Families whose motifs are called family1, family2, ... in the order given."""
    families = list(families)
    digits = len(str(len(families)))
    return [
        replace(family, motif=replace(family.motif, name=f"family{number:0{digits}d}"))
        for number, family in enumerate(families, start=1)
    ]


def family_table(
    families: Sequence[Family],
    targets: Sequence[Motif],
    both_strands: Sequence[bool],
    threshold: float = SIMILAR_EVALUE,
) -> pd.DataFrame:
    """FAMILY_COLUMNS, one row a family: who shares it, its consensus and best database match.

    A family is named after its match, where E < `threshold`, else by its consensus. logo is the
    stem of its logo's file, "" where none is drawn.
    """
    found = pd.concat(
        [
            match([f.motif for f, b in zip(families, both_strands, strict=True) if b is both],
                  targets, both)
            for both in (True, False)
        ]
    ).set_index("query")  # fmt: skip
    rows = []
    for number, family in enumerate(families):
        best = found.loc[family.motif.name] if family.motif.name in found.index else None
        target, target_name, evalue = ("", "", np.nan)
        if best is not None:
            target, target_name, evalue = best[["target", "target_name", "evalue"]]
        letters = consensus(family.motif.matrix)
        name = (target_name or target) if evalue < threshold else letters
        drawn = len(family.entries) > 1 and number < _MOST_LOGOS
        rows.append(
            (
                family.motif.name, name, len(family.entries), len(family.tfs),
                ",".join(family.tfs), ",".join(sorted({e.model for e in family.entries})),
                letters, target, target_name, evalue, family.motif.name if drawn else "",
            )
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(FAMILY_COLUMNS)).astype({"evalue": float})


def member_table(families: Iterable[Family]) -> pd.DataFrame:
    """MEMBER_COLUMNS, one row a motif of a family."""
    rows = [
        (family.motif.name, entry.model, entry.dataset, entry.tf, entry.motif.name, *place)
        for family in families
        for entry, place in zip(family.entries, family.places, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(MEMBER_COLUMNS))


def _draw(families: Sequence[Family], table: pd.DataFrame, both_strands, folder) -> None:
    """Logos of the families that have one, as <family>.svg and .png."""
    from motifloom.logos import draw_logo

    with whole_folder(folder) as temporary:
        for family, row, both in zip(families, table.itertuples(), both_strands, strict=True):
            if row.logo:
                draw_logo(
                    family.motif,
                    temporary / f"{row.logo}.svg",
                    temporary / f"{row.logo}.png",
                    title=f"{row.family}: {row.name}",
                    alphabet="dna" if both else "rna",
                    match=f"{row.n_motifs} motifs of {row.n_tfs} TFs",
                )
