"""Repeating a run: where its inputs are found, what is compared, what is said of the machine."""

import pytest

from motifloom.files import InputError, file_digest
from motifloom.provenance import code_state, hardware, packages
from motifloom.reproducing import Comparison, compare, differences, lay_out, reproduce

A = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
B = "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"


def described(base, *names, kind="data"):
    return {name: {"kind": kind, "bytes": 1, "sha256": file_digest(base / name)} for name in names}


@pytest.fixture
def base(tmp_path):
    """A working folder of a run, with inputs in it and beside it."""
    for name in ("work/data/peaks.bed", "shared/genome.fa", "work/results/simulated.fa"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a")
    return tmp_path / "work"


def test_inputs_are_found_at_the_paths_of_the_config(base, tmp_path):
    inputs = described(base, "data/peaks.bed", "../shared/genome.fa", str(base / "data/peaks.bed"))
    inputs |= described(base, "results/simulated.fa", kind="made")
    work = lay_out({"inputs": inputs}, base, tmp_path / "new")
    assert work == tmp_path / "new/outer/work"
    for name in ("data/peaks.bed", "../shared/genome.fa"):
        assert (work / name).resolve() == (base / name).resolve()
    assert not (work / "results").exists()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["outer"]


def test_an_input_that_is_gone_or_changed_is_named(base, tmp_path):
    inputs = described(base, "data/peaks.bed")
    (base / "data/peaks.bed").write_text("b")
    with pytest.raises(InputError, match=rf"data/peaks.bed: has sha256 {B}, the run read {A}"):
        lay_out({"inputs": inputs}, base, tmp_path / "new")
    (base / "data/peaks.bed").unlink()
    with pytest.raises(InputError, match=r"data/peaks.bed: is missing; put the run's input back"):
        lay_out({"inputs": inputs}, base, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_files_are_compared_one_by_one(tmp_path):
    listed = {"metrics.tsv": A, "models/x": A, "models/y": A}
    (tmp_path / "checksums.sha256").write_text(f"{A}  metrics.tsv\n{B}  models/x\n{A}  new/z\n")
    found = compare(listed, tmp_path)
    assert found == Comparison(["metrics.tsv"], ["models/x"], ["models/y"], ["new/z"])
    assert not found.same
    assert found.by_stage() == {
        ".": (1, 0, 0, 0),
        "models": (0, 1, 1, 0),
        "new": (0, 0, 0, 1),
        "all": (1, 1, 1, 1),
    }
    assert compare({"metrics.tsv": A, "models/x": B, "new/z": A}, tmp_path).same


def provenance(**changes):
    found = {
        "code": code_state(),
        "packages": packages(),
        "hardware": hardware(),
        "config": {"device": "cpu"},
        "threads": {"multitask": 1},
    }
    return found | changes


def test_nothing_is_said_where_all_is_as_it_was():
    assert differences(provenance()) == []


def test_what_differs_from_the_run_is_said():
    code = code_state()
    code["files"] = code["files"] | {"Snakefile": A}
    code["commit"] = "c" * 40
    said = differences(
        provenance(
            code=code,
            packages=packages() | {"numpy": "1.0", "gone": "2"},
            hardware=hardware() | {"processor": "Z80"},
            threads={"multitask": 10_000},
        )
    )
    assert said[0].startswith(f"code: 1 files differ (Snakefile); commit {'c' * 40}, here ")
    assert "packages: gone was 2, is absent" in said
    assert f"packages: numpy was 1.0, is {packages()['numpy']}" in said
    assert f"hardware: processor was Z80, is {hardware()['processor']}" in said
    assert said[-1].startswith("threads: jobs had up to 10000, this machine has ")


def test_code_from_elsewhere_is_said_to_be():
    code = code_state("github.com/lab/motifloom/Snakefile@v1")
    (said,) = differences(provenance(code=code))
    assert said.startswith("code: the run's was loaded from github.com/lab/motifloom/Snakefile@v1")


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path):
    run = tmp_path / "results/tiny"
    run.mkdir(parents=True)
    (run / "provenance.json").write_text('{"format": 1}')
    (run / "checksums.sha256").write_text("")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    with pytest.raises(InputError, match="kept: is not empty; name a new folder"):
        reproduce(run, tmp_path / "kept")
