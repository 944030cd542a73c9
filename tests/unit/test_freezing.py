"""Frozen runs: what is in the archive, that its bytes repeat, and that changes are seen."""

import json
import os
import zipfile

import pytest
from rocrate.rocrate import ROCrate

from motifloom import freezing, provenance
from motifloom.__main__ import main
from motifloom.files import InputError, file_digest
from motifloom.freezing import check_archive, check_run, freeze
from motifloom.provenance import write_provenance

CONFIG = {
    "name": "tiny",
    "seed": 1,
    "device": "cpu",
    "threads": {"deepbind": 1, "multitask": 2},
    "share": {"licence": "CC-BY-4.0"},
}
RESULTS = {
    "metrics.tsv": "dataset\tauroc\nX+1\t0.9\n",
    "report.html": "<html></html>",
    "models/deepbind/X+1/weights.safetensors": "weights",
    "models/deepbind/X+1/test_scores.safetensors": "scores",
    "sequences/X+1/sequences.safetensors": "bases",
}
KEPT = ["metrics.tsv", "models/deepbind/X+1/weights.safetensors", "report.html"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The results of a run that ended on 1 February 2026."""
    monkeypatch.chdir(tmp_path)
    for name, text in RESULTS.items():
        path = tmp_path / "results/tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "sheet.tsv").write_text("dataset\nX+1\n")
    (tmp_path / "peaks.bed").write_text("chr1\t1\t2\n")
    write_provenance(
        "results/tiny/provenance.json",
        "results/tiny/checksums.sha256",
        config=CONFIG,
        sheet=[{"dataset": "X+1"}],
        inputs=["peaks.bed"],
        tables=["sheet.tsv"],
        made=[([f"results/tiny/{name}" for name in RESULTS], {})],
        simulated=[],
        source="",
        threads=2,
    )
    os.utime("results/tiny/provenance.json", (1769947200, 1769947200))
    return tmp_path / "results/tiny"


def rewrite(archive, changes):
    """The archive with the content of some members replaced, None to leave one out."""
    with zipfile.ZipFile(archive) as packed:
        content = {name: packed.read(name) for name in packed.namelist()} | changes
    with zipfile.ZipFile(archive, "w") as packed:
        for name, data in content.items():
            if data is not None:
                packed.writestr(name, data)


def test_the_archive_holds_what_cannot_be_made_again(run):
    archive = freeze(run)
    assert archive == run.parent / "tiny.frozen.zip"
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
        config = json.loads(packed.read("config.json"))
    assert names == sorted(names)
    expected = ["config.json", "manifest.sha256"]
    expected += [f"results/{name}" for name in (*KEPT, "provenance.json", "checksums.sha256")]
    expected += ["ro-crate-metadata.json", "tables/sheet.tsv"]
    assert [name for name in names if not name.startswith("workflow/")] == sorted(expected)
    assert {"workflow/Snakefile", "workflow/rules/common.smk"} <= set(names)
    assert config == CONFIG


def test_the_same_run_gives_the_same_archive(run, tmp_path):
    first = freeze(run).read_bytes()
    assert freeze(run, tmp_path / "other.zip").read_bytes() == first


def test_a_whole_archive_has_no_faults(run):
    faults, held, left_out = check_archive(freeze(run))
    assert faults == []
    assert left_out == 2
    with zipfile.ZipFile(run.parent / "tiny.frozen.zip") as packed:
        assert held == len(packed.namelist())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"results/metrics.tsv": b"dataset\tauroc\n"}, ("changed", "results/metrics.tsv")),
        ({"results/report.html": None}, ("missing", "results/report.html")),
        ({"results/more.tsv": b""}, ("unknown", "results/more.tsv")),
        ({"config.json": b"{}"}, ("changed", "config.json")),
    ],
)
def test_a_changed_archive_is_found_out(run, changes, fault):
    archive = freeze(run)
    rewrite(archive, changes)
    assert check_archive(archive)[0] == [fault]


def test_a_manifest_made_anew_does_not_hide_a_changed_result(run):
    archive = freeze(run)
    with zipfile.ZipFile(archive) as packed:
        manifest = packed.read("manifest.sha256").decode().splitlines(keepends=True)
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    lines = [
        f"{digest}  results/metrics.tsv\n" if line.endswith("  results/metrics.tsv\n") else line
        for line in manifest
    ]
    rewrite(archive, {"results/metrics.tsv": b"", "manifest.sha256": "".join(lines).encode()})
    assert check_archive(archive)[0] == [("changed", "results/metrics.tsv")]


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "notes.zip").write_text("no archive")
    with pytest.raises(InputError, match="is damaged or no frozen run"):
        check_archive(tmp_path / "notes.zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as packed:
        packed.writestr("a", "b")
    with pytest.raises(InputError, match="is damaged or no frozen run"):
        check_archive(tmp_path / "other.zip")


def test_a_run_that_changed_is_not_frozen(run):
    (run / "metrics.tsv").write_text("better\n")
    assert check_run(run) == [("changed", "metrics.tsv")]
    with pytest.raises(InputError, match=r"metrics\.tsv: changed since the run ended"):
        freeze(run)
    (run / "metrics.tsv").unlink()
    assert check_run(run) == [("missing", "metrics.tsv")]
    (run / "checksums.sha256").write_text("")
    assert check_run(run) == [("changed", "checksums.sha256")]


def test_a_run_is_not_frozen_with_another_table_or_other_code(run, tmp_path, monkeypatch):
    (tmp_path / "sheet.tsv").write_text("dataset\nY\n")
    with pytest.raises(InputError, match=r"sheet\.tsv: is not the table of the run any more"):
        freeze(run)
    (tmp_path / "sheet.tsv").write_text("dataset\nX+1\n")
    monkeypatch.setattr("motifloom.freezing.code_folder", lambda: tmp_path)
    with pytest.raises(InputError, match="is not as in the run"):
        freeze(run)


def test_the_archive_is_a_workflow_run_crate(run, tmp_path):
    with zipfile.ZipFile(freeze(run)) as packed:
        packed.extractall(tmp_path / "crate")
    crate = ROCrate(tmp_path / "crate")
    assert crate.metadata.version == "1.1"
    assert crate.root_dataset["datePublished"] == "2026-02-01T12:00:00+00:00"
    assert crate.root_dataset["license"]["name"] == "CC-BY-4.0"
    profiles = [profile.id for profile in crate.root_dataset["conformsTo"]]
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    workflow = crate.mainEntity
    assert workflow.id == "workflow/Snakefile"
    assert "ComputationalWorkflow" in workflow.type
    assert workflow["programmingLanguage"].id.endswith("#snakemake")
    action = crate.root_dataset["mentions"]
    assert action.type == "CreateAction"
    assert action["instrument"] is workflow
    inputs = [entity["name"] for entity in action["object"]]
    assert inputs == ["config.json", "peaks.bed", "sheet.tsv"]
    results = {entity["name"] for entity in action["result"]}
    assert {f"results/{name}" for name in KEPT} <= results
    files = {path.relative_to(tmp_path / "crate").as_posix() for path in files_of(tmp_path)}
    described = {entity["name"] for entity in crate.root_dataset["hasPart"]} - {"motifloom"}
    assert files - described == {"manifest.sha256", "ro-crate-metadata.json", "workflow/Snakefile"}


def files_of(tmp_path):
    return [path for path in (tmp_path / "crate").rglob("*") if path.is_file()]


def test_a_workflow_from_elsewhere_is_named_in_the_crate(run):
    path = run / "provenance.json"
    content = json.loads(path.read_text())
    content["code"] |= {"source": "github.com/lab/motifloom/Snakefile@v1", "files": {}}
    path.write_text(json.dumps(content))
    with zipfile.ZipFile(freeze(run)) as packed:
        assert not any(name.startswith("workflow/") for name in packed.namelist())
        graph = json.loads(packed.read("ro-crate-metadata.json"))["@graph"]
    (workflow,) = [one for one in graph if "ComputationalWorkflow" in one["@type"]]
    assert workflow["@id"] == "https://github.com/lab/motifloom/Snakefile@v1"


def test_the_commands_say_what_they_found(run, capsys):
    assert main(["check", str(run)]) == 0
    assert capsys.readouterr().out.endswith("tiny: every result is as it was made\n")
    assert main(["freeze", str(run)]) == 0
    archive = str(run.parent / "tiny.frozen.zip")
    assert main(["check", archive]) == 0
    assert "files are as they were frozen; 2 large results are not in it" in capsys.readouterr().out
    (run / "metrics.tsv").write_text("")
    assert main(["check", str(run)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("changed: metrics.tsv\n")
    assert out.endswith("tiny: 1 files are not as they were\n")
    assert main(["freeze", str(run)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert main(["check", str(run / "absent.zip")]) == 1


def test_provenance_reads_what_it_wrote(run):
    assert provenance.read_provenance(run)["name"] == "tiny"


def test_tables_outside_the_folder_keep_names_of_their_own(tmp_path):
    (tmp_path / "run").mkdir()
    paths = ["a.tsv", "../a.tsv", str(tmp_path / "a.tsv")]
    for path in ("run/a.tsv", "a.tsv"):
        (tmp_path / path).write_text(path)
    base = tmp_path / "run"
    described = {p: {"kind": "table", "sha256": file_digest(base / p)} for p in paths}
    found = freezing._tables({"inputs": described}, base)
    inside = "/".join(tmp_path.parts[1:])
    assert list(found) == ["tables/a.tsv", "tables/_up/a.tsv", f"tables/_root/{inside}/a.tsv"]


def test_results_behind_a_link_are_frozen_with_the_tables_of_their_own_folder(run, tmp_path):
    elsewhere = tmp_path / "scratch/results"
    elsewhere.parent.mkdir()
    run.parent.rename(elsewhere)
    (tmp_path / "results").symlink_to(elsewhere)
    assert check_archive(freeze("results/tiny"))[0] == []
