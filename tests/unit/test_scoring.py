"""Metrics of hand-made models on small test splits, of bins and of FASTA files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from builders import bin_store_of, genome_of, info_of, store_of

from motifloom import models, scoring, window_evaluation, window_scores
from motifloom.baselines import write_scores
from motifloom.evaluation import TEXT_COLUMNS
from motifloom.files import InputError, read_table
from motifloom.motif_files import write_meme
from motifloom.motifs import Motif
from motifloom.sequences import decode, encode, one_hot, reverse_complement
from motifloom.store import read_arrays, write_arrays

WORD = "ACGT"
TEST = {"n_bootstrap": 20, "seed": 1}


def deepbind(path, word=WORD, members=(1.0,), length=6, **info):
    """A model whose logit is the number of bases that agree with `word`, times each member."""
    networks = []
    for factor in members:
        network = models.DeepBind(length, n_kernels=1, kernel_size=len(word))
        with torch.no_grad():
            network.conv.weight.copy_(torch.from_numpy(one_hot(encode(word)[None])))
            network.conv.bias.zero_()
            network.dense.weight.fill_(factor)
            network.dense.bias.zero_()
        networks.append(network)
    models.save(models.TrainedModel(networks, info_of(networks, **info)), path)
    return path


@pytest.fixture
def meme(tmp_path):
    word = Motif("M1", one_hot(encode("ACG")[None])[0].astype(float), n_sites=10)
    write_meme([word], tmp_path / "motifs.meme")
    return f"{tmp_path / 'motifs.meme'}#M1"


def rows_of(letters, *more):
    return np.stack([encode(word) for word in (letters, *more)])


def windows_store(**info):
    """Test: two sites, a shuffle and a GC-matched negative each; train and validation too."""
    words = ["AACGTA", "AACGAA", "CCCCCC", "TACGCC", "GGGGGG", "AACCTA", "ACGTAA", "TTTTTT"]
    split = ["test"] * 6 + ["train", "validation"]
    return store_of(
        rows_of(*words),
        [1, 1, 0, 0, 0, 0, 1, 1],
        split,
        kind=[0, 0, 1, 1, 2, 2, 0, 0],
        kinds=("site", "dinucleotide", "gc"),
        **{"negatives": "dinucleotide"} | info,
    )


def evaluate(tmp_path, store, weights, motif="", baselines=()):
    store.write(tmp_path / "sequences.safetensors")
    window_evaluation.evaluate_windows(
        tmp_path / "sequences.safetensors",
        weights,
        tmp_path / "metrics.tsv",
        tmp_path / "curves.tsv",
        tmp_path / "curves.svg",
        tmp_path / "scores.safetensors",
        dataset="set1",
        tf="TF1",
        motif=motif,
        release="JASPAR2024",
        baselines=baselines,
        **TEST,
    )
    assert (tmp_path / "curves.svg").read_text().count("<svg") == 1
    return read_table(tmp_path / "metrics.tsv", TEXT_COLUMNS)


def test_windows(tmp_path):
    weights = deepbind(tmp_path / "weights.safetensors")
    table = evaluate(tmp_path, windows_store(), {"mine": weights})
    assert table.model.tolist() == ["mine", "mine"]
    assert table.negatives.tolist() == ["dinucleotide", "gc"]
    assert table.examples.tolist() == ["windows", "windows"]
    assert table.n.tolist() == [4, 4]
    assert table.n_positive.tolist() == [2, 2]
    # Scores: sites 4 and 3; shuffles 1 and 3; GC-matched 1 and 3 (AC-T).
    assert table.auroc.tolist() == [0.875, 0.875]
    assert table.note.tolist() == ["", ""]
    assert (table.auroc_low <= table.auroc).all()
    assert (table.auroc <= table.auroc_high).all()
    curves = read_table(tmp_path / "curves.tsv")
    assert set(curves.curve) == {"roc", "pr"}
    assert set(curves.model) == {"mine"}


def test_ensembles_stand_beside_their_best_single_training(tmp_path):
    weights = deepbind(tmp_path / "w.safetensors", members=(-1.0, 2.0), best_member=0)
    table = evaluate(tmp_path, windows_store(), {"mine": weights})
    first = table[table.negatives == "dinucleotide"].set_index("model")
    assert first.index.tolist() == ["mine", "mine-single"]
    assert first.preset.tolist() == ["mine", "mine"]
    assert first.members.tolist() == [2, 1]
    # The mean of -1 and 2 times the score ranks as the score does, -1 the other way round.
    assert first.auroc.tolist() == [0.875, 0.125]
    # Alone they have .125 and .875, in both kinds of negatives.
    spread = table.set_index("model")[["auroc_members_mean", "auroc_members_sd"]]
    assert spread.loc["mine"].to_numpy() == pytest.approx(np.array([[0.5, 0.75 / np.sqrt(2)]] * 2))
    assert spread.loc["mine-single"].isna().all(axis=None)
    assert table.pearson_members_sd.isna().all()


def test_members_are_judged_on_the_examples_of_their_row(tmp_path):
    members = {"members": (1.0, 2.0), "length": 32}
    weights = deepbind(tmp_path / "w.safetensors", **members)
    table = evaluate(tmp_path, shared_store(), {"mine": weights})
    own = table[table.model == "mine"]
    assert own.examples.tolist() == ["windows"] * 2 + ["windows-distinct"] * 2
    # Twice the same scores up to a factor: each member ranks as the ensemble does.
    assert own.auroc_members_mean.tolist() == own.auroc.tolist()
    assert own.auroc_members_sd.tolist() == [0] * 4


def test_the_known_matrix_is_a_row(tmp_path, meme):
    weights = deepbind(tmp_path / "w.safetensors", "GGGG")
    table = evaluate(tmp_path, windows_store(), {"mine": weights}, meme)
    pwm = table[(table.model == "pwm") & (table.negatives == "gc")].iloc[0]
    assert pwm.preset == "M1"
    assert pwm.members == 1
    assert pwm.auroc == 1.0


def test_the_matrix_sees_one_strand_of_rna(tmp_path, meme):
    # ACG stands in the first site only as CGT, on the other strand.
    store = windows_store()
    store.codes[:2] = rows_of("TTCGTT", "TTACGT")
    weights = deepbind(tmp_path / "w.safetensors")
    found = {}
    for alphabet in ("dna", "rna"):
        info = store.info | {"alphabet": alphabet}
        table = evaluate(tmp_path, replace(store, info=info), {"mine": weights}, meme)
        found[alphabet] = table[(table.model == "pwm") & (table.negatives == "gc")].auroc.item()
    assert found["rna"] < found["dna"] == 1.0


def test_baselines_are_rows_behind_the_models(tmp_path, meme):
    weights = deepbind(tmp_path / "w.safetensors")
    paths = [tmp_path / f"{name}.safetensors" for name in ("kmer", "other")]
    write_scores(np.arange(6)[::-1], paths[0], "kmer", "all 6-mers")
    write_scores(np.arange(6), paths[1], "other", "none")
    table = evaluate(tmp_path, windows_store(), {"mine": weights}, meme, paths)
    first = table[table.negatives == "dinucleotide"].set_index("model")
    assert first.index.tolist() == ["mine", "pwm", "kmer", "other"]
    assert first.preset.tolist() == ["mine", "M1", "all 6-mers", "none"]
    assert first.members.tolist() == [1] * 4
    assert first.auroc.tolist()[2:] == [1, 0]


# Test positives that share a 31-mer with training


LONG = "ACGTTGCAAGGCTTAACCGATTCAGGTACCA"  # 31 bases, no part of its own reverse complement


def shared_store(**info):
    """Test: a site with LONG's other strand, one of its own, and a shuffle and two windows each."""
    other = decode(reverse_complement(encode(LONG)))
    tails = ["C" + other, "A" * 32, "G" * 32, "C" * 32, "T" + LONG, "AG" * 16, "T" * 32]
    words = rows_of(*tails, LONG + "G", LONG[:30] + "CC", other + "A")
    store = store_of(
        words,
        [1, 1, 0, 0, 0, 0, 0, 1, 1, 0],
        ["test"] * 7 + ["train", "validation", "train"],
        kind=[0, 0, 1, 1, 2, 2, 2, 0, 0, 2],
        kinds=("site", "dinucleotide", "gc"),
        **{"negatives": "dinucleotide"} | info,
    )
    store.parent[2:7] = [0, 1, 0, 1, 1]
    return store


