from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motifloom.files import InputError, write_table
from motifloom.motif_files import read_meme, read_motifs, write_meme
from motifloom.motifs import (
    MOTIF_COLUMNS,
    Motif,
    Places,
    consensus,
    information,
    kernels_to_pwms,
    motif_table,
    position_table,
    rank_motifs,
    shuffle_columns,
    trim,
)
from motifloom.sequences import encode, one_hot, reverse_complement
from motifloom.sites import best_windows

UNIFORM = np.full((4, 1), 0.25)


def codes_of(*sequences):
    return np.stack([encode(sequence) for sequence in sequences])


def kernel_of(sequence, match=1.0, mismatch=-1.0):
    """Kernel [4, K] that scores `match` for each base of a sequence and `mismatch` else."""
    hot = one_hot(encode(sequence)[None])[0]
    return np.where(hot == 1, match, mismatch).astype(np.float32)


def motif(name="k00", sequence="ACGT", **fields):
    fields = {"n_sites": 10, **fields}
    return Motif(name, one_hot(encode(sequence)[None])[0].astype(np.float64), **fields)


def brute_force(codes, kernels, both_strands):
    """Best window of each kernel and sequence by plain loops, in float64."""
    n, length = codes.shape
    width = kernels.shape[2]
    best = np.full((n, len(kernels), 3), -np.inf)
    for i, c in np.ndindex(n, len(kernels)):
        for position in range(length - width + 1):
            window = codes[i, position : position + width]
            for strand in range(1 + both_strands):
                bases = reverse_complement(window) if strand else window
                score = sum(kernels[c, b, k] for k, b in enumerate(bases) if b < 4)
                if score > best[i, c, 0]:
                    best[i, c] = score, position, strand
    return best[..., 0], best[..., 1], best[..., 2]


# --- measures -------------------------------------------------------------------------------


def test_information_of_literal_columns():
    matrix = np.array(
        [[1, 0.5, 0.25, 0.5], [0, 0.5, 0.25, 0.25], [0, 0, 0.25, 0.25], [0, 0, 0.25, 0]]
    )
    assert information(matrix).tolist() == [2.0, 1.0, 0.0, 0.5]


def test_trim_cuts_the_ends_only():
    sure = np.array([[1.0], [0], [0], [0]])
    weak = np.array([[0.28], [0.24], [0.24], [0.24]])
    matrix = np.hstack([UNIFORM, weak, sure, weak, sure, UNIFORM])
    np.testing.assert_array_equal(trim(matrix), matrix[:, 2:5])


def test_trim_wants_a_tenth_of_the_largest_column():
    sure = np.array([[1.0], [0], [0], [0]])
    faint = np.array([[0.475], [0.175], [0.175], [0.175]])  # 0.17 bits: over 0.1, under a tenth
    assert trim(np.hstack([faint, sure])).shape == (4, 1)
    assert trim(np.hstack([faint, faint])).shape == (4, 2)


def test_trim_returns_a_flat_matrix_whole():
    assert trim(np.hstack([UNIFORM] * 3)).shape == (4, 3)


def test_consensus_follows_cavener():
    columns = [
        [0.6, 0.2, 0.1, 0.1],  # A: over one half and twice the second
        [0.45, 0.4, 0.1, 0.05],  # M: two over three quarters
        [0.55, 0.1, 0.05, 0.3],  # W: T is more than half of A
        [0.3, 0.3, 0.2, 0.2],  # N
        [0, 0, 0.5, 0.5],  # K
    ]
    assert consensus(np.array(columns).T) == "AMWNK"


# --- the scan -------------------------------------------------------------------------------


def test_best_windows_of_a_literal():
    codes = codes_of("TTACGTT", "AACGTAA", "NNNNNNN")
    values, positions, strands = best_windows(codes, kernel_of("ACG")[None], both_strands=True)
    assert values.tolist() == [[3.0], [3.0], [0.0]]
    assert positions.tolist() == [[2], [1], [0]]
    assert strands.tolist() == [[0], [0], [0]]
    assert (values.dtype, positions.dtype, strands.dtype) == (np.float32, np.int32, np.uint8)


def test_best_windows_finds_the_reverse_strand_at_its_forward_position():
    codes = codes_of("TTTTCGTTTT")  # CGT is ACG reversed
    values, positions, strands = best_windows(codes, kernel_of("ACG")[None], both_strands=True)
    assert (values.item(), positions.item(), strands.item()) == (3.0, 4, 1)
    values, _, strands = best_windows(codes, kernel_of("ACG")[None], both_strands=False)
    assert (values.item(), strands.item()) == (1.0, 0)


