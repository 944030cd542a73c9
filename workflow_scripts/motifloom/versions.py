"""Versions of what results were made with."""

import platform
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata

import motifloom


def installed(packages: Iterable[str]) -> dict[str, str]:
    """Versions of motifloom, Python and those of `packages` that are installed here."""
    found = {"motifloom": motifloom.__version__, "python": platform.python_version()}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):  # a rule's environment may do without
            found[package] = metadata.version(package)
    return found
