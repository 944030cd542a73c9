"""Training DeepBind on small stores, up to the motif that comes back."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders import planted, random_codes, store_of
from sklearn.metrics import roc_auc_score

from motifloom import deepbind, metrics, models
from motifloom.deepbind import train_deepbind
from motifloom.files import InputError, read_table
from motifloom.kernels import MotifFiles, export_motifs
from motifloom.motif_files import read_motifs
from motifloom.motifs import consensus
from motifloom.negatives import dinucleotide_shuffle
from motifloom.presets import Choice, DeepBindPreset, LogUniform
from motifloom.sequences import decode, encode, reverse_complement
from motifloom.store import SequenceStore

MOTIF = "GATTACAC"
TINY = {"n_kernels": 16, "kernel_size": 10, "learning_rate": 0.02, "final_learning_rate": 0.002}


def preset_of(**changes):
    return DeepBindPreset(**TINY | {"epochs": 12, "both_strands": True} | changes)


def train(store, folder, seed=1, loss="mse", per_positive=2, threads=1, **changes):
    folder.mkdir(exist_ok=True)
    store.write(folder / "sequences.safetensors")
    train_deepbind(
        folder / "sequences.safetensors",
        folder / "weights.safetensors",
        folder / "history.tsv",
        folder / "search.tsv",
        folder / "trainings.tsv",
        preset=preset_of(**changes),
        preset_name="tiny",
        seed=seed,
        negatives_per_positive=per_positive,
        loss=loss,
        device="cpu",
        threads=threads,
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
    train(shuffled_store(n=480), folder, seed=2, epochs=15)
    return folder


def test_a_planted_motif_is_learned(learned):
    store = SequenceStore.open(learned / "sequences.safetensors")
    model = models.load(learned / "weights.safetensors")
    rows = store.rows("test")
    scores = model.score(np.asarray(store.codes[rows]))[:, 0]
    assert roc_auc_score(store.targets[rows, 0], scores) > 0.9


def test_a_planted_motif_comes_back_as_a_kernel(learned, tmp_path):
    names = ("k.meme", "k.tsv", "m.meme", "m.jaspar", "m.transfac", "m.tsv", "p.tsv")
    files = MotifFiles(*(tmp_path / name for name in names))
    weights, store = learned / "weights.safetensors", learned / "sequences.safetensors"
    export_motifs(weights, store, files)
    best, *_ = read_motifs(files.meme, files.table)
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
    assert info["seed"] == 2
    assert info["train_positives"] > 0
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


def examples_of(store, per_positive=2, loss="mse", seed=7, **changes):
    return deepbind.Examples(store, preset_of(**changes), per_positive, loss, seed)


def test_a_share_of_the_positives_is_learned_from():
    store = shuffled_store(n=40)
    everything = examples_of(store)
    part = deepbind.Examples(store, preset_of(), 2, "mse", 7, share=0.3)
    assert (everything.n_positive, part.n_positive) == (20, 6)
    kept = {tuple(row) for row in part.pool.codes.tolist()}
    assert kept <= {tuple(row) for row in everything.pool.codes.tolist()}
    assert part.judge.codes.tolist() == everything.judge.codes.tolist()
    scored = deepbind.Examples(scored_store(n=40), preset_of(), 0, "mse", 7, share=0.5)
    assert scored.n_positive == len(scored.pool.codes)
    assert scored.n_positive == -(-len(scored_store(n=40).rows("train")) // 2)


def test_shuffles_are_drawn_anew_each_epoch():
    pool = examples_of(shuffled_store(n=40)).pool
    first, second = ({tuple(row) for row in pool.epoch(epoch)[0].tolist()} for epoch in (0, 1))
    sites = {tuple(row) for row in pool.codes.tolist()}
    assert len(sites) == 20
    assert sites <= first
    assert sites <= second
    assert len(first - sites) == 2 * len(sites)
    assert not (first - sites) & (second - sites)


def test_shuffles_stay_where_the_preset_says_so():
    pool = examples_of(shuffled_store(n=40), fresh_negatives=False).pool
    assert pool.epoch(0)[0].tolist() == pool.epoch(1)[0].tolist()


def test_an_epoch_is_the_same_with_the_same_seed():
    pools = [examples_of(shuffled_store(n=40), seed=seed).pool for seed in (7, 7, 8)]
    codes = [pool.epoch(4)[0].tolist() for pool in pools]
    assert codes[0] == codes[1] != codes[2]


@pytest.mark.parametrize("per_positive", [1, 3])
def test_an_epoch_holds_sites_and_as_many_shuffles_as_asked_for(per_positive):
    pool = examples_of(shuffled_store(n=40), per_positive).pool
    codes, targets, parents = pool.epoch(0)
    assert len(codes) == pool.size(np.ones(20, bool)) == 20 * (1 + per_positive)
    assert targets.tolist() == [1] * 20 + [0] * 20 * per_positive
    assert parents.tolist() == [*range(20), *np.repeat(range(20), per_positive)]
    assert pool.size(np.arange(20) < 3) == 3 * (1 + per_positive)


def test_a_preset_may_ask_for_its_own_number_of_shuffles():
    assert (
        len(examples_of(shuffled_store(n=40), 4, negatives_per_positive=1).pool.epoch(0)[0]) == 40
    )


def test_steps_of_an_epoch():
    examples = examples_of(shuffled_store(n=40), 1, batch_size=16)
    assert examples.steps_per_epoch(preset_of(batch_size=16)) == 3
    assert examples.steps(preset_of(batch_size=16, epochs=5)) == 15
    assert examples.steps(preset_of(batch_size=16, epochs=2, min_steps=7)) == 9
    assert examples.steps(preset_of(batch_size=16, steps=100)) == 100


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
    examples = examples_of(store, 0, "cross-entropy")
    learned = store.targets[store.rows("train"), 0]
    standard = (learned - learned.mean()) / learned.std()
    np.testing.assert_allclose(examples.pool.targets, 1 / (1 + np.exp(-standard)), rtol=1e-4)
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
    pool = examples_of(store, 4).pool
    assert pool.epoch(0)[1].tolist() == [1] * 10 + [0] * 10
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
    examples = examples_of(store, 4)
    assert examples.pool.codes.tolist() == store.codes[[0, 2]].tolist()
    assert examples.judge.codes.tolist() == store.codes[[1, 3]].tolist()
    assert len(examples.pool.epoch(0)[0]) == 2


@pytest.mark.parametrize(
    ("label", "negatives"),
    [(0, "given"), (1, "given"), (0, "gc"), (1, "gc"), (1, "none"), (0, "dinucleotide")],
)
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


def test_threads_change_nothing(tmp_path):
    store = shuffled_store(n=40)
    for threads in (1, 2):
        folder = tmp_path / str(threads)
        train(store, folder, members=3, epochs=2, threads=threads, settings=2, space=SPACE)
    for file in ("weights.safetensors", "history.tsv", "search.tsv", "trainings.tsv"):
        assert (tmp_path / "1" / file).read_bytes() == (tmp_path / "2" / file).read_bytes()


def test_pytorch_is_not_imported_to_train_on_the_cpu(tmp_path):
    code = """
