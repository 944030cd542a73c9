"""Shuffled batches: order, resumption, shares of processes, and the thread that reads ahead."""

import threading

import numpy as np
import pytest
import torch
from builders import bin_store_of, random_codes

from motifloom.sequences import decode, encode, reverse_complement
from motifloom.streams import (
    ArrayStream,
    BinReader,
    BinStream,
    ahead,
    augment,
    batch_of,
    shuffled,
)

N = 60


@pytest.fixture(scope="module")
def store():
    """Bins of 10 bases in contexts of 20; bin i carries the label i % 3."""
    record = decode(random_codes(0, 1, 10 * N)[0])
    labels = np.eye(3, dtype=int)[np.arange(N) % 3]
    starts = 10 * np.arange(N) - 5
    return bin_store_of({"chrA": record}, ["chrA"] * N, starts, labels, ["train"] * N,
                        bin=10, context=20)  # fmt: skip


def rows_in(store, codes):
    """Row numbers of contexts, which all differ."""
    numbers = {row.tobytes(): i for i, row in enumerate(store.codes(np.arange(len(store))))}
    return [numbers[row.tobytes()] for row in codes.numpy()]


def order_of(store, stream, epoch, first=0):
    return [row for batch in stream.batches(epoch, first) for row in rows_in(store, batch.codes)]


def test_every_row_once_an_epoch_and_anew_in_the_next(store):
    rows = np.arange(4, 57)
    stream = BinStream(store, rows, 8, 3)
    orders = [order_of(store, stream, epoch) for epoch in (0, 1, 0)]
    assert len(stream) == 7
    assert sorted(orders[0]) == sorted(orders[1]) == rows.tolist()
    assert orders[0] != orders[1]
    assert orders[0] == orders[2]
    assert orders[0] != order_of(store, BinStream(store, rows, 8, 4), 0)


def test_batches_have_what_the_store_has(store):
    sizes = []
    for batch in BinStream(store, np.arange(N), 16, 1).batches(0):
        rows = np.array(rows_in(store, batch.codes))
        assert batch.codes.dtype == torch.uint8
        assert batch.targets.dtype == torch.float32
        assert batch.targets.numpy().tolist() == store.labels(rows).tolist()
        assert batch.weight.tolist() == [1] * len(rows)
        assert batch.size == len(rows)
        sizes.append(len(rows))
    assert sizes == [16, 16, 16, 12]


def test_the_first_batches_are_skipped_without_reading(store, monkeypatch):
    stream = BinStream(store, np.arange(N), 8, 1)
    whole = order_of(store, stream, 2)
    read = []
    codes = type(store).codes
    monkeypatch.setattr(
        type(store), "codes", lambda self, rows, *rest: read.append(1) or codes(self, rows, *rest)
    )
    batches = list(stream.batches(2, 5))
    assert len(read) == 3
    monkeypatch.undo()
    assert [row for batch in batches for row in rows_in(store, batch.codes)] == whole[40:]
    assert list(stream.batches(2, 8)) == []


def test_a_margin_is_read_on_both_sides(store):
    batch = next(iter(BinStream(store, np.arange(N), 8, 1, margin=3).batches(0)))
    assert batch.codes.shape == (8, 26)
    rows = np.array(rows_in(store, batch.codes[:, 3:-3]))
    assert batch.codes.numpy().tolist() == store.codes(rows, 3).tolist()


def test_processes_share_every_batch(store):
    rows = np.arange(41)
    one = list(BinStream(store, rows, 8, 1).batches(0))
    shares = [list(BinStream(store, rows, 8, 1, rank=r, world=3).batches(0)) for r in range(3)]
    assert [len(share) for share in shares] == [6, 6, 6]
    for number, whole in enumerate(one):
        parts = [share[number] for share in shares]
        assert [part.size for part in parts] == [whole.size] * 3
        together = torch.empty_like(whole.codes)
        for rank, part in enumerate(parts):
            together[rank::3] = part.codes[part.weight > 0]
        assert torch.equal(together, whole.codes)
    # The last batch has one example: two processes get a stand-in of no weight.
    assert [share[-1].weight.tolist() for share in shares] == [[1], [0], [0]]
    assert [share[-1].codes.tolist() for share in shares] == [one[-1].codes.tolist()] * 3


