import gzip

import numpy as np
import pandas as pd
import pytest

from motifloom import example
from motifloom import example_variants as planted
from motifloom.sequences import Genome, encode, reverse_complement

SIZE, SITES, SEED = 60_000, 40, 7
PER_TF, NEUTRAL = 13, 50


def written(folder, seed=SEED):
    paths = folder / "variants.vcf.gz", folder / "variants_truth.tsv"
    planted.simulate_variants(
        folder / "genome.fa.gz",
        folder / "truth.tsv",
        *paths,
        seed=seed,
        per_tf=PER_TF,
        n_neutral=NEUTRAL,
    )
    return tuple(path.read_bytes() for path in paths)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    example.simulate(folder, SEED, genome_size=SIZE, sites_per_tf=SITES)
    written(folder)
    return folder


@pytest.fixture(scope="module")
def genome(folder):
    return Genome.open(folder / "genome.fa.gz")


@pytest.fixture(scope="module")
def table(folder):
    return pd.read_csv(folder / "variants_truth.tsv", sep="\t")


@pytest.fixture(scope="module")
def matrices(folder, genome):
    return planted.read_matrices(genome, folder / "truth.tsv", "JASPAR2026")


def haplotypes(genome, row):
    """The 101 bases with the first changed one in the middle, before and after."""
    anchored = len(row.ref) != len(row.alt)
    chromosome = genome.codes(row.chrom)
    start = row.pos - 1 + anchored
    begin = start - 50
    behind = row.pos - 1 + len(row.ref)
    changed = np.concatenate(
        [chromosome[begin:start], encode(row.alt[anchored:]), chromosome[behind : behind + 101]]
    )
    return chromosome[begin : begin + 101], changed[:101]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    first = before["variants.vcf.gz"], before["variants_truth.tsv"]
    other = written(folder, SEED + 1)
    again = written(folder)
    assert again == first
    assert first[0] != other[0]
    assert first[1] != other[1]
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_there_are_enough_of_each_kind(table):
    counts = table.groupby(["kind", "dataset"], dropna=False).size()
    for tf in example.PLANTED:
        assert 8 <= counts["break", tf] <= PER_TF
        assert 10 <= counts["create", tf] <= PER_TF
    assert len(table[table["kind"] == "neutral"]) == 40
    assert len(table[table["kind"] == "flank"]) == 10
    deletions = table["ref"].str.len() > table["alt"].str.len()
    insertions = table["ref"].str.len() < table["alt"].str.len()
    assert set(table.loc[deletions, "kind"]) == {"break", "neutral"}
    assert set(table.loc[insertions, "kind"]) == {"create", "neutral"}
    blocks = table["ref"].str.len().between(2, 4) & (
        table["ref"].str.len() == table["alt"].str.len()
    )
    assert set(table.loc[blocks, "kind"]) == {"create"}


def test_reference_alleles_are_the_genome(table, genome):
    for row in table.itertuples():
        codes = genome.codes(row.chrom)[row.pos - 1 : row.pos - 1 + len(row.ref)]
        np.testing.assert_array_equal(codes, encode(row.ref))
        assert row.ref != row.alt
        if len(row.ref) != len(row.alt):
            assert row.ref[0] == row.alt[0]


def test_deltas_are_those_of_the_matrices(table, genome, matrices):
    for row in table[table["dataset"].notna()].itertuples():
        weights = matrices[row.dataset].weights
        before, after = (example.scan(codes, weights).max() for codes in haplotypes(genome, row))
        assert after - before == pytest.approx(row.delta, abs=1e-3)
        if row.kind == "break":
            assert row.delta <= -planted.LEAST_CHANGE
            assert before >= matrices[row.dataset].strong - 1e-6
        if row.kind == "create":
            assert row.delta >= planted.LEAST_CHANGE
            assert after >= matrices[row.dataset].strong - 1e-6
    assert table.loc[table["kind"] == "neutral", ["dataset", "delta"]].isna().all(axis=None)


def test_neutral_variants_leave_every_site_that_is_not_weak(table, genome, matrices):
    for row in table[table["kind"].isin(["neutral", "flank"])].itertuples():
        for matrix in matrices.values():
            scores = [
                example.scan(codes, matrix.weights).max() for codes in haplotypes(genome, row)
            ]
            assert max(scores) < matrix.weak or abs(scores[1] - scores[0]) < planted.NEUTRAL_CHANGE


