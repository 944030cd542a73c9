import bioframe
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from motifloom import splits
from motifloom.files import InputError
from motifloom.sequences import encode, reverse_complement

TEST, TRAIN, VALIDATION = 2, 0, 1


def rows(*sequences):
    return np.stack([encode(sequence) for sequence in sequences])


def code_arrays(max_rows=8, max_length=12):
    shapes = st.tuples(st.integers(0, max_rows), st.integers(1, max_length))
    return arrays(np.uint8, shapes, elements=st.integers(0, 4))


def pairs_of_codes(max_length=7):
    """Two arrays with rows of one length, over few letters so that rows do repeat."""
    return st.integers(1, max_length).flatmap(
        lambda length: st.tuples(
            *[
                arrays(
                    np.uint8,
                    st.tuples(st.integers(0, 7), st.just(length)),
                    elements=st.sampled_from([0, 1, 3, 4]),
                )
            ]
            * 2
        )
    )


windows = st.lists(st.tuples(st.sampled_from(["chr1", "chr2"]), st.integers(0, 60)), max_size=15)


def unzipped(pairs):
    chroms = np.array([chrom for chrom, _ in pairs], object)
    return chroms, np.array([start for _, start in pairs], np.int64)


def test_split_codes_are_positions_in_the_names():
    assert splits.SPLITS == ("train", "validation", "test")
    assert [splits.SPLITS[code] for code in (TRAIN, VALIDATION, TEST)] == list(splits.SPLITS)


def test_cluster_windows_chains_overlaps_and_keeps_bookended_windows_apart():
    chroms = ["chr2", "chr1", "chr1", "chr1", "chr1", "chr2"]
    starts = np.array([100, 10, 0, 19, 29, 109])
    assert splits.cluster_windows(chroms, starts, 10).tolist() == [0, 1, 2, 1, 3, 0]


def test_cluster_windows_takes_none_and_negative_starts():
    assert splits.cluster_windows([], np.array([], np.int64), 10).tolist() == []
    assert splits.cluster_windows(["a", "a"], np.array([-5, 4]), 10).tolist() == [0, 0]


@pytest.mark.filterwarnings("ignore:In a future version")
@settings(deadline=None)
@given(windows.filter(len), st.integers(1, 12))
def test_cluster_windows_agrees_with_bioframe(pairs, length):
    chroms, starts = unzipped(pairs)
    frame = pd.DataFrame({"chrom": chroms, "start": starts, "end": starts + length})
    expected = bioframe.cluster(frame, min_dist=None)["cluster"].to_numpy()
    found = splits.cluster_windows(chroms, starts, length)
    assert found.dtype == np.int64
    assert (found == pd.factorize(expected)[0]).all()


def test_group_identical_joins_strands():
    codes = rows("AACG", "ACGT", "CGTT", "AACG", "NACG", "CGTN")
    assert splits.group_identical(codes).tolist() == [0, 1, 0, 0, 2, 2]
    assert splits.group_identical(codes, both_strands=False).tolist() == [0, 1, 2, 0, 3, 4]
    assert splits.group_identical(codes[:0]).tolist() == []


@settings(deadline=None)
@given(code_arrays(max_length=5), st.booleans())
def test_group_identical_agrees_with_brute_force(codes, both_strands):
    def key(row):
        strands = [row.tobytes()]
        return min([*strands, reverse_complement(row).tobytes()] if both_strands else strands)

    expected = pd.factorize(np.array([key(row) for row in codes], object))[0]
    assert (splits.group_identical(codes, both_strands) == expected).all()


def test_merge_groups_is_transitive():
    a = np.array([7, 7, 1, 2, 3, 3])
    b = np.array([5, 6, 6, 7, 8, 9])
    assert splits.merge_groups(a, b).tolist() == [0, 0, 0, 1, 2, 2]
    assert splits.merge_groups(a[:0], b[:0]).tolist() == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=12))
def test_merge_groups_agrees_with_brute_force(pairs):
    a, b = np.array(pairs).T
    linked = (a[:, None] == a) | (b[:, None] == b)
    for _ in pairs:
        linked = linked @ linked
    expected = pd.factorize(linked.argmax(axis=1))[0]
    assert (splits.merge_groups(a, b) == expected).all()


