"""Training the multi-task networks on a few bins."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import bin_store_of, genome_of, planted, random_codes
from sklearn.metrics import roc_auc_score

from motifloom import members, models
from motifloom.danq import READOUTS, DirectPath
from motifloom.files import InputError, read_table
from motifloom.hardware import Hardware, open_fabric
from motifloom.members import Order, build, parts
from motifloom.multitask import bins_task, plan_multitask, train_multitask
from motifloom.planning import PLAN_COLUMNS
from motifloom.presets import MultitaskPreset
from motifloom.sequences import decode

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
    genome = genome_of({"chr1": decode(codes[order].ravel())})
    chroms, starts = ["chr1"] * (3 * n), np.arange(3 * n) * length
    return bin_store_of(
        {}, chroms, starts, labels[order], split, genome=genome, bin=20, context=length
    )


def order_of(folder, seed=1, hardware=None, minutes=10.0, **changes):
    return Order(
        preset=MultitaskPreset(**TINY | changes),
        preset_name="tiny",
        seed=seed,
        hardware=hardware or Hardware(),
        checkpoints=str(folder / "checkpoints"),
        checkpoint_minutes=minutes,
    )


def train(folder, store=None, **changes):
    folder.mkdir(exist_ok=True)
    store = store or bins_store()
    store.write(folder / "bins.safetensors")
    train_multitask(
        folder / "bins.safetensors",
        store.genome,
        folder / "weights.safetensors",
        folder / "history.tsv",
        folder / "plan.tsv",
        order_of(folder, **changes),
    )
    return models.load(folder / "weights.safetensors")


def all_codes(store):
    return store.codes(np.arange(len(store)))


@pytest.mark.parametrize("readout", READOUTS)
def test_tiny_runs(tmp_path, readout):
    model = train(tmp_path, readout=readout)
    assert model.score(all_codes(bins_store())[:5]).shape == (5, 2)
    history = read_table(tmp_path / "history.tsv")
    assert history.epoch.tolist() == [1, 2]
    assert history.member.tolist() == [0, 0]
    assert model.info["network"] == "DanQ"
    assert model.info["targets"] == ["TF1", "TF2"]
    assert model.info["strands"] == "mean"
    assert model.info["bin"] == 20
    assert model.info["hyperparameters"]["centre"] == 20
    assert model.info["hyperparameters"]["readout"] == readout
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"network": "ResNet", "n_kernels": 4, "kernel_size": 5, "blocks": 2, "readout": "centre"},
        {"network": "RNN", "units": 3},
        {"network": "LSTM", "units": 3},
        {"lstm_units": 0},
        {"optimiser": "rmsprop", "start_range": 0.05, "schedule": "plateau", "clip": 1.0},
        {"positive_weight": 0.5, "smoothing": 0.1, "shift": 2},
        {"hardware": Hardware(precision="bf16")},
    ],
)
def test_other_networks_and_settings(tmp_path, changes):
    model = train(tmp_path, **changes)
    assert model.info["network"] == changes.get("network", "DanQ")
    assert np.isfinite(model.score(all_codes(bins_store())[:5])).all()


def test_parts_and_members(tmp_path):
    model = train(tmp_path, **DIRECT, head_epochs=2, epochs=1, members=2)
    history = read_table(tmp_path / "history.tsv")
    assert history.member.tolist() == [0] * 6 + [1] * 6
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6] * 2
    codes = all_codes(bins_store())
    together, alone = model.score_members(codes)
    np.testing.assert_allclose(together, alone.mean(0), atol=1e-5)
    assert not np.allclose(alone[0], alone[1])
    lowest = history.groupby("member").validation_loss.min()
    assert model.info["members"] == 2
    assert model.info["best_member"] == lowest.idxmin()


def test_the_same_bytes_again(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(tmp_path / name, **DIRECT, head_epochs=1, members=2, seed=seed)
    found = [(tmp_path / n / "weights.safetensors").read_bytes() for n in "abc"]
    assert found[0] == found[1] != found[2]


def test_it_learns(tmp_path):
    store = bins_store(n=80)
    changes = DIRECT | {"direct_epochs": 15, "head_epochs": 3, "epochs": 2, "n_kernels": 16}
    model = train(tmp_path, store, **changes, dropout=0.0)
    rows = store.rows("test")
    scores, labels = model.score(store.codes(rows)), store.labels(rows)
    for column in range(2):
        assert roc_auc_score(labels[:, column], scores[:, column]) > 0.9


def task_and_order(folder, **changes):
    store = bins_store()
    store.write(folder / "bins.safetensors")
    order = order_of(folder, **changes)
    return bins_task(type(store).open(folder / "bins.safetensors", store.genome), order), order


def test_biases_start_at_the_rate_of_each_target(tmp_path):
    task, order = task_and_order(tmp_path)
    network, _ = build(task, order, 0)
    expected = np.log(task.rates / (1 - task.rates))
    np.testing.assert_allclose(network.dense.bias.detach().numpy(), expected, rtol=1e-5)
    # Weighed so that both classes count alike, the odds are even.
    task, order = task_and_order(tmp_path, positive_weight=1.0)
    assert build(task, order, 0)[0].dense.bias.tolist() == [0, 0]


def test_with_a_direct_path_its_bias_is_the_one(tmp_path):
    task, order = task_and_order(tmp_path, **DIRECT, head_epochs=1)
    network, _ = build(task, order, 0)
    codes = torch.from_numpy(all_codes(bins_store())[:6])
    assert network.dense.bias.tolist() == [0, 0]
    network.eval()
    # The head starts as nothing.
    torch.testing.assert_close(network(codes), network.direct_logits(codes))


def test_direct_path_alone(tmp_path):
    task, order = task_and_order(tmp_path, **DIRECT)
    network, _ = build(task, order, 0)
    head, codes = DirectPath(network).eval(), torch.from_numpy(random_codes(1, 5, 40))
    torch.testing.assert_close(head(codes), network.direct_logits(codes))
    head(codes).sum().backward()
    assert network.conv.weight.grad is not None
    assert all(parameter.grad is None for parameter in network.lstm.parameters())


def test_what_each_part_trains(tmp_path):
    task, order = task_and_order(tmp_path, **DIRECT, head_epochs=2, direct_min_steps=30)
    network, _ = build(task, order, 0)
    found = parts(network, order.preset, 4)
    assert [(part.name, part.settings.epochs) for part in found] == [
        ("direct path", 8),
        ("head", 2),
        ("whole network", 2),
    ]
    for part, trained in zip(found[:2], ("conv.weight", "lstm.weight_ih"), strict=True):
        with members._only(part):
            free = {n for n, p in network.named_parameters() if p.requires_grad}
        assert trained in free
        assert free & {"conv.weight", "lstm.weight_ih"} == {trained}
    assert all(p.requires_grad for p in network.parameters())


def test_a_held_direct_path_drops_nothing(tmp_path):
    task, order = task_and_order(tmp_path, **DIRECT, dropout=0.5)
    network, _ = build(task, order, 0)
    codes = torch.from_numpy(random_codes(1, 5, 40))
    network.train()
    assert not torch.equal(network.direct_logits(codes), network.direct_logits(codes))
    network.direct.requires_grad_(False)
    assert torch.equal(network.direct_logits(codes), network.direct_logits(codes))


def test_the_plan_says_what_is_to_come(tmp_path):
    store = bins_store()
    store.write(tmp_path / "bins.safetensors")
    plan_multitask(
        tmp_path / "bins.safetensors",
        store.genome,
        tmp_path / "plan.tsv",
        order_of(tmp_path, **DIRECT, members=2),
    )
    plan = read_table(tmp_path / "plan.tsv")
    assert tuple(plan.columns) == PLAN_COLUMNS
    assert plan.part.tolist() == ["direct path", "whole network"]
    assert plan.examples.tolist() == [60, 60]
    assert plan.updates.tolist() == [2 * 3 * 4, 2 * 2 * 4]
    assert (plan.minutes > 0).all() and (plan.peak_memory_mb > 50).all()
    assert not (tmp_path / "weights.safetensors").exists()


def test_planning_changes_nothing(tmp_path):
    task, order = task_and_order(tmp_path, dropout=0.5)
    fabric = open_fabric(order.hardware)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    members.plan_training(fabric, task, order)
    assert torch.equal(torch.get_rng_state(), before)


def test_matrices_are_asked_for(tmp_path):
    with pytest.raises(InputError, match="this preset starts kernels from matrices"):
        train(tmp_path, from_matrices=True)


def test_a_gpu_is_asked_for_where_none_is(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device: cuda was asked for"):
        train(tmp_path, hardware=Hardware("cuda"))
    assert not (tmp_path / "weights.safetensors").exists()


@pytest.mark.parametrize("changes", [{"seed": 2}, {"learning_rate": 0.01}])
def test_checkpoints_of_another_configuration_are_refused(tmp_path, caplog, changes):
    class Killed(Exception):
        pass

    def kill(*_):
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(members.models, "save", kill)
        with pytest.raises(Killed):
            train(tmp_path)
    kept = list((tmp_path / "checkpoints").glob("*.safetensors"))
    assert [path.name for path in kept] == ["member1-whole-network.safetensors"]
    with caplog.at_level("INFO"):
        model = train(tmp_path, **changes)
    assert "it belongs to another configuration" in caplog.text
    fresh = train(tmp_path / "fresh", **changes)
    codes = all_codes(bins_store())
    assert model.score(codes).tolist() == fresh.score(codes).tolist()


SCRIPT = """
import sys
sys.path[:0] = sys.argv[2:4]
import torch
torch.set_num_threads(1)
from pathlib import Path
from test_multitask import DIRECT, bins_store, train
folder = Path(sys.argv[1])
train(folder, minutes=0.0, epochs=60, members=2, **{**DIRECT, "direct_epochs": 40, "dropout": 0.5})
"""


def run_in_process(folder):
    library = Path(members.__file__).parents[1]
    arguments = [sys.executable, "-c", SCRIPT, folder, library, Path(__file__).parent]
    return subprocess.Popen(list(map(str, arguments)))


def test_killed_and_stopped_trainings_end_as_an_unbroken_one(tmp_path):
    whole = run_in_process(tmp_path / "whole")
    assert whole.wait() == 0
    rng = np.random.default_rng()
    for name, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGTERM)):
        process = run_in_process(tmp_path / name)
        checkpoints = tmp_path / name / "checkpoints"
        while process.poll() is None and not list(checkpoints.glob("*.safetensors")):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 1.5))
        os.kill(process.pid, number)
        ended = process.wait()
        assert ended in (-signal.SIGKILL, 143, 0)
        assert run_in_process(tmp_path / name).wait() == 0
        found = (tmp_path / name / "weights.safetensors").read_bytes()
        assert found == (tmp_path / "whole" / "weights.safetensors").read_bytes()
        assert not checkpoints.exists()
