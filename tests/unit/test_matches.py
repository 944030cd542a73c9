from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from motifloom.databases import load_jaspar, tomtom
from motifloom.files import read_table, write_table
from motifloom.matches import (
    MATCH_COLUMNS,
    SUMMARY_COLUMNS,
    annotate,
    annotate_files,
    match,
    matched_by_chance,
    summarise,
)
from motifloom.motif_files import write_meme
from motifloom.motifs import Motif, motif_table
from motifloom.sequences import encode, one_hot

NUMBERS = ["pvalue", "evalue", "qvalue", "offset", "overlap"]


def motif(name, sequence, **fields):
    fields = {"n_sites": 100, **fields}
    return Motif(name, one_hot(encode(sequence)[None])[0] * 0.96 + 0.01, **fields)


def kernel(name, matrix, **fields):
    return Motif(name, matrix, n_sites=fields.pop("n_sites", 100), recipe="danq", **fields)


def flat(width):
    return np.full((4, width), 0.25)


def kernel_table(*status):
    return pd.DataFrame(
        {
            "kernel": [f"k{i:02d}" for i in range(len(status))],
            "member": np.zeros(len(status), int),
            "status": pd.Series(status, dtype=object),
        }
    )


@pytest.fixture(scope="module")
def fungi():
    return load_jaspar("JASPAR2026", "CORE", ["fungi"])


@pytest.fixture(scope="module")
def by_name(fungi):
    return {motif.name: motif for motif in fungi}


def test_annotate(fungi, by_name):
    abf1, reb1 = by_name["MA0265.3"], by_name["MA0363.3"]
    kernels = [
        kernel("k00", abf1.matrix),
        kernel("k01", reb1.matrix[::-1, ::-1]),
        kernel("k02", abf1.matrix, initialised_from="MA0265.3"),
        kernel("k03", flat(8), n_sites=0),
        kernel("k04", abf1.matrix, n_sites=9),
    ]
    table = annotate(kernels, fungi, {"Abf1": abf1, "Reb1": reb1}, "set", "deepbind")
    assert table.columns.tolist() == list(MATCH_COLUMNS)
    assert (table["dataset"] == "set").all() and (table["model"] == "deepbind").all()
    assert table["kernel"].tolist() == ["k00", "k01", "k02", "k03", "k04"]
    assert table["match_name"].tolist() == ["ABF1", "REB1", "ABF1", "", "ABF1"]
    assert table["recovers"].tolist() == ["Abf1", "Reb1", "", "", ""]
    assert table["evalue"].isna().tolist() == [False, False, False, True, False]
    assert table["evalue"].dtype == np.float64


def test_annotate_adds_own_matrices_to_the_targets(fungi):
    sequence = "GATTACAGATTACA"
    own = motif("own", sequence, alt_name="Mine")
    found = annotate([kernel("k00", own.matrix)], fungi, {"Tf1": own}, "set", "danq").iloc[0]
    assert (found["match"], found["match_name"], found["recovers"]) == ("own", "Mine", "Tf1")
    pvalue = tomtom([own], [*fungi, own])["pvalue"].item()
    assert found["evalue"] == pytest.approx(194 * pvalue)
    assert found[["offset", "overlap", "strand"]].tolist() == [0, 14, "+"]


def test_annotate_takes_a_relative_of_the_own_matrix(fungi, by_name):
    own, relative = by_name["MA0281.3"], "MA0281.3"  # CBF1
    own = replace(own, name="own", matrix=own.matrix[:, 1:] * 0.9 + 0.025)
    others = {"Cbf1": own, "Reb1": by_name["MA0363.3"]}
    found = annotate([kernel("k00", by_name[relative].matrix)], fungi, others, "s", "m").iloc[0]
    assert (found["match"], found["recovers"]) == (relative, "Cbf1")


def test_annotate_wants_a_small_evalue(fungi, by_name):
    abf1 = by_name["MA0265.3"]
    blurred = kernel("k00", abf1.matrix * 0.6 + 0.1)
    for threshold, recovers in ((1e-300, ""), (1e3, "Abf1")):
        table = annotate([blurred], fungi, {"Abf1": abf1}, "s", "m", threshold)
        assert table["recovers"].tolist() == [recovers]


