"""Freed memory is kept: a large piece is handed out again without new pages."""

import platform
import resource
import subprocess
import sys
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "workflow_scripts"

PROGRAM = """
import resource, sys
sys.path.insert(0, sys.argv[2])
import numpy as np
from motifloom.memory import hold_freed
if sys.argv[1] == "hold":
    assert hold_freed()
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
np.ones(100_000_000, np.uint8)
before = faults()
np.ones(100_000_000, np.uint8)
print(faults() - before)
"""


def faults(how: str) -> int:
    command = [sys.executable, "-c", PROGRAM, how, str(LIBRARY)]
    run = subprocess.run(command, capture_output=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_held_memory_costs_no_new_pages():
    pages = 100_000_000 // resource.getpagesize()
    assert faults("hold") < pages / 10
