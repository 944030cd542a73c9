"""The linters that the project holds itself to."""

import subprocess
import sys
from pathlib import Path

import pytest
from projects import REPOSITORY, snakemake

TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        "snakefmt --check Snakefile rules",
        "ruff check .",
        "ruff format --check .",
    ],
)
def test_a_formatter_or_linter_has_nothing_to_say(command):
    tool, *arguments = command.split()
    done = subprocess.run(
        [TOOLS / tool, *arguments], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lints_nothing(source):
    result = snakemake(source / "Snakefile", "--lint")
    titles = [line for line in result.output.splitlines() if not line.startswith("      ")]
    assert result.returncode == 0, "\n".join(titles)
