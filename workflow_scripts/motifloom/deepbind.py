"""DeepBind's whole protocol on one dataset: calibration, final trainings, the weights kept."""

import dataclasses
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from motifloom import networks
from motifloom.files import InputError, write_table
from motifloom.metrics import auroc, pearson
from motifloom.presets import DeepBindPreset
from motifloom.search import (
    Judge,
    Pool,
    Training,
    best_mean,
    judge_network,
    stop_worse_half,
    train_together,
)
from motifloom.store import SequenceStore
from motifloom.subsets import nested_subset
from motifloom.weights import write_weights

log = logging.getLogger(__name__)

HISTORY_COLUMNS = ("member", "epoch", "train_loss", "validation_loss", "learning_rate")
# First words of the names of random streams.
_SETTINGS, _CALIBRATION, _FINAL, _FOLDS, _SHUFFLES, _HELD_SHUFFLES = range(6)


def train_deepbind(
    store: str | Path,
    weights: str | Path,
    history: str | Path,
    search: str | Path,
    trainings: str | Path,
    *,
    preset: DeepBindPreset,
    preset_name: str,
    seed: int,
    negatives_per_positive: int,
    loss: str = "mse",
    device: str = "cpu",
    threads: int = 1,
    share: float = 1.0,
) -> None:
    """Calibrate a preset, train its members and write what was kept and what was seen.

    `history` has the losses of the final trainings, `search` every setting, fold and checkpoint
    of the calibration with its score (AUROC, or Pearson's r for scores), `trainings` the final
    trainings and which were kept. Binary labels take the cross-entropy; scores, standardised on
    what is trained on, take `loss`: "mse" or "cross-entropy" (against t = sigmoid(score)). With a
    `share` below 1 only that share of the training examples is used (`nested_subset`). The
    result does not depend on `threads`. Raises InputError where the training split lacks a class,
    sequences are too short, or no training ends with finite weights.
    """
    opened = SequenceStore.open(store)
    preset = preset.for_alphabet(opened.info["alphabet"])
    examples = Examples(opened, preset, negatives_per_positive, loss, seed, share)
    runner = _runner(device, threads)
    label = f"{preset_name} {examples.name}"
    chosen, horizon, table = calibrate(examples, preset, seed, runner, f"{label} calibration")
    members = train_members(examples, chosen, seed, runner, label, horizon)
    kept, summary = keep_members(examples, chosen, members, label)
    info = _describe(examples, chosen, preset_name, seed, kept, summary)
    tensors = {
        f"{number}.{name}": tensor
        for number, member in enumerate(kept)
        for name, tensor in members[member].finished().tensors().items()
    }
    write_weights(tensors, info, weights)
    write_table(_history(examples, chosen, members), history)
    write_table(table, search)
    write_table(summary, trainings)


def _runner(device: str, threads: int):
    """What trains networks together: compiled on the CPU, PyTorch on a GPU."""
    if device != "cpu":
        from motifloom.training import choose_device  # imports PyTorch

        if choose_device(device) == "cuda":
            from motifloom.batched import train_batched

            return lambda *work, **named: train_batched(*work, **named, device="cuda")
    return lambda *work, **named: train_together(*work, **named, threads=threads)


