"""The genome in labelled bins, on chromosomes of a few bins."""

import numpy as np
import pytest
from builders import genome_of, random_codes

from motifloom import splits
from motifloom.bin_store import BinStore
from motifloom.bins import BinRules, Bins, Labels, build_bins, look_at_contexts
from motifloom.files import InputError, file_digest, read_table
from motifloom.sequences import decode, extract_windows, reverse_complement
from motifloom.store import SPLITS

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
    genome_of(genome, tmp_path / "genome.safetensors")
    paths = {}
    for name, lines in peaks.items():
        paths[name] = tmp_path / f"{name}.bed"
        paths[name].write_text("\n".join(lines) + "\n")
    given = {"test": ["chrB"], "validation": ["chrC"], "max_unknown": 0.3}
    given["threads"] = 1
    given |= {key: changes.pop(key) for key in list(changes) if key in (*given, "excluded")}
    rules = {"bin": 10, "context": 20, "ignored_chromosomes": ("chrM",)}
    rules |= {"empty_per_labelled": None} | changes
    build_bins(
        paths,
        tmp_path / "genome.safetensors",
        tmp_path / "bins.safetensors",
        tmp_path / "qc.tsv",
        rules=BinRules(**rules),
        seed=seed,
        **given,
    )
    return BinStore.open(tmp_path / "bins.safetensors", tmp_path / "genome.safetensors")


def places(store, rows=slice(None)):
    """Chromosome and first base of the bins (not of their contexts)."""
    chroms = np.array(store.genome.names, object)[store.chrom[rows]]
    flank = (store.length - store.info["bin"]) // 2
    return list(zip(chroms.tolist(), (store.start[rows] + flank).tolist(), strict=True))


def qc_of(tmp_path):
    table = read_table(tmp_path / "qc.tsv", ("stage", "note"))
    return list(table.itertuples(index=False, name=None))


def labelled(store, column):
    labels = store.labels(np.arange(len(store)))[:, column]
    return [place for place, label in zip(places(store), labels, strict=True) if label]


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
    peaks = PEAKS | {"two": ["chrA\t0\t10", "chrC\t9\t30"]}
    store = build(tmp_path, label="overlap", min_overlap=1.0, peaks=peaks)
    assert labelled(store, 0) == [("chrA", 40), ("chrB", 10)]
    assert labelled(store, 1) == [("chrA", 0), ("chrC", 10), ("chrC", 20)]


def test_several_peaks_in_one_bin_do_not_add_up(tmp_path):
    peaks = {"one": ["chrA\t0\t4", "chrA\t5\t9", "chrA\t20\t30", "chrB\t0\t9", "chrC\t0\t9"]}
    assert labelled(build(tmp_path, peaks), 0) == [("chrA", 20), ("chrB", 0), ("chrC", 0)]


def test_stored_arrays(tmp_path):
    store = build(tmp_path, label="site")
    chroms = [chrom for chrom, _ in BINS]
    starts = np.array([start for _, start in BINS]) - 5
    expected = extract_windows(tmp_path / "genome.safetensors", chroms, starts, 20)
    assert store.codes(np.arange(12)).tolist() == expected.tolist()
    assert store.start.tolist() == starts.tolist()
    assert [SPLITS[code] for code in store.split] == ["train"] * 6 + ["test"] * 3 + [
        "validation"
    ] * 3
    assert store.info["targets"] == ["one", "two"]
    assert store.info["bin"] == 10
    assert store.info["kinds"] == ["sampled", "unsampled"]
    assert store.info["chromosomes"] == [[name, size] for name, size in SIZES.items()]
    assert store.info["genome_sha256"] == store.genome.digest()
    digests = {name: file_digest(tmp_path / f"{name}.bed") for name in PEAKS}
    assert store.info["peaks_sha256"] == digests
    assert store.offsets.tolist() == [0, 0, 1, 1, 1, 2, 3, 4, 5, 5, 6, 6, 7]
    assert store.tracks.tolist() == [0, 0, 1, 1, 0, 0, 1]
    assert set(store.kind) == {0}
    assert qc_of(tmp_path) == [
        ("bins tiled", 12, "10 bp"),
        ("bins labelled", 4, "one"),
        ("bins labelled", 3, "two"),
        ("dropped: in an excluded region", 0, ""),
        ("dropped: too many N", 0, ""),
        ("dropped: sequence also in the test split", 0, "either strand"),
        ("left out: training bins without a label", 0, ""),
        ("train bins", 6, "3 labelled, 6 sampled"),
        ("validation bins", 3, "2 labelled, 3 sampled"),
        ("test bins", 3, "2 labelled, 3 sampled"),
    ]