def test_by_chromosome():
    chroms = ["chr1", "chr2", "chr3", "chr1", "chr10"]
    found = splits.by_chromosome(chroms, test=["chr1"], validation=["chr3", "chr9"])
    assert found.dtype == np.uint8
    assert found.tolist() == [TEST, TRAIN, VALIDATION, TEST, TRAIN]
    assert splits.by_chromosome([], ["chr1"], []).tolist() == []


def test_by_chromosome_refuses_a_chromosome_named_twice():
    with pytest.raises(InputError, match="'chr3' is held out both"):
        splits.by_chromosome(["chr1"], ["chr3"], ["chr3"])


def test_by_clusters_moves_whole_clusters_of_training_rows():
    clusters = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    current = np.array([0, 0, 0, 0, 0, 0, 2, 2], np.uint8)
    found = splits.by_clusters(clusters, 0.3, seed=0, split_code=VALIDATION, current=current)
    assert found.dtype == np.uint8
    assert found[6:].tolist() == [TEST, TEST]
    assert (found[0:6:2] == found[1:6:2]).all()
    assert (found == VALIDATION).sum() == 2
    assert current.tolist() == [0, 0, 0, 0, 0, 0, 2, 2]


@pytest.mark.parametrize(("fraction", "expected"), [(0.0, 0), (0.1, 3), (0.11, 4), (1.0, 30)])
def test_by_clusters_takes_the_least_number_that_reaches_the_fraction(fraction, expected):
    found = splits.by_clusters(np.arange(30), fraction, 1, VALIDATION, np.zeros(30, np.uint8))
    assert (found == VALIDATION).sum() == expected


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=20),
    st.floats(0, 1),
    st.integers(0, 9),
)
def test_by_clusters_invariants(pairs, fraction, seed):
    clusters, current = np.array(pairs, np.int64).reshape(-1, 2).T
    found = splits.by_clusters(clusters, fraction, seed, VALIDATION, current)
    assert (found == splits.by_clusters(clusters, fraction, seed, VALIDATION, current)).all()
    assert (found[current != TRAIN] == current[current != TRAIN]).all()
    free = current == TRAIN
    moved = clusters[free & (found == VALIDATION)]
    assert not np.isin(clusters[free & (found == TRAIN)], moved).any()
    assert len(moved) >= fraction * free.sum() - 1e-6
    if len(moved):
        sizes = np.unique(moved, return_counts=True)[1]
        assert len(moved) - sizes.max() < fraction * free.sum()


def test_by_clusters_depends_on_the_seed():
    found = {
        splits.by_clusters(np.arange(50), 0.5, seed, 1, np.zeros(50, np.uint8)).tobytes()
        for seed in range(5)
    }
    assert len(found) == 5


def test_deal_clusters_keeps_clusters_whole_and_folds_alike():
    clusters = np.array([7, 7, 1, 1, 2, 2, 3, 3, 9, 9, 4, 4])
    found = splits.deal_clusters(clusters, 3, seed=0)
    assert found.dtype == np.int64
    assert np.bincount(found).tolist() == [0, 4, 4, 4]
    assert (found[::2] == found[1::2]).all()
    assert (found == splits.deal_clusters(clusters, 3, seed=0)).all()
    assert len({splits.deal_clusters(clusters, 3, seed).tobytes() for seed in range(9)}) > 1


def test_deal_clusters_leaves_folds_empty_where_clusters_are_few():
    assert splits.deal_clusters(np.array([5, 5, 5]), 3, seed=0).tolist() == [2, 2, 2]
    assert splits.deal_clusters(np.array([], np.int64), 3, seed=0).tolist() == []


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=40), st.integers(3, 6), st.integers(0, 9))
def test_deal_clusters_invariants(clusters, n_folds, seed):
    clusters = np.array(clusters, np.int64)
    found = splits.deal_clusters(clusters, n_folds, seed)
    assert ((found >= 1) & (found <= n_folds)).all()
    for cluster in np.unique(clusters):
        assert len(set(found[clusters == cluster])) == 1
    largest = np.bincount(clusters, minlength=1).max()
    sizes = np.bincount(found, minlength=n_folds + 1)[1:]
    assert (np.abs(sizes - len(clusters) / n_folds) <= largest).all()


def test_by_fold():
    folds = np.array([3, 1, 2, 0, 4, 1])
    found = splits.by_fold(folds, test=1, validation=2)
    assert found.dtype == np.uint8
    assert found.tolist() == [0, 2, 1, 0, 0, 2]
    assert splits.by_fold(folds, test=4, validation=1).tolist() == [0, 1, 0, 0, 2, 1]


