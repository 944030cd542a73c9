"""What a run was made of, and the digests of what it made.

provenance.json holds code, config, inputs, packages, hardware, seed and threads of a run;
checksums.sha256 the digest of every file of its results, as `sha256sum --check` reads it. Neither
holds a time or the name of a machine: the same config gives the same bytes on the same machine.
"""

import itertools
import json
import logging
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import motifloom
from motifloom.files import (
    InputError,
    check_readable,
    file_digest,
    is_whole,
    open_text,
    parse_json,
    write_text,
)

log = logging.getLogger(__name__)

FORMAT = 1
PROVENANCE = "provenance.json"
CHECKSUMS = "checksums.sha256"
# The workflow's own files, by folder; the library's folder stands alone where it is installed.
_CODE = ("Snakefile", "workflow/Snakefile", "rules/*.smk", "workflow_scripts/*.py")
_CODE += ("workflow_scripts/motifloom/*.py", "config/schemas/*.yaml", "report/*", "envs/*")
# Instructions that choose between compiled loops, whose sums may differ in the last digit.
_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


def write_provenance(
    provenance: str | Path,
    checksums: str | Path,
    *,
    config: Mapping[str, Any],
    sheet: Sequence[Mapping[str, str]],
    inputs: Iterable[str],
    tables: Iterable[str],
    made: Iterable[tuple[Sequence[str], Mapping[str, Sequence[str]]]],
    simulated: Iterable[str],
    source: str,
    threads: int,
) -> None:
    """Write a run's provenance.json and checksums.sha256 beside it, in the folder of its results.

    config: the whole config, defaults set. sheet: the lines of the dataset table. inputs: data
    files that config and sheet name; tables: the tables that lie with the config; of both those in
    `simulated` are marked as made by the workflow. made: groups of result files and folders as
    (names with {wildcards}, values of each wildcard). source: where the workflow was loaded from,
    "" for a local folder. threads: CPU threads that this job was given, the most that any had.
    """
    folder = Path(provenance).parent
    found = results_of(folder, made)
    lines = [f"{file_digest(folder / name)}  {name}\n" for name in found]
    write_text("".join(lines), checksums)
    log.info("%d files of results, digests in %s", len(found), CHECKSUMS)
    content = {
        "format": FORMAT,
        "name": config["name"],
        "code": code_state(source),
        "config": dict(config),
        "datasets": [dict(line) for line in sheet],
        "inputs": _described(inputs, tables, set(simulated)),
        "seed": config["seed"],
        "threads": {key: min(n, threads) for key, n in config["threads"].items()},
        "packages": packages(),
        "hardware": hardware(config["device"] != "cpu"),
        "results": {"file": CHECKSUMS, "files": len(found), "sha256": file_digest(checksums)},
    }
    # Unsorted: the report shows the config in its own order.
    write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", provenance)


def results_of(
    folder: str | Path, made: Iterable[tuple[Sequence[str], Mapping[str, Sequence[str]]]]
) -> list[str]:
    """Names below `folder`, sorted, of the files of a run; folders stand for all files in them.

    Groups are as in `write_provenance`; what lies elsewhere or was not made (folds of chromosomes
    in a run without peaks) is left out. Files in the folder that no group names, such as those of
    a dataset since removed, are no part of the run.
    """
    folder, found = Path(folder), set()
    for names, values in made:
        for combination in itertools.product(*values.values()):
            filled = dict(zip(values, combination, strict=True))
            paths = (Path(name.format(**filled)) for name in names)
            for path in (path for path in paths if path.is_relative_to(folder)):
                inside = path.rglob("*") if path.is_dir() else [path]
                found.update(str(p.relative_to(folder)) for p in inside if p.is_file())
    return sorted(name for name in found if Path(name).name != ".snakemake_timestamp")


def _described(inputs: Iterable[str], tables: Iterable[str], simulated: set[str]) -> dict:
    """Input path -> digest, bytes and kind: "data", "table", or "made" by the workflow itself."""
    kinds = dict.fromkeys(inputs, "data") | dict.fromkeys(tables, "table")
    kinds |= {path: "made" for path in kinds if path in simulated}
    return {
        path: {"kind": kind, "bytes": os.path.getsize(path), "sha256": file_digest(path)}
        for path, kind in sorted(kinds.items())
    }


