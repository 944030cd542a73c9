"""Pieces of a genome, shuffled."""

import numpy as np
import pytest
from builders import genome_of, random_codes

from motifloom.files import InputError
from motifloom.sequences import Genome, decode
from motifloom.shuffled_genome import NAME, shuffled_genome


def dinucleotides(codes):
    return np.bincount(codes[..., :-1].ravel() * 5 + codes[..., 1:].ravel(), minlength=25)


def test_pieces_keep_their_dinucleotides_and_order():
    codes = random_codes(0, 1, 95)[0]
    genome = Genome(["chr1"], [95], codes)
    found = shuffled_genome(genome, 1000, 3, piece=30)
    assert (found.names, found.lengths) == ([NAME], {NAME: 90})
    pieces, shuffled = codes[:90].reshape(3, 30), found.flat.reshape(3, 30)
    for piece, other in zip(pieces, shuffled, strict=True):
        assert dinucleotides(piece).tolist() == dinucleotides(other).tolist()
    assert not np.array_equal(pieces, shuffled)


def test_it_depends_on_the_seed_alone():
    genome = Genome(["chr1"], [500], random_codes(0, 1, 500)[0])
    first, again, other = (shuffled_genome(genome, 500, s, piece=50).flat for s in (1, 1, 2))
    assert first.tolist() == again.tolist() != other.tolist()


def test_pieces_are_drawn_evenly_without_n_and_ignored_chromosomes():
    # Homopolymers stay as they are.
    letters = {"chr1": "A" * 10 + "N" + "A" * 9 + "C" * 10, "chrM": "T" * 40, "chr2": "G" * 29}
    found = shuffled_genome(genome_of(letters), 20, 1, ["chrM"], piece=10)
    assert decode(found.flat) == "A" * 10 + "G" * 10
    every = shuffled_genome(genome_of(letters), 10**9, 1, ["chrM"], piece=10)
    assert decode(every.flat) == "A" * 10 + "C" * 10 + "G" * 20


def test_nothing_to_shuffle_is_told():
    with pytest.raises(InputError, match="null_bases"):
        shuffled_genome(genome_of({"chr1": "ACGT"}), 100, 1, piece=10)
    with pytest.raises(InputError, match="null_bases"):
        shuffled_genome(genome_of({"chrM": "ACGT" * 9}), 100, 1, ["chrM"], piece=10)