def test_equal_windows_go_to_the_earliest_position_then_the_forward_strand():
    kernel = kernel_of("AAC")[None]
    found = best_windows(codes_of("GTTTTAACTAAC", "AACTTTTTGTTT", "GGGTTTTTTAAC"), kernel, True)
    assert found[1].tolist() == [[0], [0], [2]]
    assert found[2].tolist() == [[1], [0], [1]]


def test_palindromes_tie_exactly_whatever_the_weights():
    half = np.random.default_rng(3).normal(size=(50, 4, 4))
    palindromes = np.concatenate([half, half[:, ::-1, ::-1]], axis=2)
    codes = np.random.default_rng(4).integers(0, 4, (20, 60)).astype(np.uint8)
    assert not best_windows(codes, palindromes, both_strands=True)[2].any()


@pytest.mark.parametrize("both_strands", [False, True])
def test_best_windows_agrees_with_plain_loops(both_strands):
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 5, (7, 23)).astype(np.uint8)
    kernels = generator.normal(size=(5, 4, 6))
    values, positions, strands = best_windows(codes, kernels, both_strands)
    expected = brute_force(codes, kernels, both_strands)
    np.testing.assert_allclose(values, expected[0], rtol=1e-5)
    np.testing.assert_array_equal(positions, expected[1])
    np.testing.assert_array_equal(strands, expected[2])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(0, 12))
def test_best_values_do_not_depend_on_the_strand_given(seed, width, extra):
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 5, (3, width + extra)).astype(np.uint8)
    kernels = generator.normal(size=(2, 4, width))
    forward = best_windows(codes, kernels, both_strands=True)[0]
    np.testing.assert_array_equal(
        forward, best_windows(reverse_complement(codes), kernels, both_strands=True)[0]
    )


