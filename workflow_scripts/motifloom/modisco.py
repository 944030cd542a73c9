"""Motifs out of attributions, by TF-MoDISco.

TF-MoDISco (Shrikumar et al. 2018, arXiv:1811.00416; tfmodisco-lite by Schreiber) cuts out the
stretches that contribute most, puts like ones together and counts their bases. Unlike kernels,
its motifs are whole: a site that several kernels share is one.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import models
from motifloom.attribution import attribute
from motifloom.databases import tomtom
from motifloom.files import write_table
from motifloom.motif_files import read_meme, write_meme
from motifloom.motifs import Motif, consensus, trim
from motifloom.sequence_attributions import top_bound
from motifloom.sequences import one_hot
from motifloom.store import SequenceStore

log = logging.getLogger(__name__)

COLUMNS = ["pattern", "seqlets", "information", "consensus", "match", "match_name", "evalue"]
# Shuffles a sequence is compared with; over many sequences their noise averages out.
_REFERENCES = 5
# Stretches that TF-MoDISco needs more than, of one sign, to look for motifs at all.
_LEAST_SEQLETS = 100
_CORE, _FLANK = 21, 5
# Narrower than its defaults, which are made for 400 bp and more: of windows of 101 bp, sites away
# from the middle would be lost with the flanks that reach beyond the window.
_SETTINGS = {
    "sliding_window_size": _CORE,
    "flank_size": _FLANK,
    "initial_flank_to_add": 0,
    "trim_to_window_size": 20,
    "min_metacluster_size": _LEAST_SEQLETS,
    "n_leiden_runs": 10,
}


def discover_modisco(
    store: str | Path,
    weights: str | Path,
    database: str | Path,
    meme: str | Path,
    table: str | Path,
    *,
    limit: int,
    seed: int,
) -> None:
    """Write the motifs in the attributions of the `limit` best training and validation sequences.

    meme:  their matrices, ends trimmed (`motifs.trim`)
    table: TSV with pattern, seqlets (stretches it is made of), information (bits), consensus, and
           the best match in the `database` (MEME file): match, match_name, evalue

    Patterns "pos0", "pos1", ... raise the score, "neg0", ... lower it. With too few sequences, or
    too short ones, both files hold no motif, and the log says so.
    """
    examples = SequenceStore.open(store)
    model = models.load(weights)
    alphabet = examples.info["alphabet"]
    rows, _ = top_bound(examples, model, ("train", "validation"), limit)
    motifs = []
    if len(rows) <= _LEAST_SEQLETS or examples.length < _CORE + 2 * _FLANK:
        log.warning(
            "no motifs: TF-MoDISco needs more than %d bound sequences of %d bp or more, and is"
            " given %d of %d bp", _LEAST_SEQLETS, _CORE + 2 * _FLANK, len(rows), examples.length,
        )  # fmt: skip
    else:
        codes = np.array(examples.codes[rows])
        found = attribute(model, codes, n_references=_REFERENCES, seed=seed, rows=rows)
        motifs = find_patterns(codes, found.values)
        log.info("%d motifs in the attributions of %d sequences", len(motifs), len(rows))
    write_meme(motifs, meme, "ACGU" if alphabet == "rna" else "ACGT")
    write_table(_table(motifs, read_meme(database), alphabet), table)


def find_patterns(codes: np.ndarray, values: np.ndarray) -> list[Motif]:
    """Motifs of base codes uint8 [N, L] with hypothetical contributions float32 [N, 4, L].

    Those that raise the score come first, each kind by its number of stretches.
    """
    from modiscolite.tfmodisco import TFMoDISco  # compiles; not for jobs that discover nothing

    hot, weights = (
        np.ascontiguousarray(array.swapaxes(1, 2)) for array in (one_hot(codes), values)
    )
    signs = zip(("pos", "neg"), TFMoDISco(hot, weights, **_SETTINGS), strict=True)
    return [
        Motif(
            name=f"{sign}{number}",
            matrix=trim(pattern.sequence.T.astype(np.float64)),
            n_sites=len(pattern.seqlets),
            n_sequences=len(codes),
            recipe="modisco",
        )
        for sign, patterns in signs
        for number, pattern in enumerate(patterns or ())
    ]


def _table(motifs: list[Motif], database: list[Motif], alphabet: str) -> pd.DataFrame:
    matches = tomtom(motifs, database, alphabet == "dna").set_index("query")
    rows = []
    for motif in motifs:
        match, name, evalue = "", "", float("nan")
        if motif.name in matches.index:
            match, name, evalue = matches.loc[motif.name, ["target", "target_name", "evalue"]]
        measures = motif.n_sites, motif.information, consensus(motif.matrix)
        rows.append((motif.name, *measures, match, name, evalue))
    return pd.DataFrame(rows, columns=COLUMNS)
