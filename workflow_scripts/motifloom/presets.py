"""Presets: named, cited sets of hyper-parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from motifloom.files import InputError

STRANDS = ("given", "mean", "max")
OPTIMISERS = ("adam", "rmsprop")


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"models: settings: {key} is {value!r}; choose {' or '.join(choices)}")


@dataclass(frozen=True)
class DeepBindPreset:
    """How one DeepBind is built and trained.

    `members` networks with seeds of their own are averaged. Training lasts `epochs`, or longer
    where a small dataset would otherwise see fewer than `min_steps` updates. `strands` "given"
    scores the sequence as it is; the network itself takes the better strand of each kernel where
    `both_strands` (DNA only) is set.
    """

    n_kernels: int
    kernel_size: int
    hidden_units: int = 0
    dropout: float = 0.0
    both_strands: bool = False
    strands: str = "given"
    members: int = 1
    epochs: int = 15
    min_steps: int = 0
    batch_size: int = 64
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int = 0

    def __post_init__(self):
        _check_choice("strands", self.strands, STRANDS)


@dataclass(frozen=True)
class MultitaskPreset:
    """How one multi-task DanQ is built and trained; see `models.DanQ` for the network's keys.

    The kernels first learn through the direct path alone, for `direct_epochs`, or longer where
    these make fewer than `direct_min_steps` updates. `reverse_complement` shows each example on a
    random strand; test scores are the mean of both strands.
    """

    n_kernels: int
    kernel_size: int
    pool_size: int
    lstm_units: int
    dense_units: int
    dropout: float
    readout: str
    conv_dropout: float = 0.2
    direct: bool = False
    direct_epochs: int = 0
    direct_min_steps: int = 0
    reverse_complement: bool = True
    strands: str = "mean"
    optimiser: str = "adam"
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-4
    weight_decay: float = 0.0
    patience: int = 3

    def __post_init__(self):
        _check_choice("strands", self.strands, STRANDS)
        _check_choice("optimiser", self.optimiser, OPTIMISERS)


DEEPBIND = {
    # The source lecture's network: 16 kernels of 12, forward strand, no hidden layer.
    "deepbind-lecture": DeepBindPreset(n_kernels=16, kernel_size=12, epochs=15, patience=5),
    # Ours: chosen on validation examples, see docs/deepbind.md.
    "deepbind": DeepBindPreset(
        n_kernels=64,
        kernel_size=12,
        dropout=0.5,
        both_strands=True,
        members=6,
        epochs=15,
        min_steps=1800,
        learning_rate=6e-3,
        final_learning_rate=3e-4,
    ),
}

MULTITASK = {
    # The source lecture's network: 4 kernels of 20, pool 2, LSTM 20, dense 25, maximum read-out.
    "danq-lecture": MultitaskPreset(
        n_kernels=4,
        kernel_size=20,
        pool_size=2,
        lstm_units=20,
        dense_units=25,
        dropout=0.5,
        readout="max",
        conv_dropout=0.0,
        reverse_complement=False,
        strands="given",
        final_learning_rate=1e-3,
    ),
    # Ours: chosen on validation bins, see docs/danq.md.
    "danq": MultitaskPreset(
        n_kernels=256,
        kernel_size=12,
        pool_size=10,
        lstm_units=32,
        dense_units=0,
        dropout=0.3,
        readout="centre",
        direct=True,
        direct_epochs=2,
        direct_min_steps=5000,
        epochs=3,
        batch_size=64,
        learning_rate=3e-3,
        final_learning_rate=3e-4,
        patience=10,
    ),
}


_LEAST_ONE = ("n_kernels", "kernel_size", "members", "epochs", "batch_size", "pool_size")
_SHARES = ("dropout", "conv_dropout")


def choose(presets: Mapping, name: str, overrides: Mapping):
    """The preset `name` with some of its values replaced.

    Raises InputError for unknown names, keys and choices, and for values of another type.
    """
    if name not in presets:
        raise InputError(f"preset {name!r} is unknown; choose one of {', '.join(presets)}")
    unknown = set(overrides) - set(presets[name].__dataclass_fields__)
    if unknown:
        raise InputError(
            f"preset {name!r} has no setting {sorted(unknown)[0]!r}; it has"
            f" {', '.join(presets[name].__dataclass_fields__)}"
        )
    for key, value in overrides.items():
        wanted = type(getattr(presets[name], key))
        if type(value) not in ({int, float} if wanted is float else {wanted}):
            raise InputError(
                f"models: settings: {name}: {key} is {value!r}; give a value of type"
                f" {wanted.__name__} (YAML takes 1e-3 for text: write 0.001)"
            )
        low, high = (0, 1) if key in _SHARES else (1 if key in _LEAST_ONE else 0, float("inf"))
        if wanted in (int, float) and not low <= value <= high:
            raise InputError(
                f"models: settings: {name}: {key} is {value!r}; give at least {low}"
                + (f" and at most {high}" if key in _SHARES else "")
            )
    return replace(presets[name], **overrides)
