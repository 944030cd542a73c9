from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from motifloom import negatives
from motifloom.files import InputError
from motifloom.sequences import Genome, decode, encode, extract_windows

NOTHING = pd.DataFrame({"chrom": [], "start": [], "end": []})


def dinucleotides(row):
    return Counter(zip(row[:-1].tolist(), row[1:].tolist(), strict=True))


def euler_paths(row):
    """All sequences with the dinucleotide counts and the first base of `row`."""
    paths = [((int(row[0]),), dinucleotides(row))]
    for _ in row[1:]:
        paths = [
            ((*path, b), left - Counter([(a, b)]))
            for path, left in paths
            for a, b in left
            if a == path[-1]
        ]
    return [path for path, _ in paths]


def genome_of(**chromosomes):
    codes = [encode(c) if isinstance(c, str) else c for c in chromosomes.values()]
    return Genome(list(chromosomes), [len(c) for c in codes], np.concatenate(codes))


def random_genome(seed, **lengths):
    rng = np.random.default_rng(seed)
    share = [0.3, 0.2, 0.2, 0.3]
    return genome_of(
        **{name: rng.choice(4, size=n, p=share).astype(np.uint8) for name, n in lengths.items()}
    )


@settings(max_examples=200, deadline=None)
@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(0, 4), st.integers(1, 60)),
        elements=st.sampled_from([0, 0, 0, 1, 2, 3, 4]),
    ),
    st.integers(-5, 2**70),
)
def test_shuffle_keeps_dinucleotides_and_ends(codes, seed):
    found = negatives.dinucleotide_shuffle(codes, seed)
    assert found.dtype == np.uint8
    assert found.shape == codes.shape
    for before, after in zip(codes, found, strict=True):
        assert dinucleotides(before) == dinucleotides(after)
        assert before[0] == after[0]
        assert before[-1] == after[-1]


@pytest.mark.parametrize("sequence", ["A", "AC", "ACG", "AAAAAAAA", "NNNNN", "ACACACACA"])
def test_shuffle_leaves_sequences_with_one_path_alone(sequence):
    codes = encode(sequence)[None]
    assert (negatives.dinucleotide_shuffle(codes, 3) == codes).all()


def test_shuffle_of_a_literal():
    codes = encode("ACGTTGCANNACGGTCA")[None]
    found = [decode(negatives.dinucleotide_shuffle(codes, seed)[0]) for seed in range(3)]
    assert found == ["ACACGGTTCGTGCANNA", "ANNACACGTTCGTGGCA", "ACACGGTTGCGTCANNA"]


def test_random_numbers_are_splitmix64():
    seeds = np.arange(1, 4, dtype=np.uint64) * negatives._GOLDEN
    found = [int(negatives._mix(seed)) for seed in seeds]
    assert found == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


# Among them paths whose last edges are rare, which a naive walk would draw too seldom or often.
@pytest.mark.parametrize("sequence", ["ACAGATCACA", "AAACAAGCAGA", "ACCCGACGTCA", "AGNAANGACNA"])
def test_shuffle_is_uniform_over_all_paths(sequence):
    from scipy.stats import chisquare

    codes = encode(sequence)
    paths = euler_paths(codes)
    assert len(paths) > 5
    found = negatives.dinucleotide_shuffle(np.tile(codes, (200 * len(paths), 1)), seed=0)
    counts = Counter(map(tuple, found.tolist()))
    assert set(counts) == set(paths)
    assert chisquare([counts[path] for path in paths]).pvalue > 0.01


def test_shuffle_depends_on_seed_and_row():
    codes = np.tile(np.random.default_rng(0).integers(0, 4, 80).astype(np.uint8), (2, 1))
    found = [negatives.dinucleotide_shuffle(codes, seed) for seed in (0, 1)]
    assert len({row.tobytes() for row in np.concatenate(found)}) == 4


def test_shuffle_of_a_row_does_not_depend_on_the_batch():
    codes = np.random.default_rng(0).integers(0, 5, (20, 50)).astype(np.uint8)
    whole = negatives.dinucleotide_shuffle(codes, 7)
    for chosen in ([3], [19, 0, 4], slice(5, 12)):
        found = negatives.dinucleotide_shuffle(codes[chosen], 7, np.arange(20)[chosen])
        assert (found == whole[chosen]).all()


def test_shuffle_leaves_its_input_alone_and_takes_read_only_arrays():
    codes = np.random.default_rng(0).integers(0, 4, (3, 40)).astype(np.uint8)
    before = codes.copy()
    codes.flags.writeable = False
    negatives.dinucleotide_shuffle(codes, 0)
    assert (codes == before).all()
    assert negatives.dinucleotide_shuffle(codes[:0], 0).shape == (0, 40)


