"""The convolutional layer: its values by hand, its lengths, and what shifting does."""

import itertools

import pytest
import torch
from builders import codes_of

from motifloom.convolution import ConvLayer, central, output_length
from motifloom.files import InputError
from motifloom.scan import one_hot


def layer(*shape, seed=0, **options):
    torch.manual_seed(seed)
    built = ConvLayer(*shape, **options)
    torch.nn.init.normal_(built.bias)
    return built.requires_grad_(False)


def counting(**options):
    """A kernel (1, 10, 100) with bias -1 over one channel."""
    built = layer(1, 1, 3, **options)
    built.weight[0, 0] = torch.tensor([1.0, 10, 100])
    built.bias.fill_(-1)
    return built


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [320, 431, 542, 653]),
        ({"padding": 1}, [209, 320, 431, 542, 653, 64]),
        ({"stride": 2}, [320, 542]),
        ({"dilation": 2}, [530, 641]),
        ({"pool_size": 3}, [542]),
        ({"pool_size": 2}, [431, 653]),
        ({"pool_size": 2, "pooling": "mean"}, [375.5, 597.5]),
        ({"pool_size": 2, "pooling": "subsample"}, [320, 542]),
        ({"pool_size": 3, "pooling": "subsample"}, [320]),
    ],
)
def test_values_by_hand(options, expected):
    x = torch.arange(1.0, 7)[None, None]
    assert counting(**options)(x).tolist() == [[expected]]


def test_channels_are_summed_and_relu_is_applied():
    built = layer(2, 1, 1)
    built.weight[0, :, 0] = torch.tensor([1.0, -1])
    built.bias.fill_(0.5)
    x = torch.tensor([[[1.0, 2], [0, 5]]])
    assert built(x).tolist() == [[[1.5, 0]]]
    built.relu = False
    assert built(x).tolist() == [[[1.5, -2.5]]]


@pytest.mark.parametrize("pooling", ["max", "mean", "subsample"])
def test_length_in_closed_form(pooling):
    options = itertools.product((1, 3, 4), (0, 2), (1, 2, 3), (1, 2), (1, 2, 5))
    for kernel_size, padding, stride, dilation, pool_size in options:
        built = layer(2, 3, kernel_size, padding=padding, stride=stride, dilation=dilation,
                      pool_size=pool_size, pooling=pooling)  # fmt: skip
        for length in range(built.shortest(), built.shortest() + 12):
            found = built(torch.zeros(1, 2, length)).shape[2]
            assert found == built.output_length(length) >= 1
        if built.shortest() > 1:
            assert built.output_length(built.shortest() - 1) == 0


def test_no_window_has_no_output():
    assert output_length(2, 3) == 0
    assert output_length(1, 9, stride=3) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"pool_size": 4},
        {"pool_size": 3, "padding": 2},
        {"pool_size": 3, "relu": False},
        {"padding": 5, "stride": 2, "dilation": 2, "pool_size": 2, "pooling": "mean"},
        {},
    ],
)
def test_codes_and_one_hot_give_the_same(options):
    built, codes = layer(4, 7, 6, **options), codes_of(5, 30)
    torch.testing.assert_close(built(codes), built(one_hot(codes)), rtol=0, atol=1e-5)


def test_a_convolution_follows_what_it_sees():
    """T(z(x)) = z(T(x)) for a shift T, away from the ends."""
    built = layer(4, 6, 5, dilation=2)
    x = one_hot(codes_of(3, 40))
    for shift in (1, 4, 11):
        moved = built(x.roll(shift, 2))
        torch.testing.assert_close(moved[..., shift:], built(x)[..., :-shift])


def test_a_strided_convolution_follows_shifts_by_multiples_of_the_stride():
    built = layer(4, 6, 5, stride=3)
    x = one_hot(codes_of(3, 41))
    for steps in (1, 4):
        moved = built(x.roll(3 * steps, 2))
        torch.testing.assert_close(moved[..., steps:], built(x)[..., :-steps])
    # By other shifts the windows fall elsewhere.
    moved = built(x.roll(2, 2))[..., 1:]
    assert not torch.isclose(moved, built(x)[..., :-1]).all()


def test_pooling_follows_shifts_by_whole_pools():
    built = layer(4, 6, 5, pool_size=4)
    x = one_hot(codes_of(3, 40))
    torch.testing.assert_close(built(x.roll(8, 2))[..., 2:], built(x)[..., :-2])


def test_a_global_maximum_does_not_see_where():
    """Of a site that moves on a background that looks the same everywhere."""
    built = layer(4, 6, 5)
    x = torch.zeros(1, 4, 40)
    x[..., 10:16] = one_hot(codes_of(1, 6, seed=2))
    expected = built(x).amax(2)
    for shift in (-6, 3, 18):
        torch.testing.assert_close(built(x.roll(shift, 2)).amax(2), expected)


def test_central_outputs_are_those_that_overlap_the_middle():
    for first, step, span in itertools.product((-3, 0), (1, 4), (1, 4, 9)):
        for centre in (1, 6, 20, 40):
            n, low = (20 - first - span) // step + 1, max(0, (20 - centre) // 2)
            starts = [first + p * step for p in range(n)]
            expected = [p for p in range(n) if starts[p] < 20 - low and starts[p] + span > low]
            found = list(range(n))[central(n, 20, centre, first, step, span)]
            assert found == expected if expected else len(found) == 1


def test_some_output_is_always_central():
    # One pool of 10 with kernels of 3 ends before the middle bases.
    assert central(1, 40, 2, 0, 10, 12) == slice(0, 1)


def test_unknown_pooling():
    with pytest.raises(InputError, match="pooling 'sum' is unknown; choose one of max, mean, sub"):
        ConvLayer(4, 2, 3, pooling="sum")