class Examples:
    """Training and validation examples of a store, as the networks take them.

    pool: the training examples, with `final_on` "all" those of the validation split too
    judge: the validation examples with their stored negatives
    n_positive: how many positives the pool holds; of measured scores, how many sequences
    """

    def __init__(
        self,
        store: SequenceStore,
        preset: DeepBindPreset,
        per_positive: int,
        loss: str,
        seed: int,
        share: float = 1.0,
    ):
        self.info = store.info
        self.name = store.info["dataset"]
        self.alphabet = store.info["alphabet"]
        self.binary = store.info["labels"] == "binary"
        self.loss = "cross-entropy" if self.binary else loss
        shuffled = store.info["negatives"] == "dinucleotide"
        kinds = ("site", "given") if shuffled else ("site", "given", store.info["negatives"])
        rows = store.rows("train", kinds)
        if preset.final_on == "all":
            rows = np.sort(np.concatenate([rows, store.rows("validation", kinds)]))
        if share < 1:
            positive = (store.targets[rows, 0] > 0) | (not self.binary)
            rows = rows[nested_subset(rows, store.parent[rows], positive, share, seed)]
        targets = np.asarray(store.targets[rows, 0])
        self._check(targets, shuffled)
        self.n_positive = int((targets > 0).sum()) if self.binary else len(targets)
        self.mean, self.scale = 0.0, 1.0
        if not self.binary:
            self.mean = float(targets.mean(dtype=np.float64))
            self.scale = float(targets.std(dtype=np.float64)) or 1.0
        self.pool = Pool(
            np.array(store.codes[rows]),
            self._standardised(targets),
            (preset.negatives_per_positive or per_positive) * shuffled,
            preset.fresh_negatives,
            _seed(seed, _SHUFFLES),
        )
        held = np.empty(0, np.int64)
        if preset.final_on == "train":
            held = store.rows("validation", ("site", "given", store.info["negatives"]))
        self.judge = Judge(
            np.array(store.codes[held]),
            self._standardised(np.asarray(store.targets[held, 0])),
            auroc if self.binary else pearson,
        )

    @property
    def length(self) -> int:
        """Bases of each sequence."""
        return self.pool.codes.shape[1]

    def _check(self, targets: np.ndarray, shuffled: bool) -> None:
        if not np.isfinite(targets).all():
            raise InputError(
                f"dataset {self.name}: {int((~np.isfinite(targets)).sum())} training scores are"
                " no finite numbers; take these lines out of its table"
            )
        if self.binary and not (targets > 0).any():
            raise InputError(
                f"dataset {self.name}: the training split holds one class only, nothing bound;"
                " give examples of both"
            )
        if self.binary and not shuffled and len(np.unique(targets)) < 2:
            raise InputError(
                f"dataset {self.name}: the training split holds one class only; give examples of"
                " both or choose negatives: kinds: [dinucleotide]"
            )

    def _standardised(self, targets: np.ndarray) -> np.ndarray:
        scores = ((targets - self.mean) / self.scale).astype(np.float32)
        if not self.binary and self.loss == "cross-entropy":
            return 1 / (1 + np.exp(-scores))
        return scores

    def steps(self, preset: DeepBindPreset, chosen: np.ndarray | None = None) -> int:
        """Updates of one training on the rows `chosen` bool [n] of the pool (default: all)."""
        per_epoch = self.steps_per_epoch(preset, chosen)
        return preset.steps or per_epoch * max(
            preset.epochs, math.ceil(preset.min_steps / per_epoch)
        )

    def steps_per_epoch(self, preset: DeepBindPreset, chosen: np.ndarray | None = None) -> int:
        """Updates in which every example is seen once."""
        chosen = np.ones(len(self.pool.codes), bool) if chosen is None else chosen
        return math.ceil(self.pool.size(chosen) / preset.batch_size)


def draw_settings(preset: DeepBindPreset, seed: int) -> list[DeepBindPreset]:
    """The settings of a calibration: `preset.settings` draws from its space."""
    if preset.settings == 1 or not preset.space:
        return [preset]
    found = []
    for number in range(preset.settings):
        random = np.random.default_rng([seed, _SETTINGS, number])
        drawn = {name: values.draw(random.random()) for name, values in preset.space}
        found.append(replace(preset, **drawn))
    return found


@dataclass(frozen=True)
class _Fold:
    """Rows of the pool to learn from, bool [n], and rows of the judge's examples."""

    chosen: np.ndarray
    held: np.ndarray


def _folds(examples: Examples, n_folds: int, seed: int) -> tuple[list[_Fold], Judge]:
    """Folds of a calibration and the examples that judge them.

    With one fold the validation split judges; otherwise the pool's rows are dealt at random into
    folds, bound and unbound ones apart, and those of a fold, with shuffles of their own, judge
    what was learned from the others.
    """
    pool = examples.pool
    if n_folds == 1:
        if not len(examples.judge.codes):
            raise InputError(
                f"dataset {examples.name}: calibration with folds: 1 needs validation examples;"
                " hold some out (splits: validation) or set folds in models: settings"
            )
        everything = np.ones(len(pool.codes), bool)
        return [_Fold(everything, np.arange(len(examples.judge.codes)))], examples.judge
    positive = pool.targets > (0 if examples.binary else np.median(pool.targets))
    fewest = positive.sum() if pool.per_positive else min(positive.sum(), (~positive).sum())
    if fewest < n_folds:
        raise InputError(
            f"dataset {examples.name}: {int(fewest)} training examples of a class cannot be dealt"
            f" into {n_folds} folds; give more, or set settings: 1 (no calibration) in models:"
            " settings"
        )
    fold = np.empty(len(positive), np.int64)
    random = np.random.default_rng([seed, _FOLDS])
    for part in (positive, ~positive):
        rows = random.permutation(np.flatnonzero(part))
        fold[rows] = np.arange(len(rows)) % n_folds
    held = replace(pool, seed=_seed(pool.seed, _HELD_SHUFFLES)) if pool.fresh else pool
    codes, targets, parents = held.epoch(0)
    judge = Judge(codes, targets, examples.judge.score)
    return [
        _Fold(fold != number, np.flatnonzero(fold[parents] == number)) for number in range(n_folds)
    ], judge


