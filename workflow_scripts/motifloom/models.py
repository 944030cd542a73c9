"""The networks: DeepBind (Alipanahi et al. 2015) and DanQ (Quang & Xie 2016).

DeepBind: Alipanahi B, Delong A, Weirauch MT, Frey BJ. Predicting the sequence specificities of
DNA- and RNA-binding proteins by deep learning. Nature Biotechnology 33, 831-838 (2015).
DanQ: Quang D, Xie X. DanQ: a hybrid convolutional and recurrent deep neural network for
quantifying the function of DNA sequences. Nucleic Acids Research 44, e107 (2016).

Every network takes base codes uint8 [N, L] (A, C, G, T = 0..3, N = 4; the fast path) or float
one-hot [N, 4, L] (what attribution tools feed it), and gives logits float32 [N, T].
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from motifloom.dropout import Dropout
from motifloom.files import InputError, check_readable
from motifloom.networks import n_places
from motifloom.recurrence import BiLSTM
from motifloom.scan import motif_mean, motif_scan, place_index, reference_mean, reference_scan
from motifloom.weights import write_weights


class MotifConv(nn.Module):
    """A bank of kernels [C, 4, K] over one-hot bases, ReLU, and maxima over windows.

    ReLU(x + b) and max exchange, since both are non-decreasing and b is the same at all
    positions: the maxima are taken first, the learned threshold b is added after. With `n_places`
    a bias by the window's distance from the middle is added before the maximum
    (`scan.place_index`; `windows` are those of the sequences trained on). `padding` N, 0.25 in
    all channels, stand on both sides.
    """

    def __init__(
        self,
        n_kernels: int,
        kernel_size: int,
        both_strands: bool = False,
        windows: int = 0,
        place_bin: int = 0,
        padding: int = 0,
    ):
        super().__init__()
        self.both_strands = both_strands
        self.windows = windows
        self.place_bin = place_bin
        self.padding = padding
        rows = n_places(windows, place_bin)
        self.weight = nn.Parameter(torch.empty(n_kernels, 4, kernel_size))
        self.bias = nn.Parameter(torch.zeros(n_kernels))
        self.places = nn.Parameter(torch.zeros(rows, n_kernels)) if rows else None
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def forward(self, x: torch.Tensor, pool: int = 0) -> torch.Tensor:
        """Float32 [N, P, C]: ReLU of the maxima over `pool` windows (0: over all, P = 1)."""
        return torch.relu(self.maxima(x, pool) + self.bias)

    def maxima(self, x: torch.Tensor, pool: int = 0) -> torch.Tensor:
        """Float32 [N, P, C]: the maxima before threshold and ReLU."""
        scan = motif_scan if x.dtype == torch.uint8 else reference_scan
        return scan(x, self.weight, pool, self.both_strands, **self._where(x))

    def means(self, x: torch.Tensor) -> torch.Tensor:
        """Float32 [N, C]: the mean of ReLU(x + b) over all windows, with both strands of both."""
        scan = motif_mean if x.dtype == torch.uint8 else reference_mean
        return scan(x, self.weight, self.bias, self.both_strands, **self._where(x))

    def _where(self, x: torch.Tensor) -> dict:
        """What a scan needs to know of padding and places."""
        found = {"padding": self.padding, "unknown": 0.25 if self.padding else 0.0}
        if self.places is not None:
            windows = x.shape[-1] + 2 * self.padding - self.weight.shape[2] + 1
            found |= {"places": self.places, "place_index": self.place_index(windows, x.device)}
        return found

    def place_index(self, windows: int, device="cpu") -> torch.Tensor:
        """Row of `places` for each window of a sequence, int64 [windows]."""
        return place_index(windows, self.place_bin, len(self.places), self.windows, device)


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
        _check_length(length + 2 * padded, kernel_size)
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


READOUTS = ("max", "last", "flatten", "centre")


class DanQ(nn.Module):
    """Convolution, max pooling, bidirectional LSTM along the sequence, read-out, dense layers.

    `readout` turns the LSTM's steps [N, P, 2 * lstm_units] into one vector: "max" over all steps
    (the lecture's choice), "last" step of each direction, "flatten" (all steps, the paper's
    choice), or "centre": the maximum over the steps that overlap the `centre` middle bases,
    which is where a bin's label comes from. With `direct`, the maxima of the kernels over the
    middle bases and both strands also reach the logits through a linear layer of their own, so
    that the kernels learn before the LSTM does. `dense_units` 0 leaves the hidden layer out.
    """

    def __init__(
        self,
        length: int,
        n_targets: int,
        n_kernels: int = 320,
        kernel_size: int = 26,
        pool_size: int = 13,
        lstm_units: int = 320,
        dense_units: int = 925,
        dropout: float = 0.5,
        readout: str = "flatten",
        conv_dropout: float = 0.2,
        direct: bool = False,
        centre: int = 200,
    ):
        super().__init__()
        _check_length(length, kernel_size + pool_size - 1)
        if readout not in READOUTS:
            raise InputError(f"readout {readout!r} is unknown; choose one of {', '.join(READOUTS)}")
        self.hyperparameters = {
            "length": length,
            "n_targets": n_targets,
            "n_kernels": n_kernels,
            "kernel_size": kernel_size,
            "pool_size": pool_size,
            "lstm_units": lstm_units,
            "dense_units": dense_units,
            "dropout": dropout,
            "readout": readout,
            "conv_dropout": conv_dropout,
            "direct": direct,
            "centre": centre,
        }
        self.conv = MotifConv(n_kernels, kernel_size)
        self.conv_dropout = Dropout(conv_dropout)
        self.lstm = BiLSTM(n_kernels, lstm_units)
        steps = (length - kernel_size + 1) // pool_size
        width = 2 * lstm_units * (steps if readout == "flatten" else 1)
        self.dropout = Dropout(dropout)
        self.hidden = nn.Linear(width, dense_units) if dense_units else None
        self.dense = nn.Linear(dense_units or width, n_targets)
        self.direct = nn.Linear(n_kernels, n_targets) if direct else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [N, n_targets] of codes [N, length] or one-hot [N, 4, length]."""
        pooled = self.conv(x, self.hyperparameters["pool_size"])  # [N, P, n_kernels]
        steps = self.lstm(self.conv_dropout(pooled))  # [N, P, 2 * lstm_units]
        h = self.dropout(self._read(steps))
        if self.hidden is not None:
            h = torch.relu(self.hidden(h))  # [N, dense_units]
        logits = self.dense(h)  # [N, n_targets]
        return logits + self.direct_logits(x) if self.direct is not None else logits

    def direct_logits(self, x: torch.Tensor) -> torch.Tensor:
        """What the direct path alone says, float32 [N, n_targets]."""
        size, centre = self.hyperparameters["kernel_size"], self.hyperparameters["centre"]
        flank = max(0, (x.shape[-1] - centre) // 2 - size // 2)
        middle = x[..., flank : x.shape[-1] - flank]
        scan = motif_scan if x.dtype == torch.uint8 else reference_scan
        best = scan(middle, self.conv.weight, 0, True).squeeze(1)  # [N, n_kernels]
        return self.direct(self.dropout(torch.relu(best + self.conv.bias)))

    def _read(self, steps: torch.Tensor) -> torch.Tensor:
        readout = self.hyperparameters["readout"]
        units = self.hyperparameters["lstm_units"]
        if readout == "flatten":
            return steps.flatten(1)
        if readout == "last":
            return torch.cat([steps[:, -1, :units], steps[:, 0, units:]], 1)
        if readout == "centre":
            steps = steps[:, self._central_steps(steps.shape[1])]
        return steps.amax(1)

    def _central_steps(self, n_steps: int) -> slice:
        length, centre = self.hyperparameters["length"], self.hyperparameters["centre"]
        pool = self.hyperparameters["pool_size"]
        flank = max(0, (length - centre) // 2)
        return slice(min(flank // pool, n_steps - 1), min(-(-(length - flank) // pool), n_steps))


def _check_length(length: int, shortest: int) -> None:
    if length < shortest:
        raise InputError(
            f"sequences of {length} bp are too short for this network, which needs {shortest};"
            " lengthen windows or choose smaller kernels"
        )


NETWORKS = {"DeepBind": DeepBind, "DanQ": DanQ}


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
        trained = self.info["hyperparameters"]["length"]
        shortest = self.info["hyperparameters"]["kernel_size"]
        if self.info["network"] != "DeepBind" and length != trained:
            raise InputError(f"{path}: records of {length} bp; this network takes {trained} bp")
        if length < shortest:
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
    """Load a trained model (networks in evaluation mode, on the CPU).

    Nothing in the file is run. Raises InputError where it is damaged or no model of ours.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    try:
        with safe_open(path, framework="pt") as stored:
            info = json.loads((stored.metadata() or {}).get("motifloom", "null"))
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: is damaged or no safetensors file; train it again") from error
    if not isinstance(info, dict) or info.get("network") not in NETWORKS:
        raise InputError(f"{path}: holds no trained model; give a weights.safetensors")
    build = NETWORKS[info["network"]]
    try:
        networks = [build(**info["hyperparameters"]) for _ in range(info["members"])]
        model = TrainedModel(networks, info)
        model.networks.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise InputError(f"{path}: weights and description disagree; train it again") from error
    return model
