"""Multi-task examples on disk: where the bins lie and which tracks label them.

A bin's bases are not stored: they are read from the encoded genome, so that a store costs 22 bytes
a bin and 4 a label, whatever the context. Labels are sparse (compressed rows): of hundreds of
tracks a bin carries few.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from motifloom.files import InputError, are_names, file_digest, is_whole
from motifloom.sequences import UNKNOWN, Genome, check_codes
from motifloom.store import SPLITS, check_fields, read_arrays, write_arrays

_FIELDS = {
    "offsets": np.int64,
    "start": np.int64,
    "chrom": np.int32,
    "tracks": np.int32,
    "split": np.uint8,
    "kind": np.uint8,
}
_LONGEST = 100_000_000  # bases of a context


@dataclass(frozen=True)
class BinStore:
    """The labelled bins of a genome, in genome order.

    genome:  the encoded genome that the bases are read from
    chrom:   int32 [N], chromosome's number in the genome
    start:   int64 [N], 0-based first base of the bin's context; what lies beyond a chromosome's
             ends reads as N
    split:   uint8 [N], 0 train, 1 validation, 2 test
    kind:    uint8 [N], index into `info["kinds"]`, "sampled" or "unsampled"
    offsets: int64 [N + 1], where in `tracks` the labels of a bin begin and end
    tracks:  int32, numbers of the targets that label a bin, ascending within it
    info:    targets (names in order), bin, context, kinds, chromosomes, digests, seed
    path:    the file, "" where there is none
    """

    genome: Genome
    chrom: np.ndarray
    start: np.ndarray
    split: np.ndarray
    kind: np.ndarray
    offsets: np.ndarray
    tracks: np.ndarray
    info: dict
    path: str = ""

    def __len__(self) -> int:
        return len(self.start)

    @property
    def length(self) -> int:
        """Bases of a context."""
        return self.info["context"]

    @property
    def n_targets(self) -> int:
        """How many tracks there are."""
        return len(self.info["targets"])

    @classmethod
    def open(cls, path: str | Path, genome: str | Path | Genome) -> "BinStore":
        """Memory-map a store and its genome; InputError where they do not belong together."""
        arrays, info = read_arrays(path)
        if set(_FIELDS) - set(arrays) or not _is_described(info):
            raise InputError(f"{path}: is no store of bins; give a bins.safetensors")
        opened = Genome.open(genome)
        if info.get("chromosomes") != [[n, opened.lengths[n]] for n in opened.names]:
            raise InputError(
                f"{path}: was made from another genome than {genome}; label the bins again"
            )
        _check_store(path, arrays, info, opened)
        fields = {name: arrays[name] for name in _FIELDS}
        return cls(genome=opened, info=info, path=str(path), **fields)

    def write(self, path: str | Path) -> None:
        """Write the store, whole or not at all."""
        order = sorted(_FIELDS, key=lambda name: -np.dtype(_FIELDS[name]).itemsize)
        shapes = {name: (getattr(self, name).shape, _FIELDS[name]) for name in order}
        blocks = (getattr(self, name) for name in order if len(getattr(self, name)))
        write_arrays(path, shapes, blocks, self.info)

    def digest(self) -> str:
        """SHA-256 of the file."""
        return file_digest(self.path)

    def rows(self, split: str, kinds: Collection[str] | None = None) -> np.ndarray:
        """Row numbers, int64 [n], of a split ("train", "validation", "test") and kinds of it."""
        chosen = self.split == SPLITS.index(split)
        if kinds is not None:
            wanted = [kind in kinds for kind in self.info["kinds"]]
            chosen = chosen & np.isin(self.kind, np.flatnonzero(wanted))
        return np.flatnonzero(chosen)

    def codes(self, rows: np.ndarray, margin: int = 0, crop: int = 0) -> np.ndarray:
        """Base codes, uint8 [n, length + 2 margin - 2 crop], of the contexts of rows [n].

        `margin` further bases are read on both sides, or `crop` fewer.
        """
        margin -= crop
        codes = np.empty((len(rows), self.length + 2 * margin), np.uint8)
        chrom = self.chrom[rows]
        offsets, ends = self.genome.offsets[chrom], self.genome.ends[chrom]
        gather(self.genome.flat, offsets + self.start[rows] - margin, offsets, ends, codes)
        check_codes(codes)
        return codes

    def labels(self, rows: np.ndarray) -> np.ndarray:
        """Labels 0/1, float32 [n, T], of rows [n]."""
        labels = np.zeros((len(rows), self.n_targets), np.float32)
        _spread(self.offsets, self.tracks, np.asarray(rows), labels)
        return labels

    def track(self, rows: np.ndarray, number: int) -> np.ndarray:
        """Whether each of ascending rows [n] carries the label of one track, bool [n]."""
        carriers = np.searchsorted(self.offsets, np.flatnonzero(self.tracks == number), "right") - 1
        return np.isin(rows, carriers)

    def labelled(self) -> np.ndarray:
        """Whether each bin carries any label, bool [N]."""
        return self.offsets[1:] > self.offsets[:-1]

    def positives(self, rows: np.ndarray) -> np.ndarray:
        """How many of rows [n] carry each track's label, int64 [T]."""
        counts = np.zeros(self.n_targets, np.int64)
        _count(self.offsets, self.tracks, np.asarray(rows), counts)
        return counts


