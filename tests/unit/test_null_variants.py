import numpy as np
import pytest

from motifloom.alleles import Alleles
from motifloom.null_variants import CLASSES, Sample, class_of, joined, moved
from motifloom.sequences import Genome, decode, encode


def alleles(*rows):
    """Alleles of rows (chrom, start, n_ref, alt)."""
    chrom, start, n_ref, alt = zip(*rows, strict=True)
    codes = [encode(one) for one in alt]
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in codes])])
    return Alleles(
        np.array(chrom, np.int32), np.array(start, np.int64), np.array(n_ref, np.int32),
        np.concatenate(codes), offsets,
    )  # fmt: skip


def rows_of(found):
    return [
        (int(found.chrom[i]), int(found.start[i]), int(found.n_ref[i]),
         decode(found.alt[found.offsets[i] : found.offsets[i + 1]]))
        for i in range(len(found))
    ]  # fmt: skip


def genome(**texts):
    codes = [encode(text) for text in texts.values()]
    return Genome(list(texts), [len(one) for one in codes], np.concatenate(codes))


def random_genome(n=5000, seed=0):
    random = np.random.default_rng(seed)
    letters = {f"chr{i}": decode(random.integers(0, 4, n).astype(np.uint8)) for i in (1, 2, 3)}
    return genome(**letters)


ROWS = [(0, i, 1, "ACGT"[i % 4]) for i in range(40)] + [(1, i, 3, "") for i in range(30)]


def test_classes():
    found = class_of(alleles((0, 1, 1, "A"), (0, 1, 2, "AC"), (0, 1, 0, "A"), (0, 1, 2, "A")))
    assert [CLASSES[number] for number in found] == 2 * ["substitutions"] + 2 * ["indels"]


def test_joined_alleles_keep_their_bases():
    rows = [(0, 1, 1, "A"), (1, 2, 0, "ACG"), (0, 5, 2, "")]
    assert rows_of(joined([alleles(*rows), alleles(rows[1])])) == [*rows, rows[1]]
    assert rows_of(joined([])) == []


def sample(parts, size, seed=1):
    drawn = Sample(size, seed)
    for part in parts:
        drawn.add(alleles(*part))
    return [rows_of(one) for one in drawn.drawn()]


def test_a_sample_holds_some_of_each_class_once():
    substitutions, indels = sample([ROWS], 10)
    assert len(set(substitutions)) == len(set(indels)) == 10
    assert set(substitutions) < set(ROWS[:40])
    assert set(indels) < set(ROWS[40:])


def test_a_sample_of_few_holds_all():
    substitutions, indels = sample([ROWS], 100)
    assert (set(substitutions), set(indels)) == (set(ROWS[:40]), set(ROWS[40:]))


def test_a_sample_does_not_depend_on_parts():
    whole = sample([ROWS], 7)
    assert whole == sample([[row] for row in ROWS], 7)
    assert whole == sample([ROWS[:3], ROWS[3:50], ROWS[50:]], 7)
    assert whole != sample([ROWS], 7, seed=2)


def test_a_sample_of_nothing():
    assert sample([], 5) == [[], []]


def test_a_sample_is_even():
    drawn = [rows[1] for seed in range(300) for rows in sample([ROWS[:20]], 5, seed)[0]]
    assert np.bincount(drawn).min() > 40  # 75 expected, with a deviation of 7.5


def test_substitutions_keep_their_neighbours():
    here = random_genome()
    given = alleles((0, 100, 1, decode((here.flat[100:101] + 1) % 4)))
    found = moved(here, given, 200, [], 1)
    assert len(found) == 200
    places = here.offsets[found.chrom] + found.start
    context = here.flat[places[:, None] + [-1, 0, 1]]
    assert (context == here.flat[99:102]).all()
    assert (found.alt == given.alt[0]).all()
    assert len(set(places)) > 100
    assert set(found.chrom) == {0, 1, 2}


def test_several_bases_keep_what_differs_at_their_ends():
    here = random_genome()
    given = alleles((0, 100, 3, decode((here.flat[100:103] + 1) % 4)))
    found = moved(here, given, 50, [], 1)
    assert set(found.n_ref) == {3}
    places = here.offsets[found.chrom] + found.start
    assert (here.flat[places + 2] != found.alt.reshape(50, 3)[:, 2]).all()
    assert (here.flat[places] != found.alt.reshape(50, 3)[:, 0]).all()


def test_indels_keep_bases_and_lengths_and_come_as_often():
    found = moved(random_genome(), alleles((0, 9, 0, "ACG"), (0, 50, 7, "")), 20, [], 1)
    assert [row[2:] for row in rows_of(found)] == 10 * [(0, "ACG"), (7, "")]


def test_ignored_chromosomes_are_left_alone():
    given = alleles((0, 50, 7, ""))
    found = moved(random_genome(), given, 50, ["chr1", "chr3"], 1)
    assert set(found.chrom) == {1}
    assert len(moved(random_genome(), given, 50, ["chr1", "chr2", "chr3"], 1)) == 0


@pytest.mark.parametrize("given", [(0, 3, 1, "T"), (0, 3, 0, "T"), (0, 3, 2, "")])
def test_unknown_bases_and_ends_are_left_alone(given):
    here = genome(a="AAAAAAAA", b="NNNNNNNNNNAAAANNAAAN", c="NNN")
    found = moved(here, alleles(given), 400, [], 1)
    n_ref = given[2]
    allowed = {(0, start) for start in range(1, 8 - n_ref)}
    allowed |= {(1, 10 + start) for start in range(1, 4 - n_ref)}
    allowed |= {(1, 16 + start) for start in range(1, 3 - n_ref)}
    assert {row[:2] for row in rows_of(found)} == allowed


def test_what_finds_no_place_is_left_out():
    here = genome(a="AAAAACGAAAA")
    found = moved(here, alleles((0, 5, 1, "T"), (0, 1, 1, "T")), 10, [], 1)
    assert {row[1] for row in rows_of(found)} >= {5}
    assert len(moved(here, alleles((0, 1, 30, "")), 10, [], 1)) == 0


def test_places_depend_on_the_seed_alone():
    given = alleles((0, 9, 0, "ACG"))
    first, second = (moved(random_genome(), given, 20, [], 1) for _ in range(2))
    assert rows_of(first) == rows_of(second)
    assert rows_of(first) != rows_of(moved(random_genome(), given, 20, [], 2))
