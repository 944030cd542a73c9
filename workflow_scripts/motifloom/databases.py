"""Motif databases: JASPAR and MEME files, and which of their matrices a motif resembles.

JASPAR's releases come with pyjaspar (SQLite, no network). Similarity is Tomtom's (Gupta et al.
2007, Genome Biology 8:R24) as memelite computes it: a p-value of the best alignment of two
matrices, against a background made of all columns of the targets, so the targets should be many
(25 at least). memelite compiles at its first call (about a minute) and keeps the result on disk;
processes that start together before it is there each compile it, hence `warm_up`.
"""

import difflib
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.files import InputError
from motifloom.metrics import benjamini_hochberg
from motifloom.motif_files import read_meme, write_meme
from motifloom.motifs import PSEUDOCOUNT, Motif, information, rank_motifs
from motifloom.sequences import ALPHABET

log = logging.getLogger(__name__)

SIMILAR_EVALUE = 0.01  # a match
SIMILAR_PVALUE = 1e-4  # the same motif again, for `non_redundant`
LEAST_SITES = 10  # fewer windows do not make a motif worth showing
LEAST_INFORMATION = 2.0  # bits; a motif with less is one base or a composition bias
# Bits a column: what a column must exceed for `core_bounds` to gain by it, and what the columns it
# keeps hold on average. Chosen by how much chance then matches, see docs/matches.md.
_LEAST_COLUMN, _LEAST_MEAN, _STEP = 0.25, 0.6, 0.05
TOMTOM_COLUMNS = (
    "query", "rank", "target", "target_name", "pvalue", "evalue", "qvalue", "offset", "overlap",
    "strand",
)  # fmt: skip


def load_jaspar(release: str, collection: str, tax_groups: Sequence[str] = ()) -> list[Motif]:
    """Latest versions of a JASPAR collection's matrices, ordered by id.

    release: e.g. "JASPAR2026"; collection: e.g. "CORE"; tax_groups: e.g. ["fungi"], all groups
    where empty. Names are matrix ids ("MA0265.3"), alternative names the TFs'. Probabilities
    are the counts with PSEUDOCOUNT a cell, so that a column of zeros reads as uniform. Raises
    InputError for a release, collection or group that is not there.
    """
    database = _open_jaspar(release)
    _check_choice(database, "SELECT DISTINCT COLLECTION FROM MATRIX", [collection], "collection")
    groups = [group.lower() for group in tax_groups]
    query = "SELECT DISTINCT VAL FROM MATRIX_ANNOTATION WHERE TAG = 'tax_group'"
    _check_choice(database, query, groups, "tax group")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nothing was found is said below
        records = database.fetch_motifs(collection=collection, tax_group=groups or None)
    if not records:
        raise InputError(
            f"{release} {collection} has no matrix of tax group {', '.join(groups)};"
            " choose another collection or group"
        )
    return sorted(map(_from_jaspar, records), key=lambda motif: motif.name)


def _open_jaspar(release: str):
    import pyjaspar

    if release not in pyjaspar.jaspar_releases:
        known = ", ".join(sorted(pyjaspar.jaspar_releases))
        raise InputError(f"unknown JASPAR release {release!r}; choose one of {known}")
    return pyjaspar.jaspardb(release=release)


def _check_choice(database, query: str, chosen: Iterable[str], what: str) -> None:
    known = sorted(value for (value,) in database.conn.execute(query) if value)
    for choice in chosen:
        if choice not in known:
            raise InputError(
                f"{database.release} has no {what} {choice!r}; choose among {', '.join(known)}"
            )


def _from_jaspar(record) -> Motif:
    counts = np.array([record.counts[letter] for letter in ALPHABET], np.float64)
    matrix = counts + PSEUDOCOUNT
    return Motif(
        name=record.matrix_id,
        matrix=matrix / matrix.sum(axis=0),
        alt_name=record.name,
        # Some matrices hold frequencies instead of counts; they still have a site.
        n_sites=max(1, round(counts.sum(axis=0).max())),
    )


