"""Gapped k-mer counts by hand, and the linear model on them."""

import numpy as np
import pytest
from builders import planted, random_codes, store_of
from sklearn.linear_model import LogisticRegression, Ridge

from motifloom import kmers
from motifloom.baselines import read_scores, training_examples
from motifloom.files import InputError, read_table
from motifloom.sequences import encode, reverse_complement

GAPS = range(kmers.MAX_GAP + 1)


def counts_of(letters, both_strands=True):
    """k-mer -> count of one sequence, those that occur."""
    counts = kmers.gapped_kmer_counts(encode(letters)[None], both_strands)
    names = kmers.feature_names(both_strands)
    return {names[i]: int(n) for i, n in zip(counts.indices, counts.data, strict=True)}


def dense(codes, both_strands=True):
    """The counts [N, F] as an array, a column an entry of the weights."""
    return kmers.gapped_kmer_counts(codes, both_strands).toarray()


def test_counts_by_hand():
    assert counts_of("ACGTTT", both_strands=False) == {"ACGTTT": 1}
    assert counts_of("AAAAAAAA", both_strands=False) == {
        "AAAAAA": 3,
        "AAANAAA": 2,
        "AAANNAAA": 1,
    }
    assert counts_of("ACGTTTG", both_strands=False) == {
        "ACGTTT": 1,
        "CGTTTG": 1,
        "ACGNTTG": 1,
    }
    # AAACGT is the other strand of ACGTTT; a palindrome stands once.
    assert counts_of("ACGTTT") == {"AAACGT": 1}
    assert counts_of("TTTCACGTGTTT")["CACGTG"] == 1
    assert counts_of("CCCTTTTTTGGG")["CCCNNNNNNGGG"] == 1


def test_an_unknown_base_counts_only_where_it_is_a_gap():
    assert counts_of("ACGNTTG", both_strands=False) == {"ACGNTTG": 1}
    assert counts_of("NACGTTT", both_strands=False) == {"ACGTTT": 1}
    assert counts_of("ACNTTT") == {}


@pytest.mark.parametrize("letters", ["", "A", "ACGTA", "N" * 20])
def test_sequences_without_any_kmer(letters):
    assert counts_of(letters) == {}


def test_numbers_of_features():
    # 64 of the 4,096 6-mers are their own reverse complement.
    assert len(kmers.feature_names(True)) == 2080 * len(GAPS)
    assert len(set(kmers.feature_names(False))) == 4096 * len(GAPS)
    assert kmers.feature_names(True)[:2] == ["AAAAAA", "AAAAAC"]


def test_both_strands_have_the_same_counts():
    codes = random_codes(0, 6, 30, letters=5)
    np.testing.assert_array_equal(dense(codes), dense(reverse_complement(codes)))
    assert not np.array_equal(dense(codes, False), dense(reverse_complement(codes), False))


def test_counts_are_compact_and_the_same_in_any_blocks(monkeypatch):
    codes = random_codes(1, 9, 25, letters=5)
    whole = kmers.gapped_kmer_counts(codes, True)
    assert (whole.dtype, whole.indices.dtype, whole.indptr.dtype) == ("f4", "i4", "i4")
    assert whole.shape == (9, kmers.n_features(True))
    assert whole.has_canonical_format
    monkeypatch.setattr(kmers, "_BLOCK", 2 * 25)
    parted = kmers.gapped_kmer_counts(codes, True)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(parted, name), getattr(whole, name))


def test_scores_do_not_depend_on_the_rows_beside_them():
    codes = random_codes(2, 40, 31, letters=5)
    rng = np.random.default_rng(3)
    weights = rng.normal(size=kmers.n_features(True))
    model = kmers.LinearModel(weights, 0.5, 1.0)
    together = model.scores(codes, True)
    apart = np.concatenate([model.scores(codes[i : i + 7], True) for i in range(0, 40, 7)])
    np.testing.assert_array_equal(together, apart)
    np.testing.assert_array_equal(together, model.scores(reverse_complement(codes), True))


def scaled(codes):
    table = dense(codes).astype(float)
    return table / np.sqrt(table.sum(axis=1).mean())


