"""Kernels of hand-made models, read off as motifs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import bin_store_of, genome_of, info_of, random_codes, store_of

from motifloom import kernels, models
from motifloom.files import read_table
from motifloom.kernels import MotifFiles, export_motifs
from motifloom.matches import annotate_files
from motifloom.motif_files import read_meme, read_motifs
from motifloom.motifs import consensus
from motifloom.sequences import decode, encode, one_hot, reverse_complement
from motifloom.store import SequenceStore

WORDS = ("GATTA", "CCGCC")


def network_of(words=WORDS, threshold=4.0, weights=(1.0, -1.0), **settings):
    """Each kernel is one word; only all five bases right exceed the threshold."""
    network = models.DeepBind(12, n_kernels=len(words), kernel_size=5, **settings)
    with torch.no_grad():
        bank = one_hot(np.stack([encode(word) for word in words]))
        network.conv.weight.copy_(torch.from_numpy(bank))
        network.conv.bias.fill_(-threshold)
        if not settings.get("hidden_units"):
            network.dense.weight.copy_(torch.tensor([weights]))
    return network


def save(path, networks, **info):
    models.save(models.TrainedModel(networks, info_of(networks, **info)), path)
    return path


def store_with(path, words, labels, split, /, **info):
    rows = np.stack([encode(word) for word in words])
    store_of(rows, labels, split, **info).write(path)
    return path


SITES = ["TTTGATTATTTT", "GATTATTTTTTT", "TTTTTTTGATTA", "TTTTAATCTTTT", "TTTTCCGCCTTT"]


def site_store(tmp_path, **info):
    """Three training sites with GATTA, one with its reverse complement; a test site, a negative."""
    words = [*SITES, "TTTTTTTTTTTT"]
    split = ["train", "train", "validation", "train", "test", "train"]
    path = tmp_path / "sequences.safetensors"
    return store_with(path, words, [1, 1, 1, 1, 1, 0], split, **info)


def export(tmp_path, weights, store, **settings):
    export_motifs(weights, store, files_in(tmp_path), **settings)
    table = read_table(tmp_path / "kernels.tsv", ("consensus", "kernel", "motif", "strand"))
    return table.set_index("kernel"), {m.name: m for m in read_meme(tmp_path / "kernels.meme")}


def files_in(folder):
    names = ("kernels.meme", "kernels.tsv", "motifs.meme", "motifs.jaspar", "motifs.transfac")
    return MotifFiles(*(folder / name for name in (*names, "motifs.tsv", "positions.tsv")))


def motifs_in(folder):
    texts = ("kernel", "kernels", "consensus", "metric", "status")
    return read_table(folder / "motifs.tsv", texts)


def test_kernels_come_back_as_motifs(tmp_path):
    weights = save(tmp_path / "w.safetensors", [network_of()])
    table, motifs = export(tmp_path, weights, site_store(tmp_path))
    assert table.consensus.to_dict() == {"k00": "GATTA", "k01": ""}
    assert table.n_sites.to_dict() == {"k00": 3, "k01": 0}
    assert table.n_sequences.tolist() == [4, 4], "test sites and negatives are left out"
    assert list(motifs) == ["k00"]
    np.testing.assert_allclose(motifs["k00"].matrix, one_hot(encode("GATTA")[None])[0], atol=1e-3)


def test_both_strands_of_a_kernel(tmp_path):
    network = network_of(("GATTA", "TAATC"), both_strands=True)
    store = site_store(tmp_path)
    words = [*SITES[:3], "TTTTTAATCTTT"]
    store = store_with(tmp_path / "s.safetensors", words, [1] * 4, ["train"] * 4)
    table, _ = export(tmp_path, save(tmp_path / "w.safetensors", [network]), store)
    assert table.consensus.to_dict() == {"k00": "GATTA", "k01": "TAATC"}
    assert table.n_sites.tolist() == [4, 4]


def test_rna_kernels_have_one_strand_and_u(tmp_path):
    weights = save(tmp_path / "w.safetensors", [network_of()], alphabet="rna")
    export(tmp_path, weights, site_store(tmp_path, alphabet="rna"))
    text = (tmp_path / "kernels.meme").read_text()
    assert "ALPHABET= ACGU" in text
    assert "strands: +\n" in text


def test_effects_of_a_linear_readout(tmp_path):
    network = network_of(weights=(2.0, -4.0))
    words = [*SITES[:2], SITES[4], "TTTTTTTTTTTT"]
    store = store_with(tmp_path / "s.safetensors", words, [1, 1, 0, 0], ["train"] * 4)
    table, _ = export(tmp_path, save(tmp_path / "w.safetensors", [network]), store)
    # Activations are 1 where the word stands: on 2 of 2 sites; on 1 of 2 negatives.
    assert table.effect.to_dict() == {"k00": 2 * (1 - 0), "k01": -4 * (0 - 0.5)}


def test_without_negatives_or_a_linear_readout_there_are_no_effects(tmp_path):
    store = store_with(tmp_path / "s.safetensors", SITES, [1] * 5, ["train"] * 5)
    for number, network in enumerate((network_of(), network_of(hidden_units=2))):
        weights = save(tmp_path / f"{number}.safetensors", [network])
        table, _ = export(tmp_path, weights, store)
        assert table.effect.isna().all()
        store = site_store(tmp_path)


def test_kernels_of_all_members_are_read_off(tmp_path):
    networks = [network_of(), network_of(("ATTAT", "TTTTT"))]
    weights = save(tmp_path / "w.safetensors", networks, best_member=1)
    table, _ = export(tmp_path, weights, site_store(tmp_path))
    assert table.consensus.to_dict() == {
        "m0k00": "GATTA", "m0k01": "", "m1k00": "ATTAT", "m1k01": "TTTTT",
    }  # fmt: skip
    assert table.member.tolist() == [0, 0, 1, 1]
    assert table.status.tolist() == ["weak", "never fires", "weak", "weak"]
    assert len(motifs_in(tmp_path)) == 0
    assert read_meme(tmp_path / "motifs.meme") == []


def planted_store(path, word="GATTACCA", n=40):
    """Sites with a word on either strand and others without, in all splits."""
    random = np.random.default_rng(0)
    codes = random.integers(1, 4, size=(3 * n, 30), dtype=np.uint8)  # no A: no site by chance
    codes[: 2 * n, 10:18] = encode(word)
    codes[n : 2 * n] = reverse_complement(codes[n : 2 * n])
    split = np.resize(["train", "validation", "test"], 3 * n)
    labels = [1] * 2 * n + [0] * n
    order = random.permutation(3 * n)
    store_of(codes[order], np.array(labels)[order], split).write(path)
    return path


def both_strand_network(words, weights, **settings):
    network = models.DeepBind(30, len(words), 8, both_strands=True, **settings)
    with torch.no_grad():
        bank = one_hot(np.stack([encode(word) for word in words]))
        network.conv.weight.copy_(torch.from_numpy(bank))
        network.conv.bias.fill_(-7.0)
        network.dense.weight.copy_(torch.tensor([weights]))
    return network


def planted_ensemble(tmp_path):
    """Two networks with the word, one in reverse too; a third kernel that never fires."""
    turned = decode(reverse_complement(encode("GATTACCA")))
    networks = [
        both_strand_network(("GATTACCA", "AAAAAAAA"), (3.0, 1.0)),
        both_strand_network((turned, "AAAAAAAA"), (2.0, 1.0)),
    ]
    return save(tmp_path / "w.safetensors", networks)


def test_kernels_that_hold_one_motif_are_one_row(tmp_path):
    store = planted_store(tmp_path / "s.safetensors")
    table, _ = export(tmp_path, planted_ensemble(tmp_path), store)
    assert table.status.fillna("").tolist() == ["", "never fires", "redundant", "never fires"]
    assert table.motif.tolist() == ["m0k00", "", "m0k00", ""]
    assert table.strand.tolist() == ["+", "", "-", ""]
    (row,) = motifs_in(tmp_path).itertuples()
    assert (row.kernel, row.kernels, row.consensus) == ("m0k00", "m0k00,m1k00-", "GATTACCA")
    assert (row.n_kernels, row.n_members, row.members, row.width) == (2, 2, 2, 8)
    assert row.n_sites == row.n_sequences
    # Sites lie at 10 to 18 of 30, in the other half at 12 to 20.
    assert abs(row.position_mean) < 1
    assert 0.3 < row.reverse_share < 0.7


def test_silencing_a_motif_costs_what_it_is_worth(tmp_path):
    store = planted_store(tmp_path / "s.safetensors")
    table, _ = export(tmp_path, planted_ensemble(tmp_path), store)
    (row,) = motifs_in(tmp_path).itertuples()
    # With it every site is told apart, without it none.
    assert (row.validation_drop, row.test_drop, row.metric) == (0.5, 0.5, "auroc")
    # The other member still tells them apart.
    assert table.validation_drop.tolist() == [0, 0, 0, 0]


def test_positions_are_counted_by_strand(tmp_path):
    store = planted_store(tmp_path / "s.safetensors")
    export(tmp_path, planted_ensemble(tmp_path), store)
    (row,) = motifs_in(tmp_path).itertuples()
    table = read_table(tmp_path / "positions.tsv", ("kernel",))
    assert list(table) == ["kernel", "start", "end", "forward", "reverse"]
    # The middle of the forward sites is at 14 - 15, that of the reverse ones at 16 - 15.
    assert table.start.tolist() == [-5, 0] and table.end.tolist() == [0, 5]
    assert table.forward[0] + table.reverse[1] == row.n_sites
    assert table.forward[1] == table.reverse[0] == 0


def test_the_other_strand_gives_the_same_motifs(tmp_path):
    store = planted_store(tmp_path / "s.safetensors")
    export(tmp_path, planted_ensemble(tmp_path), store)
    before = motifs_in(tmp_path)
    opened = SequenceStore.open(store)
    turned = replace(opened, codes=reverse_complement(np.array(opened.codes)))
    turned.write(tmp_path / "turned.safetensors")
    export(tmp_path, planted_ensemble(tmp_path), tmp_path / "turned.safetensors")
    after = motifs_in(tmp_path)
    assert after.consensus.tolist() == before.consensus.tolist()
    assert after.n_sites.tolist() == before.n_sites.tolist()
    assert after.position_mean[0] == -before.position_mean[0]
    assert after.reverse_share[0] == pytest.approx(1 - before.reverse_share[0])


def test_other_formats_read_back_by_biopython(tmp_path):
    from Bio import motifs as formats

    export(tmp_path, planted_ensemble(tmp_path), planted_store(tmp_path / "s.safetensors"))
    (row,) = motifs_in(tmp_path).itertuples()
    for name, form in (("motifs.jaspar", "jaspar"), ("motifs.transfac", "transfac")):
        with open(tmp_path / name) as stream:
            (found,) = formats.parse(stream, form)
        assert str(found.consensus) == "GATTACCA"
        assert sum(found.counts[base][0] for base in "ACGT") == row.n_sites


def test_top_sequences_by_score(tmp_path):
    network = network_of(threshold=0.0, weights=(1.0, 0.0))
    store = site_store(tmp_path)
    weights = save(tmp_path / "w.safetensors", [network])
    table, motifs = export(tmp_path, weights, store, top=3)
    assert table.n_sequences.tolist() == [3, 3]
    assert consensus(motifs["k00"].matrix) == "GATTA"


def test_sites_of_scores_are_those_above_the_median(tmp_path):
    words = [SITES[0], SITES[1], SITES[4], SITES[4], SITES[0]]
    split = ["train"] * 4 + ["test"]
    store = store_with(
        tmp_path / "s.safetensors", words, [9.0, 8.0, -5.0, -6.0, 99.0], split, labels="score"
    )
    table, _ = export(tmp_path, save(tmp_path / "w.safetensors", [network_of()]), store)
    assert table.n_sequences.tolist() == [2, 2]
    assert table.n_sites.to_dict() == {"k00": 2, "k01": 0}
    assert table.effect.to_dict() == {"k00": 1.0, "k01": 1.0}


def test_equal_scores_have_no_sites(tmp_path):
    store = store_with(tmp_path / "s.safetensors", SITES, [2.0] * 5, ["train"] * 5, labels="score")
    table, motifs = export(tmp_path, save(tmp_path / "w.safetensors", [network_of()]), store)
    assert table.n_sites.tolist() == [0, 0]
    assert motifs == {}
    assert read_motifs(tmp_path / "motifs.meme", tmp_path / "motifs.tsv") == []


@pytest.mark.parametrize("recipe", ["danq", "halfmax"])
def test_recipes(tmp_path, recipe):
    weights = save(tmp_path / "w.safetensors", [network_of()])
    table, motifs = export(tmp_path, weights, site_store(tmp_path), recipe=recipe)
    assert set(table.recipe) == {recipe}
    assert motifs["k00"].matrix.shape == (4, 5)


def test_sites_of_bins_lie_in_the_bin(tmp_path):
    torch.manual_seed(0)
    danq = models.DanQ(
        30, 1, n_kernels=2, kernel_size=5, pool_size=4, lstm_units=2, dense_units=0, centre=8,
        direct=True,
    )  # fmt: skip
    words = one_hot(np.stack([encode(word) for word in WORDS]))
    with torch.no_grad():
        danq.conv.weight.copy_(torch.from_numpy(words))
        danq.conv.bias.fill_(-4)
    # The bin is at 11 to 19; GATTA overlaps it, its copy at the end of the context does not.
    codes = np.full((4, 30), 3, np.uint8)
    codes[0, 9:14] = encode("GATTA")
    codes[1, 11:16] = reverse_complement(encode("GATTA"))
    codes[2, 8:13] = encode("GATTA")
    codes[3, 25:30] = encode("GATTA")
    records = {f"chr{i}": decode(row) for i, row in enumerate(codes)}
    genome_of(records, tmp_path / "genome.safetensors")
    # Neither an unlabelled nor a test bin counts.
    bin_store_of(
        records, [*records, "chr0", "chr0"], [0] * 6, [[1]] * 4 + [[0], [1]],
        ["train"] * 3 + ["validation", "train", "test"], bin=8, context=30,
    ).write(tmp_path / "s.safetensors")  # fmt: skip
    weights = save(tmp_path / "w.safetensors", [danq])
    genome = tmp_path / "genome.safetensors"
    table, _ = export(tmp_path, weights, tmp_path / "s.safetensors", genome=genome)
    assert table.n_sites["k00"] == 2
    assert table.consensus["k00"] == "GATTA"


def test_sites_of_many_bins_come_from_some_of_them():
    records = {"chr1": decode(random_codes(0, 1, 600)[0])}
    labels = [[i % 2] for i in range(60)]
    bins = bin_store_of(
        records, ["chr1"] * 60, 10 * np.arange(60), labels, ["train"] * 60, bin=10, context=10
    )
    rows = np.flatnonzero(bins.labelled())
    # Of the 30 labelled ones, from the first to the last.
    assert kernels._spread(rows, 7).tolist() == [1 + 2 * i for i in (0, 4, 9, 14, 19, 24, 29)]


def test_a_stem_has_motifs_like_any_kernels(tmp_path):
    network = models.ResNet(12, 1, n_kernels=len(WORDS), kernel_size=5, pool_size=2, blocks=1)
    with torch.no_grad():
        network.conv.weight.copy_(
            torch.from_numpy(one_hot(np.stack([encode(word) for word in WORDS])))
        )
        network.conv.bias.fill_(-4)
    codes = np.full((3, 12), 3, np.uint8)
    codes[:, 4:9] = encode("GATTA")
    store_of(codes, [1] * 3, ["train"] * 3).write(tmp_path / "s.safetensors")
    weights = save(tmp_path / "w.safetensors", [network])
    table, _ = export(tmp_path, weights, tmp_path / "s.safetensors")
    assert table.consensus["k00"] == "GATTA"


@pytest.mark.parametrize("network", [models.LSTM(12, 1), models.ResNet(12, 1, order="relu-last")])
def test_networks_without_kernels_have_no_motifs(tmp_path, network):
    store_of(random_codes(0, 9, 12), [1, 0, 1] * 3, ["train"] * 9).write(tmp_path / "s.safetensors")
    weights = save(tmp_path / "w.safetensors", [network])
    table, motifs = export(tmp_path, weights, tmp_path / "s.safetensors")
    assert len(table) == 0 and not motifs
    annotate_files(
        tmp_path / "motifs.meme", tmp_path / "motifs.tsv", tmp_path / "kernels.tsv",
        tmp_path / "motifs.meme", tmp_path / "matches.tsv", tmp_path / "summary.tsv",
        tmp_path / "logos",
        own={}, dataset="d", model="lstm", alphabet="dna", release="JASPAR2026", limit=3,
    )  # fmt: skip
    assert len(read_table(tmp_path / "matches.tsv")) == 0
    assert "no kernels" in read_table(tmp_path / "summary.tsv").note[0]


def test_matrices_that_kernels_started_from_are_named(tmp_path):
    weights = save(tmp_path / "w.safetensors", [network_of()], initialised_from=["MA0001.1", ""])
    table, _ = export(tmp_path, weights, site_store(tmp_path))
    assert sorted(table.initialised_from.fillna("")) == ["", "MA0001.1"]


def test_the_same_bytes_twice(tmp_path):
    torch.manual_seed(1)
    network = models.DeepBind(20, n_kernels=6, kernel_size=5, both_strands=True)
    store_of(random_codes(0, 30, 20), [1, 0] * 15, ["train"] * 30).write(tmp_path / "s.safetensors")
    weights = save(tmp_path / "w.safetensors", [network])
    found = []
    for _ in range(2):
        export(tmp_path, weights, tmp_path / "s.safetensors")
        found.append(
            [
                (tmp_path / name).read_bytes()
                for name in ("kernels.meme", "kernels.tsv", "motifs.tsv")
            ]
        )
    assert found[0] == found[1]
