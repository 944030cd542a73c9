"""A finished run in one archive: config, tables, weights, motifs and report, and its digests.

The archive is a ZIP whose bytes depend on its content alone, and an RO-Crate. What can be made
again from the inputs and is large (encoded sequences, genome and bins, scores of every example) is
left out; its digests stay in the list of the run's results.
"""

import hashlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from motifloom.crates import describe
from motifloom.files import (
    UNPACKED_BYTES,
    UNPACKED_TIMES,
    InputError,
    atomic,
    check_readable,
    file_digest,
    parse_json,
)
from motifloom.provenance import (
    CHECKSUMS,
    PROVENANCE,
    code_folder,
    parse_checksums,
    read_checksums,
    read_provenance,
)

MANIFEST = "manifest.sha256"
# What reading a damaged archive raises: zipfile's own, those of what it unpacks with (also for
# encrypted files and unknown methods), and of a text that is not what it must be.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError,
    ValueError, KeyError, TypeError,
)  # fmt: skip
CRATE = "ro-crate-metadata.json"
# The only safetensors that are kept; the others hold examples and their scores.
_WEIGHTS = "weights.safetensors"
# Names of folders that lead out of the run's, within an archive.
_OUTSIDE = {"/": "_root", "..": "_up"}
# The time of every file in an archive, the first that a ZIP can tell.
_TIME = (1980, 1, 1, 0, 0, 0)


def freeze(run: str | Path, archive: str | Path = "") -> Path:
    """Write a run's archive, by default results/<name>.frozen.zip, and return its path.

    In it: results/ (what is kept of the run), tables/ (the dataset table and others beside the
    config), workflow/ (the code), config.json, ro-crate-metadata.json, and manifest.sha256, the
    digests of all. The same run gives the same bytes while provenance.json keeps its time, which is
    the run's end in the crate. Raises InputError where a file of the run is
    missing or has changed since it was made.
    """
    # Not resolved: where results is a link, tables are still named from the folder it lies in.
    run = Path(os.path.abspath(run))
    archive = Path(archive) if archive else run.with_name(f"{run.name}.frozen.zip")
    provenance = read_provenance(run)
    if faults := check_run(run):
        raise InputError(
            f"{run / faults[0][1]}: {faults[0][0]} since the run ended ({len(faults)} such files);"
            " run the workflow again"
        )
    kept = [name for name in read_checksums(run / CHECKSUMS) if _is_kept(name)]
    members = {f"results/{name}": run / name for name in [*kept, PROVENANCE, CHECKSUMS]}
    members |= _tables(provenance, run.parents[1])
    members |= _code(provenance)
    texts = {"config.json": json.dumps(provenance["config"], indent=2) + "\n"}
    digests = {name: file_digest(path) for name, path in members.items()}
    digests["config.json"] = _digest(texts["config.json"].encode())
    ended = os.path.getmtime(run / PROVENANCE)
    texts[CRATE] = describe(provenance, digests, ended)
    digests[CRATE] = _digest(texts[CRATE].encode())
    texts[MANIFEST] = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    _write(archive, members, texts)
    return archive


def _is_kept(name: str) -> bool:
    return PurePosixPath(name).name == _WEIGHTS or not name.endswith(".safetensors")


def _tables(provenance: Mapping, base: Path) -> dict[str, Path]:
    """Archive name -> path of the tables beside the config, all below tables/."""
    found = {}
    for path, described in provenance["inputs"].items():
        if described["kind"] != "table":
            continue
        if not (base / path).exists() or file_digest(base / path) != described["sha256"]:
            raise InputError(
                f"{base / path}: is not the table of the run any more; run the workflow"
                " again with --forcerun write_provenance"
            )
        inside = [_OUTSIDE.get(part, part) for part in Path(path).parts]
        found["/".join(["tables", *inside])] = base / path
    return found