def test_the_penalty_is_that_of_scaled_counts():
    codes, labels = random_codes(4, 60, 24), np.arange(60) % 3 == 0
    counts = kmers.gapped_kmer_counts(codes, True)
    strong, weak = kmers.fitted_path(counts, labels.astype(float), False, (0.5, 2.0))
    for model in (strong, weak):
        other = LogisticRegression(C=model.strength, tol=1e-8).fit(scaled(codes), labels)
        expected = other.decision_function(scaled(codes))
        np.testing.assert_allclose(model.scores(codes, True), expected, atol=1e-3)


def test_the_penalty_on_a_fit_to_scores_is_that_of_scaled_counts():
    codes, scores = random_codes(5, 50, 24), np.random.default_rng(6).normal(7, 3, 50)
    counts = kmers.gapped_kmer_counts(codes, True)
    (model,) = kmers.fitted_path(counts, scores, True, (0.5,))
    expected = Ridge(alpha=2.0).fit(scaled(codes), scores).predict(scaled(codes))
    np.testing.assert_allclose(model.scores(codes, True), expected, atol=1e-2)


def test_constant_scores_are_predicted_as_they_are():
    counts = kmers.gapped_kmer_counts(random_codes(7, 10, 20), True)
    (model,) = kmers.fitted_path(counts, np.full(10, 4.0), True, (1.0,))
    np.testing.assert_allclose(model.scores(random_codes(8, 3, 20), True), 4.0)


def test_sequences_of_unknown_bases_give_the_share_of_positives():
    counts = kmers.gapped_kmer_counts(np.full((8, 20), 4, np.uint8), True)
    (model,) = kmers.fitted_path(counts, np.array([1.0, 1, 0, 0, 0, 0, 0, 0]), False, (1.0,))
    assert not model.weights.any()
    assert model.intercept == pytest.approx(np.log(1 / 3), abs=1e-3)


# Whole fits


def fit(folder, store, name="run", **changes):
    folder = folder / name
    folder.mkdir(exist_ok=True)
    store.write(folder / "store.safetensors")
    outputs = [folder / file for file in ("scores.safetensors", "choice.tsv", "weights.tsv")]
    settings = {"seed": 1, "negatives_per_positive": 4} | changes
    kmers.fit_kmer(folder / "store.safetensors", *outputs, **settings)
    return outputs


