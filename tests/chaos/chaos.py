"""Kill a run at random moments, rerun it and compare: python tests/chaos/chaos.py --help.

A small project is run once undisturbed. Then it is run again and killed (SIGKILL) over and over:
by turns one job's process, and Snakemake with all its jobs. After every kill (of one job: when
Snakemake has given up) each file that has its final name must be whole; at the end all results must
equal those of the undisturbed run.
"""

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/workflow"))

from projects import Project, copy_source, make_project  # noqa: E402

JOB, ALL = "one job", "snakemake and its jobs"
SCRIPT = re.compile(r"\.snakemake/scripts/\w+\.(\w+)\.py$")
PARTIAL = re.compile(r"(^|/)\.[^/]*\.partial[^/]*(/|$)")


@dataclass(frozen=True)
class Kill:
    """What was killed, which scripts were running, and what the files were then.

    present: files with a final name; damaged: those of them with other bytes than at the end of
    the undisturbed run; partial: what writers had not finished.
    """

    what: str
    running: tuple[str, ...]
    present: int
    damaged: tuple[str, ...]
    partial: int


class Run:
    """Snakemake in a process group of its own."""

    def __init__(self, project: Project, cores: int):
        command = [sys.executable, "-m", "snakemake", "--snakefile", project.source / "Snakefile"]
        command += ["--directory", project.folder, "--configfile", project.folder / "config.yaml"]
        with open(project.folder / "chaos.log", "a") as log:
            self.process = subprocess.Popen(
                list(map(str, [*command, "--cores", cores])),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=project.source,
            )

    def scripts(self) -> dict[int, str]:
        """Process id and script of the running jobs, as /proc has them."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdecimal() or os.getsid(int(entry.name)) != self.process.pid:
                    continue
                words = (entry / "cmdline").read_bytes().decode().split("\0")
            except (OSError, UnicodeDecodeError):
                continue
            # The shell that starts a script has the same words in one.
            scripts = [match[1] for word in words[1:2] if (match := SCRIPT.search(word))]
            if scripts:
                found[int(entry.name)] = scripts[0]
        return found

    def kill(self, what: str, rng: random.Random) -> tuple[str, ...]:
        """Kill one job or everything; the scripts that were running, the killed one first."""
        scripts = self.scripts()
        if what == ALL:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            return tuple(scripts.values())
        victim = rng.choice(sorted(scripts))
        os.kill(victim, signal.SIGKILL)
        # Snakemake lets its other jobs end, and then gives up.
        self.process.wait()
        return (scripts.pop(victim), *scripts.values())


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of all files below a folder; of a file that goes away meanwhile none."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def state_of(project: Project, expected: dict[str, bytes]) -> tuple[int, tuple[str, ...], int]:
    """How many files have a final name, which of them are damaged, how many are partial."""
    found = files_of(project.results)
    partial = [name for name in found if PARTIAL.search(name)]
    # Checkpoints are no results: they are gone at the end.
    final = {
        name: content
        for name, content in found.items()
        if name not in partial and not name.startswith("checkpoints/")
    }
    damaged = tuple(name for name, content in final.items() if expected.get(name) != content)
    return len(final), damaged, len(partial)


def undisturbed(folder: Path, source: Path, cores: int) -> tuple[dict[str, bytes], float]:
    """The results of a run that nothing disturbs, and its seconds."""
    project = make_project(folder, source)
    began = time.monotonic()
    if Run(project, cores).process.wait():
        sys.exit((folder / "chaos.log").read_text()[-4000:])
    return files_of(project.results), time.monotonic() - began


def disturbed(
    folder: Path, source: Path, expected, before: int, kills: int, longest: float, cores: int, rng
) -> tuple[list[Kill], list[str]]:
    """Kills of one project up to its end, and the results that then differ; `before`: in others."""
    project, made = make_project(folder, source), []
    while True:
        run, wait = Run(project, cores), rng.uniform(2, longest)
        what = (JOB, ALL)[len(made) % 2]
        try:
            run.process.wait(None if len(made) == kills else wait)
        except subprocess.TimeoutExpired:
            while what == JOB and not run.scripts() and run.process.poll() is None:
                time.sleep(0.05)
            if run.process.poll() is None:
                made.append(Kill(what, run.kill(what, rng), *state_of(project, expected)))
                print_kill(before + len(made), made[-1])
                if what == ALL:
                    unlock(project)
                continue
        if run.process.returncode:
            sys.exit((folder / "chaos.log").read_text()[-4000:])
        found = files_of(project.results)
        names = sorted(found.keys() | expected.keys())
        return made, [name for name in names if found.get(name) != expected.get(name)]


def unlock(project: Project) -> None:
    """What a user does after Snakemake itself was killed; without it the next run is refused."""
    done = project.call("--unlock")
    assert done.returncode == 0, done.output


def print_kill(number: int, kill: Kill) -> None:
    """A line of the table."""
    running = ", ".join(
        f"{n} {name}" if n > 1 else name for name, n in Counter(kill.running).items()
    )
    print(
        f"{number:4d}  {kill.what:23s} {kill.present:6d} {len(kill.damaged):8d} {kill.partial:8d}"
        f"  {running or 'no job'}",
        flush=True,
    )


def main() -> None:
    """Kill, rerun, compare; exit status 1 where anything was damaged or differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--longest", type=float, default=15, help="seconds between kills, at most")
    parser.add_argument("--folder", type=Path, help="kept; by default a temporary one, removed")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="motifloom-chaos-"))
    source = copy_source(ROOT, folder / "workflow")
    expected, seconds = undisturbed(folder / "undisturbed", source, arguments.cores)
    print(f"undisturbed: {len(expected)} files in {seconds:.0f} s; seed {arguments.seed}")
    print("kill  of                       files  damaged  partial  while these ran", flush=True)
    rng, made, different, rounds = random.Random(arguments.seed), [], [], 0
    while len(made) < arguments.kills:
        left = arguments.kills - len(made)
        kills, names = disturbed(
            folder / f"round{rounds}",
            source,
            expected,
            len(made),
            left,
            arguments.longest,
            arguments.cores,
            rng,
        )
        made, different, rounds = made + kills, different + names, rounds + 1
        print(f"      run {rounds} came to its end: {len(names)} files differ", flush=True)
    damaged = sum(len(kill.damaged) for kill in made)
    print(f"{len(made)} kills, {damaged} damaged files, {len(different)} files differ at the end")
    if not arguments.folder:
        shutil.rmtree(folder)
    sys.exit(bool(damaged or different))


if __name__ == "__main__":
    main()