def calibrate(
    examples: Examples, preset: DeepBindPreset, seed: int, runner, label: str = ""
) -> tuple[DeepBindPreset, int, pd.DataFrame]:
    """The best of the preset's settings with its number of updates, those it was given, all seen.

    Returns the setting, the number of updates over which its learning rate fell, and the table.

    The mean score over the folds decides, at each checkpoint; the earliest of equal ones.
    """
    settings = draw_settings(preset, seed)
    if len(settings) == 1:
        row = {"setting": 0, "fold": math.nan, "step": examples.steps(preset), "score": math.nan}
        row |= {"loss": math.nan, "status": "not searched", "chosen": 1}
        return preset, row["step"], pd.DataFrame([row])
    folds, judge = _folds(examples, preset.folds, seed)
    places = [(s, f) for s in range(len(settings)) for f in range(len(folds))]
    # Folds differ by a site or two: all of a setting get as many updates as the first.
    trainings = [
        _calibration_training(
            examples,
            settings[s],
            folds[f],
            examples.steps(settings[s], folds[0].chosen),
            _seed(seed, _CALIBRATION, s, f),
        )
        for s, f in places
    ]
    groups = np.array([s for s, _ in places])
    rounds = iter(_halves(len(settings)))

    def halve(step: int) -> None:
        log.info("%s: %d updates done", label, step)
        stop_worse_half(trainings, groups, next(rounds))

    after_look = halve if preset.halving else None
    runner(trainings, examples.pool, judge, label=label, after_look=after_look)
    best = max(range(len(settings)), key=lambda s: (best_mean(trainings, groups, s)[0], -s))
    score, step = best_mean(trainings, groups, best)
    if not math.isfinite(score):
        raise InputError(
            f"dataset {examples.name}: no setting of the calibration gave finite weights and a"
            " score; lower the learning rate in models: settings"
        )
    log.info("%s: setting %d after %d updates, mean score %.4f", label, best, step, score)
    table = _search_table(preset, settings, places, trainings, best, step)
    horizon = examples.steps(settings[best], folds[0].chosen)
    return replace(settings[best], steps=step), horizon, table


def _halves(n: int) -> list[int]:
    """How many settings go on after each checkpoint: half of them, at least one."""
    found = []
    while len(found) < 64:
        n = max(1, math.ceil(n / 2))
        found.append(n)
    return found


def _calibration_training(examples, setting, fold: _Fold, steps: int, seed: int) -> Training:
    looks = np.linspace(0, steps, min(setting.checkpoints, steps) + 1).round().astype(int)[1:]
    network = networks.start_network(
        setting, examples.length, examples.alphabet, examples.loss, seed
    )
    return Training(
        network, fold.chosen, fold.held, seed, steps, tuple(looks.tolist()), drop_dead=True
    )


def _search_table(preset, settings, places, trainings, best, step) -> pd.DataFrame:
    """A row for every setting, fold and checkpoint; of failed ones without a look, one row."""
    rows = []
    for (s, f), training in zip(places, trainings, strict=True):
        values = {name: getattr(settings[s], name) for name, _ in preset.space}
        common = {"setting": s, **values, "fold": f}
        seen = [(look.step, look.score, look.loss) for look in training.seen]
        if training.failed:
            seen.append((training.done, math.nan, math.nan))
        for number, (at, score, loss) in enumerate(seen, 1):
            status = training.status if number == len(seen) else "running"
            rows.append(
                {**common, "step": at, "score": score, "loss": loss, "status": status}
                | {"chosen": int(s == best and at == step)}
            )
    return pd.DataFrame(rows)


def train_members(
    examples: Examples,
    preset: DeepBindPreset,
    seed: int,
    runner,
    label: str = "",
    horizon: int = 0,
) -> list[Training]:
    """The final trainings of a setting, all on the same examples, each from its own start.

    The learning rate falls over `horizon` updates, those of the calibration (0: over its own).
    """
    steps = examples.steps(preset)
    per_epoch = examples.steps_per_epoch(preset)
    looks = _final_looks(steps, per_epoch, preset.checks)
    trainings = []
    for member in range(preset.members):
        key = _seed(seed, _FINAL, member)
        network = networks.start_network(
            preset, examples.length, examples.alphabet, examples.loss, key
        )
        trainings.append(
            Training(
                network,
                np.ones(len(examples.pool.codes), bool),
                np.arange(len(examples.judge.codes)),
                key,
                steps,
                looks,
                keep_best=preset.best_checkpoint and len(examples.judge.codes) > 0,
                patience=preset.patience,
                label=f"{label} member {member + 1}/{preset.members}",
                horizon=max(horizon, steps),
            )
        )
    runner(trainings, examples.pool, examples.judge, label=label)
    return trainings


