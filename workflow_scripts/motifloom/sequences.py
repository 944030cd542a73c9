"""Bases as numbers: the alphabet, reverse complements, genomes and the windows cut from them.

Base codes are uint8: A=0, C=1, G=2, T=3 (U reads as T, lower case counts as upper case), and 4
for anything else (N and the other IUPAC ambiguity codes).
"""

import hashlib
import logging
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.files import (
    InputError,
    are_names,
    check_readable,
    full_disk,
    is_gzip,
    is_whole,
    open_text,
    read_table,
)
from motifloom.store import read_arrays, write_arrays

log = logging.getLogger(__name__)

ALPHABET = "ACGT"
UNKNOWN = 4
IUPAC = "ACGTURYSWKMBDHVN"


def _encoding_table() -> np.ndarray:
    table = np.full(256, 255, np.uint8)
    for letter in IUPAC:
        code = ALPHABET.find("T" if letter == "U" else letter)
        table[[ord(letter), ord(letter.lower())]] = code if code >= 0 else UNKNOWN
    return table


ENCODING = _encoding_table()
_TRANSLATION = np.minimum(ENCODING, UNKNOWN).tobytes()
_COMPLEMENT = np.array([3, 2, 1, 0, 4], np.uint8)
_LETTERS = {
    "dna": np.frombuffer(b"ACGTN", np.uint8),
    "rna": np.frombuffer(b"ACGUN", np.uint8),
}


def encode(sequence: str | bytes) -> np.ndarray:
    """Base codes, uint8 [L], of a sequence; every letter but A, C, G, T, U becomes 4.

    >>> encode("acgUN").tolist()
    [0, 1, 2, 3, 4]
    """
    if isinstance(sequence, str):
        sequence = sequence.encode("latin-1", "replace")
    return np.frombuffer(sequence.translate(_TRANSLATION), np.uint8)


