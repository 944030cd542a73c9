"""Presets by name, and settings that replace some of their values."""

from dataclasses import asdict

import pytest

from motifloom.files import InputError
from motifloom.models import READOUTS
from motifloom.presets import DEEPBIND, MULTITASK, choose
from motifloom.training import OPTIMISERS


def test_lecture_presets():
    deepbind = DEEPBIND["deepbind-lecture"]
    assert (deepbind.n_kernels, deepbind.kernel_size, deepbind.hidden_units) == (16, 12, 0)
    assert not deepbind.both_strands
    danq = MULTITASK["danq-lecture"]
    assert (danq.n_kernels, danq.kernel_size, danq.pool_size) == (4, 20, 2)
    assert (danq.lstm_units, danq.dense_units, danq.dropout) == (20, 25, 0.5)
    assert (danq.readout, danq.conv_dropout, danq.direct) == ("max", 0, False)


@pytest.mark.parametrize("preset", MULTITASK.values(), ids=MULTITASK)
def test_multitask_presets_can_be_trained(preset):
    assert preset.readout in READOUTS
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
