"""Sequence logos of motifs, as SVG and PNG.

Letters are stacked to the column's information in bits (Schneider & Stephens 1990, Nucleic
Acids Research 18:6097), drawn by logomaker (Tareen & Kinney 2020, Bioinformatics 36:2272). The
same motif gives the same bytes: ids in the SVG are salted with a constant and no date is written.
"""

from collections.abc import Sequence
from pathlib import Path

import logomaker
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from motifloom.databases import SIMILAR_EVALUE, non_redundant
from motifloom.files import atomic, whole_folder
from motifloom.motifs import Motif, information

LETTERS = {"dna": "ACGT", "rna": "ACGU"}
# The usual green, blue, yellow and red, in hues and lightnesses that colour-blind readers can
# tell apart (after Okabe & Ito, Color Universal Design, 2008).
COLOURS = {"A": "#009E73", "C": "#0072B2", "G": "#F0A500", "T": "#C8391B", "U": "#C8391B"}
_GREY = "#6b6b6b"
_STYLE = {
    "svg.hashsalt": "motifloom",
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Arial", "Helvetica", "sans-serif"],
    "font.size": 9.0,
}
_COLUMN = 0.26  # inches; the margins below are inches too
_LEFT, _RIGHT, _TOP, _BOTTOM, _HEIGHT = 0.55, 0.15, 0.52, 0.28, 1.15
_LETTER = 0.066  # of the caption


def draw_logo(
    motif: Motif,
    path_svg: str | Path,
    path_png: str | Path,
    title: str = "",
    alphabet: str = "dna",
    match: str = "",
    both_ways: bool = False,
) -> None:
    """Draw one motif's logo, 0 to 2 bits, to an SVG and a PNG file.

    title: above the logo, the motif's name where empty; alphabet: "dna", or "rna" to write U;
    match: what the motif resembles, for the caption beside its sites and information. With
    `both_ways` its reverse complement stands beside it.
    """
    ways = [motif.matrix, motif.matrix[::-1, ::-1]] if both_ways else [motif.matrix]
    with matplotlib.rc_context(_STYLE):
        figure = _figure(ways, title or motif.name, _caption(motif, match), LETTERS[alphabet])
        with atomic(path_svg) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
        with atomic(path_png) as temporary:
            figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})


def _caption(motif: Motif, match: str) -> str:
    parts = [f"{motif.n_sites:,} sites", f"{motif.information:.1f} bits"]
    if motif.members > 1:
        parts.append(f"in {motif.n_members} of {motif.members} networks")
    return " · ".join([*parts, match] if match else parts)


def _figure(ways: Sequence[np.ndarray], title: str, caption: str, letters: str) -> Figure:
    """Matrices [4, W] of the same width side by side, the second as a reverse complement."""
    n_columns = ways[0].shape[1]
    logo = _COLUMN * n_columns
    drawn = len(ways) * logo + (len(ways) - 1) * _LEFT
    width = _LEFT + max(drawn, _LETTER * len(caption)) + _RIGHT
    height = _TOP + _HEIGHT + _BOTTOM
    figure = Figure(figsize=(width, height))
    for number, matrix in enumerate(ways):
        left = _LEFT + number * (logo + _LEFT)
        axes = figure.add_axes((left / width, _BOTTOM / height, logo / width, _HEIGHT / height))
        _draw_letters(axes, matrix, letters)
        _clean(axes, n_columns)
        if number:
            axes.set_title("reverse complement", loc="left", size=7.5, color=_GREY, pad=3)
    figure.text(_LEFT / width, 1 - 0.2 / height, title, weight="bold", va="baseline")
    figure.text(_LEFT / width, 1 - 0.38 / height, caption, size=7.5, color=_GREY, va="baseline")
    return figure


def _draw_letters(axes, matrix: np.ndarray, letters: str, start: int = 0) -> None:
    """Stacked letters of a matrix [4, W], its first column at place `start` + 1."""
    heights = pd.DataFrame((matrix * information(matrix)).T, columns=list(letters))
    heights.index += 1 + start
    logomaker.Logo(heights, ax=axes, color_scheme=COLOURS, vpad=0.01, width=0.95)


def _clean(axes, n_columns: int) -> None:
    """Axes with bits on the left, positions below, and nothing else."""
    axes.set_xlim(0.5, n_columns + 0.5)
    axes.set_ylim(0, 2)
    axes.set_yticks([0, 1, 2])
    axes.set_ylabel("bits", labelpad=2)
    marked = [1, *range(5, n_columns + 1, 5)]
    axes.set_xticks(marked)
    axes.tick_params(colors=_GREY, labelcolor="black", labelsize=7.5, length=2.5, width=0.8)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set(color=_GREY, linewidth=0.8)
    axes.tick_params(axis="x", length=0, pad=2)


