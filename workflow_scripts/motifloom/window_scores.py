"""The scores of a dataset's test and validation windows by every model, on disk and as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from motifloom import splits
from motifloom.files import InputError
from motifloom.store import SPLITS, SequenceStore, read_arrays, write_arrays

DISTINCT = "windows-distinct"
_FIELDS = {
    "row": np.int64,
    "parent": np.int64,
    "label": np.float32,
    "scores": np.float32,
    "kind": np.uint8,
    "split": np.uint8,
    "shared": np.uint8,
}


@dataclass(frozen=True)
class WindowScores:
    """What every model says of the test windows and, behind them, the validation windows.

    row:    int64 [n], row of the sequence store
    parent: int64 [n], row of the site that a negative was made for; its own row for others
    label:  float32 [n], 0/1 or the measured score
    scores: float32 [M, n], a row a model of `info["models"]`; NaN where a model gave none
    kind:   uint8 [n], index into `info["kinds"]`
    split:  uint8 [n], 1 validation, 2 test
    shared: uint8 [n], 1 where the positive behind a test window shares a 31-mer with what was
            learned from (`shares_with_training`); 0 in validation
    info:   dataset, tf, labels ("binary" or "score"), negatives (the kind trained against), kinds,
            positives (split -> how many), models: a dict each of model, preset, members and
            logit (whether its scores are log-odds of being bound)
    """

    row: np.ndarray
    parent: np.ndarray
    label: np.ndarray
    scores: np.ndarray
    kind: np.ndarray
    split: np.ndarray
    shared: np.ndarray
    info: dict

    @classmethod
    def of(cls, examples: SequenceStore, rows: np.ndarray, scores: np.ndarray, info: dict):
        """The scores [M, n] of a store's rows [n], test before validation."""
        split = np.asarray(examples.split[rows])
        test = split == splits.TEST
        shared = np.zeros(len(rows), np.uint8)
        shared[test] = shares_with_training(examples, rows[test])
        own = {name: examples.info[name] for name in ("labels", "negatives", "kinds")}
        bound = examples.split[examples.targets[:, 0] > 0]
        counts = np.bincount(bound, minlength=len(SPLITS)).tolist()
        return cls(
            row=rows,
            parent=np.asarray(examples.parent[rows]),
            label=np.asarray(examples.targets[rows, 0]),
            scores=np.asarray(scores, np.float32),
            kind=np.asarray(examples.kind[rows]),
            split=split,
            shared=shared,
            info=own | {"positives": dict(zip(SPLITS, counts, strict=True))} | info,
        )

    @classmethod
    def open(cls, path: str | Path) -> "WindowScores":
        """Memory-map a file; raises InputError where it is none."""
        arrays, info = read_arrays(path)
        if set(arrays) != set(_FIELDS):
            raise InputError(f"{path}: holds no scores of windows; evaluate the windows again")
        return cls(**arrays, info=info)

    def write(self, path: str | Path) -> None:
        """Write the file, whole or not at all."""
        arrays = {name: (getattr(self, name).shape, dtype) for name, dtype in _FIELDS.items()}
        blocks = (getattr(self, name) for name, (shape, _) in arrays.items() if shape[0])
        write_arrays(path, arrays, blocks, self.info)

    @property
    def models(self) -> list[str]:
        """The models' names, in the order of the scores' rows."""
        return [model["model"] for model in self.info["models"]]

    @property
    def binary(self) -> bool:
        """Whether labels are bound or not, rather than measured scores."""
        return self.info["labels"] == "binary"

    @property
    def positive(self) -> np.ndarray:
        """Whether each window is bound, bool [n]."""
        return self.label > 0

    def of_split(self, name: str) -> np.ndarray:
        """Whether each window belongs to a split, bool [n]."""
        return self.split == SPLITS.index(name)

    def contrasts(self) -> list[tuple[str, np.ndarray]]:
        """Kinds of negatives, and for each which windows are judged on it, bool [n].

        Only kinds that the test split holds. Measured scores have one, "none", of everything.
        """
        if not self.binary:
            return [("none", np.ones(len(self.row), bool))]
        test, drawn = self.of_split("test"), list(self._drawn())
        found = [(kind, self.positive | rows) for kind, rows in drawn if (rows & test).any()]
        main = self.info["negatives"]
        return found or [(main, self.positive | dict(drawn).get(main, False))]

    def _drawn(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each kind of negatives, the given ones first, and which windows they are, bool [n]."""
        kinds = np.asarray(self.info["kinds"], object)[self.kind]
        yield "given", (kinds == "given") & ~self.positive
        for kind in self.info["kinds"]:
            if kind not in ("site", "given"):
                yield kind, kinds == kind

    def groups_by_kind(self) -> list[tuple[str, np.ndarray]]:
        """ "positive" and each kind of negatives there are, with their windows, bool [n]."""
        if not self.binary:
            return [("all", np.ones(len(self.row), bool))]
        return [("positive", self.positive), *((k, d) for k, d in self._drawn() if d.any())]

    def subsets(self) -> list[tuple[str, np.ndarray, str]]:
        """What test metrics are over: name of the examples, which windows, the rows' note."""
        test = self.of_split("test")
        found = [("windows", test, "")]
        shared = self.shared == 1
        if shared.any():
            count = (shared & (self.positive | (not self.binary))).sum()
            noun = "positive" if self.binary else "sequence"
            plural = "" if count == 1 else "s"
            longest = splits.LONGEST_KMER
            note = f"left out: {count} {noun}{plural} sharing a {longest}-mer with training"
            found.append((DISTINCT, test & ~shared, note))
        return found


def shares_with_training(examples: SequenceStore, rows: np.ndarray) -> np.ndarray:
    """Whether the positives behind test rows [n] stand, in part, in what was learned; bool [n].

    A row is True where it is, or was made for, a positive that shares a 31-mer (in DNA on either
    strand) with a positive of the training or validation split. Measured scores know no positives:
    there every sequence counts as one.
    """
    positive = (examples.targets[:, 0] > 0) | (examples.info["labels"] == "score")
    learned = np.flatnonzero(positive & (examples.split != splits.TEST))
    own = rows[positive[rows]]
    both = examples.info["alphabet"] == "dna"
    shared = np.zeros(len(examples), bool)
    shared[own] = splits.shares_kmer(
        examples.codes[own], examples.codes[learned], splits.LONGEST_KMER, both
    )
    return shared[examples.parent[rows]]
