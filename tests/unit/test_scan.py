"""The compiled motif scan against the plain PyTorch reference."""

import itertools

import numpy as np
import pytest
import torch
from builders import random_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from motifloom import code_scan, scan
from motifloom.sequences import encode, one_hot, reverse_complement


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def kernel_of(word):
    """A kernel float32 [1, 4, K] that counts the bases that agree with `word`."""
    return one_hot(encode(word)[None])


def random_kernels(seed, n_kernels, width):
    values = np.random.default_rng(seed).normal(size=(n_kernels, 4, width))
    return values.astype(np.float32)


@st.composite
def cases(draw):
    width = draw(st.integers(1, 11))
    length = draw(st.integers(width, 30))
    pool = draw(st.integers(0, length - width + 1))
    n, n_kernels = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    letters = draw(st.sampled_from([4, 5]))
    codes = random_codes(seed, n, length, letters)
    return codes, random_kernels(seed, n_kernels, width), pool, draw(st.booleans()), seed


# Derandomised: windows whose scores differ by less than rounding would swap once in a million.
@settings(max_examples=100, deadline=None, derandomize=True)
@given(cases())
def test_scan_equals_the_reference_in_values_and_gradients(case):
    codes, kernels, pool, both_strands, seed = case
    codes = torch.from_numpy(codes)
    found, expected = (torch.tensor(kernels, requires_grad=True) for _ in range(2))
    fast = scan.motif_scan(codes, found, pool, both_strands)
    slow = scan.reference_scan(scan.one_hot(codes), expected, pool, both_strands)
    assert fast.dtype == torch.float32
    torch.testing.assert_close(fast, slow, rtol=0, atol=1e-5)
    torch.manual_seed(seed % 2**31)
    slopes = torch.randn(fast.shape)
    fast.backward(slopes)
    slow.backward(slopes)
    torch.testing.assert_close(found.grad, expected.grad, rtol=0, atol=1e-5)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(cases(), st.integers(0, 3), st.sampled_from([0.0, 0.25]), st.sampled_from([0, 1, 3]))
def test_all_scans_agree_with_padding_and_places(case, padding, unknown, place_bin):
    codes, kernels, pool, both_strands, seed = case
    codes = torch.from_numpy(codes)
    windows = codes.shape[1] + 2 * padding - kernels.shape[2] + 1
    where = {"padding": padding, "unknown": unknown}
    places = None
    if place_bin:
        rows = (windows - 1) // (2 * place_bin) + 1
        places = np.random.default_rng(seed).normal(size=(rows, len(kernels))).astype(np.float32)
        where["place_index"] = scan.place_index(windows, place_bin, rows)
    x = scan.one_hot(codes, unknown)
    torch.manual_seed(seed % 2**31)
    slopes, results = None, []
    for function, inputs in (
        (scan.reference_scan, x),
        (scan.motif_scan, codes),
        (gathered, codes),
    ):
        bank = torch.tensor(kernels, requires_grad=True)
        shifts = None if places is None else torch.tensor(places, requires_grad=True)
        values = function(inputs, bank, pool, both_strands, places=shifts, **where)
        slopes = torch.randn(values.shape) if slopes is None else slopes
        values.backward(slopes)
        found = [values.detach(), bank.grad]
        results.append(found if shifts is None else [*found, shifts.grad])
    for found in results[1:]:
        for ours, expected in zip(found, results[0], strict=True):
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def gathered(codes, kernels, pool, both_strands, places=None, place_index=None, **where):
    """`gathered_scan` as `motif_scan` calls it on a GPU."""
    if places is None:
        windows = codes.shape[1] + 2 * where["padding"] - kernels.shape[2] + 1
        places, place_index = kernels.new_zeros(1, len(kernels)), torch.zeros(windows, dtype=int)
    return scan.gathered_scan(codes, kernels, places, place_index, pool, both_strands, **where)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(cases(), st.integers(0, 3), st.sampled_from([0.0, 0.25]))
def test_means_equal_the_reference(case, padding, unknown):
    codes, kernels, _, both_strands, seed = case
    codes, kernels = torch.from_numpy(codes), torch.from_numpy(kernels)
    bias = torch.from_numpy(np.random.default_rng(seed).normal(size=len(kernels)).astype("f4"))
    where = {"padding": padding, "unknown": unknown}
    expected = scan.reference_mean(
        scan.one_hot(codes, unknown), kernels, bias, both_strands, **where
    )
    found = scan.motif_mean(codes, kernels, bias, both_strands, **where)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    bias.requires_grad_()
    torch.testing.assert_close(scan.motif_mean(codes, kernels, bias, both_strands, **where), found)


