"""The sequences that a model finds best, and what it sees in them: a table, arrays and figures."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import models
from motifloom.attribution import N_REFERENCES, Attribution, attribute, contributions
from motifloom.files import whole_folder, write_table
from motifloom.mutagenesis import mutate
from motifloom.mutation_maps import draw_mutation_map
from motifloom.store import SPLITS, SequenceStore, write_arrays

log = logging.getLogger(__name__)


def attribute_sequences(
    store: str | Path,
    weights: str | Path,
    table: str | Path,
    arrays: str | Path,
    folder: str | Path,
    *,
    limit: int,
    drawn: int,
    seed: int,
) -> None:
    """Look into the `limit` bound test sequences that a model scores highest.

    table:  TSV with rank (from 1), chrom, start, end, strand (NA without coordinates), score, and
            row, the sequence's row in the store
    arrays: safetensors file with codes uint8 [n, L], mutagenesis float32 [n, 4, L]
            (`mutagenesis.mutate`) and deeplift float32 [n, 4, L], hypothetical contributions
            (`attribution.Attribution`); its info says by which method and from which references
    folder: <rank>.svg of the `drawn` best ones

    Without bound test sequences table and arrays have no rows, and the folder is empty.
    """
    examples = SequenceStore.open(store)
    model = models.load(weights)
    rows, scores = top_bound(examples, model, ("test",), limit)
    codes = np.array(examples.codes[rows])
    changes = mutate(model, codes)
    found = attribute(model, codes, seed=seed, rows=rows)
    if found.method == "deeplift":
        log.info("contributions add up to the scores' differences but for %.2g", found.gap)
    frame = _table(examples, rows, scores)
    write_table(frame, table)
    _write(codes, changes, found, arrays, {"dataset": examples.info["dataset"], "seed": seed})
    with whole_folder(folder) as temporary:
        for entry in frame[:drawn].itertuples():
            at = entry.Index
            draw_mutation_map(
                codes[at],
                changes[at],
                contributions(found.values[at : at + 1], codes[at : at + 1])[0],
                _title(examples.info["dataset"], entry),
                temporary / f"{entry.rank}.svg",
                alphabet=examples.info["alphabet"],
                method=found.method,
            )


def top_bound(
    examples: SequenceStore, model: models.TrainedModel, splits: tuple[str, ...], limit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows int64 [n] and scores [n] of the bound sequences of these splits that score highest.

    Of measured scores, sequences above the median of training and validation count as bound.
    Among equals the earlier row comes first.
    """
    targets = np.asarray(examples.targets[:, 0])
    bound = targets > 0
    if examples.info["labels"] == "score":
        learned = targets[examples.split != SPLITS.index("test")]
        bound = targets > (np.median(learned) if len(learned) else 0)
    wanted = np.isin(examples.split, [SPLITS.index(name) for name in splits])
    rows = np.flatnonzero(bound & wanted)
    scores = model.score(np.asarray(examples.codes[rows]))[:, 0]
    order = np.argsort(-scores, kind="stable")[:limit]
    return rows[order], scores[order]


def _table(examples: SequenceStore, rows: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    placed = examples.start[rows] >= 0
    names = np.array([*examples.info["chromosomes"], ""], object)
    start = pd.array(examples.start[rows], "Int64")
    frame = pd.DataFrame(
        {
            "rank": np.arange(len(rows)) + 1,
            "chrom": names[examples.chrom[rows]],
            "start": start,
            "end": start + examples.length,
            "strand": np.array(["+", "-"], object)[examples.strand[rows]],
            "score": scores,
            "row": rows,
        }
    )
    frame.loc[~placed, ["chrom", "start", "end", "strand"]] = pd.NA
    return frame


def _write(codes, changes, found: Attribution, path, info: dict) -> None:
    arrays = {"codes": codes, "mutagenesis": changes, "deeplift": found.values}
    about = {"method": found.method}
    if found.method == "deeplift":
        about |= {"references": "dinucleotide", "n_references": N_REFERENCES}
    # The widest numbers first, as the format wants them aligned.
    order = ["mutagenesis", "deeplift", "codes"]
    shapes = {name: (arrays[name].shape, arrays[name].dtype) for name in order}
    write_arrays(path, shapes, (arrays[name] for name in order if len(codes)), info | about)


def _title(dataset: str, entry) -> str:
    parts = [dataset, f"score {entry.score:.2f}"]
    if pd.notna(entry.start):
        parts.insert(1, f"{entry.chrom}:{entry.start + 1}-{entry.end} ({entry.strand})")
    return " · ".join(parts)
