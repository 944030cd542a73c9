"""Presets by name, and settings that replace some of their values."""

import inspect
import re
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from motifloom.deepbind import draw_settings
from motifloom.files import InputError
from motifloom.models import NETWORKS
from motifloom.networks import rules_of
from motifloom.presets import DEEPBIND, MULTITASK, NETWORK_KEYS, DeepBindPreset, choose
from motifloom.steps import rate_at
from motifloom.training import OPTIMISERS


def test_lecture_presets():
    deepbind = DEEPBIND["deepbind-lecture"]
    assert (deepbind.n_kernels, deepbind.kernel_size, deepbind.hidden_units) == (16, 12, 0)
    assert not deepbind.both_strands
    danq = MULTITASK["danq-lecture"]
    assert (danq.n_kernels, danq.kernel_size, danq.pool_size) == (4, 20, 2)
    assert (danq.lstm_units, danq.dense_units, danq.dropout) == (20, 25, 0.5)
    assert (danq.readout, danq.conv_dropout, danq.direct) == ("max", 0, False)


def test_the_published_preset():
    """Alipanahi et al. 2015, Online Methods and Supplementary Notes."""
    preset = DEEPBIND["deepbind-2015"]
    assert (preset.n_kernels, preset.kernel_size, preset.padding) == (16, 24, True)
    assert (preset.settings, preset.folds, preset.checkpoints) == (30, 3, 5)
    assert (preset.members, preset.keep, preset.steps) == (6, "best", 20_000)
    space = dict(preset.space)
    assert [space["learning_rate"].draw(u) for u in (0, 0.5)] == pytest.approx([5e-4, 5e-3])
    assert [space["momentum"].draw(u) for u in (0, 0.25, 1)] == pytest.approx([0.95, 0.97, 0.99])
    assert [space["dropout"].draw(u) for u in (0, 0.3, 0.6, 0.9)] == [0, 0, 0.25, 0.5]
    rna = preset.for_alphabet("rna")
    assert (rna.kernel_size, rna.pooling) == (16, "max+mean")
    assert preset.for_alphabet("dna") == preset


def test_the_published_rates_stay_as_drawn():
    preset = DEEPBIND["deepbind-2015"]
    rules = rules_of(replace(preset, learning_rate=0.02), "cross-entropy")
    assert [rate_at(rules, step, 20_000) for step in (0, 10_000, 20_000)] == [0.02] * 3


def test_what_a_user_sets_is_not_drawn():
    preset = choose(DEEPBIND, "deepbind-2015", {"learning_rate": 0.01, "dropout": 0.0})
    drawn = draw_settings(preset, 1)
    assert {(setting.learning_rate, setting.dropout) for setting in drawn} == {(0.01, 0.0)}
    assert len({setting.momentum for setting in drawn}) == 30


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("deepbind", {"settings": 10}, "settings is more than 1, but nothing is left to be drawn"),
        ("deepbind-2015", {"folds": 1}, "folds: 1 needs final_on: train"),
        ("deepbind", {"halving": True}, "halving needs fresh_negatives: false"),
        ("deepbind", {"dropout": 1.0}, "dropout is 1.0; give at least 0 and less than 1"),
        ("deepbind-2015", {"momentum": 1.0}, "momentum is 1.0; give at least 0 and less than 1"),
        ("deepbind", {"space": 1}, "has no setting 'space'"),
    ],
)
def test_settings_that_contradict_each_other(name, settings, message):
    with pytest.raises(InputError, match=message):
        choose(DEEPBIND, name, settings)


def test_every_setting_is_explained():
    text = (Path(__file__).parents[2] / "docs/deepbind.md").read_text(encoding="utf-8")
    explained = " ".join(re.findall(r"^\| (`\w+`.*?) \|", text, re.MULTILINE))
    for field in fields(DeepBindPreset):
        assert f"`{field.name}`" in explained or field.name in ("space", "rna")


def test_every_network_key_and_multitask_preset_is_explained():
    text = (Path(__file__).parents[2] / "docs/networks.md").read_text(encoding="utf-8")
    keys = {key for keys in NETWORK_KEYS.values() for key in keys}
    assert [
        name for name in [*sorted(keys), *MULTITASK] if not re.search(f"`{name}[`:]", text)
    ] == []