def test_contexts_beyond_chromosome_ends_are_unknown(tmp_path):
    store = build(tmp_path, label="site")
    by_place = dict(zip(places(store), store.codes(np.arange(12)), strict=True))
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


def test_training_bins_without_a_label_are_left_out(tmp_path):
    store = build(tmp_path, label="site", empty_per_labelled=0.0)
    kept = [("chrA", 10), ("chrA", 40), ("chrA", 50)]
    assert places(store) == [(c, s) for c, s in BINS if c != "chrA" or (c, s) in kept]
    assert places(store, store.rows("test", ["unsampled"])) == [("chrB", 20)]
    assert places(store, store.rows("validation", ["unsampled"])) == [("chrC", 10)]
    assert places(store, store.rows("test", ["sampled"])) == [("chrB", 0), ("chrB", 10)]
    assert ("left out: training bins without a label", 3, "") in qc_of(tmp_path)
    assert ("test bins", 3, "2 labelled, 2 sampled") in qc_of(tmp_path)


LONG = {
    "chrA": decode(random_codes(5, 1, 4000)[0]),
    "chrB": decode(random_codes(6, 1, 2000)[0]),
    "chrC": decode(random_codes(7, 1, 900)[0]),
}
LONG_PEAKS = {
    "one": ["chrA\t100\t140", "chrB\t100\t110", "chrC\t10\t30"],
    "two": ["chrA\t500\t560", "chrB\t900\t920"],
}


def test_bins_without_a_label_for_each_with_one(tmp_path):
    store = build(tmp_path, LONG_PEAKS, LONG, empty_per_labelled=2.5)
    labelled = store.labelled()
    assert labelled[store.rows("train")].sum() == 10
    for split, n in (("train", 10), ("validation", 2), ("test", 3)):
        sampled = store.rows(split, ["sampled"])
        assert labelled[sampled].sum() == n
        assert len(sampled) == n + round(2.5 * n)
    sizes = [len(store.rows(split)) for split in SPLITS]
    assert sizes == [35, 90, 200]


def test_all_bins_without_a_label_where_there_are_too_few(tmp_path):
    store = build(tmp_path, LONG_PEAKS, LONG, empty_per_labelled=1000.0)
    assert len(store.rows("train", ["sampled"])) == len(store.rows("train")) == 400


def test_the_seed_chooses_the_bins_without_a_label(tmp_path):
    one, again, other = (build(tmp_path, LONG_PEAKS, LONG, seed, empty_per_labelled=3.0)
                         for seed in (1, 1, 2))  # fmt: skip
    assert places(one) == places(again)
    assert places(one) != places(other)
    assert labelled(one, 0) == labelled(other, 0)


def test_tracks_with_too_few_labelled_training_bins(tmp_path, caplog):
    peaks = PEAKS | {"three": ["chrB\t0\t10"], "four": PEAKS["one"]}
    with caplog.at_level("INFO", "motifloom.bins"):
        store = build(tmp_path, peaks, label="site", min_positives=2)
    assert store.info["targets"] == ["one", "four"]
    assert store.info["left_out"] == ["two", "three"]
    assert labelled(store, 0) == labelled(store, 1)
    assert labelled(store, 1) == [("chrA", 10), ("chrA", 40), ("chrB", 10), ("chrC", 0)]
    stage = "labelled training bins of a track left out"
    assert {(stage, 1, "two"), (stage, 0, "three")} <= set(qc_of(tmp_path))
    assert "track two is left out: 1 labelled training bins (min_positives is 2)" in caplog.text


