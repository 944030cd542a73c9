"""Alleles of variants as VCF writes them."""

import numpy as np
import pytest
from builders import genome_of

from motifloom.alleles import alleles_at, alternative_windows, trimmed
from motifloom.files import InputError
from motifloom.sequences import decode

GENOME = genome_of({"chr1": "ACGTTTGA", "chr2": "CCNCC"})


@pytest.mark.parametrize(
    ("variant", "start", "n_ref", "alt"),
    [
        (("chr1", 2, "C", "G"), 1, 1, "G"),
        (("chr1", 2, "c", "g"), 1, 1, "G"),
        (("chr1", 3, "GTT", "G"), 3, 2, ""),
        (("chr1", 3, "GTTT", "GT"), 3, 2, ""),
        (("chr1", 1, "A", "ACC"), 1, 0, "CC"),
        (("chr1", 1, "ACG", "GGG"), 0, 2, "GG"),
        (("chr1", 8, "A", "N"), 7, 1, "N"),
        (("chr2", 3, "N", "A"), 2, 1, "A"),
    ],
)
def test_shared_ends_are_left_out(variant, start, n_ref, alt):
    found = alleles_at(GENOME, [variant])
    assert (found.start[0], found.n_ref[0], decode(found.alt)) == (start, n_ref, alt)
    assert GENOME.names[found.chrom[0]] == variant[0]


def test_several_stand_in_their_order():
    found = alleles_at(
        GENOME, [("chr2", 1, "C", "TT"), ("chr1", 1, "AC", "A"), ("chr1", 1, "A", "G")]
    )
    assert found.chrom.tolist() == [1, 0, 0]
    assert found.offsets.tolist() == [0, 2, 2, 3]
    windows = alternative_windows(GENOME, found, 4)
    assert [decode(row) for row in windows] == ["NNTT", "NAGT", "NNGC"]


def test_none_at_all():
    found = alleles_at(GENOME, iter([]))
    assert len(found) == 0 and found.offsets.tolist() == [0]
    assert found.start.dtype == np.int64 and found.chrom.dtype == np.int32


def test_numpy_positions_do():
    assert alleles_at(GENOME, [("chr1", np.int32(2), "C", "G")]).start.tolist() == [1]


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (("chr9", 1, "A", "G"), "chromosome 'chr9' is not in the genome"),
        (("chr1", 2, "A", "G"), "variant chr1:2 A>G: the genome has C there"),
        (("chr1", 0, "A", "G"), "no whole number from 1"),
        (("chr1", 1.0, "A", "G"), "no whole number from 1"),
        (("chr1", 8, "AC", "A"), r"reaches past the end of the chromosome \(8 bp\)"),
        (("chr1", 90, "A", "C"), "reaches past the end"),
        (("chr1", 1, "A", "<DEL>"), "ALT is '<DEL>'; give letters of A, C, G, T and N"),
        (("chr1", 1, "A", ""), "ALT is ''"),
        (("chr1", 1, "R", "A"), "REF is 'R'"),
        (("chr1", 1, "A", "a"), "changes nothing"),
    ],
)
def test_what_is_no_variant_of_the_genome_is_refused(variant, message):
    with pytest.raises(InputError, match=message):
        alleles_at(GENOME, [("chr1", 1, "A", "G"), variant])


def test_the_end_is_trimmed_first():
    assert trimmed("TTT", "T") == (0, 1)
    assert trimmed("ACGT", "AGGT") == (1, 2)
