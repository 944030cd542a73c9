"""Kernels that hold the same motif, put together."""

import numpy as np

from motifloom.merging import NEVER_FIRES, NOT_COMPARED, REDUNDANT, WEAK, merge
from motifloom.motifs import Motif
from motifloom.sequences import encode, one_hot


def kernel(name, word, effect, member=0, n_sites=50):
    matrix = 0.97 * one_hot(encode(word)[None])[0].astype(float) + 0.0075
    return Motif(name, matrix, n_sites=n_sites, n_sequences=60, effect=effect, member=member)


def background(n=60):
    random = np.random.default_rng(0)
    return [Motif(f"b{i}", random.dirichlet([0.3] * 4, 10).T, n_sites=20) for i in range(n)]


KERNELS = [
    kernel("m0k0", "GATTACCAGT", 1.0),
    kernel("m0k1", "ACTGGTAATC", 3.0),  # its reverse complement
    kernel("m1k0", "ATTACCAGTG", 2.0, member=1),
    kernel("m1k1", "CCGGAAGTCC", 0.5, member=1),
    kernel("m1k2", "CCGGAAGTCC", 9.0, member=1, n_sites=3),
    kernel("m1k3", "CCGGAAGTCC", 9.0, member=1, n_sites=0),
]


def test_the_best_kernel_stands_for_those_that_repeat_it():
    kernels, groups = merge(KERNELS, background())
    assert [k.status for k in kernels] == [REDUNDANT, "", REDUNDANT, "", WEAK, NEVER_FIRES]
    assert [k.name for k in kernels] == [k.name for k in KERNELS]
    first, second = (group.merged(2, linear=True) for group in groups)
    assert first.name == "m0k1" and first.kernels == ("m0k1", "m1k0-", "m0k0-")
    assert (first.n_members, first.members, first.effect) == (2, 2, 3.0)
    assert second.kernels == ("m1k1",) and second.n_members == 1
    assert groups[0].merged(2, linear=False).effect == 3.0


def test_rna_is_compared_on_one_strand():
    _, groups = merge(KERNELS, background(), reverse_complement=False)
    assert [group.best.name for group in groups] == ["m0k1", "m1k0", "m1k1"]


def test_kernels_beyond_the_limit_join_motifs_but_make_none():
    kernels, groups = merge(KERNELS, background(), most=2)
    assert [k.status for k in kernels][:4] == [REDUNDANT, "", REDUNDANT, NOT_COMPARED]
    (group,) = groups
    assert group.merged(2, linear=True).kernels == ("m0k1", "m1k0-", "m0k0-")


def test_nothing_to_merge():
    assert merge([], background()) == ([], [])
    (only,), (group,) = merge(KERNELS[:1], [])
    assert only.status == "" and group.held == ((KERNELS[0], "+"),)
