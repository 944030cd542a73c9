"""Peaks and genome, or a sequence table, to a sequence store with negatives and clean splits."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import negatives, readers, splits
from motifloom.counts import Counts
from motifloom.files import InputError, atomic, read_table, write_table
from motifloom.sequences import UNKNOWN, Genome, extract_windows
from motifloom.store import SPLITS, SequenceStore

NO_PLACE = -1


@dataclass(frozen=True)
class WindowRules:
    """How windows are cut and which are kept (config section `windows`)."""

    length: int
    max_unknown: float = 0.1
    max_peaks: int | None = None
    unequal_lengths: str = "error"


@dataclass(frozen=True)
class SplitRules:
    """How test and validation examples are drawn (config section `splits`).

    `test` and `validation` each have `by` ("chromosomes", "clusters" or, for validation,
    "ranks") with `chromosomes`, `fraction` and `top`; `shared_kmer` 0 drops only training
    windows that repeat a test window whole. In cross-validation both have `by` "fold" with the
    number of the `fold` and of all `folds`: windows stand in that of their chromosome by
    `chromosome_folds` (in none, and trained on, where that has none), other sequences by clusters.
    """

    test: Mapping
    validation: Mapping
    shared_kmer: int = 31
    chromosome_folds: Mapping[str, int] | None = None


@dataclass(frozen=True)
class NegativeRules:
    """Which negatives are made (config section `negatives`); the first kind is trained on."""

    kinds: tuple[str, ...] = ("dinucleotide",)
    train_per_positive: int = 4
    test_per_positive: int = 10
    flank_distance: int = 500
    gc_tolerance: float = 0.05


@dataclass
class Examples:
    """Examples of one dataset before they are stored; arrays have one row an example.

    Fields as in `SequenceStore`; `chrom` holds names ("" without coordinates), `cluster` what
    must stay in one split, `rank` the strength order (0 strongest), `group` the row of the
    positive that a negative belongs to.
    """

    codes: np.ndarray
    target: np.ndarray
    chrom: np.ndarray
    start: np.ndarray
    rank: np.ndarray
    split: np.ndarray
    kind: np.ndarray
    group: np.ndarray
    cluster: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: np.ndarray) -> "Examples":
        """The examples at some row numbers or of a mask."""
        return Examples(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def build_from_peaks(
    peaks: str | Path,
    genome: str | Path,
    output: str | Path,
    qc: str | Path,
    *,
    windows: WindowRules,
    split_rules: SplitRules,
    negative_rules: NegativeRules,
    seed: int,
    info: Mapping,
    aliases: str | Path | None = None,
    excluded: Sequence[str | Path] = (),
) -> None:
    """Cut summit-centred windows and write the dataset's sequence store and its QC counts.

    `info` (dataset, tf, alphabet, labels) is kept in the store. Raises InputError for bad input
    and where no usable positive is left in a split that training needs.
    """
    counts = Counts()
    opened = Genome.open(genome)
    _check_chromosomes(split_rules, opened)
    alias_table = readers.read_aliases(aliases) if aliases else {}
    table = readers.read_peaks(peaks)
    counts.add("peaks read", len(table))
    table, n_unknown = readers.rename_chromosomes(table, opened.lengths, alias_table, peaks)
    counts.add("dropped: unknown chromosome", n_unknown)
    blocked = readers.read_excluded(excluded, opened.lengths, alias_table, counts)
    examples = _usable_windows(table, opened, windows, blocked, counts, peaks, seed)
    examples = _split(examples, split_rules, windows, info, seed, counts, peaks)
    forbidden = pd.concat(
        [table[["chrom", "start", "end"]], blocked, _around(table, windows.length)]
    )
    examples = _with_negatives(examples, negative_rules, opened, forbidden, windows, seed, counts)
    _store(
        examples, {**info, "negatives": negative_rules.kinds[0]}, output, qc, counts, seed, opened
    )


def build_from_sequences(
    table: str | Path,
    test_table: str | Path | None,
    output: str | Path,
    qc: str | Path,
    *,
    windows: WindowRules,
    split_rules: SplitRules,
    negative_rules: NegativeRules,
    seed: int,
    info: Mapping,
) -> None:
    """Write the store of a labelled or scored sequence table (or FASTA) and its QC counts.

    With `test_table` that file is the test split as it stands; otherwise test sequences are
    drawn as clusters of identical ones. Tables with positives only get dinucleotide-shuffled
    negatives. Raises InputError for bad input.
    """
    counts = Counts()
    examples = _read_examples(table, test_table, windows, info, counts)
    rules = split_rules
    if test_table is not None:
        rules = SplitRules({"by": "given"}, rules.validation, rules.shared_kmer)
    elif rules.test["by"] == "chromosomes":
        rules = SplitRules({**rules.test, "by": "clusters"}, rules.validation, rules.shared_kmer)
    examples = _split(examples, rules, windows, info, seed, counts, table)
    kind = _kind_of_negatives(examples, negative_rules, info, table)
    if kind not in ("given", "none"):
        usable = NegativeRules(
            ("dinucleotide",), negative_rules.train_per_positive, negative_rules.test_per_positive
        )
        # A fixed test file with both classes keeps its own negatives.
        examples = _with_negatives(examples, usable, None, None, windows, seed, counts)
    _store(examples, {**info, "negatives": kind}, output, qc, counts, seed, None)


def _check_chromosomes(rules: SplitRules, genome: Genome) -> None:
    """Raise InputError where a split is held out by a chromosome that the genome lacks."""
    for name, rule in (("test", rules.test), ("validation", rules.validation)):
        named = rule["chromosomes"] if rule["by"] == "chromosomes" else ()
        unknown = [chrom for chrom in named if chrom not in genome.lengths]
        if unknown:
            raise InputError(
                f"splits: {name}: chromosomes: {unknown[0]!r} is not in the genome (it has"
                f" {', '.join(genome.names[:5])}, ...); use the genome's names"
            )


def _around(table: pd.DataFrame, length: int) -> pd.DataFrame:
    """The windows of all peaks, kept or not: none of them may serve as a negative."""
    start = table.summit - length // 2
    return pd.DataFrame({"chrom": table.chrom, "start": start, "end": start + length})


def _spans(examples: Examples) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "chrom": examples.chrom,
            "start": examples.start,
            "end": examples.start + examples.codes.shape[1],
        }
    )


def _usable_windows(table, genome, windows, blocked, counts, path, seed) -> Examples:
    """Windows around summits that pass every rule, strongest first, each drop counted.

    Peaks of one score, or without any, stand in random order: files are often sorted by place,
    and the first so many would leave whole chromosomes out.
    """
    table = table.iloc[np.random.default_rng(seed).permutation(len(table))]
    table = table.sort_values("score", ascending=False, kind="stable", na_position="last")
    length = windows.length
    found = pd.DataFrame({"chrom": table.chrom, "start": table.summit - length // 2})
    leaves = (found.start < 0) | (found.start + length > found.chrom.map(genome.lengths))
    found = _without(found, leaves, "dropped: window leaves its chromosome", counts)
    found = _without(found, found.duplicated(), "dropped: same window as a stronger peak", counts)
    touching = splits.overlaps_intervals(found.chrom, found.start, length, blocked)
    found = _without(found, touching, "dropped: in an excluded region", counts)
    codes = extract_windows(genome, found.chrom, found.start, length)
    unknown = (codes == UNKNOWN).mean(1) > windows.max_unknown
    found, codes = _without(found, unknown, "dropped: too many N", counts), codes[~unknown]
    if windows.max_peaks is not None:
        weak = np.arange(len(found)) >= windows.max_peaks
        found, codes = _without(found, weak, "dropped: weaker than max_peaks", counts), codes[~weak]
    if not len(found):
        raise InputError(
            f"{path}: no peak is left after filtering ({counts.drops()}); check the genome and the"
            " windows section"
        )
    return _positives(codes, np.ones(len(found)), found.chrom, found.start)


def _without(frame: pd.DataFrame, drop, stage: str, counts: Counts) -> pd.DataFrame:
    """The rows outside the mask `drop`, whose number is noted."""
    drop = np.asarray(drop, bool)
    counts.add(stage, drop.sum())
    return frame[~drop]


def _positives(codes, target, chrom, start, split=None, kind="site") -> Examples:
    n = len(codes)
    return Examples(
        codes=codes,
        target=np.asarray(target, np.float32),
        chrom=np.asarray(chrom, object),
        start=np.asarray(start, np.int64),
        rank=np.arange(n),
        split=np.zeros(n, np.uint8) if split is None else split,
        kind=np.full(n, kind, object),
        group=np.arange(n),
        cluster=np.arange(n),
    )


def _read_examples(table, test_table, windows, info, counts) -> Examples:
    """Examples of a table and of its fixed test table, strongest first within each."""
    frames = []
    for code, path in ((0, table), (2, test_table)):
        if path is None:
            continue
        frame = readers.read_sequences(path, info["labels"]).assign(split=code)
        counts.add("sequences read", len(frame), Path(path).name)
        frame = _without_repeats(frame, info["labels"], counts)
        if info["labels"] == "score":
            frame = frame.sort_values("value", ascending=False, kind="stable")
        frames.append(frame)
    codes = _codes_of(frames, [table, test_table], windows.unequal_lengths)
    frame = pd.concat(frames, ignore_index=True)
    keep = _usable_sequences(frame, codes, windows, info, counts)
    if not keep.any():
        raise InputError(
            f"{table}: no sequence is left after filtering; see windows: max_unknown in the config"
        )
    codes, frame = codes[keep], frame[keep]
    nowhere = np.full(len(frame), "", object), np.full(len(frame), NO_PLACE)
    examples = _positives(codes, frame.value, *nowhere, kind="given")
    examples.split = frame.split.to_numpy(np.uint8)
    return examples


def _without_repeats(frame: pd.DataFrame, labels: str, counts: Counts) -> pd.DataFrame:
    """One row a sequence: the mean of its scores, or none where its labels disagree."""
    values = frame.groupby(frame.sequence.str.replace("U", "T")).value
    repeated = values.cumcount() > 0
    counts.add("dropped: repeated sequence", repeated.sum())
    if labels == "score":
        return frame.assign(value=values.transform("mean"))[~repeated]
    disagreeing = values.transform("min") != values.transform("max")
    counts.add("dropped: sequence labelled both 0 and 1", (disagreeing & ~repeated).sum())
    return frame[~repeated & ~disagreeing]


def _codes_of(frames, paths, unequal_lengths: str) -> np.ndarray:
    """Base codes, uint8 [N, L], of the sequences of one or two tables, end to end."""
    blocks = [
        readers.to_codes(frame.sequence, unequal_lengths, path, frame.line.to_numpy())
        for frame, path in zip(frames, paths, strict=False)
    ]
    widths = [block.shape[1] for block in blocks]
    if unequal_lengths == "error" and min(widths) < max(widths):
        raise InputError(
            f"{paths[1]}: its sequences are {widths[1]} long where those of {paths[0]} are"
            f" {widths[0]}; make them equal or set windows: unequal_lengths: pad"
        )
    padding = [((0, 0), (0, max(widths) - width)) for width in widths]
    padded = map(functools.partial(np.pad, constant_values=UNKNOWN), blocks, padding)
    return np.concatenate(list(padded))


def _usable_sequences(frame, codes, windows, info, counts) -> np.ndarray:
    """Which sequences of a table pass every rule, bool [N], each drop counted."""
    keep = np.ones(len(frame), bool)
    if windows.unequal_lengths != "pad":
        keep = (codes == UNKNOWN).mean(1) <= windows.max_unknown
    counts.add("dropped: too many N", (~keep).sum())
    learned = (frame.split == 0).to_numpy()
    positives_only = info["labels"] == "binary" and (frame.value[learned] > 0).all()
    if windows.max_peaks is not None and positives_only:
        sites = keep & learned
        weak = sites & (np.cumsum(sites) > windows.max_peaks)
        counts.add("dropped: weaker than max_peaks", weak.sum())
        keep &= ~weak
    return keep


def _split(examples, rules, windows, info, seed, counts, path) -> Examples:
    """Assign splits to positives, then drop what would leak between them."""
    both = info["alphabet"] == "dna"
    placed = examples.start[0] >= 0
    identical = splits.group_identical(examples.codes, both)
    examples.cluster = (
        splits.merge_groups(
            identical, splits.cluster_windows(examples.chrom, examples.start, windows.length)
        )
        if placed
        else identical
    )
    rotated = rules.test["by"] == "fold"
    draw = _hold_out_fold if rotated else _draw_splits
    examples.split = draw(examples, rules, placed, seed)
    examples = _without_leaks(examples, rules, both, counts)
    if rotated:
        examples.split = _lend(examples.split, counts)
    for code, name in enumerate(SPLITS):
        counts.add(f"{name} sites", (examples.split == code).sum())
    if not (examples.split == 0).any():
        raise InputError(
            f"{path}: no training example is left after filtering and splitting"
            f" ({counts.drops()}); see the splits section of the config"
        )
    return examples


def _draw_splits(examples, rules, placed: bool, seed: int) -> np.ndarray:
    split = examples.split
    if rules.test["by"] == "chromosomes":
        validation = rules.validation
        own = validation["chromosomes"] if validation["by"] == "chromosomes" else ()
        split = splits.by_chromosome(examples.chrom, rules.test["chromosomes"], own)
    elif rules.test["by"] == "clusters":
        split = splits.by_clusters(examples.cluster, rules.test["fraction"], seed, 2, split)
    return _draw_validation(examples, split, rules, placed, seed)


def _hold_out_fold(examples, rules, placed: bool, seed: int) -> np.ndarray:
    if placed:
        dealt = pd.Series(examples.chrom).map(rules.chromosome_folds).fillna(0).to_numpy()
    else:
        dealt = splits.deal_clusters(examples.cluster, rules.test["folds"], seed)
    return splits.by_fold(dealt, rules.test["fold"], rules.validation["fold"])


def _lend(split: np.ndarray, counts) -> np.ndarray:
    """Split codes [N] with something to train on: validation's examples, or else the test's.

    A dataset whose sites lie in few folds leaves nothing for training when those are held out.
    Its other folds still have a value; without a test this one has none, and says so.
    """
    for code in (splits.VALIDATION, splits.TEST):
        lent = split == code
        if lent.any() and not (split == splits.TRAIN).any():
            counts.add("trained on for want of others", lent.sum(), f"{SPLITS[code]} sites")
            split = np.where(lent, splits.TRAIN, split).astype(np.uint8)
    return split


def _draw_validation(examples, split, rules, placed: bool, seed: int) -> np.ndarray:
    rule = rules.validation
    if rule["by"] == "chromosomes" and placed:
        if rules.test["by"] != "chromosomes":
            chosen = np.isin(examples.chrom, list(rule["chromosomes"])) & (split == 0)
            return np.where(chosen, 1, split).astype(np.uint8)
        return split
    if rule["by"] == "ranks":
        order = _cluster_ranks(examples, split)
        return splits.by_ranks(order, rule["top"], 1, split)
    return splits.by_clusters(examples.cluster, rule["fraction"], seed + 1, 1, split)


def _cluster_ranks(examples, split) -> np.ndarray:
    """Rank of each example's cluster by its strongest member, among training examples."""
    best = pd.Series(np.where(split == 0, examples.rank, len(examples))).groupby(examples.cluster)
    return best.transform("min").rank(method="dense").to_numpy(np.int64) - 1