def test_positives_that_share_a_31mer_go_with_the_negatives_made_for_them():
    store = shared_store()
    rows = store.rows("test")
    found = window_scores.shares_with_training(store, rows)
    assert found.tolist() == [True, False, True, False, True, False, False]
    # One strand of RNA is not the other, and the negative that holds it is no positive.
    alone = window_scores.shares_with_training(shared_store(alphabet="rna"), rows)
    assert not alone.any()
    store.targets[7] = 0
    assert not window_scores.shares_with_training(store, rows).any()


def test_validation_positives_were_learned_from_too():
    store = shared_store()
    store.split[7] = 1
    assert window_scores.shares_with_training(store, store.rows("test")).sum() == 3


def test_distinct_windows_are_further_rows(tmp_path):
    weights = deepbind(tmp_path / "w.safetensors", length=32)
    table = evaluate(tmp_path, shared_store(), {"mine": weights})
    assert table.examples.tolist() == ["windows"] * 2 + ["windows-distinct"] * 2
    assert table.negatives.tolist() == ["dinucleotide", "gc"] * 2
    assert table.n.tolist() == [4, 5, 2, 3]
    assert table.n_positive.tolist() == [2, 2, 1, 1]
    note = "left out: 1 positive sharing a 31-mer with training"
    assert table.note.tolist() == ["", "", note, note]
    # The curves are those of all windows.
    curves = read_table(tmp_path / "curves.tsv")
    assert len(curves[curves.curve == "roc"]) > 2


