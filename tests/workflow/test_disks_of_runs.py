"""Full disks, inputs that may not be written to, two runs at once, and runs that are stopped."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from projects import Project, copy_tree

GENOME = "results/tiny/genome/genome.safetensors"
WEIGHTS = "results/tiny/models/deepbind/GATA1/weights.safetensors"


@contextmanager
def mounted(folder, *options):
    """Mount something on a folder for the block; skip where that is not allowed."""
    command = ["mount", *options, str(folder)]
    if os.geteuid() or sys.platform != "linux" or subprocess.run(command).returncode:
        pytest.skip("only root on Linux may mount a disk for the test")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def contents(folder):
    """Every file of a folder and its bytes, hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def started(project, *targets):
    """A run of its own process group, as a terminal starts it."""
    snakefile = project.source / "Snakefile"
    command = [sys.executable, "-m", "snakemake", "--snakefile", snakefile]
    command += ["--directory", project.folder, "--configfile", project.folder / "config.yaml"]
    return subprocess.Popen(
        list(map(str, [*command, "--cores", "2", *targets])),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=project.source,
        start_new_session=True,
    )


def wait_for(condition, process):
    """Wait until something holds while a process runs."""
    until = time.monotonic() + 120
    while not condition():
        assert process.poll() is None and time.monotonic() < until, process.communicate()[0]
        time.sleep(0.05)


def test_a_full_disk_ends_the_run_in_a_sentence_and_is_made_up_for(finished, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk, "-t", "tmpfs", "-o", "size=200M", "tmpfs"):
        project = Project(copy_tree(finished.folder, disk / "project"), finished.source)
        whole = contents(project.results)
        (project.folder / GENOME).unlink()
        ballast = disk / "ballast"
        room = os.statvfs(disk)
        # Enough for Snakemake's own notes and the log, not for the 160 kB of the genome.
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - (48 << 10)))
        result = project.run(GENOME)
        assert result.returncode == 1
        assert f"error: {GENOME}: no space is left on the disk" in result.output
        assert "Traceback" not in result.output
        left = contents(project.results)
        assert [name for name in left if ".partial" in name] == []
        assert all(content == whole[name] for name, content in left.items())
        assert GENOME.removeprefix("results/tiny/") not in left
        ballast.unlink()
        result = project.run(GENOME)
        assert result.returncode == 0, result.output
        assert contents(project.results) == whole


def test_inputs_may_lie_in_a_folder_that_may_not_be_written_to(finished, copy):
    data = copy.folder / "data"
    before = contents(data)
    made = ["genome/genome.safetensors", "multitask/bins.safetensors", "motifs/database.meme"]
    made += [f"sequences/{row[0]}/sequences.safetensors" for row in copy.datasets]
    with mounted(data, "--bind", data):
        subprocess.run(["mount", "-o", "remount,ro,bind", data], check=True)
        with pytest.raises(OSError, match="Read-only"):
            (data / "genome.fa.fai").touch()
        for name in made:
            (copy.results / name).unlink()
        result = copy.run(*(f"results/tiny/{name}" for name in made))
        assert result.returncode == 0, result.output
    assert contents(data) == before
    assert contents(copy.results) == contents(finished.results)


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(finished, copy):
    whole = contents(copy.results)
    (copy.folder / WEIGHTS).unlink()
    first = started(copy, WEIGHTS)
    locks = copy.folder / ".snakemake/locks"
    wait_for(lambda: locks.is_dir() and any(locks.iterdir()), first)
    # Held, lest it ends before the second begins.
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        second = copy.call("--cores", "1", WEIGHTS)
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    assert second.returncode == 1
    assert "Directory cannot be locked" in second.output
    assert first.wait(timeout=300) == 0
    assert contents(copy.results) == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing_half_written_and_is_taken_up(copy, number):
    whole = contents(copy.results)
    (copy.folder / WEIGHTS).unlink()
    log = copy.logs / "train_deepbind/deepbind/GATA1.log"
    log.unlink()
    run = started(copy, WEIGHTS)
    wait_for(log.exists, run)
    os.killpg(run.pid, number)
    run.wait(timeout=120)
    left = contents(copy.results)
    assert [name for name in left if ".partial" in name] == []
    assert all(content == whole[name] for name, content in left.items())
    result = copy.run(WEIGHTS)
    assert result.returncode == 0, result.output
    assert contents(copy.results) == whole
