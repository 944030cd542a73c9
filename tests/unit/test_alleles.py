"""Alternative alleles and the windows that hold them."""

import numpy as np
import pytest
from builders import genome_of

from motifloom.alleles import Alleles, alternative_windows, left_aligned, reference_windows
from motifloom.sequences import decode, encode

GENOME = genome_of({"chr1": "AACCGGTTAC", "chr2": "TTTTT"})


def alleles_of(*rows):
    """Alleles of (chromosome's number, start, bases replaced, letters put there)."""
    chrom, start, n_ref, alt = zip(*rows, strict=True)
    return Alleles(
        np.array(chrom, np.int32),
        np.array(start, np.int64),
        np.array(n_ref, np.int32),
        encode("".join(alt)),
        np.cumsum([0, *map(len, alt)]),
    )


@pytest.mark.parametrize(
    ("allele", "reference", "alternative"),
    [
        ((0, 4, 1, "T"), "ACCGGTT", "ACCTGTT"),  # a substitution
        ((0, 4, 0, "TT"), "ACCGGTT", "ACCTTGG"),  # an insertion
        ((0, 4, 2, ""), "ACCGGTT", "ACCTTAC"),  # a deletion
        ((0, 4, 5, "T"), "ACCGGTT", "ACCTCNN"),  # to the chromosome's end
        ((0, 0, 1, "G"), "NNNAACC", "NNNGACC"),  # the first base
        ((0, 9, 1, "G"), "TTACNNN", "TTAGNNN"),  # the last base
        ((0, 10, 0, "GG"), "TACNNNN", "TACGGNN"),  # behind the last base
        ((1, 2, 1, "N"), "NTTTTTN", "NTTNTTN"),  # not into the chromosome before
        ((0, 4, 0, "ACGTACGTAC"), "ACCGGTT", "ACCACGT"),  # longer than the window
    ],
)
def test_windows_begin_alike_with_the_first_changed_base_in_the_middle(
    allele, reference, alternative
):
    found = alleles_of(allele)

    assert decode(reference_windows(GENOME, found, 7)[0]) == reference
    assert decode(alternative_windows(GENOME, found, 7)[0]) == alternative


def test_shifts_move_both_windows():
    found = alleles_of((0, 4, 0, "TT"))

    assert decode(reference_windows(GENOME, found, 7, 2)[0]) == "CGGTTAC"
    assert decode(alternative_windows(GENOME, found, 7, 2)[0]) == "CTTGGTT"
    assert decode(alternative_windows(GENOME, found, 7, -2)[0]) == "NAACCTT"


def test_some_alleles_are_taken_with_their_letters():
    found = alleles_of((0, 1, 1, "GT"), (0, 2, 1, ""), (1, 3, 2, "ACG")).take([2, 0])

    assert found.start.tolist() == [3, 1]
    assert found.chrom.tolist() == [1, 0]
    assert found.n_ref.tolist() == [2, 1]
    assert found.n_alt.tolist() == [3, 2]
    assert decode(found.alt) == "ACGGT"


@pytest.mark.parametrize(
    ("allele", "start", "alt"),
    [
        ((0, 6, 1, ""), 2, ""),  # one A less in AAAAA
        ((0, 7, 0, "A"), 2, "A"),  # one more
        ((0, 12, 2, ""), 7, ""),  # one TC less in TCTCTCT
        ((0, 13, 0, "TC"), 7, "TC"),  # one more, written within the repeat
        ((0, 14, 0, "CT"), 7, "TC"),
        ((0, 5, 1, "G"), 5, "G"),  # a substitution stays
        ((0, 5, 2, "A"), 5, "A"),  # and so does a change of both
        ((1, 3, 1, ""), 0, ""),  # not beyond the chromosome's beginning
        ((1, 5, 0, "TTT"), 0, "TTT"),
        ((0, 16, 1, ""), 16, ""),  # N is alike to nothing
    ],
)
def test_changes_of_length_are_moved_to_the_left_of_a_repeat(allele, start, alt):
    genome = genome_of({"chr1": "GCAAAAATCTCTCTGNN", "chr2": "TTTTT"})
    written = alleles_of(allele)

    found = left_aligned(genome, written)

    assert (found.start.tolist(), decode(found.alt)) == ([start], alt)
    whole = alternative_windows(genome, written, 60, 60 // 2 - 1 - allele[1])
    np.testing.assert_array_equal(
        alternative_windows(genome, found, 60, 60 // 2 - 1 - start), whole
    )
