"""docs/tutorial.md: its commands run in their order, and say what the text says.

Genome and peaks are put where an earlier run would have kept its downloads, so that nothing is
fetched; without the folder of yeast data (YEAST, as `make yeast` has it) the tests are skipped.
"""

import csv
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
YEAST = Path(os.environ.get("YEAST") or REPOSITORY.parent / "shared/data/yeast")
SOURCES = ("Snakefile", "workflow", "rules", "workflow_scripts", "config", "report", "envs", "docs")
TEXT = (REPOSITORY / "docs/tutorial.md").read_text(encoding="utf-8")
# The blocks in their order: language and text. Those marked no-test install what is there already.
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(not YEAST.is_dir(), reason=f"the yeast data are not in {YEAST}")


def keep_downloads(folder: Path) -> None:
    """Lay genome and peaks where `download` of a run would have written them."""
    table = (folder / "config/yeast/downloads.tsv").read_text(encoding="utf-8")
    for line in csv.DictReader(table.splitlines(), delimiter="\t"):
        source = f"{line['url']} {line['sha256'] or ''}"
        key = hashlib.sha256(source.encode()).hexdigest()[:8]
        kept = folder / "results/tutorial/downloads" / key / line["path"]
        if (YEAST / line["path"]).exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(YEAST / line["path"], kept)


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> tuple[Path, str]:
    """The folder in which all blocks have run, and what they printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name in SOURCES:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy2
        copy(REPOSITORY / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    keep_downloads(folder)
    printed, python = "", []
    environment = os.environ | {"PYTHONPATH": "workflow_scripts"}
    for language, text in BLOCKS:
        if language == "python":
            python.append(text)  # blocks of one session
            text = "\n".join(python)
        shell = ["bash", "-euo", "pipefail", "-c"]
        command = [sys.executable, "-c"] if language == "python" else shell
        ran = subprocess.run(
            [*command, text], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert ran.returncode == 0, f"{text}\n{ran.stdout}"
        printed += ran.stdout
    return folder, printed


def rows(path: Path) -> list[dict]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_the_models_learn(done):
    table = rows(done[0] / "results/tutorial/metrics.tsv")
    auroc = {row["dataset"]: float(row["auroc"]) for row in table if row["model"] == "deepbind"}
    assert auroc.keys() == {"Reb1", "Abf1", "Cbf1"}
    assert min(auroc.values()) > 0.85


def test_the_variants_do_what_the_text_says(done):
    table = rows(done[0] / "results/tutorial/variants/mine/deepbind.tsv.gz")
    change = {(row["id"], row["dataset"]): float(row["difference"]) for row in table}
    for broken in (("A1", "Reb1"), ("A2", "Abf1"), ("A3", "Cbf1"), ("D1", "Reb1")):
        assert change[broken] < -2
    assert change["G1", "Reb1"] > 0.5
    assert all(abs(change["N1", name]) < 1 for name in ("Reb1", "Abf1", "Cbf1"))


def test_the_region_agrees_with_the_variants(done):
    folder = done[0] / "results/tutorial"
    changes = {
        (row["position"], row["alt"]): float(row["change"])
        for row in rows(folder / "regions/sites/mutagenesis/Reb1.tsv.gz")
    }
    table = rows(folder / "variants/mine/deepbind.tsv.gz")
    (variant,) = [row for row in table if (row["id"], row["dataset"]) == ("A1", "Reb1")]
    assert changes["87345", "A"] == pytest.approx(float(variant["difference"]), abs=2e-3)


def test_python_says_the_same(done):
    folder, printed = done
    table = rows(folder / "results/tutorial/variants/mine/deepbind.tsv.gz")
    (variant,) = [row for row in table if (row["id"], row["dataset"]) == ("A1", "Reb1")]
    line = re.search(r"^chrIV 87345 C A \{'Reb1': (\S+),", printed, re.MULTILINE)
    assert float(line[1]) == pytest.approx(float(variant["difference"]), abs=0.02)


def test_pictures_of_the_text_are_there():
    for name in re.findall(r"\]\((images/[^)]+)\)", TEXT):
        assert (REPOSITORY / "docs" / name).stat().st_size < 300_000
