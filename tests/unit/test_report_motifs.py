from atlas_inputs import MEME, match, run_of, text_rows

from motifloom import report_motifs as motifs


def cards(tmp_path, rows, matches, limit=8, **files):
    files |= {"motifs.tsv": [{"kernel": name, **row} for name, row in rows.items()]} if rows else {}
    run = run_of(tmp_path, {f"motifs/deepbind/a/{name}": given for name, given in files.items()})
    matrices = {"MA1": "1,2,3,4"}
    return motifs.model_motifs(run, "deepbind", "a", text_rows(matches), matrices, limit)


def test_cards_follow_the_rank_and_hold_the_best_matches(tmp_path):
    found = cards(
        tmp_path,
        {"k01": {"n_sites": 9}, "k00": {"n_sites": 5}},
        [
            match("a", "k00", 1e-5, "Reb1,Abf1", match_name="Y", pvalue=1e-7, qvalue=1e-6,
                  offset=-2, strand="-"),
            match("a", "k00", 1e-7, match_name="X"),
            match("a", "k00", 3.0, match_name="Z"),
            match("a", "k00", 4.0, match_name="W"),
        ],
        **{"motifs.meme": MEME},
    )  # fmt: skip
    assert [card.name for card in found.cards] == ["k01", "k00"]
    k01, k00 = found.cards
    assert (k01.matches, k01.matched, k01.matrix) == ([], False, "")
    assert [found.label for found in k00.matches] == ["X", "Y", "Z"]
    assert k00.recovers == "Reb1, Abf1"
    assert k00.matrix == "1000,0,0,0 100,200,300,400"
    second = k00.matches[1]
    assert (second.offset, second.strand, second.pvalue, second.qvalue) == (
        -2,
        "-",
        "1.0e-7",
        "1.0e-6",
    )
    assert second.matrix == "1,2,3,4"


def test_the_best_card_recovers_or_matches_or_is_first(tmp_path):
    rows = {name: {"n_sites": 9} for name in ("k00", "k01", "k02")}
    matches = [match("a", "k01", 1e-4), match("a", "k02", 1e-3, "Reb1")]
    assert cards(tmp_path, rows, matches).best.name == "k02"
    assert cards(tmp_path, rows, matches[:1]).best.name == "k01"
    assert cards(tmp_path, rows, []).best.name == "k00"
    two = cards(tmp_path, rows, matches, limit=2)
    assert ([card.name for card in two.cards], two.total) == (["k00", "k02"], 3)


def test_without_a_table_of_motifs_the_match_table_serves(tmp_path):
    found = cards(tmp_path, {}, [match("a", "k00", 0.5), match("a", "k01", None, match="")])
    assert [(card.name, card.matched, len(card.matches)) for card in found.cards] == [
        ("k00", False, 1),
        ("k01", False, 0),
    ]


def test_the_summary_gives_threshold_and_sentences(tmp_path):
    summary = {"members": 6, "kernels": 1536, "never_fire": 40, "weak": 0, "redundant": 900,
               "motifs": 24, "matched": 15, "matched_by_chance": 0.4, "evalue": 1e-3,
               "controls": 10, "note": None}  # fmt: skip
    found = cards(
        tmp_path,
        {"k00": {"n_members": 5, "n_sites": 9, "validation_drop": 0.0123, "test_drop": -0.002}},
        [match("a", "k00", 5e-3)],
        **{"summary.tsv": [summary]},
    )
    assert found.sentences == [
        "1,536 kernels: 40 never fire and 900 repeat a better one.",
        "Matched 15 of 24 motifs at E < 0.001; with their columns shuffled 0.4 do (mean of 10"
        " controls).",
    ]
    assert not found.cards[0].matched
    assert ("Members", "5 of 6") in found.cards[0].facts
    assert ("AUROC without it", "−0.012") in found.cards[0].facts
    assert ("on the test split", "+0.002") in found.cards[0].facts


def test_a_network_without_kernels_says_so(tmp_path):
    files = {"summary.tsv": [{"kernels": 0, "motifs": 0, "note": "no kernels: lstm"}]}
    found = cards(tmp_path, {}, [], **files)
    assert (found.cards, found.best, found.sentences) == ([], None, ["No kernels: lstm."])


def test_histogram_of_both_strands():
    rows = [{"start": "-10", "end": "0", "forward": "2", "reverse": "0"},
            {"start": "0", "end": "10", "forward": "4", "reverse": "1"}]  # fmt: skip
    found = motifs.histogram_of(rows)
    assert found.reach == 10
    assert found.forward == "M0 20H0V10.5H50H50V1H100V20z"
    assert found.reverse == "M0 20H0V20H50H50V24.8H100V20z"
    assert motifs.histogram_of([]) is None
    assert motifs.histogram_of([rows[0] | {"forward": "0"}]) is None


def test_recovery_is_told_where_a_motif_is_expected():
    hit = text_rows([match("a", "k00", 1e-5, "Reb1")])
    miss = text_rows([match("a", "k00", 1e-5)])
    other = text_rows([match("a", "k00", 1e-5, "Reb1", model="danq")])
    found = [motifs.was_recovered("MA1", rows) for rows in (hit, miss, other)]
    assert found == [True, False, False]
    assert motifs.was_recovered("", miss) is None


def test_families_with_their_matrices(tmp_path):
    row = {"family": "k00", "name": "", "n_motifs": 3, "n_tfs": 2, "tfs": "Reb1,Abf1",
           "models": "deepbind,danq", "consensus": "AC", "match": "MA1", "match_name": None,
           "evalue": 1e-4}  # fmt: skip
    alone = row | {"family": "k01", "n_motifs": 1}
    run = run_of(tmp_path, {"families.tsv": [row, alone], "families/families.meme": MEME})
    found = motifs.run_families(run)
    (family,) = found.shown
    assert (found.further, found.alone) == (0, 1)
    assert family.matrix.startswith("1000,0,0,0 ")
    assert (family.name, family.tfs, family.models) == (
        "k00",
        ["Reb1", "Abf1"],
        "DeepBind and DanQ",
    )
    assert (family.match, family.evalue) == ("MA1", "1.0e-4")