def test_broken_sites_hold_the_change_and_others_are_away_from_sites(table, folder):
    truth = pd.read_csv(folder / "truth.tsv", sep="\t")
    sites = truth[(truth["kind"] == "site") & truth["chrom"].notna()]
    for row in table.itertuples():
        first = row.pos - 1 + (len(row.ref) != len(row.alt))
        last = row.pos - 1 + len(row.ref)  # one behind
        near = sites[sites["chrom"] == row.chrom]
        distance = np.maximum(near["start"] - last, first - near["end"] + 1)
        inside = near[(near["start"] <= first) & (last <= near["end"])]
        if row.kind == "break":
            assert row.dataset in set(inside["dataset"])
        else:
            assert (distance >= 0).all()
        if row.kind == "create":
            assert distance[near["dataset"] == row.dataset].min() > 50
        if row.kind == "neutral":
            assert distance.min() >= planted.WINDOW - max(planted.INDEL)
        if row.kind == "flank":
            assert distance[near["dataset"] == row.dataset].min() <= 50


def test_the_vcf_is_sorted_and_says_what_the_table_says(folder, table, genome):
    lines = gzip.decompress((folder / "variants.vcf.gz").read_bytes()).decode().splitlines()
    header = [line for line in lines if line.startswith("##")]
    assert header[0] == "##fileformat=VCFv4.3"
    assert [line for line in header if line.startswith("##contig")] == [
        f"##contig=<ID={name},length={length}>" for name, length in genome.lengths.items()
    ]
    names, *records = (line.split("\t") for line in lines[len(header) :])
    assert names == ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
    assert [record[:5] for record in records] == table[["chrom", "pos", "id", "ref", "alt"]].astype(
        str
    ).to_numpy().tolist()
    assert {tuple(record[5:7]) for record in records} == {(".", "PASS")}
    infos = [dict(entry.split("=") for entry in record[7].split(";")) for record in records]
    assert [info["KIND"] for info in infos] == table["kind"].tolist()
    assert [info.get("DATASET") for info in infos] == table["dataset"].astype(object).where(
        table["dataset"].notna(), None
    ).tolist()
    order = [(genome.names.index(record[0]), int(record[1])) for record in records]
    assert order == sorted(order)
    assert (folder / "variants.vcf.gz").read_bytes()[12:14] == b"BC"


def test_pysam_reads_the_vcf(folder, table):
    pysam = pytest.importorskip("pysam")
    with pysam.VariantFile(str(folder / "variants.vcf.gz")) as stream:
        records = [(r.chrom, r.pos, r.id, r.ref, *r.alts, r.info["KIND"]) for r in stream]
    columns = ["chrom", "pos", "id", "ref", "alt", "kind"]
    assert records == list(table[columns].itertuples(index=False, name=None))


def test_intervals_are_marked_and_clipped():
    marked = planted._covered(6, np.array([-2, 3, 3]), np.array([1, 4, 9]))
    assert marked.tolist() == [True, False, False, True, True, True]


def test_the_worst_base_replaces_one_that_matters():
    weights = np.array([[0.0, 6, 0], [0, 0, 0], [0, 1, 0], [0, -1, 0]])  # column 1: A good, T bad
    genome = Genome(["chr1"], [6], encode("CACCTG"))
    sites = pd.DataFrame({"position": [0, 3], "strand": ["+", "-"]})
    matrix = planted.Matrix(weights, weights, sites, 0, 0)
    found = planted._substitutions(genome, matrix, sites, np.random.default_rng(0))
    # CAC: A at base 1 becomes T. CTG reads CAG on the other strand: T at base 4 becomes A.
    assert found["position"].tolist() == [1, 4]
    assert found["n_ref"].tolist() == [1, 1]
    assert found["alt"].tolist() == ["T", "A"]


def test_the_fewest_adjoining_bases_make_a_site():
    weights = np.where(np.arange(4)[:, None] == encode("ACGTAC"), 2.0, -2.0)
    missing = encode("ACTTAC"), reverse_complement(encode("ATTTAC"))
    codes = np.concatenate(
        [encode("T" * 9), missing[0], encode("T" * 9), missing[1], encode("T" * 9)]
    )
    genome = Genome(["chr1"], [len(codes)], codes)
    matrix = planted.Matrix(weights, weights, None, 12, 0)
    room = np.ones(len(codes), bool)
    found = planted._replacements(genome, matrix, room, np.random.default_rng(0))
    found = found.set_index("position").sort_index()
    assert (found.loc[11, "n_ref"], found.loc[11, "alt"]) == (1, "G")
    # GTAAAT reads ATTTAC on the other strand: its second and third bases CG, here CG behind GTA.
    assert (found.loc[27, "n_ref"], found.loc[27, "alt"]) == (2, "CG")