def _without_leaks(examples, rules, both: bool, counts) -> Examples:
    """Drop training and validation windows that also stand in a split they are judged by."""
    test = examples.codes[examples.split == 2]
    learned = np.flatnonzero(examples.split < 2)
    leaked = splits.repeats(examples.codes[learned], test, both)
    counts.add(
        "dropped: sequence also in the test split", leaked.sum(), "either strand" if both else ""
    )
    drop = np.zeros(len(examples), bool)
    drop[learned[leaked]] = True
    if rules.shared_kmer:
        learned = np.flatnonzero((examples.split < 2) & ~drop)
        shared = splits.shares_kmer(examples.codes[learned], test, rules.shared_kmer, both)
        counts.add(f"dropped: {rules.shared_kmer}-mer shared with the test split", shared.sum())
        drop[learned[shared]] = True
    validation = (examples.split == 1) & ~drop
    train = np.flatnonzero((examples.split == 0) & ~drop)
    repeated = splits.repeats(examples.codes[train], examples.codes[validation], both)
    counts.add("dropped: training sequence also in validation", repeated.sum())
    drop[train[repeated]] = True
    kept = examples.take(~drop)
    kept.group = np.arange(len(kept))
    return kept


def _kind_of_negatives(examples, rules, info, path) -> str:
    """Where the negatives of a table come from: given in it, made, or none (scores)."""
    if info["labels"] == "score":
        return "none"
    if (examples.target[examples.split == 0] == 0).any():
        return "given"
    if rules.kinds[0] == "none":
        raise InputError(
            f"{path}: has positives only and negatives: kinds is none; add examples with label 0"
            " or choose negatives: kinds: [dinucleotide]"
        )
    return "dinucleotide"


