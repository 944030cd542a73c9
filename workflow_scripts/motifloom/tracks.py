"""Scores along the genome on disk: parts as they are scanned, put together as bigWig tracks.

A part holds the scores of some chromosomes, of all targets of a model. A track is one target's
bigWig (Kent et al. 2010, Bioinformatics 26:2204): one value a step of so many bases, the last of a
chromosome maybe shorter. Steps in windows of too many N have none.
"""

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from motifloom import inference
from motifloom.files import InputError, are_names, atomic, full_disk_noticed, is_whole
from motifloom.folds import deal_chromosomes
from motifloom.genome_scan import Stretch, scan_genome
from motifloom.sequences import UNKNOWN, Genome
from motifloom.store import read_arrays, write_arrays

log = logging.getLogger(__name__)

# Steps a block of a part: one target's share of a block is read with one disk access.
BLOCK = 8192
_READ = 1 << 20  # bases of a track that are read at a time, each as a float64


@dataclass(frozen=True)
class Scan:
    """Scores of T targets along some chromosomes, end to end.

    scores:  float32 [blocks, T, BLOCK], memory-mapped; NaN where a step has no score, and behind
             the last step
    targets: the datasets that the T targets are of
    step:    bases a step
    lengths: chromosome -> bases, in the order of the scores
    begins:  chromosome -> its first step among those of all
    """

    scores: np.ndarray
    targets: Sequence[str]
    step: int
    lengths: Mapping[str, int]
    begins: Mapping[str, int]

    @classmethod
    def open(cls, path: str | Path) -> "Scan":
        """Memory-map a part; InputError where the file is none."""
        arrays, info = read_arrays(path)
        scores, targets, pairs = (
            arrays.get("scores"),
            info.get("targets"),
            info.get("chromosomes"),
        )
        sound = scores is not None and are_names(targets) and isinstance(pairs, list)
        if not (sound and is_whole(info.get("step"), 1)):
            raise InputError(f"{path}: holds no scores along chromosomes; make it again")
        lengths = dict(pairs)
        *begins, n_steps = itertools.accumulate(
            (-(-length // info["step"]) for length in lengths.values()), initial=0
        )
        if scores.shape != (-(-n_steps // BLOCK), len(targets), BLOCK):
            raise InputError(f"{path}: is damaged (scores and chromosomes differ); make it again")
        starts = dict(zip(lengths, begins, strict=True))
        return cls(scores, targets, info["step"], lengths, starts)

    def blocks(self, chrom: str, target: str) -> Iterator[np.ndarray]:
        """Scores float32 [n] of one target along a chromosome, block by block."""
        column, first = self.targets.index(target), self.begins[chrom]
        last = first - (-self.lengths[chrom] // self.step)
        while first < last:
            block, row = divmod(first, BLOCK)
            end = min(BLOCK, row + last - first)
            yield self.scores[block, column, row:end]
            first += end - row


def load_model(path: str | Path, device: str = "cpu"):
    """A trained model for `scan_genome`; one of PyTorch's is put on the device asked for."""
    model = inference.load(path)
    if model.info["network"] == "DeepBind" or device == "cpu":
        return model
    from motifloom import models
    from motifloom.hardware import choose_device

    return models.load(path).to(choose_device(device))


def scan_part(
    weights: str | Path,
    genome: str | Path,
    output: str | Path,
    *,
    part: int,
    parts: int,
    step: int,
    max_unknown: float = 1.0,
    device: str = "cpu",
) -> None:
    """Write a model's scores along the chromosomes of one of `parts` parts, counted from 1.

    The chromosomes are dealt to the parts by length, the longest first; a part may have none.
    Steps in windows with a larger share of N than `max_unknown` get no score.
    """
    opened = Genome.open(genome)
    dealt = deal_chromosomes(opened.lengths, parts)
    chroms = dealt.chromosome[dealt.fold == part].tolist()
    write_scan(load_model(weights, device), opened, chroms, step, output, max_unknown)


def write_scan(
    model, genome: Genome, chroms: Sequence[str], step: int, output: str | Path, max_unknown: float
) -> None:
    """Write a model's scores along chromosomes, as `Scan` reads them; bounded by a stretch."""
    lengths = {chrom: genome.lengths[chrom] for chrom in chroms}
    n_steps = sum(-(-length // step) for length in lengths.values())
    targets = _targets(model)
    log.info("%d chromosomes, %d steps of %d bases", len(chroms), n_steps, step)
    width = model.info["hyperparameters"]["length"]
    stretches = scan_genome([model], genome, step, chroms)
    known = (_without_unknown(one, genome, step, width, max_unknown) for one in stretches)
    shape = (-(-n_steps // BLOCK), len(targets), BLOCK)
    info = {"targets": targets, "step": step, "chromosomes": [list(p) for p in lengths.items()]}
    blocks = _in_blocks(_counted(known, n_steps), len(targets))
    write_arrays(output, {"scores": (shape, np.float32)}, blocks, info)


def _targets(model) -> list[str]:
    """Names of a model's targets as datasets: those of single datasets call theirs by the TF."""
    dataset = model.info.get("dataset", "multitask")
    return list(model.info["targets"]) if dataset == "multitask" else [dataset]


def _counted(stretches: Iterable[Stretch], n_steps: int) -> Iterator[Stretch]:
    """The stretches, with a bar on a terminal and a line in the log for every tenth done."""
    done = 0
    with tqdm(total=n_steps, desc="scan", unit="step", unit_scale=True, disable=None) as bar:
        for stretch in stretches:
            yield stretch
            before, done = done, done + len(stretch.scores)
            bar.update(len(stretch.scores))
            if 10 * before // n_steps < 10 * done // n_steps:
                log.info("%s: %d of %d steps", stretch.chrom, done, n_steps)


def _without_unknown(stretch, genome: Genome, step: int, width: int, most: float) -> Stretch:
    """A stretch whose scores are NaN where more than `most` of a window's bases are N.

    Bases beyond the chromosome's ends, which read as N too, count as known.
    """
    length, n = genome.lengths[stretch.chrom], len(stretch.scores)
    starts = stretch.start + np.arange(n) * step + step // 2 - width // 2
    first, last = max(int(starts[0]), 0), min(int(starts[-1]) + width, length)
    offset = genome.offsets[genome.names.index(stretch.chrom)]
    unknown = genome.flat[offset + first : offset + last] == UNKNOWN
    if not unknown.any():
        return stretch
    counts = np.concatenate([[0], np.cumsum(unknown)])
    begins, ends = starts.clip(first, last) - first, (starts + width).clip(first, last) - first
    wrong = counts[ends] - counts[begins] > most * width
    scores = np.where(wrong[:, None], np.float32(np.nan), stretch.scores)
    return Stretch(stretch.chrom, stretch.start, scores)


def _in_blocks(stretches: Iterable[Stretch], n_targets: int) -> Iterator[np.ndarray]:
    """Scores of stretches as blocks float32 [1, T, BLOCK], the last one filled up with NaN."""
    held = np.empty((0, n_targets), np.float32)
    for stretch in stretches:
        held = np.concatenate([held, stretch.scores])
        whole = len(held) // BLOCK * BLOCK
        for first in range(0, whole, BLOCK):
            yield held[first : first + BLOCK].T[None]
        held = held[whole:]
    if len(held):
        padding = ((0, BLOCK - len(held)), (0, 0))
        yield np.pad(held, padding, constant_values=np.nan).T[None]


def write_track(parts: Sequence[str | Path], target: str, output: str | Path) -> None:
    """Write the scores of one target in all parts as a bigWig.

    Chromosomes stand in the order of their names' bytes, in which bigWig's index is searched;
    those without any score are left out. Raises InputError where the parts lack the target, such
    as a multi-task network trained without it, and where no step has a score.
    """
    scans = [Scan.open(path) for path in parts]
    if target not in scans[0].targets:
        raise InputError(
            f"{parts[0]}: the model has no target {target!r}, which had too few labelled training"
            " bins (multitask: min_positives); leave it out of tracks: datasets"
        )
    holders = {chrom: scan for scan in scans for chrom in scan.lengths}
    chroms = {chrom: holders[chrom].lengths[chrom] for chrom in sorted(holders, key=str.encode)}
    blocks = (
        (chrom, scan.step, block)
        for chrom in chroms
        for scan in [holders[chrom]]
        for block in scan.blocks(chrom, target)
    )
    write_bigwig(blocks, chroms, output)


def write_bigwig(
    blocks: Iterable[tuple[str, int, np.ndarray]], chroms: Mapping[str, int], output: str | Path
) -> None:
    """Write blocks (chromosome, step, scores float32 [n]) as a bigWig with pybigtools.

    `chroms` maps names to bases, in the order in which the blocks come. NaN is left out. Raises
    InputError where nothing else is there.
    """
    import pybigtools

    intervals = _Intervals(blocks, chroms)
    with atomic(output) as temporary:
        with full_disk_noticed(temporary):
            _write_intervals(pybigtools.open(str(temporary), "w"), intervals, chroms)
        # An iterator that fails ends the file early without a word.
        if intervals.failure is not None:
            raise intervals.failure
        if not intervals.bases:
            raise InputError(f"{output}: no step has a score; is the genome all N?")
        written = pybigtools.open(str(temporary)).info()["summary"]["basesCovered"]
        if written != intervals.bases:
            raise RuntimeError(f"{output}: {written} bases were written of {intervals.bases}")


def _write_intervals(writer, intervals: "_Intervals", chroms: Mapping[str, int]) -> None:
    """Have pybigtools write the intervals; return too where the iterator failed or had none."""
    try:
        writer.write(dict(chroms), iter(intervals))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a RuntimeError, or a panic, which is no Exception
        if intervals.bases and intervals.failure is None:
            raise RuntimeError(f"the bigWig cannot be written ({error})") from error


class _Intervals:
    """Iterates over (chrom, start, end, value), keeping what pybigtools does not tell."""

    def __init__(self, blocks: Iterable[tuple[str, int, np.ndarray]], chroms: Mapping[str, int]):
        self.blocks, self.chroms = blocks, chroms
        self.bases = 0
        self.failure: BaseException | None = None

    def __iter__(self) -> Iterator[tuple[str, int, int, float]]:
        return itertools.chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[Iterator[tuple[str, int, int, float]]]:
        former, first = None, 0
        try:
            for chrom, step, scores in self.blocks:
                first = first if chrom == former else 0
                known = np.flatnonzero(np.isfinite(scores))
                starts = (first + known) * step
                ends = np.minimum(starts + step, self.chroms[chrom])
                self.bases += int((ends - starts).sum())
                columns = (starts, ends, scores[known])
                yield zip(itertools.repeat(chrom), *(c.tolist() for c in columns), strict=False)
                former, first = chrom, first + len(scores)
        except GeneratorExit:  # the writer failed
            raise
        except BaseException as error:
            self.failure = error
            raise


class Track:
    """A bigWig of `write_track`, read step by step.

    lengths: chromosome -> bases, of those with any score
    """

    def __init__(self, path: str | Path, step: int):
        import pybigtools

        try:
            self._file = pybigtools.open(str(path))
            self.lengths: dict[str, int] = dict(self._file.chroms())
        except (OSError, RuntimeError, pybigtools.BBIReadError) as error:
            raise InputError(f"{path}: is no bigWig, or damaged; make it again") from error
        self.step = step

    def scores(self, chrom: str) -> np.ndarray:
        """Scores of all steps of a chromosome, float32 [n]; NaN where a step has none."""
        length = self.lengths[chrom]
        scores = np.empty(-(-length // self.step), np.float32)
        size = max(_READ // self.step, 1) * self.step
        for first in range(0, length, size):
            values = self._file.values(
                chrom, first, min(first + size, length), fillna=None, oob=np.nan
            )
            steps = values[:: self.step]
            scores[first // self.step : first // self.step + len(steps)] = steps
        return scores