def test_settings_go_before_what_a_preset_has_for_rna():
    preset = choose(DEEPBIND, "deepbind-2015", {"kernel_size": 20}).for_alphabet("rna")
    assert (preset.kernel_size, preset.pooling) == (20, "max+mean")


def test_the_published_danq():
    """Quang & Xie 2016, Methods."""
    preset = MULTITASK["danq-2016"]
    assert (preset.n_kernels, preset.kernel_size, preset.pool_size) == (320, 26, 13)
    assert (preset.lstm_units, preset.dense_units, preset.readout) == (320, 925, "flatten")
    assert (preset.conv_dropout, preset.dropout, preset.start_range) == (0.2, 0.5, 0.05)
    assert (preset.optimiser, preset.batch_size, preset.epochs) == ("rmsprop", 100, 60)
    assert (preset.patience, preset.strands, preset.reverse_complement) == (5, "mean", True)
    larger = MULTITASK["danq-jaspar"]
    assert (larger.n_kernels, larger.kernel_size, larger.pool_size) == (1024, 30, 15)
    assert (larger.lstm_units, larger.dense_units, larger.from_matrices) == (512, 925, True)


def test_cnn_is_danq_without_recurrence():
    assert replace(MULTITASK["cnn"], lstm_units=32) == MULTITASK["danq"]


@pytest.mark.parametrize("network", NETWORK_KEYS)
def test_network_keys_are_all_that_a_network_takes(network):
    taken = set(inspect.signature(NETWORKS[network]).parameters)
    assert set(NETWORK_KEYS[network]) == taken - {"length", "n_targets", "centre"}


@pytest.mark.parametrize("preset", MULTITASK.values(), ids=MULTITASK)
def test_multitask_presets_can_be_trained(preset):
    assert preset.network in NETWORK_KEYS
    assert preset.optimiser in OPTIMISERS
    assert preset.direct or not preset.direct_epochs


def test_choose_without_settings():
    assert choose(DEEPBIND, "deepbind", {}) is not None
    assert choose(DEEPBIND, "deepbind", {}) == DEEPBIND["deepbind"]


def test_settings_replace_values_and_leave_the_preset_alone():
    before = asdict(DEEPBIND["deepbind"])
    found = choose(DEEPBIND, "deepbind", {"members": 1, "learning_rate": 1, "strands": "max"})
    assert asdict(found) == before | {"members": 1, "learning_rate": 1, "strands": "max"}
    assert asdict(DEEPBIND["deepbind"]) == before


def test_unknown_preset():
    with pytest.raises(InputError, match="preset 'deepbid' is unknown; choose one of deepbind-"):
        choose(DEEPBIND, "deepbid", {})


def test_unknown_setting():
    with pytest.raises(InputError, match=r"'danq' has no setting 'kernels'; it has n_kernels, "):
        choose(MULTITASK, "danq", {"kernels": 3})


@pytest.mark.parametrize(
    ("name", "settings"),
    [("danq", {"blocks": 3}), ("resnet", {"lstm_units": 3}), ("lstm", {"network": "RNN"})],
)
def test_settings_of_another_network(name, settings):
    with pytest.raises(InputError, match=f"'{name}' has no setting '{next(iter(settings))}'"):
        choose(MULTITASK, name, settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": "3e-3"}, "learning_rate is '3e-3'; give a value of type float"),
        ({"epochs": 2.5}, "epochs is 2.5; give a value of type int"),
        ({"epochs": True}, "epochs is True; give a value of type int"),
        ({"both_strands": "yes"}, "both_strands is 'yes'; give a value of type bool"),
        ({"dropout": None}, "dropout is None; give a value of type float"),
        ({"strands": "both"}, "strands is 'both'; choose given or mean or max"),
    ],
)
def test_values_that_cannot_be_used(settings, message):
    with pytest.raises(InputError, match=message):
        choose(DEEPBIND, "deepbind", settings)


def test_unknown_optimiser():
    with pytest.raises(InputError, match="optimiser is 'sgd'; choose adam or rmsprop"):
        choose(MULTITASK, "danq", {"optimiser": "sgd"})
