from dataclasses import replace

import numpy as np
import pytest

from motifloom.databases import load_jaspar
from motifloom.families import (
    FAMILY_COLUMNS,
    MEMBER_COLUMNS,
    Entry,
    cluster,
    cluster_files,
    group,
    mean_matrix,
)
from motifloom.files import read_table, write_table
from motifloom.motif_files import read_meme, write_meme
from motifloom.motifs import Motif, consensus, motif_table
from motifloom.sequences import encode, one_hot

ABF, REB = "TCGTACATAGTGA", "TTACCCGGAT"


def motif(name, sequence, **fields):
    fields = {"n_sites": 100, **fields}
    return Motif(name, one_hot(encode(sequence)[None])[0] * 0.96 + 0.01, **fields)


def entry(tf, sequence, name="k00", reverse=False, **fields):
    found = motif(name, sequence, **fields)
    turned = found.matrix[::-1, ::-1] if reverse else found.matrix
    return Entry("deepbind", f"{tf}_set", tf, replace(found, matrix=turned))


@pytest.fixture(scope="module")
def fungi():
    return load_jaspar("JASPAR2026", "CORE", ["fungi"])


def test_group_is_average_linkage():
    # Two pairs, close to each other within and at p = 1e-2 between.
    log_pvalues = np.full((4, 4), -2.0)
    log_pvalues[:2, :2] = log_pvalues[2:, 2:] = -8
    assert group(log_pvalues).tolist() == [1, 1, 2, 2]
    log_pvalues[:2, 2:] = log_pvalues[2:, :2] = [[-3, -6], [-3, -6]]
    assert len(set(group(log_pvalues))) == 1
    assert group(np.zeros((1, 1))).tolist() == [0]


def test_cluster_joins_the_same_motif_on_either_strand(fungi):
    entries = [
        entry("Reb1", REB),
        entry("Abf1", ABF),
        entry("Abf2", ABF[1:], reverse=True),
        entry("Abf1", "GG" + ABF[:-1], "k01", n_sites=10),
    ]
    abf, reb = cluster(entries, fungi)
    assert (abf.tfs, reb.tfs) == (["Abf1", "Abf2"], ["Reb1"])
    assert [e.motif.name for e in abf.entries] == ["k00", "k00", "k01"]
    assert abf.motif.n_sites == 210
    assert consensus(abf.motif.matrix) == ABF
    assert abf.places == (("+", 0), ("-", 1), ("+", -2))
    assert (consensus(reb.motif.matrix), reb.places) == (REB, (("+", 0),))


def test_flat_flanks_do_not_move_a_motif(fungi):
    wide = entry("Reb1", REB)
    flat = np.full((4, 5), 0.25)
    widened = np.hstack([flat, wide.motif.matrix, flat[:, 1:]])
    turned = replace(wide.motif, matrix=widened[::-1, ::-1])
    for other in (replace(wide.motif, matrix=widened), turned):
        entries = [wide, replace(wide, motif=other)]
        (family,) = cluster(entries, fungi)
        strand = "-" if other is turned else "+"
        assert (consensus(family.motif.matrix), family.places[1]) == (REB, (strand, -5))


def test_mean_matrix():
    a, c = np.array([[1.0, 0, 0, 0]]).T, np.array([[0, 1.0, 0, 0]]).T
    matrix, first = mean_matrix(
        [np.hstack([a, a]), np.hstack([c, c, c])], np.array([3, 4]), np.array([3.0, 1.0])
    )
    assert first == 3
    np.testing.assert_allclose(matrix, [[1, 0.75], [0, 0.25], [0, 0], [0, 0]], atol=1e-8)


def test_cluster_of_nothing_and_of_one():
    assert cluster([]) == []
    (family,) = cluster([entry("Reb1", REB)])
    assert family.places == (("+", 0),)


def test_rna_is_compared_on_one_strand(fungi):
    entries = [entry("A", REB), entry("B", REB, reverse=True)]
    assert len(cluster(entries, fungi)) == 1
    assert len(cluster(entries, fungi, reverse_complement=False)) == 2


# --- files ----------------------------------------------------------------------------------


def run_files(folder, models, fungi, alphabets):
    """`models`: (model, dataset) -> motifs."""
    memes, tables = [], []
    for number, motifs in enumerate(models.values()):
        memes.append(folder / f"{number}.meme")
        tables.append(folder / f"{number}.tsv")
        write_meme(motifs, memes[-1])
        write_table(motif_table(motifs), tables[-1])
    write_meme(fungi, folder / "database.meme")
    outputs = [folder / name for name in ("families.tsv", "members.tsv", "families.meme", "logos")]
    cluster_files(
        memes,
        tables,
        list(models),
        folder / "database.meme",
        *outputs,
        tfs={"s1": "Reb1", "s2": "<b>&\"'", "s3": "Rna"},
        alphabets=alphabets,
    )
    texts = ("tfs", "models", "match", "match_name", "logo", "tf")
    families, members = (read_table(path, texts) for path in outputs[:2])
    return families, members, read_meme(outputs[2]), sorted(p.name for p in outputs[3].iterdir())


def test_cluster_files(tmp_path, fungi):
    models = {
        ("deepbind", "s1"): [motif("k00", REB, n_sites=90), motif("k01", "GATTACAG", n_sites=9)],
        ("deepbind", "s2"): [motif("k00", ABF)],
        ("danq", "multitask"): [motif("k07", REB[:-1]), motif("k08", ABF, n_sites=20)],
        ("deepbind", "s3"): [motif("k00", REB)],
        ("rnn", "s1"): [],
    }
    alphabets = {"s1": "dna", "s2": "dna", "s3": "rna"}
    families, members, memes, logos = run_files(tmp_path, models, fungi, alphabets)
    assert families.columns.tolist() == list(FAMILY_COLUMNS)
    assert families["family"].tolist() == ["family1", "family2", "family3"]
    assert families["n_motifs"].tolist() == [2, 2, 1]
    assert families["tfs"].tolist() == ["Reb1", "<b>&\"'", "Rna"]
    assert families["models"].tolist() == ["danq,deepbind", "danq,deepbind", "deepbind"]
    assert families["match_name"].tolist()[:2] == ["NSI1", "ABF1"]
    assert families["name"].tolist()[:2] == ["NSI1", "ABF1"]
    assert families["logo"].tolist() == ["family1", "family2", ""]
    assert members.columns.tolist() == list(MEMBER_COLUMNS)
    assert members["kernel"].tolist() == ["k00", "k07", "k00", "k08", "k00"]
    assert members["tf"].tolist() == ["Reb1", "", "<b>&\"'", "", "Rna"]
    assert [m.name for m in memes] == families["family"].tolist()
    assert logos == ["family1.png", "family1.svg", "family2.png", "family2.svg"]


def test_cluster_files_without_motifs(tmp_path, fungi):
    families, members, memes, logos = run_files(tmp_path, {("rnn", "s1"): []}, fungi, {})
    assert (len(families), families.columns.tolist()) == (0, list(FAMILY_COLUMNS))
    assert (len(members), members.columns.tolist()) == (0, list(MEMBER_COLUMNS))
    assert (memes, logos) == ([], [])


def test_the_same_motifs_give_the_same_bytes(tmp_path, fungi):
    models = {("deepbind", "s1"): [motif("k00", REB), motif("k01", REB[1:] + "GG")]}
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run_files(tmp_path / name, models, fungi, {})
        written = ("families.tsv", "members.tsv", "families.meme", "logos/family1.svg")
        contents.append([(tmp_path / name / path).read_bytes() for path in written])
    assert contents[0] == contents[1]