def load_motif(spec: str, release: str) -> Motif:
    """One matrix, by JASPAR id or from a MEME file.

    spec: a JASPAR id, its latest version ("MA0265") or a certain one ("MA0265.3"), or FILE#ID
    with a motif's name or alternative name in a MEME file. Raises InputError where there is no
    such matrix, naming close ones.
    """
    if "#" in spec:
        return _from_file(spec)
    database = _open_jaspar(release)
    query = "SELECT BASE_ID, VERSION, NAME FROM MATRIX ORDER BY BASE_ID, VERSION"
    records = database.conn.execute(query).fetchall()
    latest = {base: (f"{base}.{version}", name) for base, version, name in records}
    if spec in latest or spec in {f"{base}.{version}" for base, version, _ in records}:
        return _from_jaspar(database.fetch_motif_by_id(spec))
    raise InputError(
        f"{release} has no matrix {spec!r}{_did_you_mean(spec, dict(latest.values()))}"
    )


def _from_file(spec: str) -> Motif:
    path, _, name = spec.rpartition("#")
    motifs = read_meme(path)
    for motif in motifs:
        if motif.name == name:
            return motif
    named = [motif for motif in motifs if motif.alt_name == name]
    if len(named) == 1:
        return named[0]
    if named:
        ids = ", ".join(motif.name for motif in named)
        raise InputError(f"{path}: {name!r} names several motifs; choose one of {ids}")
    known = {motif.name: motif.alt_name for motif in motifs}
    raise InputError(f"{path}: has no motif {name!r}{_did_you_mean(name, known)}")


def _did_you_mean(spec: str, names: Mapping[str, str]) -> str:
    """A clause that suggests up to three of `names` (id to TF name) whose id or name is close."""
    labels = {label.casefold() for pair in names.items() for label in pair if label}
    close = difflib.get_close_matches(spec.casefold(), labels, n=3, cutoff=0.75)
    found = [
        f"{identifier} ({name})" if name else identifier
        for label in close
        for identifier, name in names.items()
        if label in (identifier.casefold(), name.casefold())
    ]
    return f"; did you mean {' or '.join(found[:3])}?" if found else "; check its id"


def write_database(
    output: str | Path,
    release: str | None,
    collection: str = "CORE",
    tax_groups: Sequence[str] = (),
    meme_files: Sequence[str | Path] = (),
) -> int:
    """Write JASPAR's matrices and those of MEME files to one MEME file; returns their number.

    Of motifs with one name the first is kept: JASPAR's (left out where `release` is None or
    ""), then the files' in the order given. Raises InputError where nothing is left.
    """
    motifs = load_jaspar(release, collection, tax_groups) if release else []
    for path in meme_files:
        found = read_meme(path)
        if not found:
            raise InputError(f"{path}: holds no motif; remove it from the motif databases")
        motifs += found
    first = {motif.name: motif for motif in reversed(motifs)}
    kept = [motif for motif in dict.fromkeys(motifs) if first[motif.name] is motif]
    if not kept:
        raise InputError("the motif database is empty; give a JASPAR release or a MEME file")
    write_meme(kept, output)
    log.info("%d motifs", len(kept))
    return len(kept)


def warm_up() -> None:
    """Compile memelite's Tomtom, if its cache on disk does not hold it yet."""
    columns = np.eye(4) * 0.9 + 0.025
    compare([Motif("query", columns)], [Motif("target", columns)] * 25)


def compare(
    queries: Sequence[Motif], targets: Sequence[Motif], reverse_complement: bool = True
) -> np.ndarray:
    """float64 [5, Q, T]: p-value, score, offset, overlap and strand of each best alignment."""
    from memelite import tomtom

    with warnings.catch_warnings():
        # Few targets: what that means is documented above.
        warnings.filterwarnings("ignore", message="tomtom was given")
        return tomtom(
            # One dtype always: memelite compiles anew for another.
            [query.matrix.astype(np.float64) for query in queries],
            [target.matrix.astype(np.float64) for target in targets],
            reverse_complement=reverse_complement,
        )


