"""Which files one run gave to its report, and how their tables and matrices are read.

All files but the dataset sheet may be missing; the page leaves out what they would fill.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motifloom.files import InputError, open_text, parse_json
from motifloom.motif_files import read_meme
from motifloom.report_values import Row


@dataclass(frozen=True)
class Run:
    """The results of one run: a folder and those of its files and folders that may be read.

    What lies in the folder but is not listed (a table of an earlier configuration) is not read.
    """

    folder: Path
    listed: frozenset[Path]

    @classmethod
    def of(cls, folder: str | Path, inputs: Iterable[str | Path]) -> "Run":
        """The run whose results lie in `folder`; inputs that lie elsewhere are left out."""
        folder = Path(folder)
        inside = (Path(path) for path in inputs if Path(path).is_relative_to(folder))
        return cls(folder, frozenset(path.relative_to(folder) for path in inside))

    def path(self, name: str) -> Path | None:
        """The path of a file given relative to the results, None where the run has none.

        A file inside a listed folder may be absent; a listed file that is absent is an error of
        whoever reads it.
        """
        wanted = Path(name)
        if wanted in self.listed:
            return self.folder / wanted
        inside = any(parent in self.listed for parent in wanted.parents)
        path = self.folder / wanted
        return path if inside and path.exists() else None

    def rows(self, name: str) -> list[Row]:
        """The rows of a table as text by column, [] where the run has none."""
        path = self.path(name)
        return [] if path is None else read_rows(path)

    def json(self, name: str) -> dict[str, Any]:
        """A JSON object, {} where the run has none. Raises InputError where it is none."""
        path = self.path(name)
        if path is None:
            return {}
        with open_text(path) as stream:
            try:
                found = parse_json(stream.read())
            except ValueError as error:
                raise InputError(f"{path}: is not JSON ({error}); make it again") from error
        return found if isinstance(found, dict) else {}

    def matrices(self, name: str) -> dict[str, str]:
        """The motifs of a MEME file by name, each as `matrix_text`; {} where the run has none."""
        path = self.path(name)
        return {} if path is None else {motif.name: matrix_text(motif) for motif in read_meme(path)}


def matrix_text(motif) -> str:
    """A motif's matrix as text: per mille of A, C, G, T with commas, columns with blanks.

    The page's script draws logos from it, which takes a fiftieth of the drawn file.
    """
    columns = (1000 * motif.matrix.T).round().astype(int).tolist()
    return " ".join(",".join(map(str, column)) for column in columns)


def read_rows(path: str | Path) -> list[Row]:
    """The rows of a TSV with a header, all cells as text, "" for NA.

    Raises InputError for a file that is missing, empty, no text, or has rows of another length.
    """
    with open_text(path) as stream:
        reader = csv.reader(stream, delimiter="\t")
        try:
            return _rows(reader, path)
        except csv.Error as error:
            raise InputError(f"{path}: is no table ({error}); make it again") from error


def _rows(reader, path: str | Path) -> list[Row]:
    header = next(reader, [])
    rows = []
    for cells in reader:
        if len(cells) != len(header):
            raise InputError(
                f"{path}: line {reader.line_num} has {len(cells)} cells, the header"
                f" {len(header)}; make the table again"
            )
        rows.append({n: "" if c == "NA" else c for n, c in zip(header, cells, strict=True)})
    return rows


def grouped(rows: Iterable[Row], *names: str) -> dict[tuple, list[Row]]:
    """Rows by the values of their columns `names`, both in the order of the table."""
    groups: dict[tuple, list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row.get(name, "") for name in names), []).append(row)
    return groups