def decode(codes: np.ndarray, alphabet: str = "dna") -> str:
    """Letters of base codes [L]; `alphabet` "rna" writes U for T."""
    return _LETTERS[alphabet][codes].tobytes().decode("ascii")


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Reverse complement of base codes [..., L]; N stays N.

    >>> decode(reverse_complement(encode("AACGN")))
    'NCGTT'
    """
    return _COMPLEMENT[codes[..., ::-1]]


def one_hot(codes: np.ndarray, unknown: float = 0.0) -> np.ndarray:
    """One-hot float32 [N, 4, L] of base codes [N, L], channels A, C, G, T.

    N is `unknown` in all four channels: 0, or 0.25 where a preset says so.
    """
    table = np.vstack([np.eye(4, dtype=np.float32), np.full((1, 4), unknown, np.float32)])
    return np.ascontiguousarray(np.moveaxis(table[codes], -1, 1))


def check_letters(text: str, where: str) -> None:
    """Raise InputError, beginning with `where`, if `text` holds anything but IUPAC letters."""
    raw = np.frombuffer(text.encode("latin-1", "replace"), np.uint8)
    wrong = np.flatnonzero(ENCODING[raw] == 255)
    if len(wrong):
        raise InputError(
            f"{where}: {text[wrong[0]]!r} at position {wrong[0] + 1} is no nucleotide letter"
            f" ({IUPAC}); remove or mend this sequence"
        )


class Genome:
    """The chromosomes of one genome as base codes, end to end in one array.

    names:   chromosome names in file order
    lengths: name -> bases
    flat:    uint8 [sum of lengths]; memory-mapped where the genome was encoded before
             (`encode_genome`), read into memory from a FASTA
    """

    def __init__(self, names: Sequence[str], lengths: Sequence[int], flat: np.ndarray):
        self.names = list(names)
        self.lengths = dict(zip(self.names, map(int, lengths), strict=True))
        self.flat = flat
        self.ends = np.cumsum(lengths, dtype=np.int64)
        self.offsets = self.ends - np.asarray(lengths, np.int64)

    @classmethod
    def open(cls, path: "str | Path | Genome") -> "Genome":
        """Open an encoded genome (.safetensors) or a FASTA file (plain, gzip or bgzip)."""
        if isinstance(path, Genome):
            return path
        if str(path).endswith(".safetensors"):
            arrays, info = read_arrays(path)
            names, lengths, codes = (
                info.get("chromosomes"),
                info.get("lengths"),
                arrays.get("codes"),
            )
            if not (codes is not None and are_names(names) and isinstance(lengths, list)):
                raise InputError(f"{path}: is no encoded genome; give a genome.safetensors")
            sound = len(names) == len(set(names)) == len(lengths) > 0
            sound = sound and all(is_whole(length, 1) for length in lengths)
            if not (sound and codes.dtype == np.uint8 and codes.shape == (sum(lengths),)):
                raise InputError(
                    f"{path}: is a damaged genome (lengths and bases); encode it again"
                )
            return cls(names, lengths, codes)
        with open_fasta(path) as fasta:
            names = list(fasta.keys())
            blocks = [_record(fasta, name, path) for name in names]
        return cls(names, [len(block) for block in blocks], np.concatenate(blocks))

    def indices(self, chroms: Sequence[str]) -> np.ndarray:
        """Numbers, int64 [N], of chromosome names in file order; InputError for unknown ones."""
        # Windows mostly come in genome order, where a run of one name needs one look-up.
        names = np.asarray(chroms, object)
        changes = np.flatnonzero(names[1:] != names[:-1]) + 1
        begins = np.concatenate([[0], changes])[: len(names)]
        found = pd.Index(self.names).get_indexer(names[begins])
        if (found < 0).any():
            unknown = names[begins[found < 0][0]]
            raise InputError(
                f"chromosome {unknown!r} is not in the genome (it has"
                f" {', '.join(self.names[:5])}, ...); rename it or give genome: chromosome_aliases"
            )
        return np.repeat(found, np.diff(begins, append=len(names)))

    def digest(self) -> str:
        """SHA-256 of the base codes, hexadecimal."""
        return hashlib.sha256(self.flat).hexdigest()

    def codes(self, chrom: str) -> np.ndarray:
        """Base codes, uint8 [length], of one chromosome; InputError where there is no such one."""
        index = self.indices([chrom])[0]
        return check_codes(self.flat[self.offsets[index] : self.ends[index]])


def check_codes(codes: np.ndarray) -> np.ndarray:
    """The codes [...] of a genome; InputError where they hold others than 0 to 4.

    Looked at where they are read: of a large genome, a job reads a part.
    """
    if codes.size and codes.max() > UNKNOWN:
        raise InputError("the encoded genome is damaged (codes beyond 4); encode it again")
    return codes


def _record(fasta, name: str, path: str | Path) -> np.ndarray:
    """Base codes, uint8 [L], of one record of an open FASTA; InputError for other letters."""
    letters = fasta[name][:]
    check_letters(letters, f"{path}: record {name}")
    return encode(letters)


@contextmanager
def open_fasta(path: str | Path):
    """Open a FASTA with pyfaidx; its index goes to a temporary folder, never beside the input.

    Plain gzip, which pyfaidx refuses, is unpacked into that folder first. Raises InputError for
    files that are missing, empty, damaged, without records, with empty records or duplicate names.
    """
    import pyfaidx

    check_readable(path)
    with tempfile.TemporaryDirectory(prefix="motifloom-") as folder:
        try:
            fasta = pyfaidx.Fasta(
                str(_unpacked(path, folder)),
                indexname=f"{folder}/genome.fai",
                as_raw=True,
                sequence_always_upper=False,
            )
        except InputError:
            raise
        except (pyfaidx.FastaIndexingError, RuntimeError, ValueError, OSError) as error:
            # Of the index, or of the FASTA unpacked: both are written to the temporary folder.
            if fault := full_disk(error, folder):
                raise InputError(
                    f"{path}: cannot be indexed: {fault}, or name another folder in TMPDIR"
                ) from error
            raise InputError(
                f"{path}: is not a well-formed FASTA file ({error}); give records names that"
                " differ and lines of one length without blank ones between (seqkit seq -w 60)"
            ) from error
        try:
            if not len(fasta.keys()):
                raise InputError(f"{path}: holds no FASTA record (a line that begins with '>')")
            for name, entry in fasta.faidx.index.items():
                if not entry.rlen:
                    raise InputError(f"{path}: record {name} has no sequence; take it out")
            yield fasta
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: is not a text file; is it the right format?") from error
        finally:
            fasta.close()


def _unpacked(path: str | Path, folder: str) -> Path:
    if not is_gzip(path):
        return Path(path)
    plain = Path(folder) / "genome.fa"
    with open_text(path) as source, open(plain, "w", encoding="utf-8", newline="\n") as target:
        while block := source.read(1 << 20):
            target.write(block)
    return plain


def extract_windows(
    fasta: "str | Path | Genome", chroms: Sequence[str], starts: Iterable[int], length: int
) -> np.ndarray:
    """Base codes, uint8 [N, length], of N windows of one length on the forward strand.

    `fasta` is the path of a FASTA or of an encoded genome, or a Genome; `chroms` [N] names,
    `starts` [N] 0-based first bases. What lies beyond a chromosome's ends reads as N (4).
    The genome is read once; raises InputError for a chromosome that the genome lacks.
    """
    genome = Genome.open(fasta)
    index = genome.indices(chroms)
    starts = np.asarray(starts, np.int64)
    first = genome.offsets[index] + starts
    inside = (starts >= 0) & (first + length <= genome.ends[index])
    if inside.all() and len(genome.flat) >= length:
        return check_codes(np.lib.stride_tricks.sliding_window_view(genome.flat, length)[first])
    windows = np.empty((len(starts), length), np.uint8)
    rows = np.flatnonzero(inside)
    if len(rows):
        windows[rows] = np.lib.stride_tricks.sliding_window_view(genome.flat, length)[first[rows]]
    rows = np.flatnonzero(~inside)
    positions = first[rows, None] + np.arange(length)
    ends = index[rows, None]
    beyond = (positions < genome.offsets[ends]) | (positions >= genome.ends[ends])
    windows[rows] = np.where(beyond, UNKNOWN, genome.flat[np.where(beyond, 0, positions)])
    return check_codes(windows)


def encode_genome(fasta: str | Path, output: str | Path) -> dict[str, int]:
    """Write a FASTA's chromosomes as base codes to one memory-mappable safetensors file.

    Returns the chromosomes' lengths. One chromosome is in memory at a time. Raises InputError
    for records without sequence and for letters that are not nucleotides.
    """
    with open_fasta(fasta) as source:
        names = list(source.keys())
        lengths = {name: len(source[name]) for name in names}
        write_arrays(
            output,
            {"codes": ((sum(lengths.values()),), np.uint8)},
            (_record(source, name, fasta) for name in names),
            {"chromosomes": names, "lengths": list(lengths.values())},
        )
    log.info("%d chromosomes, %d bases", len(names), sum(lengths.values()))
    return lengths


def read_fasta(path: str | Path) -> tuple[list[str], list[np.ndarray]]:
    """Names and base codes (uint8 [L] each) of a FASTA's records, in file order.

    Raises InputError for damaged files, duplicate names, records without sequence and letters
    that are no nucleotides.
    """
    with open_fasta(path) as fasta:
        names = list(fasta.keys())
        return names, [_record(fasta, name, path) for name in names]


def check_genome(genome: str | Path, table: str | Path) -> None:
    """Compare an encoded genome with a table of its chromosomes, or raise InputError.

    The table has the columns name, length and sha256_of_uppercase_sequence. Digests are compared
    for chromosomes without ambiguity codes other than N, which encoding does not keep apart.
    """
    opened = Genome.open(genome)
    letters = np.frombuffer(b"ACGTN", np.uint8)
    expected = read_table(table, ("name", "sha256_of_uppercase_sequence"))
    for row in expected.itertuples():
        codes = opened.codes(row.name)
        digest = hashlib.sha256(letters[codes].tobytes()).hexdigest()
        if (len(codes), digest) != (row.length, row.sha256_of_uppercase_sequence):
            raise InputError(
                f"{table}: chromosome {row.name} differs from the genome's ({len(codes)} bp,"
                f" expected {row.length}); is it another assembly or release?"
            )
