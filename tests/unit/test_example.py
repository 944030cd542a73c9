import hashlib

import numpy as np
import pandas as pd
import pytest

from motifloom import example
from motifloom.files import InputError
from motifloom.sequences import Genome, encode, extract_windows, open_fasta

SIZE, SITES, SEED = 60_000, 40, 7
NARROW_PEAK = ["chrom", "start", "end", "name", "score", "strand"]
NARROW_PEAK += ["signal", "p_value", "q_value", "offset"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example")
    example.simulate(folder, SEED, genome_size=SIZE, sites_per_tf=SITES)
    return folder


@pytest.fixture(scope="module")
def genome(folder):
    return Genome.open(folder / "genome.fa.gz")


@pytest.fixture(scope="module")
def truth(folder):
    return pd.read_csv(folder / "truth.tsv", sep="\t")


@pytest.fixture(scope="module")
def counts():
    return example.jaspar_counts(example.PLANTED.values(), "JASPAR2026")


def read_peaks(folder, tf):
    return pd.read_csv(
        folder / "peaks" / f"{tf}.narrowPeak", sep="\t", header=None, names=NARROW_PEAK
    )


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


# ---- Small pieces ------------------------------------------------------------------------------


def test_log_odds_of_a_uniform_column_is_zero_and_counts_one_pseudocount():
    background = np.full(4, 0.25)
    weights = example.log_odds(np.array([[1.0, 3], [1, 0], [1, 0], [1, 0]]), background)
    np.testing.assert_allclose(weights[:, 0], 0, atol=1e-12)
    np.testing.assert_allclose(weights[:, 1], np.log2([3.25, 0.25, 0.25, 0.25]))


def test_scan_reads_both_strands_and_takes_n_as_the_worst_base():
    weights = np.array([[2.0, 0], [0, 3], [0, 0], [-1, 0]])  # AC is best: 5
    scores = example.scan(encode("ACGTN"), weights)
    np.testing.assert_array_equal(scores, [[5, 0, 0, -1], [0, 0, 5, -1]])


def test_scan_keeps_leading_axes():
    codes = np.stack([encode("ACGT"), encode("TTTT")])
    scores = example.scan(codes, np.eye(4, 2))
    assert scores.shape == (2, 2, 3)
    np.testing.assert_array_equal(scores[1], [[0, 0, 0], [1, 1, 1]])


def test_draw_sites_follows_the_columns():
    certain = np.array([[5.0, 0, 0], [0, 0, 0], [0, 9, 0], [0, 0, 1]])
    drawn = example.draw_sites(certain, 50, np.random.default_rng(0))
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, np.tile([0, 2, 3], (50, 1)))
    mixed = example.draw_sites(np.array([[7.0], [1], [1], [1]]), 4000, np.random.default_rng(0))
    assert (mixed == 0).mean() == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize("gc", example.ISOCHORE_GC)
def test_transition_table_is_stochastic_with_the_gc_asked_for(gc):
    table = example.transition_table(gc)
    assert table.shape == (64, 4)
    np.testing.assert_allclose(table.sum(axis=1), 1)
    assert example._stationary_gc(table) == pytest.approx(gc, abs=1e-4)
    after_c = table.reshape(4, 4, 4, 4)[:, :, 1]
    assert (after_c[..., 2] < after_c[..., 1] / 2).all()  # CpG is rarer than CpC


def test_of_near_sites_only_the_strongest_is_kept():
    position = np.array([0, 100, 400, 500, 600])
    occupancy = np.array([0.2, 0.9, 0.5, 0.7, 0.6])
    np.testing.assert_array_equal(
        example._shadowed(position, occupancy), [True, False, True, False, True]
    )


def test_equally_strong_neighbours_leave_one():
    shadowed = example._shadowed(np.array([0, 10]), np.array([0.5, 0.5]))
    assert shadowed.tolist() == [True, False]


def test_fasta_lines():
    letters = np.frombuffer(b"ACGTACG", np.uint8)
    assert example._fasta_lines(letters, width=3) == b"ACG\nTAC\nG\n"
    assert example._fasta_lines(letters[:6], width=3) == b"ACG\nTAC\n"


# ---- The whole example -------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(folder, tmp_path):
    example.simulate(tmp_path / "again", SEED, genome_size=SIZE, sites_per_tf=SITES)
    example.simulate(tmp_path / "other", SEED + 1, genome_size=SIZE, sites_per_tf=SITES)
    first, again, other = digests(folder), digests(tmp_path / "again"), digests(tmp_path / "other")
    assert first == again
    assert [name for name in first if first[name] == other[name]] == ["motifs.meme"]
    assert set(first) == {
        "genome.fa.gz",
        "motifs.meme",
        "rna.fa",
        "selex.tsv",
        "truth.tsv",
        *(f"peaks/{tf}.narrowPeak" for tf in example.PLANTED),
    }