def test_distinct_windows_may_be_none(tmp_path):
    store = shared_store()
    store.split[[1, 3, 5, 6]] = 1
    table = evaluate(tmp_path, store, {"mine": deepbind(tmp_path / "w.safetensors", length=32)})
    last = table[table.examples == "windows-distinct"]
    assert last.n.tolist() == [0, 0]
    assert last.note.str.endswith("with training; one class only in the test split").all()


def test_distinct_sequences_of_a_scored_dataset(tmp_path):
    store = shared_store(labels="score")
    store.kind[:] = 0
    store.parent[:] = np.arange(len(store))
    store.targets[:, 0] = np.arange(len(store)) - 4.0
    table = evaluate(tmp_path, store, {"mine": deepbind(tmp_path / "w.safetensors", length=32)})
    assert table.examples.tolist() == ["windows", "windows-distinct"]
    assert table.n.tolist() == [7, 5]
    assert table.note[1].startswith("left out: 2 sequences sharing a 31-mer with training")
    assert len(read_table(tmp_path / "curves.tsv")) == 7


def test_given_negatives(tmp_path):
    words = rows_of("AACGTA", "AACGAA", "CCCCCC", "GGGGGG")
    store = store_of(words, [1, 1, 0, 0], ["test"] * 4, kinds=("given",), negatives="given")
    table = evaluate(tmp_path, store, {"mine": deepbind(tmp_path / "w.safetensors")})
    assert table.negatives.tolist() == ["given"]
    assert table.auroc.tolist() == [1.0]


@pytest.mark.parametrize("split", [["test", "test"], ["train", "train"]], ids=["sites", "nothing"])
def test_test_splits_without_both_classes(tmp_path, split):
    store = store_of(rows_of("AACGTA", "AACGAA"), [1, 1], split, negatives="none")
    table = evaluate(tmp_path, store, {"mine": deepbind(tmp_path / "w.safetensors")})
    assert table.auroc.isna().all()
    assert table.note.tolist() == ["one class only in the test split"]


def scored_store(values, **info):
    words = rows_of("ACGTTT", "ACGATT", "ACTTTT", "TTTTTT", "ACGTAA", "AAAAAA")
    split = ["test"] * 5 + ["train"]
    return store_of(words, [*values, 0], split, kinds=("given",), labels="score", **info)


