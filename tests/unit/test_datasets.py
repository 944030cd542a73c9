"""Sequence stores from peaks and from tables: drops, splits, leaks, negatives."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from builders import random_codes

from motifloom import datasets, splits
from motifloom.datasets import NegativeRules, SplitRules, WindowRules
from motifloom.files import InputError, read_table
from motifloom.negatives import gc_content
from motifloom.sequences import Genome, decode, encode, extract_windows, reverse_complement
from motifloom.store import SPLITS, SequenceStore

INFO = {"dataset": "set1", "tf": "TF1", "alphabet": "dna", "labels": "binary"}
BY_CHROMOSOME = {
    "test": {"by": "chromosomes", "chromosomes": ["chrB"]},
    "validation": {"by": "chromosomes", "chromosomes": ["chrC"]},
}
BY_CLUSTER = {
    "test": {"by": "clusters", "fraction": 0.3},
    "validation": {"by": "clusters", "fraction": 0.3},
}


def bases(seed, length):
    return decode(random_codes(seed, 1, length)[0])


def put(sequence, place, letters):
    return sequence[:place] + letters + sequence[place + len(letters) :]


def turned(letters):
    return decode(reverse_complement(encode(letters)))


def write_fasta(path, chromosomes):
    path.write_text("".join(f">{name}\n{letters}\n" for name, letters in chromosomes.items()))
    return path


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def bed(chrom, start, length=10, score=0):
    """A BED line whose window of `length` begins at `start`."""
    return f"{chrom}\t{start}\t{start + length}\tpeak\t{score}"


def from_peaks(tmp_path, chromosomes, lines, *, seed=1, info=INFO, **rules):
    """Store and QC counts of a dataset; `rules` may hold windows, splits, negatives, excluded."""
    excluded = []
    if "excluded" in rules:
        excluded = [write_lines(tmp_path / "excluded.bed", rules["excluded"])]
    datasets.build_from_peaks(
        write_lines(tmp_path / "peaks.bed", lines),
        write_fasta(tmp_path / "genome.fa", chromosomes),
        tmp_path / "sequences.safetensors",
        tmp_path / "qc.tsv",
        windows=WindowRules(**{"length": 10} | rules.get("windows", {})),
        split_rules=SplitRules(**BY_CHROMOSOME | {"shared_kmer": 0} | rules.get("splits", {})),
        negative_rules=NegativeRules(**{"flank_distance": 5} | rules.get("negatives", {})),
        seed=seed,
        info=info,
        excluded=excluded,
    )
    return SequenceStore.open(tmp_path / "sequences.safetensors"), qc_of(tmp_path)


def from_table(tmp_path, table, test=None, *, seed=1, info=INFO, **rules):
    """Store and QC counts of a table of (sequence, value) pairs."""
    paths = [tmp_path / "table.tsv", tmp_path / "test.tsv" if test else None]
    for path, rows in zip(paths, (table, test), strict=True):
        if rows:
            write_lines(path, ["sequence\tlabel", *(f"{s}\t{value}" for s, value in rows)])
    datasets.build_from_sequences(
        *paths,
        tmp_path / "sequences.safetensors",
        tmp_path / "qc.tsv",
        windows=WindowRules(**{"length": 10} | rules.get("windows", {})),
        split_rules=SplitRules(**BY_CLUSTER | {"shared_kmer": 0} | rules.get("splits", {})),
        negative_rules=NegativeRules(**rules.get("negatives", {})),
        seed=seed,
        info=INFO | info,
    )
    return SequenceStore.open(tmp_path / "sequences.safetensors"), qc_of(tmp_path)


def qc_of(folder):
    table = read_table(folder / "qc.tsv", ("stage", "note"))
    return list(table.itertuples(index=False, name=None))


def counts_of(qc):
    """Counts by stage, notes added up."""
    return pd.DataFrame(qc).groupby(0)[1].sum().to_dict()


def letters_of(store, rows=None):
    return [decode(row) for row in store.codes[slice(None) if rows is None else rows]]


def kinds_of(store):
    return [store.info["kinds"][kind] for kind in store.kind]


# Peaks, literally

GENOME = {
    "chrA": put(put(bases(1, 200), 52, "NN"), 70, "N"),
    "chrB": bases(2, 100),
    "chrC": bases(3, 60),
}
PEAKS = [
    bed("chrA", 15, score=50),
    bed("chrA", 15, score=90),  # the same window, stronger
    bed("chrA", 0, 6, score=99),  # its window begins at -2
    bed("chrA", 194, 6, score=99),  # its window ends at 202
    bed("chrA", 50, score=99),  # 2 of 10 are N
    bed("chrA", 70, score=40),  # 1 of 10 is N
    bed("chrA", 100, score=99),  # the excluded region begins at its last base
    bed("chrA", 120, score=60),  # the excluded region ends before its first base
    bed("scaffold9", 5, score=99),
    bed("chrA", 150, score=5),  # the weakest
    bed("chrB", 30, score=20),
    bed("chrB", 90, score=10),  # ends with its chromosome
    bed("chrC", 0, score=30),  # begins with its chromosome
]
RULES = {
    "excluded": ["chrA\t109\t120"],
    "windows": {"max_peaks": 6},
    "negatives": {"test_per_positive": 2},
}


def test_every_drop_is_counted(tmp_path):
    _, qc = from_peaks(tmp_path, GENOME, PEAKS, **RULES)
    assert qc == [
        ("peaks read", 13, ""),
        ("dropped: unknown chromosome", 1, ""),
        ("excluded regions on an unknown chromosome", 0, "excluded.bed"),
        ("dropped: window leaves its chromosome", 2, ""),
        ("dropped: same window as a stronger peak", 1, ""),
        ("dropped: in an excluded region", 1, ""),
        ("dropped: too many N", 1, ""),
        ("dropped: weaker than max_peaks", 1, ""),
        ("dropped: sequence also in the test split", 0, "either strand"),
        ("dropped: training sequence also in validation", 0, ""),
        ("train sites", 3, ""),
        ("validation sites", 1, ""),
        ("test sites", 2, ""),
        ("validation negatives: dinucleotide", 2, ""),
        ("test negatives: dinucleotide", 4, ""),
    ]


def test_stored_examples(tmp_path):
    store, _ = from_peaks(tmp_path, GENOME, PEAKS, **RULES)
    chroms, starts = ["chrA", "chrA", "chrA", "chrC", "chrB", "chrB"], [15, 120, 70, 0, 30, 90]
    assert (
        store.codes[:6].tolist()
        == extract_windows(tmp_path / "genome.fa", chroms, starts, 10).tolist()
    )
    assert [store.info["chromosomes"][chrom] for chrom in store.chrom[:6]] == chroms
    assert store.start.tolist() == starts + [-1] * 6
    assert store.chrom[6:].tolist() == [-1] * 6
    assert store.targets[:, 0].tolist() == [1] * 6 + [0] * 6
    assert store.targets.shape == (12, 1)
    assert [SPLITS[code] for code in store.split] == (
        ["train"] * 3 + ["validation"] + ["test"] * 2 + ["validation"] * 2 + ["test"] * 4
    )
    assert store.parent.tolist() == [0, 1, 2, 3, 4, 5, 3, 3, 4, 4, 5, 5]
    assert kinds_of(store) == ["site"] * 6 + ["dinucleotide"] * 6
    assert store.info["negatives"] == "dinucleotide"
    assert store.info["targets"] == ["TF1"]
    assert {key: store.info[key] for key in INFO} == INFO


def test_shuffles_have_the_composition_of_their_site(tmp_path):
    store, _ = from_peaks(tmp_path, GENOME, PEAKS, **RULES)
    for row in range(6, 12):
        site = store.codes[store.parent[row]]
        assert np.bincount(store.codes[row]).tolist() == np.bincount(site).tolist()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        from_peaks(tmp_path / name, GENOME, PEAKS, seed=seed, **RULES)
        found.append((tmp_path / name / "sequences.safetensors").read_bytes())
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_summits_and_scores_of_a_narrowpeak(tmp_path):
    lines = [
        "chrA\t10\t90\tp\t0\t.\t5.0\t-1\t-1\t20",
        "chrA\t100\t180\tp\t0\t.\t7.5\t-1\t-1\t-1",
        "chrB\t10\t90\tp\t0\t.\t1\t-1\t-1\t5",
    ]
    store, _ = from_peaks(tmp_path, GENOME, lines, windows={"length": 11})
    assert store.start[:3].tolist() == [140 - 5, 30 - 5, 15 - 5]


def test_without_scores_the_order_of_the_file_stands_for_strength(tmp_path):
    lines = ["chrA\t150\t160", "chrA\t20\t30", "chrA\t90\t100", "chrB\t30\t40"]
    store, _ = from_peaks(tmp_path, GENOME, lines, windows={"max_peaks": 2})
    assert store.start.tolist() == [150, 20]


def test_no_peak_left(tmp_path):
    with pytest.raises(InputError, match=r"peaks.bed: no peak is left after filtering"):
        from_peaks(tmp_path, GENOME, [bed("chrA", 50), bed("chrA", 195, 5)])
    assert {path.name for path in tmp_path.iterdir()} == {"peaks.bed", "genome.fa"}


def test_no_training_peak_left(tmp_path):
    with pytest.raises(InputError, match="no training example is left"):
        from_peaks(tmp_path, GENOME, [bed("chrB", 50), bed("chrC", 20)])


@pytest.mark.parametrize("split", ["test", "validation"])
def test_held_out_chromosome_that_the_genome_lacks(tmp_path, split):
    rule = {split: {"by": "chromosomes", "chromosomes": ["chrA", "chrIV"]}}
    with pytest.raises(InputError, match=f"splits: {split}: chromosomes: 'chrIV' is not in the"):
        from_peaks(tmp_path, GENOME, PEAKS, splits=rule)


def test_peaks_of_another_assembly(tmp_path):
    with pytest.raises(InputError, match=r"peaks.bed, line 2: .*right genome assembly"):
        from_peaks(tmp_path, GENOME, [bed("chrA", 5), bed("chrC", 55)])


# Splits


def test_validation_by_ranks(tmp_path):
    starts = [10, 30, 50, 80, 110, 140]
    lines = [bed("chrA", start, score=100 - start) for start in starts] + [bed("chrB", 5)]
    chromosomes = GENOME | {"chrA": bases(7, 200)}
    rules = {"validation": {"by": "ranks", "top": 5}}
    store, _ = from_peaks(tmp_path, chromosomes, lines, splits=rules)
    sites = store.start[: len(lines)]
    assert sites[store.split[: len(lines)] == 1].tolist() == [30, 80]
    assert sites[store.split[: len(lines)] == 0].tolist() == [10, 50, 110, 140]


@pytest.mark.parametrize("seed", range(5))
def test_clusters_keep_overlapping_windows_together(tmp_path, seed):
    starts = np.concatenate([np.arange(5) * 30 + shift for shift in (0, 4, 9, 15)])
    lines = [bed("chrA", start) for start in starts]
    store, _ = from_peaks(
        tmp_path, GENOME | {"chrA": bases(8, 200)}, lines, seed=seed, splits=BY_CLUSTER
    )
    sites = np.flatnonzero(store.targets[:, 0] > 0)
    assert set(store.split[sites]) == {0, 1, 2}
    # The four windows of a group overlap in a chain; groups are 5 bases apart.
    for group in np.arange(5) * 30:
        members = (store.start[sites] >= group) & (store.start[sites] < group + 30)
        assert members.sum() == 4
        assert len(set(store.split[sites][members])) == 1


def test_clusters_keep_repeated_sequences_together(tmp_path):
    word = bases(9, 10)
    chromosome = bases(10, 400)
    for place, letters in ((50, word), (150, word), (250, turned(word))):
        chromosome = put(chromosome, place, letters)
    lines = [bed("chrA", start) for start in range(0, 400, 25)]
    for seed in range(5):
        store, _ = from_peaks(tmp_path, {"chrA": chromosome}, lines, seed=seed, splits=BY_CLUSTER)
        repeated = np.isin(store.start, (50, 150, 250))
        assert repeated.sum() == 3
        assert len(set(store.split[repeated])) == 1


# Folds


def of_fold(fold, folds=3, **rules):
    """Split rules with one fold for the test and the next for validation."""
    held = [{"by": "fold", "fold": number, "folds": folds} for number in (fold, fold % folds + 1)]
    return {"test": held[0], "validation": held[1], **rules}


def splits_of(store):
    """Split of each site by (chromosome, start)."""
    return {
        (store.info["chromosomes"][store.chrom[row]], int(store.start[row])): split
        for split in SPLITS
        for row in store.rows(split, ["site"])
    }


FOLDS = {"chromosome_folds": {"chrA": 1, "chrB": 2, "chrC": 3}}
IN_FOLDS = [bed("chrA", 10), bed("chrB", 30), bed("chrB", 60), bed("chrC", 20), bed("chrD", 5)]
FOLD_GENOME = GENOME | {"chrA": bases(7, 200), "chrD": bases(6, 40)}


def test_folds_hold_their_chromosomes_out_in_turn(tmp_path):
    found = [
        splits_of(from_peaks(tmp_path, FOLD_GENOME, IN_FOLDS, splits=of_fold(fold, **FOLDS))[0])
        for fold in (1, 2, 3)
    ]
    turns = {"chrA": "test train validation", "chrB": "validation test train"}
    turns["chrC"] = "train validation test"
    turns["chrD"] = "train train train"  # has no fold
    for place in (("chrA", 10), ("chrB", 30), ("chrB", 60), ("chrC", 20), ("chrD", 5)):
        assert [fold[place] for fold in found] == turns[place[0]].split()


@pytest.mark.parametrize(
    ("sites", "expected", "lent"),
    [
        # Fold 1 is tested and fold 2 for validation: only fold 3, chrC, would be trained on.
        (["chrA", "chrB"], {"chrA": "test", "chrB": "train"}, (1, "validation sites")),
        (["chrB"], {"chrB": "train"}, (1, "validation sites")),
        (["chrA"], {"chrA": "train"}, (1, "test sites")),
        (["chrB", "chrC"], {"chrB": "validation", "chrC": "train"}, None),
    ],
)
def test_a_fold_with_nothing_to_train_on_is_lent_something(tmp_path, sites, expected, lent):
    lines = [bed(chrom, 20) for chrom in sites]
    store, qc = from_peaks(tmp_path, FOLD_GENOME, lines, splits=of_fold(1, **FOLDS))
    assert splits_of(store) == {(chrom, 20): split for chrom, split in expected.items()}
    found = [(count, note) for stage, count, note in qc if stage.startswith("trained on for")]
    assert found == ([lent] if lent else [])


def test_outside_folds_nothing_is_lent(tmp_path):
    with pytest.raises(InputError, match="no training example is left"):
        from_peaks(tmp_path, FOLD_GENOME, [bed("chrC", 20)])


def test_folds_of_a_table_are_disjoint_groups_of_identical_sequences(tmp_path):
    words = [bases(seed, 10) for seed in range(30, 39)]
    table = [(word, number / 10) for number, word in enumerate([*words, *map(turned, words)])]
    info = {"labels": "score"}
    tested = []
    for fold in (1, 2, 3):
        store, _ = from_table(tmp_path, table, info=info, splits=of_fold(fold))
        assert [len(store.rows(split)) for split in SPLITS] == [6, 6, 6]
        tested.append(set(letters_of(store, store.rows("test"))))
        assert tested[-1] == set(map(turned, tested[-1]))
    assert set.union(*tested) == {word for word, _ in table}
    assert sum(map(len, tested)) == 18


# Leaks

LEAKS = [bed("chrA", start) for start in (20, 60, 100, 140)] + [
    bed("chrB", 30),
    bed("chrB", 60),
    bed("chrC", 20),
]


def leaking_genome(at_60=None, at_100=None, at_140=None):
    """GENOME with windows of chrA made from those of chrB (30, 60) and chrC (20)."""
    a, b, c = bases(11, 200), GENOME["chrB"], GENOME["chrC"]
    given = {60: at_60, 100: at_100, 140: at_140}
    words = {"B30": b[30:40], "B60": turned(b[60:70]), "C20": c[20:30], "7-mer": "A" + b[31:38]}
    for place, name in given.items():
        a = put(a, place, words[name]) if name else a
    return {"chrA": a, "chrB": b, "chrC": c}


def test_sequences_of_the_test_split_are_dropped(tmp_path):
    genome = leaking_genome("B30", "B60", "C20")
    store, qc = from_peaks(tmp_path, genome, LEAKS)
    assert counts_of(qc)["dropped: sequence also in the test split"] == 2
    assert counts_of(qc)["dropped: training sequence also in validation"] == 1
    assert store.start[store.rows("train")].tolist() == [20]
    assert sorted(store.start[store.rows("test", ["site"])].tolist()) == [30, 60]
    assert store.parent[: len(LEAKS) - 3].tolist() == [0, 1, 2, 3]


def test_on_one_strand_a_reverse_complement_is_no_repeat(tmp_path):
    info = INFO | {"alphabet": "rna"}
    store, qc = from_peaks(tmp_path, leaking_genome("B30", "B60"), LEAKS, info=info)
    assert counts_of(qc)["dropped: sequence also in the test split"] == 1
    assert store.start[store.rows("train")].tolist() == [20, 100, 140]


@pytest.mark.parametrize(("k", "dropped"), [(7, 1), (8, 0), (0, None)])
def test_shared_kmers_are_dropped(tmp_path, k, dropped):
    genome = leaking_genome("7-mer")
    store, qc = from_peaks(tmp_path, genome, LEAKS, splits={"shared_kmer": k})
    assert counts_of(qc).get(f"dropped: {k}-mer shared with the test split") == dropped
    assert (60 in store.start[store.rows("train")]) == (not dropped)


def test_a_leak_that_slips_through_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_without_leaks", lambda examples, *_: examples)
    with pytest.raises(splits.LeakError, match="1 repeat the sequence"):
        from_peaks(tmp_path, leaking_genome("B30"), LEAKS)
    assert not (tmp_path / "sequences.safetensors").exists()
    assert not (tmp_path / "qc.tsv").exists()


# Negatives


def crowded(tmp_path, seed, kinds=("gc", "flank"), **changes):
    """One crowded chromosome in which all splits find their negatives."""
    rng = np.random.default_rng(seed)
    starts = rng.choice(np.arange(0, 3000, 20), 24, replace=False)
    return from_peaks(
        tmp_path,
        {"chrA": bases(seed, 3000), "chrB": bases(seed + 100, 1000)},
        [bed("chrA", start) for start in starts] + [bed("chrB", start) for start in (50, 500)],
        seed=seed,
        splits=BY_CLUSTER,
        negatives={"kinds": kinds, "train_per_positive": 2, "test_per_positive": 2} | changes,
    )


@pytest.mark.parametrize("seed", range(8))
def test_genomic_negatives_of_different_splits_are_apart(tmp_path, seed):
    store, _ = crowded(tmp_path, seed)
    assert (store.start >= 0).all()
    chrom, start, split, site = store.chrom, store.start, store.split, store.targets[:, 0] > 0
    near = (chrom[:, None] == chrom) & (abs(start[:, None] - start) < 10)
    assert not near[split[:, None] != split].any(), "splits overlap"
    assert not near[site][:, ~site].any(), "a negative overlaps a site"
    for kind in ("gc", "flank"):
        rows = np.flatnonzero(np.array(kinds_of(store)) == kind)
        places = set(zip(chrom[rows], start[rows], strict=True))
        assert len(places) == len(rows), f"{kind} negatives repeat"


@pytest.mark.parametrize("seed", range(3))
def test_negatives_follow_their_site(tmp_path, seed):
    store, qc = crowded(tmp_path, seed, kinds=("gc", "flank", "dinucleotide"))
    assert (store.split == store.split[store.parent]).all()
    sites = np.flatnonzero(store.targets[:, 0] > 0)
    assert store.parent[sites].tolist() == sites.tolist()
    assert np.isin(store.parent, sites).all()
    kinds = np.array(kinds_of(store))
    assert store.info["kinds"] == ["site", "gc", "flank", "dinucleotide"]
    assert store.info["negatives"] == "gc"
    per_split = [(kinds[store.rows(name)] == "gc").sum() for name in SPLITS]
    assert per_split == [2 * (kinds[store.rows(name)] == "site").sum() for name in SPLITS]
    # Only the first kind is trained on.
    assert set(kinds[store.rows("train")]) == {"site", "gc"}
    assert counts_of(qc)["test negatives: flank"] == (kinds[store.rows("test")] == "flank").sum()


def test_negatives_match_the_gc_of_their_site(tmp_path):
    store, _ = crowded(tmp_path, 0, kinds=("gc",), gc_tolerance=0.1)
    rows = np.flatnonzero(store.targets[:, 0] == 0)
    found, wanted = gc_content(store.codes[rows]), gc_content(store.codes[store.parent[rows]])
    assert abs(found - wanted).max() <= 0.1 + 1e-9


def test_genomic_negatives_are_what_the_genome_holds(tmp_path):
    store, _ = crowded(tmp_path, 1)
    chroms = np.array(store.info["chromosomes"], object)[store.chrom]
    found = extract_windows(tmp_path / "genome.fa", chroms, store.start, 10)
    assert store.codes.tolist() == found.tolist()


def test_flanks_lie_beside_their_site(tmp_path):
    store, _ = crowded(tmp_path, 2, kinds=("flank",))
    rows = np.flatnonzero(store.targets[:, 0] == 0)
    distance = abs(store.start[rows] - store.start[store.parent[rows]])
    assert (store.chrom[rows] == store.chrom[store.parent[rows]]).all()
    assert set(distance) == {15}  # 10 bases of the window, 5 between


def test_genomic_negatives_keep_off_peaks_and_excluded_regions(tmp_path):
    lines = [bed("chrA", 100, 300), bed("chrB", 50), bed("chrB", 20, 5)]
    store, _ = from_peaks(
        tmp_path,
        {"chrA": bases(1, 520), "chrB": bases(2, 300), "chrC": bases(3, 100)},
        lines,
        excluded=["chrA\t0\t80", "chrB\t100\t270"],
        negatives={"kinds": ["gc"], "train_per_positive": 8, "gc_tolerance": 0.5},
    )
    made = store.targets[:, 0] == 0
    for chrom, start in zip(store.chrom[made], store.start[made], strict=True):
        blocked = [(0, 80), (100, 400)] if chrom == 0 else [(50, 60), (20, 25), (100, 270)]
        assert all(start + 10 <= begin or start >= end for begin, end in blocked)


def test_genomic_negatives_that_repeat_another_split_are_dropped(tmp_path):
    # chrB is chrA again and chrC its reverse complement: every window has copies elsewhere.
    chromosome = bases(5, 60)
    genome = {"chrA": chromosome, "chrB": chromosome, "chrC": turned(chromosome)}
    lines = [bed("chrA", 0), bed("chrB", 25), bed("chrC", 50 - 50)]
    store, qc = from_peaks(
        tmp_path,
        genome,
        lines,
        negatives={
            "kinds": ["gc"],
            "train_per_positive": 12,
            "test_per_positive": 12,
            "gc_tolerance": 0.5,
        },
    )
    dropped = {note: n for stage, n, note in qc if stage.endswith("negative also in another split")}
    made = {stage: n for stage, n, _ in qc if " negatives: " in stage}
    assert dropped["validation, gc"] > 0
    assert dropped["test, gc"] > 0
    for name in SPLITS:
        assert made[f"{name} negatives: gc"] + dropped[f"{name}, gc"] == 12
    words = [
        {min(word, turned(word)) for word in letters_of(store, store.rows(name))} for name in SPLITS
    ]
    assert not words[0] & words[1]
    assert not words[0] & words[2]
    assert not words[1] & words[2]


def test_flanks_of_too_many_unknown_bases_are_dropped(tmp_path):
    chromosome = put(bases(6, 200), 60, "N" * 60)
    lines = [bed("chrA", 45), bed("chrA", 125), bed("chrB", 40)]
    store, qc = from_peaks(
        tmp_path,
        GENOME | {"chrA": chromosome},
        lines,
        negatives={"kinds": ["flank"], "train_per_positive": 2, "test_per_positive": 2},
    )
    assert ("dropped: negative of too many N", 2, "train, flank") in qc
    assert ("train negatives: flank", 2, "") in qc
    assert sorted(store.start[store.rows("train")]) == [30, 45, 125, 140]


def test_sites_without_known_bases_get_no_gc_negatives(tmp_path):
    chromosome = put(bases(6, 200), 60, "N" * 30)
    lines = [bed("chrA", 70), bed("chrA", 125), bed("chrB", 40)]
    store, qc = from_peaks(
        tmp_path,
        GENOME | {"chrA": chromosome},
        lines,
        windows={"max_unknown": 1.0},
        negatives={"kinds": ["gc"], "train_per_positive": 3, "gc_tolerance": 0.5},
    )
    assert counts_of(qc)["train sites"] == 2
    assert counts_of(qc)["train negatives: gc"] == 3
    assert set(store.parent[store.targets[:, 0] == 0]) == {1, 2}


def test_no_negatives(tmp_path):
    store, _ = from_peaks(tmp_path, GENOME, PEAKS, negatives={"kinds": ["none"]})
    assert set(kinds_of(store)) == {"site"}
    assert store.info["negatives"] == "none"


def test_too_few_flanks_are_an_error(tmp_path):
    lines = [bed("chrA", 40), bed("chrB", 0, 100)]
    with pytest.raises(InputError, match=r"none of the 10 windows .* beside the positives"):
        from_peaks(tmp_path, GENOME, lines, negatives={"kinds": ["flank"]})
    assert not (tmp_path / "sequences.safetensors").exists()


# Tables


def table_of(seed, n, length=12):
    return [decode(row) for row in random_codes(seed, n, length)]


def test_given_labels(tmp_path):
    words = table_of(0, 40)
    rows = [(word, i % 2) for i, word in enumerate(words)]
    store, qc = from_table(tmp_path, rows)
    assert letters_of(store) == words
    assert store.targets[:, 0].tolist() == [i % 2 for i in range(40)]
    assert set(kinds_of(store)) == {"given"}
    assert store.info["negatives"] == "given"
    assert [len(store.rows(name)) for name in SPLITS] == [19, 9, 12]
    assert store.start.tolist() == [-1] * 40
    assert store.parent.tolist() == list(range(40))
    assert qc == [
        ("sequences read", 40, "table.tsv"),
        ("dropped: repeated sequence", 0, ""),
        ("dropped: sequence labelled both 0 and 1", 0, ""),
        ("dropped: too many N", 0, ""),
        ("dropped: sequence also in the test split", 0, "either strand"),
        ("dropped: training sequence also in validation", 0, ""),
        ("train sites", 19, ""),
        ("validation sites", 9, ""),
        ("test sites", 12, ""),
    ]


def test_positives_only_get_shuffles(tmp_path):
    store, qc = from_table(
        tmp_path, [(word, 1) for word in table_of(1, 10)], negatives={"test_per_positive": 3}
    )
    kinds = np.array(kinds_of(store))
    assert store.info["negatives"] == "dinucleotide"
    assert len(store.rows("train")) == 4
    assert (kinds[store.rows("train")] == "given").all()
    for name, n in (("validation", 3), ("test", 3)):
        assert (kinds[store.rows(name)] == "dinucleotide").sum() == 3 * n
        assert (f"{name} negatives: dinucleotide", 3 * n, "") in qc
    assert (store.split == store.split[store.parent]).all()


def test_genomic_negatives_of_a_table_are_shuffles(tmp_path):
    rows = [(word, 1) for word in table_of(1, 10)]
    store, _ = from_table(tmp_path, rows, negatives={"kinds": ("gc", "flank")})
    assert store.info["kinds"] == ["given", "dinucleotide"]


def test_positives_only_without_negatives(tmp_path):
    with pytest.raises(InputError, match=r"table.tsv: has positives only and negatives: kinds"):
        from_table(
            tmp_path, [(word, 1) for word in table_of(1, 10)], negatives={"kinds": ("none",)}
        )


def test_fixed_test_file(tmp_path):
    train, test = table_of(2, 20), table_of(3, 6)
    store, qc = from_table(
        tmp_path, [(word, 1) for word in train], [(word, int(i < 3)) for i, word in enumerate(test)]
    )
    rows = store.rows("test")
    assert letters_of(store, rows) == test
    assert store.targets[rows, 0].tolist() == [1, 1, 1, 0, 0, 0]
    assert set(np.array(kinds_of(store))[rows]) == {"given"}
    assert len(store.rows("validation", ["dinucleotide"])) == 60
    assert len(store.rows("train")) == 14
    read = [line for line in qc if line[0] == "sequences read"]
    assert read == [("sequences read", 20, "table.tsv"), ("sequences read", 6, "test.tsv")]


def test_training_sequences_of_a_fixed_test_file_are_dropped(tmp_path):
    train, test = table_of(2, 8), table_of(3, 4)
    train[2], train[5] = test[1], turned(test[3])
    train[6] = train[6][:4] + test[0][4:]  # shares 8 bases
    store, qc = from_table(
        tmp_path,
        [(word, i % 2) for i, word in enumerate(train)],
        [(word, i % 2) for i, word in enumerate(test)],
        splits={"shared_kmer": 8, "validation": {"by": "clusters", "fraction": 0}},
    )
    assert counts_of(qc)["dropped: sequence also in the test split"] == 2
    assert counts_of(qc)["dropped: 8-mer shared with the test split"] == 1
    assert letters_of(store, store.rows("train")) == [train[i] for i in (0, 1, 3, 4, 7)]
    assert letters_of(store, store.rows("test")) == test


def test_sequences_dropped_from_a_table(tmp_path):
    words = table_of(4, 12)
    words[3], words[7] = "N" * 12, words[5].lower()
    # All is held back from the split: which rows are kept is the subject.
    apart = {"test": {"by": "given"}, "validation": {"by": "clusters", "fraction": 0}}
    store, qc = from_table(
        tmp_path, [(word, 1) for word in words], windows={"max_peaks": 4}, splits=apart
    )
    assert counts_of(qc)["dropped: too many N"] == 1
    assert counts_of(qc)["dropped: repeated sequence"] == 1
    assert counts_of(qc)["dropped: weaker than max_peaks"] == 6
    assert letters_of(store) == words[:3] + words[4:5]


def test_max_peaks_leaves_tables_with_both_classes_whole(tmp_path):
    rows = [(word, i % 2) for i, word in enumerate(table_of(4, 12))]
    store, _ = from_table(tmp_path, rows, windows={"max_peaks": 2})
    assert len(store) == 12


def test_replicates_of_a_score_are_averaged(tmp_path):
    words = table_of(4, 8)
    rows = [(word, 10.0 * i) for i, word in enumerate(words)]
    rows += [(words[0].replace("T", "U"), 3.0), (words[0], 6.0)]
    store, qc = from_table(tmp_path, rows, info={"labels": "score"})
    assert counts_of(qc)["dropped: repeated sequence"] == 2
    assert store.targets[letters_of(store).index(words[0]), 0] == 3


def test_sequences_of_both_labels_are_dropped(tmp_path):
    words = table_of(4, 12)
    rows = [(word, i % 2) for i, word in enumerate(words)] + [(words[0], 1), (words[3], 1)]
    store, qc = from_table(tmp_path, rows)
    assert counts_of(qc)["dropped: sequence labelled both 0 and 1"] == 1
    assert counts_of(qc)["dropped: repeated sequence"] == 2
    assert sorted(letters_of(store)) == sorted(words[1:])


def test_scores(tmp_path):
    words = table_of(5, 10)
    values = [3.5, -1, 0, 7.25, 2, 100, -40, 5, 5, 1]
    rows = list(zip(words, values, strict=True))
    store, qc = from_table(tmp_path, rows, info={"labels": "score"}, windows={"max_peaks": 3})
    order = [5, 3, 7, 8, 0, 4, 9, 2, 1, 6]
    assert letters_of(store) == [words[i] for i in order]
    assert store.targets[:, 0].tolist() == [values[i] for i in order]
    assert store.info["negatives"] == "none"
    assert set(kinds_of(store)) == {"given"}
    assert not any("negatives" in stage for stage, _, _ in qc)


def test_ranks_of_scores(tmp_path):
    words = table_of(6, 8)
    rows = [(word, 10 - i) for i, word in enumerate(words)]
    store, _ = from_table(
        tmp_path,
        rows,
        [(word, 1) for word in table_of(7, 2)],
        info={"labels": "score"},
        splits={"validation": {"by": "ranks", "top": 4}},
    )
    assert store.targets[store.rows("validation"), 0].tolist() == [9, 7]


def test_splits_by_chromosomes_become_clusters_for_tables(tmp_path):
    rules = {
        "test": {"by": "chromosomes", "chromosomes": ["chrB"], "fraction": 0.3},
        "validation": {"by": "chromosomes", "chromosomes": ["chrC"], "fraction": 0.3},
    }
    rows = [(word, i % 2) for i, word in enumerate(table_of(0, 40))]
    store, _ = from_table(tmp_path, rows, splits=rules)
    assert [len(store.rows(name)) for name in SPLITS] == [19, 9, 12]


def test_unequal_lengths(tmp_path):
    rows = [("ACGTA", 1), ("TTGCA", 0), ("GGC", 1)]
    with pytest.raises(InputError, match=r"table.tsv, line 4: the sequence is 3 long"):
        from_table(tmp_path, rows)


def test_padded_lengths(tmp_path):
    rows = [("ACGTACGA", 1), ("TTGCA", 0), ("GGC", 1)]
    test = [("TTTTTTTTTTGG", 1), ("A", 0)]
    store, _ = from_table(
        tmp_path,
        rows,
        test,
        windows={"unequal_lengths": "pad"},
        splits={"validation": {"by": "clusters", "fraction": 0}},
    )
    assert letters_of(store) == [
        "ACGTACGANNNN",
        "TTGCANNNNNNN",
        "GGCNNNNNNNNN",
        "TTTTTTTTTTGG",
        "ANNNNNNNNNNN",
    ]


def test_a_test_file_of_another_length(tmp_path):
    rows, test = [("ACGTA", 1), ("TTGCA", 0)], [("ACG", 1)]
    with pytest.raises(InputError, match=r"test.tsv: its sequences are 3 long .* are 5; make"):
        from_table(tmp_path, rows, test)


def test_bad_line_of_the_test_file(tmp_path):
    rows, test = [("ACGTA", 1), ("TTGCA", 0)], [("ACGTT", 1), ("GGG", 0)]
    with pytest.raises(InputError, match=r"test.tsv, line 3: the sequence is 3 long"):
        from_table(tmp_path, rows, test)


def test_no_sequence_left(tmp_path):
    with pytest.raises(InputError, match=r"table.tsv: no sequence is left after filtering"):
        from_table(tmp_path, [("NNNNN", 1), ("NNNNN", 0)])


def test_everything_leaks(tmp_path):
    rows = [("ACGTA", 1), ("TTGCA", 0)]
    with pytest.raises(InputError, match="no training example is left"):
        from_table(tmp_path, rows, rows)


def test_rna(tmp_path):
    words = [word.replace("T", "U") for word in table_of(8, 20)]
    words[1] = turned(words[0]).replace("T", "U")
    rows = [(word, i % 2) for i, word in enumerate(words)]
    for seed in range(5):
        store, qc = from_table(tmp_path, rows, info={"alphabet": "rna"}, seed=seed)
        assert [word.replace("T", "U") for word in letters_of(store)] == words
        assert counts_of(qc)["dropped: sequence also in the test split"] == 0


def config_params():
    return SimpleNamespace(
        row=INFO | {"path": "peaks.bed"},
        windows={"length": 51, "max_unknown": 0.2, "max_peaks": None, "unequal_lengths": "pad"},
        splits={**BY_CLUSTER, "shared_kmer": 20},
        negatives={
            "kinds": ["gc", "flank"],
            "train_negatives_per_positive": 3,
            "test_negatives_per_positive": 7,
            "flank_distance": 90,
            "gc_tolerance": 0.02,
        },
        seed=5,
    )


def test_rules_of_a_config():
    assert datasets.rules_from_config(config_params()) == {
        "windows": WindowRules(51, 0.2, None, "pad"),
        "split_rules": SplitRules(BY_CLUSTER["test"], BY_CLUSTER["validation"], 20),
        "negative_rules": NegativeRules(("gc", "flank"), 3, 7, 90, 0.02),
        "seed": 5,
        "info": INFO,
    }


def test_chromosomes_of_folds_are_read_by_name(tmp_path):
    lines = ["fold\tchromosome\tbases", "1\t1\t9", "2\tX\t7"]
    table = write_lines(tmp_path / "folds.tsv", lines)
    rules = datasets.rules_from_config(config_params(), table)["split_rules"]
    assert rules.chromosome_folds == {"1": 1, "X": 2}


def test_the_genome_may_be_encoded_before(tmp_path):
    from motifloom.sequences import encode_genome

    store, _ = from_peaks(tmp_path, GENOME, PEAKS, **RULES)
    encode_genome(tmp_path / "genome.fa", tmp_path / "genome.safetensors")
    datasets.build_from_peaks(
        tmp_path / "peaks.bed",
        tmp_path / "genome.safetensors",
        tmp_path / "again.safetensors",
        tmp_path / "again.tsv",
        windows=WindowRules(10, max_peaks=6),
        split_rules=SplitRules(**BY_CHROMOSOME, shared_kmer=0),
        negative_rules=NegativeRules(test_per_positive=2),
        seed=1,
        info=INFO,
        excluded=[tmp_path / "excluded.bed"],
    )
    again = SequenceStore.open(tmp_path / "again.safetensors")
    assert again.codes.tolist() == store.codes.tolist()
    assert again.info["chromosomes"] == Genome.open(tmp_path / "genome.fa").names
