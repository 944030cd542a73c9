"""The sequence store: what is written is read back, and other files are refused."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
from builders import random_codes, store_of
from safetensors.numpy import load_file, save_file

from motifloom.files import InputError
from motifloom.store import SequenceStore, read_arrays, write_arrays

FIELDS = ("codes", "targets", "split", "kind", "parent", "chrom", "start", "strand")


def example():
    store = store_of(
        random_codes(0, 6, 5, letters=5),
        [[1, 0.5], [0, -2], [1, 0], [0, 0], [1, 7], [0, 1e-3]],
        ["train", "train", "validation", "test", "test", "test"],
        kind=[0, 1, 0, 0, 2, 1],
        kinds=("site", "gc", "flank"),
        chromosomes=["chrI", "chrII"],
    )
    return replace(
        store,
        parent=np.array([0, 0, 2, 3, 3, 3]),
        chrom=np.array([0, 1, 1, 0, -1, 0], np.int32),
        start=np.array([0, 7, 3_000_000_000, 4, -1, 9]),
        strand=np.array([0, 1, 0, 1, 0, 1], np.uint8),
    )


@pytest.fixture
def path(tmp_path):
    example().write(tmp_path / "sequences.safetensors")
    return tmp_path / "sequences.safetensors"


def test_round_trip(path):
    before, after = example(), SequenceStore.open(path)
    for name in FIELDS:
        assert getattr(after, name).tolist() == getattr(before, name).tolist(), name
        assert getattr(after, name).dtype == getattr(before, name).dtype, name
    assert after.info == before.info
    assert len(after) == 6
    assert after.length == 5


def test_arrays_are_memory_mapped_and_read_only(path):
    store = SequenceStore.open(path)
    for name in FIELDS:
        array = getattr(store, name)
        assert not array.flags.writeable, name
        assert not array.flags.owndata, name
        base = array
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap), name


def test_the_same_store_is_the_same_bytes(tmp_path, path):
    shuffled_info = replace(example(), info=dict(reversed(example().info.items())))
    shuffled_info.write(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_it_is_a_safetensors_file(path):
    arrays = load_file(path)
    assert set(arrays) == set(FIELDS)
    assert arrays["codes"].tolist() == example().codes.tolist()
    assert arrays["start"].tolist() == example().start.tolist()


@pytest.mark.parametrize(
    ("split", "kinds", "expected"),
    [
        ("train", None, [0, 1]),
        ("validation", None, [2]),
        ("test", None, [3, 4, 5]),
        ("test", ("site",), [3]),
        ("test", ("gc", "flank"), [4, 5]),
        ("test", ("site", "dinucleotide"), [3]),
        ("train", ("flank",), []),
        ("train", ["gc"], [1]),
    ],
)
def test_rows(path, split, kinds, expected):
    assert SequenceStore.open(path).rows(split, kinds).tolist() == expected


def test_empty_store(tmp_path):
    store_of(np.empty((0, 7), np.uint8), np.empty((0, 1)), []).write(tmp_path / "empty")
    found = SequenceStore.open(tmp_path / "empty")
    assert len(found) == 0
    assert found.length == 7
    assert found.rows("train").tolist() == []


def test_empty_arrays_beside_full_ones(tmp_path):
    arrays = {"none": ((0, 3), np.float32), "some": ((2,), np.uint8), "last": ((0,), np.int64)}
    write_arrays(tmp_path / "file", arrays, [np.array([1, 2], np.uint8)], {"a": [1, None]})
    found, info = read_arrays(tmp_path / "file")
    assert {name: array.tolist() for name, array in found.items()} == {
        "none": [],
        "some": [1, 2],
        "last": [],
    }
    assert found["none"].shape == (0, 3)
    assert info == {"a": [1, None]}


def test_arrays_come_in_blocks_made_when_asked_for(tmp_path):
    blocks = (np.full((rows, 2), value, np.int32) for value, rows in enumerate((1, 2, 3)))
    write_arrays(tmp_path / "file", {"x": ((6, 2), np.int32)}, blocks, {})
    assert read_arrays(tmp_path / "file")[0]["x"][:, 0].tolist() == [0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("shape", [(5, 2), (4, 3)])
def test_blocks_that_do_not_fit_leave_no_file(tmp_path, shape):
    blocks = [np.zeros((4, 2), np.uint8), np.zeros((4, 2), np.uint8)]
    with pytest.raises(ValueError, match="x: block"):
        write_arrays(tmp_path / "file", {"x": (shape, np.uint8)}, blocks, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [0, 4, 20, -1], ids=["empty", "length", "header", "last byte"])
def test_cut_file(path, kept):
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"is damaged|is empty") as caught:
        SequenceStore.open(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"chr1\t5\t9\n", b"\x00" * 64, b"\xff" * 64, struct.pack("<Q", 2) + b"{}"],
    ids=["text", "zeros", "ones", "empty header"],
)
def test_other_files(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match=r"is damaged|was not written by motifloom"):
        SequenceStore.open(tmp_path / "file")


@pytest.mark.parametrize("metadata", [None, {"format": "np"}])
def test_foreign_safetensors(tmp_path, metadata):
    save_file({"codes": np.zeros(3, np.uint8)}, tmp_path / "file", metadata)
    with pytest.raises(InputError, match="was not written by motifloom"):
        SequenceStore.open(tmp_path / "file")


def test_info_that_is_no_json(tmp_path):
    save_file({"codes": np.zeros(3, np.uint8)}, tmp_path / "file", {"motifloom": "{"})
    with pytest.raises(InputError, match="is damaged"):
        read_arrays(tmp_path / "file")


def test_arrays_of_a_type_we_do_not_write(tmp_path):
    info = {"motifloom": json.dumps({"labels": "binary"})}
    save_file({"codes": np.zeros(3, np.float16)}, tmp_path / "file", info)
    with pytest.raises(InputError, match="was not written by motifloom"):
        read_arrays(tmp_path / "file")


def test_files_of_ours_without_sequences(tmp_path):
    write_arrays(tmp_path / "file", {"codes": ((0,), np.uint8)}, [], {})
    with pytest.raises(InputError, match="is no sequence store"):
        SequenceStore.open(tmp_path / "file")


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        SequenceStore.open(tmp_path / "file")