import sys
from motifloom import deepbind, jobs, presets
assert "torch" not in sys.modules, "importing"
from motifloom.plots import draw_history
assert "torch" not in sys.modules, "drawing"
"""
    folder = Path(deepbind.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


SPACE = (("dropout", Choice((0.0, 0.5))), ("learning_rate", LogUniform(0.01, 0.04)))
CALIBRATED = {"settings": 4, "folds": 3, "checkpoints": 2, "epochs": 4, "space": SPACE}


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrated")
    train(shuffled_store(n=120), folder, members=3, **CALIBRATED)
    return folder


def test_search_table_holds_every_setting_fold_and_checkpoint(calibrated):
    table = read_table(calibrated / "search.tsv")
    assert list(table)[:5] == ["setting", "dropout", "learning_rate", "fold", "step"]
    # 60 sites with 2 shuffles each, two thirds of them: 2 updates an epoch
    found = table[["setting", "fold", "step"]].to_numpy().tolist()
    assert found == [[s, f, step] for s in range(4) for f in range(3) for step in (4, 8)]
    assert table.status.tolist() == ["running", "done"] * 12
    assert table.learning_rate.between(0.01, 0.04).all()
    assert set(table.dropout) <= {0, 0.5}


def test_the_best_mean_is_chosen(calibrated):
    table = read_table(calibrated / "search.tsv")
    means = table.groupby(["setting", "step"]).score.mean()
    chosen = table[table.chosen == 1]
    assert len(chosen) == 3
    assert (chosen.setting.iloc[0], chosen.step.iloc[0]) == means.idxmax()
    info = models.load(calibrated / "weights.safetensors").info
    assert info["setting"]["steps"] == chosen.step.iloc[0]
    assert info["setting"]["learning_rate"] == pytest.approx(chosen.learning_rate.iloc[0], rel=1e-5)
    trainings = read_table(calibrated / "trainings.tsv")
    assert trainings.steps.tolist() == [chosen.step.iloc[0]] * 3
    assert trainings.kept.tolist() == [1, 1, 1]


def test_folds_part_the_positives_evenly_and_keep_shuffles_with_their_site():
    examples = examples_of(shuffled_store(n=80), 2)
    folds, judge = deepbind._folds(examples, 3, 5)
    assert [int((~fold.chosen).sum()) for fold in folds] == [14, 13, 13]
    assert (sum(~fold.chosen for fold in folds) == 1).all()
    assert len(judge.codes) == 3 * 40
    for fold in folds:
        assert len(fold.held) == 3 * (~fold.chosen).sum()
        sites = fold.held[judge.targets[fold.held] > 0]
        assert sites.tolist() == np.flatnonzero(~fold.chosen).tolist()


def test_one_fold_is_the_validation_split():
    examples = examples_of(shuffled_store(n=80))
    (fold,), judge = deepbind._folds(examples, 1, 5)
    assert fold.chosen.all()
    assert judge is examples.judge
    assert len(fold.held) == 40


def test_the_best_training_is_kept(tmp_path):
    model = train(shuffled_store(n=80), tmp_path, members=4, epochs=3, keep="best")
    table = read_table(tmp_path / "trainings.tsv")
    assert table.kept.sum() == 1
    assert table.kept.idxmax() == table.train_score.idxmax()
    assert model.info["members"] == len(model.networks) == 1


def test_final_trainings_on_all_that_is_not_test():
    store = shuffled_store(n=80)
    examples = examples_of(store, 2, final_on="all")
    rows = np.sort([*store.rows("train"), *store.rows("validation", ("site",))])
    assert examples.pool.codes.tolist() == store.codes[rows].tolist()
    assert len(examples.judge.codes) == 0


def test_a_setting_that_explodes_is_marked_and_the_rest_go_on(tmp_path):
    space = (("learning_rate", Choice((0.02, 1e30))),)
    train(shuffled_store(n=60), tmp_path, **CALIBRATED | {"space": space})
    table = read_table(tmp_path / "search.tsv")
    wild = table.learning_rate > 1
    assert 0 < wild.sum() < len(table)
    assert set(table.status[wild]) == {"failed"}
    assert table.score[wild].isna().all()
    assert "failed" not in set(table.status[~wild])
    assert not table.chosen[wild].any()


def test_every_training_explodes(tmp_path):
    with pytest.raises(InputError, match=r"in every training .* lower the preset's learning_rate"):
        train(shuffled_store(n=40), tmp_path, learning_rate=1e30, final_learning_rate=1e30)
    space = (("learning_rate", Choice((1e30,))),)
    with pytest.raises(InputError, match="no setting of the calibration gave finite weights"):
        train(shuffled_store(n=40), tmp_path, **CALIBRATED | {"space": space})


def test_halving_stops_the_worse_settings(tmp_path):
    halving = {"checkpoints": 3, "halving": True, "fresh_negatives": False}
    train(shuffled_store(n=60), tmp_path, **CALIBRATED | halving)
    table = read_table(tmp_path / "search.tsv")
    looks = table.groupby("setting").step.nunique().sort_values().tolist()
    assert looks == [1, 1, 2, 3]
    assert set(table.status) == {"running", "stopped", "done"}


def test_fewer_positives_than_folds(tmp_path):
    store = shuffled_store(n=4)
    with pytest.raises(InputError, match="2 training examples of a class cannot be dealt"):
        train(store, tmp_path, **CALIBRATED)
    assert [path.name for path in tmp_path.iterdir()] == ["sequences.safetensors"]


def test_one_fold_without_validation_examples(tmp_path):
    store = store_of(random_codes(0, 4, 20), [1] * 4, ["train"] * 4, negatives="dinucleotide")
    with pytest.raises(InputError, match="calibration with folds: 1 needs validation examples"):
        train(store, tmp_path, **CALIBRATED | {"folds": 1})


def test_fewer_unbound_examples_than_folds(tmp_path):
    codes = random_codes(0, 12, 20)
    store = store_of(codes, [1] * 10 + [0] * 2, ["train"] * 12, kinds=("given",), negatives="given")
    with pytest.raises(InputError, match="2 training examples of a class cannot be dealt"):
        train(store, tmp_path, **CALIBRATED)


def test_final_trainings_go_on_along_the_calibrations_schedule(tmp_path):
    train(shuffled_store(n=60), tmp_path, **CALIBRATED | {"checkpoints": 4})
    chosen = read_table(tmp_path / "search.tsv").query("chosen == 1").step.iloc[0]
    info = models.load(tmp_path / "weights.safetensors").info["setting"]
    # 20 of 30 sites with two shuffles each are one update an epoch, of which there are four.
    rate, final = info["learning_rate"], info["final_learning_rate"]
    expected = final + (rate - final) * (1 + np.cos(np.pi * chosen / 4)) / 2
    found = read_table(tmp_path / "history.tsv").learning_rate.iloc[-1]
    assert found == pytest.approx(expected, rel=1e-4)


def test_scores_that_are_no_numbers(tmp_path):
    store = scored_store(n=20)
    store.targets[3] = np.nan
    with pytest.raises(InputError, match="dataset set1: 1 training scores are no finite numbers"):
        train(store, tmp_path)


@pytest.mark.parametrize("fill", [0, 4])
def test_constant_sequences(tmp_path, fill):
    codes = np.full((8, 20), fill, np.uint8)
    store = store_of(codes, [1] * 8, ["train"] * 6 + ["validation"] * 2, negatives="dinucleotide")
    model = train(store, tmp_path, **CALIBRATED)
    assert np.isfinite(model.score(codes)).all()
    table = read_table(tmp_path / "search.tsv")
    assert set(table.score) == {0.5}


def test_scores_are_calibrated_by_correlation(tmp_path):
    train(scored_store(), tmp_path, **CALIBRATED | {"both_strands": False})
    assert read_table(tmp_path / "search.tsv").score.between(-1, 1).all()


def test_auroc_of_literals():
    assert metrics.auroc(np.array([1, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 0.0])) == 0.75
    assert metrics.auroc(np.array([1, 0, 0]), np.array([1.0, 1.0, 0.0])) == 0.75
    assert np.isnan(metrics.auroc(np.array([1, 1]), np.array([1.0, 2.0])))


def test_pearson_of_literals():
    assert metrics.pearson(np.array([1.0, 2, 3]), np.array([2.0, 4, 6])) == pytest.approx(1)
    assert np.isnan(metrics.pearson(np.array([1.0, 1]), np.array([1.0, 2])))
