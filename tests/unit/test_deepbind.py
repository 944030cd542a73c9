"""Training DeepBind on small stores, up to the motif that comes back."""

import numpy as np
import pytest
import torch
from builders import planted, random_codes, store_of
from sklearn.metrics import roc_auc_score

from motifloom import deepbind, models
from motifloom.deepbind import train_deepbind
from motifloom.files import InputError, read_table
from motifloom.kernels import export_motifs
from motifloom.motifs import consensus, read_motifs
from motifloom.negatives import dinucleotide_shuffle
from motifloom.presets import DeepBindPreset
from motifloom.sequences import decode, encode, reverse_complement
from motifloom.store import SequenceStore

MOTIF = "GATTACAC"
TINY = {"n_kernels": 16, "kernel_size": 10, "learning_rate": 0.02, "final_learning_rate": 0.002}


def preset_of(**changes):
    return DeepBindPreset(**TINY | {"epochs": 12, "both_strands": True} | changes)


def train(store, folder, seed=1, loss="mse", per_positive=2, **changes):
    folder.mkdir(exist_ok=True)
    store.write(folder / "sequences.safetensors")
    train_deepbind(
        folder / "sequences.safetensors",
        folder / "weights.safetensors",
        folder / "history.tsv",
        preset=preset_of(**changes),
        preset_name="tiny",
        seed=seed,
        negatives_per_positive=per_positive,
        loss=loss,
        device="cpu",
    )
    return models.load(folder / "weights.safetensors")