def test_no_track_with_enough_labelled_training_bins(tmp_path):
    with pytest.raises(InputError, match="no track has 9 labelled training bins; for narrow peaks"):
        build(tmp_path, min_positives=9)


def test_tracks_none_of_whose_peaks_makes_a_positive_bin(tmp_path):
    narrow = {"one": ["chrA\t5\t6", "chrB\t5\t6", "chrC\t5\t6"]}
    with pytest.raises(InputError, match=r"no track has 1 labelled training bins.*label: site"):
        build(tmp_path, narrow, label="overlap")


def test_held_out_chromosomes_that_the_genome_lacks(tmp_path):
    with pytest.raises(InputError, match=r"splits: chromosome 'chr8' is not in the genome .*chrA"):
        build(tmp_path, test=["chrB", "chr8"])


def test_all_bins_excluded(tmp_path):
    excluded = tmp_path / "excluded.bed"
    excluded.write_text("chrA\t0\t64\nchrB\t0\t35\nchrC\t0\t30\n")
    with pytest.raises(InputError, match=r"no bin is left of 12 \(12 in an excluded region\)"):
        build(tmp_path, excluded=[excluded])


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


@pytest.mark.parametrize(("chrom", "split"), [("chrB", "test"), ("chrC", "validation")])
def test_splits_without_a_label(tmp_path, chrom, split):
    peaks = {"one": [f"{name}\t10\t20" for name in ("chrA", "chrB", "chrC") if name != chrom]}
    with pytest.raises(InputError, match=f"no {split} bin carries a label; choose other {split}"):
        build(tmp_path, peaks)
    assert not (tmp_path / "bins.safetensors").exists()
    assert not (tmp_path / "qc.tsv").exists()


def test_peaks_of_another_assembly(tmp_path):
    with pytest.raises(InputError, match=r"one.bed, line 1: .* right genome assembly"):
        build(tmp_path, {"one": ["chrA\t5\t65"]})


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    found = []
    for name in "ab":
        (tmp_path / name).mkdir()
        build(tmp_path / name, empty_per_labelled=1.0)
        found.append((tmp_path / name / "bins.safetensors").read_bytes())
    assert found[0] == found[1]


def test_threads_change_nothing(tmp_path):
    found = []
    for threads in (1, 3):
        folder = tmp_path / str(threads)
        folder.mkdir()
        build(folder, LONG_PEAKS, LONG, empty_per_labelled=1.0, threads=threads)
        found.append((folder / "bins.safetensors").read_bytes())
    assert found[0] == found[1]


# Against a dense reference