def draw_logos(
    motifs: Sequence[Motif],
    matches: pd.DataFrame,
    folder: str | Path,
    limit: int,
    alphabet: str = "dna",
    targets: Sequence[Motif] = (),
    threshold: float = SIMILAR_EVALUE,
    both_ways: bool = False,
) -> list[Motif]:
    """Draw the `limit` best different motifs (`non_redundant`) as <kernel>.svg and .png.

    The motif with the best database match, of those that recover an expected one if there are
    any, is always among them, in the last one's place where needed.

    matches: table of `matches.annotate`, whose rows of rank 1 count; where E < `threshold`, the
    match goes into the caption and is drawn below the motif in <kernel>.pair.svg (`draw_pair`).
    targets: the motif database. both_ways: draw reverse complements beside the logos. The folder
    appears whole, in place of an older one, or not at all; it is empty where no motif is worth
    drawing. Returns the drawn motifs in rank order.
    """
    best = matches[matches["rank"] == 1]
    different = non_redundant(motifs, limit, targets, alphabet == "dna")
    chosen = _with_best_match(different, motifs, best)
    found = {row.kernel: row for row in best[best["evalue"] < threshold].itertuples()}
    by_name = {target.name: target for target in targets}
    with whole_folder(folder) as temporary:
        for motif in chosen:
            row = found.get(motif.name)
            draw_logo(
                motif,
                temporary / f"{motif.name}.svg",
                temporary / f"{motif.name}.png",
                alphabet=alphabet,
                match=f"like {row.match_name or row.match} ({_evalue(row.evalue)})" if row else "",
                both_ways=both_ways,
            )
            if row:
                draw_pair(
                    motif,
                    by_name[row.match],
                    temporary / f"{motif.name}.pair.svg",
                    offset=int(row.offset),
                    strand=row.strand,
                    evalue=row.evalue,
                    alphabet=alphabet,
                )
    return chosen


def _evalue(value: float) -> str:
    return f"E = {value:.0e}"


def draw_pair(
    motif: Motif,
    target: Motif,
    path: str | Path,
    *,
    offset: int,
    strand: str,
    evalue: float,
    alphabet: str = "dna",
) -> None:
    """Draw a motif above the database matrix that it matches, aligned, to an SVG file.

    offset: the target's column under the motif's first; strand: "-" draws the target's reverse
    complement (`databases.tomtom`). Columns of both stand on one grid, numbered by the motif's.
    """
    matrix = target.matrix[::-1, ::-1] if strand == "-" else target.matrix
    turned = " · reverse complement" if strand == "-" else ""
    label = f"{target.alt_name} ({target.name})" if target.alt_name else target.name
    caption = f"{label}{turned} · {_evalue(evalue)} · offset {offset}"
    first = min(0, -offset)
    end = max(motif.matrix.shape[1], matrix.shape[1] - offset)
    with matplotlib.rc_context(_STYLE):
        width = _LEFT + max(_COLUMN * (end - first), _LETTER * len(caption)) + _RIGHT
        height = 2 * (_TOP + _HEIGHT)
        figure = Figure(figsize=(width, height))
        rows = ((motif.matrix, 0, motif.name), (matrix, -offset, caption))
        for row, (drawn, start, text) in enumerate(rows):
            bottom = height - (row + 1) * (_TOP + _HEIGHT) + 0.24
            box = (_LEFT / width, bottom / height, _COLUMN * (end - first) / width)
            axes = figure.add_axes((*box, _HEIGHT / height))
            _draw_letters(axes, drawn, LETTERS[alphabet], start)
            _clean(axes, motif.matrix.shape[1])
            axes.set_xlim(first + 0.5, end + 0.5)
            above = (bottom + _HEIGHT + 0.08) / height
            figure.text(_LEFT / width, above, text, size=8.5, weight="bold" if not row else None)
        with atomic(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})


def _with_best_match(
    chosen: list[Motif], motifs: Sequence[Motif], matches: pd.DataFrame
) -> list[Motif]:
    """The chosen motifs, the last replaced by the best-matching one where that is missing."""
    if not chosen or not matches["evalue"].notna().any():
        return chosen
    own = matches[matches["recovers"].astype(bool)] if "recovers" in matches else matches[:0]
    best = (own if len(own) else matches).nsmallest(1, "evalue")["kernel"].iloc[0]
    if best in {motif.name for motif in chosen}:
        return chosen
    wanted = [motif for motif in motifs if motif.name == best and motif.n_sites > 0]
    return [*chosen[: len(chosen) - len(wanted)], *wanted]