def test_the_block_size_does_not_matter(monkeypatch):
    generator = np.random.default_rng(1)
    codes = generator.integers(0, 4, (30, 40)).astype(np.uint8)
    kernels, bias = generator.normal(size=(3, 4, 7)), np.zeros(3)
    whole = best_windows(codes, kernels, True)
    pwms = kernels_to_pwms(kernels, bias, codes, recipe="halfmax")
    monkeypatch.setattr("motifloom.sites.SCAN_BYTES", 1)
    for one, other in zip(whole, best_windows(codes, kernels, True), strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(
        pwms, kernels_to_pwms(kernels, bias, codes, recipe="halfmax"), strict=True
    ):
        np.testing.assert_array_equal(one.matrix, other.matrix)


def test_sequences_shorter_than_the_kernels_are_refused():
    with pytest.raises(InputError, match="sequences of 3 bases are shorter than kernels of 4"):
        best_windows(codes_of("ACG"), kernel_of("ACGT")[None], True)


# --- kernels to matrices --------------------------------------------------------------------


def test_counts_of_a_literal():
    codes = codes_of("TTACGTTT", "TTTTCGTT", "TTACTTTT", "TTTTTTTT")
    (found,) = kernels_to_pwms(kernel_of("ACG")[None], np.array([-0.5]), codes, recipe="danq")
    # Sites ACG (forward), ACG (reverse of CGT), ACT; poly-T scores below 0 on both strands.
    assert (found.n_sites, found.n_sequences, found.name, found.recipe) == (3, 4, "k00", "danq")
    counts = np.array([[3, 0, 0], [0, 3, 0], [0, 0, 2], [0, 0, 1]])
    np.testing.assert_allclose(found.matrix, (counts + 1e-4) / 3.0004, rtol=1e-12)


def test_unknown_bases_are_not_counted():
    (found,) = kernels_to_pwms(
        kernel_of("ACG")[None], np.zeros(1), codes_of("TTACNTT", "TTACGTT"), recipe="danq"
    )
    np.testing.assert_allclose(found.matrix[:, 1], np.array([0, 1, 0, 0]), atol=4e-4)
    np.testing.assert_allclose(found.matrix[:, 2], np.array([0, 0, 1, 0]), atol=4e-4)


def test_deepbind_trims_and_danq_does_not():
    generator = np.random.default_rng(5)
    codes = generator.integers(0, 4, (400, 40)).astype(np.uint8)
    codes[:, 20:26] = encode("GATTAC")
    kernel = np.pad(kernel_of("GATTAC"), ((0, 0), (3, 2)))[None]
    bias = np.array([-5.5])
    (trimmed,) = kernels_to_pwms(kernel, bias, codes, recipe="deepbind")
    (whole,) = kernels_to_pwms(kernel, bias, codes, recipe="danq")
    assert trimmed.n_sites == whole.n_sites == 400
    assert consensus(trimmed.matrix) == "GATTAC"
    np.testing.assert_array_equal(trimmed.matrix, whole.matrix[:, 3:9])


def test_the_best_scored_sequences_are_taken():
    codes = codes_of("TTACGTT", "TTACTTT", "TTACATT")
    arguments = {"scores": np.array([0.1, 3.0, 2.0]), "recipe": "danq", "both_strands": False}
    (found,) = kernels_to_pwms(
        kernel_of("AC", 1, 0)[None], np.zeros(1), codes[:, :5], top=2, **arguments
    )
    assert (found.n_sites, found.n_sequences) == (2, 2)
    (found,) = kernels_to_pwms(kernel_of("ACG")[None], np.array([-2]), codes, top=2, **arguments)
    assert found.n_sites == 0


def test_halfmax_counts_every_window_above_half_of_the_maximum():
    codes = codes_of("ACGTTTACG", "TTTTACTTT")
    (found,) = kernels_to_pwms(
        kernel_of("ACG", 2, 0)[None], np.zeros(1), codes, recipe="halfmax", both_strands=False
    )
    # Scores over 3, half of the maximum 6: ACG twice, ACT once (4).
    assert found.n_sites == 3
    np.testing.assert_allclose(found.matrix[:, 2], np.array([0, 0, 2, 1]) / 3, atol=1e-4)


def test_halfmax_counts_both_strands():
    codes = codes_of("ACGTTTTCGT")  # ACG at 0, CGT at 1 and at 7
    (found,) = kernels_to_pwms(kernel_of("ACG", 2, -2)[None], np.zeros(1), codes, recipe="halfmax")
    assert found.n_sites == 3
    assert consensus(found.matrix) == "ACG"


@pytest.mark.parametrize("recipe", ["deepbind", "danq", "halfmax"])
def test_a_kernel_that_never_fires_stays_in_the_list(recipe):
    kernels = np.stack([kernel_of("ACG"), kernel_of("CCC")])
    alive, dead = kernels_to_pwms(
        kernels, np.array([0.0, -9.0]), codes_of("TTACGTT"), recipe=recipe
    )
    assert alive.n_sites > 0
    assert (dead.name, dead.n_sites, dead.information) == ("k01", 0, 0.0)
    np.testing.assert_array_equal(dead.matrix, np.full((4, 3), 0.25))


def test_no_sequences_give_dead_kernels():
    (found,) = kernels_to_pwms(
        kernel_of("ACG")[None], np.zeros(1), np.empty((0, 9), np.uint8), recipe="halfmax"
    )
    assert found.n_sites == 0


def test_a_planted_motif_comes_back_from_both_strands():
    generator = np.random.default_rng(7)
    planted = generator.dirichlet(np.full(4, 0.1), 10).T
    columns = [generator.choice(4, 2000, p=column) for column in planted.T]
    sites = np.stack(columns, axis=1).astype(np.uint8)
    codes = generator.integers(0, 4, (2000, 60)).astype(np.uint8)
    codes[:1000, 25:35] = sites[:1000]
    codes[1000:, 5:15] = reverse_complement(sites[1000:])
    kernel = np.log2(np.maximum(planted, 0.01) / 0.25)[None]
    (found,) = kernels_to_pwms(kernel, np.array([-7.0]), codes, recipe="danq")
    assert found.n_sites > 1800
    np.testing.assert_allclose(found.matrix, planted, atol=0.06)


def test_kernel_names_sort():
    kernels = np.zeros((101, 4, 2), np.float32)
    names = [m.name for m in kernels_to_pwms(kernels, np.zeros(101), codes_of("ACGT"))]
    assert (names[0], names[-1]) == ("k000", "k100")


def test_an_unknown_recipe_is_refused():
    with pytest.raises(InputError, match="unknown motif recipe 'max'; choose one of deepbind"):
        kernels_to_pwms(kernel_of("AC")[None], np.zeros(1), codes_of("ACGT"), recipe="max")


# --- order and table ------------------------------------------------------------------------


def test_rank_is_by_effect_then_by_sites_times_information_and_dead_last():
    dead = replace(motif("dead", effect=9.0), n_sites=0)
    small, large = motif("small", n_sites=3), motif("large", n_sites=30)
    weak, strong = motif("weak", effect=0.1), motif("strong", effect=0.7)
    ranked = rank_motifs([dead, small, weak, large, strong])
    assert [m.name for m in ranked] == ["strong", "weak", "large", "small", "dead"]


def test_the_validation_drop_ranks_first():
    unmeasured, less = motif("unmeasured", effect=9.0), motif("less", validation_drop=-0.1)
    more = motif("more", validation_drop=0.2, effect=-1.0)
    ranked = rank_motifs([unmeasured, less, more])
    assert [m.name for m in ranked] == ["more", "less", "unmeasured"]


def test_motif_table():
    dead = Motif("k01", np.full((4, 4), 0.25), recipe="danq", n_sequences=20)
    alive = motif(
        "k00", "GATT", recipe="danq", n_sequences=20, initialised_from="MA0265.3",
        kernels=("k00", "k07-"), n_members=1, validation_drop=0.25, metric="auroc",
        places=Places(np.array([[-1.5, 2.5], [0, 0]]), np.array([[4, 4], [2, 0]])),
    )  # fmt: skip
    table = motif_table([dead, alive])
    assert tuple(table) == MOTIF_COLUMNS
    first = table.iloc[0]
    assert first["kernels"] == "k00,k07-" and first["n_kernels"] == 2
    assert (first["width"], first["consensus"], first["reverse_share"]) == (4, "GATT", 0.2)
    assert first["position_mean"] == pytest.approx((4 * -1.5 + 4 * 2.5) / 10)
    texts = ["rank", "kernel", "n_sites", "n_sequences", "information", "initialised_from"]
    assert table[texts].to_numpy().tolist() == [
        [1, "k00", 10, 20, 8.0, "MA0265.3"],
        [2, "k01", 0, 20, 0.0, ""],
    ]
    assert table["effect"].isna().all()


def test_sites_are_counted_by_their_middle():
    places = Places(np.array([[-5.0, -4.5, 4.5], [5.0, 0, 0]]), np.array([[1, 2, 3], [4, 0, 0]]))
    table = position_table([motif("k00", places=places), motif("k01")])
    assert table.to_numpy().tolist() == [
        ["k00", -5, 0, 3, 0],
        ["k00", 0, 5, 3, 0],
        ["k00", 5, 10, 0, 4],
    ]


def test_motifs_come_back_from_their_two_files(tmp_path):
    dead = Motif("k01", np.full((4, 4), 0.25), recipe="danq", n_sequences=20, effect=-1.5)
    alive = motif("k00", "GATT", recipe="danq", n_sequences=20, initialised_from="MA0265.3")
    write_meme([dead, alive], tmp_path / "m.meme")
    write_table(motif_table([dead, alive]), tmp_path / "m.tsv")
    first, second = read_motifs(tmp_path / "m.meme", tmp_path / "m.tsv")
    np.testing.assert_array_equal(first.matrix, alive.matrix)
    np.testing.assert_array_equal(second.matrix, UNIFORM)
    # Of a motif without sites the file holds no matrix.
    again, before = (
        motif_table(pair).drop(columns="width") for pair in ([first, second], [dead, alive])
    )
    pd.testing.assert_frame_equal(again, before)


def test_shuffled_columns_keep_their_information():
    given_motif = Motif("k00", np.random.default_rng(0).dirichlet(np.ones(4), 12).T)
    (shuffled,) = shuffle_columns([given_motif], seed=1)
    assert not np.array_equal(shuffled.matrix, given_motif.matrix)
    assert shuffled.information == pytest.approx(given_motif.information)
    np.testing.assert_array_equal(shuffled.matrix, shuffle_columns([given_motif], seed=1)[0].matrix)


# --- MEME files -----------------------------------------------------------------------------


def test_meme_text_of_a_literal(tmp_path):
    write_meme(
        [motif("k00", "AC", alt_name="of two"), motif("k01", n_sites=0)], tmp_path / "m.meme"
    )
    assert (tmp_path / "m.meme").read_text() == (
        "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
        "Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n\n"
        "MOTIF k00 of_two\nletter-probability matrix: alength= 4 w= 2 nsites= 10 E= 0\n"
        "1.000000 0.000000 0.000000 0.000000\n0.000000 1.000000 0.000000 0.000000\n"
    )


@pytest.mark.parametrize("alphabet", ["ACGT", "ACGU"])
def test_meme_round_trip(tmp_path, alphabet):
    generator = np.random.default_rng(2)
    motifs = [
        Motif(f"k{i:02d}", generator.dirichlet(np.ones(4), 5 + i).T, f"TF{i}" * (i % 2), 7 * i + 1)
        for i in range(4)
    ]
    write_meme(motifs, tmp_path / "m.meme", alphabet)
    for given_motif, found in zip(motifs, read_meme(tmp_path / "m.meme"), strict=True):
        assert (found.name, found.alt_name) == (given_motif.name, given_motif.alt_name)
        assert found.n_sites == given_motif.n_sites
        np.testing.assert_allclose(found.matrix, given_motif.matrix, atol=2e-6)
        np.testing.assert_allclose(found.matrix.sum(axis=0), 1, rtol=1e-12)


def test_meme_without_width_sites_or_blank_lines(tmp_path):
    (tmp_path / "m.meme").write_text(
        "MEME version 5\nALPHABET= ACGT\r\nMOTIF a\nletter-probability matrix:\n"
        " 0.5  0.5 0 0 \n1 0 0 0\nMOTIF\tb\tB\nletter-probability matrix: alength=4 w=1 nsites=3\n"
        "0 0 0 1\nURL http://x\n"
    )
    first, second = read_meme(tmp_path / "m.meme")
    np.testing.assert_array_equal(first.matrix, [[0.5, 1], [0.5, 0], [0, 0], [0, 0]])
    assert (first.n_sites, second.n_sites, second.alt_name) == (20, 3, "B")


def test_meme_without_motifs_is_an_empty_list(tmp_path):
    write_meme([], tmp_path / "m.meme")
    assert read_meme(tmp_path / "m.meme") == []


HEADER = "MEME version 4\nMOTIF a\nletter-probability matrix: alength= 4 w= 2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (">a\nACGT\n", "m.meme: is not in MEME format"),
        (HEADER + "1 0 0 0\n0 0 x 1\n", r"m.meme: line 5: '0 0 x 1' is not four probabilities"),
        (HEADER + "1 0 0\n1 0 0 0\n", r"m.meme: line 4: '1 0 0' is not four"),
        (HEADER + "1 0 0 0\n1.5 -0.5 0 0\n", "m.meme: line 5: .* at least 0"),
        (HEADER + "1 0 0 0\n0.3 0.3 0.3 0.3\n", "m.meme: line 5: .* sum to 1"),
        (HEADER + "nan 0 0 0\n1 0 0 0\n", "m.meme: line 4: 'nan 0 0 0'"),
        (HEADER + "1 0 0 0", "m.meme: line 3: the matrix ends before its last row"),
        (HEADER.replace("w= 2", "w= two"), "m.meme: line 3: w= or nsites= is not a number"),
        (HEADER.replace("w= 2", "w= 0"), "m.meme: line 3: give a matrix"),
        (HEADER.replace("alength= 4", "alength= 20"), "m.meme: line 3: give a matrix"),
        (HEADER.replace("w= 2", ""), "m.meme: line 3: the matrix ends before its last row"),
        (HEADER.replace("MOTIF a\n", ""), "m.meme: line 2: a matrix without a MOTIF line"),
        ("MEME version 4\nMOTIF\n", "m.meme: line 2: MOTIF without a name"),
        ("MEME version 4\nALPHABET= ACDEF\n", "m.meme: line 2: alphabet 'ACDEF'"),
        ("", "m.meme: the file is empty"),
    ],
)
def test_bad_meme_files_are_refused(tmp_path, text, message):
    (tmp_path / "m.meme").write_text(text)
    with pytest.raises(InputError, match=message):
        read_meme(tmp_path / "m.meme")


def test_meme_files_of_jaspar_are_read():
    path = Path(__file__).parents[3] / "shared/data/jaspar/JASPAR2026_CORE_fungi_latest.meme"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    motifs = read_meme(path)
    assert len(motifs) == 193
    first = motifs[0]
    assert (first.name, first.alt_name, first.n_sites) == ("MA0265.3", "ABF1", 427)
    assert consensus(first.matrix) == "TCGTNNANAGTGAY"


def test_a_missing_meme_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_meme(tmp_path / "m.meme")
