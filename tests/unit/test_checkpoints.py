"""Checkpoints: taken up where they fit, refused with a reason where not."""

import logging
import os
import signal

import pytest
import torch

from motifloom.checkpoints import Checkpoint, Signals, Stopped, discard


def checkpoint(folder, digest="a", minutes=10.0, signals=None):
    return Checkpoint(folder / "c.safetensors", digest, minutes, signals or Signals())


def test_what_is_saved_comes_back(tmp_path):
    tensors = {"weights": torch.tensor([1.5, -2.0]), "random": torch.arange(3, dtype=torch.uint8)}
    state = {"epoch": 3, "loss": 0.1 + 0.2, "best": float("inf"), "history": [[0, 1, 0.5]]}
    checkpoint(tmp_path).save(tensors, state)
    found, told = checkpoint(tmp_path).load()
    assert {name: t.tolist() for name, t in found.items()} == {
        name: t.tolist() for name, t in tensors.items()
    }
    assert told == state


def test_none_yet(tmp_path):
    assert checkpoint(tmp_path).load() is None


def refused(folder, caplog, **changes):
    with caplog.at_level(logging.INFO):
        assert checkpoint(folder, **changes).load() is None
    return caplog.text


def test_of_another_configuration(tmp_path, caplog):
    checkpoint(tmp_path, "a").save({}, {})
    assert "it belongs to another configuration" in refused(tmp_path, caplog, digest="b")


@pytest.mark.parametrize("keep", [0, 7, 60, -1])
def test_cut_short(tmp_path, caplog, keep):
    checkpoint(tmp_path).save({"weights": torch.zeros(100)}, {})
    path = tmp_path / "c.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "it is damaged); training begins anew" in refused(tmp_path, caplog)


def test_another_safetensors_file(tmp_path, caplog):
    from safetensors.torch import save_file

    save_file({"weights": torch.zeros(1)}, tmp_path / "c.safetensors")
    assert "it is no checkpoint" in refused(tmp_path, caplog)


def test_due_after_some_minutes(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    found = checkpoint(tmp_path, minutes=2.0)
    assert not found.due()
    now[0] = 120.0
    assert found.due()
    found.save({}, {})
    assert not found.due()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_noted_while_caught(tmp_path, number):
    former, signals = signal.getsignal(number), Signals()
    with signals.caught():
        os.kill(os.getpid(), number)
        found = checkpoint(tmp_path, signals=signals)
        assert signals.came and found.due()
        with pytest.raises(Stopped):
            found.save({}, {})
    assert signal.getsignal(number) is former
    assert checkpoint(tmp_path).load() == ({}, {})


def test_discarded_once_done(tmp_path):
    checkpoint(tmp_path / "folder").save({}, {})
    discard(tmp_path / "folder")
    discard(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