def _final_looks(steps: int, per_epoch: int, checks: int) -> tuple[int, ...]:
    """At most `checks` ends of epochs, evenly spread, and the last update."""
    epochs = steps // per_epoch
    ends = np.linspace(0, epochs, min(checks, epochs) + 1).round()[1:].astype(int) * per_epoch
    return tuple(sorted({*ends.tolist(), steps}))


def keep_members(
    examples: Examples, preset: DeepBindPreset, members: Sequence[Training], label: str
) -> tuple[list[int], pd.DataFrame]:
    """Numbers of the members to keep, and a table of all.

    "average" keeps all that did not fail, "best" the one with the best score on the training
    examples (the first of equal ones).
    """
    pool = examples.pool
    codes, targets, _ = pool.epoch(0)
    learned = Judge(codes, targets, examples.judge.score)
    rows = []
    for number, training in enumerate(members):
        row = {"member": number, "status": training.status, "steps": training.done}
        row |= dict.fromkeys(("train_loss", "train_score", "validation_loss", "validation_score"))
        if not training.failed:
            network = training.finished()
            found = judge_network(network, learned, np.arange(len(codes)))
            held = judge_network(network, examples.judge, training.held)
            row |= {"train_loss": found[0], "train_score": found[1]}
            row |= {"validation_loss": held[0], "validation_score": held[1]}
        else:
            log.info("%s: member %d failed, its loss or a weight is no number", label, number)
        rows.append(row)
    table = pd.DataFrame(rows)
    usable = [number for number, training in enumerate(members) if not training.failed]
    if not usable:
        raise InputError(
            f"{label}: in every training the loss or a weight is no number any more;"
            " lower the preset's learning_rate in models: settings"
        )
    kept = usable
    if preset.keep == "best":
        kept = [max(usable, key=lambda number: _rank(table.train_score[number], number))]
    table["kept"] = [int(number in kept) for number in range(len(members))]
    return kept, table.astype(dict.fromkeys(_NUMBERS, float))


_NUMBERS = ("train_loss", "train_score", "validation_loss", "validation_score")


def _rank(score: float, number: int) -> tuple[float, int]:
    return (-math.inf if score is None or math.isnan(score) else score, -number)


def _history(examples, preset, members: Sequence[Training]) -> pd.DataFrame:
    from motifloom import steps as compiled

    per_epoch, rows = examples.steps_per_epoch(preset), []
    for number, training in enumerate(members):
        for look in training.seen:
            epoch = look.step / per_epoch
            rate = compiled.rate_at(training.network.rules, look.step, training.horizon)
            rows.append((number, epoch, look.train_loss, look.loss, rate))
    table = pd.DataFrame(rows, columns=HISTORY_COLUMNS)
    whole = (table.epoch == table.epoch.round()).all()
    return table.astype({"epoch": int}) if whole else table


def _best_member(kept: Sequence[int], summary: pd.DataFrame) -> int:
    """Place among those kept of the lowest validation loss, without one of the best training."""
    table = summary.loc[kept].reset_index(drop=True)
    if table.validation_loss.notna().any():
        return int(table.validation_loss.idxmin())
    return int(table.train_score.idxmax()) if table.train_score.notna().any() else 0


def _describe(examples, preset, preset_name, seed, kept, summary) -> dict:
    import numba

    return {
        "network": "DeepBind",
        "preset": preset_name,
        "setting": {
            key: value
            for key, value in dataclasses.asdict(preset).items()
            if key not in ("space", "rna")
        },
        "hyperparameters": {
            "length": examples.length,
            "n_kernels": preset.n_kernels,
            "kernel_size": preset.kernel_size,
            "n_targets": 1,
            "hidden_units": preset.hidden_units,
            "dropout": preset.dropout,
            "both_strands": preset.both_strands and examples.alphabet == "dna",
            "pooling": preset.pooling,
            "place_bin": preset.place_bin,
            "padding": preset.padding,
        },
        "members": len(kept),
        "best_member": _best_member(kept, summary),
        "strands": preset.strands if examples.alphabet == "dna" else "given",
        "alphabet": examples.alphabet,
        "labels": examples.info["labels"],
        "targets": examples.info["targets"],
        "target_mean": examples.mean,
        "target_scale": examples.scale,
        "dataset": examples.name,
        "negatives": examples.info["negatives"],
        "train_positives": examples.n_positive,
        "seed": seed,
        "numba": numba.__version__,
    }


def _seed(*words: int) -> int:
    """A seed of 64 bits for a purpose, named by words."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])