def test_array_streams_have_the_rows_of_bin_streams(store):
    rows = np.arange(3, N)
    codes, targets = store.codes(np.arange(N)), store.labels(np.arange(N))
    settings = {"rank": 1, "world": 2}
    pairs = zip(
        BinStream(store, rows, 8, 5, **settings).batches(1, 2),
        ArrayStream(codes, targets, rows, 8, 5, **settings).batches(1, 2),
        strict=True,
    )
    for one, other in pairs:
        assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))
        assert one.size == other.size


def test_a_reader_keeps_the_order(store):
    rows = np.array([3, 4, 9, 20, 59])
    reader = BinReader(store, rows, 2, crop=5)
    for _ in range(2):
        batches = list(reader)
        assert [batch.size for batch in batches] == [2, 2, 1]
        codes = torch.cat([batch.codes for batch in batches])
        assert codes.numpy().tolist() == store.codes(rows, crop=5).tolist()


def test_a_batch_of_arrays():
    codes, targets = np.arange(10, dtype=np.uint8).reshape(5, 2), np.ones((5, 1), np.float32)
    batch = batch_of(codes, targets, 1, 2)
    assert batch.codes.tolist() == [[2, 3], [6, 7]]
    assert (batch.weight.tolist(), batch.size) == ([1, 1], 5)


def test_shuffled_within_pools_of_runs():
    order = shuffled(100, np.random.default_rng(0), run=4, pool=5)
    assert sorted(order) == list(range(100))
    for first in range(0, 100, 20):
        runs, counts = np.unique(order[first : first + 20] // 4, return_counts=True)
        assert len(runs) == 5
        assert set(counts) == {4}
        # Neither genome order nor whole runs.
        assert (np.diff(order[first : first + 20] // 4) != 0).sum() > 5


def test_a_small_set_is_shuffled_completely():
    first = [shuffled(50, np.random.default_rng(seed), run=4, pool=100)[0] for seed in range(400)]
    assert len(set(first)) == 50


def test_shuffling_nothing():
    assert shuffled(0, np.random.default_rng(0)).tolist() == []


def test_shifts_and_turns():
    codes = torch.from_numpy(np.stack([encode("AACGTN")] * 4))
    shift, turned = torch.tensor([0, -1, 1, 1]), torch.tensor([False, False, False, True])
    found = [decode(row) for row in augment(codes, shift, turned, 4).numpy()]
    assert found == ["ACGT", "AACG", "CGTN", "NACG"]


def test_augmentation_is_a_window_and_its_reverse_complement():
    codes = random_codes(1, 50, 26, letters=5)
    shift = torch.from_numpy(np.random.default_rng(0).integers(-3, 4, 50))
    turned = torch.from_numpy(np.arange(50) % 2 == 0)
    found = augment(torch.from_numpy(codes), shift, turned, 20).numpy()
    assert found.dtype == np.uint8
    for i in range(50):
        window = codes[i, 3 + shift[i] : 23 + shift[i]]
        expected = reverse_complement(window) if turned[i] else window
        assert found[i].tolist() == expected.tolist()


def test_the_thread_ends_with_its_reader():
    before = threading.active_count()
    batches = ahead(lambda number: number, range(1000))
    assert [next(batches), next(batches)] == [0, 1]
    assert threading.active_count() == before + 1
    batches.close()
    assert threading.active_count() == before
    assert list(ahead(lambda number: number, range(9))) == list(range(9))
    assert threading.active_count() == before


def test_errors_of_the_thread_are_raised_where_it_is_read():
    before = threading.active_count()

    def read(number):
        if number == 2:
            raise OSError("the disk is gone")
        return number

    batches = ahead(read, range(9))
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    assert threading.active_count() == before
