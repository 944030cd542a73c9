"""Recurrent classifiers that read the bases one by one: the plain RNN and the LSTM.

Elman JL. Finding structure in time. Cognitive Science 14, 179-211 (1990); Hochreiter S,
Schmidhuber J. Long short-term memory. Neural Computation 9, 1735-1780 (1997).

They give one logit a target. A classifier over exclusive classes is the same network with
`n_targets` the number of classes, its logits given to `torch.nn.functional.cross_entropy`
(softmax and cross-entropy in one) instead of to one sigmoid each.
"""

import torch
from torch import nn

from motifloom.convolution import check_length
from motifloom.scan import one_hot


class Recurrent(nn.Module):
    """A recurrent layer along the sequence; its last state goes through a linear layer."""

    layer: type[nn.RNNBase]

    def __init__(self, length: int, n_targets: int, units: int = 18):
        super().__init__()
        check_length(length, 1)
        self.hyperparameters = {
            "length": length,
            "n_targets": n_targets,
            "units": units,
        }
        self.recurrent = self.layer(4, units, batch_first=True)
        self.dense = nn.Linear(units, n_targets)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of codes [N, L] or one-hot [N, 4, L]."""
        if x.dtype == torch.uint8:
            x = one_hot(x)
        # Sequence along the second axis: along the first, the layer would run through the batch.
        states, _ = self.recurrent(x.transpose(1, 2))  # [N, L, units]
        return self.dense(states[:, -1])  # [N, n_targets]


class RNN(Recurrent):
    """h_i = tanh(W x_i + U h_{i-1} + b), 18 units unless told otherwise."""

    layer = nn.RNN


class LSTM(Recurrent):
    """The same with gates: input, forget, cell and output."""

    layer = nn.LSTM
