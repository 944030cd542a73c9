"""Training DanQ on a few bins."""

import numpy as np
import pytest
import torch
from builders import planted, random_codes, store_of
from sklearn.metrics import roc_auc_score

from motifloom import models, multitask
from motifloom.danq import READOUTS
from motifloom.files import read_table
from motifloom.multitask import DirectPath, _set_prior, train_danq
from motifloom.presets import MultitaskPreset
from motifloom.sequences import reverse_complement

TINY = {
    "n_kernels": 8,
    "kernel_size": 8,
    "pool_size": 4,
    "lstm_units": 4,
    "dense_units": 6,
    "dropout": 0.1,
    "readout": "max",
    "conv_dropout": 0.0,
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.02,
    "final_learning_rate": 0.002,
}
DIRECT = {"readout": "centre", "dense_units": 0, "direct": True, "direct_epochs": 3}


def bins_store(n=40, length=40):
    """Two targets: GATTACAC in the middle 20 bases, CCGGTTTC there, and bins with neither."""
    middles = [planted(0, n, 20, "GATTACAC"), planted(1, n, 20, "CCGGTTTC"), random_codes(2, n, 20)]
    codes = random_codes(3, 3 * n, length)
    codes[:, 10:30] = np.concatenate(middles)
    labels = np.repeat([[1, 0], [0, 1], [0, 0]], n, axis=0)
    order = np.random.default_rng(4).permutation(3 * n)
    split = ["train", "validation", "test", "train"] * (3 * n // 4)
    return store_of(codes[order], labels[order], split, dataset="multitask", bin=20)


def train(folder, store=None, seed=1, **changes):
    folder.mkdir(exist_ok=True)
    (store or bins_store()).write(folder / "sequences.safetensors")
    train_danq(
        folder / "sequences.safetensors",
        folder / "weights.safetensors",
        folder / "history.tsv",
        preset=MultitaskPreset(**TINY | changes),
        preset_name="tiny",
        seed=seed,
        device="cpu",
    )
    return models.load(folder / "weights.safetensors")


@pytest.mark.parametrize("readout", READOUTS)
def test_tiny_runs(tmp_path, readout):
    model = train(tmp_path, readout=readout)
    assert model.score(bins_store().codes[:5]).shape == (5, 2)
    history = read_table(tmp_path / "history.tsv")
    assert history.epoch.tolist() == [1, 2]
    assert history.member.tolist() == [0, 0]
    assert model.info["network"] == "DanQ"
    assert model.info["targets"] == ["TF1", "TF2"]
    assert model.info["strands"] == "mean"
    assert model.info["bin"] == 20
    assert model.info["hyperparameters"]["centre"] == 20
    assert model.info["hyperparameters"]["readout"] == readout


@pytest.mark.parametrize(
    "changes",
    [
        {"lstm_units": 0},
        {"network": "ResNet", "blocks": 2, "readout": "centre"},
        {"network": "RNN", "units": 4},
        {"network": "LSTM", "units": 4},
    ],
    ids=["cnn", "resnet", "rnn", "lstm"],
)
def test_other_networks(tmp_path, changes):
    model = train(tmp_path, **changes)
    assert model.info["network"] == changes.get("network", "DanQ")
    assert model.score(bins_store().codes[:5]).shape == (5, 2)


@pytest.mark.parametrize("changes", [{}, DIRECT], ids=["plain", "direct"])
def test_the_same_seed_reproduces_every_byte(tmp_path, changes):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(tmp_path / name, seed=seed, **changes)
    for file in ("weights.safetensors", "history.tsv"):
        a, b, c = ((tmp_path / name / file).read_bytes() for name in "abc")
        assert a == b
        assert a != c


def test_the_direct_path_is_trained_first(tmp_path):
    train(tmp_path, **DIRECT, epochs=2)
    history = read_table(tmp_path / "history.tsv")
    assert history.epoch.tolist() == [1, 2, 3, 4, 5]
    # Each of the two trainings has its own fall of the learning rate.
    assert history.learning_rate[[2, 4]].tolist() == pytest.approx([0.002, 0.002])
    assert history.learning_rate[3] > 0.01


def test_small_stores_are_seen_more_often_by_the_direct_path(tmp_path):
    train(tmp_path, **DIRECT | {"direct_epochs": 1, "direct_min_steps": 9}, epochs=1)
    # 60 bins are 4 steps an epoch, so that 9 steps take 3 epochs.
    assert read_table(tmp_path / "history.tsv").epoch.tolist() == [1, 2, 3, 4]


def test_without_a_direct_path_there_is_no_first_training(tmp_path):
    train(tmp_path, direct_epochs=3)
    assert read_table(tmp_path / "history.tsv").epoch.tolist() == [1, 2]


def test_planted_motifs_are_learned(tmp_path):
    store = bins_store(120)
    model = train(
        tmp_path,
        store,
        **DIRECT | {"direct_epochs": 15, "epochs": 5, "n_kernels": 16, "dropout": 0.0},
    )
    rows = store.rows("test")
    scores = model.score(store.codes[rows])
    for column in range(2):
        assert roc_auc_score(store.targets[rows, column], scores[:, column]) > 0.9


def danq(**changes):
    settings = {"length": 40, "n_targets": 2, "n_kernels": 4, "kernel_size": 6, "pool_size": 4}
    return models.DanQ(**settings | {"lstm_units": 3, "dense_units": 5, "centre": 20} | changes)


def rated_store():
    """Two targets at rates 1/4 and 0 in training; the test split must not count."""
    labels = [[1, 0], [0, 0], [0, 0], [0, 0], [1, 1], [1, 1]]
    return store_of(random_codes(0, 6, 40), labels, ["train"] * 4 + ["test", "validation"])


def test_biases_start_at_the_rate_of_each_target():
    network = danq()
    _set_prior(network, rated_store())
    expected = [np.log(1 / 3), np.log(1e-4 / (1 - 1e-4))]
    np.testing.assert_allclose(network.dense.bias.detach().numpy(), expected, rtol=1e-5)


def test_with_a_direct_path_its_bias_is_the_one():
    network = danq(direct=True)
    _set_prior(network, rated_store())
    assert network.dense.bias.tolist() == [0, 0]
    assert network.direct.bias.detach().numpy()[0] == pytest.approx(np.log(1 / 3), rel=1e-5)


def test_direct_path_alone():
    network = danq(direct=True).eval()
    head, codes = DirectPath(network), torch.from_numpy(random_codes(1, 5, 40))
    torch.testing.assert_close(head(codes), network.direct_logits(codes))
    head(codes).sum().backward()
    assert network.conv.weight.grad is not None
    assert all(parameter.grad is None for parameter in network.lstm.parameters())


@pytest.mark.parametrize("turn", [True, False])
def test_examples_of_an_epoch(tmp_path, monkeypatch, turn):
    seen = []

    def look(network, epoch_batches, steps, *_):
        seen.extend(epoch_batches(0))
        assert len(seen) == steps
        return []

    monkeypatch.setattr(multitask, "fit", look)
    store = bins_store()
    train(tmp_path, store, reverse_complement=turn)
    rows = store.rows("train")
    labels = {
        tuple(row): store.targets[i].tolist()
        for i, row in zip(rows, store.codes[rows].tolist(), strict=True)
    }
    shown = np.concatenate([codes for codes, _ in seen])
    targets = np.concatenate([target for _, target in seen])
    forward = [tuple(row) in labels for row in shown.tolist()]
    back = np.where(np.array(forward)[:, None], shown, reverse_complement(shown))
    assert sorted(map(tuple, back.tolist())) == sorted(labels)
    assert [labels[tuple(row)] for row in back.tolist()] == targets.tolist()
    assert (0.3 < np.mean(forward) < 0.7) if turn else all(forward)