def shuffled_store(seed=0, n=160):
    """Sites, half of them on the reverse strand; validation and test have stored shuffles."""
    sites = planted(seed, n, 30, MOTIF)
    sites[::2] = reverse_complement(sites[::2])
    held = sites[n // 2 :]
    codes = np.concatenate([sites, dinucleotide_shuffle(held, 5)])
    names = ["validation", "test"] * (n // 4)
    return store_of(
        codes,
        np.arange(len(codes)) < n,
        ["train"] * (n // 2) + names + names,
        kind=np.arange(len(codes)) >= n,
        kinds=("site", "dinucleotide"),
        negatives="dinucleotide",
    )


def scored_store(alphabet="dna", n=160):
    codes = np.concatenate([planted(3, n // 2, 20, MOTIF), random_codes(4, n // 2, 20)])
    noise = np.random.default_rng(5).normal(size=n)
    scores = 500 + 40 * (np.arange(n) < n // 2) + noise
    order = np.random.default_rng(6).permutation(n)
    split = ["train"] * (n // 2) + ["validation", "test"] * (n // 4)
    store = store_of(codes, scores, split, alphabet=alphabet, labels="score")
    store.codes[:], store.targets[:] = codes[order], scores[order, None]
    return store


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned")
    train(shuffled_store(n=480), folder, epochs=15)
    return folder


def test_a_planted_motif_is_learned(learned):
    store = SequenceStore.open(learned / "sequences.safetensors")
    model = models.load(learned / "weights.safetensors")
    rows = store.rows("test")
    scores = model.score(np.asarray(store.codes[rows]))[:, 0]
    assert roc_auc_score(store.targets[rows, 0], scores) > 0.9


def test_a_planted_motif_comes_back_as_a_kernel(learned, tmp_path):
    meme, table = tmp_path / "motifs.meme", tmp_path / "motifs.tsv"
    weights, store = learned / "weights.safetensors", learned / "sequences.safetensors"
    export_motifs(weights, store, meme, table)
    best, *_ = read_motifs(meme, table)
    assert consensus(best.matrix) in (MOTIF, decode(reverse_complement(encode(MOTIF))))
    assert best.matrix.max(0).min() > 0.9
    assert best.n_sites > 300  # of 360 sites outside the test split


def test_history(learned):
    history = read_table(learned / "history.tsv")
    assert list(history) == [
        "member",
        "epoch",
        "train_loss",
        "validation_loss",
        "learning_rate",
    ]
    assert history.epoch.tolist() == list(range(1, 16))
    assert history.train_loss.iloc[-1] < 0.5 * history.train_loss.iloc[0]
    assert history.learning_rate.iloc[-1] == pytest.approx(0.002)


def test_what_weights_say_of_themselves(learned):
    info = models.load(learned / "weights.safetensors").info
    assert info["network"] == "DeepBind"
    assert info["preset"] == "tiny"
    assert info["dataset"] == "set1"
    assert info["targets"] == ["TF1"]
    assert info["negatives"] == "dinucleotide"
    assert info["alphabet"] == "dna"
    assert (info["target_mean"], info["target_scale"]) == (0, 1)
    assert info["seed"] == 1
    assert info["hyperparameters"]["length"] == 30


def test_the_same_seed_reproduces_every_byte(tmp_path):
    store = shuffled_store(n=40)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(store, tmp_path / name, seed, members=2, epochs=2)
    for file in ("weights.safetensors", "history.tsv"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_members_differ_and_the_best_is_named(tmp_path):
    model = train(shuffled_store(n=40), tmp_path, members=3, epochs=2)
    kernels = [network.conv.weight.tolist() for network in model.networks]
    assert len(kernels) == 3
    assert kernels[0] != kernels[1] != kernels[2] != kernels[0]
    history = read_table(tmp_path / "history.tsv")
    best = history.groupby("member").validation_loss.min().idxmin()
    assert model.info["best_member"] == best
    assert history.member.tolist() == [0, 0, 1, 1, 2, 2]


def epochs_of(store, per_positive, *epochs, seed=7):
    """Codes and targets of whole epochs, each in one batch."""
    examples = deepbind._Examples(store, per_positive, "mse")
    return [next(examples.epoch(epoch, seed, 10**6)) for epoch in epochs]


def test_shuffles_are_drawn_anew_each_epoch():
    store = shuffled_store(n=40)
    first, second = (
        {tuple(row) for row in codes.tolist()} for codes, _ in epochs_of(store, 2, 0, 1)
    )
    sites = {tuple(row) for row in store.codes[store.rows("train")].tolist()}
    assert sites <= first
    assert sites <= second
    assert len(first - sites) == 2 * len(sites)
    assert not (first - sites) & (second - sites)


def test_an_epoch_is_the_same_with_the_same_seed():
    store = shuffled_store(n=40)
    (codes, targets), (again, targets_again) = epochs_of(store, 2, 4, 4)
    assert codes.tolist() == again.tolist()
    assert targets.tolist() == targets_again.tolist()
    ((other, _),) = epochs_of(store, 2, 4, seed=8)
    assert codes.tolist() != other.tolist()


@pytest.mark.parametrize("per_positive", [1, 3])
def test_an_epoch_holds_sites_and_as_many_shuffles_as_asked_for(per_positive):
    store = shuffled_store(n=40)
    ((codes, targets),) = epochs_of(store, per_positive, 0)
    assert len(codes) == 20 * (1 + per_positive)
    sites = {tuple(row) for row in store.codes[store.rows("train")].tolist()}
    assert [tuple(row) in sites for row in codes.tolist()] == (targets[:, 0] == 1).tolist()
    assert targets.sum() == 20


def test_batches_of_an_epoch():
    examples = deepbind._Examples(shuffled_store(n=40), 1, "mse")
    assert [len(codes) for codes, _ in examples.epoch(0, 0, 16)] == [16, 16, 8]
    assert examples.size() == 40


def test_small_datasets_are_seen_more_often(tmp_path):
    train(shuffled_store(n=40), tmp_path, epochs=2, min_steps=7, batch_size=32)
    # 20 sites and 40 shuffles are 2 steps an epoch
    assert read_table(tmp_path / "history.tsv").epoch.tolist() == [1, 2, 3, 4]


def test_scores_are_learned_and_come_back_in_their_unit(tmp_path):
    model = train(scored_store(), tmp_path, epochs=25, both_strands=False)
    store = SequenceStore.open(tmp_path / "sequences.safetensors")
    learned = store.targets[store.rows("train"), 0]
    assert model.info["target_mean"] == pytest.approx(learned.mean(), rel=1e-6)
    assert model.info["target_scale"] == pytest.approx(learned.std(), rel=1e-6)
    rows = store.rows("test")
    scores = model.score(np.asarray(store.codes[rows]))[:, 0]
    assert np.corrcoef(scores, store.targets[rows, 0])[0, 1] > 0.8
    assert abs(scores.mean() - store.targets[rows, 0].mean()) < 10


def test_soft_cross_entropy_of_scores(tmp_path):
    store = scored_store(n=40)
    examples = deepbind._Examples(store, 0, "cross-entropy")
    learned = store.targets[store.rows("train")]
    standard = (learned - learned.mean()) / learned.std()
    np.testing.assert_allclose(examples.targets, 1 / (1 + np.exp(-standard)), rtol=1e-4)
    assert examples.loss == "cross-entropy"
    model = train(scored_store(), tmp_path, loss="cross-entropy", epochs=20, both_strands=False)
    rows = scored_store().rows("test")
    scores = model.score(scored_store().codes[rows])[:, 0]
    assert np.corrcoef(scores, scored_store().targets[rows, 0])[0, 1] > 0.8


def test_equal_scores_can_be_trained_on(tmp_path):
    store = scored_store(n=20)
    store.targets[:] = 2.5
    model = train(store, tmp_path, epochs=1)
    assert model.info["target_scale"] == 1.0
    assert np.isfinite(model.score(store.codes)).all()


def test_rna_is_scored_on_its_own_strand(tmp_path):
    model = train(scored_store("rna", 40), tmp_path, epochs=1)
    assert not model.networks[0].conv.both_strands
    assert model.info["alphabet"] == "rna"
    codes = random_codes(0, 8, 20)
    assert (model.score(codes) != model.score(reverse_complement(codes))).any()


def test_given_negatives_are_trained_on(tmp_path):
    codes = np.concatenate([planted(1, 20, 20, MOTIF), random_codes(2, 20, 20)])
    store = store_of(
        codes, np.arange(40) < 20, ["train", "validation"] * 20, kinds=("given",), negatives="given"
    )
    examples = deepbind._Examples(store, 4, "mse")
    assert examples.size() == 20
    ((codes, targets),) = epochs_of(store, 4, 0)
    assert targets.sum() == 10
    train(store, tmp_path, epochs=1)


def test_only_the_first_kind_of_negatives_is_trained_on():
    store = store_of(
        random_codes(0, 6, 20),
        [1, 1, 0, 0, 0, 0],
        ["train", "validation", "train", "validation", "validation", "test"],
        kind=[0, 0, 1, 1, 2, 2],
        kinds=("site", "gc", "flank"),
        negatives="gc",
    )
    examples = deepbind._Examples(store, 4, "mse")
    assert examples.codes.tolist() == store.codes[[0, 2]].tolist()
    assert examples.validation[0][0].tolist() == store.codes[[1, 3]].tolist()


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("negatives", ["given", "gc", "none"])
def test_one_class_only(tmp_path, label, negatives):
    store = store_of(random_codes(0, 4, 20), [label] * 4, ["train"] * 4, negatives=negatives)
    with pytest.raises(InputError, match="dataset set1: the training split holds one class only"):
        train(store, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["sequences.safetensors"]


def test_without_validation_examples(tmp_path):
    store = shuffled_store(n=40)
    keep = store.rows("train")
    only = store_of(
        store.codes[keep], store.targets[keep], ["train"] * len(keep), negatives="dinucleotide"
    )
    model = train(only, tmp_path, epochs=2, members=2)
    assert model.info["best_member"] == 0
    assert read_table(tmp_path / "history.tsv").validation_loss.isna().all()


def test_sequences_shorter_than_the_kernels(tmp_path):
    store = store_of(random_codes(0, 4, 9), [1, 0, 1, 0], ["train"] * 4, negatives="given")
    with pytest.raises(InputError, match="9 bp are too short for this network, which needs 10"):
        train(store, tmp_path)


def test_the_number_of_threads_is_left_alone(tmp_path):
    before = torch.get_num_threads()
    train(shuffled_store(n=40), tmp_path, epochs=1)
    assert torch.get_num_threads() == before
