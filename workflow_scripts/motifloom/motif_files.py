"""Motif files: MEME's minimal format; JASPAR and TRANSFAC, which Biopython writes."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from motifloom.files import InputError, open_text, read_table, write_text
from motifloom.motifs import Motif


def read_motifs(meme: str | Path, table: str | Path) -> list[Motif]:
    """Motifs, in rank order, from a MEME file and the table (`motif_table`) written with it.

    Motifs without sites are in the table alone; they get one uniform column. Where their sites
    lie is not read back.
    """
    matrices = {motif.name: motif.matrix for motif in read_meme(meme)}
    texts = ("kernel", "kernels", "status", "recipe", "initialised_from", "metric")
    return [
        Motif(
            name=row.kernel,
            matrix=matrices.get(row.kernel, np.full((4, 1), 0.25)),
            n_sites=row.n_sites,
            n_sequences=row.n_sequences,
            recipe=row.recipe,
            effect=row.effect,
            validation_drop=row.validation_drop,
            test_drop=row.test_drop,
            metric=row.metric,
            initialised_from=row.initialised_from,
            status=row.status,
            kernels=tuple(row.kernels.split(",")),
            n_members=row.n_members,
            members=row.members,
        )
        for row in read_table(table, texts).itertuples()
    ]


def write_meme(motifs: Iterable[Motif], path: str | Path, alphabet: str = "ACGT") -> None:
    """Write motifs in minimal MEME format, version 4; those without sites are left out.

    `alphabet` is ACGT, or ACGU for RNA (one strand). Probabilities have six decimals.
    """
    background = " ".join(f"{letter} 0.25" for letter in alphabet)
    parts = [
        "MEME version 4\n",
        f"ALPHABET= {alphabet}\n",
        f"strands: {'+' if 'U' in alphabet else '+ -'}\n",
        f"Background letter frequencies\n{background}\n",
    ]
    for motif in motifs:
        if motif.n_sites > 0:
            parts.append(_meme_entry(motif, alphabet))
    write_text("\n".join(parts), path)


def _meme_entry(motif: Motif, alphabet: str) -> str:
    # A blank would end the name.
    label = " ".join("_".join(name.split()) for name in (motif.name, motif.alt_name)).rstrip()
    rows = "\n".join(" ".join(f"{p:.6f}" for p in column) for column in motif.matrix.T)
    return (
        f"MOTIF {label}\nletter-probability matrix: alength= {len(alphabet)}"
        f" w= {motif.matrix.shape[1]} nsites= {motif.n_sites} E= 0\n{rows}\n"
    )


def read_meme(path: str | Path) -> list[Motif]:
    """Motifs of a MEME file (minimal format or MEME's own text output; DNA or RNA).

    Columns are scaled to sum to 1. A matrix that does not say nsites has 20, MEME's default. A
    file with a header but without motifs gives []. Raises InputError, naming the line, for a
    file that is missing, empty or not in MEME format, another alphabet, and rows that are not
    four non-negative probabilities that sum to 1.
    """
    with open_text(path) as stream:
        lines = stream.read().split("\n")
    if not any(line.startswith("MEME version") for line in lines):
        raise InputError(f"{path}: is not in MEME format (no line begins with 'MEME version')")
    motifs: list[Motif] = []
    names: list[str] = []
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        if line.startswith("ALPHABET="):
            _check_alphabet(line.partition("=")[2], where)
        elif line.startswith("MOTIF") and line.split()[0] == "MOTIF":
            names = line.split()[1:3]
            if not names:
                raise InputError(f"{where}: MOTIF without a name; add one")
        elif line.startswith("letter-probability matrix"):
            if not names:
                raise InputError(f"{where}: a matrix without a MOTIF line; add one before it")
            matrix, n_sites = _read_matrix(lines, number, path)
            motifs.append(Motif(names[0], matrix, " ".join(names[1:]), n_sites))
            names = []
    return motifs


def _check_alphabet(alphabet: str, where: str) -> None:
    if "".join(alphabet.split()) not in ("ACGT", "ACGU"):
        raise InputError(
            f"{where}: alphabet {alphabet.strip()!r}; give motifs of ACGT (DNA) or ACGU (RNA)"
        )


def _read_matrix(lines: Sequence[str], header: int, path: str | Path) -> tuple[np.ndarray, int]:
    """Matrix [4, W] and sites that follow the 1-based line `header`."""
    where = f"{path}: line {header}"
    words = lines[header - 1].partition(":")[2].replace("=", " ").split()
    attributes = dict(zip(words[::2], words[1::2], strict=False))
    try:
        width = int(attributes["w"]) if "w" in attributes else None
        n_sites = round(float(attributes.get("nsites", 20)))
    except (ValueError, OverflowError):
        raise InputError(f"{where}: w= or nsites= is not a number; mend this line") from None
    if attributes.get("alength", "4") != "4" or width == 0:
        raise InputError(f"{where}: give a matrix with alength= 4 and at least one row")
    rows = _numbers(lines, header) if width is None else lines[header : header + width]
    if not rows or (width is not None and len(rows) < width):
        raise InputError(f"{where}: the matrix ends before its last row; is the file complete?")
    matrix = np.array(
        [_probabilities(row, f"{path}: line {header + i}") for i, row in enumerate(rows, start=1)]
    ).T
    return matrix / matrix.sum(axis=0), n_sites


def _numbers(lines: Sequence[str], first: int) -> list[str]:
    """The lines from index `first` to the first that does not begin with a digit."""
    rows = []
    for line in itertools.islice(lines, first, None):
        if not line.strip()[:1].isdigit():
            break
        rows.append(line)
    return rows


def _probabilities(line: str, where: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError:
        row = []
    # Written so that NaN fails too.
    if not (len(row) == 4 and min(row) >= 0 and abs(sum(row) - 1) <= 0.01):
        raise InputError(
            f"{where}: {line.strip()[:60]!r} is not four probabilities (A, C, G, T) that are at"
            " least 0 and sum to 1; mend the matrix"
        )
    return row


def write_jaspar(motifs: Iterable[Motif], path: str | Path) -> None:
    """Write motifs as counts in JASPAR's format, by Biopython; see `_counts`."""
    from Bio.motifs import jaspar

    kept = [
        jaspar.Motif(matrix_id=_word(motif.name), name=_word(motif.alt_name), counts=_counts(motif))
        for motif in motifs
        if motif.n_sites > 0
    ]
    write_text(jaspar.write(kept, "jaspar"), path)


def write_transfac(motifs: Iterable[Motif], path: str | Path) -> None:
    """Write motifs as counts in TRANSFAC's format, by Biopython; see `_counts`."""
    from Bio.motifs import transfac

    kept = []
    for motif in motifs:
        if motif.n_sites > 0:
            made = transfac.Motif(alphabet="ACGT", counts=_counts(motif))
            made["AC"] = made["ID"] = _word(motif.name)
            kept.append(made)
    write_text(transfac.write(kept), path)


def _word(name: str) -> str:
    """A name without blanks, which would end it."""
    return "_".join(name.split())


def _counts(motif: Motif) -> dict[str, list[int]]:
    """Probabilities times the number of sites, rounded, by letter.

    Those without sites are left out of files. RNA is written in the letters of DNA, since neither
    format knows U.
    """
    counts = np.rint(motif.matrix * motif.n_sites).astype(int)
    return {letter: row.tolist() for letter, row in zip("ACGT", counts, strict=True)}
