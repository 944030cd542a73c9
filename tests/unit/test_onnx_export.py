"""Models as ONNX: the same scores by ONNX Runtime, the same bytes, no path, no wrong file."""

import json

import numpy as np
import pytest
import torch
from builders import DANQ, info_of, random_codes

from motifloom import models, onnx_export
from motifloom.danq import READOUTS
from motifloom.weights import unknown_base

pytest.importorskip("onnxruntime")


def deepbind(seed=0, **settings):
    torch.manual_seed(seed)
    settings = {"length": 40, "n_kernels": 6, "kernel_size": 5} | settings
    network = models.DeepBind(**settings)
    if network.conv.places is not None:
        torch.nn.init.normal_(network.conv.places)
    return network


def danq(seed=0, **settings):
    torch.manual_seed(seed)
    return models.DanQ(**DANQ | settings)


def resnet(**settings):
    torch.manual_seed(0)
    settings = {"kernel_size": 6, "n_kernels": 5, "pool_size": 4, "centre": 12} | settings
    return models.ResNet(40, 3, **settings)


def recurrent(network):
    torch.manual_seed(0)
    return network(40, 3, units=4)


def trained(*networks, **changes):
    return models.TrainedModel(list(networks), info_of(networks, **changes))


MODELS = {
    "deepbind": lambda: trained(deepbind()),
    "deepbind default": lambda: trained(
        *(deepbind(i, both_strands=True, place_bin=5) for i in (0, 1))
    ),
    "deepbind 2015": lambda: trained(
        deepbind(padding=True, pooling="max+mean", hidden_units=4), strands="max"
    ),
    "deepbind of scores": lambda: trained(
        deepbind(), labels="score", target_mean=7.0, target_scale=2.0
    ),
    **{f"danq {readout}": lambda r=readout: trained(danq(readout=r)) for readout in READOUTS},
    "danq default": lambda: trained(
        *(danq(i, readout="centre", direct=True, dense_units=0, both_strands=True) for i in (0, 1)),
        strands="mean",
    ),
    "cnn": lambda: trained(danq(readout="centre", lstm_units=0)),
    "resnet": lambda: trained(resnet(), strands="mean"),
    "resnet strided": lambda: trained(resnet(stride=2, dilation=3, padding=4, pooling="mean")),
    "rnn": lambda: trained(recurrent(models.RNN)),
    "lstm": lambda: trained(recurrent(models.LSTM)),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_onnx_gives_the_scores_of_the_model(tmp_path, make):
    model, output = make(), tmp_path / "model.onnx"
    models.save(model, tmp_path / "weights.safetensors")
    onnx_export.export_onnx(tmp_path / "weights.safetensors", output)
    unknown = unknown_base(model.info)
    for n in (1, 3, 9):
        codes = random_codes(n, n, 40, letters=5)
        found = onnx_export.score_onnx(output, codes, unknown)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, model.score(codes), rtol=1e-4, atol=1e-4)


def test_every_network_is_exported_here():
    tested = {type(make().networks[0]).__name__ for make in MODELS.values()}
    assert tested == set(models.NETWORKS)


def test_metadata_says_what_goes_in_and_comes_out():
    import onnx

    proto = onnx.load_from_string(onnx_export.to_onnx(MODELS["deepbind 2015"]()))
    assert {prop.key: prop.value for prop in proto.metadata_props} == {
        "alphabet": "ACGT",
        "labels": "binary",
        "length": "40",
        "strands": "max",
        "targets": json.dumps(["TF1"]),
        "unknown": "0.25",
    }
    (x,), (y,) = proto.graph.input, proto.graph.output
    assert [x.name, y.name] == ["sequences", "scores"]
    dims = [d.dim_param or d.dim_value for d in x.type.tensor_type.shape.dim]
    assert dims == ["N", 4, 40]
    onnx.checker.check_model(proto)


@pytest.mark.parametrize("name", ["deepbind default", "danq default", "rnn"])
def test_the_same_model_gives_the_same_bytes_without_paths(name):
    content = onnx_export.to_onnx(MODELS[name]())
    assert onnx_export.to_onnx(MODELS[name]()) == content
    assert b".py" not in content
    assert b"/motifloom" not in content


def test_a_file_that_disagrees_is_refused_and_not_written(tmp_path, monkeypatch):
    models.save(trained(deepbind()), tmp_path / "weights.safetensors")
    wrong = onnx_export.to_onnx(trained(deepbind(seed=9)))
    monkeypatch.setattr(onnx_export, "to_onnx", lambda model: wrong)
    with pytest.raises(RuntimeError, match="differ from PyTorch's by up to"):
        onnx_export.export_onnx(tmp_path / "weights.safetensors", tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


def test_exporting_leaves_the_model_as_it_was():
    model = MODELS["danq max"]()
    before = model.score(random_codes(1, 3, 40))
    onnx_export.to_onnx(model)
    assert model.score(random_codes(1, 3, 40)).tolist() == before.tolist()
    assert type(model.networks[0].lstm).__name__ == "BiLSTM"