def test_a_flat_kernel_recovers_nothing(fungi):
    own = {m.alt_name: m for m in fungi}
    table = annotate([kernel("k00", flat(12))], fungi, own, "s", "m")
    assert table["evalue"].item() > 0.01
    assert table["recovers"].tolist() == [""]


@pytest.mark.parametrize("own", [{}, {"Abf1": motif("own", "TCGTAAAAAGTGA")}])
def test_annotate_dead_kernels_only(fungi, own):
    dead = kernel("k00", flat(8), n_sites=0)
    table = annotate([dead], fungi, own, "s", "m")
    assert table[["match", "match_name", "recovers"]].to_numpy().tolist() == [["", "", ""]]
    assert pd.isna(table["evalue"].item())


def test_annotate_lists_the_best_matches_of_each_motif(fungi, by_name):
    kernels = [kernel("k00", by_name["MA0265.3"].matrix), kernel("k01", flat(8), n_sites=0)]
    table = annotate(kernels, fungi, {"Abf1": by_name["MA0265.3"]}, "s", "m", top=3)
    assert table["kernel"].tolist() == ["k00"] * 3 + ["k01"]
    assert table["rank"].tolist() == [1, 2, 3, 1]
    assert table["recovers"].tolist() == ["Abf1", "", "", ""]
    assert table["pvalue"][:3].is_monotonic_increasing
    assert (table["qvalue"][:3] <= table["evalue"][:3]).all()
    assert table.loc[3, ["match", "match_name", "strand"]].tolist() == ["", "", ""]
    assert table.loc[3, NUMBERS].isna().all()


@pytest.mark.parametrize("targets", [[], [motif("only", "TTACCCGG", alt_name="<b>&\"'")]])
def test_few_targets(targets):
    table = annotate([kernel("k00", motif("", "TTACCCGG").matrix)], targets, {}, "s", "m", top=3)
    assert table["match"].tolist() == ([targets[0].name] if targets else [""])
    assert table["match_name"].tolist() == ([targets[0].alt_name] if targets else [""])
    assert table["evalue"].isna().tolist() == [not targets]


def test_no_motifs_give_a_header(fungi):
    table = annotate([], fungi, {"Abf1": fungi[0]}, "s", "m")
    assert (len(table), table.columns.tolist()) == (0, list(MATCH_COLUMNS))


def test_rna_is_matched_on_one_strand():
    targets = [motif("own", "GATTACAGAT")]
    reverse = kernel("k00", targets[0].matrix[::-1, ::-1])
    assert match([reverse], targets)["strand"].tolist() == ["-"]
    forward = match([reverse], targets, reverse_complement=False)
    assert forward["strand"].tolist() == ["+"]
    assert forward["pvalue"].item() > 1e3 * match([reverse], targets)["pvalue"].item()


def test_offsets_count_from_the_whole_motif(fungi, by_name):
    abf1 = by_name["MA0265.3"].matrix
    wide = [
        kernel("k00", np.hstack([flat(3), abf1[:, 2:], flat(8)])),
        kernel("k01", np.hstack([flat(3), abf1[::-1, ::-1]])),
    ]
    found = match(wide, fungi)
    assert found["target"].tolist() == ["MA0265.3"] * 2
    assert found["offset"].tolist() == [-1, -3]
    assert found["strand"].tolist() == ["+", "-"]


# --- chance ---------------------------------------------------------------------------------


def test_chance_matches_little_of_wide_kernels(fungi):
    rng = np.random.default_rng(3)
    noise = rng.dirichlet([2.0] * 4, size=(20, 26)).transpose(0, 2, 1)
    wide = [kernel(f"k{i:02d}", matrix) for i, matrix in enumerate(noise)]
    first = matched_by_chance(wide, fungi, 3, 1)
    assert first == matched_by_chance(wide, fungi, 3, 1)
    assert first <= 0.05 * len(wide)
    assert matched_by_chance([], fungi, 3, 1) == matched_by_chance(wide, [], 3, 1) == 0


def test_every_shuffle_of_equal_columns_matches(fungi):
    poly = [motif("k00", "AAAAAAAAAA")]
    assert matched_by_chance(poly, [*fungi, motif("own", "AAAAAAAAAA")], 4, 1) == 1


def summary_of(kernels, table, status, targets):
    return summarise(
        kernels, table, kernel_table(*status), targets, threshold=0.01, controls=2, seed=1
    )


