"""Recurrent classifiers and the bidirectional LSTM: order of bases, batches, values by hand."""

import pytest
import torch
from builders import codes_of, n_parameters
from torch import nn

from motifloom.recurrence import BiLSTM
from motifloom.recurrent import LSTM, RNN


@pytest.mark.parametrize(("make", "gates"), [(RNN, 1), (LSTM, 4)])
def test_parameters_by_hand(make, gates):
    # 18 units with 4 inputs, 18 states and PyTorch's 2 biases a gate; 3 logits
    assert n_parameters(make(40, 3)) == gates * 18 * (4 + 18 + 2) + (18 * 3 + 3)


def test_the_state_goes_along_the_sequence():
    """One unit that doubles its input and adds half of its state: later bases count more."""
    network = RNN(3, 1, units=1).eval().requires_grad_(False)
    weight_ih, weight_hh, bias_ih, bias_hh = network.recurrent.parameters()
    weight_ih.copy_(torch.tensor([[0.2, 0, 0, 0]]))
    weight_hh.fill_(0.5)
    for parameter in (bias_ih, bias_hh, network.dense.bias):
        parameter.zero_()
    network.dense.weight.fill_(1)
    codes = torch.tensor([[0, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=torch.uint8)
    state = torch.tensor(0.2).tanh()
    expected = [((state / 2).tanh() / 2).tanh(), (state / 2).tanh(), state]
    torch.testing.assert_close(network(codes)[:, 0], torch.stack(expected))


def test_classes_are_learnt_with_softmax_as_in_the_lecture():
    """Which of four bases comes last: cross-entropy over 4 classes, Adam at 0.01, 18 units."""
    torch.manual_seed(0)
    network, codes = RNN(6, 4), codes_of(64, 6) % 4
    classes = codes[:, -1].long()
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(network(codes), classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert network(codes).argmax(1).tolist() == classes.tolist()


def test_bidirectional_lstm_is_that_of_pytorch():
    torch.manual_seed(0)
    ours, theirs = BiLSTM(5, 3), nn.LSTM(5, 3, batch_first=True, bidirectional=True)
    with torch.no_grad():
        for d, suffix in enumerate(["", "_reverse"]):
            getattr(theirs, f"weight_ih_l0{suffix}").copy_(ours.weight_ih[d])
            getattr(theirs, f"weight_hh_l0{suffix}").copy_(ours.weight_hh[d])
            getattr(theirs, f"bias_ih_l0{suffix}").copy_(ours.bias[d])
            getattr(theirs, f"bias_hh_l0{suffix}").zero_()
    x = torch.randn(4, 7, 5)
    torch.testing.assert_close(ours(x), theirs(x)[0])
    assert {name: tuple(p.shape) for name, p in ours.named_parameters()} == {
        "weight_ih": (2, 12, 5),
        "weight_hh": (2, 12, 3),
        "bias": (2, 12),
    }
