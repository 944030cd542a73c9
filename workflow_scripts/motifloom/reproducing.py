"""A finished run once more, in a fresh folder, and its results compared byte by byte."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from motifloom.files import InputError, file_digest, write_text
from motifloom.provenance import (
    CHECKSUMS,
    code_folder,
    code_state,
    hardware,
    packages,
    read_checksums,
    read_provenance,
)

CONFIG = "config.json"


@dataclass(frozen=True)
class Comparison:
    """Files of a run by what became of them in its repetition; names below results/<name>/."""

    equal: list[str]
    different: list[str]
    missing: list[str]
    added: list[str]

    @property
    def same(self) -> bool:
        """Whether every file is there, with the same bytes, and no other."""
        return not (self.different or self.missing or self.added)

    def by_stage(self) -> dict[str, tuple[int, int, int, int]]:
        """Numbers of equal, different, missing and added files by the first folder of their name.

        Files beside the folders are counted under "."; the last row, "all", has the sums.
        """
        groups = (self.equal, self.different, self.missing, self.added)
        stages = [[name.partition("/")[0] if "/" in name else "." for name in g] for g in groups]
        names = sorted({stage for group in stages for stage in group})
        rows = {name: tuple(group.count(name) for group in stages) for name in names}
        return rows | {"all": tuple(map(len, groups))}


def reproduce(
    run: str | Path, folder: str | Path, cores: str = "all", snakefile: str | Path = ""
) -> Comparison:
    """Run the config of `run` (results/<name>) again below `folder` and compare all results.

    Inputs are linked from where the run had them, found from its working folder, after their
    digests were compared with those of provenance.json. `folder` must be new or empty; cores as
    Snakemake takes them. Raises InputError where an input is missing or has changed, and where
    Snakemake ends with an error.
    """
    # Not resolved: where results is a link, inputs are still found from the folder it lies in.
    run, folder = Path(os.path.abspath(run)), Path(folder).resolve()
    provenance = read_provenance(run)
    listed = read_checksums(run / CHECKSUMS)
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder}: is not empty; name a new folder")
    work = lay_out(provenance, run.parents[1], folder)
    # JSON is YAML too; in the order of the run, as the report shows it.
    write_text(json.dumps(provenance["config"], indent=2) + "\n", work / CONFIG)
    command = [sys.executable, "-m", "snakemake", "--directory", work, "--cores", cores]
    command += ["--snakefile", snakefile or code_folder() / "Snakefile"]
    command += ["--configfile", work / CONFIG]
    command += ["--max-threads", max(provenance["threads"].values())]
    done = subprocess.run(list(map(str, command)))
    if done.returncode:
        raise InputError(f"{work}: the run ended with an error; see its message above and logs/")
    return compare(listed, work / "results" / provenance["name"])


def lay_out(provenance: Mapping, base: Path, folder: Path) -> Path:
    """Make a working folder below `folder` in which the run's inputs are found, and return it.

    Every input that no rule makes is a link at its path of the config; absolute paths stay. Paths
    that lead out of the working folder (../data) lead no farther than `folder`.
    """
    inputs = {
        path: described
        for path, described in provenance["inputs"].items()
        if described["kind"] != "made"
    }
    for path, described in inputs.items():
        if not (base / path).exists():
            raise InputError(f"{base / path}: is missing; put the run's input back")
        if (found := file_digest(base / path)) != described["sha256"]:
            raise InputError(
                f"{base / path}: has sha256 {found}, the run read {described['sha256']}; put the"
                " run's input back"
            )
    depth = max((Path(os.path.normpath(path)).parts.count("..") for path in inputs), default=0)
    work = folder.joinpath(*["outer"] * depth, "work")
    work.mkdir(parents=True)
    for path in inputs:
        if not Path(path).is_absolute():
            link = Path(os.path.normpath(work / path))
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((base / path).resolve())
    return work


def compare(listed: Mapping[str, str], results: str | Path) -> Comparison:
    """Compare the files of a repetition in `results` with the digests of the first run's."""
    found = read_checksums(Path(results) / CHECKSUMS)
    return Comparison(
        equal=[name for name in listed if found.get(name) == listed[name]],
        different=[name for name in listed if name in found and found[name] != listed[name]],
        missing=[name for name in listed if name not in found],
        added=[name for name in found if name not in listed],
    )


def differences(provenance: Mapping) -> list[str]:
    """In sentences, how code, packages and machine here differ from those of a run."""
    said = []
    code, here = provenance["code"], code_state()
    names = sorted(
        name
        for name in code["files"].keys() | here["files"].keys()
        if code["files"].get(name) != here["files"].get(name)
    )
    if code["source"]:
        said.append(f"code: the run's was loaded from {code['source']}, here it is a local folder")
    elif names:
        commits = f"commit {code['commit'] or 'unknown'}, here {here['commit'] or 'unknown'}"
        said.append(f"code: {len(names)} files differ ({', '.join(names[:5])}); {commits}")
    for title, then, now in (
        ("packages", provenance["packages"], packages()),
        ("hardware", provenance["hardware"], hardware(provenance["config"]["device"] != "cpu")),
    ):
        said += [
            f"{title}: {key} was {then.get(key, 'absent')}, is {now.get(key, 'absent')}"
            for key in sorted(then.keys() | now.keys())
            if then.get(key) != now.get(key)
        ]
    cores, threads = os.cpu_count() or 1, max(provenance["threads"].values())
    if cores < threads:
        said.append(f"threads: jobs had up to {threads}, this machine has {cores}")
    return said
