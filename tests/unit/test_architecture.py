"""Tables of layers: counts by hand, and receptive fields against what changes an output."""

import re
from pathlib import Path

import pytest
import torch
from builders import DANQ, info_of, n_parameters

from motifloom import models
from motifloom.architecture import COLUMNS, TOTAL, Field, describe, layers, write_architecture
from motifloom.files import read_table
from motifloom.presets import DEEPBIND, MULTITASK


def resnet(length=60, **settings):
    small = {"n_kernels": 3, "kernel_size": 5, "pool_size": 2, "blocks": 2, "centre": 8}
    return models.ResNet(length, 2, **small | settings)


def danq(**settings):
    return models.DanQ(**DANQ | {"length": 60, "readout": "centre", "dense_units": 0} | settings)


NETWORKS = {
    "deepbind": models.DeepBind(30, n_kernels=3, kernel_size=5),
    "deepbind 2015": models.DeepBind(
        30, 3, 5, hidden_units=4, pooling="max+mean", place_bin=3, padding=True
    ),
    "danq": danq(dense_units=4, readout="flatten"),
    "danq direct": danq(direct=True),
    "cnn": danq(lstm_units=0),
    "cnn direct": danq(lstm_units=0, direct=True),
    "cnn wide": danq(lstm_units=0, readout="max"),
    "resnet": resnet(),
    "resnet dilated": resnet(dilation_growth=2, blocks=3, centre=2),
    "resnet strided": resnet(stride=2, dilation=2, padding=3, pooling="mean"),
    "resnet subsampled": resnet(pool_size=3, pooling="subsample", block_kernel_size=5),
    "resnet mean": resnet(readout="mean"),
    "resnet linear": resnet(order="linear-stem"),
    "resnet without stem": resnet(order="relu-last"),
    "rnn": models.RNN(12, 2, units=3),
    "lstm": models.LSTM(12, 2, units=3),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    return NETWORKS[request.param]


def table_of(network):
    found = describe({"net": network})
    return found.set_index("layer").drop(columns="model")


def test_parameters_add_up(network):
    found = table_of(network)
    assert found.parameters[TOTAL] == n_parameters(network) == found.parameters[:-1].sum()
    assert found.operations[TOTAL] == found.operations[:-1].sum()


def bases_that_count(network, length):
    """The stretch of bases any of which changes a logit, by changing each of them.

    With weights and biases above 0 a base above an empty background wins every maximum.
    """
    torch.manual_seed(0)
    network = type(network)(**network.hyperparameters).double().eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.abs_()
    x = torch.zeros(length + 1, 4, length, dtype=torch.float64)
    rows = torch.arange(length)
    x[rows + 1, :, rows] = 0.1
    logits = network(x)
    # Equal rows of a matrix product may differ in the last digit.
    changed = ((logits[1:] - logits[0]).abs() > 1e-12).any(1).nonzero()[:, 0]
    return int(changed.max() - changed.min()) + 1


def test_receptive_fields_are_what_counts(network):
    length = network.hyperparameters["length"]
    assert table_of(network).receptive_field[TOTAL] == bases_that_count(network, length)


@pytest.mark.parametrize("name", ["resnet dilated", "resnet strided", "resnet subsampled"])
def test_fields_of_single_positions_are_what_has_a_gradient(name):
    """1 + sum (K - 1) d (strides before), of one position in the middle of the last block."""
    network = type(NETWORKS[name])(**NETWORKS[name].hyperparameters | {"length": 200})
    network.conv.pooling = network.conv.pooling.replace("max", "mean")  # of which all are seen
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    x = torch.ones(1, 4, 200, requires_grad=True)
    h = network.conv(x)
    for block in network.blocks:
        h = block(h)
    h[0, 0, h.shape[2] // 2].backward()
    seen = x.grad.abs().sum((0, 1)).nonzero()[:, 0]
    found = [layer for layer in layers(network, 200) if layer.name.startswith("block")]
    assert found[-1].receptive_field == int(seen[-1] - seen[0]) + 1


def test_fields_in_closed_form():
    # kernel 5, stride 2; pool 3; kernel 3 with dilation 4
    field = Field().after(5, 2, padding=1).after(3, 3).after(2 * 4 + 1, padding=4)
    assert field.span == 1 + (5 - 1) + (3 - 1) * 2 + (3 - 1) * 4 * 6
    assert (field.first, field.step) == (-1 - 4 * 6, 6)
    assert field.seen(slice(3, 5), 100) == (0, -25 + 4 * 6 + 57)
    assert field.seen(slice(20, 21), 100) == (95, 100)


def test_layers_by_hand():
    found = table_of(NETWORKS["deepbind 2015"])
    # N on both sides makes 30 + 8 - 4 windows; places are 34 in bins of 3 on both sides: 6 rows
    assert found.loc["convolution"].tolist() == ["34 x 3", 3 * 4 * 5 + 3 + 6 * 3, 34 * 3 * 20, 5]
    assert found.loc["maximum, mean"].tolist() == ["6", 0, 0, 30]
    assert found.loc["dense, ReLU"].tolist() == ["4", 6 * 4 + 4, 24, 30]
    assert found.loc["logits"].tolist() == ["1", 5, 4, 30]
    found = table_of(NETWORKS["danq direct"])
    # 13 steps of 5; 4 gates of 3 units with 5 inputs, 3 states and 1 bias, in 2 directions
    assert found.loc["BiLSTM"].tolist() == ["13 x 6", 2 * 4 * 3 * 9, 2 * 13 * 4 * 3 * 8, 57]
    # 12 middle bases and 3 on both sides have 13 windows of 6, on 2 strands; 5 x 3 weights
    assert found.loc["direct path"].tolist() == ["3", 18, 2 * 13 * 5 * 24 + 15, 18]


def test_stem_and_blocks_by_hand():
    found = table_of(NETWORKS["resnet strided"])
    # 60 + 6 bases; a window spans 9, every second one counts: 29 in pools of 2
    assert found.loc["stem"].tolist() == ["29 x 3", 3 * 4 * 5 + 3, 29 * 3 * 20, 9]
    assert found.loc["mean of 2"].tolist() == ["14 x 3", 0, 0, 11]
    assert found.loc["block 1"].tolist() == ["14 x 3", 3 * 3 * 3 + 3, 14 * 3 * 9, 11 + 2 * 4]
    found = table_of(NETWORKS["lstm"])
    assert found.loc["LSTM"].tolist() == ["12 x 3", 4 * 3 * (4 + 3 + 2), 12 * 4 * 3 * 7, 12]


def test_both_strands_are_counted_twice():
    one, two = (
        table_of(models.DeepBind(30, 3, 5, both_strands=both)).operations["convolution"]
        for both in (False, True)
    )
    assert two == 2 * one == 2 * 26 * 3 * 20
    found = table_of(danq(both_strands=True))
    assert found.operations["convolution"] == 2 * 55 * 5 * 24


def test_the_published_networks():
    """Parameters of DanQ and of its form with 1,024 kernels (Quang & Xie 2016)."""
    larger = {"n_kernels": 1024, "kernel_size": 30, "pool_size": 15, "lstm_units": 512}
    with torch.device("meta"):
        networks = {"danq": models.DanQ(1000, 919), "jaspar": models.DanQ(1000, 919, **larger)}
    found = describe(networks)
    totals = found[found["layer"] == TOTAL]
    assert totals.parameters.tolist() == [46_926_479, 67_892_175]
    # kernels 975 x 320 x 26 x 4, LSTM 2 x 75 x 4 x 320 x 640, dense 48,000 x 925 and 925 x 919
    assert totals.operations.iloc[0] == 32_448_000 + 122_880_000 + 44_400_000 + 850_075


def preset_network(name):
    """The network of a preset, on 101 bp for one TF or on bins for 919 targets, without weights."""
    with torch.device("meta"):
        if name in MULTITASK:
            preset = MULTITASK[name]
            return models.NETWORKS[preset.network](1000, 919, **preset.network_settings)
        preset = DEEPBIND[name]
        keys = ("n_kernels", "kernel_size", "both_strands", "place_bin", "padding", "hidden_units")
        return models.DeepBind(101, **{key: getattr(preset, key) for key in keys})


def number_of(text):
    number, unit = re.fullmatch(r"([\d.,]+) ?(k|M|bp|)", text).groups()
    return float(number.replace(",", "")) * {"k": 1e3, "M": 1e6}.get(unit, 1)


def test_networks_are_documented_as_they_are():
    text = (Path(__file__).parents[2] / "docs/networks.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([\w-]+)` \|.*?\| (.*) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert set(MULTITASK) < {name for name, *_ in documented}
    for name, *cells in documented:
        total = describe({name: preset_network(name)}).iloc[-1]
        found = [total.parameters, total.operations, total.receptive_field]
        assert [number_of(cell) for cell in cells] == pytest.approx(found, rel=0.03), name


def test_other_modules_cannot_be_described():
    with pytest.raises(TypeError, match="no description of Linear"):
        layers(torch.nn.Linear(2, 2), 10)


def test_trained_models_are_described(tmp_path):
    paths = {}
    for name, networks in {
        "deepbind": [NETWORKS["deepbind"]] * 2,
        "lstm": [NETWORKS["lstm"]],
    }.items():
        paths[name] = tmp_path / f"{name}.safetensors"
        models.save(models.TrainedModel(networks, info_of(networks)), paths[name])
    write_architecture(paths, tmp_path / "a.tsv", tmp_path / "a.svg")
    found = read_table(tmp_path / "a.tsv", ("model", "layer", "output_shape"))
    assert tuple(found.columns) == COLUMNS
    assert found.model.drop_duplicates().tolist() == ["deepbind", "lstm"]
    # One member of the two.
    assert found.parameters[found.layer == TOTAL].iloc[0] == n_parameters(NETWORKS["deepbind"])
    drawn = (tmp_path / "a.svg").read_text()
    assert "30 bp" in drawn and "deepbind" in drawn
