"""Weights files: named arrays and what is needed to use them, in one safetensors file.

Apart from `models.py`, so that a job that needs no PyTorch need not import it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from motifloom.files import (
    InputError,
    are_names,
    atomic,
    check_readable,
    is_finite,
    is_whole,
    parse_json,
)

NETWORKS = ("DeepBind", "DanQ", "ResNet", "RNN", "LSTM")
_INFO = "motifloom"
_CHOICES = {
    "strands": ("given", "mean", "max"),
    "alphabet": ("dna", "rna"),
    "labels": ("binary", "score"),
}
# Arguments of networks that are no whole numbers, and bounds of those that are.
_TRUTHS = ("both_strands", "direct", "padding")
_SHARES = ("dropout", "conv_dropout")
_WORDS = ("pooling", "readout", "order")
_NOT_ZERO = ("length", "n_targets", "n_kernels", "kernel_size", "pool_size", "units", "stride")
_NOT_ZERO += ("dilation", "dilation_growth", "block_kernel_size")
_LARGEST, _FARTHEST = 10_000_000, 10_000


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
            info = parse_json((stored.metadata() or {}).get(_INFO, "null"))
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    # The others are what safetensors raises for types of numbers that the framework lacks.
    except (SafetensorError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{path}: is damaged or no safetensors file; train it again") from error
    return arrays, info


def read_model(path: str | Path, framework: str = "numpy") -> tuple[dict, dict]:
    """Named arrays or tensors of a trained model, and its info, checked as far as it is read.

    Raises InputError where the file is damaged, holds no model of one of the NETWORKS or
    describes one that cannot be; what the shapes of the arrays must be the networks know.
    """
    arrays, info = read_weights(path, framework)
    if not isinstance(info, dict) or info.get("network") not in NETWORKS:
        raise InputError(f"{path}: holds no trained model; give a weights.safetensors")
    fault = _fault(info, len(arrays))
    if fault or any(str(array.dtype).rpartition(".")[2] != "float32" for array in arrays.values()):
        fault = fault or "type of numbers"
        raise InputError(f"{path}: weights and description disagree ({fault}); train it again")
    return arrays, info


def _fault(info: Mapping, n_arrays: int) -> str:
    """The part of a description that no model has; "" where there is none."""
    targets, settings = info.get("targets"), info.get("hyperparameters")
    if not is_whole(info.get("members"), 1, n_arrays):
        return "members"
    if not isinstance(settings, dict) or not _are_settings(settings, info["network"], n_arrays):
        return "hyperparameters"
    if not are_names(targets) or len(targets) != settings.get("n_targets", 1):
        return "targets"
    for key in ("target_mean", "target_scale"):
        if not is_finite(info.get(key)):
            return key
    if not is_whole(info.get("best_member", 0), 0, info["members"] - 1):
        return "best_member"
    # Of alphabet and labels the first is what models without them have.
    choices = {"alphabet": "dna", "labels": "binary"} | info
    return next((key for key, known in _CHOICES.items() if choices.get(key) not in known), "")


def _are_settings(settings: Mapping, network: str, n_arrays: int) -> bool:
    """Whether hyperparameters can be arguments of a network that has `n_arrays` arrays."""
    deepbind = network == "DeepBind"
    if "length" not in settings or (deepbind and "both_strands" not in settings):
        return False
    for name, value in settings.items():
        if name in _SHARES:
            sound = is_finite(value) and 0 <= value <= 1
        elif name in _WORDS:
            poolings = ("max", "max+mean")
            sound = isinstance(value, str) and (not deepbind or value in poolings)
        elif name in _TRUTHS and (deepbind or name != "padding"):
            sound = isinstance(value, bool)
        else:
            sound = is_whole(value, int(name in _NOT_ZERO), _LARGEST)
        if not sound:
            return False
    if deepbind:
        return True
    # Layers are built one by one, and pad as far as their kernels reach.
    blocks, growth = settings.get("blocks", 0), settings.get("dilation_growth", 1)
    reach = (settings.get(name, 0) for name in ("padding", "dilation", "stride"))
    return blocks <= n_arrays and growth ** min(blocks, 64) <= _FARTHEST and max(reach) <= _FARTHEST


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
