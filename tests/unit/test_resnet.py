"""ResNet: what the orders inside a block can do, depth, positions, parameters."""

import pytest
import torch
from builders import codes_of, n_parameters
from torch import nn

from motifloom.files import InputError
from motifloom.resnet import Block, ResNet
from motifloom.scan import one_hot


def resnet(**settings):
    torch.manual_seed(0)
    small = {"n_kernels": 5, "kernel_size": 6, "pool_size": 4, "blocks": 3, "centre": 12}
    return ResNet(40, 3, **small | settings).eval()


def block(order, channels=6, **options):
    torch.manual_seed(1)
    built = Block(channels, order, **options)
    nn.init.normal_(built.conv.bias)
    return built.requires_grad_(False)


def inputs(channels=6):
    torch.manual_seed(2)
    return torch.randn(4, channels, 9)


def test_relu_last_can_only_increase_its_input():
    x = inputs()
    found = block("relu-last")(x)
    assert (found >= x).all()
    assert (found > x).any()


def test_relu_first_does_nothing_where_the_input_is_negative():
    built, x = block("relu-first"), inputs()
    built.conv.bias.zero_()
    assert torch.equal(built(-x.abs()), -x.abs())
    assert not torch.equal(built(x.abs()), x.abs())
    # With a bias, what is added does not depend on negative inputs.
    built.conv.bias.fill_(3)
    torch.testing.assert_close(built(-x.abs()) + x.abs(), torch.full_like(x, 3))


def test_a_linear_stem_makes_something_of_negative_inputs():
    """Straight on the input blocks are blind to -|x|; behind a linear stem they are not."""
    torch.manual_seed(3)
    stem = nn.Conv1d(6, 6, 1, bias=False).requires_grad_(False)
    built, x = block("linear-stem"), -inputs().abs()
    built.conv.bias.zero_()
    h = stem(x)
    assert (built(h) != h).any(1).all()  # at every position
    found = built(h) - h
    assert (found > 0).any() and (found < 0).any()


@pytest.mark.parametrize("order", ["relu-last", "relu-first", "linear-stem"])
def test_linear_blocks_keep_positions_apart(order):
    built, x = block(order), inputs()
    other = x.clone()
    other[..., 4] += 1
    changed = (built(x) != built(other)).any(1).any(0)
    assert changed.nonzero().tolist() == [[4]]


def test_convolutions_reach_neighbours_by_dilation():
    built, x = block("conv", kernel_size=3, dilation=2), inputs()
    other = x.clone()
    other[..., 4] = x[..., 4].abs() + 1
    changed = (built(x) != built(other)).any(1).any(0)
    assert changed.nonzero()[:, 0].tolist() == [2, 4, 6]


def gradient_of_first(layers, depth=50):
    x = inputs(8).requires_grad_(True)
    layers(x).sum().backward()
    first = next(layers.parameters()).grad
    return float(first.norm())


@pytest.mark.parametrize("order", ["conv", "linear-stem"])
def test_gradients_reach_the_first_of_many_blocks(order):
    torch.manual_seed(0)
    residual = nn.Sequential(*[Block(8, order) for _ in range(50)])
    plain = nn.Sequential(
        *[nn.Sequential(nn.Conv1d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(50)]
    )
    assert gradient_of_first(residual) > 0.1
    assert gradient_of_first(plain) < 1e-6


def test_a_deep_network_trains_its_stem():
    network = resnet(blocks=50, dilation_growth=1)
    network(codes_of(8)).sum().backward()
    assert float(network.conv.weight.grad.norm()) > 0.1


def test_parameters_by_hand():
    # stem of 5 kernels of 4 x 6, 3 blocks of 5 kernels of 5 x 3, biases; 3 logits
    assert n_parameters(resnet()) == (5 * 4 * 6 + 5) + 3 * (5 * 5 * 3 + 5) + (5 * 3 + 3)
    linear = resnet(order="linear-stem")
    assert n_parameters(linear) == (5 * 4 + 5) + 3 * (5 * 5 + 5) + (5 * 3 + 3)
    assert n_parameters(resnet(order="relu-first")) == 3 * (4 * 4 + 4) + (4 * 3 + 3)


def test_without_a_stem_the_stream_is_the_bases():
    network = resnet(order="relu-last", readout="max")
    codes = codes_of(4)
    with torch.inference_mode():
        h = one_hot(codes)
        for part in network.blocks:
            h = h + torch.relu(torch.einsum("oc,ncl->nol", part.conv.weight[..., 0], h)
                               + part.conv.bias[:, None])  # fmt: skip
        torch.testing.assert_close(network(codes), network.dense(h.amax(2)))


def test_dilations_grow_by_block():
    assert [part.conv.dilation for part in resnet(dilation_growth=2).blocks] == [1, 2, 4]


def test_centre_reads_the_middle_positions():
    # 35 windows of 6 in pools of 4: position p sees bases 4 p to 4 p + 8; the middle is 14 to 25
    network = resnet(blocks=0)
    assert network.central_positions(40, 8) == slice(2, 7)
    codes = codes_of(4)
    flanks = codes.clone()
    flanks[:, :8], flanks[:, 33:] = 0, 0
    with torch.inference_mode():
        assert network(codes).tolist() == network(flanks).tolist()
        flanks[:, 8:33] = 0
        assert network(codes).tolist() != network(flanks).tolist()


def test_mean_readout_by_hand():
    network = resnet(blocks=0, readout="mean")
    codes = codes_of(2)
    with torch.inference_mode():
        expected = network.dense(network.conv(codes).mean(2))
        assert network(codes).tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"order": "norm"}, "order 'norm' is unknown; choose one of relu-last, relu-first"),
        ({"readout": "last"}, "readout 'last' is unknown; choose one of centre, max, mean"),
        ({"block_kernel_size": 4}, "block_kernel_size is 4; give an odd number"),
        ({"pool_size": 36}, "40 bp are too short for this network, which needs 41"),
    ],
)
def test_settings_that_cannot_be_built(settings, message):
    with pytest.raises(InputError, match=message):
        resnet(**settings)