def test_shuffle_refuses_other_shapes_and_codes():
    with pytest.raises(ValueError, match=r"\[N, L\]"):
        negatives.dinucleotide_shuffle(np.zeros(5, np.uint8), 0)
    with pytest.raises(ValueError, match="2 sequences need as many"):
        negatives.dinucleotide_shuffle(np.zeros((2, 5), np.uint8), 0, np.arange(3))
    with pytest.raises(ValueError, match="reach 5"):
        negatives.dinucleotide_shuffle(np.full((2, 5), 5, np.uint8), 0)


def test_gc_content():
    codes = np.stack([encode(s) for s in ("ACGT", "CCGN", "NNNN", "ATNN")])
    np.testing.assert_array_equal(negatives.gc_content(codes), [0.5, 1, np.nan, 0])


@settings(deadline=None)
@given(
    arrays(np.uint8, st.integers(1, 60), elements=st.integers(0, 4)),
    st.integers(1, 12),
    st.data(),
)
def test_count_bases_agrees_with_brute_force(codes, length, data):
    length = min(length, len(codes))
    starts = data.draw(st.lists(st.integers(0, len(codes) - length), max_size=10).map(sorted))
    windows = [codes[start : start + length] for start in starts]
    strong, unknown = negatives._count_bases(codes, np.array(starts, np.int64), length)
    assert strong.tolist() == [int(np.isin(window, [1, 2]).sum()) for window in windows]
    assert unknown.tolist() == [int((window == 4).sum()) for window in windows]


def test_gc_matched_of_a_literal():
    genome = genome_of(chr1="AAAAGGGG", chr2="CCCCCCCC")
    found = negatives.gc_matched(genome, ["chr1"], np.array([1.0, 0.0, 0.5]), 1, 4, NOTHING, 0)
    assert found["chrom"].tolist() == ["chr1"] * 3
    assert found["start"].tolist() == [4, 0, 2]


def test_gc_matched_keeps_its_promises():
    genome = random_genome(0, chr1=20_000, chr2=60_000, chr3=30_000, short=50)
    genome.codes("chr2")[10_000:30_000] = 4
    forbidden = pd.DataFrame(
        {"chrom": ["chr1", "chr2", "chr2"], "start": [5_000, 0, 500], "end": [9_000, 700, 2_000]}
    )
    wanted = np.random.default_rng(1).normal(0.42, 0.05, 300)
    allowed = ["chr2", "short", "chr1"]
    found = negatives.gc_matched(genome, allowed, wanted, 3, 101, forbidden, 5)
    assert len(found) == 900
    assert not found.duplicated().any()
    assert set(found["chrom"]) == {"chr1", "chr2"}
    begins, ends = found["start"], found["start"] + 101
    assert (begins >= 0).all()
    assert (ends <= found["chrom"].map(genome.lengths)).all()
    for chrom, start, end in forbidden.itertuples(index=False):
        assert not ((found["chrom"] == chrom) & (begins < end) & (ends > start)).any()
    codes = extract_windows(genome, found["chrom"], begins, 101)
    assert ((codes == 4).mean(axis=1) <= 0.1).all()
    difference = negatives.gc_content(codes) - np.repeat(wanted, 3)
    assert np.abs(difference).max() <= 0.05 + 1e-9
    assert (np.abs(difference) <= 0.02).mean() > 0.95
    assert abs(difference.mean()) < 0.003


def test_gc_matched_spreads_over_chromosomes_by_length():
    genome = random_genome(0, chr1=10_000, chr2=30_000)
    found = negatives.gc_matched(genome, ["chr1", "chr2"], np.full(2_000, 0.4), 1, 20, NOTHING, 0)
    assert 0.22 < (found["chrom"] == "chr1").mean() < 0.28


def test_gc_matched_depends_on_the_seed_and_not_on_the_order_of_names():
    genome = random_genome(0, chr1=20_000, chr2=20_000)
    wanted = np.full(50, 0.4)
    found = [
        negatives.gc_matched(genome, allowed, wanted, 2, 51, NOTHING, seed)
        for allowed, seed in [(["chr1", "chr2"], 0), (["chr2", "chr1"], 0), (["chr1", "chr2"], 1)]
    ]
    pd.testing.assert_frame_equal(found[0], found[1])
    assert not found[0].equals(found[2])


def test_gc_matched_widens_its_bins_up_to_the_tolerance():
    genome = genome_of(chr1="AC" * 25)
    for wanted in (0.45, 0.47, 0.5, 0.53, 0.55):
        found = negatives.gc_matched(genome, ["chr1"], np.array([wanted]), 1, 50, NOTHING, 0)
        assert found["start"].tolist() == [0]
    for wanted in (0.44, 0.56):
        with pytest.raises(InputError, match="only 0 of 1 GC-matched"):
            negatives.gc_matched(genome, ["chr1"], np.array([wanted]), 1, 50, NOTHING, 0)


