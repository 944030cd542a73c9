"""Weights files: named arrays and what is needed to use them, in one safetensors file.

Apart from `models.py`, so that a job that needs no PyTorch need not import it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from motifloom.files import InputError, atomic, check_readable

_INFO = "motifloom"


def write_weights(tensors: Mapping[str, np.ndarray], info: Mapping, path: str | Path) -> None:
    """Write named arrays and `info` (JSON, under one key), whole or not at all."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    content = save(arrays, {_INFO: json.dumps(dict(info), sort_keys=True)})
    with atomic(path) as temporary:
        # Written here, not by safetensors, which leaves the file to its owner alone.
        temporary.write_bytes(content)


def read_weights(path: str | Path, framework: str = "numpy") -> tuple[dict, object]:
    """Named arrays ("numpy") or tensors ("pt") of a weights file, and its info, None without any.

    Nothing in the file is run. Raises InputError where it is damaged.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    try:
        with safe_open(path, framework=framework) as stored:
            info = json.loads((stored.metadata() or {}).get(_INFO, "null"))
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: is damaged or no safetensors file; train it again") from error
    return arrays, info


def weights_file(path: str | Path) -> Path:
    """The weights file of a trained model, given the file itself or its folder."""
    path = Path(path)
    return path / "weights.safetensors" if path.is_dir() else path


def takes_any_length(info: Mapping) -> bool:
    """Whether a trained model scores sequences of other lengths than it was trained on."""
    return info["network"] == "DeepBind"


def unknown_base(info: Mapping) -> float:
    """What stands for N in each of a one-hot sequence's four channels."""
    padded = info["network"] == "DeepBind" and info["hyperparameters"]["padding"]
    return 0.25 if padded else 0.0
