"""A bidirectional LSTM with one bias a gate.

Hochreiter S, Schmidhuber J. Long short-term memory. Neural Computation 9, 1735-1780 (1997), with
forget gates; Schuster M, Paliwal KK. Bidirectional recurrent neural networks. IEEE Transactions
on Signal Processing 45, 2673-2681 (1997).
"""

import torch
from torch import nn


class BiLSTM(nn.Module):
    """An LSTM along the steps in both directions; gates in the order i, f, g, o.

    Parameters, direction 0 forward and 1 backward: weight_ih [2, 4 H, I], weight_hh [2, 4 H, H],
    bias [2, 4 H], all starting uniform in +-1/sqrt(H).
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        bound = hidden_size**-0.5
        gates = 4 * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(2, gates, input_size).uniform_(-bound, bound))
        self.weight_hh = nn.Parameter(torch.empty(2, gates, hidden_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(2, gates).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """States [N, P, 2 H] of steps [N, P, I], the forward direction's first."""
        state = x.new_zeros(2, len(x), self.weight_hh.shape[2])
        zero = torch.zeros_like(self.bias[0])  # PyTorch's LSTM has a second bias
        weights = [
            tensor
            for d in range(2)
            for tensor in (self.weight_ih[d], self.weight_hh[d], self.bias[d], zero)
        ]
        # In training mode always: without it cuDNN gives no gradients, and there is no dropout.
        return torch._VF.lstm(x, (state, state), weights, True, 1, 0.0, True, True, True)[0]
