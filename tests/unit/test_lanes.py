"""The cache of compiled functions, and memory that begins at a cache line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import motifloom
from motifloom.lanes import aligned

LIBRARY = Path(motifloom.__file__).parent
# Prints a prediction that depends on which window wins.
PROGRAM = """
import numpy as np
from motifloom import networks, presets
preset = presets.DeepBindPreset(n_kernels=2, kernel_size=3)
network = networks.start_network(preset, 12, "dna", "mse", 0)
print(network.predict(np.random.default_rng(0).integers(4, size=(3, 12), dtype=np.uint8)).tolist())
"""


def run(folder):
    environment = os.environ | {"PYTHONPATH": str(folder)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_change_of_the_loops_is_not_missed(tmp_path):
    ignored = shutil.ignore_patterns("__pycache__")
    copy = Path(shutil.copytree(LIBRARY, tmp_path / "motifloom", ignore=ignored))
    first = run(tmp_path)
    assert run(tmp_path) == first
    text = (copy / "lanes.py").read_text()
    assert 'fcmp_ordered(">", total, held)' in text
    (copy / "lanes.py").write_text(
        text.replace('fcmp_ordered(">", total, held)', 'fcmp_ordered("<", total, held)')
    )
    assert run(tmp_path) != first


def test_aligned_memory_is_zero_and_begins_at_a_cache_line():
    for _ in range(20):
        array = aligned((3, 16))
        assert array.shape == (3, 16)
        assert array.ctypes.data % 64 == 0
        assert not array.any()