def test_summarise(fungi, by_name):
    kernels = [
        kernel("k00", by_name["MA0265.3"].matrix),
        kernel("k01", motif("", "GATTACAG").matrix, initialised_from="MA0001.1"),
        kernel("k02", by_name["MA0265.3"].matrix, n_sites=9),
    ]
    table = annotate(kernels, fungi, {}, "s", "m", top=2)
    status = ["", "", "weak", "never fires", "redundant", "redundant"]
    summary = summary_of(kernels, table, status, fungi)
    assert {"dataset", "model", *summary} == set(SUMMARY_COLUMNS)
    counts = ("members", "kernels", "never_fire", "weak", "redundant", "motifs", "matched")
    assert [summary[name] for name in counts] == [1, 6, 1, 1, 2, 2, 1]
    assert summary["chance_share"] == summary["matched_by_chance"] / 2
    assert summary["note"] == "1 motifs were started from database matrices"


def test_summarise_says_what_is_missing(fungi):
    none = summary_of([], annotate([], fungi, {}, "s", "m"), [], fungi)
    assert (none["kernels"], none["motifs"], none["matched"]) == (0, 0, 0)
    assert np.isnan(none["chance_share"])
    assert none["note"] == "no kernels: the network does not begin with a convolution"
    weak = [kernel("k00", flat(8))]
    found = summary_of(weak, annotate(weak, fungi, {}, "s", "m"), ["weak"], fungi)
    assert found["note"] == "no kernel holds enough sites or information"
    poly = [motif("k00", "AAAAAAAAAA")]
    targets = [*fungi, motif("own", "AAAAAAAAAA")]
    found = summary_of(poly, annotate(poly, targets, {}, "s", "m"), [""], targets)
    assert found["note"] == "more than 5% match by chance: lower motifs: evalue"


# --- files ----------------------------------------------------------------------------------


def run_files(folder, kernels, targets, own):
    write_meme(kernels, folder / "motifs.meme")
    write_table(motif_table(kernels), folder / "motifs.tsv")
    write_table(kernel_table(*("" for _ in kernels)), folder / "kernels.tsv")
    write_meme(targets, folder / "database.meme")
    paths = "motifs.meme motifs.tsv kernels.tsv database.meme matches.tsv summary.tsv logos"
    annotate_files(
        *(folder / path for path in paths.split()),
        own=own,
        dataset="set",
        model="deepbind",
        alphabet="dna",
        release="JASPAR2026",
        limit=5,
        controls=2,
    )
    texts = ("match", "match_name", "recovers", "note")
    tables = [read_table(folder / f"{name}.tsv", texts) for name in ("matches", "summary")]
    return *tables, sorted(path.name for path in (folder / "logos").iterdir())


def test_annotate_files(tmp_path, fungi, by_name):
    abf1 = by_name["MA0265.3"]
    kernels = [kernel("k00", abf1.matrix), kernel("k01", flat(8), n_sites=0)]
    table, summary, logos = run_files(tmp_path, kernels, fungi, {"Abf1": "MA0265.3"})
    assert table.columns.tolist() == list(MATCH_COLUMNS)
    assert table["recovers"].tolist() == ["Abf1", ""]
    assert summary.columns.tolist() == list(SUMMARY_COLUMNS)
    assert summary[["dataset", "motifs", "matched"]].iloc[0].tolist() == ["set", 1, 1]
    assert logos == ["k00.pair.svg", "k00.png", "k00.svg"]
    assert "like ABF1" in (tmp_path / "logos/k00.svg").read_text()


def test_annotate_files_without_motifs(tmp_path, fungi):
    table, summary, logos = run_files(tmp_path, [], fungi, {"Abf1": "MA0265.3"})
    assert (len(table), table.columns.tolist(), logos) == (0, list(MATCH_COLUMNS), [])
    assert summary["note"].item().startswith("no kernels")


def test_names_with_markup_are_kept(tmp_path):
    name = "<b>&\"'"
    targets = [motif(name, "TTACCCGG", alt_name="$a_b$<i>")]
    table, _, logos = run_files(tmp_path, [kernel("k00", targets[0].matrix)], targets, {})
    assert table[["match", "match_name"]].iloc[0].tolist() == [name, "$a_b$<i>"]
    assert logos[0] == "k00.pair.svg"
    drawn = (tmp_path / "logos/k00.pair.svg").read_text()
    assert "&lt;b&gt;&amp;" in drawn and "<b>" not in drawn
