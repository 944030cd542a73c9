"""Dropout in one pass: chances, scale, gradient, repeatability."""

import pytest
import torch

from motifloom.dropout import Dropout, dropped


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("chance", [0.2, 0.5])
def test_as_many_are_dropped_as_asked_and_neighbours_know_nothing_of_each_other(chance):
    lost = dropped(torch.ones(1_000_000), chance, 3 << 40) == 0
    assert abs(lost.float().mean() - chance) < 0.003
    for distance in (1, 16, 1000):
        both = lost[distance:] & lost[:-distance]
        assert abs(both.float().mean() - chance**2) < 0.003


def test_keys_are_independent():
    first, second = (dropped(torch.ones(1_000_000), 0.5, key) == 0 for key in (1, 1 << 61))
    assert abs((first & second).float().mean() - 0.25) < 0.003


def test_what_is_kept_is_scaled_and_so_is_its_gradient():
    x = torch.randn(7, 5, 3, requires_grad=True)
    torch.manual_seed(1)
    result = Dropout(0.25)(x)
    kept = result != 0
    torch.testing.assert_close(result[kept], x[kept] / 0.75)
    (gradient,) = torch.autograd.grad(result.sum(), x)
    torch.testing.assert_close(gradient, kept.float() / 0.75)
    assert 0 < kept.sum() < x.numel()


def test_the_generator_decides():
    layer, x = Dropout(0.5), torch.ones(100)
    torch.manual_seed(5)
    first, second = layer(x), layer(x)
    torch.manual_seed(5)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_threads_and_layout_change_nothing(threads):
    x = torch.ones(1000, 600)
    threads(1)
    once = dropped(x, 0.3, 77)
    threads(2)
    assert torch.equal(dropped(x, 0.3, 77), once)
    assert torch.equal(dropped(torch.ones(600, 1000).T, 0.3, 77), once)


def test_nothing_is_dropped_in_evaluation_or_at_no_chance():
    x = torch.ones(50)
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()


def test_other_types_and_no_elements():
    assert Dropout(0.5)(torch.ones(4, dtype=torch.float64)).dtype == torch.float64
    assert Dropout(0.5)(torch.ones(0, 3)).shape == (0, 3)