def test_scores(tmp_path, meme):
    weights = deepbind(tmp_path / "w.safetensors", target_mean=10.0, target_scale=2.0)
    # Scores are 10 + 2 x (4, 3, 3, 1, 4).
    table = evaluate(tmp_path, scored_store([18, 16, 16, 12, 18]), {"mine": weights}, meme)
    mine, pwm = (table[table.model == name].iloc[0] for name in ("mine", "pwm"))
    assert mine.negatives == "none"
    assert mine.n == 5
    assert mine.pearson == pytest.approx(1)
    assert mine.spearman == pytest.approx(1)
    assert mine.mse == pytest.approx(0)
    assert np.isnan(mine.auroc)
    assert np.isnan(mine.pearson_members_mean)
    assert np.isnan(pwm.mse)
    points = read_table(tmp_path / "curves.tsv")
    assert points[points.model == "mine"].x.tolist() == [18, 16, 16, 12, 18]
    assert points[points.model == "mine"].y.tolist() == [18, 16, 16, 12, 18]


def test_spread_of_an_ensemble_on_scores(tmp_path):
    weights = deepbind(tmp_path / "w.safetensors", members=(1.0, -1.0, 3.0))
    table = evaluate(tmp_path, scored_store([4, 3, 3, 1, 4]), {"mine": weights})
    mine, single = (table[table.model == name].iloc[0] for name in ("mine", "mine-single"))
    # Correlations 1, -1 and 1.
    assert mine.pearson_members_mean == pytest.approx(1 / 3)
    assert mine.pearson_members_sd == pytest.approx(np.sqrt(4 / 3))
    assert np.isnan([single.pearson_members_mean, mine.auroc_members_mean]).all()


def test_the_same_bytes_twice(tmp_path):
    found = []
    for name in "ab":
        folder = tmp_path / name
        folder.mkdir()
        evaluate(folder, windows_store(), {"mine": deepbind(folder / "w.safetensors")})
        files = ("metrics.tsv", "curves.tsv", "curves.svg", "scores.safetensors")
        found.append([(folder / file).read_bytes() for file in files])
    assert found[0] == found[1]


# Bins


def danq(path, targets=("set1", "set2")):
    torch.manual_seed(0)
    network = models.DanQ(
        12, len(targets), n_kernels=3, kernel_size=3, pool_size=2, lstm_units=2, dense_units=0
    )
    info = {
        "network": "DanQ",
        "preset": "danq",
        "hyperparameters": network.hyperparameters,
        "members": 1,
        "best_member": 0,
        "strands": "mean",
        "targets": list(targets),
        "target_mean": 0.0,
        "target_scale": 1.0,
    }
    models.save(models.TrainedModel([network], info), path)
    return path


def bins_store(tmp_path):
    """Bins of 6 bases in contexts of 12; set1 has the word in the bin, set2 in a flank."""
    middles = ["TTACGT", "ACGTCC", "TTTTTT", "CCCCCC", "TTATTT"]
    contexts = [f"GGG{letters}ACG" for letters in middles] + ["A" * 12]
    records = {f"chr{i}": letters for i, letters in enumerate(contexts)}
    genome_of(records, tmp_path / "genome.safetensors")
    labels = [[1, 0], [1, 1], [0, 0], [0, 0], [0, 1], [1, 1]]
    store = bin_store_of(
        records,
        list(records),
        [0] * 6,
        labels,
        ["test"] * 5 + ["train"],
        kind=[0, 0, 0, 1, 0, 0],
        bin=6,
        context=12,
        targets=["set1", "set2"],
        left_out=["set3"],
    )
    store.write(tmp_path / "bins.safetensors")
    return store


def predict(tmp_path, weights):
    scoring.predict_bins(
        tmp_path / "bins.safetensors",
        tmp_path / "genome.safetensors",
        weights,
        tmp_path / "scores.safetensors",
    )
    return tmp_path / "scores.safetensors"


