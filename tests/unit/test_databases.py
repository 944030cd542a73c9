from dataclasses import replace

import numpy as np
import pytest

from motifloom.databases import (
    core,
    core_bounds,
    load_jaspar,
    load_motif,
    non_redundant,
    tomtom,
    warm_up,
    write_database,
)
from motifloom.files import InputError
from motifloom.motif_files import read_meme, write_meme
from motifloom.motifs import Motif
from motifloom.sequences import encode, one_hot


def motif(name, sequence, **fields):
    fields = {"n_sites": 100, **fields}
    return Motif(name, one_hot(encode(sequence)[None])[0] * 0.96 + 0.01, **fields)


def reversed_motif(given):
    return replace(given, matrix=given.matrix[::-1, ::-1])


@pytest.fixture(scope="module")
def fungi():
    return load_jaspar("JASPAR2026", "CORE", ["fungi"])


@pytest.fixture(scope="module")
def by_name(fungi):
    return {motif.name: motif for motif in fungi}


# --- JASPAR and MEME files ------------------------------------------------------------------


def test_load_jaspar(fungi, by_name):
    assert len(fungi) == len(by_name) == 193
    assert [m.name for m in fungi] == sorted(by_name)
    abf1 = by_name["MA0265.3"]
    assert (abf1.alt_name, abf1.n_sites, abf1.recipe) == ("ABF1", 427, "")
    np.testing.assert_allclose(abf1.matrix[:, 0], np.array([69, 72, 10, 276]) / 427, atol=1e-6)
    for found in fungi:
        assert (found.matrix > 0).all()
        np.testing.assert_allclose(found.matrix.sum(axis=0), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("JASPAR1999", "CORE"), "unknown JASPAR release 'JASPAR1999'; choose one of JASPAR2014"),
        (("JASPAR2026", "MAIN"), "has no collection 'MAIN'; choose among CORE"),
        (("JASPAR2026", "CORE", ["fish"]), "has no tax group 'fish'; .* vertebrates"),
    ],
)
def test_load_jaspar_refuses_what_is_not_there(arguments, message):
    with pytest.raises(InputError, match=message):
        load_jaspar(*arguments)


def test_load_motif_by_id(by_name):
    for spec in ("MA0265.3", "MA0265"):
        found = load_motif(spec, "JASPAR2026")
        assert found.name == "MA0265.3"
        np.testing.assert_array_equal(found.matrix, by_name["MA0265.3"].matrix)
    assert load_motif("MA0265.1", "JASPAR2026").name == "MA0265.1"


def test_load_motif_from_a_file(tmp_path):
    path = tmp_path / "own.meme"
    own = [motif("m1", "ACGT", alt_name="REB1"), motif("m2", "TTTT"), motif("m3", "GGGG")]
    write_meme([*own[:2], replace(own[2], alt_name="X"), motif("m4", "AA", alt_name="X")], path)
    assert load_motif(f"{path}#m2", "JASPAR2026").name == "m2"
    assert load_motif(f"{path}#REB1", "JASPAR2026").name == "m1"
    with pytest.raises(InputError, match="'X' names several motifs; choose one of m3, m4"):
        load_motif(f"{path}#X", "JASPAR2026")
    with pytest.raises(InputError, match=r"own.meme: has no motif 'reb'; did you mean m1 \(REB1\)"):
        load_motif(f"{path}#reb", "JASPAR2026")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("abf1", r"JASPAR2026 has no matrix 'abf1'; did you mean MA0265.3 \(ABF1\)"),
        ("MA0265.9", r"JASPAR2026 has no matrix 'MA0265.9'; did you mean MA0265.3 \(ABF1\)"),
        ("zzzzzz", "JASPAR2026 has no matrix 'zzzzzz'; check its id"),
        ("/nowhere.meme#MA0265.3", "/nowhere.meme: no such file"),
    ],
)
def test_load_motif_refuses_what_is_not_there(spec, message):
    with pytest.raises(InputError, match=message):
        load_motif(spec, "JASPAR2026")


def test_write_database(tmp_path):
    extra, output = tmp_path / "extra.meme", tmp_path / "database.meme"
    write_meme([motif("MA0265.3", "AAAA"), motif("own", "ACGT"), motif("own", "TTTT")], extra)
    assert write_database(output, "JASPAR2026", "CORE", ["fungi"], [extra]) == 194
    motifs = {m.name: m for m in read_meme(output)}
    assert (len(motifs), motifs["MA0265.3"].alt_name) == (194, "ABF1")
    assert motifs["own"].matrix[1, 1] == pytest.approx(0.97)
    assert write_database(output, None, meme_files=[extra]) == 2


def test_write_database_refuses_nothing(tmp_path):
    with pytest.raises(InputError, match="database is empty"):
        write_database(tmp_path / "database.meme", None)
    write_meme([], tmp_path / "none.meme")
    with pytest.raises(InputError, match=r"none.meme: holds no motif"):
        write_database(tmp_path / "database.meme", None, meme_files=[tmp_path / "none.meme"])


# --- Tomtom ---------------------------------------------------------------------------------


