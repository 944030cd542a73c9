"""Presets: named, cited sets of hyper-parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from motifloom.files import InputError

STRANDS = ("given", "mean", "max")
POOLINGS = ("max", "max+mean")
OPTIMISERS = ("adam", "rmsprop")
SCHEDULES = ("cosine", "plateau", "constant")
DEEPBIND_OPTIMISERS = ("adam", "nesterov")


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"models: settings: {key} is {value!r}; choose {' or '.join(choices)}")


@dataclass(frozen=True)
class Choice:
    """One of several values, all equally likely."""

    values: tuple

    def draw(self, uniform: float):
        """The value at a uniform number in [0, 1)."""
        return self.values[int(uniform * len(self.values))]


@dataclass(frozen=True)
class LogUniform:
    """A number whose logarithm is uniform between those of `low` and `high`."""

    low: float
    high: float

    def draw(self, uniform: float) -> float:
        """The value at a uniform number in [0, 1)."""
        return self.low * (self.high / self.low) ** uniform


@dataclass(frozen=True)
class RootUniform:
    """low + span * sqrt(U): denser towards its upper end."""

    low: float
    span: float

    def draw(self, uniform: float) -> float:
        """The value at a uniform number in [0, 1)."""
        return self.low + self.span * uniform**0.5


@dataclass(frozen=True)
class DeepBindPreset:
    """How one DeepBind is built, calibrated and trained.

    The network: `n_kernels` of `kernel_size`; `pooling` "max" or "max+mean" over positions;
    `place_bin` bases share a bias by distance from the sequence's middle (0: none); `padding` puts
    kernel_size - 1 N (0.25 in all channels) on both sides; `hidden_units` 0 is a linear read-out.
    With `both_strands` (DNA only) each kernel takes its better strand; `strands` "max" or "mean"
    puts the network's outputs on both strands together instead, "given" takes the sequence as it
    is.

    The learning rate falls along half a cosine to `final_learning_rate`, or with 0 stays as it is.
    Training lasts `steps` updates, or with 0 `epochs`, or longer where a small dataset would
    otherwise see fewer than `min_steps`. `fresh_negatives` draws shuffles anew in each epoch;
    `negatives_per_positive` 0 takes the number in the config. The L1 penalties act from update
    `l1_start` on. `kernel_scale` and `dense_scale` are standard deviations of the starting weights
    (0: uniform by the number of inputs, as PyTorch starts). The weights with the lowest validation
    loss are kept where `best_checkpoint` is set, looked at `checks` times; `patience` looks
    without a better one end a training (0: never).

    Calibration: with `settings` > 1 that many settings are drawn from `space` and each trained on
    `folds` folds (1: the validation split alone), scored at `checkpoints` equally spaced steps;
    with `halving` the worse half of the settings stops at each checkpoint. Then `members`
    networks are trained with the best setting for the best number of steps, on the training split
    or, with `final_on` "all", on training and validation; `keep` "average" takes the mean of
    their outputs, "best" the one with the best metric on what it was trained on.

    `rna` holds values that replace others where the sequences are RNA.
    """

    n_kernels: int
    kernel_size: int
    hidden_units: int = 0
    pooling: str = "max"
    place_bin: int = 0
    padding: bool = False
    dropout: float = 0.0
    both_strands: bool = False
    strands: str = "given"
    members: int = 1
    keep: str = "average"
    final_on: str = "train"
    steps: int = 0
    epochs: int = 15
    min_steps: int = 0
    batch_size: int = 64
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    final_learning_rate: float = 0.0
    momentum: float = 0.0
    weight_decay: float = 0.0
    kernel_l1: float = 0.0
    dense_l1: float = 0.0
    l1_start: int = 0
    kernel_scale: float = 0.0
    dense_scale: float = 0.0
    smoothing: float = 0.0
    fresh_negatives: bool = True
    negatives_per_positive: int = 0
    best_checkpoint: bool = True
    checks: int = 30
    patience: int = 0
    settings: int = 1
    folds: int = 3
    checkpoints: int = 5
    halving: bool = False
    space: tuple[tuple[str, Choice | LogUniform | RootUniform], ...] = ()
    rna: tuple[tuple[str, int | float | str], ...] = ()

    def for_alphabet(self, alphabet: str) -> "DeepBindPreset":
        """The preset for "dna" or "rna"."""
        return replace(self, **dict(self.rna), rna=()) if alphabet == "rna" else self

    def __post_init__(self):
        if self.settings > 1 and not self.space:
            raise InputError(
                "models: settings: settings is more than 1, but nothing is left to be drawn: take"
                " it out, or give fewer values of your own"
            )
        if self.halving and self.fresh_negatives:
            raise InputError("models: settings: halving needs fresh_negatives: false")
        if self.settings > 1 and self.folds == 1 and self.final_on == "all":
            raise InputError("models: settings: folds: 1 needs final_on: train")
        _check_choice("strands", self.strands, STRANDS)
        _check_choice("pooling", self.pooling, POOLINGS)
        _check_choice("optimiser", self.optimiser, DEEPBIND_OPTIMISERS)
        _check_choice("keep", self.keep, ("average", "best"))
        _check_choice("final_on", self.final_on, ("train", "all"))


# Which of a multi-task preset's values each network is built with.
NETWORK_KEYS: dict[str, tuple[str, ...]] = {
    "DanQ": (
        "n_kernels",
        "kernel_size",
        "pool_size",
        "lstm_units",
        "dense_units",
        "dropout",
        "readout",
        "conv_dropout",
        "direct",
        "both_strands",
    ),
    "ResNet": (
        "n_kernels",
        "kernel_size",
        "pool_size",
        "blocks",
        "block_kernel_size",
        "dilation_growth",
        "order",
        "readout",
        "dropout",
        "padding",
        "stride",
        "dilation",
        "pooling",
    ),
    "RNN": ("units",),
    "LSTM": ("units",),
}


@dataclass(frozen=True)
class MultitaskPreset:
    """How one multi-task network is built and trained.

    `network` is one of NETWORK_KEYS, which says what of the preset builds it; see `danq.DanQ`,
    `resnet.ResNet` and `recurrent.Recurrent` for the meaning. With `start_range` all weights
    start uniform in +-start_range and all biases at 0; with 0 as PyTorch starts them. Either way
    the logits' biases start at the log-odds of the targets' rates. With `from_matrices` half of
    the kernels start from the known motifs of the run.

    With a direct path a training has parts. The kernels first learn through that path alone, for
    `direct_epochs`; then, with kernels and direct path held, the rest of the network learns what
    they leave, for `head_epochs` with `head_learning_rate` (0: the same rate); then all together
    for `epochs`. The first two last longer where they would make fewer than `direct_min_steps` and
    `head_min_steps` updates; a part of 0 epochs is left out. `members` networks are trained, each
    from its own start, and their logits averaged.

    `schedule`, `clip`, `smoothing`, `patience` and `shift` are those of `training.FitSettings`.
    `positive_weight` is an exponent: positives of a target weigh (negatives / positives) to the
    power of it (0: all alike, 1: both classes together alike). `reverse_complement` shows each
    example on a random strand; with `strands` "mean" test scores are the mean of both strands.
    """

    network: str = "DanQ"
    n_kernels: int = 0
    kernel_size: int = 0
    pool_size: int = 1
    lstm_units: int = 0
    dense_units: int = 0
    dropout: float = 0.0
    readout: str = "max"
    conv_dropout: float = 0.2
    direct: bool = False
    blocks: int = 0
    block_kernel_size: int = 3
    dilation_growth: int = 1
    order: str = "conv"
    padding: int = 0
    stride: int = 1
    dilation: int = 1
    pooling: str = "max"
    units: int = 18
    start_range: float = 0.0
    from_matrices: bool = False
    both_strands: bool = False
    members: int = 1
    direct_epochs: int = 0
    direct_min_steps: int = 0
    head_epochs: int = 0
    head_min_steps: int = 0
    head_learning_rate: float = 0.0
    reverse_complement: bool = True
    shift: int = 0
    strands: str = "mean"
    optimiser: str = "adam"
    schedule: str = "cosine"
    clip: float = 0.0
    smoothing: float = 0.0
    positive_weight: float = 0.0
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-4
    weight_decay: float = 0.0
    patience: int = 3

    def __post_init__(self):
        _check_choice("strands", self.strands, STRANDS)
        _check_choice("optimiser", self.optimiser, OPTIMISERS)
        _check_choice("schedule", self.schedule, SCHEDULES)

    @property
    def network_settings(self) -> dict:
        """The values that the network is built with, by the names of its arguments."""
        return {key: getattr(self, key) for key in NETWORK_KEYS[self.network]}


# What DeepBind's calibration draws its settings from (Alipanahi et al. 2015, Supplementary Notes,
# table of calibration parameters).
_SPACE_2015 = (
    ("dropout", Choice((0.0, 0.0, 0.25, 0.5))),
    ("hidden_units", Choice((0, 32))),
    ("learning_rate", LogUniform(5e-4, 0.05)),
    ("momentum", RootUniform(0.95, 0.04)),
    ("kernel_l1", LogUniform(1e-15, 1e-3)),
    ("dense_l1", LogUniform(1e-10, 1e-3)),
    ("kernel_scale", LogUniform(1e-7, 1e-3)),
    ("dense_scale", LogUniform(1e-5, 1e-2)),
)

DEEPBIND = {
    # The source lecture's network: 16 kernels of 12, forward strand, no hidden layer.
    "deepbind-lecture": DeepBindPreset(n_kernels=16, kernel_size=12, epochs=15, patience=5),
    # The published network and protocol (Alipanahi et al. 2015, Online Methods and Supplementary
    # Notes): 16 kernels of 24, N-padding, dropout and hidden layer by calibration, Nesterov's
    # momentum, 30 settings x 3 folds x 5 checkpoints, 6 final trainings of which one is kept.
    "deepbind-2015": DeepBindPreset(
        n_kernels=16,
        kernel_size=24,
        padding=True,
        strands="max",
        members=6,
        keep="best",
        final_on="all",
        steps=20_000,
        optimiser="nesterov",
        fresh_negatives=False,
        negatives_per_positive=1,
        l1_start=100,
        best_checkpoint=False,
        settings=30,
        folds=3,
        checkpoints=5,
        space=_SPACE_2015,
        rna=(("kernel_size", 16), ("pooling", "max+mean")),
    ),
    # Ours: chosen on validation examples, see docs/deepbind.md.
    "deepbind": DeepBindPreset(
        n_kernels=256,
        kernel_size=12,
        place_bin=5,
        dropout=0.35,
        both_strands=True,
        members=6,
        epochs=15,
        min_steps=1800,
        learning_rate=6e-3,
        final_learning_rate=3e-4,
        smoothing=0.1,
    ),
}

# Ours: chosen on validation bins, see docs/danq.md.
_DANQ = MultitaskPreset(
    n_kernels=512,
    kernel_size=12,
    pool_size=50,
    lstm_units=32,
    dense_units=0,
    dropout=0.5,
    readout="centre",
    conv_dropout=0.3,
    direct=True,
    both_strands=True,
    members=4,
    direct_epochs=2,
    direct_min_steps=3000,
    head_epochs=2,
    head_min_steps=600,
    head_learning_rate=2e-3,
    epochs=0,
    batch_size=64,
    learning_rate=3e-3,
    final_learning_rate=1.5e-4,
    patience=10,
)

# The published network and training (Quang & Xie 2016, Methods): 320 kernels of 26, pool 13,
# BiLSTM 320, dense 925, all weights from U(-0.05, 0.05), RMSprop, batches of 100, 60 epochs or 5
# without a better validation loss, both strands of every bin.
_DANQ_2016 = MultitaskPreset(
    n_kernels=320,
    kernel_size=26,
    pool_size=13,
    lstm_units=320,
    dense_units=925,
    dropout=0.5,
    readout="flatten",
    conv_dropout=0.2,
    start_range=0.05,
    optimiser="rmsprop",
    epochs=60,
    batch_size=100,
    final_learning_rate=1e-3,
    patience=5,
)

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
    "danq-2016": _DANQ_2016,
    # Their larger network (DanQ-JASPAR), half of its kernels started from known matrices.
    "danq-jaspar": replace(
        _DANQ_2016, n_kernels=1024, kernel_size=30, pool_size=15, lstm_units=512, from_matrices=True
    ),
    "danq": _DANQ,
    # Ours without its recurrent layer, to show what that layer adds.
    "cnn": replace(_DANQ, lstm_units=0),
    # Stem 12 wide as ours; dilations 1, 2, 4, 8, 16 over steps of 10 bp reach 310 bp to each side.
    "resnet": MultitaskPreset(
        network="ResNet",
        n_kernels=64,
        kernel_size=12,
        pool_size=10,
        blocks=5,
        dilation_growth=2,
        readout="centre",
        dropout=0.2,
        epochs=20,
        batch_size=64,
        learning_rate=2e-3,
        patience=5,
    ),
    # The source lecture's recurrent classifiers: 18 units, last step, Adam at 0.01.
    "rnn": MultitaskPreset(network="RNN", batch_size=64, learning_rate=1e-2),
    "lstm": MultitaskPreset(network="LSTM", batch_size=64, learning_rate=1e-2),
}


_LEAST_ONE = (
    "n_kernels",
    "kernel_size",
    "members",
    "epochs",
    "batch_size",
    "pool_size",
    "block_kernel_size",
    "dilation_growth",
    "stride",
    "dilation",
    "units",
    "settings",
    "folds",
    "checkpoints",
    "checks",
)
# What a preset alone decides: these are no plain values.
_FIXED = ("space", "rna", "network")
_SHARES = ("dropout", "conv_dropout", "smoothing", "momentum")


def choose(presets: Mapping, name: str, overrides: Mapping):
    """The preset `name` with some of its values replaced.

    Raises InputError for unknown names, keys and choices, and for values of another type.
    """
    if name not in presets:
        raise InputError(f"preset {name!r} is unknown; choose one of {', '.join(presets)}")
    known = _known_keys(presets[name])
    unknown = set(overrides) - set(known)
    if unknown:
        raise InputError(
            f"preset {name!r} has no setting {min(unknown, key=str)!r}; it has {', '.join(known)}"
        )
    for key, value in overrides.items():
        wanted = type(getattr(presets[name], key))
        if type(value) not in ({int, float} if wanted is float else {wanted}):
            raise InputError(
                f"models: settings: {name}: {key} is {value!r}; give a value of type"
                f" {wanted.__name__} (YAML takes 1e-3 for text: write 0.001)"
            )
        low = 1 if key in _LEAST_ONE else 0
        if wanted in (int, float) and not low <= value < (1 if key in _SHARES else float("inf")):
            raise InputError(
                f"models: settings: {name}: {key} is {value!r}; give at least {low}"
                + (" and less than 1" if key in _SHARES else "")
            )
    # What the user sets is neither drawn nor replaced for RNA.
    kept = {
        field: tuple(pair for pair in getattr(presets[name], field) if pair[0] not in overrides)
        for field in ("space", "rna")
        if hasattr(presets[name], field)
    }
    return replace(presets[name], **kept | dict(overrides))


def _known_keys(preset) -> list[str]:
    """What a user may set of a preset: all but what it alone decides and other networks' values."""
    hidden = set(_FIXED)
    if isinstance(preset, MultitaskPreset):
        others = {key for keys in NETWORK_KEYS.values() for key in keys}
        hidden |= others - set(NETWORK_KEYS[preset.network])
    return [key for key in preset.__dataclass_fields__ if key not in hidden]