def site_store(seed=0, motif="CACGTG", n=90, **info):
    """Planted sites in all splits; negatives are shuffles, in validation stored ones."""
    codes = np.concatenate([planted(seed, n, 40, motif), random_codes(seed + 1, n // 3, 40)])
    split = np.resize(["train", "validation", "test"], n).tolist() + ["validation"] * (n // 3)
    return store_of(
        codes,
        np.repeat([1, 0], [n, n // 3]),
        split,
        kind=np.repeat([0, 1], [n, n // 3]),
        kinds=("site", "dinucleotide"),
        **{"negatives": "dinucleotide"} | info,
    )


def test_a_planted_motif_gets_the_largest_weight(tmp_path):
    scores, choice, weights = fit(tmp_path, site_store(n=300))
    table = read_table(weights)
    assert table.kmer[0] == "CACGTG"
    assert table.weight[0] == table.weight.abs().max() > 0
    about, found = read_scores(scores, 100)
    assert about == {"model": "kmer", "preset": kmers.PRESET, "members": 1}
    assert found.dtype == np.float32
    tried = read_table(choice)
    assert tried.strength[0] == kmers.STRENGTHS[0]
    assert tried.chosen.sum() == 1
    assert tried.validation[tried.chosen == 1].item() == tried.validation.max() > 0.9


def test_a_spaced_motif_gets_the_largest_weight(tmp_path):
    _, _, weights = fit(tmp_path, site_store(motif="CGTAGCATATGA", n=600))
    heaviest = set(read_table(weights).kmer[:12])
    assert heaviest & {"CGTNNNNNNTGA", "TCANNNNNNACG"}


def test_rna_is_counted_on_its_own_strand(tmp_path):
    _, _, weights = fit(tmp_path, site_store(motif="TTTGGC", n=300, alphabet="rna"))
    assert read_table(weights).kmer[0] == "TTTGGC"


def test_the_same_bytes_twice(tmp_path):
    first, second = (fit(tmp_path, site_store(), name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    other = fit(tmp_path, site_store(), "c", seed=2)
    assert other[0].read_bytes() != first[0].read_bytes()


def test_scores_come_back_in_their_own_units(tmp_path):
    codes = np.concatenate([planted(0, 60, 30, "CACGTG"), random_codes(1, 60, 30)])
    targets = np.repeat([130.0, 100.0], 60)
    split = np.resize(["train", "train", "validation", "test"], 120)
    store = store_of(codes, targets, split, kinds=("given",), labels="score")
    scores, choice, _ = fit(tmp_path, store)
    found = read_scores(scores, 30)[1]
    assert np.corrcoef(found, targets[split == "test"])[0, 1] > 0.8
    assert 100 < found.mean() < 130
    assert read_table(choice).validation.max() > 0.8


@pytest.mark.parametrize("validation", ["none", "one class"])
def test_without_a_validation_split_that_can_tell_the_default_holds(tmp_path, validation):
    store = site_store()
    wanted = store.split == 1
    store.split[wanted & (store.kind == 1) if validation == "one class" else wanted] = 2
    _, choice, _ = fit(tmp_path, store)
    table = read_table(choice)
    assert table.strength.tolist() == [kmers.DEFAULT_STRENGTH]
    assert table.chosen.tolist() == [1]
    assert table.validation.isna().all()


def test_a_single_positive_is_enough(tmp_path):
    store = store_of(
        random_codes(0, 3, 20),
        [1, 1, 0],
        ["train", "test", "test"],
        kind=[0, 0, 1],
        kinds=("site", "dinucleotide"),
        negatives="dinucleotide",
    )
    assert np.isfinite(read_scores(fit(tmp_path, store)[0], 2)[1]).all()


def test_a_test_split_without_examples(tmp_path):
    store = site_store()
    store.split[store.split == 2] = 0
    assert read_scores(fit(tmp_path, store)[0], 0)[1].shape == (0,)


# Training examples


def test_shuffles_stand_behind_the_positives():
    store = site_store(n=6)
    codes, targets = training_examples(store, 3, seed=1)
    assert targets.tolist() == [1] * 2 + [0] * 6
    np.testing.assert_array_equal(codes[:2], store.codes[[0, 3]])
    # Shuffles of one sequence keep its bases, and differ.
    for made in codes[2:5]:
        np.testing.assert_array_equal(np.bincount(made), np.bincount(codes[0]))
    assert len(np.unique(codes, axis=0)) == 8


def test_the_strongest_positives_and_their_share_of_negatives():
    store = store_of(
        random_codes(0, 12, 8),
        [1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0],
        ["train"] * 12,
        kinds=("given",),
        negatives="given",
    )
    codes, targets = training_examples(store, 4, seed=1, most_positives=2)
    assert targets.tolist() == [1, 0, 1, 0, 0, 0]
    np.testing.assert_array_equal(codes, store.codes[[0, 1, 2, 3, 5, 7]])
    assert len(training_examples(store, 4, seed=1, most_positives=9)[0]) == 12


def test_other_kinds_of_negatives_are_not_trained_on():
    store = store_of(
        random_codes(0, 3, 8),
        [1, 0, 0],
        ["train"] * 3,
        kind=[0, 1, 2],
        kinds=("site", "gc", "flank"),
        negatives="flank",
    )
    np.testing.assert_array_equal(training_examples(store, 4, 1)[0], store.codes[[0, 2]])


def test_one_class_only_is_refused():
    store = store_of(random_codes(0, 2, 8), [1, 1], ["train"] * 2, negatives="none")
    with pytest.raises(InputError, match="dataset set1: the training split holds one class only"):
        training_examples(store, 4, seed=1)


def test_scores_of_other_rows_are_refused(tmp_path):
    scores, _, _ = fit(tmp_path, site_store())
    with pytest.raises(InputError, match="holds 30 scores of 31 test rows; make it again"):
        read_scores(scores, 31)
