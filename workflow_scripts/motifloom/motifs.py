"""Kernels as motifs: matrices read off first-layer kernels, their measures, and MEME files.

A matrix is float64 [4, W], rows A, C, G, T, one column of probabilities a position. Sources:
Alipanahi et al. 2015 (Nature Biotechnology 33:831, Supplementary Notes) for `deepbind`;
Quang & Xie 2016 (Nucleic Acids Research 44:e107, Methods) for `danq`; Kelley et al. 2016
(Basset, Genome Research 26:990, Methods) for `halfmax`; information content after Schneider &
Stephens 1990 (Nucleic Acids Research 18:6097) without its small-sample correction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from motifloom.files import InputError, open_text, read_table, write_text
from motifloom.sequences import one_hot, reverse_complement

RECIPES = ("deepbind", "danq", "halfmax")
PSEUDOCOUNT = 1e-4  # added to each cell of a count matrix
SCAN_BYTES = 1 << 25  # a block of windows and scores; small enough to stay near the caches
IUPAC_OF = {
    "A": "A", "C": "C", "G": "G", "T": "T", "AC": "M", "AG": "R", "AT": "W",
    "CG": "S", "CT": "Y", "GT": "K",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Motif:
    """One motif and where it comes from.

    name: of a kernel ("k07") or a database matrix ("MA0265.3"); alt_name: e.g. the TF's name.
    matrix: probabilities, float64 [4, W], rows A, C, G, T. n_sites: windows it was counted from;
    0 marks a kernel that never fires. n_sequences: sequences searched for them. recipe: one of
    RECIPES, or "" for a database matrix. effect: what the kernel is worth to its model, NaN if
    not measured. initialised_from: the matrix the kernel was started from, "" if random.
    """

    name: str
    matrix: np.ndarray
    alt_name: str = ""
    n_sites: int = 0
    n_sequences: int = 0
    recipe: str = ""
    effect: float = nan
    validation_drop: float = nan
    initialised_from: str = ""

    @property
    def information(self) -> float:
        """Information content in bits, summed over the columns."""
        return float(information(self.matrix).sum())


def information(matrix: np.ndarray) -> np.ndarray:
    """Information of each column in bits, float64 [W]: 2 - entropy (uniform background).

    >>> information(np.array([[1, 0.5, 0.25], [0, 0.5, 0.25], [0, 0, 0.25], [0, 0, 0.25]])).tolist()
    [2.0, 1.0, 0.0]
    """
    logs = np.log2(np.where(matrix > 0, matrix, 1.0))
    return 2.0 + (matrix * logs).sum(axis=0)


def trim_bounds(matrix: np.ndarray, least: float = 0.1, share: float = 0.1) -> tuple[int, int]:
    """First column and column after the last that `trim` keeps of a matrix [4, W]."""
    bits = information(matrix)
    kept = np.flatnonzero(bits >= max(least, share * bits.max()))
    return (int(kept[0]), int(kept[-1]) + 1) if len(kept) else (0, matrix.shape[1])


def trim(matrix: np.ndarray, least: float = 0.1, share: float = 0.1) -> np.ndarray:
    """Matrix [4, W] without the uninformative columns at its two ends.

    A column stays if it holds at least `least` bits and `share` of the largest column's bits;
    columns between two that stay do too. A matrix without any such column is returned whole.
    """
    low, high = trim_bounds(matrix, least, share)
    return matrix[:, low:high]


def consensus(matrix: np.ndarray) -> str:
    """IUPAC consensus of a matrix [4, W] by Cavener's rules (1987, Nucleic Acids Res. 15:1353).

    One base where it exceeds one half and twice the second, two bases where they exceed three
    quarters together, else N.
    """
    order = np.argsort(-matrix, axis=0, kind="stable")
    first, second = np.take_along_axis(matrix, order[:2], axis=0)
    one = (first > 0.5) & (first > 2 * second)
    two = ~one & (first + second > 0.75)
    letters = np.array(["A", "C", "G", "T"])[order[:2]]
    pairs = ["".join(sorted(pair)) for pair in letters.T]
    return "".join(
        letters[0, i] if one[i] else IUPAC_OF[pairs[i]] if two[i] else "N"
        for i in range(matrix.shape[1])
    )


def _exact(kernels: np.ndarray) -> np.ndarray:
    """Kernels [C, 4, K] rounded (by about 1e-7 of their largest score) to exactly summable steps.

    Every sum of one weight a position is then exact in float32, so a score does not depend on
    the order in which BLAS adds, and equal windows and palindromes tie exactly.
    """
    largest = np.abs(kernels.astype(np.float64)).max(axis=1).sum(axis=1)
    step = 2.0 ** (np.ceil(np.log2(np.maximum(largest, 1e-30))) - 23)[:, None, None]
    return (np.round(kernels / step) * step).astype(np.float32)


def _scan(
    codes: np.ndarray, kernels: np.ndarray, both_strands: bool
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, scores float32 [n, S, C, L - K + 1]) for blocks of n sequences.

    S is 2 (forward, reverse) with both strands, else 1. Score of the reverse strand at a
    position: the kernel on the reverse complement of the window that starts there.
    """
    n_kernels, _, width = kernels.shape
    n_windows = codes.shape[1] - width + 1
    if n_windows < 1:
        raise InputError(
            f"sequences of {codes.shape[1]} bases are shorter than kernels of {width} positions;"
            " use longer windows or narrower kernels"
        )
    bank = _exact(kernels)
    if both_strands:
        bank = np.concatenate([bank, bank[:, ::-1, ::-1]])
    bank = bank.reshape(len(bank), 4 * width)
    block = max(1, SCAN_BYTES // (4 * n_windows * (4 * width + len(bank))))
    for first in range(0, len(codes), block):
        hot = one_hot(codes[first : first + block])
        windows = sliding_window_view(hot, n_windows, axis=2)  # [n, 4, K, L - K + 1]
        scores = np.matmul(bank, windows.reshape(len(hot), 4 * width, n_windows))
        yield first, scores.reshape(len(hot), -1, n_kernels, n_windows)


def best_windows(
    codes: np.ndarray,
    kernels: np.ndarray,
    both_strands: bool,
    shifts: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best window of each kernel in each sequence.

    codes: base codes uint8 [N, L]; kernels: [C, 4, K]; shifts: [C, L - K + 1], added to a
    window's score by its place (none: 0). Returns values float32 [N, C] (before
    bias and ReLU; an N adds 0), positions int32 [N, C] (the window's first base on the forward
    strand) and strands uint8 [N, C] (1: the reverse complement of that window). Among equals
    the earliest position counts, and at one position the forward strand. Raises InputError for
    sequences shorter than the kernels.
    """
    shape = (len(codes), len(kernels))
    values, positions = np.empty(shape, np.float32), np.empty(shape, np.int32)
    strands = np.empty(shape, np.uint8)
    for first, scores in _scan(codes, kernels, both_strands):
        rows = slice(first, first + len(scores))
        scores = scores if shifts is None else scores + shifts
        at = scores.argmax(axis=3)  # [n, S, C], the earliest of equals
        best = np.take_along_axis(scores, at[..., None], axis=3)[..., 0]
        # With one strand, [:, 0] and [:, -1] are the same and no reverse window wins.
        reverse = best[:, -1] > best[:, 0]
        reverse |= (best[:, -1] == best[:, 0]) & (at[:, -1] < at[:, 0])
        values[rows] = np.where(reverse, best[:, -1], best[:, 0])
        positions[rows] = np.where(reverse, at[:, -1], at[:, 0])
        strands[rows] = reverse
    return values, positions, strands


def _count(
    codes: np.ndarray, rows: np.ndarray, positions: np.ndarray, strands: np.ndarray, width: int
) -> np.ndarray:
    """Base counts, int64 [4, width], over windows of `codes`; N is not counted."""
    columns = np.arange(width)
    windows = codes[rows[:, None], positions[:, None] + columns]
    windows = np.where(strands[:, None] == 1, reverse_complement(windows), windows)
    cells = (windows + 5 * columns).ravel()
    return np.bincount(cells, minlength=5 * width).reshape(width, 5)[:, :4].T


def _best_sites(
    codes: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray,
    both_strands: bool,
    shifts: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts [C, 4, K] and numbers [C] of each sequence's best window, where it fires."""
    values, positions, strands = best_windows(codes, kernels, both_strands, shifts)
    fires = values + bias > 0
    counts = np.zeros(kernels.shape, np.int64)
    for kernel in np.flatnonzero(fires.any(axis=0)):
        rows = np.flatnonzero(fires[:, kernel])
        counts[kernel] = _count(
            codes, rows, positions[rows, kernel], strands[rows, kernel], kernels.shape[2]
        )
    return counts, fires.sum(axis=0)


def _halfmax_sites(
    codes: np.ndarray,
    kernels: np.ndarray,
    bias: np.ndarray,
    both_strands: bool,
    shifts: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Counts [C, 4, K] and numbers [C] of all windows above half the kernel's maximum."""
    values = best_windows(codes, kernels, both_strands, shifts)[0]
    most = values.max(axis=0, initial=-np.inf) + bias
    counts, n_sites = np.zeros(kernels.shape, np.int64), np.zeros(len(kernels), np.int64)
    for first, scores in _scan(codes, kernels, both_strands):
        scores = scores if shifts is None else scores + shifts
        for kernel in np.flatnonzero(most > 0):
            fires = scores[:, :, kernel] + bias[kernel] > most[kernel] / 2
            rows, strands, positions = np.nonzero(fires)
            counts[kernel] += _count(codes, rows + first, positions, strands, kernels.shape[2])
            n_sites[kernel] += len(rows)
    return counts, n_sites


def kernels_to_pwms(
    kernels: np.ndarray,
    bias: np.ndarray,
    codes: np.ndarray,
    scores: np.ndarray | None = None,
    recipe: str = "deepbind",
    both_strands: bool = True,
    top: int | None = None,
    shifts: np.ndarray | None = None,
) -> list[Motif]:
    """One motif a kernel, in the kernels' order, counted over the sequences that excite it.

    kernels: [C, 4, K]; bias: [C]; codes: base codes uint8 [N, L] of the bound sequences;
    scores: [N], by which the `top` best sequences are taken (all where either is None; among
    equals the earlier); shifts: [C, L - K + 1] by the window's place (none: 0). A window's
    activation is its score plus bias and shift. Recipes:

    deepbind: the one best window of each sequence, on the strand where it lies, if its
        activation exceeds 0; ends trimmed (`trim`).
    danq: the same, untrimmed.
    halfmax: every window, on either strand, whose activation exceeds half the kernel's maximum
        over the sequences; untrimmed.

    Counts get PSEUDOCOUNT a cell. A kernel that never fires has n_sites 0 and a uniform matrix
    [4, K]. Kernels are named k00, k01, ... Raises InputError for an unknown recipe and for
    sequences shorter than the kernels.
    """
    if recipe not in RECIPES:
        raise InputError(f"unknown motif recipe {recipe!r}; choose one of {', '.join(RECIPES)}")
    if scores is not None and top is not None:
        codes = codes[np.argsort(-np.asarray(scores), kind="stable")[:top]]
    find_sites = _halfmax_sites if recipe == "halfmax" else _best_sites
    counts, n_sites = find_sites(codes, kernels, np.asarray(bias), both_strands, shifts)
    matrices = counts + PSEUDOCOUNT
    matrices /= matrices.sum(axis=1, keepdims=True)
    digits = max(2, len(str(len(kernels) - 1)))
    return [
        Motif(
            name=f"k{kernel:0{digits}d}",
            matrix=trim(matrix) if recipe == "deepbind" else matrix,
            n_sites=int(n_sites[kernel]),
            n_sequences=len(codes),
            recipe=recipe,
        )
        for kernel, matrix in enumerate(matrices)
    ]


def shuffle_columns(motifs: Iterable[Motif], seed: int) -> list[Motif]:
    """Motifs with their columns in random order: a control for matches in a database.

    Each keeps its width, composition and information; what they still match is chance.
    """
    generator = np.random.default_rng(seed)
    return [
        replace(motif, matrix=motif.matrix[:, generator.permutation(motif.matrix.shape[1])])
        for motif in motifs
    ]


def rank_motifs(motifs: Iterable[Motif]) -> list[Motif]:
    """Motifs by effect, else by sites times information, both descending; dead kernels last.

    Motifs whose effect was measured come before those without; equals keep their order.
    """

    def key(motif: Motif) -> tuple:
        measured = not isnan(motif.effect)
        worth = motif.effect if measured else motif.n_sites * motif.information
        return (motif.n_sites == 0, not measured, -worth)

    return sorted(motifs, key=key)


def motif_table(motifs: Iterable[Motif]) -> pd.DataFrame:
    """Table of motifs in rank order (`rank_motifs`), one a row.

    Columns: rank (from 1), kernel, n_sites, n_sequences, information (bits), effect, recipe,
    initialised_from, consensus ("" for a kernel that never fires).
    """
    columns = "rank kernel n_sites n_sequences information effect recipe initialised_from consensus"
    rows = [
        (
            rank, motif.name, motif.n_sites, motif.n_sequences, motif.information, motif.effect,
            motif.recipe, motif.initialised_from, consensus(motif.matrix) if motif.n_sites else "",
        )
        for rank, motif in enumerate(rank_motifs(motifs), start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns.split())


def read_motifs(meme: str | Path, table: str | Path) -> list[Motif]:
    """Motifs, in rank order, from a MEME file and the table (`motif_table`) written with it.

    Kernels that never fire are in the table alone; they get one uniform column.
    """
    matrices = {motif.name: motif.matrix for motif in read_meme(meme)}
    rows = read_table(table, ("kernel", "recipe", "initialised_from"))
    return [
        Motif(
            name=row.kernel,
            matrix=matrices.get(row.kernel, np.full((4, 1), 0.25)),
            n_sites=row.n_sites,
            n_sequences=row.n_sequences,
            recipe=row.recipe,
            effect=row.effect,
            initialised_from=row.initialised_from,
        )
        for row in rows.itertuples()
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
    for line in lines[first:]:
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
