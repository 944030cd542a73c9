"""Many DeepBinds at once: the settings and folds of a calibration, and the final trainings.

All of them train over the same encoded sequences, each with kernels, rules and random streams of
its own, so that a network trained in company equals the same one trained alone, on any number of
threads. What they share is read only: the sequences, and of each epoch's fresh negatives one
pool, named by the epoch.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from tqdm import tqdm

from motifloom import steps
from motifloom.negatives import dinucleotide_shuffle
from motifloom.networks import Network

log = logging.getLogger(__name__)

_SHUFFLE_BLOCK = 1 << 12


@dataclass(frozen=True)
class Pool:
    """Examples to train on: codes uint8 [n, L], targets float32 [n].

    `per_positive` dinucleotide shuffles of each row with a target above 0 join them, drawn with
    `seed`, anew in every epoch where `fresh` is set.
    """

    codes: np.ndarray
    targets: np.ndarray
    per_positive: int = 0
    fresh: bool = True
    seed: int = 0

    @property
    def changes(self) -> bool:
        """Whether epochs differ in more than order."""
        return self.fresh and self.per_positive > 0

    def epoch(self, number: int, workers=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Codes [m, L], targets [m] and parents int64 [m] (rows of the pool) of one epoch.

        The pool's own rows come first. `workers`, a thread pool, shares the shuffling.
        """
        parents = np.arange(len(self.codes))
        if not self.per_positive:
            return self.codes, self.targets, parents
        owners = np.repeat(np.flatnonzero(self.targets > 0), self.per_positive)
        codes = np.concatenate([self.codes, self.codes[owners]])
        made = codes[len(parents) :]
        key = np.random.SeedSequence([self.seed, number * self.fresh]).generate_state(1, np.uint64)

        def shuffle(first: int) -> None:
            rows = slice(first, first + _SHUFFLE_BLOCK)
            names = np.arange(first, min(first + _SHUFFLE_BLOCK, len(made)))
            made[rows] = dinucleotide_shuffle(made[rows], int(key[0]), names)

        list((workers.map if workers else map)(shuffle, range(0, len(made), _SHUFFLE_BLOCK)))
        targets = np.concatenate([self.targets, np.zeros(len(made), np.float32)])
        return codes, targets, np.concatenate([parents, owners])

    def size(self, chosen: np.ndarray) -> int:
        """Examples an epoch holds of the rows `chosen` bool [n] and their shuffles."""
        return int(chosen.sum() + self.per_positive * (chosen & (self.targets > 0)).sum())


@dataclass(frozen=True)
class Judge:
    """Held-out examples and what is read off them.

    codes uint8 [n, L], targets float32 [n]; `score(targets, logits)` is higher where better.
    """

    codes: np.ndarray
    targets: np.ndarray
    score: Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Look:
    """What was seen of a network after `step` updates; NaN where nothing was held out.

    closed: whether its kernels are closed for good
    """

    step: int
    train_loss: float
    loss: float
    score: float
    closed: bool = False