def test_equal_windows_give_their_gradient_to_the_first_on_the_forward_strand():
    codes = torch.tensor(encode("ACGTTACGT")[None])
    for function, inputs in ((scan.motif_scan, codes), (scan.reference_scan, scan.one_hot(codes))):
        kernel = torch.tensor(kernel_of("ACGT"), requires_grad=True)
        places = torch.zeros(3, 1, requires_grad=True)
        where = {"places": places, "place_index": torch.tensor([0, 1, 1, 2, 2, 2])}
        function(inputs, kernel, 0, True, **where).sum().backward()
        assert places.grad[:, 0].tolist() == [1, 0, 0]


def test_place_index():
    assert scan.place_index(7, 1, 9).tolist() == [3, 2, 1, 0, 1, 2, 3]
    assert scan.place_index(6, 1, 9).tolist() == [2, 1, 0, 0, 1, 2]
    assert scan.place_index(7, 2, 9).tolist() == [1, 1, 0, 0, 0, 1, 1]
    assert scan.place_index(7, 1, 2).tolist() == [1, 1, 1, 0, 1, 1, 1]
    # Two windows more than trained on: the middle is four wider.
    assert scan.place_index(7, 1, 9, trained=5).tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert scan.place_index(6, 1, 9, trained=3).tolist() == [0] * 6
    assert scan.place_index(5, 1, 9, trained=7).tolist() == [2, 1, 0, 1, 2]


def test_long_sequences():
    codes = torch.from_numpy(random_codes(4, 2, 100_000, letters=5))
    kernels = torch.from_numpy(random_kernels(4, 3, 50))
    found = scan.motif_scan(codes, kernels, 0, True)
    expected = scan.reference_scan(scan.one_hot(codes), kernels, 0, True)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_one_hot_equals_the_array_one():
    codes = random_codes(1, 4, 9, letters=5)
    for unknown in (0.0, 0.25):
        found = scan.one_hot(torch.from_numpy(codes), unknown)
        assert found.tolist() == one_hot(codes, unknown).tolist()


def test_positions_of_literals():
    codes = np.stack([encode("TTACGT"), encode("ACGACG"), encode("NNCGTN"), encode("NNNNNN")])
    values, positions = scan.scan_codes(codes, kernel_of("ACG"), 0, False)
    assert values[:, 0, 0].tolist() == [3, 3, 2, 0]
    assert positions[:, 0, 0].tolist() == [2, 0, 1, 0]
    assert values.dtype == np.float32
    assert positions.dtype == np.int32


def test_positions_on_the_reverse_strand():
    codes = np.stack([encode("TTACGG"), encode("TTCCGA"), encode("TTCCGT")])
    values, positions = scan.scan_codes(codes, kernel_of("ACGG"), 0, True)
    assert values[:, 0, 0].tolist() == [4, 3, 4]
    # CCGT, the reverse complement of ACGG, begins at base 2 of the last sequence.
    assert positions[:, 0, 0].tolist() == [2, -1 - 2, -1 - 2]


def test_pooled_positions():
    codes = encode("ACACGACGA")[None]
    values, positions = scan.scan_codes(codes, kernel_of("ACG"), 3, False)
    # Scores by position: 2 (ACA), 0, 3, 0, 0, 3, 0; the seventh window is left over.
    assert values[0, :, 0].tolist() == [3, 3]
    assert positions[0, :, 0].tolist() == [2, 5]


def test_of_equal_windows_the_first_forward_one_wins():
    # ACGT is its own reverse complement; GGCC too, but scores 0 with this kernel.
    codes = np.stack([encode("GACGTACGT"), encode("CCGGCGGAA"), encode("AAAAAAAAA")])
    _, positions = scan.scan_codes(codes, kernel_of("ACGT"), 0, True)
    assert positions[0, 0, 0] == 1
    values, positions = scan.scan_codes(codes, np.zeros((2, 4, 3), np.float32), 0, True)
    assert (values == 0).all()
    assert (positions == 0).all()


def test_the_winner_takes_the_whole_gradient():
    codes = torch.from_numpy(encode("GACGTACGC")[None].copy())
    kernels = torch.from_numpy(kernel_of("ACG")).requires_grad_()
    scan.motif_scan(codes, kernels, 0, True).sum().backward()
    assert kernels.grad.tolist() == kernel_of("ACG").tolist()


