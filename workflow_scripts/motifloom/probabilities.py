"""Probabilities of being bound, by a shared model and the calibration on its card."""

from pathlib import Path

import numpy as np

from motifloom import calibration, models
from motifloom.cards import read_card
from motifloom.files import InputError


def probabilities(path: str | Path, sequences: np.ndarray | str | Path) -> np.ndarray:
    """Probabilities float64 [N] of base codes uint8 [N, L] or of a FASTA file's N records.

    `path` is the weights file, with its card beside it, or their folder. A probability holds where
    as many sequences are bound as among those that the map was fitted on (the card's
    n_fitted_positive of n_fitted). Raises InputError where the card has no map.
    """
    fitted = read_card(path)["calibration"]
    if not fitted:
        raise InputError(f"{path}: its card has no calibration; use the scores of the model")
    return calibration.apply(fitted, models.load(path).score(sequences)[:, 0])