@pytest.mark.parametrize("block", [2, 5, 8])
def test_predicted_bins(tmp_path, monkeypatch, block):
    monkeypatch.setattr(scoring, "BLOCK", block)
    store, weights = bins_store(tmp_path), danq(tmp_path / "danq.safetensors")
    path = predict(tmp_path, weights)
    arrays, info = read_arrays(path)
    assert arrays["scores"].shape == (-(-5 // block), 2, block)
    assert np.isnan(arrays["scores"]).sum() == 2 * (-5 % block)
    assert info == {"rows": "test", "n": 5, "targets": ["set1", "set2"]}
    expected = models.load(weights).score(store.codes(np.arange(5)))
    for column, target in enumerate(("set1", "set2")):
        found = scoring.read_track(path, target)
        np.testing.assert_allclose(found, expected[:, column], atol=1e-6)
    with pytest.raises(InputError, match="has no scores of 'set3'"):
        scoring.read_track(path, "set3")


def test_no_more_bins_are_held_than_a_block(tmp_path, monkeypatch):
    bins_store(tmp_path)
    monkeypatch.setattr(scoring, "BLOCK", 2)
    sizes = []
    codes = scoring.BinStore.codes

    def counted(self, rows, *rest, **more):
        sizes.append(len(rows))
        return codes(self, rows, *rest, **more)

    monkeypatch.setattr(scoring.BinStore, "codes", counted)
    path = predict(tmp_path, danq(tmp_path / "danq.safetensors"))
    evaluate_set(tmp_path, path, "set1")
    assert sizes == [2, 2, 1] * 2


def test_predictions_for_other_targets(tmp_path):
    bins_store(tmp_path)
    with pytest.raises(InputError, match="its targets are not those of"):
        predict(tmp_path, danq(tmp_path / "danq.safetensors", ("set1", "set3")))


def write_predictions(tmp_path, scores):
    """Scores [n, T] in blocks of 2 bins."""
    n = len(scores)
    padded = np.full((n + n % 2, 2), np.nan, np.float32)
    padded[:n] = scores
    blocks = padded.reshape(-1, 2, 2).swapaxes(1, 2)
    info = {"n": n, "targets": ["set1", "set2"]}
    write_arrays(tmp_path / "danq.scores", {"scores": (blocks.shape, np.float32)}, [blocks], info)
    return tmp_path / "danq.scores"


def evaluate_set(tmp_path, scores, dataset, motif=""):
    scoring.evaluate_bins(
        tmp_path / "bins.safetensors",
        tmp_path / "genome.safetensors",
        {"danq": scores},
        deepbind(tmp_path / "w.safetensors", members=(1.0, 1.0)),
        tmp_path / "metrics.tsv",
        tmp_path / "comparisons.tsv",
        dataset=dataset,
        tf="TF1",
        motif=motif,
        release="JASPAR2024",
        **TEST,
    )
    return read_table(tmp_path / "metrics.tsv", TEXT_COLUMNS)


def test_evaluated_bins(tmp_path, meme):
    bins_store(tmp_path)
    scores = write_predictions(tmp_path, [[5, 0], [4, 0], [3, 0], [9, 0], [1, 0]])
    table = evaluate_set(tmp_path, scores, "set1", meme)
    assert table.model.tolist() == ["danq", "tiny", "pwm"] * 2
    assert table.examples.tolist() == ["bins"] * 3 + ["bins-all"] * 3
    assert table.negatives.tolist() == ["bins"] * 6
    assert table.n.tolist() == [4] * 3 + [5] * 3
    assert table.n_positive.tolist() == [2] * 6
    # DanQ's scores rank an unsampled bin first; the others see the word in the bin alone.
    assert table.auroc.tolist() == pytest.approx([1, 1, 1, 2 / 3, 1, 1])
    assert table.members.tolist() == [1, 2, 1] * 2
    # Two equal members, and the ensemble alone has any.
    assert table.auroc_members_sd.fillna(-1).tolist() == [-1, 0, -1] * 2


def test_bins_compare_deepbind_with_each_and_networks_with_each_other(tmp_path, meme):
    bins_store(tmp_path)
    scores = write_predictions(tmp_path, [[5, 0], [4, 0], [3, 0], [9, 0], [1, 0]])
    evaluate_set(tmp_path, scores, "set1", meme)
    found = read_table(tmp_path / "comparisons.tsv")
    assert found.model.tolist() == ["tiny"] * 8
    assert found.other.tolist() == ["pwm", "pwm", "danq", "danq"] * 2
    assert found.metric.tolist() == ["auroc", "auprc"] * 4
    assert found.examples.tolist() == ["bins"] * 4 + ["bins-all"] * 4
    assert found.negatives.tolist() == ["bins"] * 8
    assert found.n.tolist() == [4] * 4 + [5] * 4
    # As above: DanQ ranks the unsampled bin first.
    assert found.difference.tolist()[::2] == pytest.approx([0, 0, 0, 1 / 3])
    evaluate_set(tmp_path, scores, "set3")
    assert len(read_table(tmp_path / "comparisons.tsv")) == 0


def test_kept_scores_are_those_of_test_and_validation_windows(tmp_path, meme):
    weights = deepbind(tmp_path / "w.safetensors", members=(1.0, 2.0))
    write_scores(np.arange(6), tmp_path / "kmer.safetensors", "kmer", "all 6-mers")
    paths = [tmp_path / "kmer.safetensors"]
    evaluate(tmp_path, windows_store(), {"mine": weights}, meme, paths)
    kept = window_scores.WindowScores.open(tmp_path / "scores.safetensors")
    assert kept.models == ["mine", "mine-single", "pwm", "kmer"]
    assert [model["logit"] for model in kept.info["models"]] == [True, True, False, False]
    assert kept.row.tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert kept.label.tolist() == [1, 1, 0, 0, 0, 0, 1]
    assert kept.of_split("test").tolist() == [True] * 6 + [False]
    assert kept.scores[0].tolist() == pytest.approx([6, 4.5, 1.5, 4.5, 1.5, 4.5, 1.5])
    assert kept.scores[1].tolist() == pytest.approx([4, 3, 1, 3, 1, 3, 1])
    assert kept.scores[3].tolist()[:6] == [0, 1, 2, 3, 4, 5]
    assert np.isnan(kept.scores[3, 6])
    assert kept.info["positives"] == {"train": 1, "validation": 1, "test": 2}


def test_bins_are_scored_alike_in_blocks(tmp_path, meme, monkeypatch):
    bins_store(tmp_path)
    scores = write_predictions(tmp_path, np.arange(10.0).reshape(5, 2))
    whole = evaluate_set(tmp_path, scores, "set2", meme)
    monkeypatch.setattr(scoring, "BLOCK", 2)
    pd.testing.assert_frame_equal(evaluate_set(tmp_path, scores, "set2", meme), whole)


def test_datasets_left_out_have_rows_without_numbers(tmp_path, meme):
    bins_store(tmp_path)
    scores = write_predictions(tmp_path, np.zeros((5, 2)))
    table = evaluate_set(tmp_path, scores, "set3", meme)
    assert table.dataset.tolist() == ["set3"] * 6
    assert table.model.tolist() == ["danq", "tiny", "pwm"] * 2
    assert table.examples.tolist() == ["bins"] * 3 + ["bins-all"] * 3
    assert set(table.note) == {"too few labelled training bins (multitask: min_positives)"}
    assert table[["n", "n_positive", "auroc", "auprc"]].isna().all(axis=None)


# FASTA files


def test_scored_fasta(tmp_path):
    fasta = tmp_path / "sequences.fa"
    fasta.write_text(">a first\nACGTTT\n>b\nACGA\n>c\nTTTTTTTTTT\n")
    scoring.score_fasta(deepbind(tmp_path / "w.safetensors"), fasta, tmp_path / "scores.tsv")
    table = read_table(tmp_path / "scores.tsv")
    expected = pd.DataFrame({"sequence": ["a", "b", "c"], "length": [6, 4, 10], "TF1": [4, 3, 1]})
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_scored_fasta_of_several_targets(tmp_path):
    fasta = tmp_path / "sequences.fa"
    fasta.write_text(">a\nACGTTTACGTTT\n")
    scoring.score_fasta(danq(tmp_path / "w.safetensors"), fasta, tmp_path / "scores.tsv")
    assert list(read_table(tmp_path / "scores.tsv")) == ["sequence", "length", "set1", "set2"]