def test_by_ranks_takes_every_other_of_the_strongest():
    order = np.array([6, 5, 4, 3, 2, 1, 0])
    current = np.zeros(7, np.uint8)
    found = splits.by_ranks(order, top=5, split_code=TEST, current=current)
    assert found.tolist() == [0, 0, 0, 2, 0, 2, 0]
    assert not current.any()


def test_by_ranks_ranks_the_training_rows_anew():
    order = np.array([0, 1, 2, 3, 4])
    current = np.array([0, 2, 0, 1, 0], np.uint8)
    found = splits.by_ranks(order, top=100, split_code=VALIDATION, current=current)
    assert found.tolist() == [0, 2, 1, 1, 0]


def test_by_ranks_keeps_rows_of_equal_rank_together():
    order = np.array([3, 0, 0, 1, 1, 1, 2, 3])
    found = splits.by_ranks(order, top=4, split_code=VALIDATION, current=np.zeros(8, np.uint8))
    assert found.tolist() == [1, 0, 0, 1, 1, 1, 0, 1]


def test_canonical_kmers_of_a_literal():
    # AC=0b0001, CG=0b0110, GT=0b1011 (the reverse complement of AC)
    kmers, valid = splits.canonical_kmers(rows("ACGTN"), 2)
    assert kmers.dtype == np.uint64
    assert kmers[:, :3].tolist() == [[0b0001, 0b0110, 0b0001]]
    assert valid.tolist() == [[True, True, True, False]]
    forward, _ = splits.canonical_kmers(rows("ACGTN"), 2, both_strands=False)
    assert forward[:, :3].tolist() == [[0b0001, 0b0110, 0b1011]]


def test_canonical_kmers_longer_than_the_sequence_are_none():
    kmers, valid = splits.canonical_kmers(rows("ACGT", "AAAA"), 5)
    assert kmers.shape == valid.shape == (2, 0)


@pytest.mark.parametrize("k", [0, 32])
def test_canonical_kmers_refuses_other_sizes(k):
    with pytest.raises(ValueError, match="1 to 31"):
        splits.canonical_kmers(rows("ACGT"), k)


@settings(max_examples=60, deadline=None)
@given(code_arrays(max_rows=3, max_length=40), st.integers(1, 31), st.booleans())
def test_canonical_kmers_agree_with_brute_force(codes, k, both_strands):
    kmers, valid = splits.canonical_kmers(codes, k, both_strands)
    assert kmers.shape == valid.shape == (len(codes), max(codes.shape[1] - k + 1, 0))
    for i, j in np.ndindex(kmers.shape):
        window = codes[i, j : j + k]
        assert valid[i, j] == (window < 4).all()
        if valid[i, j]:
            strands = [window, reverse_complement(window)] if both_strands else [window]
            assert kmers[i, j] == min(int("".join(map(str, s)), 4) for s in strands)


def test_shares_kmer():
    codes = rows("TTACGTT", "GGAACGG", "CCGTTCC", "GGAANGG", "TTTTTTT")
    reference = rows("CCAACGCC", "NNNNNNNN")
    assert splits.shares_kmer(codes, reference, 4).tolist() == [True, True, True, False, False]
    forward = splits.shares_kmer(codes, reference, 4, both_strands=False)
    assert forward.tolist() == [False, True, False, False, False]
    assert not splits.shares_kmer(codes, reference[:0], 4).any()
    assert not splits.shares_kmer(codes, reference[1:], 4).any()
    assert not splits.shares_kmer(codes, reference, 8).any()
    assert splits.shares_kmer(codes[:0], reference, 4).tolist() == []


@settings(deadline=None)
@given(pairs_of_codes(), st.integers(1, 5), st.booleans())
def test_shares_kmer_agrees_with_brute_force(pair, k, both_strands):
    def kmers(row):
        words = [row[j : j + k] for j in range(len(row) - k + 1)]
        words = [word for word in words if (word < 4).all()]
        strands = [reverse_complement(word) for word in words] if both_strands else []
        return {word.tobytes() for word in [*words, *strands]}

    codes, reference = pair
    known = set().union(*map(kmers, reference))
    expected = [bool(kmers(row) & known) for row in codes]
    assert splits.shares_kmer(codes, reference, k, both_strands).tolist() == expected