@dataclass
class Training:
    """One network on its way.

    network: what is trained, with the parameters it starts from
    chosen:  bool [n], the rows of the pool that it learns from (and their shuffles)
    held:    int64, the rows of the judge's examples that it is looked at with
    key:     uint64, the name of its random streams
    steps:   updates in all
    label:   begins its lines in the log; without one, only its last look is told there
    horizon: updates over which the learning rate falls (0: `steps`)
    looks:   ascending numbers of updates after which it is looked at
    Kept while it is trained: `theta` (the parameters), Adam's or Nesterov's `moments`, `done`
    updates, what was seen, and with `keep_best` the parameters with the lowest loss. A training
    that ends early is `failed` (its loss is no number), `stopped` (given up) or, where `drop_dead`
    asks for it, `dead`: at two looks in a row no kernel was above its threshold, and none of
    these above 0, on any sequence held out or trained on: no gradient reaches the kernels any
    more, nor do penalties open them. Its output is then the same for all sequences, and what was
    seen holds for the looks that it does not come to.
    """

    network: Network
    chosen: np.ndarray
    held: np.ndarray
    key: int
    steps: int
    looks: tuple[int, ...]
    keep_best: bool = False
    patience: int = 0
    drop_dead: bool = False
    label: str = ""
    horizon: int = 0
    theta: np.ndarray = field(init=False)
    moments: np.ndarray = field(init=False)
    pending: np.ndarray = field(init=False)
    done: int = 0
    epochs: int = 0
    seen: list[Look] = field(default_factory=list)
    best: np.ndarray | None = None
    best_loss: float = math.inf
    waited: int = 0
    failed: bool = False
    stopped: bool = False
    dead: bool = False
    _losses: list[tuple[float, int]] = field(default_factory=list)

    def __post_init__(self):
        self.horizon = self.horizon or self.steps
        self.theta = self.network.theta.copy()
        self.moments = np.zeros((2, len(self.theta)), np.float32)
        self.pending = np.empty(0, np.int64)

    @property
    def active(self) -> bool:
        """Whether there is anything left to do."""
        return self.done < self.steps and not (self.failed or self.stopped or self.dead)

    @property
    def status(self) -> str:
        """ "done", "failed", "stopped", "dead" or "running"."""
        for name in ("failed", "stopped", "dead"):
            if getattr(self, name):
                return name
        return "running" if self.active else "done"

    def note_loss(self, loss: float, n: int) -> None:
        """Remember the mean loss of n examples trained on since the last look."""
        self._losses.append((loss, n))

    def mean_loss(self) -> float:
        """Mean loss an example since the last look."""
        losses = np.array(self._losses)
        return float(np.average(losses[:, 0], weights=losses[:, 1]))

    def note_look(self, look: Look, theta: np.ndarray) -> None:
        """Take in what was seen; keep the parameters where they are the best, or give up."""
        self.seen.append(look)
        self._losses = []
        if self.label or look.step == self.steps:
            log.info(
                "%s: update %d of %d, train loss %.4f, validation loss %.4f, score %.4f",
                self.label or "one of the calibration", look.step, self.steps,
                look.train_loss, look.loss, look.score,
            )  # fmt: skip
        if self.drop_dead and [before.closed for before in self.seen[-2:]] == [True, True]:
            self.dead = True
            later = [step for step in self.looks if step > look.step]
            self.seen += [replace(look, step=step) for step in later]
        if look.loss < self.best_loss:
            self.best_loss, self.waited = look.loss, 0
            if self.keep_best:
                self.best = theta.copy()
        elif len(self.held):
            self.waited += 1
            self.stopped = bool(self.patience) and self.waited >= self.patience

    def finished(self) -> Network:
        """The network with its last parameters, or its best ones where these are kept."""
        return self.network.with_theta(self.theta if self.best is None else self.best)


def train_together(
    trainings: Sequence[Training],
    pool: Pool,
    judge: Judge,
    threads: int = 1,
    label: str = "",
    after_look: Callable[[int], None] | None = None,
) -> None:
    """Train networks side by side, in place, until each has ended.

    Each is trained on one thread at a time. With `after_look` all wait for each other at their
    common looks, and it is called with the number of updates then done; it may stop some of them.
    """
    with ThreadPoolExecutor(threads) as workers:

        def advance(examples, limit: float) -> None:
            work = [(one, examples, judge, pool.changes, limit) for one in trainings if one.active]
            list(workers.map(lambda one: _advance(*one), work))

        drive(trainings, pool, advance, label, after_look, workers)


def drive(
    trainings: Sequence[Training],
    pool: Pool,
    advance: Callable[[tuple, float], None],
    label: str = "",
    after_look: Callable[[int], None] | None = None,
    workers: ThreadPoolExecutor | None = None,
) -> None:
    """Have networks trained, epoch by epoch and look by look, until each has ended.

    `advance(examples, limit)` trains all that are active to the end of the epoch, or where epochs
    do not change to `limit` updates. `workers` share the shuffling.
    """
    total = sum(training.steps for training in trainings)
    looks = sorted({look for training in trainings for look in training.looks})
    limits = iter(looks if after_look else ())
    limit = next(limits, math.inf)
    with tqdm(total=total, desc=label, unit="update", unit_scale=True, disable=None) as bar:
        epoch, examples = 0, pool.epoch(0, workers)
        while any(training.active for training in trainings):
            before = sum(training.done for training in trainings)
            advance(examples, limit)
            bar.update(sum(training.done for training in trainings) - before)
            waiting = all(training.done >= limit for training in trainings if training.active)
            if waiting and limit < math.inf:
                after_look(limit)
                limit = next(limits, math.inf)
            elif pool.changes:
                epoch += 1
                examples = pool.epoch(epoch, workers)


