"""The genome in labelled bins, on chromosomes of a few bins."""

import numpy as np
import pytest
from builders import random_codes

from motifloom.bins import BinRules, build_bins
from motifloom.files import InputError, read_table
from motifloom.sequences import decode, extract_windows
from motifloom.store import SPLITS, SequenceStore

SIZES = {"chrA": 64, "chrB": 35, "chrC": 30, "chrM": 40}
GENOME = {
    name: decode(random_codes(seed, 1, size)[0]) for seed, (name, size) in enumerate(SIZES.items())
}
# 6 bins of chrA, 3 each of chrB and chrC; tails of 4 and 5 bases make no bin.
BINS = [("chrA", i * 10) for i in range(6)] + [
    (c, i * 10) for c in ("chrB", "chrC") for i in range(3)
]
PEAKS = {
    "one": ["chrA\t5\t15", "chrA\t38\t52", "chrB\t10\t20", "chrC\t0\t4", "chrA\t60\t64"],
    "two": ["chrA\t50\t60", "chrB\t4\t6", "chrC\t12\t30", "scaffold\t1\t9"],
}


def build(tmp_path, peaks=PEAKS, genome=GENOME, seed=1, **changes):
    fasta = tmp_path / "genome.fa"
    fasta.write_text("".join(f">{name}\n{letters}\n" for name, letters in genome.items()))
    paths = {}
    for name, lines in peaks.items():
        paths[name] = tmp_path / f"{name}.bed"
        paths[name].write_text("\n".join(lines) + "\n")
    given = {"test": ["chrB"], "validation": ["chrC"], "max_unknown": 0.3}
    given |= {key: changes.pop(key) for key in list(changes) if key in (*given, "excluded")}
    rules = {"bin": 10, "context": 20, "ignored_chromosomes": ("chrM",)} | changes
    build_bins(
        paths,
        fasta,
        tmp_path / "sequences.safetensors",
        tmp_path / "qc.tsv",
        rules=BinRules(**rules),
        seed=seed,
        **given,
    )
    return SequenceStore.open(tmp_path / "sequences.safetensors")


def places(store, rows=slice(None)):
    """Chromosome and first base of the bins (not of their contexts)."""
    chroms = np.array(store.info["chromosomes"], object)[store.chrom[rows]]
    return list(zip(chroms.tolist(), (store.start[rows] + 5).tolist(), strict=True))


def qc_of(tmp_path):
    table = read_table(tmp_path / "qc.tsv", ("stage", "note"))
    return list(table.itertuples(index=False, name=None))


def labelled(store, column):
    return [
        place for place, label in zip(places(store), store.targets[:, column], strict=True) if label
    ]


def test_labels_by_site(tmp_path):
    store = build(tmp_path, label="site")
    assert places(store) == BINS
    # Summits 10, 45, 15, 2 and 62, the last one in the tail that makes no bin.
    assert labelled(store, 0) == [("chrA", 10), ("chrA", 40), ("chrB", 10), ("chrC", 0)]
    assert labelled(store, 1) == [("chrA", 50), ("chrB", 0), ("chrC", 20)]


def test_labels_by_overlap(tmp_path):
    store = build(tmp_path, label="overlap", min_overlap=0.5)
    assert places(store) == BINS
    # chrA:5-15 covers half of two bins, chrA:38-52 one whole and 2 bases of two others.
    assert labelled(store, 0) == [("chrA", 0), ("chrA", 10), ("chrA", 40), ("chrB", 10)]
    assert labelled(store, 1) == [("chrA", 50), ("chrC", 10), ("chrC", 20)]


def test_labels_by_any_overlap(tmp_path):
    store = build(tmp_path, label="overlap", min_overlap=0.1)
    starts = [0, 10, 30, 40, 50]
    assert labelled(store, 0) == [("chrA", s) for s in starts] + [("chrB", 10), ("chrC", 0)]


def test_labels_by_whole_bins(tmp_path):
    store = build(
        tmp_path, label="overlap", min_overlap=1.0, peaks=PEAKS | {"two": ["chrC\t9\t30"]}
    )
    assert labelled(store, 0) == [("chrA", 40), ("chrB", 10)]
    assert labelled(store, 1) == [("chrC", 10), ("chrC", 20)]


def test_several_peaks_in_one_bin_do_not_add_up(tmp_path):
    peaks = {"one": ["chrA\t0\t4", "chrA\t5\t9", "chrA\t20\t30", "chrB\t0\t9", "chrC\t0\t9"]}
    assert labelled(build(tmp_path, peaks), 0) == [("chrA", 20), ("chrB", 0), ("chrC", 0)]


def test_stored_arrays(tmp_path):
    store = build(tmp_path, label="site")
    chroms = [chrom for chrom, _ in BINS]
    starts = np.array([start for _, start in BINS]) - 5
    expected = extract_windows(tmp_path / "genome.fa", chroms, starts, 20)
    assert store.codes.tolist() == expected.tolist()
    assert store.start.tolist() == starts.tolist()
    assert [SPLITS[code] for code in store.split] == ["train"] * 6 + ["test"] * 3 + [
        "validation"
    ] * 3
    assert store.info["targets"] == ["one", "two"]
    assert store.info["bin"] == 10
    assert store.info["kinds"] == ["sampled", "unsampled"]
    assert set(store.kind) == {0}
    assert qc_of(tmp_path) == [
        ("bins tiled", 12, "10 bp"),
        ("bins labelled", 4, "one"),
        ("bins labelled", 3, "two"),
        ("dropped: in an excluded region", 0, ""),
        ("left out: training and validation bins without a label", 0, ""),
        ("dropped: too many N", 0, ""),
        ("dropped: sequence also in the test split", 0, "either strand"),
        ("train bins", 6, "3 labelled"),
        ("validation bins", 3, "2 labelled"),
        ("test bins", 3, "2 labelled"),
    ]


