"""Motifs: matrices and where they come from, their measures, their order and their tables.

A matrix is float64 [4, W], rows A, C, G, T, one column of probabilities a position. Information
content after Schneider & Stephens 1990 (Nucleic Acids Research 18:6097) without its small-sample
correction.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isnan, nan

import numpy as np
import pandas as pd

from motifloom.sites import find_sites

PSEUDOCOUNT = 1e-4  # added to each cell of a count matrix
IUPAC_OF = {
    "A": "A", "C": "C", "G": "G", "T": "T", "AC": "M", "AG": "R", "AT": "W",
    "CG": "S", "CT": "Y", "GT": "K",
}  # fmt: skip
MOTIF_COLUMNS = (
    "rank", "kernel", "kernels", "n_kernels", "n_members", "members", "n_sites", "n_sequences",
    "information", "width", "reverse_share", "position_mean", "position_sd", "effect",
    "validation_drop", "test_drop", "status", "recipe", "initialised_from", "consensus", "metric",
)  # fmt: skip
KERNEL_COLUMNS = (
    "kernel", "member", "motif", "strand", "n_sites", "n_sequences", "information",
    "reverse_share", "effect", "validation_drop", "status", "recipe", "initialised_from",
    "consensus",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Places:
    """Where in the sequences a kernel's sites lie.

    offsets: float64 [2, W], the bases from the sequence's middle to that of the trimmed matrix, of
    sites on the forward and the reverse strand, by the window's first base; counts: int64 [2, W],
    the sites there.
    """

    offsets: np.ndarray
    counts: np.ndarray

    @property
    def reverse_share(self) -> float:
        """The share of sites on the reverse strand; NaN without sites."""
        total = self.counts.sum()
        return float(self.counts[1].sum() / total) if total else nan

    @property
    def mean(self) -> float:
        """The sites' mean offset in bases; NaN without sites."""
        total = self.counts.sum()
        return float((self.counts * self.offsets).sum() / total) if total else nan

    @property
    def sd(self) -> float:
        """The standard deviation of the sites' offsets in bases; NaN without sites."""
        total = self.counts.sum()
        if not total:
            return nan
        return float(np.sqrt((self.counts * (self.offsets - self.mean) ** 2).sum() / total))


@dataclass(frozen=True, eq=False)
class Motif:
    """One motif and where it comes from.

    name: of a kernel ("k07", in an ensemble "m2k07") or a database matrix ("MA0265.3"); alt_name:
    e.g. the TF's name. matrix: probabilities, float64 [4, W], rows A, C, G, T. n_sites: windows it
    was counted from; 0 marks a kernel that never fires. n_sequences: sequences searched for them.
    recipe: one of sites.RECIPES, or "" for a database matrix. initialised_from: the matrix the
    kernel was started from, "" if random. places: where its sites lie, None if not known.

    effect: difference that the kernel makes to the logits of bound and unbound sequences.
    validation_drop, test_drop: what the model's `metric` ("auroc" or "pearson") loses on that split
    when the motif's kernels are silenced. NaN each where not measured.

    member: the network of an ensemble it is of. Of a motif found by several kernels, kernels are
    their names, with a "-" behind those that hold its reverse complement, n_members the networks
    they are in and members the networks there are. status: "" or what is wrong with it.
    """

    name: str
    matrix: np.ndarray
    alt_name: str = ""
    n_sites: int = 0
    n_sequences: int = 0
    recipe: str = ""
    effect: float = nan
    validation_drop: float = nan
    test_drop: float = nan
    metric: str = ""
    initialised_from: str = ""
    status: str = ""
    member: int = 0
    kernels: tuple[str, ...] = ()
    n_members: int = 1
    members: int = 1
    places: Places | None = None

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
    if scores is not None and top is not None:
        codes = codes[np.argsort(-np.asarray(scores), kind="stable")[:top]]
    sites = find_sites(codes, kernels, bias, recipe, both_strands, shifts)
    digits = max(2, len(str(len(kernels) - 1)))
    return [
        _motif(f"k{kernel:0{digits}d}", counts, starts, codes.shape, recipe)
        for kernel, (counts, starts) in enumerate(zip(sites.counts, sites.starts, strict=True))
    ]


