import numpy as np
from atlas_inputs import run_of

from motifloom import report_attributions as shown


def test_changes_and_own_contributions_are_per_cent_of_the_largest():
    codes = np.array([2, 0, 4], np.uint8)
    changes = np.array([[1, 0, 0], [-4, 0, 0], [0, 2, 0], [0, 0, np.nan]], np.float32)
    values = np.array([[7, -1, 7], [7, 7, 7], [2, 7, 7], [7, 7, 7]], np.float32)
    found = shown.attribution(codes, changes, values, "chr1", "ACGU", "DeepLIFT")
    assert (found.letters, found.first, found.largest) == ("GAN", 1, 4.0)
    assert found.changes == [25, 0, 0, -100, 0, 0, 0, 50, 0, 0, 0, 0]
    assert found.contributions == [100, -50, 0]


def test_of_a_long_sequence_the_busiest_part_is_shown():
    changes = np.zeros((4, 300), np.float32)
    changes[1, 200:210] = -1
    found = shown.attribution(np.zeros(300, np.uint8), changes, changes, "", "ACGT", "DeepLIFT")
    assert len(found.letters) == shown.MOST_BASES
    assert found.first <= 201 and found.first + shown.MOST_BASES >= 211


def test_without_sequences_there_is_nothing(tmp_path):
    assert shown.attributions(run_of(tmp_path, {}), "a", "ACGT") == []
    run = run_of(tmp_path, {"attribution/a/sequences.tsv": "rank\tchrom\n"})
    assert shown.attributions(run, "a", "ACGT") == []


def test_captions_count_from_one():
    row = {"chrom": "chr2", "start": "10", "end": "111", "strand": "-", "score": "1.234"}
    assert shown.caption_of(row) == "chr2:11-111 (-), score 1.23"
    assert shown.caption_of({"chrom": "", "score": "2"}) == "score 2.00"