def test_chromosomes_have_the_lengths_asked_for(genome):
    assert list(genome.lengths) == [f"chr{i}" for i in range(1, 7)]
    lengths = list(genome.lengths.values())
    assert sum(lengths) == SIZE
    assert lengths == sorted(set(lengths), reverse=True)


def test_genome_is_bgzipped_with_n_runs_lower_case_and_mammalian_composition(folder, genome):
    assert (folder / "genome.fa.gz").read_bytes()[12:14] == b"BC"
    with open_fasta(folder / "genome.fa.gz") as fasta:
        letters = "".join(str(fasta[name]) for name in genome.lengths)
    assert 0.2 < sum(letters.count(base) for base in "acgt") / SIZE < 0.6
    codes = np.concatenate([genome.codes(chrom) for chrom in genome.lengths])
    assert 0.005 < (codes == 4).mean() < 0.04
    assert all(genome.codes(chrom)[[0, -1]].tolist() == [4, 4] for chrom in genome.lengths)
    known = codes[codes < 4]
    share = np.bincount(known, minlength=4) / len(known)
    assert 0.38 < share[1] + share[2] < 0.47
    cpg = ((codes[:-1] == 1) & (codes[1:] == 2)).mean()
    assert 0.1 < cpg / (share[1] * share[2]) < 0.6


@pytest.mark.parametrize("tf", example.PLANTED)
def test_planted_sites_stand_where_the_truth_says(tf, genome, truth, counts):
    sites = truth[(truth["dataset"] == tf) & (truth["kind"] == "site")]
    matrix = counts[example.PLANTED[tf]]
    assert len(sites) == SITES
    assert (sites["end"] - sites["start"] == matrix.shape[1]).all()
    weights = example.log_odds(matrix, example.GENOME_COMPOSITION)
    windows = extract_windows(genome, sites["chrom"], sites["start"], matrix.shape[1])
    both = example.scan(windows, weights)[:, :, 0]
    found = np.where(sites["strand"] == "-", both[:, 1], both[:, 0])
    np.testing.assert_allclose(found, sites["matrix_score"], atol=1e-3)
    elsewhere = example.scan(genome.codes("chr1"), weights)
    assert found.mean() > np.quantile(elsewhere, 0.995)
    assert np.median(found) > 0.6 * weights.max(axis=0).sum()
    assert np.corrcoef(found, sites["occupancy"])[0, 1] > 0.5


def test_no_two_sites_overlap(truth):
    sites = truth[(truth["kind"] == "site") & truth["chrom"].notna()]
    for _, on_chrom in sites.sort_values("start").groupby("chrom"):
        assert (on_chrom["start"].to_numpy()[1:] >= on_chrom["end"].to_numpy()[:-1]).all()


def test_gata1_and_spi1_bind_side_by_side_on_one_strand(truth):
    sites = truth[truth["kind"] == "site"].set_index("dataset")
    pairs = sites.loc["GATA1"].merge(sites.loc["SPI1"], on=["chrom", "strand"])
    downstream = np.where(
        pairs["strand"] == "+",
        pairs["start_y"] - pairs["end_x"],
        pairs["start_x"] - pairs["end_y"],
    )
    near = (downstream >= example.COBOUND_GAP[0]) & (downstream <= example.COBOUND_GAP[1])
    planted = round(example.COBOUND_SHARE * SITES)
    assert planted <= near.sum() <= planted + 3


@pytest.mark.parametrize("tf", example.PLANTED)
def test_narrow_peaks_are_valid(tf, folder, genome):
    peaks = read_peaks(folder, tf)
    lengths = peaks["chrom"].map(genome.lengths)
    width = peaks["end"] - peaks["start"]
    assert ((peaks["start"] >= 0) & (peaks["end"] <= lengths)).all()
    assert width.between(1, example.PEAK_WIDTH[1]).all()
    assert ((peaks["offset"] >= 0) & (peaks["offset"] < width)).all()
    assert peaks["score"].between(0, 1000).all()
    assert pd.api.types.is_integer_dtype(peaks["score"])
    assert (peaks["strand"] == ".").all()
    assert (peaks[["signal", "p_value"]] > 0).all(axis=None)
    assert (peaks["q_value"] >= 0).all()
    assert peaks["name"].is_unique
    ordered = peaks.sort_values(["chrom", "start", "end"], kind="stable")
    assert ordered.index.tolist() == peaks.index.tolist()


