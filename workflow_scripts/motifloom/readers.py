"""Reading what users give: peaks, excluded regions, chromosome aliases and scored sequences.

Everything is checked here, at the border, so that the rest of the library may trust it; every
error names the file, the line (1-based) and what to do. Coordinates are 0-based and half-open,
as in BED (https://samtools.github.io/hts-specs/BEDv1.pdf); narrowPeak and broadPeak are ENCODE's
(https://genome.ucsc.edu/FAQ/FAQformat.html).
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, NoReturn

import numpy as np
import pandas as pd

from motifloom.counts import Counts
from motifloom.files import InputError, open_text
from motifloom.sequences import ENCODING, IUPAC, UNKNOWN, check_letters, encode

SEQUENCE_COLUMNS = ("sequence", "seq")
LABEL_COLUMNS = ("label", "bound")
SCORE_COLUMNS = ("score", "value", "intensity", "signal")
NAME_COLUMNS = ("name", "id", "eventid")

_BLANK_OR_COMMENT = re.compile(r"^(?:[ \t]+|[ \t]*#.*)$", re.MULTILINE)
_BED_DIRECTIVE = re.compile(r"^(?:track|browser)(?:[ \t].*)?$", re.MULTILINE)
_BED_HEADER = re.compile(
    r"\A(\n*)[\"']?(?:chr|chrom|chromosome|seqnames?|seqid|contig)[\"']?[ \t]+"
    r"[\"']?[a-z_. ]*(?:start|begin)[^\n]*",
    re.IGNORECASE,
)
_FASTA_VALUE = re.compile(
    rf"[ \t](?:(?:{'|'.join(LABEL_COLUMNS + SCORE_COLUMNS)})=(?P<named>\S*)"
    r"|(?P<bare>[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf)))$",
    re.IGNORECASE,
)
_NUCLEOTIDES = re.compile(rf"[{IUPAC}]+", re.IGNORECASE)
_MOST_COLUMNS = 1000
_MITOCHONDRION = {"m", "mt", "mito", "mtdna", "mitochondrion"}


class _Table(NamedTuple):
    """Records of a text table: fields [N, columns] of str, and the line [N] each stands on."""

    fields: pd.DataFrame
    lines: np.ndarray


def read_peaks(path: str | Path) -> pd.DataFrame:
    """Peaks of a BED, narrowPeak or broadPeak file, plain or gzipped, in the file's order.

    Columns: chrom (str), start and end (int64, 0-based, half-open), summit (int64, absolute,
    0-based), score (float64) and line (int64, 1-based, in the file). With 10 columns the file is
    a narrowPeak: summit = start + column 10 where that is not negative, score = signalValue
    (column 7). With 9 it is a broadPeak (score = column 7) unless column 9 is a BED's colour
    (r,g,b). Otherwise score is column 5, where there is one ('.' is NaN). Without a summit of its
    own a peak has it in the middle, (start + end) // 2. Comments, track and browser lines, blank
    lines and a header of column names are skipped; columns are separated by tabs, or by spaces
    where the file has no tab.

    Raises InputError for fewer than three columns, rows of unequal numbers of columns,
    coordinates that are no integers, negative or empty intervals, a summit outside its peak,
    scores that are no finite numbers, and files without a peak.
    """
    table = _read_bed(path)
    if not len(table.lines):
        raise InputError(f"{path}: holds no peak; give a BED or narrowPeak file with at least one")
    peaks = _intervals(table, path)
    narrow = table.fields.shape[1] == 10
    peaks["summit"] = _summits(table, peaks, path) if narrow else (peaks.start + peaks.end) // 2
    peaks["score"] = _scores(table, path)
    return peaks.assign(line=table.lines)


def read_intervals(path: str | Path) -> pd.DataFrame:
    """Intervals of a BED file of regions: chrom (str), start and end (int64).

    A file that is empty, or holds nothing but comments, is no region: an empty frame. Otherwise
    read, checked and refused as `read_peaks` does, columns past the third aside.
    """
    if Path(path).is_file() and Path(path).stat().st_size == 0:
        return _intervals(_parse("", "\t", path), path)
    return _intervals(_read_bed(path), path)


def read_regions(path: str | Path) -> pd.DataFrame:
    """Intervals of a BED file in the file's order, with what they are called and their strand.

    Columns: chrom (str), start and end (int64, 0-based, half-open), name (str, column 4; where
    that is missing or '.', chrom:first-last with the first base as 1), strand ("+", "-", or "."
    where column 6 is missing or '.') and line (int64, 1-based, in the file). Read, checked and
    refused as `read_peaks` does; also refused are strands of other letters.
    """
    table = _read_bed(path)
    if not len(table.lines):
        raise InputError(f"{path}: holds no interval; give a BED file with at least one")
    regions = _intervals(table, path)
    columns = table.fields.shape[1]
    named = table.fields[3] if columns > 3 else pd.Series(".", index=regions.index)
    places = [f"{r.chrom}:{r.start + 1}-{r.end}" for r in regions.itertuples()]
    strand = table.fields[5] if columns > 5 else pd.Series(".", index=regions.index)
    _refuse(
        ~strand.isin(["+", "-", "."]).to_numpy(bool),
        table.lines,
        path,
        lambda row: f"strand (column 6) is {strand.iloc[row]!r}; give +, - or '.' for none",
    )
    names = np.where(named.isin(["", "."]), np.array(places, object), named.to_numpy(object))
    return regions.assign(name=names, strand=strand.to_numpy(object), line=table.lines)


def _read_bed(path: str | Path) -> _Table:
    text = _BED_DIRECTIVE.sub("", _read(path))
    text = _BED_HEADER.sub(r"\1", text)
    return _parse(text if "\t" in text else _spaces_to_tabs(text), "\t", path)


def _read(path: str | Path) -> str:
    """The text of a file with comments blanked out: every other line keeps its number."""
    with open_text(path) as stream:
        return _BLANK_OR_COMMENT.sub("", stream.read().lstrip("\ufeff"))


def _spaces_to_tabs(text: str) -> str:
    return re.sub(r"[ \t]+", "\t", re.sub(r"^ +| +$", "", text, flags=re.MULTILINE))


def _parse(text: str, separator: str, path: str | Path) -> _Table:
    """Split a text into fields; InputError where the rows have unequal numbers of them."""
    lines, columns = _layout(text, separator)
    if len(lines) and columns[0] > _MOST_COLUMNS:
        _fail(path, lines[0], f"has {columns[0]} columns; is it a table? {_MOST_COLUMNS} are read")
    uneven = np.flatnonzero(columns != columns[:1])
    if len(uneven):
        _fail(
            path,
            lines[uneven[0]],
            f"has {_count(columns[uneven[0]], 'column')} where line {lines[0]} has {columns[0]};"
            " give every line the same columns, separated by tabs",
        )
    if not len(lines):
        return _Table(pd.DataFrame(columns=range(3), dtype=str), lines)
    fields = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        dtype=str,
        na_filter=False,
        quoting=csv.QUOTE_NONE,
    )
    # Looking at every field is what takes longest, and few files have blanks to take away.
    if " " in text or not text.isascii():
        fields = fields.apply(lambda column: column.str.strip())
    return _Table(fields, lines)


def _layout(text: str, separator: str) -> tuple[np.ndarray, np.ndarray]:
    """Line numbers (1-based) and numbers of columns of the lines that are not blank."""
    raw = np.frombuffer(text.encode(), np.uint8)
    newlines = np.flatnonzero(raw == ord("\n"))
    starts = np.concatenate([[0], newlines + 1])
    ends = np.concatenate([newlines, [len(raw)]])
    separators = np.flatnonzero(raw == ord(separator))
    columns = np.searchsorted(separators, ends) - np.searchsorted(separators, starts) + 1
    filled = np.flatnonzero(ends > starts)
    return filled + 1, columns[filled]


def _intervals(table: _Table, path: str | Path) -> pd.DataFrame:
    columns = table.fields.shape[1]
    if columns < 3:
        _fail(
            path,
            table.lines[0],
            f"has {_count(columns, 'column')}; a BED file has at least three, separated by tabs:"
            " chromosome, start, end",
        )
    start = _integers(table, 1, "start", path)
    end = _integers(table, 2, "end", path)
    _refuse(
        start < 0,
        table.lines,
        path,
        lambda row: f"start {start[row]} is negative; BED starts count from 0",
    )
    _refuse(
        start >= end,
        table.lines,
        path,
        lambda row: (
            f"start {start[row]} is not before end {end[row]};"
            " BED intervals are 0-based and half-open, so a single base has end = start + 1"
        ),
    )
    return pd.DataFrame({"chrom": table.fields[0], "start": start, "end": end})


def _summits(table: _Table, peaks: pd.DataFrame, path: str | Path) -> np.ndarray:
    offset = _integers(table, 9, "peak (narrowPeak's summit offset)", path)
    start, end = peaks.start.to_numpy(), peaks.end.to_numpy()
    _refuse(
        offset >= end - start,
        table.lines,
        path,
        lambda row: (
            f"summit offset {offset[row]} (column 10) lies outside the peak of"
            f" {end[row] - start[row]} bp; narrowPeak counts it from the start, -1 where unknown"
        ),
    )
    return np.where(offset >= 0, start + offset, (start + end) // 2)


def _scores(table: _Table, path: str | Path) -> np.ndarray:
    fields = table.fields
    columns = fields.shape[1]
    has_signal = columns == 10 or (columns == 9 and not fields[8].str.contains(",").any())
    if columns < 5:
        return np.full(len(fields), np.nan)
    column, name = (6, "signalValue") if has_signal else (4, "score")
    return _numbers(
        fields[column].where(fields[column] != ".", None),
        table.lines,
        path,
        f"{name} (column {column + 1})",
        "give a number, or '.' where there is none",
    )


def _integers(table: _Table, column: int, name: str, path: str | Path) -> np.ndarray:
    """One column as int64; InputError at the first field that is no integer."""
    texts = table.fields[column]
    if _all_digits(texts):
        return texts.to_numpy(object).astype(np.int64)
    _refuse(
        ~texts.str.fullmatch(r"[-+]?\d{1,18}", flags=re.ASCII).to_numpy(bool),
        table.lines,
        path,
        lambda row: (
            f"{name} (column {column + 1}) is {texts.iloc[row]!r}, which is no integer;"
            " give whole bases"
        ),
    )
    return texts.astype(np.int64).to_numpy()


def _all_digits(texts: pd.Series) -> bool:
    """Whether all texts are of 1 to 18 digits; told much faster than by matching each."""
    listed = texts.tolist()
    together = "".join(listed)
    sizes = [len(text) for text in listed]
    return together.isascii() and together.isdigit() and min(sizes) > 0 and max(sizes) <= 18


def _numbers(
    texts: pd.Series, lines: np.ndarray, path: str | Path, name: str, remedy: str
) -> np.ndarray:
    """Texts as float64, None as NaN; InputError at the first that is no finite number."""
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(np.float64)
    _refuse(
        ~np.isfinite(numbers) & texts.notna().to_numpy(),
        lines,
        path,
        lambda row: f"{name} is {texts.iloc[row]!r}, which is no finite number; {remedy}",
    )
    return numbers


def _refuse(
    wrong: np.ndarray, lines: np.ndarray | None, path: str | Path, message: Callable[[int], str]
) -> None:
    """Raise InputError at the first row that is wrong; `message` makes its text from the row."""
    if wrong.any():
        row = int(np.argmax(wrong))
        _fail(path, None if lines is None else lines[row], message(row))


def _fail(path: str | Path, line: int | None, message: str) -> NoReturn:
    raise InputError(f"{path}: {message}" if line is None else f"{path}, line {line}: {message}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def read_aliases(path: str | Path) -> dict[str, str]:
    """Other names of chromosomes: alias -> name in the genome.

    The file is a TSV with the header `name`, `alias`; further columns are further aliases, and
    empty fields among them are skipped. Raises InputError for another header, a row without a
    name or an alias, and an alias that stands for two names.
    """
    table = _parse(_read(path), "\t", path)
    header = table.fields.iloc[0].str.lower().tolist() if len(table.lines) else []
    if header[:2] != ["name", "alias"]:
        line = table.lines[0] if header else None
        _fail(path, line, "is no table of aliases; begin it with the header name<tab>alias")
    names, lines = table.fields[0].iloc[1:], table.lines[1:]
    given = table.fields.iloc[1:, 1:] != ""
    incomplete = (names == "") | ~given.any(axis=1)
    _refuse(
        incomplete.to_numpy(),
        lines,
        path,
        lambda row: "lacks a name or an alias; give the genome's name, a tab and the other name",
    )
    # Row by row, so that the first line at fault is the one named.
    aliases = table.fields.iloc[1:, 1:].stack()
    aliases = aliases[aliases != ""]
    rows = aliases.index.get_level_values(0)
    pairs = pd.DataFrame({"alias": aliases.to_numpy(), "name": names.loc[rows].to_numpy()})
    first = pairs.groupby("alias")["name"].transform("first")
    _refuse(
        (first != pairs["name"]).to_numpy(),
        table.lines[rows],
        path,
        lambda row: (
            f"alias {pairs.alias[row]!r} stands for {pairs.name[row]!r} here and for"
            f" {first[row]!r} above; keep one of them"
        ),
    )
    return dict(zip(pairs["alias"], pairs["name"], strict=True))


def rename_chromosomes(
    frame: pd.DataFrame, lengths: dict[str, int], aliases: dict[str, str], path: str | Path
) -> tuple[pd.DataFrame, int]:
    """Intervals on the genome's chromosomes, under its names, and how many were dropped.

    `frame` is what `read_peaks` or `read_intervals` read from `path`, `lengths` the genome's
    chromosomes in bases. `aliases` (alias -> name) rename only what the genome lacks; rows on
    chromosomes that it lacks still are dropped.

    Raises InputError where a dropped name is plainly another spelling of one of the genome's
    (`chr` prefix, letter case, chrM/MT/Mito, Arabic or Roman numbers), where no row at all would
    be left, and where an interval or summit reaches past its chromosome's end.
    """
    names = {
        name: name if name in lengths else aliases.get(name, name)
        for name in frame["chrom"].unique()
    }
    frame = frame.assign(chrom=frame["chrom"].map(names).astype(str))
    known = frame["chrom"].isin(lengths.keys()).to_numpy(bool)
    lines = frame["line"].to_numpy() if "line" in frame else None
    _refuse_spellings(frame["chrom"], known, lengths, lines, path)
    kept = frame[known].reset_index(drop=True)
    _refuse_beyond_ends(kept, lengths, path)
    return kept, int((~known).sum())


def _refuse_spellings(
    chroms: pd.Series,
    known: np.ndarray,
    lengths: dict[str, int],
    lines: np.ndarray | None,
    path: str | Path,
) -> None:
    spellings = _other_spellings(chroms[~known].unique(), lengths)
    _refuse(
        chroms.isin(spellings.keys()).to_numpy() & ~known,
        lines,
        path,
        lambda row: (
            f"chromosome {chroms.iloc[row]!r} is not in the genome;"
            f" did you mean {spellings[chroms.iloc[row]]!r}?"
            " give both names in the table of genome: chromosome_aliases"
        ),
    )
    if len(chroms) and not known.any():
        _fail(
            path,
            None if lines is None else lines[0],
            "no interval is on a chromosome of the genome: the file has"
            f" {some_names(chroms.unique())}, the genome {some_names(lengths)}; is this the right"
            " genome assembly? if only names differ, give both in the table of genome:"
            " chromosome_aliases",
        )


def some_names(names: Iterable[str]) -> str:
    """The first few names, for an error message."""
    names = list(names)
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")


def _other_spellings(unknown: Iterable[str], lengths: dict[str, int]) -> dict[str, str]:
    """Unknown names -> the genome's name that they spell another way, where there is one."""
    by_key = {_spelling_key(name): name for name in lengths}
    # X alone is a sex chromosome as likely as a ten, so only numerals with an I tell Roman
    # numbering; and a genome with Arabic numbers has no Roman ones.
    is_roman = any("i" in key and key in _ROMAN for key in by_key) and not any(
        key.isdecimal() for key in by_key
    )
    arabic_to_roman = {str(number): numeral for numeral, number in _ROMAN.items()}
    found = {}
    for name in unknown:
        key = _spelling_key(name)
        candidates = [key]
        if is_roman:
            candidates.append(arabic_to_roman.get(key))
        elif "i" in key and key in _ROMAN:
            candidates.append(str(_ROMAN[key]))
        found[name] = next((by_key[key] for key in candidates if key in by_key), None)
    return {name: spelling for name, spelling in found.items() if spelling is not None}


