"""Files at the border: text in, whole files out, and the error a user reads."""

import errno
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import pandas as pd

# A compressed file may unpack to so many bytes, or to so many times its own size if that is more.
UNPACKED_BYTES, UNPACKED_TIMES = 1 << 26, 100
_BLOCK = 1 << 20
_SPARE = 1 << 16  # bytes; a disk with less room is full
_HEAD, _TAIL = 600, 300
_MOST_COLUMNS = 10_000


class InputError(Exception):
    """Something the user gave cannot be used; the message is one sentence that says what to do.

    It stays one line of some hundred letters, whatever the file holds that it quotes: long ones
    lose their middle, and what cannot be printed is replaced.
    """

    def __init__(self, message: str = ""):
        super().__init__(_one_line(str(message)))


def _one_line(text: str) -> str:
    if len(text) > _HEAD + _TAIL:
        text = f"{text[:_HEAD]} [...] {text[-_TAIL:]}"
    if text.isprintable():
        return text
    text = "".join(letter if letter.isprintable() else "\n" for letter in text)
    return " ".join(part for part in map(str.strip, text.split("\n")) if part)


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
    if not path.is_file():
        raise InputError(f"{path}: is a pipe or device; write it to a file first")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: cannot be read; check its permissions")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; make or fetch it again")


@contextmanager
def open_text(path: str | Path) -> Iterator[IO[str]]:
    """Open a text file, plain or gzipped (by content, not by name), with any line ending.

    Raises InputError for a file that is missing, empty, cut short or not text, or unpacks to more
    than UNPACKED_BYTES and UNPACKED_TIMES its size; errors of decompression and decoding that
    surface while reading inside the block are turned too.
    """
    check_readable(path)
    opener = _Unpacked if is_gzip(path) else partial(open, mode="rb")
    try:
        with opener(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline=None) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the compressed file is damaged or cut short ({error}); fetch it again"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a text file; is it the right format?") from error


class _Unpacked(gzip.GzipFile):
    """The content of a gzip file, bytes; InputError where there is far too much of it."""

    def __init__(self, path: str | Path):
        super().__init__(path, "rb")
        self._most = max(UNPACKED_BYTES, UNPACKED_TIMES * Path(path).stat().st_size)

    def read(self, size: int | None = -1) -> bytes:
        """Up to `size` bytes, all of them where it is negative."""
        if size is not None and size >= 0:
            return self._checked(super().read(size))
        parts = []
        while block := self._checked(super().read(_BLOCK)):
            parts.append(block)
        return b"".join(parts)

    def read1(self, size: int = -1) -> bytes:
        """Some bytes, up to `size`."""
        return self._checked(super().read1(size))

    def _checked(self, block: bytes) -> bytes:
        if self.tell() > self._most:
            raise InputError(
                f"{self.name}: the compressed file unpacks to more than {self._most:,} bytes, far"
                " beyond its size; if it is sound, unpack it first"
            )
        return block


def parse_json(text: str) -> object:
    """The value of a JSON text; ValueError for all that is none.

    That is also text nested too deeply to be read, and letters that cannot be written again.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if "\\ud" in text.lower():  # half a letter, mostly
        json.dumps(found, ensure_ascii=False).encode()
    return found


def is_whole(value: object, least: int = 0, most: int = 1 << 53) -> bool:
    """Whether a value out of JSON is an integer between bounds; True and False are none."""
    return type(value) is int and least <= value <= most


def is_finite(value: object) -> bool:
    """Whether a value out of JSON is a number that float64 holds."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def are_names(value: object) -> bool:
    """Whether a value out of JSON is a list of texts."""
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


def full_disk(error: Exception, *folders: str | Path) -> str:
    """That the disk of one of the folders is full, and the remedy; "" for all other errors."""
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return ""
    named = " or ".join(map(str, folders))
    return (
        f"no space is left on the disk of {named}; free some and run again, nothing that is"
        " finished is lost"
    )


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the name `path` only if the block succeeds.

    File and folder are on the disk when the name appears. What a writer of the same file left that
    was killed is removed. Raises InputError where the disk is full or may not be written.
    """
    path = Path(path)
    with _writable(path):
        temporary = _place(path)
        try:
            yield temporary
            _to_disk(temporary)
            os.replace(temporary, path)
            _to_disk(path.parent)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()


@contextmanager
def full_disk_noticed(path: str | Path) -> Iterator[None]:
    """For libraries that do not say why writing `path` failed: where its disk is full, say so.

    The half-written file must still be there when the block ends. All other errors are raised as
    they are.
    """
    try:
        yield
    except BaseException as error:  # a panic of compiled code is no Exception
        stopped = isinstance(error, (KeyboardInterrupt, SystemExit))
        if stopped or shutil.disk_usage(Path(path).parent).free >= _SPARE:
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


@contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """As `atomic`, of a folder: yields an empty one beside `path`, which takes its place."""
    path = Path(path)
    with _writable(path):
        temporary = _place(path)
        temporary.mkdir()
        try:
            yield temporary
            for made in temporary.iterdir():
                _to_disk(made)
            _to_disk(temporary)
            shutil.rmtree(path, ignore_errors=True)
            os.replace(temporary, path)
            _to_disk(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _place(path: Path) -> Path:
    """A temporary path in the folder of `path`, which is made, rid of earlier ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # One job at a time writes a file, on whatever machine: those of others are left over.
    # Digits only: a file of another job, a.b.tsv beside a.tsv, may be under way.
    mine = re.compile(rf"\.{re.escape(path.stem)}\.[0-9]+\.partial{re.escape(path.suffix)}")
    for left in path.parent.iterdir():
        if not mine.fullmatch(left.name):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
    # The extension stays last, because plotting libraries choose the format by it.
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn a full or closed disk into a sentence about the file that was to be written."""
    try:
        yield
    except OSError as error:
        if full := full_disk(error, path.parent):
            raise InputError(f"{path}: {full}") from error
        # What is closed may also be another file, which is only read.
        named = Path(os.fsdecode(error.filename or path))
        if error.errno in _CLOSED and (named.parent == path.parent or named in path.parents):
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); give a folder that may be written,"
                " such as with --directory"
            ) from error
        raise


def _to_disk(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems have no such thing for folders.
        if not path.is_dir() or error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


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
            filled = (line for line in stream if line.strip(" \n"))
            _check_header(next(filled, ""), next(filled, ""), path)
            stream.seek(0)
            frame = pd.read_csv(
                stream, sep="\t", dtype=dict.fromkeys(text_columns, str), low_memory=False
            )
        except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: is not a tab-separated table ({error})") from error
    present = [column for column in text_columns if column in frame]
    frame[present] = frame[present].fillna("")
    return frame


def _check_header(header: str, first: str, path: str | Path) -> None:
    """Refuse columns beyond number, and rows longer than the header, which pandas would shift."""
    columns = header.count("\t") + 1
    if columns > _MOST_COLUMNS:
        raise InputError(f"{path}: has {columns} columns; is it a table of a run?")
    if first.count("\t") >= columns and '"' not in first:
        raise InputError(
            f"{path}: is not a tab-separated table (its rows are longer than its header)"
        )


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