def _is_described(info: Mapping) -> bool:
    """Whether the info of a store of bins has what it is read by."""
    named = all(are_names(info.get(key)) for key in ("targets", "kinds"))
    return named and is_whole(info.get("context"), 1, _LONGEST) and is_whole(info.get("bin"), 1)


def _check_store(
    path: str | Path, arrays: Mapping[str, np.ndarray], info: Mapping, genome: Genome
) -> None:
    """Raise InputError where the arrays of a store do not fit each other, its info or the genome.

    Compiled code follows their numbers without looking.
    """
    n, offsets, tracks = len(arrays["start"]), arrays["offsets"], arrays["tracks"]
    shapes = dict.fromkeys(("start", "chrom", "split", "kind"), (n,)) | {"offsets": (n + 1,)}
    check_fields(
        path,
        arrays,
        _FIELDS,
        {
            "chrom": (0, len(genome.names) - 1),
            "start": (-info["context"], max(genome.lengths.values())),
            "split": (0, len(SPLITS) - 1),
            "kind": (0, len(info["kinds"]) - 1),
            "tracks": (0, len(info["targets"]) - 1),
        },
    )
    fits = tracks.ndim == 1 and all(arrays[name].shape == shape for name, shape in shapes.items())
    if not (
        fits
        and offsets[0] == 0
        and offsets[-1] == len(tracks)
        and (offsets[1:] >= offsets[:-1]).all()
    ):
        raise InputError(f"{path}: is damaged (its arrays do not fit each other); make it again")


@njit(cache=True, nogil=True)
def gather(flat, first, begins, ends, codes):
    """Copy windows of a genome's codes uint8 to `codes` [n, L].

    Window i begins at `first[i]` of `flat` and belongs to a chromosome from `begins[i]` to
    `ends[i]`; beyond it, it reads as N.
    """
    length = codes.shape[1]
    for i in range(len(first)):
        low, high = max(first[i], begins[i]), min(first[i] + length, ends[i])
        if high - low == length:
            codes[i] = flat[low:high]
            continue
        codes[i] = np.uint8(UNKNOWN)
        if high > low:
            codes[i, low - first[i] : high - first[i]] = flat[low:high]


@njit(cache=True, nogil=True)
def _spread(offsets, tracks, rows, labels):
    for i in range(len(rows)):
        for j in range(offsets[rows[i]], offsets[rows[i] + 1]):
            labels[i, tracks[j]] = 1


@njit(cache=True, nogil=True)
def _count(offsets, tracks, rows, counts):
    for row in rows:
        for j in range(offsets[row], offsets[row + 1]):
            counts[tracks[j]] += 1