def _with_negatives(examples, rules, genome, forbidden, windows, seed, counts) -> Examples:
    """Positives followed by their stored negatives of every kind, in the positive's split.

    Genomic negatives keep off `forbidden` and off those of other splits, in place and sequence.
    """
    parts = [examples]
    for number, kind in enumerate(rules.kinds):
        for code, name in enumerate(SPLITS):
            rows = _rows_to_serve(examples, kind, number, code)
            if not len(rows):
                continue
            per = rules.train_per_positive if name == "train" else rules.test_per_positive
            key = int(np.random.SeedSequence([seed, number, code]).generate_state(1)[0])
            if kind == "dinucleotide":
                made = _shuffled(examples, rows, per, key)
            else:
                others = _placed(_joined(parts), code)
                blocked = pd.concat([forbidden, _spans(others)])
                made = _genomic(kind, examples, rows, per, rules, genome, blocked, windows, key)
                made = _usable_negatives(made, others, windows, counts, f"{name}, {kind}")
            made.split[:] = code
            counts.add(f"{name} negatives: {kind}", len(made))
            parts.append(made)
    return _joined(parts)


def _usable_negatives(made, others, windows, counts, note: str) -> Examples:
    """Genomic negatives but those of too many N or with a sequence of another split."""
    unknown = (made.codes == UNKNOWN).mean(1) > windows.max_unknown
    counts.add("dropped: negative of too many N", unknown.sum(), note)
    repeated = splits.repeats(made.codes, others.codes) & ~unknown
    counts.add("dropped: negative also in another split", repeated.sum(), note)
    return made.take(~unknown & ~repeated)


