"""How a network is built and trained, part by part and member by member, whatever it learns from.

What it learns from is a `Task`: bins of a genome for all TFs (`multitask.py`) or the windows of
one TF (`windows.py`).
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from motifloom import models
from motifloom.building import build_network
from motifloom.checkpoints import Checkpoint, Signals, discard
from motifloom.danq import DirectPath
from motifloom.files import file_digest, write_table
from motifloom.hardware import Hardware
from motifloom.memory import hold_freed
from motifloom.planning import PLAN_COLUMNS, plan_row
from motifloom.presets import MULTITASK, MultitaskPreset, choose
from motifloom.streams import Batch
from motifloom.training import HISTORY_COLUMNS, FitSettings, Stream, Trainer, fit

log = logging.getLogger(__name__)

# The parameters of a DanQ that its direct path trains.
_DIRECT = ("conv.", "direct.")


@dataclass(frozen=True)
class Task:
    """What there is to learn.

    stream:     of a seed, rank and number of processes: shuffled batches
    validation: batches, gone through anew at each look; may be empty
    rates:      float64 [T], the share of positive labels in training; None for scores
    length:     bases of an example, `centre` of them labelled
    digest:     names the data
    info:       what the weights file says of the data
    """

    stream: Callable[[int, int, int, int], Stream]
    validation: Iterable[Batch]
    rates: np.ndarray | None
    length: int
    centre: int
    loss: str
    n_examples: int
    digest: str
    info: dict


@dataclass(frozen=True)
class Order:
    """What is asked for: preset, seed, hardware, and where the files around a training lie.

    `checkpoints` and `events` are folders ("": none); `code` is the digest of the library, which
    a checkpoint must share; `motifs` a MEME file that kernels start from, where the preset asks.
    """

    preset: MultitaskPreset
    preset_name: str
    seed: int
    hardware: Hardware = field(default_factory=Hardware)
    checkpoints: str = ""
    checkpoint_minutes: float = 10.0
    events: str = ""
    code: str = ""
    motifs: str = ""


def order_of(name: str, dataset: str, params, resources, motifs: Sequence[str] = ()) -> Order:
    """The order of a workflow's job: the preset `name` on a dataset.

    `params` hold settings, seed, hardware, library and two folders, of checkpoints and of event
    files; `resources` the minutes between checkpoints, and whether event files are wanted.
    """
    checkpoints, events = (f"{folder}/{name}/{dataset}" for folder in params.folders)
    return Order(
        preset=choose(MULTITASK, name, params.settings),
        preset_name=name,
        seed=params.seed,
        hardware=Hardware(**params.hardware),
        checkpoints=checkpoints,
        checkpoint_minutes=resources.checkpoint_minutes,
        events=events if resources.tensorboard else "",
        code=params.library,
        motifs=next(iter(motifs), ""),
    )


@dataclass(frozen=True)
class Part:
    """One part of a training: the module whose logits are fitted, and what of it is trained."""

    name: str
    module: nn.Module
    settings: FitSettings
    trained: Callable[[str], bool]


def build(task: Task, order: Order, member: int) -> tuple[nn.Module, list[str]]:
    """A network with its starting weights, and the matrix each kernel starts from ("" if random).

    The same seed and member give the same ones.
    """
    preset = order.preset
    network, matrices = build_network(
        preset,
        task.length,
        len(task.info["targets"]),
        task.centre,
        _seed(order.seed, member),
        order.motifs or None,
    )
    if task.rates is not None:
        _start_at_rates(network, task.rates, preset.positive_weight)
    if preset.direct and preset.head_epochs:
        # Begins as the direct path alone, so that the head can only add to it.
        nn.init.zeros_(network.dense.weight)
    return network, matrices


def _start_at_rates(network: nn.Module, rates: np.ndarray, positive_weight: float) -> None:
    """Start every target's bias at the log-odds of its rate, so that training need not find it.

    Where positives weigh more, their odds count as many times.
    """
    rates = rates.clip(1e-4, 1 - 1e-4)
    prior = torch.from_numpy(np.log(rates / (1 - rates)) * (1 - positive_weight)).float()
    # The logits are the sum of both paths: one of them begins at the rates.
    direct = getattr(network, "direct", None)
    with torch.no_grad():
        network.dense.bias.zero_()
        (network.dense if direct is None else direct).bias.copy_(prior)


def parts(network: nn.Module, preset: MultitaskPreset, steps_per_epoch: int) -> list[Part]:
    """The parts of a training, in order.

    Where a DanQ has a direct path, its kernels first learn through it alone; then, with kernels
    and direct path held, the head (recurrence and dense layers) learns what they leave; then all
    together. A part of 0 epochs is left out.
    """
    found = []
    if preset.direct and preset.direct_epochs:
        epochs = max(preset.direct_epochs, -(-preset.direct_min_steps // steps_per_epoch))
        found.append(
            Part(
                "direct path",
                DirectPath(network),
                _settings(preset, epochs, preset.learning_rate),
                lambda name: name.removeprefix("danq.").startswith(_DIRECT),
            )
        )
    if preset.direct and preset.head_epochs:
        epochs = max(preset.head_epochs, -(-preset.head_min_steps // steps_per_epoch))
        rate = preset.head_learning_rate or preset.learning_rate
        settings = _settings(preset, epochs, rate)
        found.append(Part("head", network, settings, lambda name: not name.startswith(_DIRECT)))
    if preset.epochs:
        settings = _settings(preset, preset.epochs, preset.learning_rate)
        found.append(Part("whole network", network, settings, lambda name: True))
    return found


def _settings(preset: MultitaskPreset, epochs: int, rate: float) -> FitSettings:
    return FitSettings(
        epochs=epochs,
        learning_rate=rate,
        final_learning_rate=min(preset.final_learning_rate, rate),
        optimiser=preset.optimiser,
        weight_decay=preset.weight_decay,
        schedule=preset.schedule,
        clip=preset.clip,
        smoothing=preset.smoothing,
        patience=preset.patience,
        shift=preset.shift,
        reverse_complement=preset.reverse_complement,
    )


@contextmanager
def _only(part: Part) -> Iterator[None]:
    """Let gradients reach what a part trains, and nothing else, as long as the block lasts."""
    former = {p: p.requires_grad for p in part.module.parameters()}
    for name, parameter in part.module.named_parameters():
        parameter.requires_grad_(part.trained(name))
    try:
        yield
    finally:
        for parameter, wanted in former.items():
            parameter.requires_grad_(wanted)


def train_members(
    fabric, task: Task, order: Order, weights: str | Path, history: str | Path, plan: str | Path
) -> None:
    """Say what it will cost (`plan`), train all members, write weights and history.

    A member or part that an earlier start finished, or has a checkpoint of, is taken up.
    """
    first = fabric.global_rank == 0
    hold_freed()
    costs = plan_training(fabric, task, order)
    if first:
        write_table(costs, plan)
    signals, rows, networks, starts = Signals(), [], [], []
    with signals.caught() if order.checkpoints else nullcontext():
        for member in range(order.preset.members):
            network, matrices, seen = _train_member(fabric, task, order, member, signals)
            networks.append(network.cpu())
            starts.append(matrices)
            rows += seen
    if first:
        table = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
        earlier = sum(part.settings.epochs for part in _parts_of(networks[0], task, order)[:-1])
        info = _describe(task, order, networks[0], table, earlier)
        info["initialised_from"] = starts[info["best_member"]]
        models.save(models.TrainedModel(networks, info), weights)
        write_table(table, history)
        if order.checkpoints:
            discard(order.checkpoints)


def _train_member(fabric, task, order, member, signals) -> tuple[nn.Module, list, list[tuple]]:
    """A member, trained part by part, its matrices and its history with running epochs."""
    network, matrices = build(task, order, member)
    rows, epochs = [], 0
    for number, part in enumerate(_parts_of(network, task, order)):
        seed = _seed(order.seed, member, number + 1)
        settings = _for_task(part.settings, task, seed)
        label = f"{order.preset_name} {part.name}"
        if order.preset.members > 1:
            label += f", member {member + 1} of {order.preset.members}"
        stream = task.stream(seed, settings.shift, fabric.global_rank, fabric.world_size)
        torch.manual_seed(_seed(seed, fabric.global_rank))
        with _only(part):
            seen = fit(
                fabric, part.module, stream, task.validation, settings,
                positive_weight=_positive_weight(task, order.preset),
                checkpoint=_checkpoint(task, order, member, part, signals),
                events=_events(order, member), member=member, label=label,
                compile=order.hardware.compile, keep_start=number > 0,
            )  # fmt: skip
        rows += [(row[0], row[1] + epochs, *row[2:]) for row in seen]
        epochs += settings.epochs
    return network, matrices, rows


def _for_task(settings: FitSettings, task: Task, seed: int) -> FitSettings:
    """Settings with a seed and the task's loss; RNA has one strand, which is never turned."""
    turn = settings.reverse_complement and task.info["alphabet"] == "dna"
    return replace(settings, seed=seed, loss=task.loss, reverse_complement=turn)


