"""Devices, and processes that share a batch."""

import numpy as np
import pytest
import torch
from builders import planted, random_codes

from motifloom import hardware
from motifloom.checkpoints import Stopped
from motifloom.files import InputError
from motifloom.hardware import Hardware, choose_device, open_fabric, run_on
from motifloom.models import DeepBind
from motifloom.streams import ArrayStream, batch_of
from motifloom.training import FitSettings, fit


def test_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    assert choose_device("cpu") == "cpu"
    with pytest.raises(InputError, match="device: cuda was asked for"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"
    assert choose_device("cuda") == "cuda"
    assert choose_device("cpu") == "cpu"


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="devices: 2 GPUs were asked for, but PyTorch sees 1"):
        open_fabric(Hardware("cuda", devices=2))


def test_bfloat16_multiplies_in_bfloat16():
    fabric = open_fabric(Hardware(precision="bf16"))
    model = fabric.setup(torch.nn.Linear(2, 2))
    with fabric.autocast():
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype == torch.bfloat16
    assert model.weight.dtype == torch.float32


def train_shared(fabric, path):
    """Train on batches of 16, and of 1 at the end, whatever the number of processes."""
    codes = np.concatenate([planted(0, 32, 24, "ACGTGA"), random_codes(1, 33, 24)])
    targets = np.repeat([1, 0], [32, 33]).astype(np.float32)[:, None]
    torch.manual_seed(0)
    network = DeepBind(24, n_kernels=6, kernel_size=6)
    rank, world = fabric.global_rank, fabric.world_size
    stream = ArrayStream(codes, targets, np.arange(65), 16, 3, rank=rank, world=world)
    held = [batch_of(codes[i : i + 30], targets[i : i + 30], 0, 1) for i in (0, 30, 60)]
    settings = FitSettings(3, 0.02, 0.002, reverse_complement=True, clip=1.0)
    history = fit(fabric, network, stream, held, settings)
    if rank == 0:
        weights = [tensor.detach().numpy().ravel() for tensor in network.parameters()]
        np.savez(path, weights=np.concatenate(weights), history=np.array(history))


def test_two_processes_train_as_one(tmp_path):
    for devices in (1, 2):
        run_on(Hardware(devices=devices), train_shared, tmp_path / f"{devices}.npz")
    one, two = (np.load(tmp_path / f"{devices}.npz") for devices in (1, 2))
    np.testing.assert_allclose(one["weights"], two["weights"], atol=2e-5)
    np.testing.assert_allclose(one["history"], two["history"], rtol=1e-4)


def stop_or_fail(fabric, how):
    if how == "fail":
        raise InputError("nothing to learn from")
    raise Stopped


@pytest.mark.parametrize(("how", "error"), [("fail", InputError), ("stop", Stopped)])
def test_what_ends_the_processes_ends_the_job(how, error):
    with pytest.raises(error) as raised:
        run_on(Hardware(devices=2), stop_or_fail, how)
    assert str(raised.value) in ("nothing to learn from", "143")


@pytest.mark.parametrize("devices", [1, 2])
def test_the_variables_of_a_cluster_do_not_matter(monkeypatch, tmp_path, devices):
    for name, value in {"NTASKS": "8", "JOB_ID": "1", "JOB_NAME": "x", "PROCID": "0"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    fabric = open_fabric(Hardware(devices=devices))
    assert fabric.world_size == devices or devices > 1
    run_on(Hardware(devices=devices), train_shared, tmp_path / "found.npz")
    assert (tmp_path / "found.npz").exists()


def test_precisions_are_named():
    assert set(hardware.PRECISIONS) == {"fp32", "bf16"}
