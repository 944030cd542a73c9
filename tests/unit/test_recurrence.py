"""The bidirectional LSTM is held to PyTorch's own."""

import pytest
import torch

from motifloom import tiles
from motifloom.recurrence import BiLSTM, compiled_lstm, library_lstm

wide = pytest.mark.skipif(not tiles.has_wide_registers(), reason="no registers of 16 floats")
halves = pytest.mark.skipif(not tiles.has_bfloat16(), reason="no bfloat16 products")

# Batch, steps, inputs, units: in and out of whole tiles, panels and registers.
SHAPES = [(7, 9, 64, 64), (1, 1, 4, 16), (13, 5, 3, 20), (6, 2, 70, 5), (2, 11, 33, 80)]


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def drawn(n, steps, size, hidden, seed=0):
    torch.manual_seed(seed)
    layer = BiLSTM(size, hidden)
    x = torch.randn(n, steps, size, requires_grad=True)
    return layer, x, torch.randn(n, steps, 2 * hidden)


def gradients(states, layer, x, slopes):
    return torch.autograd.grad(states, [x, *layer.parameters()], slopes)


def of_library(layer, x):
    return library_lstm(x, layer.weight_ih, layer.weight_hh, layer.bias)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_threads", [1, 2])
def test_values_and_gradients_are_pytorchs(shape, n_threads, threads):
    threads(n_threads)
    layer, x, slopes = drawn(*shape)
    states, expected = layer(x), of_library(layer, x)
    torch.testing.assert_close(states, expected, rtol=0, atol=2e-6)
    wanted = gradients(expected, layer, x, slopes)
    for found, right in zip(gradients(states, layer, x, slopes), wanted, strict=True):
        torch.testing.assert_close(found, right, rtol=1e-5, atol=2e-5)


def test_it_is_an_lstm_module_whose_second_bias_is_zero():
    layer, x, _ = drawn(3, 4, 5, 6)
    module = torch.nn.LSTM(5, 6, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for d, suffix in enumerate(("", "_reverse")):
            getattr(module, f"weight_ih_l0{suffix}").copy_(layer.weight_ih[d])
            getattr(module, f"weight_hh_l0{suffix}").copy_(layer.weight_hh[d])
            getattr(module, f"bias_ih_l0{suffix}").copy_(layer.bias[d])
            getattr(module, f"bias_hh_l0{suffix}").zero_()
    torch.testing.assert_close(layer(x), module(x)[0], rtol=0, atol=1e-6)


def test_weights_start_uniform_between_the_roots():
    layer, _, _ = drawn(1, 1, 30, 25)
    for parameter in layer.parameters():
        assert 0.15 < parameter.abs().max() <= 0.2
        assert parameter.min() < 0 < parameter.max()


@halves
@pytest.mark.parametrize("shape", SHAPES)
def test_autocast_multiplies_bfloat16_and_keeps_states_float32(shape):
    layer, x, slopes = drawn(*shape)
    with torch.autocast("cpu", torch.bfloat16):
        states = layer(x)
    assert states.dtype == torch.float32
    expected = of_library(layer, x)
    torch.testing.assert_close(states, expected, rtol=0, atol=2e-2)
    assert not torch.equal(states, expected)
    wanted = gradients(expected, layer, x, slopes)
    for found, right in zip(gradients(states, layer, x, slopes), wanted, strict=True):
        assert found.dtype == torch.float32
        assert (found - right).norm() <= 0.03 * right.norm()


@wide
def test_a_row_does_not_depend_on_its_batch_mates_or_threads(threads):
    layer, x, slopes = drawn(17, 6, 20, 24)
    threads(2)
    states = layer(x)
    (by_x,) = torch.autograd.grad(states, x, slopes)
    threads(1)
    for row in (0, 5, 16):
        alone = x[row : row + 1].detach().requires_grad_()
        other = layer(alone)
        assert torch.equal(other[0], states[row])
        other.backward(slopes[row : row + 1])
        assert torch.equal(alone.grad[0], by_x[row])


@wide
def test_the_same_threads_give_the_same_gradients(threads):
    threads(2)
    layer, x, slopes = drawn(50, 7, 20, 24)
    first, second = (gradients(layer(x), layer, x, slopes) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_an_empty_batch_has_no_states_and_no_gradient():
    layer, x, _ = drawn(0, 3, 4, 5)
    states = layer(x)
    assert states.shape == (0, 3, 10)
    states.sum().backward()
    assert x.grad.shape == (0, 3, 4)
    assert not layer.weight_hh.grad.any()
    assert not layer.bias.grad.any()


@wide
def test_without_a_gradient_the_states_are_the_same():
    layer, x, _ = drawn(9, 8, 12, 16)
    with torch.no_grad():
        assert torch.equal(layer(x), layer(x.clone().requires_grad_()))
        plain = layer(x)
    assert torch.equal(plain, layer(x).detach())


@wide
def test_inputs_without_gradient_leave_the_weights_theirs():
    layer, x, slopes = drawn(4, 5, 6, 7)
    wanted = gradients(layer(x), layer, x, slopes)[1:]
    found = torch.autograd.grad(layer(x.detach()), list(layer.parameters()), slopes)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


@wide
def test_large_inputs_saturate_and_nothing_hides_what_is_no_number():
    weights = torch.full((2, 4, 1), 1.0), torch.zeros(2, 4, 1), torch.zeros(2, 4)
    x = torch.tensor([[[1e30]], [[-1e30]], [[float("nan")]]])
    states = compiled_lstm(x, *weights)
    torch.testing.assert_close(states[:2, 0, 0], torch.tensor([1.0, 0.0]).tanh())
    assert states[2].isnan().all()


@wide
def test_a_second_backward_pass_is_refused():
    layer, x, _ = drawn(2, 3, 4, 5)
    total = layer(x).sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="run it once"):
        total.backward()


def test_float64_is_left_to_pytorch():
    layer, x, _ = drawn(2, 3, 4, 5)
    assert layer.double()(x.double()).dtype == torch.float64