def _code(provenance: Mapping) -> dict[str, Path]:
    """Archive name -> path of the workflow's files, below workflow/, if they are the run's.

    A workflow that was loaded from elsewhere is named by its source instead.
    """
    root, files = code_folder(), provenance["code"]["files"]
    changed = [
        name
        for name in files
        if not (root / name).exists() or file_digest(root / name) != files[name]
    ]
    if changed:
        commit = provenance["code"]["commit"]
        checkout = f" (git checkout {commit})" if commit else ""
        raise InputError(
            f"{root / changed[0]}: is not as in the run ({len(changed)} such files); freeze with"
            f" the run's code{checkout}, or run the workflow again with --forcerun write_provenance"
        )
    return {f"workflow/{name}": root / name for name in files}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(archive: Path, members: Mapping[str, Path], texts: Mapping[str, str]) -> None:
    """Write a ZIP of files and texts, sorted by name, with one fixed time and fixed rights."""
    with atomic(archive) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        for name in sorted([*members, *texts]):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            entry.create_system = 3
            content = texts[name].encode() if name in texts else members[name].read_bytes()
            packed.writestr(entry, content)


def check_run(run: str | Path) -> list[tuple[str, str]]:
    """("missing" or "changed", name) of every result of a run that is not as it was made.

    Raises InputError where the folder is of no run that has ended.
    """
    run = Path(run)
    provenance, path = read_provenance(run), run / CHECKSUMS
    if not path.exists() or file_digest(path) != provenance["results"]["sha256"]:
        return [("changed" if path.exists() else "missing", CHECKSUMS)]
    faults = []
    for name, digest in read_checksums(path).items():
        if not (run / name).exists():
            faults.append(("missing", name))
        elif file_digest(run / name) != digest:
            faults.append(("changed", name))
    return faults


def _refuse_bomb(packed: zipfile.ZipFile, archive: str | Path) -> None:
    """Raise InputError where files would unpack far beyond the archive's size."""
    most = max(UNPACKED_BYTES, UNPACKED_TIMES * Path(archive).stat().st_size)
    if sum(member.file_size for member in packed.infolist()) > most:
        raise InputError(f"{archive}: unpacks to more than {most:,} bytes; fetch it again")


def check_archive(archive: str | Path) -> tuple[list[tuple[str, str]], int, int]:
    """Faults as in `check_run`, or "unknown" for files that no list names; files held, left out.

    Every file is held against the archive's manifest, results against the run's list too, and that
    list against the digest in the run's provenance.
    """
    check_readable(archive)
    try:
        with zipfile.ZipFile(archive) as packed:
            _refuse_bomb(packed, archive)
            found = {name: _digest(packed.read(name)) for name in packed.namelist()}
            needed = (MANIFEST, f"results/{PROVENANCE}", f"results/{CHECKSUMS}")
            manifest, provenance, checksums = (packed.read(name).decode() for name in needed)
        digest = parse_json(provenance)["results"]["sha256"]
    except _DAMAGE as error:
        raise InputError(
            f"{archive}: is damaged or no frozen run ({error}); fetch it again"
        ) from error
    expected = parse_checksums(manifest, f"{archive}: {MANIFEST}")
    faults = [
        ("missing" if name not in found else "changed", name)
        for name in sorted(expected)
        if found.get(name) != expected[name]
    ]
    faults += [("unknown", name) for name in sorted(found.keys() - expected.keys() - {MANIFEST})]
    if _digest(checksums.encode()) != digest:
        faults.append(("changed", f"results/{CHECKSUMS}"))
    listed = parse_checksums(checksums, f"{archive}: results/{CHECKSUMS}")
    held = {name: found[f"results/{name}"] for name in listed if f"results/{name}" in found}
    faults += [("changed", f"results/{name}") for name in held if held[name] != listed[name]]
    missing = (name for name in listed if name not in held and _is_kept(name))
    faults += [("missing", f"results/{name}") for name in missing]
    return sorted(set(faults)), len(found), len(listed) - len(held)