def test_shares_kmer_and_repeats_work_by_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    codes, reference = (rng.integers(0, 5, (n, 12)).astype(np.uint8) for n in (60, 50))
    codes[7] = reference[40]
    whole = [splits.shares_kmer(codes, reference, 6), splits.repeats(codes, reference)]
    monkeypatch.setattr(splits, "_BLOCK_BASES", 40)
    assert (splits.shares_kmer(codes, reference, 6) == whole[0]).all()
    assert (splits.repeats(codes, reference) == whole[1]).all()
    assert np.flatnonzero(whole[1]).tolist() == [7]


def test_repeats():
    codes = rows("AACG", "CGTT", "ACGG", "CGNN")
    reference = rows("AACG", "NNCG")
    assert splits.repeats(codes, reference).tolist() == [True, True, False, True]
    forward = splits.repeats(codes, reference, both_strands=False)
    assert forward.tolist() == [True, False, False, False]
    assert not splits.repeats(codes, rows("AACGA")).any()
    assert not splits.repeats(codes, reference[:0]).any()


@settings(deadline=None)
@given(pairs_of_codes(max_length=4), st.booleans())
def test_repeats_agrees_with_brute_force(pair, both_strands):
    codes, reference = pair
    known = {row.tobytes() for row in reference}
    if both_strands:
        known |= {reverse_complement(row).tobytes() for row in reference}
    expected = [row.tobytes() in known for row in codes]
    assert splits.repeats(codes, reference, both_strands).tolist() == expected


def test_overlaps():
    chroms, starts = ["chr1", "chr1", "chr1", "chr2"], np.array([0, 1, 30, 10])
    found = splits.overlaps(chroms, starts, ["chr1", "chr3"], np.array([10, 10]), 10, 20)
    assert found.tolist() == [False, True, False, False]
    assert not splits.overlaps(chroms, starts, [], np.array([], int), 10, 20).any()
    assert splits.overlaps([], np.array([], int), chroms, starts, 10, 20).tolist() == []


@settings(deadline=None)
@given(windows, windows, st.integers(1, 9), st.integers(1, 9))
def test_overlaps_agrees_with_brute_force(pairs, others, length, other_length):
    expected = [
        any(c == d and s < t + other_length and t < s + length for d, t in others) for c, s in pairs
    ]
    found = splits.overlaps(*unzipped(pairs), *unzipped(others), length, other_length)
    assert found.tolist() == expected


@settings(deadline=None)
@given(windows, st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=8))
def test_overlaps_intervals_of_any_size(pairs, intervals):
    chroms, starts = unzipped(pairs)
    begins, sizes = np.array(intervals, np.int64).reshape(-1, 2).T
    frame = pd.DataFrame({"chrom": "chr1", "start": begins, "end": begins + sizes})
    expected = [
        c == "chr1" and any(s < b + n and b < s + 5 for b, n in intervals) for c, s in pairs
    ]
    assert splits.overlaps_intervals(chroms, starts, 5, frame).tolist() == expected


CODES = rows("AAAACCCC", "ACGTACGG", "GATTACAA", "GGGGTTTT", "CATCATCA")
SPLIT = np.array([TRAIN, VALIDATION, TRAIN, TEST, TEST], np.uint8)


def test_check_no_leak_finds_repeats_on_either_strand():
    with pytest.raises(splits.LeakError, match=r"of 2 test windows 0 overlap .* and 1 repeat"):
        splits.check_no_leak(CODES, SPLIT)
    splits.check_no_leak(CODES, SPLIT, both_strands=False)


@pytest.mark.parametrize(("start", "leaks"), [(107, True), (108, False)])
def test_check_no_leak_finds_overlaps(start, leaks):
    chroms = ["chr1", "chr1", "chr2", "", "chr1"]
    starts = np.array([50, 100, start, -1, start])
    codes = CODES.copy()
    codes[3] = encode("GCGCGCAA")
    if leaks:
        with pytest.raises(splits.LeakError, match=r"of 2 test windows 1 overlap .* 0 repeat"):
            splits.check_no_leak(codes, SPLIT, chroms, starts)
    else:
        splits.check_no_leak(codes, SPLIT, chroms, starts)


def test_check_no_leak_leaves_windows_without_a_place_alone():
    codes = CODES.copy()
    codes[3] = encode("GCGCGCAA")
    splits.check_no_leak(codes, SPLIT, ["chr1"] * 5, np.full(5, -1))


def test_check_no_leak_of_nothing():
    splits.check_no_leak(CODES[:0], SPLIT[:0], [], np.array([], int))