@pytest.mark.parametrize("tf", example.PLANTED)
def test_summits_stand_near_the_sites_and_weak_sites_drop_out(tf, folder, truth):
    peaks = read_peaks(folder, tf).set_index("name")
    rows = truth[truth["dataset"] == tf]
    called = rows[rows["called"] == 1].set_index("name")
    assert sorted(called.index) == sorted(peaks.index)
    assert rows.loc[rows["called"] == 0, "name"].isna().all()
    sites = called[called["kind"] == "site"]
    found = peaks.loc[sites.index]
    assert (found["chrom"] == sites["chrom"]).all()
    distance = found["start"] + found["offset"] - (sites["start"] + sites["end"]) / 2
    assert distance.abs().mean() < 1.2 * example.SUMMIT_JITTER
    assert distance.abs().max() < 6 * example.SUMMIT_JITTER
    missed = rows[rows["called"] == 0]
    assert 0 < len(missed) < SITES / 2
    assert missed["occupancy"].mean() < sites["occupancy"].mean()


def test_false_positives_are_few_weak_and_away_from_the_sites(folder, truth):
    peaks = pd.concat([read_peaks(folder, tf) for tf in example.PLANTED]).set_index("name")
    rows = truth[truth["called"] == 1].set_index("name")
    kind = rows["kind"].reindex(peaks.index)
    assert 0.06 < (kind == "false_positive").mean() < 0.12
    signal = peaks["signal"].groupby(kind).mean()
    assert signal["false_positive"] < 0.7 * signal["site"]
    false = rows[(rows["kind"] == "false_positive") & rows["chrom"].notna()]
    sites = truth[truth["kind"] == "site"]
    pairs = false.merge(sites, on=["dataset", "chrom"])
    assert (pairs["start_x"] - pairs["start_y"]).abs().min() > 2 * example.SLOT


def test_selex_scores_follow_the_affinity(folder, truth):
    probes = pd.read_csv(folder / "selex.tsv", sep="\t")
    assert list(probes) == ["name", "sequence", "score"]
    assert len(probes) == example.PROBES
    assert (probes["sequence"].str.len() == example.PROBE_LENGTH).all()
    assert probes["sequence"].is_unique
    assert set("".join(probes["sequence"])) == set("ACGT")
    rows = truth[truth["dataset"] == example.SELEX[0]]
    assert rows["name"].tolist() == probes["name"].tolist()
    assert 0.8 < np.corrcoef(rows["matrix_score"], probes["score"])[0, 1] < 0.99


def test_rna_labels_motif_and_composition(folder, truth):
    lines = (folder / "rna.fa").read_text().splitlines()
    names, labels = zip(*(line[1:].split() for line in lines[::2]), strict=True)
    texts = pd.Series(lines[1::2])
    labels = np.array(labels)
    assert set(labels) == {"0", "1"}
    assert (labels == "1").sum() == (labels == "0").sum() == example.RNA_PAIRS
    assert (texts.str.len() == example.RNA_LENGTH).all()
    assert set("".join(texts)) == set("ACGU")
    bound, unbound = texts[labels == "1"], texts[labels == "0"]
    for base in "ACGU":
        assert bound.str.count(base).sum() == unbound.str.count(base).sum()
    assert bound.str.contains("UGUA").mean() > unbound.str.contains("UGUA").mean() + 0.3
    rows = truth[truth["dataset"] == example.RNA]
    assert rows["name"].tolist() == list(names)
    assert (rows["called"].astype(str) == labels).all()
    sites = rows[(rows["kind"] == "site") & (rows["matrix_score"] > 12)]
    spots = zip(texts[(rows["name"].isin(sites["name"])).to_numpy()], sites["start"], strict=True)
    assert all(text[int(start) : int(start) + 3] == "UGU" for text, start in spots)


def test_meme_file_reads_back(folder):
    from memelite.io import read_meme

    motifs = read_meme(str(folder / "motifs.meme"))
    assert [name.split()[0] for name in motifs] == ["PUM2"]
    np.testing.assert_allclose(next(iter(motifs.values())), example.PUM2, atol=1e-6)


def test_pum2_is_a_distribution_with_the_published_consensus():
    np.testing.assert_allclose(example.PUM2.sum(axis=0), 1)
    best = "".join("ACGU"[row] for row in example.PUM2.argmax(axis=0))
    assert best == "UGUAAAUA"


# ---- What cannot be done -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"genome_size": 1000}, "genome_size is 1000"),
        ({"genome_size": 40_000, "sites_per_tf": 500}, "lower sites_per_tf"),
        ({"sites_per_tf": 1}, "sites_per_tf is 1"),
        ({"jaspar_release": "JASPAR1999"}, "not among those of pyjaspar"),
        ({"jaspar_release": "JASPAR2022"}, "is not in JASPAR2022"),
    ],
)
def test_impossible_requests_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        example.simulate(tmp_path, SEED, **options)
    assert not list(tmp_path.iterdir())