def _rows_to_serve(examples, kind: str, number: int, code: int) -> np.ndarray:
    """Rows of a split's positives that get stored negatives of the `number`th kind, int64 [n]."""
    # Shuffles for training are drawn anew each epoch and not stored; other kinds than the first
    # are for judging only; a split with negatives of its own (a fixed test file) keeps these.
    trained = code == SPLITS.index("train")
    own = (examples.split == code) & (examples.target == 0)
    if kind == "none" or (trained and (number or kind == "dinucleotide")) or own.any():
        return np.empty(0, np.int64)
    return np.flatnonzero((examples.split == code) & (examples.target > 0))


def _joined(parts: Sequence[Examples]) -> Examples:
    fields = Examples.__dataclass_fields__
    return Examples(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def _placed(examples: Examples, code: int) -> Examples:
    """The examples with coordinates in other splits than `code`."""
    return examples.take((examples.split != code) & (examples.start != NO_PLACE))


def _shuffled(examples, rows, per, seed) -> Examples:
    """Dinucleotide shuffles of the positives at `rows`, `per` of each."""
    owner = np.repeat(rows, per)
    codes = negatives.dinucleotide_shuffle(examples.codes[owner], seed)
    nowhere = np.full(len(owner), "", object), np.full(len(owner), NO_PLACE)
    return _negatives_of(examples, owner, codes, *nowhere, "dinucleotide")


def _genomic(kind, examples, rows, per, rules, genome, blocked, windows, seed) -> Examples:
    """Windows of the genome as negatives of the positives at `rows`, up to `per` for each."""
    if kind == "gc":
        gc = negatives.gc_content(examples.codes[rows])
        rows = rows[np.isfinite(gc)]
        frame = negatives.gc_matched(
            genome, list(dict.fromkeys(examples.chrom[rows])), gc[np.isfinite(gc)], per,
            windows.length, blocked, seed,
            tolerance=rules.gc_tolerance, max_unknown=windows.max_unknown,
        )  # fmt: skip
        owner = np.repeat(rows, per)
    else:
        frame = negatives.flanking(
            examples.chrom[rows], examples.start[rows], windows.length, rules.flank_distance,
            genome.lengths, blocked, per, seed,
        )  # fmt: skip
        owner = rows[frame.positive.to_numpy()]
    chrom, start = frame.chrom.to_numpy(object), frame.start.to_numpy()
    codes = extract_windows(genome, chrom, start, windows.length)
    return _negatives_of(examples, owner, codes, chrom, start, kind)


def _negatives_of(examples, owner, codes, chrom, start, kind: str) -> Examples:
    """Negatives of one kind, row i made for the positive at row `owner[i]` of `examples`."""
    made = _positives(codes, np.zeros(len(codes)), chrom, start, kind=kind)
    made.group, made.cluster = owner, examples.cluster[owner]
    return made


def _store(examples, info, output, qc, counts, seed, genome) -> None:
    """Check for leaks a last time and write store and QC table, both whole."""
    # Shuffles stand nowhere in the genome and repeat no sequence but by chance.
    checked = examples.take(examples.kind != "dinucleotide")
    splits.check_no_leak(
        checked.codes, checked.split, checked.chrom, checked.start, info["alphabet"] == "dna"
    )
    kinds = list(dict.fromkeys(examples.kind.tolist()))
    chromosomes = genome.names if genome is not None else []
    store = SequenceStore(
        codes=examples.codes,
        targets=examples.target[:, None],
        split=examples.split,
        kind=pd.Index(kinds).get_indexer(examples.kind).astype(np.uint8),
        parent=examples.group.astype(np.int64),
        chrom=pd.Index(chromosomes, dtype=object).get_indexer(examples.chrom).astype(np.int32),
        start=examples.start.astype(np.int64),
        strand=np.zeros(len(examples), np.uint8),
        info={
            **info,
            "targets": [info["tf"]],
            "kinds": kinds,
            "chromosomes": chromosomes,
            "seed": seed,
        },
    )
    with atomic(qc) as temporary:
        write_table(counts.frame(), temporary)
        store.write(output)


def rules_from_config(params, folds: str | Path | None = None) -> dict:
    """Keyword arguments of the builders from a job's params (sections of the config).

    `params` has the attributes row (the dataset table's line), windows, splits, negatives, seed;
    `folds` is a table with the columns fold and chromosome, where splits are by fold.
    """
    windows, split, made = dict(params.windows), params.splits, params.negatives
    row = params.row
    dealt = read_table(folds, ("chromosome",)) if folds else None
    return {
        "windows": WindowRules(**windows),
        "split_rules": SplitRules(
            split["test"],
            split["validation"],
            split["shared_kmer"],
            None if dealt is None else dict(zip(dealt.chromosome, dealt.fold, strict=True)),
        ),
        "negative_rules": NegativeRules(
            tuple(made["kinds"]),
            made["train_negatives_per_positive"],
            made["test_negatives_per_positive"],
            made["flank_distance"],
            made["gc_tolerance"],
        ),
        "seed": params.seed,
        "info": {key: row[key] for key in ("dataset", "tf", "alphabet", "labels")},
    }
