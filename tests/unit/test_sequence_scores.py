"""Scores of sequences of any length."""

import numpy as np
import pytest
from builders import DANQ, info_of, random_codes
from test_scoring import deepbind

from motifloom import inference, models
from motifloom.files import InputError
from motifloom.sequence_scores import (
    Stretches,
    is_stranded,
    score_sequences,
    score_stretches,
)
from motifloom.sequences import encode

SEQUENCES = ["TTACGTTT", "ACGT", "acguNN", "CCCCCCCC"]
EXPECTED = [[4], [4], [4], [1]]


@pytest.fixture
def weights(tmp_path):
    return deepbind(tmp_path / "weights.safetensors")


def test_texts_codes_and_files_are_scored(weights, tmp_path):
    fasta = tmp_path / "mine.fa"
    fasta.write_text("".join(f">s{i}\n{one}\n" for i, one in enumerate(SEQUENCES)))
    codes = [encode(one) for one in SEQUENCES]
    loaded = [weights, str(weights), tmp_path, inference.load(weights), models.load(weights)]
    for model in loaded:
        assert score_sequences(model, SEQUENCES).tolist() == EXPECTED
    for given in (codes, fasta, str(fasta), tuple(SEQUENCES)):
        found = score_sequences(weights, given)
        assert found.tolist() == EXPECTED and found.dtype == np.float32


def test_an_array_of_codes_is_scored(weights):
    codes = np.stack([encode(SEQUENCES[0]), encode(SEQUENCES[3])])
    assert score_sequences(weights, codes).tolist() == [[4], [1]]
    assert score_sequences(weights, codes[:0]).shape == (0, 1)
    assert score_sequences(weights, []).shape == (0, 1)


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        (["ACGT", "AC-T"], "sequence 2: '-' at position 3 is no nucleotide letter"),
        (["ACGT", "ACG"], "sequence 2: has 3 bp; a kernel has 4 bp"),
        (["ACGT", ""], "sequence 2: has 0 bp"),
        ([np.array([0, 1, 2, 5], np.uint8)], "sequence 1: is neither letters nor base codes"),
        ([np.array([0.0, 1, 2, 3])], "sequence 1: is neither letters nor base codes"),
    ],
)
def test_what_is_no_sequence_is_refused_by_its_number(weights, sequences, message):
    with pytest.raises(InputError, match=message):
        score_sequences(weights, sequences)


def test_a_network_of_one_length_refuses_others(tmp_path):
    network = models.DanQ(**DANQ)
    models.save(models.TrainedModel([network], info_of([network])), tmp_path / "danq.safetensors")
    assert score_sequences(tmp_path / "danq.safetensors", ["A" * 40]).shape == (1, 3)
    with pytest.raises(InputError, match="sequence 2: has 41 bp; this network takes 40 bp"):
        score_sequences(tmp_path / "danq.safetensors", ["A" * 40, "A" * 41])


def test_a_network_of_one_length_scores_windows_only(tmp_path):
    network = models.DanQ(**DANQ)
    models.save(models.TrainedModel([network], info_of([network])), tmp_path / "danq.safetensors")
    model = inference.load(tmp_path / "danq.safetensors")
    flat = random_codes(1, 1, 90)[0]
    first, last = np.array([0, 5, 30]), np.array([52, 45, 33])
    edges = np.zeros(3, np.int64), np.full(3, 90)
    found = score_stretches(model, Stretches(flat, *edges, first, last, np.zeros(3, bool)), 1)
    windows = np.stack([flat[at : at + 40] for at in (0, 10, 12, 5, 11)])
    expected = model.score(windows)[:, 1]
    best = int(np.argmax(expected[:3]))
    np.testing.assert_allclose(found.best, [expected[best], *expected[3:]], atol=1e-5)
    assert found.at.tolist() == [[0, 10, 12][best], 0, -19]
    np.testing.assert_allclose(found.whole, [np.nan, expected[3], np.nan], atol=1e-5)


@pytest.mark.parametrize(
    ("strands", "both", "expected"),
    [("given", False, True), ("given", True, False), ("mean", False, False)],
)
def test_whether_strands_are_told_apart(strands, both, expected):
    info = {"strands": strands, "hyperparameters": {"both_strands": both}}
    assert is_stranded(info) == expected
