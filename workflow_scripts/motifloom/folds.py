"""The folds of a cross-validation: which chromosomes are held out together."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom.files import InputError, open_text, write_table

FOLD_COLUMNS = ("fold", "chromosome", "bases")


def deal_chromosomes(lengths: Mapping[str, int], n_folds: int) -> pd.DataFrame:
    """Chromosomes in `n_folds` folds of about equally many bases: columns of FOLD_COLUMNS.

    `lengths` maps names to bases. The longest chromosome not yet dealt goes to the fold with the
    fewest bases so far (of equal chromosomes the first named, of equal folds the first): the
    longest-processing-time rule of Graham 1969 (SIAM Journal on Applied Mathematics 17, 416-429).
    Folds count from 1; rows stand by fold, then in the order given.

    >>> deal_chromosomes({"chr1": 9, "chr2": 5, "chr3": 6}, 2).to_numpy().tolist()
    [[1, 'chr1', 9], [2, 'chr2', 5], [2, 'chr3', 6]]
    """
    names, bases = list(lengths), np.array(list(lengths.values()), np.int64)
    fold, held = np.zeros(len(names), np.int64), np.zeros(n_folds, np.int64)
    for place in np.argsort(-bases, kind="stable"):
        fold[place] = held.argmin()
        held[fold[place]] += bases[place]
    dealt = pd.DataFrame({"fold": fold + 1, "chromosome": names, "bases": bases})
    return dealt.sort_values("fold", kind="stable", ignore_index=True)


def assign_folds(
    sizes: str | Path, output: str | Path, n_folds: int, ignored: Collection[str] = ()
) -> None:
    """Write the folds of the chromosomes of a chrom.sizes file, those `ignored` left out.

    Raises InputError where they are fewer than the folds, and for a file of another form.
    """
    lengths = {}
    with open_text(sizes) as stream:
        for number, line in enumerate(stream, start=1):
            name, _, length = line.rstrip("\n").partition("\t")
            if not (length.isascii() and length.isdigit() and 0 < len(length) <= 18):
                raise InputError(
                    f"{sizes}, line {number}: is not a chromosome's name, a tab and its length;"
                    " make the file again"
                )
            if name not in ignored:
                lengths[name] = int(length)
    if len(lengths) < n_folds:
        raise InputError(
            f"cross_validation: folds is {n_folds}, but the genome has {len(lengths)} chromosomes"
            " beside genome: ignored_chromosomes; set fewer folds, or 0 for none"
        )
    write_table(deal_chromosomes(lengths, n_folds), output)
