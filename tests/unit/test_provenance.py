"""What provenance.json and checksums.sha256 say, on results of a few bytes."""

import json
import subprocess

import pytest

import motifloom
from motifloom import provenance
from motifloom.files import InputError
from motifloom.provenance import (
    code_state,
    hardware,
    packages,
    parse_checksums,
    read_checksums,
    read_provenance,
    results_of,
    write_provenance,
)

# Digests of b"", b"a" and b"b".
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
B = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
CONFIG = {"name": "tiny", "seed": 3, "device": "cpu", "threads": {"deepbind": 1, "multitask": 4}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with an input, a table and two results, of which one is of the run."""
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("data/peaks.bed", "a"),
        ("sheet.tsv", "b"),
        ("results/tiny/sequences/X/qc.tsv", "a"),
        ("results/tiny/sequences/GONE/qc.tsv", "b"),
        ("results/tiny/logos/X/.snakemake_timestamp", ""),
        ("results/tiny/logos/X/k 1.svg", "b"),
        ("results/simulated.bed", ""),
        ("logs/tiny/plan.tsv", "b"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


MADE = [
    (
        ["results/tiny/sequences/{dataset}/qc.tsv", "results/tiny/logos/{dataset}"],
        {"dataset": ["X"]},
    ),
    (["logs/tiny/plan.tsv", "results/tiny/absent.tsv"], {}),
    (["results/tiny/sequences/{dataset}/qc.tsv"], {"dataset": []}),
]


def write(source="", threads=2):
    write_provenance(
        "results/tiny/provenance.json",
        "results/tiny/checksums.sha256",
        config=CONFIG,
        sheet=[{"dataset": "X"}],
        inputs=["data/peaks.bed", "results/simulated.bed"],
        tables=["sheet.tsv"],
        made=MADE,
        simulated=["results/simulated.bed"],
        source=source,
        threads=threads,
    )


def test_the_files_of_a_run_and_no_others_are_listed(folder):
    assert results_of("results/tiny", MADE) == ["logos/X/k 1.svg", "sequences/X/qc.tsv"]


def test_every_combination_of_wildcards_is_looked_for(tmp_path):
    for name in ("1/X", "1/Y", "2/X", "2/Y", "3/X"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "m").touch()
    groups = [([f"{tmp_path}/{{fold}}/{{dataset}}/m"], {"fold": [1, 2], "dataset": ["X", "Y"]})]
    assert results_of(tmp_path, groups) == ["1/X/m", "1/Y/m", "2/X/m", "2/Y/m"]


def test_provenance_says_what_a_run_was_made_of(folder):
    write()
    content = read_provenance("results/tiny")
    assert content["config"] == CONFIG
    assert content["datasets"] == [{"dataset": "X"}]
    assert content["inputs"] == {
        "data/peaks.bed": {"kind": "data", "bytes": 1, "sha256": A},
        "results/simulated.bed": {"kind": "made", "bytes": 0, "sha256": EMPTY},
        "sheet.tsv": {"kind": "table", "bytes": 1, "sha256": B},
    }
    assert content["seed"] == 3
    assert content["threads"] == {"deepbind": 1, "multitask": 2}
    assert content["packages"]["numpy"].count(".") == 2
    assert content["hardware"]["cores"] >= 1
    assert content["results"]["files"] == 2
    listed = read_checksums("results/tiny/checksums.sha256")
    assert listed == {"logos/X/k 1.svg": B, "sequences/X/qc.tsv": A}


def test_provenance_has_the_same_bytes_again(folder):
    write()
    first = (folder / "results/tiny/provenance.json").read_bytes()
    write()
    assert (folder / "results/tiny/provenance.json").read_bytes() == first


def test_checksums_are_as_sha256sum_reads_them(folder):
    write()
    text = (folder / "results/tiny/checksums.sha256").read_text()
    assert text == f"{B}  logos/X/k 1.svg\n{A}  sequences/X/qc.tsv\n"


def test_code_is_named_by_its_files():
    state = code_state()
    assert state["version"] == motifloom.__version__
    assert {"Snakefile", "rules/common.smk", "workflow_scripts/motifloom/files.py"} <= set(
        state["files"]
    )
    assert not any("__pycache__" in name or "tests" in name for name in state["files"])


def test_code_from_elsewhere_is_named_by_its_source():
    state = code_state("github.com/lab/motifloom/Snakefile@v1")
    assert state["source"] == "github.com/lab/motifloom/Snakefile@v1"
    assert (state["commit"], state["files"]) == (None, {})


def test_commit_and_changed_files_of_a_checkout(tmp_path, monkeypatch):
    (tmp_path / "rules").mkdir()
    (tmp_path / "Snakefile").write_text("# one\n")
    (tmp_path / "rules/a.smk").write_text("# two\n")
    monkeypatch.setattr(provenance, "code_folder", lambda: tmp_path)
    assert code_state()["commit"] is None
    for arguments in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "m"],
    ):
        subprocess.run(["git", "-C", tmp_path, *arguments], check=True)
    state = code_state()
    assert len(state["commit"]) == 40 and state["changed"] == []
    (tmp_path / "rules/a.smk").write_text("# three\n")
    (tmp_path / "rules/b.smk").write_text("# new\n")
    (tmp_path / "Snakefile").unlink()
    changed = code_state()
    assert changed["commit"] == state["commit"]
    assert changed["changed"] == ["Snakefile", "rules/a.smk", "rules/b.smk"]


def test_hardware_and_packages_have_no_names_of_machines_or_times():
    assert set(hardware()) == {"processor", "features", "cores", "memory_gb", "system", "gpus"}
    found = packages()
    assert next(iter(found)) == "python"
    assert list(found)[1:] == sorted(list(found)[1:])


@pytest.mark.parametrize(
    "line",
    ["", "abc  name", f"{A} name", f"{A}  /etc/passwd", f"{A}  ../outside", f"{A}  a/../../b"],
)
def test_a_list_of_another_form_is_refused_by_its_line(line):
    with pytest.raises(InputError, match=r"^here: line 2 is not 'sha256  name'"):
        parse_checksums(f"{A}  fine\n{line}\n", "here")


def test_a_folder_without_provenance_is_refused(tmp_path):
    with pytest.raises(InputError, match="name the results/<name> of a finished run"):
        read_provenance(tmp_path)
    (tmp_path / "provenance.json").write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        read_provenance(tmp_path)
    (tmp_path / "provenance.json").write_text(json.dumps({"format": 0}))
    with pytest.raises(InputError, match="is not of form 1"):
        read_provenance(tmp_path)
