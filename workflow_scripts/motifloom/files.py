"""Files at the border: text in, whole files out, and the error a user reads."""

import gzip
import hashlib
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pandas as pd


class InputError(Exception):
    """Something the user gave cannot be used; the message is one sentence that says what to do."""


def is_gzip(path: str | Path) -> bool:
    """Whether a file begins with gzip's magic number (plain gzip and bgzip alike)."""
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def check_readable(path: str | Path) -> None:
    """Raise InputError where `path` is missing, a folder, unreadable or empty."""
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path in the config or the dataset table")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name the file inside it")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read; check its permissions")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; make or fetch it again")


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Open a text file, plain or gzipped (by content, not by name), with any line ending.

    Raises InputError for a file that is missing, empty, cut short or not text; errors of
    decompression and decoding that surface while reading inside the block are turned too.
    """
    check_readable(path)
    opener = gzip.open if is_gzip(path) else open
    try:
        with opener(path, "rt", encoding="utf-8", newline=None) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the compressed file is damaged or cut short ({error}); fetch it again"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file; is it the right format?") from error


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The extension stays last, because plotting libraries choose the format by it.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_text(text: str, path: str | Path) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a TSV with a header; missing values as NA, floats with six significant digits."""
    with atomic(path) as temporary:
        frame.to_csv(
            temporary, sep="\t", index=False, na_rep="NA", float_format="%.6g", lineterminator="\n"
        )


def read_table(path: str | Path, text_columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read a TSV with a header; `text_columns` keep their text (empty and NA alike become "")."""
    with open_text(path) as stream:
        try:
            frame = pd.read_csv(stream, sep="\t", dtype=dict.fromkeys(text_columns, str))
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: is not a tab-separated table ({error})") from error
    present = [column for column in text_columns if column in frame]
    frame[present] = frame[present].fillna("")
    return frame


def collect_tables(tables: Iterable[str | Path], output: str | Path) -> None:
    """Write TSVs with the same columns, one after the other, as one; cells keep their text."""
    frames = [pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in tables]
    write_table(pd.concat(frames), output)


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def keep_verified(source: str | Path, output: str | Path, sha256: str) -> None:
    """Copy a file whose content has the digest `sha256` (hexadecimal; "" accepts any).

    Raises InputError where it has another: the file was cut short or has changed at its source.
    """
    check_readable(source)
    found = file_digest(source)
    if sha256 and found != sha256:
        raise InputError(
            f"{output}: the downloaded file has sha256 {found}, expected {sha256}; fetch it again,"
            " or mend the table of downloads if the source has changed on purpose"
        )
    with atomic(output) as temporary:
        shutil.copyfile(source, temporary)