def test_gc_matched_finds_all_there_are_and_says_when_they_are_too_few():
    genome = genome_of(chr1=np.full(103, 1, np.uint8))
    found = negatives.gc_matched(genome, ["chr1"], np.ones(4), 1, 100, NOTHING, 0)
    assert sorted(found["start"]) == [0, 1, 2, 3]
    with pytest.raises(
        InputError, match=r"only 4 of 10 .* 4 free windows of 100 bp .* fewer, now 5"
    ):
        negatives.gc_matched(genome, ["chr1"], np.ones(2), 5, 100, NOTHING, 0)


@pytest.mark.parametrize("allowed", [[], ["chr2"], ["unknown"]])
def test_gc_matched_without_room(allowed):
    genome = genome_of(chr1="ACGT" * 9, chr2="AC")
    with pytest.raises(InputError, match="only 0 of 2"):
        negatives.gc_matched(genome, allowed, np.array([0.5]), 2, 10, NOTHING, 0)


def test_gc_matched_of_no_positives():
    genome = genome_of(chr1="ACGT" * 9)
    found = negatives.gc_matched(genome, ["chr1"], np.empty(0), 2, 10, NOTHING, 0)
    assert found.columns.tolist() == ["chrom", "start"]
    assert len(found) == 0


def test_gc_matched_refuses_positives_without_gc_content():
    genome = genome_of(chr1="ACGT" * 9)
    with pytest.raises(ValueError, match="no GC content"):
        negatives.gc_matched(genome, ["chr1"], np.array([np.nan]), 1, 10, NOTHING, 0)


def test_gc_matched_keeps_a_tolerance_below_the_bin_width():
    genome = random_genome(0, chr1=50_000)
    wanted = np.random.default_rng(1).uniform(0.35, 0.45, 100)
    found = negatives.gc_matched(genome, ["chr1"], wanted, 1, 500, NOTHING, 0, tolerance=0.005)
    gc = negatives.gc_content(extract_windows(genome, found["chrom"], found["start"], 500))
    assert np.abs(gc - wanted).max() <= 0.005 + 1e-9
    with pytest.raises(ValueError, match="above 0"):
        negatives.gc_matched(genome, ["chr1"], wanted, 1, 500, NOTHING, 0, tolerance=0)


def test_flanking_alternates_sides_and_steps_outwards():
    found = negatives.flanking(["chr1"], np.array([500]), 10, 90, {"chr1": 1000}, NOTHING, 4, 0)
    assert found.columns.tolist() == ["chrom", "start", "positive"]
    assert found["positive"].tolist() == [0] * 4
    assert found["start"].tolist() in ([400, 600, 300, 700], [600, 400, 700, 300])


def test_flanking_drops_windows_outside_forbidden_or_repeated():
    forbidden = pd.DataFrame({"chrom": ["chr2"], "start": [619], "end": [650]})
    found = negatives.flanking(
        ["chr1", "chr2", "chr1", "chr1"],
        np.array([50, 500, 890, 50]),
        10,
        100,
        {"chr1": 1000, "chr2": 1000},
        forbidden,
        2,
        0,
    )
    pairs = set(zip(found["positive"], found["chrom"], found["start"], strict=True))
    assert pairs == {(0, "chr1", 160), (1, "chr2", 390), (2, "chr1", 780)}
    assert found["positive"].is_monotonic_increasing
    assert found.index.tolist() == [0, 1, 2]


def test_flanking_chooses_the_first_side_by_the_seed():
    starts = np.arange(20) * 1000 + 500
    found = [
        negatives.flanking(["chr1"] * 20, starts, 10, 90, {"chr1": 30_000}, NOTHING, 1, seed)
        for seed in (0, 0, 1)
    ]
    sides = [frame["start"].to_numpy() - starts for frame in found]
    assert (np.abs(sides[0]) == 100).all()
    assert len(set(sides[0])) == 2
    assert (sides[0] == sides[1]).all()
    assert (sides[0] != sides[2]).any()


def test_flanking_says_when_none_is_left():
    with pytest.raises(InputError, match="none of the 2 windows 90 bp beside"):
        negatives.flanking(["chr1"], np.array([50]), 10, 90, {"chr1": 100}, NOTHING, 2, 0)


def test_flanking_of_no_positives():
    found = negatives.flanking([], np.array([], int), 10, 90, {"chr1": 100}, NOTHING, 2, 0)
    assert len(found) == 0
