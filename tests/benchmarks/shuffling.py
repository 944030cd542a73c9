"""Dinucleotide shuffles, against Python and tangermeme."""

import random
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from harness import Pair, Row, Skip

from motifloom.negatives import dinucleotide_shuffle
from motifloom.sequences import decode, encode, one_hot

N_SEQUENCES = 10_000
N_REFERENCE = 500  # the references are measured on fewer
LENGTH = 101


def rows() -> list[Row]:
    """Rows of this subject."""
    return [
        Row("shuffle-python-101bp", "sequences/s", against_python),
        Row("shuffle-tangermeme-101bp", "sequences/s", against_tangermeme),
    ]


def against_python(folder: Path) -> Pair:
    """The reference works on strings."""
    codes = make_codes()
    sequences = [decode(row) for row in codes[:N_REFERENCE]]

    def reference() -> list[str]:
        rng = random.Random(0)
        return [altschul_erickson(sequence, rng) for sequence in sequences]

    def encoded(shuffled: list[str]) -> np.ndarray:
        return np.stack([encode(sequence) for sequence in shuffled])

    return _pair(codes, reference, encoded)


def against_tangermeme(folder: Path) -> Pair:
    """The reference works on one-hot tensors and draws one shuffle of each."""
    if not find_spec("tangermeme"):
        raise Skip("the package tangermeme is not installed")
    import torch
    from tangermeme.ersatz import dinucleotide_shuffle as reference

    codes = make_codes()
    encoded = torch.from_numpy(one_hot(codes[:N_REFERENCE]))
    return _pair(
        codes,
        lambda: reference(encoded, n=1, random_state=0),
        lambda shuffled: shuffled[:, 0].argmax(1).numpy(),
    )


def _pair(codes: np.ndarray, reference, to_codes) -> Pair:
    """`to_codes` turns what `reference` returns into base codes, for the check."""

    def check(ours, theirs) -> None:
        np.testing.assert_array_equal(dinucleotides(ours), dinucleotides(codes))
        counts = dinucleotides(codes[:N_REFERENCE])
        np.testing.assert_array_equal(dinucleotides(to_codes(theirs)), counts)

    return Pair(
        ours=lambda: dinucleotide_shuffle(codes, seed=0),
        reference=reference,
        n_ours=N_SEQUENCES,
        n_reference=N_REFERENCE,
        check=check,
    )


def make_codes() -> np.ndarray:
    """Random base codes, uint8 [N_SEQUENCES, LENGTH]."""
    return np.random.default_rng(0).integers(4, size=(N_SEQUENCES, LENGTH), dtype=np.uint8)


def dinucleotides(codes: np.ndarray) -> np.ndarray:
    """How often each of the 16 dinucleotides occurs in each row of base codes: [N, 16]."""
    pairs = 4 * codes[:, :-1].astype(int) + codes[:, 1:]
    return (pairs[:, :, None] == np.arange(16)).sum(1)


def altschul_erickson(sequence: str, rng: random.Random) -> str:
    """A random Euler path through the sequence's dinucleotides, as a textbook writes it.

    Altschul & Erickson 1985, Mol Biol Evol 2:526: draw a last edge out of every letter until all
    of them lead to the final letter, shuffle the other edges, walk.
    """
    edges: dict[str, list[str]] = {}
    for letter, following in pairwise(sequence):
        edges.setdefault(letter, []).append(following)
    last = _last_edges(edges, sequence[-1], rng)
    for letter, following in edges.items():
        if letter in last:
            following.remove(last[letter])
        rng.shuffle(following)
        if letter in last:
            following.append(last[letter])
    paths = {letter: iter(following) for letter, following in edges.items()}
    walk = [sequence[0]]
    for _ in sequence[1:]:
        walk.append(next(paths[walk[-1]]))
    return "".join(walk)


def _last_edges(edges: dict[str, list[str]], end: str, rng: random.Random) -> dict[str, str]:
    while True:
        last = {letter: rng.choice(out) for letter, out in edges.items() if letter != end}
        if all(_leads_to(letter, end, last) for letter in last):
            return last


def _leads_to(letter: str, end: str, last: dict[str, str]) -> bool:
    for _ in last:
        letter = last.get(letter, end)
    return letter == end
