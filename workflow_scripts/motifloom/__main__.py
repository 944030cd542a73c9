"""Commands on finished runs: `python -m motifloom reproduce|freeze|check`, see --help."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from motifloom.files import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 if all is as it should be, 1 if not."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.command(parsed)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="motifloom", description="Commands on finished runs.")
    commands = parser.add_subparsers(required=True, metavar="command")
    one = commands.add_parser("reproduce", help="run a config again and compare all results")
    one.add_argument("run", help="the results of a run, results/<name>")
    one.add_argument("--folder", default="", help="a new folder to run in, which is kept")
    one.add_argument("--cores", default="all", help="CPU cores, as Snakemake takes them")
    one.set_defaults(command=_reproduce)
    one = commands.add_parser("freeze", help="pack a run into one archive with digests")
    one.add_argument("run", help="the results of a run, results/<name>")
    one.add_argument("--archive", default="", help="default: results/<name>.frozen.zip")
    one.set_defaults(command=_freeze)
    one = commands.add_parser("check", help="hold an archive, or a run, against its digests")
    one.add_argument("path", help="a frozen archive, or the results of a run")
    one.set_defaults(command=_check)
    return parser


def _reproduce(parsed: argparse.Namespace) -> int:
    from motifloom.provenance import read_provenance
    from motifloom.reproducing import differences, reproduce

    for said in differences(read_provenance(parsed.run)):
        print(f"not as in the run: {said}", flush=True)
    folder = parsed.folder or tempfile.mkdtemp(prefix="motifloom-")
    try:
        found = reproduce(parsed.run, folder, parsed.cores)
    except InputError:
        print(f"The repetition is in {folder}.")
        raise
    print(f"{'equal':>10}{'different':>11}{'missing':>9}{'added':>7}  in")
    for stage, counts in found.by_stage().items():
        print("{:>10}{:>11}{:>9}{:>7}  {}".format(*counts, stage))
    for kind in ("different", "missing", "added"):
        for name in getattr(found, kind):
            print(f"{kind}: {name}")
    if found.same:
        print(f"All {len(found.equal)} files of {parsed.run} came out with the same bytes.")
    if found.same and not parsed.folder:
        shutil.rmtree(folder)
    else:
        print(f"The repetition is in {folder}.")
    return int(not found.same)


def _freeze(parsed: argparse.Namespace) -> int:
    from motifloom.freezing import freeze

    archive = freeze(parsed.run, parsed.archive)
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB; check it with make check ARCHIVE=...")
    return 0


def _check(parsed: argparse.Namespace) -> int:
    from motifloom.freezing import check_archive, check_run

    path = Path(parsed.path)
    if path.is_dir():
        faults, told = check_run(path), "every result is as it was made"
    else:
        faults, held, left_out = check_archive(path)
        told = f"{held} files are as they were frozen; {left_out} large results are not in it"
    for kind, name in faults:
        print(f"{kind}: {name}")
    print(f"{path}: {f'{len(faults)} files are not as they were' if faults else told}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