def random_peaks(seed, n, sizes):
    """Peaks (chromosome, start, end) of 1 to 45 bases."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        chrom = str(rng.choice(list(sizes)))
        width = int(rng.integers(1, 46))
        start = int(rng.integers(sizes[chrom] - width + 1))
        found.append((chrom, start, start + width))
    return found


def covered(bins, peaks, label, least):
    """Labels bool [bins] of peaks, one bin and one peak after the other."""
    found = np.zeros(len(bins), bool)
    for i, (chrom, first) in enumerate(bins):
        for other, start, end in peaks:
            if other != chrom:
                continue
            if label == "site":
                found[i] |= first <= (start + end) // 2 < first + 10
            else:
                found[i] |= min(first + 10, end) - max(first, start) >= 10 * least
    return found


@pytest.mark.parametrize(
    ("label", "least"), [("site", 0.5), ("overlap", 0.1), ("overlap", 0.5), ("overlap", 1.0)]
)
def test_labels_are_those_of_a_dense_reference(tmp_path, label, least):
    sizes = {name: len(letters) for name, letters in LONG.items()}
    peaks = {f"t{track}": random_peaks(track, 60, sizes) for track in range(5)}
    lines = {name: ["\t".join(map(str, peak)) for peak in rows] for name, rows in peaks.items()}
    store = build(tmp_path, lines, LONG, label=label, min_overlap=least)
    bins = [(chrom, first) for chrom, size in sizes.items() for first in range(0, size - 9, 10)]
    assert places(store) == bins
    expected = [covered(bins, rows, label, least) for rows in peaks.values()]
    assert store.labels(np.arange(len(store))).T.tolist() == np.array(expected, float).tolist()


def test_joined_labels():
    labels = Labels.join([np.array([0, 3]), np.array([], int), np.array([1, 3])], 5)
    assert labels.offsets.tolist() == [0, 1, 2, 2, 4, 4]
    assert labels.tracks.tolist() == [0, 2, 0, 2]
    assert labels.any.tolist() == [True, True, False, True, False]
    some = labels.take(np.array([1, 2, 3]))
    assert (some.offsets.tolist(), some.tracks.tolist()) == ([0, 1, 1, 3], [2, 0, 2])
    assert labels.positives(np.array([True, False, False, True, True]), 3).tolist() == [2, 0, 1]
    kept = labels.keep_tracks(np.array([False, True, True]))
    assert (kept.offsets.tolist(), kept.tracks.tolist()) == ([0, 0, 1, 1, 2, 2], [1, 1])


# Contexts


def looked_at(records, starts, bin=10, context=20):
    genome = genome_of(records)
    chrom = np.arange(len(records), dtype=np.int32)
    rules = BinRules(bin=bin, context=context)
    return look_at_contexts(genome, Bins(chrom, np.array(starts)), rules)


def test_unknown_bases_of_contexts():
    unknown, _ = looked_at({"a": "ACGTN" * 10, "b": "A" * 20, "c": "N" * 30}, [10, 10, 0])
    assert unknown.tolist() == [4, 5, 20]


@pytest.mark.parametrize("context", [14, 20, 24, 30])
def test_hashes_are_alike_for_both_strands_alone(context):
    codes = random_codes(1, 1, context, letters=5)[0]
    changed = codes.copy()
    changed[context // 3] = (changed[context // 3] + 1) % 5
    records = {
        "forward": decode(codes),
        "reverse": decode(reverse_complement(codes)),
        "turned": decode(codes[::-1]),
        "changed": decode(changed),
    }
    flank = (context - 10) // 2
    _, hashes = looked_at(records, [flank] * 4, context=context)
    assert hashes[0] == hashes[1]
    assert len(set(hashes.tolist())) == 3


def test_contexts_of_equal_hashes_that_differ_are_no_leak(tmp_path, monkeypatch):
    def blind(genome, bins, rules, threads=1):
        return np.zeros(len(bins), np.int32), np.zeros(len(bins), np.uint64)

    monkeypatch.setattr("motifloom.bins.look_at_contexts", blind)
    assert places(build(tmp_path, label="site")) == BINS


def test_leaks_are_those_of_the_exact_comparison(tmp_path):
    # Few letters make repeats frequent: contexts of 10 of one or two kinds of bases.
    rng = np.random.default_rng(3)
    records = {
        name: "".join(rng.choice(list(letters), 3000))
        for name, letters in (("chrA", "AT"), ("chrB", "AT"), ("chrC", "AC"))
    }
    peaks = {"one": [f"chr{c}\t0\t2000" for c in "ABC"]}
    store = build(tmp_path, peaks, records, bin=10, context=12, label="overlap")
    bins = [(c, start) for c in records for start in range(0, 3000, 10)]
    chroms, starts = [c for c, _ in bins], np.array([s for _, s in bins]) - 1
    codes = extract_windows(tmp_path / "genome.safetensors", chroms, starts, 12)
    test = np.array([chrom == "chrB" for chrom in chroms])
    leaked = ~test & splits.repeats(codes, codes[test])
    assert 10 < leaked.sum() < 200
    assert places(store) == [place for place, gone in zip(bins, leaked, strict=True) if not gone]
    splits.check_no_leak(store.codes(np.arange(len(store))), store.split)