def _advance(training: Training, examples, judge: Judge, one_epoch: bool, limit: float) -> None:
    """Train one network to the end of the epoch, or without fresh examples to the `limit`."""
    rows = None
    while training.active and training.done < limit:
        if not len(training.pending):
            if rows is None:
                rows = np.flatnonzero(training.chosen[examples[2]])
            training.pending = rows.copy()
            key = steps.stream(training.key, training.epochs)
            steps.shuffle_order(training.pending, key)
            training.epochs += 1
        _advance_to_look(training, examples, judge, limit)
        if one_epoch and not len(training.pending):
            return


def _advance_to_look(training: Training, examples, judge: Judge, limit: float) -> None:
    """Train one network on what is left of its epoch, at most to its next look."""
    network, batch = training.network, training.network.rules.batch
    until = min([training.steps, limit, *(x for x in training.looks if x > training.done)])
    part = training.pending[: int(until - training.done) * batch]
    training.pending = training.pending[len(part) :]
    loss = steps.train_epoch(
        network.shape, network.rules, examples[0], examples[1], part,
        training.theta, training.moments, training.done, training.horizon,
        steps.stream(training.key, -1),
    )  # fmt: skip
    # A kernel that is no number any more never wins a maximum: the loss would not tell.
    if not (math.isfinite(loss) and np.isfinite(training.theta).all()):
        training.failed = True
        return
    training.done += -(-len(part) // batch)
    training.note_loss(loss, len(part))
    if training.done in training.looks:
        current = network.with_theta(training.theta)
        logits = current.predict(judge.codes, training.held)
        training.note_look(look_at(training, current, judge, logits, examples[0]), training.theta)


def look_at(
    training: Training, network: Network, judge: Judge, logits: np.ndarray, learned: np.ndarray
) -> Look:
    """What is seen of a network as it stands, with `logits` float32 [n] of the held-out examples.

    `learned` uint8 [N, L] is what it is trained on.
    """
    loss, score = judged(network, judge, logits, judge.targets[training.held])
    closed = training.drop_dead and len(logits) > 0 and np.ptp(logits) == 0
    closed = bool(closed) and not (network.thresholds > 0).any()
    closed = closed and network.is_closed(judge.codes[training.held]) and network.is_closed(learned)
    return Look(training.done, training.mean_loss(), loss, score, closed)


def judged(
    network: Network, judge: Judge, logits: np.ndarray, targets: np.ndarray
) -> tuple[float, float]:
    """Mean loss and score of logits float32 [n] against targets [n]; NaN where n is 0."""
    if not len(logits):
        return math.nan, math.nan
    loss = steps.mean_loss(network.rules.loss, logits, targets)
    return float(loss), judge.score(targets, logits)


def judge_network(network: Network, judge: Judge, held: np.ndarray) -> tuple[float, float]:
    """Mean loss and score of a network on the judge's examples at `held` int64 [n]."""
    return judged(network, judge, network.predict(judge.codes, held), judge.targets[held])


def stop_worse_half(trainings: Sequence[Training], groups: Iterable[int], keep: int) -> None:
    """Stop all but the `keep` groups of trainings with the best score so far (mean of a group).

    A group's score is its best mean over all looks, so that one whose best lies behind it, and
    which could still be chosen, is not given up before one that never came as far.
    """
    groups = np.asarray(list(groups))
    ranked = sorted(
        (-best_mean(trainings, groups, group)[0], group)
        for group in np.unique(groups)
        if any(training.active for training in _members(trainings, groups, group))
    )
    for _, group in ranked[keep:]:
        for training in _members(trainings, groups, group):
            training.stopped = training.active or training.stopped


def _members(trainings, groups, group) -> list[Training]:
    return [trainings[i] for i in np.flatnonzero(groups == group)]


def best_mean(trainings: Sequence[Training], groups: np.ndarray, group: int) -> tuple[float, int]:
    """Best mean score of a group of trainings over their common looks, and its step.

    (-inf, 0) where one of them failed or no look has a score in every fold; the earliest of equal
    ones.
    """
    members = _members(trainings, groups, group)
    if any(training.failed for training in members):
        return -math.inf, 0
    common = min(len(training.seen) for training in members)
    scores = np.array([[look.score for look in training.seen[:common]] for training in members])
    means = scores.mean(0) if common else np.empty(0)
    if np.isnan(means).all():
        return -math.inf, 0
    best = int(np.nanargmax(means))
    return float(means[best]), members[0].seen[best].step