def _motif(name: str, counts, starts, shape: tuple[int, int], recipe: str) -> Motif:
    """The motif of one kernel's sites in sequences [N, L] = `shape`."""
    matrix = counts + PSEUDOCOUNT
    matrix /= matrix.sum(axis=0)
    width = matrix.shape[1]
    low, high = trim_bounds(matrix) if recipe == "deepbind" else (0, width)
    # Middle of the matrix in a window, on both strands, and of the window's first base.
    middles = np.array([[low + high], [2 * width - low - high]]) / 2
    offsets = np.arange(starts.shape[1]) + middles - shape[1] / 2
    return Motif(
        name=name,
        matrix=matrix[:, low:high],
        n_sites=int(starts.sum()),
        n_sequences=shape[0],
        recipe=recipe,
        places=Places(offsets, starts),
    )


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
    """Motifs by what they are worth, best first; kernels that never fire last.

    That is the validation drop, where measured; then the effect; then sites times information.
    Motifs with the one come before those without it; equals keep their order.
    """

    def key(motif: Motif) -> tuple:
        worth = (motif.validation_drop, motif.effect, motif.n_sites * motif.information)
        known = [(isnan(value), 0.0 if isnan(value) else -value) for value in worth]
        return (motif.n_sites == 0, *known)

    return sorted(motifs, key=key)


def motif_table(motifs: Iterable[Motif]) -> pd.DataFrame:
    """Table of distinct motifs in rank order (`rank_motifs`), one a row.

    Columns: rank (from 1), kernel (the motif's name), kernels (of all that hold it), n_kernels,
    n_members, members, n_sites, n_sequences, information (bits), width, reverse_share,
    position_mean and position_sd (bases from the sequences' middle), effect, validation_drop,
    test_drop, status, recipe, initialised_from, consensus ("" for a kernel that never fires),
    metric.
    """
    rows = [
        {"rank": rank, "kernel": motif.name, "kernels": ",".join(motif.kernels or (motif.name,))}
        | {"n_kernels": len(motif.kernels) or 1, "n_members": motif.n_members}
        | {"members": motif.members} | _sites(motif) | {"width": motif.matrix.shape[1]}
        | _places(motif) | {"effect": motif.effect, "validation_drop": motif.validation_drop}
        | {"test_drop": motif.test_drop} | _origin(motif) | {"metric": motif.metric}
        for rank, motif in enumerate(rank_motifs(motifs), start=1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(MOTIF_COLUMNS))


def kernel_table(kernels: Iterable[Motif], motif_of: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Table of all kernels in the order given, one a row.

    motif_of: kernel name to the name of the motif it belongs to and how it lies in it ("+", "-").
    Columns: kernel, member, motif and strand ("" for those left out), n_sites, n_sequences,
    information, reverse_share, effect, validation_drop, status, recipe, initialised_from,
    consensus.
    """
    rows = [
        {"kernel": kernel.name, "member": kernel.member}
        | dict(zip(("motif", "strand"), motif_of.get(kernel.name, ("", "")), strict=True))
        | _sites(kernel) | _places(kernel) | _origin(kernel)
        | {"effect": kernel.effect, "validation_drop": kernel.validation_drop}
        for kernel in kernels
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(KERNEL_COLUMNS))


def _sites(motif: Motif) -> dict:
    found = {"n_sites": motif.n_sites, "n_sequences": motif.n_sequences}
    return found | {"information": motif.information}


def _places(motif: Motif) -> dict:
    if motif.places is None:
        return {}
    found = {"reverse_share": motif.places.reverse_share, "position_mean": motif.places.mean}
    return found | {"position_sd": motif.places.sd}


def _origin(motif: Motif) -> dict:
    return {
        "status": motif.status,
        "recipe": motif.recipe,
        "initialised_from": motif.initialised_from,
        "consensus": consensus(motif.matrix) if motif.n_sites else "",
    }


def position_table(motifs: Iterable[Motif]) -> pd.DataFrame:
    """Where motifs' sites lie: columns kernel, start, end, forward, reverse.

    forward and reverse count the sites whose middle lies at `start` <= x < `end` bases from the
    sequences' middle; classes are 5 bases wide in sequences of up to 250 positions, else 20, and
    those without sites are left out.
    """
    tables = [_histogram(motif) for motif in motifs if motif.places is not None and motif.n_sites]
    columns = ["kernel", "start", "end", "forward", "reverse"]
    return pd.concat(tables) if tables else pd.DataFrame(columns=columns)


def _histogram(motif: Motif) -> pd.DataFrame:
    places = motif.places
    step = 5 if places.counts.shape[1] <= 250 else 20
    classes = np.floor(places.offsets / step).astype(int)
    starts, inverse = np.unique(classes, return_inverse=True)
    inverse = inverse.reshape(classes.shape)
    forward, reverse = (
        np.bincount(inverse[s], weights=places.counts[s], minlength=len(starts)).astype(int)
        for s in (0, 1)
    )
    kept = forward + reverse > 0
    table = pd.DataFrame({"start": starts * step, "end": (starts + 1) * step})
    table["forward"], table["reverse"] = forward, reverse
    table.insert(0, "kernel", motif.name)
    return table[kept]