def _parts_of(network: nn.Module, task: Task, order: Order) -> list[Part]:
    per_epoch = -(-task.n_examples // order.preset.batch_size)
    return parts(network, order.preset, per_epoch)


def _positive_weight(task: Task, preset: MultitaskPreset) -> torch.Tensor | None:
    """(negatives / positives) ** positive_weight of every target, float32 [T]; None without."""
    if task.rates is None or not preset.positive_weight:
        return None
    rates = task.rates.clip(1e-4, 1 - 1e-4)
    return torch.from_numpy(((1 - rates) / rates) ** preset.positive_weight).float()


def _checkpoint(task, order, member: int, part: Part, signals: Signals) -> Checkpoint | None:
    if not order.checkpoints:
        return None
    decisive = {
        "preset": asdict(order.preset),
        "seed": order.seed,
        "member": member,
        "part": part.name,
        "data": [task.digest, task.loss, task.n_examples, task.info],
        "motifs": file_digest(order.motifs) if order.motifs else "",
        "code": order.code,
        "hardware": asdict(order.hardware),
        "torch": torch.__version__,
    }
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()
    name = f"member{member + 1}-{part.name.replace(' ', '-')}.safetensors"
    path = Path(order.checkpoints) / name
    return Checkpoint(path, digest, order.checkpoint_minutes, signals)


def _events(order: Order, member: int):
    """A Fabric logger that writes TensorBoard's event files, if any are wanted."""
    if not order.events:
        return None
    from lightning_fabric.loggers import TensorBoardLogger

    return TensorBoardLogger(order.events, name="", version=f"member{member + 1}")


def plan_training(fabric, task: Task, order: Order) -> pd.DataFrame:
    """What a training will cost, one row a part: PLAN_COLUMNS, logged and returned.

    Times come from some updates of a copy of the network; nothing that they change is kept.
    """
    rows = []
    with torch.random.fork_rng(devices=[]):
        network, _ = build(task, order, 0)
        for part in _parts_of(network, task, order):
            settings = _for_task(part.settings, task, order.seed)
            stream = task.stream(order.seed, settings.shift, fabric.global_rank, fabric.world_size)
            with _only(part):
                trainer = Trainer(
                    fabric, part.module, stream, task.validation, settings,
                    _positive_weight(task, order.preset), order.hardware.compile,
                )  # fmt: skip
                rows.append(plan_row(trainer, task, order, part))
    table = pd.DataFrame(rows, columns=PLAN_COLUMNS)
    for row in table.itertuples():
        log.info(
            "plan: %s, %s: %d members x %d epochs of %d examples, %d updates of %d; about %.1f"
            " minutes at %.0f examples/s, %.0f MB at most so far",
            row.model, row.part, row.members, row.epochs, row.examples, row.updates,
            row.batch_size, row.minutes, row.examples_per_second, row.peak_memory_mb,
        )  # fmt: skip
    log.info("plan: %s: about %.1f minutes in all", order.preset_name, table.minutes.sum())
    return table


def _describe(
    task: Task, order: Order, network: nn.Module, table: pd.DataFrame, first_epoch: int
) -> dict:
    """What a weights file says: network, preset, data and versions."""
    # The weights are those of the last part.
    last = table[table.epoch > first_epoch]
    best = last.groupby("member").validation_loss.min()
    return {
        "network": order.preset.network,
        "preset": order.preset_name,
        "setting": asdict(order.preset),
        "hyperparameters": network.hyperparameters,
        "members": order.preset.members,
        "best_member": int(best.idxmin()) if best.notna().any() else 0,
        "strands": order.preset.strands if task.info["alphabet"] == "dna" else "given",
        "target_mean": 0.0,
        "target_scale": 1.0,
        "seed": order.seed,
        "precision": order.hardware.precision,
        "torch": torch.__version__.split("+")[0],
    } | task.info


def _seed(*words: int) -> int:
    """A seed for a purpose, named by words."""
    return int(np.random.SeedSequence(words).generate_state(1)[0])
