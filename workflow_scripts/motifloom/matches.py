"""What a model's motifs resemble in a motif database, beside what chance would give.

Motifs are compared by their informative stretch (`databases.core_bounds`). How many would match by
chance is measured: the same stretches with their columns shuffled, matched in the same way.
"""

import logging
from collections.abc import Mapping, Sequence
from math import nan
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.databases import (
    SIMILAR_EVALUE,
    compare,
    core,
    core_bounds,
    is_substantial,
    load_motif,
    tomtom,
)
from motifloom.files import read_table, write_table
from motifloom.motif_files import read_meme, read_motifs
from motifloom.motifs import Motif, shuffle_columns

MATCH_COLUMNS = (
    "dataset", "model", "kernel", "n_sites", "information", "validation_drop", "initialised_from",
    "rank", "match", "match_name", "pvalue", "evalue", "qvalue", "offset", "overlap", "strand",
    "recovers",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "dataset", "model", "members", "kernels", "never_fire", "weak", "redundant", "motifs",
    "matched", "matched_by_chance", "chance_share", "evalue", "controls", "note",
)  # fmt: skip
_CHANCE_SHARE = 0.05  # of the motifs; where more match by chance, the summary says so
log = logging.getLogger(__name__)


def match(
    motifs: Sequence[Motif],
    targets: Sequence[Motif],
    reverse_complement: bool = True,
    top: int = 1,
) -> pd.DataFrame:
    """`databases.tomtom` by the motifs' informative stretches.

    The offset counts from the whole motif's first column; the overlap counts compared columns.
    Motifs that never fire are left out.
    """
    alive = [motif for motif in motifs if motif.n_sites > 0]
    found = tomtom([core(motif) for motif in alive], targets, reverse_complement, top)
    if len(found):
        starts = {motif.name: core_bounds(motif.matrix)[0] for motif in alive}
        found["offset"] -= found["query"].map(starts)
    return found


def annotate(
    motifs: Sequence[Motif],
    targets: Sequence[Motif],
    own: Mapping[str, Motif],
    dataset: str,
    model: str,
    threshold: float = SIMILAR_EVALUE,
    reverse_complement: bool = True,
    top: int = 1,
) -> pd.DataFrame:
    """Each motif's `top` best matches in a database, and the TFs whose own matrix it recovers.

    own: TF name to its matrix; matrices that the targets lack (by name) are added to them.
    Columns: MATCH_COLUMNS; those of `match`, one row a motif and rank. A TF is recovered by a
    kernel that was not started from a matrix, whose best match has E < `threshold` and is the
    TF's own matrix or similar to it (E < `threshold` with the own matrix as query). `recovers`
    joins such TFs with commas, in the rows of rank 1. It is empty below LEAST_SITES or
    LEAST_INFORMATION. A kernel that never fires has one row without a match and NaN for its
    numbers. Rows keep the order of the motifs. `reverse_complement` False (RNA) compares one
    strand only.
    """
    targets = with_own(targets, own)
    found = match(motifs, targets, reverse_complement, top)
    found = found.rename(
        columns={"query": "kernel", "target": "match", "target_name": "match_name"}
    )
    table = _motif_columns(motifs)
    table = table.merge(found.astype({"kernel": object}), on="kernel", how="left")
    texts = ["match", "match_name", "strand"]
    table[texts] = table[texts].astype(object).fillna("")
    table["rank"] = table["rank"].fillna(1).astype(int)
    whole = dict.fromkeys(("offset", "overlap"), "Int64")
    table = table.astype(whole | dict.fromkeys(("pvalue", "evalue", "qvalue"), float))
    table["recovers"] = _recovered(table, motifs, targets, own, threshold, reverse_complement)
    return table.assign(dataset=dataset, model=model)[list(MATCH_COLUMNS)]


def _motif_columns(motifs: Sequence[Motif]) -> pd.DataFrame:
    """The columns that say which motif a row is of."""
    table = pd.DataFrame(
        {
            "kernel": [motif.name for motif in motifs],
            "n_sites": [motif.n_sites for motif in motifs],
            "information": [motif.information for motif in motifs],
            "validation_drop": [motif.validation_drop for motif in motifs],
            "initialised_from": [motif.initialised_from for motif in motifs],
        }
    )
    texts = {"kernel": object, "initialised_from": object}
    return table.astype(texts | {"n_sites": int, "information": float, "validation_drop": float})


def with_own(targets: Sequence[Motif], own: Mapping[str, Motif]) -> list[Motif]:
    """The targets, and those of the TFs' own matrices that are not among them by name."""
    present = {target.name for target in targets}
    added = {motif.name: motif for motif in own.values() if motif.name not in present}
    return [*targets, *added.values()]


def _recovered(table, motifs, targets, own, threshold, reverse_complement) -> list[str]:
    """The TFs that each row of matches recovers, joined with commas."""
    if not len(table) or not own:
        return [""] * len(table)
    relatives = _relatives(own, targets, threshold, reverse_complement)
    sound = {motif.name for motif in motifs if is_substantial(motif)}
    counts = (table["rank"] == 1) & (table["evalue"] < threshold) & table["kernel"].isin(sound)
    counts &= table["initialised_from"] == ""
    return [
        ",".join(tf for tf, names in relatives.items() if counted and name in names)
        for counted, name in zip(counts, table["match"], strict=True)
    ]


