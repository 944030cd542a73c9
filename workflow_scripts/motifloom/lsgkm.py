"""LS-GKM, a support vector machine over gapped k-mers, as a baseline beside the networks.

Lee 2016, Bioinformatics 32:2196, after Ghandi et al. 2014, PLoS Computational Biology 10:e1003711.
Its authors' two programs are run, gkmtrain and gkmpredict (https://github.com/Dongwon-Lee/lsgkm,
in bioconda as ls-gkm).
"""

import logging
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from motifloom.baselines import training_examples, write_scores
from motifloom.files import InputError, write_text
from motifloom.sequences import decode
from motifloom.store import SequenceStore

log = logging.getLogger(__name__)

WORD = 11
# The authors' centre-weighted kernel over words of 11 bases, 7 of them informative, up to 3
# mismatches.
KERNEL = ("-t", "4", "-l", str(WORD), "-k", "7", "-d", "3")
PRESET = f"wgkm l={WORD} k=7 d=3"
# LS-GKM reads no more of a sequence (MAX_SEQ_LENGTH in its libsvm_gkm.h, less the closing zero).
LONGEST = 2047


def fit_lsgkm(
    store: str | Path,
    scores: str | Path,
    *,
    seed: int,
    negatives_per_positive: int,
    most_positives: int,
    cache_mb: int,
) -> None:
    """Train LS-GKM on a store's training split and write its scores of the test split.

    Of the positives the strongest `most_positives` are taken, since the time grows with their
    square; `cache_mb` is the memory in which it keeps kernel values. RNA is read on its own strand
    only. N, which LS-GKM does not know, is cut off at both ends and reads as A elsewhere.
    Raises InputError where the programs are missing or fail, for sequences that are too short or
    too long for them, and where the training split lacks a class.
    """
    examples = SequenceStore.open(store)
    if not WORD <= examples.length <= LONGEST:
        raise InputError(
            f"{store}: its sequences have {examples.length} bases, LS-GKM takes {WORD} to"
            f" {LONGEST}; change windows: length or set baselines: lsgkm: false"
        )
    codes, targets = training_examples(examples, negatives_per_positive, seed, most_positives)
    test = np.asarray(examples.codes[examples.rows("test")])
    options = (*KERNEL, "-m", str(cache_mb))
    if examples.info["alphabet"] == "rna":
        options += ("-R",)
    with tempfile.TemporaryDirectory() as folder:
        found = _trained_scores(Path(folder), codes, targets > 0, test, options)
    write_scores(found, scores, "lsgkm", PRESET)


def _trained_scores(folder, codes, positive, test, options) -> np.ndarray:
    """Scores [n] of the test sequences [n, L] after training, all files in `folder`."""
    if not len(test):  # gkmpredict takes no empty file
        return np.empty(0)
    for name, part in (("bound", codes[positive]), ("unbound", codes[~positive]), ("test", test)):
        write_fasta(part, folder / f"{name}.fa")
    model, output = folder / "lsgkm.model.txt", folder / "scores.txt"
    _run("gkmtrain", *options, folder / "bound.fa", folder / "unbound.fa", folder / "lsgkm")
    _run("gkmpredict", folder / "test.fa", model, output)
    return _read_scores(output, len(test))


def write_fasta(codes: np.ndarray, path: str | Path) -> None:
    """Write base codes [N, L] as a FASTA of records named by their rows, without outer N.

    Sequences shorter than LS-GKM's words are filled up with N.
    """
    letters = (decode(row).strip("N").ljust(WORD, "N") for row in codes)
    write_text("".join(f">{row}\n{text}\n" for row, text in enumerate(letters)), path)


def _run(program: str, *arguments: str | Path) -> None:
    """Run one of LS-GKM's programs, its output to the log."""
    path = shutil.which(program)
    if path is None:
        raise InputError(
            f"{program}: is not installed; call snakemake with --sdm conda, install LS-GKM"
            " (bioconda's ls-gkm) or set baselines: lsgkm: false"
        )
    command = [path, *map(str, arguments)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    log.info("%s\n%s", shlex.join(command), done.stdout)
    if done.returncode:
        last = done.stdout.strip().rpartition("\n")[2] or "no message"
        raise InputError(
            f"{program}: ended with status {done.returncode} ({last}); see its output in the log,"
            " lower baselines: lsgkm_positives or set baselines: lsgkm: false"
        )


def _read_scores(path: Path, n: int) -> np.ndarray:
    """The scores [n] that gkmpredict wrote, a line "row, tab, score" a sequence."""
    lines = path.read_text().splitlines() if path.exists() else []
    cells = [line.split("\t") for line in lines]
    if [cell[0] for cell in cells] != [str(row) for row in range(n)]:
        raise InputError(
            f"gkmpredict: wrote {len(lines)} scores of {n} test sequences; see its output in the"
            " log, and whether LS-GKM is of version 0.1.1"
        )
    return np.array([cell[1] for cell in cells], np.float64)