def _spelling_key(name: str) -> str:
    """What stays of a chromosome's name without its prefix, letter case and leading zeros."""
    bare = re.sub(r"^(chromosome|chrom|chr)[ _]?(?=.)", "", name.strip().lower())
    if bare in _MITOCHONDRION:
        return "mt"
    return bare.lstrip("0") if bare.isdecimal() else bare


def _roman_numerals() -> dict[str, int]:
    tens = ["", "x", "xx", "xxx", "xl", "l", "lx", "lxx", "lxxx", "xc"]
    units = ["", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix"]
    numerals = [ten + unit for ten in tens for unit in units]
    return {numeral: number for number, numeral in enumerate(numerals) if number}


_ROMAN = _roman_numerals()


def refuse_spelling(name: str, lengths: dict[str, int], where: str) -> None:
    """Raise InputError, beginning with `where`, for another spelling of a genome's chromosome.

    That is a name not among `lengths` that is plainly one of them, as `rename_chromosomes` tells.
    """
    spelling = _other_spellings([name], lengths).get(name)
    if spelling is not None:
        raise InputError(
            f"{where}: chromosome {name!r} is not in the genome; did you mean {spelling!r}?"
            " give both names in the table of genome: chromosome_aliases"
        )


def _refuse_beyond_ends(frame: pd.DataFrame, lengths: dict[str, int], path: str | Path) -> None:
    # A start lies before its end and a summit inside its interval, so the end decides.
    end = frame["end"].to_numpy()
    length = frame["chrom"].map(lengths).to_numpy(np.int64)
    _refuse(
        end > length,
        frame["line"].to_numpy() if "line" in frame else None,
        path,
        lambda row: (
            f"{frame.chrom[row]}:{frame.start[row]}-{end[row]} reaches past the end of"
            f" {frame.chrom[row]} ({length[row]} bp); is this the right genome assembly?"
        ),
    )


def read_excluded(
    paths: Sequence[str | Path], lengths: dict[str, int], aliases: dict[str, str], counts: Counts
) -> pd.DataFrame:
    """Excluded regions, columns chrom, start, end, under the genome's names.

    `lengths` maps the genome's chromosomes to bases. Raises InputError as
    `rename_chromosomes` does, so that a misspelt file does not pass for an empty one.
    """
    tables = [pd.DataFrame({"chrom": [], "start": [], "end": []})]
    for path in paths:
        table, n_unknown = rename_chromosomes(read_intervals(path), lengths, aliases, path)
        counts.add("excluded regions on an unknown chromosome", n_unknown, Path(path).name)
        tables.append(table)
    together = pd.concat(tables[1:] or tables, ignore_index=True)
    return together[["chrom", "start", "end"]].astype({"start": np.int64, "end": np.int64})


def read_sequences(path: str | Path, labels: Literal["binary", "score"]) -> pd.DataFrame:
    """Sequences with labels or scores, of a table or FASTA file, plain or gzipped.

    Columns: name (str), sequence (str, upper case, IUPAC nucleotide letters), value (float64:
    0 or 1 where `labels` is "binary") and line (int64, 1-based, of the record's first line).

    A table has a header that names, in any letter case, a sequence column (sequence, seq), a
    value column (the first present of label, bound, score, value, intensity, signal; label and
    bound come last where `labels` is "score") and maybe a name column (name, id, eventid);
    DeepBind's `.seq.gz` files are such. Without a header it has two columns, one of sequences and
    one of numbers. Columns are separated by tabs, commas, semicolons or spaces. In a FASTA file
    the last word of a record's header is its value: `>id 3.5`, `>id label=1`. For binary labels a
    file without any value is all positive (1).

    Raises InputError for a file without records or sequence column or, for scores, without
    values, for an empty sequence, a letter that is no nucleotide, a value that is no finite
    number, and binary labels other than 0 and 1.
    """
    with open_text(path) as stream:
        text = stream.read().lstrip("\ufeff")
    is_fasta = text.lstrip().startswith(">")
    frame, values = _parse_fasta(text, path) if is_fasta else _parse_table(text, labels, path)
    lines = frame["line"].to_numpy()
    if not len(frame):
        raise InputError(f"{path}: holds no sequence; give a table or FASTA with at least one")
    _refuse_bad_sequences(frame["sequence"], lines, path)
    return pd.DataFrame(
        {
            "name": frame["name"],
            "sequence": frame["sequence"].str.upper(),
            "value": _values(values, labels, lines, path),
            "line": lines,
        }
    )


def _values(
    texts: pd.Series | None, labels: str, lines: np.ndarray, path: str | Path
) -> np.ndarray:
    """Labels or scores, float64 [N], of the texts; all 1 where binary labels have no texts."""
    if texts is None and labels == "binary":
        return np.ones(len(lines))
    if texts is None:
        raise InputError(
            f"{path}: has no scores; name a column {' or '.join(SCORE_COLUMNS)}, or end each"
            " FASTA header with the score"
        )
    name = "label" if labels == "binary" else "score"
    numbers = _numbers(texts, lines, path, f"the {name}", "give a number or remove the row")
    if labels == "binary":
        _refuse(
            (numbers != 0) & (numbers != 1),
            lines,
            path,
            lambda row: (
                f"the label is {texts.iloc[row]!r}; binary labels are 0 or 1"
                " (for measured values set the dataset's labels to score)"
            ),
        )
    return numbers


def _refuse_bad_sequences(sequences: pd.Series, lines: np.ndarray, path: str | Path) -> None:
    ends = np.cumsum(sequences.str.len().to_numpy(np.int64))
    _refuse(
        np.diff(ends, prepend=0) == 0,
        lines,
        path,
        lambda row: "the sequence is empty; give its letters or remove the record",
    )
    raw = np.frombuffer("".join(sequences).encode("latin-1", "replace"), np.uint8)
    wrong = np.flatnonzero(ENCODING[raw] == 255)
    if len(wrong):
        row = np.searchsorted(ends, wrong[0], side="right")
        check_letters(sequences.iloc[row], f"{path}, line {lines[row]}")


def _parse_fasta(text: str, path: str | Path) -> tuple[pd.DataFrame, pd.Series | None]:
    """Name, sequence and line of every record, and the texts of the values if it has them."""
    blank_lines = text[: text.index(">")].count("\n")
    records = pd.Series(("\n" + text.lstrip()).split("\n>")[1:], dtype=str)
    line_counts = records.str.count("\n").to_numpy() + 1
    parts = records.str.partition("\n")
    headers = parts[0].str.strip()
    frame = pd.DataFrame(
        {
            "name": headers.str.extract(r"^(\S*)")[0],
            "sequence": parts[2].str.replace(r"\s+", "", regex=True),
            "line": blank_lines + 1 + np.cumsum(line_counts) - line_counts,
        }
    )
    found = headers.str.extract(_FASTA_VALUE)
    values = found["named"].fillna(found["bare"])
    if values.isna().all():
        return frame, None
    _refuse(
        values.isna().to_numpy(),
        frame["line"].to_numpy(),
        path,
        lambda row: (
            f"the header of {frame.name[row]!r} does not end in a label or score while others do;"
            " end every header with one, or none"
        ),
    )
    return frame, values


def _parse_table(text: str, labels: str, path: str | Path) -> tuple[pd.DataFrame, pd.Series | None]:
    """Name, sequence and line of every row, and the texts of the value column if there is one."""
    table = _split_table(_BLANK_OR_COMMENT.sub("", text), path)
    if not len(table.lines):
        raise InputError(f"{path}: holds no sequence; give a table or FASTA with at least one")
    columns = _header_columns(table, labels)
    has_header = columns is not None
    columns = columns or _headless_columns(table)
    if columns is None:
        _fail(
            path,
            table.lines[0],
            f"there is no sequence column; begin the table with a header that names one"
            f" {' or '.join(SEQUENCE_COLUMNS)}",
        )
    fields = table.fields.iloc[int(has_header) :].reset_index(drop=True)
    numbered = pd.Series([f"sequence_{row + 1}" for row in range(len(fields))], dtype=str)
    frame = pd.DataFrame(
        {
            "name": fields[columns["name"]] if "name" in columns else numbered,
            "sequence": fields[columns["sequence"]],
            "line": table.lines[int(has_header) :],
        }
    )
    return frame, fields[columns["value"]] if "value" in columns else None


def _split_table(text: str, path: str | Path) -> _Table:
    first = text.lstrip("\n").partition("\n")[0]
    separator = next((mark for mark in "\t,;" if mark in first), "\t")
    if separator not in first:
        text = _spaces_to_tabs(text)
    quoted = re.compile(rf'(?m)(?:(?<=^)|(?<={separator}))"([^"\n{separator}]*)"(?={separator}|$)')
    return _parse(quoted.sub(r"\1", text) if '"' in text else text, separator, path)


def _header_columns(table: _Table, labels: str) -> dict[str, int] | None:
    """Positions of the sequence, value and name columns, or None where line 1 is no header."""
    header = table.fields.iloc[0].str.lower().str.replace(r"[ _]", "", regex=True).tolist()
    is_binary = labels == "binary"
    values = LABEL_COLUMNS + SCORE_COLUMNS if is_binary else SCORE_COLUMNS + LABEL_COLUMNS
    wanted = {"sequence": SEQUENCE_COLUMNS, "value": values, "name": NAME_COLUMNS}
    columns = {
        role: next((header.index(name) for name in names if name in header), None)
        for role, names in wanted.items()
    }
    if columns["sequence"] is None:
        return None
    return {role: column for role, column in columns.items() if column is not None}


def _headless_columns(table: _Table) -> dict[str, int] | None:
    """The same of a table of one or two columns without a header, by its first row."""
    first = table.fields.iloc[0].tolist()
    if len(first) > 2:
        return None
    sequence = next((i for i, text in enumerate(first) if _NUCLEOTIDES.fullmatch(text)), None)
    if sequence is None:
        return None
    if len(first) == 1:
        return {"sequence": 0}
    value = 1 - sequence
    is_number = pd.notna(pd.to_numeric(first[value], errors="coerce"))
    return {"sequence": sequence, "value": value} if is_number else None


def to_codes(
    sequences: pd.Series | Sequence[str],
    unequal: Literal["error", "pad"] = "error",
    where: str | Path = "sequences",
    lines: Sequence[int] | np.ndarray | None = None,
) -> np.ndarray:
    """Base codes, uint8 [N, L], of N sequences; shorter ones end in N (4) if `unequal` is "pad".

    Raises InputError, naming `where` and the sequence's entry of `lines` [N], for sequences of
    unequal lengths if `unequal` is "error".
    """
    sequences = pd.Series(sequences, dtype=str)
    lengths = sequences.str.len().to_numpy(np.int64)
    codes = encode("".join(sequences))
    if not len(lengths) or (lengths == lengths[0]).all():
        return codes.reshape(len(lengths), -1 if len(codes) else 0).copy()
    if unequal == "error":
        row = int(np.argmax(lengths != lengths[0]))
        first, line = (1, row + 1) if lines is None else (lines[0], lines[row])
        unit = "sequence" if lines is None else "line"
        raise InputError(
            f"{where}, {unit} {line}: the sequence is {lengths[row]} long where that of {unit}"
            f" {first} is {lengths[0]}; make them equal or set windows: unequal_lengths: pad"
        )
    padded = np.full((len(lengths), lengths.max()), UNKNOWN, np.uint8)
    padded[np.arange(lengths.max()) < lengths[:, None]] = codes
    return padded
