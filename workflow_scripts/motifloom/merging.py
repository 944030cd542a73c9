"""Kernels that hold the same motif, on either strand and in any network, put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from motifloom.databases import SIMILAR_PVALUE, compare, core, is_substantial
from motifloom.motifs import Motif, rank_motifs

NEVER_FIRES, WEAK, REDUNDANT, NOT_COMPARED = "never fires", "weak", "redundant", "not compared"


@dataclass(frozen=True)
class Group:
    """Kernels that hold one motif: the best of them, and all of them (name, strand) by rank.

    The strand is "-" for a kernel that holds the reverse complement of the best one's matrix.
    """

    best: Motif
    held: tuple[tuple[Motif, str], ...]

    def merged(self, members: int, linear: bool) -> Motif:
        """The motif under the best kernel's name and matrix, of so many `members`.

        Its effect is that of all its kernels where logits are `linear` in them, else the best's.
        """
        names = (f"{kernel.name}{'-' if strand == '-' else ''}" for kernel, strand in self.held)
        effects = [kernel.effect for kernel, _ in self.held]
        return replace(
            self.best,
            status="",
            kernels=tuple(names),
            n_members=len({kernel.member for kernel, _ in self.held}),
            members=members,
            # A member's logits count for one part in `members`.
            effect=float(np.sum(effects) / members) if linear else self.best.effect,
        )


def merge(
    kernels: Sequence[Motif],
    background: Sequence[Motif] = (),
    most: int = 256,
    reverse_complement: bool = True,
    pvalue: float = SIMILAR_PVALUE,
) -> tuple[list[Motif], list[Group]]:
    """The kernels with their status, in the order given, and the distinct motifs among them.

    Kernels are taken by rank (`rank_motifs`): one whose Tomtom p-value against a motif found
    before is below `pvalue` belongs to the first such one, another is a motif of its own. They
    are compared by their informative stretch (`databases.core`). Motifs are made of the `most`
    best kernels; of the others each joins the motif that it resembles most, if any.
    `background`: further targets whose columns make the p-values' background, best a motif
    database. Status: "" for the best kernel of a motif, REDUNDANT for the others of it,
    NEVER_FIRES without sites, WEAK with fewer than LEAST_SITES sites or LEAST_INFORMATION bits
    (`databases`), and NOT_COMPARED for those beyond the `most` best that joined no motif.
    """
    status = {kernel.name: _weakness(kernel) for kernel in kernels}
    ranked = [kernel for kernel in rank_motifs(kernels) if not status[kernel.name]]
    status |= {kernel.name: NOT_COMPARED for kernel in ranked[most:]}
    rule = (list(background), reverse_complement, pvalue)
    groups = _joined(_groups(ranked[:most], *rule), ranked[most:], *rule)
    for group in groups:
        status |= {kernel.name: REDUNDANT for kernel, _ in group.held[1:]}
    return [replace(kernel, status=status[kernel.name]) for kernel in kernels], groups


def _weakness(kernel: Motif) -> str:
    if kernel.n_sites == 0:
        return NEVER_FIRES
    return "" if is_substantial(kernel) else WEAK


def _groups(
    ranked: list[Motif], background: list[Motif], reverse_complement, pvalue
) -> list[Group]:
    """The motifs among kernels in rank order."""
    if not ranked:
        return []
    cores = [core(kernel) for kernel in ranked]
    pvalues, _, _, _, strands = compare(cores, [*cores, *background], reverse_complement)
    similar = pvalues < pvalue
    held: dict[int, list[tuple[Motif, str]]] = {}
    for candidate, kernel in enumerate(ranked):
        first = next((best for best in held if similar[candidate, best]), candidate)
        reverse = first != candidate and strands[candidate, first] == 1
        held.setdefault(first, []).append((kernel, "-" if reverse else "+"))
    return [Group(ranked[best], tuple(found)) for best, found in held.items()]


def _joined(
    groups: list[Group], rest: list[Motif], background: list[Motif], reverse_complement, pvalue
) -> list[Group]:
    """The motifs with those of further kernels that resemble one, each in the likeliest."""
    if not groups or not rest:
        return groups
    targets = [*(core(group.best) for group in groups), *background]
    found = compare([core(kernel) for kernel in rest], targets, reverse_complement)
    pvalues, strands = found[0][:, : len(groups)], found[4][:, : len(groups)]
    nearest = pvalues.argmin(1)
    added: dict[int, list[tuple[Motif, str]]] = {}
    for row, (kernel, number) in enumerate(zip(rest, nearest, strict=True)):
        if pvalues[row, number] < pvalue:
            strand = "-" if strands[row, number] == 1 else "+"
            added.setdefault(int(number), []).append((kernel, strand))
    return [
        Group(group.best, (*group.held, *added.get(number, ())))
        for number, group in enumerate(groups)
    ]
