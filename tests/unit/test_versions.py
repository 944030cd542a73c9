"""Versions of what is installed."""

import pandas as pd

import motifloom
from motifloom.versions import installed


def test_versions_name_what_is_installed():
    found = installed(["pandas", "no-such-package"])
    assert list(found) == ["motifloom", "python", "pandas"]
    assert (found["motifloom"], found["pandas"]) == (motifloom.__version__, pd.__version__)
