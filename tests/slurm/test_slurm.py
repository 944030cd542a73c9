"""Whole runs through profiles/slurm on a real Slurm, with faults put in: `make test-slurm`.

The tests follow each other: each goes on where the one before it left the project.
"""

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import cluster
import pytest
from projects import (
    REPOSITORY,
    Project,
    copy_source,
    make_project,
    write_narrow_peaks,
)

REASON = cluster.missing()
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON)

BROKEN = ("broken", "MYC", "peaks", "data/broken.bed", "", "dna", "binary", "")
LATER = ("later", "MYC", "peaks", "data/MYC.narrowPeak", "", "dna", "binary", "")
# What a small test asks for otherwise than a cluster; all else is the profile's.
OVERRIDES = [
    "--jobs=6",
    "--cores=2",
    "--latency-wait=5",
    "--slurm-init-seconds-before-status-checks=8",
    "--retries=1",
]
# Trainings ask for GPUs, which stand in for real ones: they train on the CPU.
ON_GPUS = ["train_deepbind:slurm_partition=gpu", "train_deepbind:gpu=1"]
# Too little at first; memory grows with each attempt.
SHORT_OF_MEMORY = "fit_kmer:mem_mb=150*4**(attempt-1)"


class Run:
    """One call of Snakemake in the background: through a profile, or with "" on this machine."""

    def __init__(self, project: Project, *arguments: str, profile: str = "slurm"):
        project.save()
        command = [sys.executable, "-m", "snakemake", "--snakefile", project.source / "Snakefile"]
        if profile:
            command += ["--profile", project.source / "profiles" / profile, *OVERRIDES]
        else:
            command += ["--cores", "2"]
        command += ["--directory", project.folder, "--configfile", project.folder / "config.yaml"]
        self.log = project.folder / f"run{len(list(project.folder.glob('run*.txt')))}.txt"
        with open(self.log, "w") as stream:
            self.process = subprocess.Popen(
                list(map(str, [*command, *arguments])),
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=project.source,
            )

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait(self, seconds: float = 400) -> int:
        """The exit status; a run that hangs is interrupted, then killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            self.process.kill()
            raise AssertionError(f"still running after {seconds} s:\n{self.output}") from None

    def until(self, what: str, ready: Callable[[], object], seconds: float = 120):
        """What `ready` gives once it gives something, while the run goes on."""
        end = time.monotonic() + seconds
        while not (found := ready()):
            assert self.process.poll() is None, f"ended before {what}:\n{self.output}"
            assert time.monotonic() < end, f"no {what} in {seconds} s:\n{self.output}"
            time.sleep(0.2)
        return found

    @property
    def submissions(self) -> int:
        """How many jobs and groups Slurm was given."""
        return len(re.findall(r"submitted with SLURM jobid \d+", self.output))

    @property
    def jobs(self) -> set[str]:
        """What was run, alone or in groups, as "rule" or, with wildcards, "rule model dataset"."""
        found = {}
        for line in self.output.splitlines():
            if match := re.match(r" *(?:local)?rule (\w+):$", line):
                key = len(found)
                found[key] = [match[1]]
            elif match := re.match(r" *wildcards: (.*)$", line):
                found[key] += re.findall(r"\w+=([^,]*)", match[1])
        return {" ".join(words) for words in found.values()}


def running(rule: str, wildcard: str = "") -> list[str]:
    """Numbers of Slurm's running jobs of a rule."""
    return [
        number
        for number, state, comment in cluster.queue()
        if state == "RUNNING" and rule in comment and wildcard in comment
    ]


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def small_project(folder: Path, source: Path) -> Project:
    """Peaks and scored probes of a TF; no multi-task network."""
    project = make_project(folder, source)
    project.datasets = [project.datasets[0], project.datasets[3]]
    project.config["multitask"] = {"datasets": []}
    project.config["attribution"] = {"sequences": 0}
    # Long enough to be caught while it trains.
    project.config["models"]["settings"]["deepbind"]["epochs"] = 1000
    return project


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """The workflow, and beside its profile for Slurm one with the blocks that stand as comments."""
    folder = copy_source(REPOSITORY, tmp_path_factory.mktemp("workflow") / "motifloom")
    lines = (folder / "profiles/slurm/config.yaml").read_text().splitlines()
    first = lines.index("# groups:")
    grouped = lines[:first] + [
        line.removeprefix("# ") for line in lines[first:] if re.match(r"# ( *)[\w-]+:", line)
    ]
    (folder / "profiles/grouped").mkdir()
    (folder / "profiles/grouped/config.yaml").write_text("\n".join(grouped) + "\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def local(tmp_path_factory, source):
    """A local run of the final project, beside the others, which mostly wait."""
    project = small_project(tmp_path_factory.mktemp("local") / "project", source)
    mend(project)
    project.datasets += [BROKEN, LATER]
    run = Run(project, profile="")
    yield project, run
    run.process.kill()


@pytest.fixture(scope="module")
def expected(local) -> dict[str, bytes]:
    """What that run writes."""
    project, run = local
    assert run.wait() == 0, run.output
    return files_of(project.results)


@pytest.fixture(scope="module", autouse=True)
def slurm():
    with cluster.running():
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory, source) -> Project:
    project = small_project(tmp_path_factory.mktemp("slurm") / "project", source)
    project.datasets.append(BROKEN)
    (project.folder / "data/broken.bed").write_text("chr1\t100\t300\nchr1\t400\tx\n")
    return project