def test_warm_up_compiles_what_tomtom_runs(fungi):
    from memelite.tomtom import _tomtom

    warm_up()
    compiled = len(_tomtom.signatures)
    tomtom(fungi[:3], fungi)
    tomtom([replace(fungi[0], matrix=np.asfortranarray(fungi[0].matrix, np.float32))], fungi)
    assert len(_tomtom.signatures) == compiled


def test_matrices_match_themselves(fungi):
    table = tomtom(fungi[:30], fungi)
    assert table.columns.tolist() == [
        "query", "rank", "target", "target_name", "pvalue", "evalue", "qvalue", "offset", "overlap",
        "strand",
    ]  # fmt: skip
    assert table["target"].tolist() == [m.name for m in fungi[:30]]
    assert table["target_name"].tolist() == [m.alt_name for m in fungi[:30]]
    assert table["overlap"].tolist() == [m.matrix.shape[1] for m in fungi[:30]]
    assert (table["offset"] == 0).all()
    assert (table["evalue"] < 1e-4).all()
    np.testing.assert_allclose(table["evalue"], table["pvalue"] * 193)


def test_reverse_complements_match_on_the_other_strand(fungi, by_name):
    abf1 = by_name["MA0265.3"]
    table = tomtom([abf1, reversed_motif(abf1)], fungi)
    assert table["target"].tolist() == ["MA0265.3", "MA0265.3"]
    assert table["strand"].tolist() == ["+", "-"]
    forward_only = tomtom([reversed_motif(abf1)], fungi, reverse_complement=False)
    assert forward_only["evalue"].item() > 1e6 * table["evalue"].max()


def test_a_part_of_a_matrix_matches_at_its_offset(fungi, by_name):
    abf1 = by_name["MA0265.3"]
    found = tomtom([replace(abf1, matrix=abf1.matrix[:, 3:])], fungi).iloc[0]
    assert (found["target"], found["offset"], found["overlap"]) == ("MA0265.3", 3, 11)


def test_tomtom_of_nothing_is_an_empty_table(fungi):
    assert len(tomtom([], fungi)) == len(tomtom(fungi[:1], [])) == 0


def test_tomtom_lists_the_best_of_a_query(fungi):
    table = tomtom(fungi[:2], fungi, top=3)
    assert table["query"].tolist() == [fungi[0].name] * 3 + [fungi[1].name] * 3
    assert table["rank"].tolist() == [1, 2, 3] * 2
    assert table["target"][[0, 3]].tolist() == [fungi[0].name, fungi[1].name]
    assert (np.diff(table["pvalue"].to_numpy().reshape(2, 3)) >= 0).all()
    # Benjamini & Hochberg: the smallest q-value is at most that of the first rank.
    np.testing.assert_allclose(table["qvalue"][0], table["pvalue"][0] * 193)
    assert (table["qvalue"] <= table["evalue"] + 1e-12).all()
    assert len(tomtom(fungi[:2], fungi[:1], top=3)) == 2


# --- the compared stretch -------------------------------------------------------------------

A, FAINT, FLAT = [1, 0, 0, 0], [0.5, 0.2, 0.15, 0.15], [0.25] * 4  # 2, 0.2 and 0 bits


@pytest.mark.parametrize(
    ("columns", "bounds"),
    [
        ([FAINT, A, A, FLAT], (1, 3)),
        ([A, A, A, *[FLAT] * 8, A, A, A], (0, 14)),  # 12 bits in 14 columns: 0.86 each
        ([A, A, A, *[FLAT] * 19, A, A, A], (0, 3)),  # in 25: 0.48
        ([A, A, *[FLAT] * 20, A, A, A], (22, 25)),
        ([FLAT, FAINT, FLAT], (1, 2)),
        ([FLAT, FLAT], (0, 1)),
        ([A], (0, 1)),
    ],
)
def test_core_bounds(columns, bounds):
    assert core_bounds(np.array(columns, float).T) == bounds


def test_core_keeps_the_strand():
    matrix = np.array([FAINT, A, A, FAINT, A, FLAT, FLAT]).T
    cut = core(Motif("k", matrix)).matrix
    np.testing.assert_array_equal(cut, matrix[:, 1:5])
    turned = core(Motif("k", matrix[::-1, ::-1])).matrix
    np.testing.assert_array_equal(turned, cut[::-1, ::-1])


# --- different motifs -----------------------------------------------------------------------


def test_non_redundant_keeps_the_best_of_each(fungi):
    abf, reb = "TCGTAAAAAGTGA", "TTACCCGG"
    motifs = [
        motif("k00", abf[1:], n_sites=50),
        reversed_motif(motif("k01", abf, n_sites=90)),
        motif("k02", reb, n_sites=80),
        motif("k03", "TTACCCGGA", n_sites=20),
        motif("k04", "GATTACAG", n_sites=9),
        Motif("k05", np.full((4, 8), 0.25), n_sites=999),
        motif("k06", "GATTACAG", n_sites=10),
    ]
    chosen = non_redundant(motifs, 10, fungi)
    assert [m.name for m in chosen] == ["k01", "k02", "k06"]
    assert non_redundant(motifs, 2, fungi) == chosen[:2]
    assert non_redundant(motifs, 1) == chosen[:1]
    assert non_redundant(motifs, 0) == []
    assert [m.name for m in non_redundant(motifs, 10)] == ["k01", "k02", "k06"]
