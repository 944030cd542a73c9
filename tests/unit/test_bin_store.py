"""Bins on disk: sparse labels, and bases read from the encoded genome."""

from dataclasses import replace

import numpy as np
import pytest
from builders import bin_store_of, genome_of

from motifloom.bin_store import BinStore
from motifloom.files import InputError
from motifloom.sequences import Genome, encode, encode_genome

# chrA: ACGTACGT, chrB: TTNCC; contexts of 4 bases around bins of 2.
RECORDS = {"chrA": "ACGTACGT", "chrB": "TTNCC"}
BINS = [("chrA", -1), ("chrA", 2), ("chrA", 5), ("chrB", 0), ("chrB", 3)]
LABELS = [[1, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]


def store(**changes):
    chroms, starts = zip(*BINS, strict=True)
    split = ["train", "train", "validation", "test", "test"]
    made = bin_store_of(RECORDS, chroms, starts, LABELS, split, bin=2, context=4)
    return replace(made, **changes)


def test_contexts_are_read_from_the_genome():
    expected = ["NACG", "GTAC", "CGTN", "TTNC", "CCNN"]
    codes = store().codes(np.arange(5))
    assert codes.dtype == np.uint8
    assert codes.tolist() == [encode(letters).tolist() for letters in expected]


def test_a_margin_reads_further_bases_and_a_crop_fewer():
    rows = np.array([4, 1])
    wide, narrow = store().codes(rows, margin=2), store().codes(rows, crop=1)
    assert wide.tolist() == [encode("TNCCNNNN").tolist(), encode("ACGTACGT").tolist()]
    assert narrow.tolist() == [encode("CN").tolist(), encode("TA").tolist()]


def test_bases_of_the_neighbouring_chromosome_read_as_unknown():
    # chrA ends where chrB begins in the genome's one array.
    made = store(start=np.array([7, 9, -9, -3, 5], np.int64))
    assert made.codes(np.arange(5)).tolist() == [
        encode("TNNN").tolist(), [4] * 4, [4] * 4, encode("NNNT").tolist(), [4] * 4,
    ]  # fmt: skip


def test_labels_and_counts():
    made = store()
    rows = np.array([4, 0, 0, 1])
    assert made.labels(rows).tolist() == [LABELS[row] for row in rows]
    assert made.labels(rows).dtype == np.float32
    assert made.positives(np.arange(5)).tolist() == [2, 2, 3]
    assert made.positives(np.array([1])).tolist() == [0, 0, 0]
    assert made.labelled().tolist() == [True, False, True, True, True]


def test_one_track():
    made = store()
    assert made.track(np.arange(5), 0).tolist() == [True, False, False, False, True]
    assert made.track(np.array([2, 3, 4]), 1).tolist() == [True, False, True]


def test_rows_of_splits_and_kinds():
    made = store(kind=np.array([0, 1, 0, 1, 0], np.uint8))
    assert made.rows("train").tolist() == [0, 1]
    assert made.rows("test", ("sampled",)).tolist() == [4]
    assert made.rows("validation", ("unsampled",)).tolist() == []


def test_written_and_opened(tmp_path):
    genome_of(RECORDS, tmp_path / "genome.safetensors")
    made = store()
    made.write(tmp_path / "bins.safetensors")
    opened = BinStore.open(tmp_path / "bins.safetensors", tmp_path / "genome.safetensors")
    assert len(opened) == 5
    assert (opened.length, opened.n_targets) == (4, 3)
    assert opened.info == made.info
    assert opened.codes(np.arange(5)).tolist() == made.codes(np.arange(5)).tolist()
    assert opened.labels(np.arange(5)).tolist() == LABELS
    assert len(opened.digest()) == 64


def test_a_store_without_any_label_is_written_too(tmp_path):
    genome_of(RECORDS, tmp_path / "genome.safetensors")
    empty = store(offsets=np.zeros(6, np.int64), tracks=np.zeros(0, np.int32))
    empty.write(tmp_path / "bins.safetensors")
    opened = BinStore.open(tmp_path / "bins.safetensors", tmp_path / "genome.safetensors")
    assert not opened.labels(np.arange(5)).any()
    assert not opened.track(np.arange(5), 0).any()


def test_bases_are_not_copied_into_the_store(tmp_path):
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">chrA\n" + "ACGT" * 50_000 + "\n")
    encode_genome(fasta, tmp_path / "genome.safetensors")
    starts = np.arange(0, 199_000, 200)
    labels = np.eye(1, len(starts), dtype=int).T
    made = bin_store_of(
        {}, ["chrA"] * len(starts), starts, labels, ["train"] * len(starts),
        genome=Genome.open(tmp_path / "genome.safetensors"), bin=200, context=1000,
    )  # fmt: skip
    made.write(tmp_path / "bins.safetensors")
    assert (tmp_path / "bins.safetensors").stat().st_size < 22 * len(starts) + 1000
    opened = BinStore.open(tmp_path / "bins.safetensors", tmp_path / "genome.safetensors")
    arrays = (opened.genome.flat, opened.start, opened.chrom, opened.offsets, opened.tracks)
    assert not any(array.flags.owndata for array in arrays)


def test_another_genome(tmp_path):
    genome_of(RECORDS | {"chrB": "TTNCCA"}, tmp_path / "genome.safetensors")
    store().write(tmp_path / "bins.safetensors")
    with pytest.raises(InputError, match=r"was made from another genome than .*label the bins"):
        BinStore.open(tmp_path / "bins.safetensors", tmp_path / "genome.safetensors")


def test_a_file_that_is_no_store_of_bins(tmp_path):
    genome_of(RECORDS, tmp_path / "genome.safetensors")
    with pytest.raises(InputError, match="is no store of bins"):
        BinStore.open(tmp_path / "genome.safetensors", tmp_path / "genome.safetensors")