def _relatives(
    own: Mapping[str, Motif], targets: Sequence[Motif], threshold: float, reverse_complement: bool
) -> dict[str, set[str]]:
    """Names of the targets that are a TF's own matrix or similar to it, by TF."""
    queries = [core(motif) for motif in own.values()]
    similar = compare(queries, targets, reverse_complement)[0] * len(targets) < threshold
    return {
        tf: {motif.name, *(targets[i].name for i in np.flatnonzero(row))}
        for (tf, motif), row in zip(own.items(), similar, strict=True)
    }


def matched_by_chance(
    motifs: Sequence[Motif],
    targets: Sequence[Motif],
    controls: int,
    seed: int,
    threshold: float = SIMILAR_EVALUE,
    reverse_complement: bool = True,
) -> float:
    """How many of the motifs match (E < `threshold`) with shuffled columns: mean of `controls`.

    The columns of the compared stretch are shuffled, so that width, composition and information
    of what is compared stay; the seeds are `seed`, `seed` + 1, ...
    """
    if not motifs or not targets:
        return 0.0
    cores = [core(motif) for motif in motifs]
    found = [
        tomtom(shuffle_columns(cores, seed + i), targets, reverse_complement)
        for i in range(controls)
    ]
    return sum(int((table["evalue"] < threshold).sum()) for table in found) / controls


def summarise(
    motifs: Sequence[Motif],
    matches: pd.DataFrame,
    kernels: pd.DataFrame,
    targets: Sequence[Motif],
    *,
    threshold: float,
    controls: int,
    seed: int,
    reverse_complement: bool = True,
) -> dict[str, object]:
    """What became of a model's kernels, and how many of its motifs match, beside chance.

    matches: table of `annotate`; kernels: kernels.tsv (kernel, member, status). Only motifs that
    are substantial (`databases.is_substantial`) count. Returns SUMMARY_COLUMNS without dataset
    and model; matched_by_chance is a mean (`matched_by_chance`), chance_share its share of the
    motifs, NaN without motifs. The note says what is not as it should be.
    """
    counted = [motif for motif in motifs if is_substantial(motif)]
    best = matches[(matches["rank"] == 1) & matches["kernel"].isin([m.name for m in counted])]
    chance = matched_by_chance(counted, targets, controls, seed, threshold, reverse_complement)
    status = kernels["status"].value_counts()
    summary = {
        "members": kernels["member"].nunique(),
        "kernels": len(kernels),
        "never_fire": int(status.get("never fires", 0)),
        "weak": int(status.get("weak", 0)),
        "redundant": int(status.get("redundant", 0)),
        "motifs": len(counted),
        "matched": int((best["evalue"] < threshold).sum()),
        "matched_by_chance": chance,
        "chance_share": chance / len(counted) if counted else nan,
        "evalue": threshold,
        "controls": controls,
    }
    return summary | {"note": _note(summary, counted)}


def _note(summary: Mapping[str, object], motifs: Sequence[Motif]) -> str:
    started = sum(bool(motif.initialised_from) for motif in motifs)
    notes = [
        (not summary["kernels"], "no kernels: the network does not begin with a convolution"),
        (summary["kernels"] and not motifs, "no kernel holds enough sites or information"),
        (started, f"{started} motifs were started from database matrices"),
        (
            summary["chance_share"] > _CHANCE_SHARE,
            f"more than {_CHANCE_SHARE:.0%} match by chance: lower motifs: evalue",
        ),
    ]
    return "; ".join(text for applies, text in notes if applies)


def annotate_files(
    meme: str | Path,
    table: str | Path,
    kernels: str | Path,
    database: str | Path,
    matches: str | Path,
    summary: str | Path,
    logos: str | Path,
    *,
    own: Mapping[str, str],
    dataset: str,
    model: str,
    alphabet: str,
    release: str,
    limit: int,
    top: int = 1,
    threshold: float = SIMILAR_EVALUE,
    controls: int = 10,
    seed: int = 1,
    both_ways: bool = False,
) -> None:
    """Write a model's matches.tsv (`annotate`), summary.tsv (`summarise`) and its logos.

    meme, table, kernels: the model's motifs; database: MEME file of the targets; own: TF name to
    the spec (`load_motif`) of its known motif, looked up in `release`; alphabet: "dna" or "rna";
    limit: logos at most, both_ways: with reverse complements (`logos.draw_logos`).
    """
    from motifloom.logos import draw_logos

    motifs = read_motifs(meme, table)
    known = {tf: load_motif(spec, release) for tf, spec in own.items()}
    targets = with_own(read_meme(database), known)
    both = alphabet == "dna"
    found = annotate(motifs, targets, known, dataset, model, threshold, both, top)
    counts = summarise(
        motifs,
        found,
        read_table(kernels, ("status",)),
        targets,
        threshold=threshold,
        controls=controls,
        seed=seed,
        reverse_complement=both,
    )
    _say(counts)
    write_table(found, matches)
    write_table(
        pd.DataFrame([{"dataset": dataset, "model": model} | counts])[list(SUMMARY_COLUMNS)],
        summary,
    )
    draw_logos(motifs, found, logos, limit, alphabet, targets, threshold, both_ways and both)


def _say(counts: Mapping[str, object]) -> None:
    log.info(
        "%d of %d motifs match at E < %g; of their column-shuffled copies %.1f do (mean of %d)%s",
        *(counts[name] for name in ("matched", "motifs", "evalue", "matched_by_chance")),
        counts["controls"],
        f"; {counts['note']}" if counts["note"] else "",
    )
