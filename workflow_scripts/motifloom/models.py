"""DeepBind (Alipanahi et al. 2015), the networks by name, and trained models.

DeepBind: Alipanahi B, Delong A, Weirauch MT, Frey BJ. Predicting the sequence specificities of
DNA- and RNA-binding proteins by deep learning. Nature Biotechnology 33, 831-838 (2015).

Every network takes base codes uint8 [N, L] (A, C, G, T = 0..3, N = 4; the fast path) or float
one-hot [N, 4, L] (what attribution tools feed it), and gives logits float32 [N, T]. Its attribute
`hyperparameters` holds the arguments that build it again.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from motifloom.convolution import MotifConv, check_length
from motifloom.danq import DanQ
from motifloom.files import InputError
from motifloom.recurrent import LSTM, RNN
from motifloom.resnet import ResNet
from motifloom.weights import read_model, takes_any_length, weights_file, write_weights


class DeepBind(nn.Module):
    """Convolution, ReLU with a learned threshold, maximum over all positions, dense layers.

    `length` is the length trained on; any length from `kernel_size` up can be scored. With
    `both_strands` each kernel takes the better strand (shared weights). `pooling` "max+mean" puts
    the mean over positions beside the maximum. `place_bin` bases share a bias by distance from
    the middle (0: none). `padding` puts kernel_size - 1 N on both sides. `hidden_units` 0 is a
    linear read-out. `dropout` acts on the pooled features.
    """

    def __init__(
        self,
        length: int,
        n_kernels: int = 16,
        kernel_size: int = 12,
        n_targets: int = 1,
        hidden_units: int = 0,
        dropout: float = 0.0,
        both_strands: bool = False,
        pooling: str = "max",
        place_bin: int = 0,
        padding: bool = False,
    ):
        super().__init__()
        padded = kernel_size - 1 if padding else 0
        check_length(length + 2 * padded, kernel_size)
        self.hyperparameters = {
            "length": length,
            "n_kernels": n_kernels,
            "kernel_size": kernel_size,
            "n_targets": n_targets,
            "hidden_units": hidden_units,
            "dropout": dropout,
            "both_strands": both_strands,
            "pooling": pooling,
            "place_bin": place_bin,
            "padding": padding,
        }
        windows = length + 2 * padded - kernel_size + 1
        self.conv = MotifConv(n_kernels, kernel_size, both_strands, windows, place_bin, padded)
        self.dropout = nn.Dropout(dropout)
        width = n_kernels * (2 if pooling == "max+mean" else 1)
        self.hidden = nn.Linear(width, hidden_units) if hidden_units else None
        self.dense = nn.Linear(hidden_units or width, n_targets)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Pooled kernel activations, float32 [N, F]: maxima, then means where there are such."""
        maxima = self.conv(x).squeeze(1)
        if self.hyperparameters["pooling"] == "max":
            return maxima
        return torch.cat([maxima, self.conv.means(x)], 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of codes [N, L] or one-hot [N, 4, L]."""
        h = self.dropout(self.features(x))  # [N, F]
        if self.hidden is not None:
            h = torch.relu(self.hidden(h))  # [N, hidden_units]
        return self.dense(h)  # [N, n_targets]


NETWORKS = {"DeepBind": DeepBind, "DanQ": DanQ, "ResNet": ResNet, "RNN": RNN, "LSTM": LSTM}


class TrainedModel(nn.Module):
    """One or several trained networks of one kind, averaged, and what is needed to use them.

    info holds: network, preset, alphabet, targets (names), members, strands ("given": score
    the sequence as it is; "mean" or "max": over the sequence and its reverse complement),
    target_mean and target_scale (what logits are multiplied and shifted by to give scores), and
    provenance.
    """

    def __init__(self, networks: list[nn.Module], info: Mapping):
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.info = dict(info)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Mean logits [N, T] of the members, on the strands that the preset asks for."""
        return self._over_strands(self._logits(x).mean(1))

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [S, M, N, T] of every member on each of the strands that the preset asks for."""
        strands = [x] if self.info["strands"] == "given" else [x, reverse_complement(x)]
        return torch.stack(
            [torch.stack([network(strand) for network in self.networks]) for strand in strands]
        )

    def _over_strands(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.amax(0) if self.info["strands"] == "max" else logits.mean(0)

    def _with_members(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, 1 + M, T]: those of `forward`, then those of every member alone."""
        logits = self._logits(x)
        logits = torch.cat([logits.mean(1, keepdim=True), logits], dim=1)
        return self._over_strands(logits).transpose(0, 1)

    def score(self, sequences: np.ndarray | str | Path, batch_size: int = 1024) -> np.ndarray:
        """Scores float32 [N, T] of base codes uint8 [N, L] or of a FASTA file's N records.

        Logits for 0/1 labels, values in the unit of the training scores otherwise. Records of
        a FASTA may differ in length where the network takes any length; else InputError.
        """
        if isinstance(sequences, np.ndarray):
            return self.score_members(sequences, batch_size)[0]
        from motifloom.sequences import read_fasta

        _, records = read_fasta(sequences)
        scores = np.empty((len(records), len(self.info["targets"])), np.float32)
        lengths = np.array([len(record) for record in records])
        for length in np.unique(lengths):
            self._check_scored_length(int(length), sequences)
            rows = np.flatnonzero(lengths == length)
            codes = np.stack([records[i] for i in rows])
            scores[rows] = self.score_members(codes, batch_size)[0]
        return scores

    def score_members(
        self, codes: np.ndarray, batch_size: int = 1024
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores float32 [N, T] as `score` gives them, and each member's own, float32 [M, N, T].

        Every member scores the base codes uint8 [N, L] once for both.
        """
        device = next(self.parameters()).device
        parts = [np.empty((0, 1 + len(self.networks), len(self.info["targets"])), np.float32)]
        with torch.inference_mode():
            for first in range(0, len(codes), batch_size):
                batch = torch.tensor(codes[first : first + batch_size], device=device)
                parts.append(self._with_members(batch).cpu().numpy())
        scale, shift = (np.float32(self.info[name]) for name in ("target_scale", "target_mean"))
        scores = np.concatenate(parts).swapaxes(0, 1) * scale + shift
        return scores[0], scores[1:]

    def _check_scored_length(self, length: int, path) -> None:
        settings = self.info["hyperparameters"]
        if not takes_any_length(self.info):
            trained = settings["length"]
            if length != trained:
                raise InputError(f"{path}: records of {length} bp; this network takes {trained} bp")
        elif length < (shortest := settings["kernel_size"]):
            raise InputError(
                f"{path}: a record of {length} bp is shorter than a kernel, {shortest}"
            )


def reverse_complement(x: torch.Tensor) -> torch.Tensor:
    """Reverse complement of codes uint8 [N, L] or one-hot [N, 4, L]."""
    if x.dtype == torch.uint8:
        x = x.flip(-1)
        return torch.where(x < 4, 3 - x, x)
    return x.flip(1, 2)


def save(model: TrainedModel, path: str | Path) -> None:
    """Write weights and info to one safetensors file, whole or not at all."""
    tensors = {name: tensor.numpy() for name, tensor in model.networks.state_dict().items()}
    write_weights(tensors, model.info, path)


def load(path: str | Path) -> TrainedModel:
    """Load a trained model (networks in evaluation mode, on the CPU), given its file or folder.

    Nothing in the file is run. Raises InputError where it is damaged or no model of ours.
    """
    path = weights_file(path)
    tensors, info = read_model(path, "pt")
    build, settings = NETWORKS[info["network"]], info["hyperparameters"]
    try:
        # First without memory: a description must not ask for more than the file holds.
        with torch.device("meta"):
            expected = build(**settings).state_dict()
        shapes = {
            f"{member}.{name}": tensor.shape
            for member in range(info["members"])
            for name, tensor in expected.items()
        }
        if {name: tensor.shape for name, tensor in tensors.items()} != shapes:
            raise ValueError("arrays of other shapes")
        model = TrainedModel([build(**settings) for _ in range(info["members"])], info)
        model.networks.load_state_dict(tensors)
    except Exception as error:  # whatever wrong arguments lead a network's layers to
        raise InputError(f"{path}: weights and description disagree; train it again") from error
    return model