def code_state(source: str = "") -> dict[str, Any]:
    """The workflow's version: number, where it was loaded from, commit, and digests of its files.

    `commit` is null where the workflow's folder is no checkout of its own, or git cannot tell;
    `changed` lists the files that differ from it. For a workflow loaded from elsewhere, `source`
    names the version.
    """
    state = {"version": motifloom.__version__, "source": source, "commit": None, "changed": []}
    if source:
        return state | {"files": {}}
    root = code_folder()
    names = sorted(
        str(path.relative_to(root)) for form in _CODE for path in root.glob(form) if path.is_file()
    )
    if (root / ".git").exists():
        commit = _git(root, "rev-parse", "HEAD").strip()
        state["commit"] = commit or None
    if state["commit"]:
        # By pattern, so that files that are gone are listed too.
        forms = [f":(glob){form}" for form in _CODE]
        listed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *forms)
        state["changed"] = sorted(line[3:] for line in listed.splitlines())
    return state | {"files": {name: file_digest(root / name) for name in names}}


def code_folder() -> Path:
    """The folder of the workflow that this library is part of."""
    return Path(motifloom.__file__).resolve().parents[2]


def _git(folder: Path, *arguments: str) -> str:
    """What git prints, "" where it fails or is not installed."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def packages() -> dict[str, str]:
    """Versions of Python and of every package installed beside it, by lower-case name."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        if name := one.metadata["Name"]:  # of a package half removed there is none
            found.setdefault(name.lower(), one.version)  # the first found is the one imported
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


def hardware(gpus: bool = False) -> dict[str, Any]:
    """Processor, its cores and features, memory in GB, system and, if asked for, GPUs."""
    processor, flags = platform.processor() or platform.machine(), set()
    if Path("/proc/cpuinfo").exists():
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if name := re.search(r"^model name\s*: (.*)$", text, re.MULTILINE):
            processor = name[1]
        if listed := re.search(r"^(?:flags|Features)\s*: (.*)$", text, re.MULTILINE):
            flags = set(listed[1].split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor,
        "features": [feature for feature in _FEATURES if feature in flags],
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9),
        "system": f"{platform.system()} {platform.machine()}, {' '.join(platform.libc_ver())}",
        "gpus": _gpus() if gpus else [],
    }


def _gpus() -> list[str]:
    """Name and driver of every GPU that NVIDIA's tool lists."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return text.strip().splitlines()


def read_provenance(run: str | Path) -> dict[str, Any]:
    """The provenance.json of a run's folder; InputError where it has none, or an unknown form."""
    path = Path(run) / PROVENANCE
    if not path.exists():
        raise InputError(f"{run}: holds no {PROVENANCE}; name the results/<name> of a finished run")
    with open_text(path) as stream:
        try:
            content = parse_json(stream.read())
        except ValueError as error:
            raise InputError(f"{path}: is not JSON ({error}); run the workflow again") from error
    if not isinstance(content, dict) or not is_whole(content.get("format"), FORMAT, FORMAT):
        raise InputError(f"{path}: is not of form {FORMAT}; run the workflow of this version")
    return content


def read_checksums(path: str | Path) -> dict[str, str]:
    """File name -> SHA-256 of a list of digests; InputError where it is missing or no such list."""
    if not Path(path).exists():
        check_readable(path)
    try:
        return parse_checksums(Path(path).read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file; make the list again") from error


def parse_checksums(text: str, where: str) -> dict[str, str]:
    """File name -> SHA-256 of the text of a list that `sha256sum` reads; it may be empty.

    Raises InputError, which begins with `where`, for a line of another form or a name that leads
    out of the list's folder.
    """
    digests = {}
    for number, line in enumerate(text.splitlines(), start=1):
        parts = re.fullmatch(r"([0-9a-f]{64})  (.+)", line)
        if not parts or Path(parts[2]).is_absolute() or ".." in Path(parts[2]).parts:
            raise InputError(f"{where}: line {number} is not 'sha256  name'; make the list again")
        digests[parts[2]] = parts[1]
    return digests
