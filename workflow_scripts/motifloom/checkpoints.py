"""Checkpoints: the state of an unfinished training, to be taken up by the next start.

They lie outside a rule's outputs, which Snakemake deletes when a job fails. A checkpoint is a
safetensors file of tensors with a JSON state beside them; nothing in it is run when it is read.
"""

import logging
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from motifloom.files import InputError
from motifloom.weights import read_weights, write_weights

log = logging.getLogger(__name__)


class Stopped(SystemExit):
    """A training stopped by a signal after it had written its checkpoint; exit code 128 + 15."""

    def __init__(self, code: int = 128 + signal.SIGTERM):
        super().__init__(code)


class Signals:
    """Whether SIGTERM or SIGINT has come, while `caught` is active."""

    def __init__(self):
        self.came = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Note these signals instead of ending at once; the former handlers come back after."""
        former = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            former[number] = signal.signal(number, self._note)
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame) -> None:
        self.came = True


class Checkpoint:
    """One file that holds the state of one part of a training.

    `digest` names everything that decides the result: a file of another one is refused. It is
    written when `minutes` have passed (0: at every opportunity), and on signals.
    """

    def __init__(self, path: str | Path, digest: str, minutes: float, signals: Signals):
        self.path = Path(path)
        self.digest = digest
        self.minutes = minutes
        self.signals = signals
        self._written = time.monotonic()

    def due(self) -> bool:
        """Whether it is time to save."""
        return self.signals.came or time.monotonic() - self._written >= 60 * self.minutes

    def save(self, tensors: Mapping[str, torch.Tensor], state: Mapping) -> None:
        """Write tensors and a JSON state, whole or not at all; ends the job after a signal."""
        arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
        write_weights(arrays, {"digest": self.digest, "state": dict(state)}, self.path)
        self._written = time.monotonic()
        if self.signals.came:
            log.info("stopped by a signal; %s is taken up by the next start", self.path)
            raise Stopped

    def load(self) -> tuple[dict[str, torch.Tensor], dict] | None:
        """Tensors and state, or None where there is none that fits; the log says why."""
        if not self.path.exists():
            return None
        reason, found = _read(self.path, self.digest)
        if reason:
            log.info("%s: is not taken up (%s); training begins anew", self.path, reason)
            return None
        return found


def _read(path: Path, digest: str):
    """Why a file is refused ("" if it is not), and its tensors and state."""
    try:
        tensors, info = read_weights(path, "pt")
    except InputError:
        return "it is damaged", None
    if not isinstance(info, dict) or not {"digest", "state"} <= set(info):
        return "it is no checkpoint", None
    if info["digest"] != digest:
        return "it belongs to another configuration, other data or another version", None
    if not isinstance(info["state"], dict):
        return "it is damaged", None
    return "", (tensors, info["state"])


def discard(folder: str | Path) -> None:
    """Remove a folder of checkpoints, once the results that they led to are written.

    The two folders above it, of a model and of all checkpoints, go with the last one in them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for above in list(Path(folder).parents)[:2]:
        with suppress(OSError):
            above.rmdir()