def mend(project: Project) -> None:
    """Peaks without the fault."""
    peaks = [("chr1", 1000 + 500 * i) for i in range(40)]
    peaks += [("chr3", 1000 + 500 * i) for i in range(9)]
    write_narrow_peaks(project.folder / "data/broken.bed", peaks)


def devices(project: Project, names: Iterable[str]) -> list[str]:
    """The GPUs that the trainings of these datasets saw."""
    logs = [project.logs / f"train_deepbind/deepbind/{name}.log" for name in names]
    return [re.search(r"CUDA_VISIBLE_DEVICES (\S+)", log.read_text())[1] for log in logs]


def test_a_job_killed_one_short_of_memory_and_one_that_fails(project):
    run = Run(project, "--set-resources", *ON_GPUS, SHORT_OF_MEMORY)
    (victim, *_) = run.until("training", lambda: running("train_deepbind"))
    subprocess.run(["scancel", victim], check=True)
    assert run.wait() == 1
    assert "SLURM status is: 'CANCELLED'" in run.output
    assert "exceeded memory limit" in run.output
    # Killed and short of memory they went well at the second attempt; what cannot ends with its
    # sentence, and keeps nothing else from its end.
    assert "error: data/broken.bed, line 2: end (column 3) is 'x'" in run.output
    names = ("GATA1", "selex")
    assert set(devices(project, names)) <= {"0", "1"}  # one of the two each
    for name in names:
        assert (project.results / f"models/deepbind/{name}/card.json").exists()
    assert not list(project.results.glob("*/broken/*"))
    assert cluster.queue() == []


def test_ctrl_c_cancels_what_runs(project):
    mend(project)
    run = Run(project)
    run.until("training", lambda: running("train_deepbind", "broken"))
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) != 0
    assert not (project.results / "models/deepbind/broken/weights.safetensors").exists()
    end = time.monotonic() + 20
    while cluster.queue():
        assert time.monotonic() < end, cluster.queue()
        time.sleep(0.2)


def test_only_what_is_missing_runs_in_few_submissions_that_share_a_gpu(project, expected):
    project.datasets.append(LATER)
    run = Run(project, profile="grouped")
    assert run.wait() == 0, run.output
    new = {job.split()[-1] for job in run.jobs if " " in job}
    assert new == {"broken", "later"}
    assert "extract_windows broken" not in run.jobs
    # Groups of a kind of job each, and the summaries one by one.
    assert run.submissions < len(run.jobs) / 2
    assert len(set(devices(project, new))) == 1
    same = files_of(project.results)
    assert same.keys() == expected.keys()
    assert [name for name in same if same[name] != expected[name]] == []
    assert project.plan().output.count("Nothing to be done")
