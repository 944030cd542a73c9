"""Trained models as ONNX files (https://onnx.ai), for programs that know nothing of PyTorch.

A file takes one-hot sequences and gives the scores of the whole model: all members, the strands
that it asks for, in the unit of the training scores. It is compared with the model before it is
written.
"""

import copy
import io
import json
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from motifloom import models
from motifloom.files import atomic
from motifloom.recurrence import GATES, BiLSTM
from motifloom.scan import one_hot
from motifloom.weights import unknown_base

OPSET = 18
TOLERANCE = 1e-4  # of a score, relative where it is above 1
_CHECKED = 32  # random sequences, one in eight of their bases N
_SEED = 1


def export_onnx(weights: str | Path, output: str | Path) -> None:
    """Write a trained model as ONNX, whole or not at all.

    Input `sequences` float32 [N, 4, L], one-hot in the order A, C, G, T (U), L the length trained
    on, unknown bases as the metadata's `unknown` in all four; output `scores` float32 [N, T].
    Metadata: targets (JSON), alphabet, strands, length, unknown, labels. Raises RuntimeError where
    ONNX Runtime's scores differ from the model's by more than TOLERANCE.
    """
    model = models.load(weights)
    content = to_onnx(model)
    check_scores(content, model)
    with atomic(output) as temporary:
        temporary.write_bytes(content)


def to_onnx(model: models.TrainedModel) -> bytes:
    """The bytes of a model's ONNX file; the same of the same model, with no path in them."""
    import onnx

    length = model.info["hyperparameters"]["length"]
    example = one_hot(torch.zeros(2, length, dtype=torch.uint8)).contiguous()
    stream = io.BytesIO()
    with warnings.catch_warnings():
        # Conditions on shapes become constants, as they should: only N varies.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Scores(model).eval(),
            (example,),
            stream,
            input_names=["sequences"],
            output_names=["scores"],
            dynamic_axes={"sequences": {0: "N"}, "scores": {0: "N"}},
            opset_version=OPSET,
            # The exporter by tracing: the newer one took twelve times as long for the default
            # DanQ and spells an RNN out step by step.
            dynamo=False,
        )
    proto = onnx.load_from_string(stream.getvalue())
    _strip(proto.graph)
    onnx.helper.set_model_props(proto, _metadata(model))
    return proto.SerializeToString(deterministic=True)


def check_scores(content: bytes, model: models.TrainedModel) -> None:
    """Raise RuntimeError where an ONNX file scores random sequences otherwise than its model."""
    random = np.random.default_rng(_SEED)
    codes = random.integers(4, size=(_CHECKED, model.info["hyperparameters"]["length"]))
    codes = np.where(random.random(codes.shape) < 1 / 8, 4, codes).astype(np.uint8)
    expected = model.score(codes)
    found = score_onnx(content, codes, unknown_base(model.info))
    alone = score_onnx(content, codes[:1], unknown_base(model.info))
    differences = np.abs(np.concatenate([found - expected, alone - expected[:1]]))
    limits = TOLERANCE * np.maximum(1, np.abs(np.concatenate([expected, expected[:1]])))
    if not (differences <= limits).all():
        raise RuntimeError(
            f"the ONNX model's scores differ from PyTorch's by up to {differences.max():.3g};"
            " set share: onnx to false and report this"
        )


def score_onnx(model: bytes | str | Path, codes: np.ndarray, unknown: float = 0.0) -> np.ndarray:
    """Scores float32 [N, T] of base codes uint8 [N, L] by ONNX Runtime, on PyTorch's threads.

    `model` is a file of `export_onnx` or its bytes, `unknown` what stands for N in all channels.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    source = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    x = one_hot(torch.from_numpy(codes), unknown).contiguous().numpy()
    return session.run(["scores"], {"sequences": x})[0]


class _Scores(nn.Module):
    """A trained model that gives scores, built of layers that ONNX has."""

    def __init__(self, model: models.TrainedModel):
        super().__init__()
        self.model = copy.deepcopy(model)
        for module in list(self.model.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, BiLSTM):
                    setattr(module, name, _LibraryLSTM(child))
        self.scale, self.shift = model.info["target_scale"], model.info["target_mean"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scores [N, T] of one-hot [N, 4, L]."""
        return self.model(x) * self.scale + self.shift


class _LibraryLSTM(nn.Module):
    """A `BiLSTM` as `nn.LSTM`, which has a second bias, here 0."""

    def __init__(self, own: BiLSTM):
        super().__init__()
        sizes = (own.input_size, own.hidden_size)
        self.lstm = nn.LSTM(*sizes, batch_first=True, bidirectional=True)
        zeros = torch.zeros(GATES * own.hidden_size)
        state = {}
        for direction, suffix in enumerate(("", "_reverse")):
            state[f"weight_ih_l0{suffix}"] = own.weight_ih[direction]
            state[f"weight_hh_l0{suffix}"] = own.weight_hh[direction]
            state[f"bias_ih_l0{suffix}"] = own.bias[direction]
            state[f"bias_hh_l0{suffix}"] = zeros
        self.lstm.load_state_dict(state)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """States [N, P, 2 H] of inputs [N, P, I]."""
        return self.lstm(x)[0]


def _strip(graph) -> None:
    """Take out, in place, what says where the exporter ran: node descriptions with file names."""
    graph.doc_string = ""
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _strip(attribute.g)


def _metadata(model: models.TrainedModel) -> dict[str, str]:
    info = model.info
    return {
        "alphabet": "ACGU" if info["alphabet"] == "rna" else "ACGT",
        "labels": info["labels"],
        "length": str(info["hyperparameters"]["length"]),
        "strands": info["strands"],
        "targets": json.dumps(info["targets"]),
        "unknown": str(unknown_base(model.info)),
    }