def test_contexts_beyond_chromosome_ends_are_unknown(tmp_path):
    store = build(tmp_path, label="site")
    by_place = dict(zip(places(store), store.codes, strict=True))
    assert by_place["chrA", 0].tolist()[:5] == [4] * 5
    assert 4 not in by_place["chrA", 0].tolist()[5:]
    assert by_place["chrC", 20].tolist()[-5:] == [4] * 5
    assert 4 not in by_place["chrA", 50].tolist()[:-1]
    assert by_place["chrA", 50].tolist()[-1] == 4  # 64 bases, the context ends at 65


def test_bins_of_too_many_unknown_bases(tmp_path):
    peaks = PEAKS | {"two": [*PEAKS["two"], "chrC\t10\t20"]}
    store = build(tmp_path, peaks, label="site", max_unknown=0.2)
    # 5 of 20 are unknown in the first bins, and in the last of chrC; 1 in the last of chrA.
    dropped = {("chrA", 0), ("chrB", 0), ("chrC", 0), ("chrC", 20)}
    assert set(BINS) - set(places(store)) == dropped
    assert ("dropped: too many N", 4, "") in qc_of(tmp_path)


def test_only_test_bins_without_a_label_are_all_stored(tmp_path):
    store = build(tmp_path, label="site", empty_share=0.0)
    expected = [
        (c, s)
        for c, s in BINS
        if c == "chrB"
        or (c, s) in (("chrA", 10), ("chrA", 40), ("chrA", 50), ("chrC", 0), ("chrC", 20))
    ]
    assert places(store) == expected
    test = store.rows("test")
    assert [store.info["kinds"][kind] for kind in store.kind[test]] == [
        "sampled",
        "sampled",
        "unsampled",
    ]
    assert places(store, store.rows("test", ["sampled"])) == [("chrB", 0), ("chrB", 10)]
    left_out = "left out: training and validation bins without a label"
    assert (left_out, 4, "") in qc_of(tmp_path)


def test_a_share_of_the_bins_without_a_label(tmp_path):
    genome = {
        "chrA": decode(random_codes(5, 1, 4000)[0]),
        "chrB": decode(random_codes(6, 1, 2000)[0]),
    }
    genome["chrC"] = GENOME["chrC"]
    peaks = {"one": ["chrA\t100\t110", "chrB\t100\t110", "chrC\t10\t20"]}
    store = build(tmp_path, peaks, genome, label="site", empty_share=0.25)
    empty = ~store.targets.any(1)
    assert 75 <= (empty & (store.split == 0)).sum() <= 125
    assert (store.split == 2).sum() == 200
    sampled = store.rows("test", ["sampled"])
    assert 35 <= len(sampled) <= 65
    assert store.targets[sampled].any()
    again = build(tmp_path, peaks, genome, label="site", empty_share=0.25)
    assert places(again) == places(store)
    other = build(tmp_path, peaks, genome, label="site", empty_share=0.25, seed=2)
    assert places(other) != places(store)


def test_excluded_regions(tmp_path):
    excluded = tmp_path / "excluded.bed"
    excluded.write_text("chrA\t19\t31\nchrB\t20\t21\nchrM\t0\t9\nscaffold\t0\t9\nchrC\t29\t30\n")
    store = build(tmp_path, label="site", excluded=[excluded])
    gone = {("chrA", 10), ("chrA", 20), ("chrA", 30), ("chrB", 20), ("chrC", 20)}
    assert set(BINS) - set(places(store)) == gone
    assert ("dropped: in an excluded region", 5, "") in qc_of(tmp_path)


def test_test_sequences_are_not_trained_on(tmp_path):
    repeated = GENOME["chrA"][:45] + GENOME["chrB"][5:25][::-1].translate(
        str.maketrans("ACGT", "TGCA")
    )
    store = build(tmp_path, genome=GENOME | {"chrA": repeated[:64]}, label="site")
    # The context of the bin chrA:50-60 would be chrA:45-65, but chrA has 64 bases.
    assert ("chrA", 50) in places(store)
    store = build(tmp_path, genome=GENOME | {"chrA": repeated}, label="site")
    assert set(BINS) - set(places(store)) == {("chrA", 50)}
    assert ("dropped: sequence also in the test split", 1, "either strand") in qc_of(tmp_path)


@pytest.mark.parametrize(
    ("chrom", "split"), [("chrA", "train"), ("chrB", "test"), ("chrC", "validation")]
)
def test_splits_without_a_label(tmp_path, chrom, split):
    peaks = {"one": [f"{name}\t10\t20" for name in ("chrA", "chrB", "chrC") if name != chrom]}
    with pytest.raises(InputError, match=f"no {split} bin carries a label; choose other {split}"):
        build(tmp_path, peaks)
    assert not (tmp_path / "sequences.safetensors").exists()
    assert not (tmp_path / "qc.tsv").exists()


def test_peaks_of_another_assembly(tmp_path):
    with pytest.raises(InputError, match=r"one.bed, line 1: .* right genome assembly"):
        build(tmp_path, {"one": ["chrA\t5\t65"]})


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    found = []
    for name in "ab":
        (tmp_path / name).mkdir()
        build(tmp_path / name, empty_share=0.5)
        found.append((tmp_path / name / "sequences.safetensors").read_bytes())
    assert found[0] == found[1]