def test_gradient_of_a_reverse_winner():
    codes = torch.from_numpy(encode("AACCGNAA")[None].copy())
    kernels = torch.from_numpy(kernel_of("NCGG")).requires_grad_()
    scan.motif_scan(codes, kernels, 0, True).sum().backward()
    # The window CCGN, read backwards as NCGG; the N takes no gradient.
    assert kernels.grad.tolist() == kernel_of("NCGG").tolist()


def test_threads_do_not_change_values(threads):
    codes, kernels = random_codes(3, 7, 40, letters=5), random_kernels(4, 6, 8)
    found = []
    for number in (1, 2):
        threads(number)
        found.append(scan.scan_codes(codes, kernels, 5, True))
    assert (found[0][0] == found[1][0]).all()
    assert (found[0][1] == found[1][1]).all()


def test_threads_do_not_change_gradients(threads):
    codes, found = torch.from_numpy(random_codes(3, 7, 40)), []
    for number in (1, 2):
        threads(number)
        kernels = torch.tensor(random_kernels(4, 6, 8), requires_grad=True)
        scan.motif_scan(codes, kernels, 5, True).square().sum().backward()
        found.append(kernels.grad)
    torch.testing.assert_close(*found, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("both_strands", [False, True])
def test_gradients_of_many_windows_gathered_in_several_goes(both_strands):
    codes = torch.from_numpy(random_codes(3, 40, 90, 5))
    kernels = torch.from_numpy(random_kernels(4, 37, 21)).requires_grad_()
    found = []
    for run, x in ((scan.motif_scan, codes), (scan.reference_scan, scan.one_hot(codes, 0.25))):
        values = run(x, kernels, 2, both_strands, padding=5, unknown=0.25)
        assert values[:16].numel() > 37 * code_scan._GATHERED
        slopes = torch.randn(values.shape, generator=torch.Generator().manual_seed(5))
        found.append(torch.autograd.grad((values.clamp(min=0) * slopes).sum(), kernels)[0])
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-3)


def test_both_strands_see_the_reverse_complement():
    codes, kernels = random_codes(5, 6, 20, letters=5), random_kernels(6, 3, 7)
    forward = scan.scan_codes(codes, kernels, 0, True)[0]
    backward = scan.scan_codes(reverse_complement(codes), kernels, 0, True)[0]
    np.testing.assert_allclose(forward, backward, atol=1e-5)
    turned = scan.reverse_complement_kernels(torch.from_numpy(kernels)).numpy()
    other = scan.scan_codes(reverse_complement(codes), turned, 0, False)[0]
    np.testing.assert_allclose(scan.scan_codes(codes, kernels, 0, False)[0], other, atol=1e-5)


@pytest.mark.parametrize("unknown", [0.0, 0.25])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 6])
def test_word_tables_hold_every_word(width, unknown):
    kernels = random_kernels(7, 18, width)
    tables = code_scan.word_tables(kernels, unknown).reshape(2, -1, 125, 16)
    assert tables.shape[1] == -(-width // 3)
    padded = np.zeros((32, 5, 6), np.float32)
    padded[:18, :4, :width] = kernels
    padded[:, 4] = unknown * padded[:, :4].sum(1)
    for group, (a, b, c) in itertools.product(range(tables.shape[1]), np.ndindex(5, 5, 5)):
        expected = sum(padded[:, base, 3 * group + i] for i, base in enumerate((a, b, c)))
        found = tables[:, group, 25 * a + 5 * b + c].reshape(-1)
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_no_sequences():
    codes, kernels = np.empty((0, 9), np.uint8), random_kernels(8, 2, 4)
    assert scan.scan_codes(codes, kernels, 0, True)[0].shape == (0, 1, 2)


def test_sequences_shorter_than_kernels():
    with pytest.raises(ValueError, match="of 5 are shorter than kernels of 6"):
        scan.scan_codes(random_codes(9, 2, 5), random_kernels(9, 1, 6), 0, False)


@pytest.mark.parametrize("trained", [None, 5, 30])
@pytest.mark.parametrize("windows", [1, 8, 41])
def test_places_are_the_same_with_and_without_pytorch(windows, trained):
    found = scan.place_index(windows, 3, 4, trained).numpy()
    np.testing.assert_array_equal(found, code_scan.place_index(windows, 3, 4, trained))
