"""What the network sees in single sequences, in a form that the page's script draws.

Changes and contributions are written as whole per cent of the largest one: a sequence takes about
a thousandth of a megabyte, a drawn figure of it thirty times as much.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from motifloom.report_run import Run
from motifloom.report_values import decimals, text

ATTRIBUTIONS = 3  # sequences of one dataset; the results' folder holds them all
MOST_BASES = 120  # of a sequence; more are too small to be read
METHODS = {"deeplift": "DeepLIFT", "gradient": "gradient × input"}


@dataclass(frozen=True)
class Attribution:
    """One sequence with its mutation map and contributions.

    `letters` are its bases (N where unknown) from the 1-based position `first` on; `changes` the
    change of the score by each substitution, rows A, C, G, T one after the other, in per cent of
    `largest`; `contributions` those of the bases in per cent of their own largest one.
    """

    caption: str
    letters: str
    first: int
    changes: list[int]
    largest: float
    contributions: list[int]
    method: str

    @property
    def drawn(self) -> dict[str, Any]:
        """What the script needs of it."""
        return {
            "letters": self.letters,
            "first": self.first,
            "changes": self.changes,
            "contributions": self.contributions,
            "method": self.method,
        }


def attributions(run: Run, dataset: str, alphabet: str) -> list[Attribution]:
    """The first ATTRIBUTIONS sequences of a dataset; alphabet is ACGT or ACGU.

    Raises InputError for an arrays file that cannot be read.
    """
    from motifloom.store import read_arrays

    folder = f"attribution/{dataset}"
    rows = run.rows(f"{folder}/sequences.tsv")[:ATTRIBUTIONS]
    path = run.path(f"{folder}/attributions.safetensors")
    if not rows or path is None:
        return []
    arrays, info = read_arrays(Path(path))
    method = METHODS.get(text(info.get("method")) or "deeplift", text(info.get("method")))
    return [
        attribution(
            arrays["codes"][place],
            arrays["mutagenesis"][place],
            arrays["deeplift"][place],
            caption_of(row),
            alphabet,
            method,
        )
        for place, row in enumerate(rows)
    ]


def attribution(
    codes: np.ndarray,
    changes: np.ndarray,
    values: np.ndarray,
    caption: str,
    alphabet: str,
    method: str,
) -> Attribution:
    """One sequence: codes uint8 [L], changes and hypothetical contributions float32 [4, L].

    A base's contribution is the value in its own row; unknown bases have none.
    """
    shown = busiest(changes, MOST_BASES)
    codes, changes, values = codes[shown], changes[:, shown], values[:, shown]
    places = np.arange(len(codes))
    own = np.where(codes < 4, values[np.minimum(codes, 3), places], 0)
    letters = np.array([*alphabet, "N"])
    return Attribution(
        caption,
        "".join(letters[np.minimum(codes, 4)]),
        shown.start + 1,
        per_cent(changes).ravel().tolist(),
        float(np.abs(np.nan_to_num(changes)).max(initial=0)),
        per_cent(own).tolist(),
        method,
    )


def per_cent(values: np.ndarray) -> np.ndarray:
    """Values as whole per cent of the largest absolute one, missing ones as 0.

    >>> per_cent(np.array([0.5, -2, np.nan])).tolist()
    [25, -100, 0]
    """
    values = np.nan_to_num(np.asarray(values, np.float64))
    return (100 * values / (np.abs(values).max(initial=0) or 1)).round().astype(int)


def busiest(changes: np.ndarray, width: int) -> slice:
    """The `width` neighbouring bases, or all of fewer, whose substitutions change most together.

    >>> busiest(np.array([[0, 0, -3, 0, 1]], np.float32), 2)
    slice(1, 3, None)
    """
    length = changes.shape[1]
    if length <= width:
        return slice(0, length)
    sums = np.concatenate([[0], np.cumsum(np.abs(np.nan_to_num(changes)).max(0))])
    windows = sums[width:] - sums[:-width]
    best = np.flatnonzero(windows >= windows.max() - 1e-9)
    # Of equally good ones the middle, so that what matters stands in the middle where it can.
    first = int(best[len(best) // 2]) if len(best) > 2 else int(best[0])
    return slice(first, first + width)


def caption_of(row: dict[str, str]) -> str:
    """Where a sequence lies (1-based, both ends within) and its score, in words."""
    words = [f"score {decimals(row.get('score'), 2)}"]
    if row.get("chrom"):
        strand = f" ({row['strand']})" if row.get("strand") else ""
        words.insert(0, f"{row['chrom']}:{int(float(row['start'])) + 1}-{row['end']}{strand}")
    return ", ".join(words)
