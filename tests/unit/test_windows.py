"""Comparison networks on a dataset's windows."""

from dataclasses import replace

import numpy as np
import pytest
from builders import planted, random_codes, store_of
from sklearn.metrics import roc_auc_score

from motifloom import models
from motifloom.files import InputError
from motifloom.members import Order, _for_task
from motifloom.presets import MULTITASK, MultitaskPreset, choose
from motifloom.search import Pool
from motifloom.training import FitSettings
from motifloom.windows import PoolStream, train_windows, windows_task

RESNET = {"network": "ResNet", "n_kernels": 8, "kernel_size": 6, "blocks": 1, "pool_size": 2}


def sites(n=60, labels="binary"):
    codes = np.concatenate([planted(0, n, 24, "ACGTGA"), random_codes(1, n, 24)])
    targets = np.repeat([1.0, 0.0], n)
    if labels == "score":
        targets = 3 * targets + 10
    split = (["train"] * 3 + ["validation", "test"]) * (2 * n // 5)
    return store_of(codes, targets, split, kinds=["site", "given"], kind=[1] * 2 * n, labels=labels)


def train(folder, store, preset):
    store.write(folder / "s.safetensors")
    train_windows(
        folder / "s.safetensors",
        folder / "weights.safetensors",
        folder / "history.tsv",
        folder / "plan.tsv",
        Order(preset=preset, preset_name="tiny", seed=1),
        negatives_per_positive=2,
    )
    return models.load(folder / "weights.safetensors")


def resnet(**changes):
    return MultitaskPreset(**RESNET, epochs=12, batch_size=16, learning_rate=0.01, **changes)


def test_a_resnet_learns_a_site(tmp_path):
    store = sites()
    model = train(tmp_path, store, resnet())
    rows = store.rows("test")
    assert roc_auc_score(store.targets[rows, 0], model.score(store.codes[rows])[:, 0]) > 0.9
    assert model.info["network"] == "ResNet"
    assert model.info["dataset"] == store.info["dataset"]


def test_scores_come_back_in_their_unit(tmp_path):
    store = sites(labels="score")
    model = train(tmp_path, store, resnet())
    scores = model.score(store.codes[store.rows("test")])[:, 0]
    assert 9 < scores.mean() < 14


@pytest.mark.parametrize("name", ["rnn", "lstm"])
def test_recurrent_classifiers_run(tmp_path, name):
    store = sites()
    model = train(tmp_path, store, choose(MULTITASK, name, {"epochs": 1}))
    assert np.isfinite(model.score(store.codes[:4])).all()


def test_rna_is_never_turned(tmp_path):
    store = sites()
    settings = FitSettings(1, 0.1, 0.1, reverse_complement=True)
    for alphabet in ("rna", "dna"):
        task = windows_task_of(tmp_path, store, alphabet=alphabet)
        assert _for_task(settings, task, 1).reverse_complement == (alphabet == "dna")


def windows_task_of(folder, store, **info):
    replace(store, info=store.info | info).write(folder / "s.safetensors")
    return windows_task(folder / "s.safetensors", Order(resnet(), "tiny", 1), 2, "mse")


def test_windows_do_not_move(tmp_path):
    with pytest.raises(InputError, match="tiny: shift is for bins"):
        train(tmp_path, sites(), resnet(shift=2))


def test_every_epoch_has_fresh_shuffles():
    codes = random_codes(0, 10, 30)
    pool = Pool(codes, np.ones(10, np.float32), per_positive=2, seed=3)
    stream = PoolStream(pool, 8, 1, 0, 1)
    assert len(stream) == 4
    epochs = [list(stream.batches(epoch)) for epoch in (0, 1, 0)]
    shown = [np.concatenate([batch.codes for batch in epoch]) for epoch in epochs]
    assert shown[0].shape == (30, 30)
    np.testing.assert_array_equal(shown[0], shown[2])
    assert not np.array_equal(np.sort(shown[0], 0), np.sort(shown[1], 0))
    later = list(stream.batches(0, 2))
    np.testing.assert_array_equal(np.concatenate([b.codes for b in later]), shown[0][16:])
    targets = np.concatenate([batch.targets for batch in epochs[0]])
    assert targets.sum() == 10


def test_processes_share_each_batch():
    pool = Pool(random_codes(0, 9, 30), np.arange(9, dtype=np.float32))
    whole = list(PoolStream(pool, 4, 1, 0, 1).batches(0))
    shares = [list(PoolStream(pool, 4, 1, rank, 2).batches(0)) for rank in (0, 1)]
    for batch, first, second in zip(whole, *shares, strict=True):
        assert batch.size == first.size == second.size
        mine = [np.asarray(part.targets[part.weight > 0]) for part in (first, second)]
        np.testing.assert_array_equal(np.sort(np.concatenate(mine), 0), np.sort(batch.targets, 0))
