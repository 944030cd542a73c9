"""Weights files: named arrays and what is needed to use them, in one safetensors file.

Apart from `models.py`, so that a job that trains without PyTorch need not import it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from motifloom.files import atomic


def write_weights(tensors: Mapping[str, np.ndarray], info: Mapping, path: str | Path) -> None:
    """Write named arrays and `info` (JSON, under one key), whole or not at all."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    content = save(arrays, {"motifloom": json.dumps(dict(info), sort_keys=True)})
    with atomic(path) as temporary:
        # Written here, not by safetensors, which leaves the file to its owner alone.
        temporary.write_bytes(content)
