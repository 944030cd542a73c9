"""The sequence store: encoded examples in one memory-mapped safetensors file.

A safetensors file is an 8-byte little-endian header length, a JSON header and the arrays' bytes
(https://huggingface.co/docs/safetensors). It is written here as a stream, so that a genome need
not fit in memory, and read back as memory-mapped arrays, so that a batch costs its own rows.
"""

import json
import struct
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motifloom.files import InputError, are_names, atomic, check_readable, parse_json

_DTYPES = {
    "U8": np.dtype("<u1"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_INFO = "motifloom"


def write_arrays(
    path: str | Path,
    arrays: Mapping[str, tuple[tuple[int, ...], type]],
    blocks: Iterable[np.ndarray],
    info: Mapping,
) -> None:
    """Write arrays one after the other to a safetensors file, whole or not at all.

    `arrays` maps names to (shape, dtype), dtype one of uint8, int32, int64, float32; `blocks`
    yields their values in that order, each array whole or in blocks along its first axis, and
    may make a block only when asked. `info` is kept as JSON in the file's metadata, under one
    key so that its bytes do not depend on a hash order.
    """
    header: dict = {"__metadata__": {_INFO: json.dumps(info, sort_keys=True)}}
    end = 0
    for name, (shape, dtype) in arrays.items():
        dtype = np.dtype(dtype).newbyteorder("<")
        begin, end = end, end + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        header[name] = {
            "dtype": _NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [begin, end],
        }
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    with atomic(path) as temporary, open(temporary, "wb") as stream:
        stream.write(struct.pack("<Q", len(encoded)) + encoded)
        blocks = iter(blocks)
        for name, (shape, dtype) in arrays.items():
            _write_blocks(stream, blocks, name, tuple(shape), np.dtype(dtype).newbyteorder("<"))


def _write_blocks(stream, blocks, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Write the blocks of one array, as many as its announced rows take."""
    rows = 0
    while rows < shape[0]:
        block = next(blocks)
        if block.shape[1:] != shape[1:] or rows + len(block) > shape[0]:
            raise ValueError(f"{name}: block {block.shape} at row {rows} of {shape}")
        stream.write(np.ascontiguousarray(block, dtype).data)
        rows += len(block)


def read_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict]:
    """Memory-mapped, read-only arrays of a safetensors file, and its info.

    Raises InputError for a file that is missing, cut short or no safetensors file of ours.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    try:
        with safe_open(path, framework="numpy") as checked:
            info = parse_json((checked.metadata() or {}).get(_INFO, "null"))
        with open(path, "rb") as stream:
            (size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(size))
        header.pop("__metadata__", None)
        if not isinstance(info, dict) or {e["dtype"] for e in header.values()} - set(_DTYPES):
            raise InputError(f"{path}: was not written by motifloom; give a file of its results")
        raw = np.memmap(path, np.uint8, mode="r", offset=8 + size) if _has_data(header) else b""
        return {name: _view(raw, entry) for name, entry in header.items()}, info
    # ValueErrors: no JSON, and shapes beyond what arrays can have.
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path}: is damaged or no safetensors file; make it again") from error


def check_fields(
    path: str | Path,
    arrays: Mapping[str, np.ndarray],
    fields: Mapping[str, type],
    ranges: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Raise InputError where arrays lack some of the fields, are of another type or out of range.

    `fields` maps names to dtypes, `ranges` to the least and the largest value. The first axes are
    not compared.
    """
    for name, dtype in fields.items():
        if arrays[name].dtype != dtype:
            raise InputError(f"{path}: is damaged ({name} are {arrays[name].dtype}); make it again")
    for name, (least, most) in (ranges or {}).items():
        values = arrays[name]
        if values.size and not (least <= values.min() and values.max() <= most):
            raise InputError(
                f"{path}: is damaged ({name} lie outside {least} to {most}); make it again"
            )


def _has_data(header: dict) -> bool:
    return any(entry["data_offsets"][1] for entry in header.values())


def _view(raw, entry: dict) -> np.ndarray:
    begin, end = entry["data_offsets"]
    dtype = _DTYPES[entry["dtype"]]
    return (
        np.asarray(raw[begin:end]).view(dtype).reshape(entry["shape"])
        if end > begin
        else (np.zeros(entry["shape"], dtype))
    )


@dataclass(frozen=True)
class SequenceStore:
    """The encoded examples of one dataset.

    codes:   uint8 [N, L], base codes (A, C, G, T = 0..3, N = 4), on the strand given
    targets: float32 [N, T], labels 0/1 or scores
    split:   uint8 [N], 0 train, 1 validation, 2 test
    kind:    uint8 [N], index into `info["kinds"]`: what the example is ("site", "given",
             "dinucleotide", "gc", "flank")
    parent:  int64 [N], row of the site that a negative belongs to; its own row for others
    chrom:   int32 [N], index into `info["chromosomes"]`; -1 without coordinates
    start:   int64 [N], 0-based first base; -1 without coordinates
    strand:  uint8 [N], 0 forward, 1 reverse
    info:    names and provenance (targets, alphabet, labels, seeds)
    """

    codes: np.ndarray
    targets: np.ndarray
    split: np.ndarray
    kind: np.ndarray
    parent: np.ndarray
    chrom: np.ndarray
    start: np.ndarray
    strand: np.ndarray
    info: dict

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def length(self) -> int:
        """Bases of each sequence."""
        return self.codes.shape[1]

    @classmethod
    def open(cls, path: str | Path) -> "SequenceStore":
        """Memory-map a store; raises InputError where the file is none."""
        arrays, info = read_arrays(path)
        if set(_FIELDS) - set(arrays) or not _is_described(info):
            raise InputError(f"{path}: is no sequence store; give a sequences.safetensors")
        _check_store(path, arrays, info)
        return cls(**{name: arrays[name] for name in _FIELDS}, info=info)

    def write(self, path: str | Path) -> None:
        """Write the store, whole or not at all."""
        order = sorted(_FIELDS, key=lambda name: -np.dtype(_FIELDS[name]).itemsize)
        write_arrays(
            path,
            {name: (getattr(self, name).shape, _FIELDS[name]) for name in order},
            (getattr(self, name) for name in order if len(self)),
            self.info,
        )

    def rows(self, split: str, kinds: Collection[str] | None = None) -> np.ndarray:
        """Row numbers, int64 [n], of a split ("train", "validation", "test") and kinds of it."""
        chosen = self.split == SPLITS.index(split)
        if kinds is not None:
            wanted = [kind in kinds for kind in self.info["kinds"]]
            chosen = chosen & np.isin(self.kind, np.flatnonzero(wanted))
        return np.flatnonzero(chosen)


SPLITS = ("train", "validation", "test")
_FIELDS = {
    "codes": np.uint8,
    "targets": np.float32,
    "split": np.uint8,
    "kind": np.uint8,
    "parent": np.int64,
    "chrom": np.int32,
    "start": np.int64,
    "strand": np.uint8,
}


def _is_described(info: Mapping) -> bool:
    """Whether the info of a sequence store has the names that rows point to, and what they are."""
    told = all(isinstance(info.get(key), str) for key in ("alphabet", "labels", "negatives"))
    return told and all(are_names(info.get(key)) for key in ("targets", "kinds", "chromosomes"))


def _check_store(path: str | Path, arrays: Mapping[str, np.ndarray], info: Mapping) -> None:
    """Raise InputError where the arrays of a sequence store do not fit each other or its info."""
    codes, targets = arrays["codes"], arrays["targets"]
    shapes = dict.fromkeys(_FIELDS, codes.shape[:1])
    shapes |= {"codes": codes.shape[:2], "targets": (len(codes), len(info["targets"]))}
    if codes.ndim != 2 or any(arrays[name].shape != shape for name, shape in shapes.items()):
        raise InputError(f"{path}: is damaged (its arrays differ in length); make it again")
    ranges = {
        "codes": (0, 4),
        "split": (0, len(SPLITS) - 1),
        "kind": (0, len(info["kinds"]) - 1),
        "parent": (0, len(targets) - 1),
        "chrom": (-1, len(info["chromosomes"]) - 1),
        "strand": (0, 1),
    }
    check_fields(path, arrays, _FIELDS, ranges)
