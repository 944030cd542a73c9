"""Trained DeepBinds without PyTorch: the same scores, row by row, and sentences for bad files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from builders import info_of, random_codes

from motifloom import inference, models
from motifloom.files import InputError
from motifloom.weights import read_weights, write_weights

LIBRARY = Path(inference.__file__).parents[1]
SETTINGS = [
    {},
    {"both_strands": True, "place_bin": 3},
    {"pooling": "max+mean", "padding": True, "both_strands": True, "place_bin": 2},
    {"hidden_units": 3, "n_targets": 2},
]


def saved(folder, strands="given", n_members=2, **settings):
    torch.manual_seed(1)
    networks = [
        models.DeepBind(20, n_kernels=5, kernel_size=4, **settings) for _ in range(n_members)
    ]
    for network in networks:
        for name, parameter in network.named_parameters():
            if name in ("conv.bias", "conv.places"):
                torch.nn.init.normal_(parameter, std=0.3)
    model = models.TrainedModel(
        networks, info_of(networks, strands=strands, target_scale=2.5, target_mean=-1.0)
    )
    models.save(model, folder / "weights.safetensors")
    return model, inference.load(folder)


@pytest.mark.parametrize("strands", ["given", "mean", "max"])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("length", [20, 33])
def test_scores_are_those_of_pytorch(tmp_path, settings, strands, length):
    model, read = saved(tmp_path, strands, **settings)
    codes = random_codes(2, 50, length, letters=5)
    whole, members = model.score_members(codes)
    found, own = read.score_members(codes)
    assert found.dtype == own.dtype == np.float32
    np.testing.assert_allclose(found, whole, atol=1e-5)
    np.testing.assert_allclose(own, members, atol=1e-5)


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_row_alone_has_the_bytes_that_it_has_in_company(tmp_path, settings):
    _, read = saved(tmp_path, "mean", **settings)
    codes = random_codes(3, 1500, 20, letters=5)
    together = read.score(codes)
    alone = np.concatenate([read.score(codes[i : i + 1]) for i in (0, 7, 1023, 1024, 1499)])
    np.testing.assert_array_equal(alone, together[[0, 7, 1023, 1024, 1499]])


@pytest.mark.parametrize("settings", SETTINGS[:3])
def test_what_kernels_see_is_what_they_see_in_pytorch(tmp_path, settings):
    model, read = saved(tmp_path, **settings)
    codes = random_codes(4, 30, 26, letters=5)
    network, own = model.networks[1], read.networks[1]
    with torch.inference_mode():
        batch = torch.from_numpy(codes)
        features, maxima = network.features(batch).numpy(), network.conv(batch).squeeze(1).numpy()
    np.testing.assert_allclose(own.features(codes), features, atol=1e-6)
    np.testing.assert_allclose(own.activations(codes), maxima, atol=1e-6)


def test_no_sequences(tmp_path):
    _, read = saved(tmp_path)
    assert read.score(np.empty((0, 20), np.uint8)).shape == (0, 1)


def test_other_networks_come_through_pytorch(tmp_path):
    torch.manual_seed(0)
    networks = [models.ResNet(40, n_targets=2, n_kernels=5).eval()]
    model = models.TrainedModel(networks, info_of(networks))
    models.save(model, tmp_path / "weights.safetensors")
    read = inference.load(tmp_path)
    codes = random_codes(5, 6, 40)
    np.testing.assert_array_equal(read.score(codes), model.score(codes))
    assert not read.networks[0].linear and read.networks[0].weight.shape[0] == 5


@pytest.mark.parametrize("change", ["lacks", "more", "shape", "members"])
def test_a_file_whose_arrays_do_not_fit_its_description(tmp_path, change):
    saved(tmp_path)
    path = tmp_path / "weights.safetensors"
    tensors, info = read_weights(path)
    if change == "lacks":
        del tensors["0.conv.bias"]
    elif change == "more":
        tensors["0.extra"] = np.zeros(1, np.float32)
    elif change == "shape":
        tensors["1.dense.weight"] = np.zeros((1, 4), np.float32)
    else:
        info["members"] = 1
    write_weights(tensors, info, path)
    with pytest.raises(InputError, match=r"weights and description disagree; train it again"):
        inference.load(path)


def test_jobs_that_read_a_deepbind_import_no_pytorch():
    code = (
        "import motifloom.window_evaluation, motifloom.kernels, motifloom.examination, sys;"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(LIBRARY)})
    assert done.returncode == 0
