"""A full disk and folders that may not be written to: a sentence, and no damaged file."""

import errno
import gzip
import os
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from motifloom.files import InputError, atomic, whole_folder, write_table, write_text
from motifloom.jobs import job
from motifloom.sequences import open_fasta
from motifloom.store import write_arrays
from motifloom.weights import write_weights

ROOM = 64 * 1024


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A disk of 64 kB, a memory file system; skipped where none can be mounted."""
    folder = tmp_path_factory.mktemp("small")
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    if os.geteuid() or sys.platform != "linux" or subprocess.run(command).returncode:
        pytest.skip("a small disk can be mounted by root on Linux only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def zipped(path):
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr("a", os.urandom(2 * ROOM))


def drawn(path):
    figure = Figure()
    figure.subplots().plot(np.random.default_rng(0).random(20_000))
    with atomic(path) as temporary:
        figure.savefig(temporary)


def stored(path):
    blocks = (np.zeros(ROOM // 4, np.uint8) for _ in range(8))
    write_arrays(path, {"a": ((2 * ROOM,), np.uint8)}, blocks, {})


WRITERS = {
    "table.tsv": lambda path: write_table(pd.DataFrame({"a": range(2 * ROOM)}), path),
    "sequences.safetensors": stored,
    "page.html": lambda path: write_text("a" * 2 * ROOM, path),
    "weights.safetensors": lambda path: write_weights({"a": np.zeros(2 * ROOM)}, {}, path),
    "run.zip": zipped,
    "curve.svg": drawn,
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_ends_in_a_sentence_and_leaves_the_former_file(small, name):
    path = small / name
    path.write_text("former")
    with pytest.raises(InputError) as ended:
        WRITERS[name](path)
    assert str(ended.value) == (
        f"{path}: no space is left on the disk of {small}; free some and run again, nothing that"
        " is finished is lost"
    )
    assert [found.name for found in small.iterdir()] == [name]
    assert path.read_text() == "former"
    path.unlink()


def test_a_full_disk_leaves_the_former_folder(small):
    folder = small / "logos"
    folder.mkdir()
    (folder / "a.svg").write_text("former")
    said = "logos: no space is left"
    with pytest.raises(InputError, match=said), whole_folder(folder) as temporary:
        (temporary / "a.svg").write_text("a" * 2 * ROOM)
    assert [found.name for found in small.iterdir()] == ["logos"]
    assert (folder / "a.svg").read_text() == "former"
    (folder / "a.svg").unlink()
    folder.rmdir()


def test_a_full_temporary_folder_is_told_from_a_bad_genome(small, tmp_path, monkeypatch):
    genome = tmp_path / "genome.fa.gz"
    genome.write_bytes(gzip.compress(b">chr1\n" + b"ACGT\n" * ROOM))
    monkeypatch.setattr("tempfile.tempdir", str(small))
    with pytest.raises(InputError) as ended, open_fasta(genome):
        pass
    said = f"{genome}: cannot be indexed: no space is left on the disk of "
    assert str(ended.value).startswith(said + str(small))
    assert str(ended.value).endswith("or name another folder in TMPDIR")
    assert list(small.iterdir()) == []


def given(log):
    """What a script finds as `snakemake`."""
    return SimpleNamespace(
        log=[str(log)], threads=1, rule="train", wildcards={}, input=[], output=[]
    )


def test_a_job_whose_log_has_no_room_still_ends_in_its_sentence(small, capsys, monkeypatch):
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    (small / "ballast").write_bytes(bytes(ROOM - 8192))
    with pytest.raises(SystemExit) as ended, job(given(small / "log/train.log")):
        print("a" * ROOM)
    (small / "ballast").unlink()
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: OSError: no space is left on the disk of ")
    assert error.count("\n") == 1
    with pytest.raises(SystemExit) as ended, job(given(small / "log/train.log")):
        write_text("a" * 2 * ROOM, small / "page.html")
    said = f"error: {small}/page.html: no space is left on the disk of {small}"
    assert capsys.readouterr().err.startswith(said)


def test_folders_that_may_not_be_made_are_said_too(tmp_path, monkeypatch):
    path = tmp_path / "new/deeper/a.tsv"

    def refuse(self, **options):
        raise OSError(errno.EROFS, "Read-only file system", str(tmp_path / "new"))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(InputError, match=r"a\.tsv: cannot be written \(Read-only file system\)"):
        write_text("a", path)


def test_an_input_that_may_not_be_read_is_not_taken_for_the_output(tmp_path):
    with pytest.raises(PermissionError), atomic(tmp_path / "a.tsv"):
        raise PermissionError(errno.EACCES, "denied", "/elsewhere/genome.fa")