def tomtom(
    queries: Sequence[Motif],
    targets: Sequence[Motif],
    reverse_complement: bool = True,
    top: int = 1,
) -> pd.DataFrame:
    """The `top` best matches of each query among the targets, in the queries' order, best first.

    Columns: query, rank (from 1), target, target_name, pvalue, evalue (p-value times the number
    of targets), qvalue (Benjamini & Hochberg 1995 over the targets of that query), offset (the
    target's column, as it lies on `strand`, under the query's first; may be negative), overlap
    (columns), strand ("-": the target's reverse complement). Among equal p-values the higher
    score counts, then the earlier target. Fewer rows a query where there are fewer targets.
    """
    if not queries or not targets:
        return pd.DataFrame({name: [] for name in TOMTOM_COLUMNS})
    pvalues, scores, offsets, overlaps, strands = compare(queries, targets, reverse_complement)
    qvalues = benjamini_hochberg(np.clip(pvalues, 0, 1))
    best = np.lexsort((-scores, pvalues), axis=1)[:, :top]
    chosen = best.ravel()
    rows = np.repeat(np.arange(len(queries)), best.shape[1]), chosen
    columns = (
        np.repeat([query.name for query in queries], best.shape[1]),
        np.tile(np.arange(1, best.shape[1] + 1), len(queries)),
        [targets[i].name for i in chosen],
        [targets[i].alt_name for i in chosen],
        pvalues[rows],
        pvalues[rows] * len(targets),
        qvalues[rows],
        offsets[rows].astype(int),
        overlaps[rows].astype(int),
        np.where(strands[rows] == 1, "-", "+"),
    )
    return pd.DataFrame(dict(zip(TOMTOM_COLUMNS, columns, strict=True)))


def core_bounds(matrix: np.ndarray) -> tuple[int, int]:
    """First column and column after the last of the stretch that a matrix [4, W] is compared by.

    Long flat stretches resemble those of other matrices, so that whole wide kernels match almost
    anything. The stretch is the one whose information above a floor a column is the largest; the
    floor begins at 0.25 bits and rises until the stretch holds 0.6 bits a column on average. A
    gap inside a motif stays where both sides outweigh it. At least one column is kept.

    >>> core_bounds(np.array([[0.3, 1, 0], [0.3, 0, 1], [0.2, 0, 0], [0.2, 0, 0]]))
    (1, 3)
    """
    bits = information(matrix)
    for floor in np.arange(_LEAST_COLUMN, 2.0, _STEP):
        start, end = _largest_stretch(bits - floor)
        if bits[start:end].mean() >= _LEAST_MEAN:
            break
    return start, end


def _largest_stretch(gains: np.ndarray) -> tuple[int, int]:
    """Bounds of the stretch with the largest sum, at least one column (the earliest of equals)."""
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    lowest = np.minimum.accumulate(sums[:-1])
    end = int((sums[1:] - lowest).argmax()) + 1
    return int(sums[:end].argmin()), end


def core(motif: Motif) -> Motif:
    """The motif, cut to the stretch that it is compared by (`core_bounds`)."""
    start, end = core_bounds(motif.matrix)
    return replace(motif, matrix=motif.matrix[:, start:end])


def is_substantial(motif: Motif) -> bool:
    """Whether a motif has LEAST_SITES sites and LEAST_INFORMATION bits."""
    return motif.n_sites >= LEAST_SITES and motif.information >= LEAST_INFORMATION


def non_redundant(
    motifs: Sequence[Motif],
    limit: int,
    background: Sequence[Motif] = (),
    reverse_complement: bool = True,
    pvalue: float = SIMILAR_PVALUE,
) -> list[Motif]:
    """The `limit` best motifs (`rank_motifs`) that do not repeat a better one.

    Left out are motifs with fewer than LEAST_SITES sites or LEAST_INFORMATION bits and those
    whose Tomtom p-value against a motif already chosen, by their informative stretches (`core`),
    is below `pvalue`. `background`: further targets whose columns make the p-values' background,
    best a motif database. `reverse_complement` False (RNA) compares one strand only.
    """
    ranked = [motif for motif in rank_motifs(motifs) if is_substantial(motif)]
    if len(ranked) < 2 or limit < 2:
        return ranked[:limit]
    cores = [core(motif) for motif in ranked]
    similar = compare(cores, [*cores, *background], reverse_complement)[0] < pvalue
    chosen: list[int] = []
    for candidate in range(len(ranked)):
        if len(chosen) < limit and not similar[candidate, chosen].any():
            chosen.append(candidate)
    return [ranked[i] for i in chosen]
