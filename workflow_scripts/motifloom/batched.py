"""Many DeepBinds as one PyTorch network: a launch trains all of them, on a GPU.

The same trainings as in `search.py`, with the same random streams, so that networks end with the
weights that the compiled steps give them up to rounding. It is also their reference in the tests.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from motifloom import steps
from motifloom.scan import larger, one_hot, place_index
from motifloom.search import Judge, Pool, Training, drive, look_at

_JUDGED = 1024  # sequences scored at a time


def train_batched(
    trainings: Sequence[Training],
    pool: Pool,
    judge: Judge,
    label: str = "",
    after_look: Callable[[int], None] | None = None,
    device: str = "cuda",
) -> None:
    """Train networks in place, as `search.train_together` does, with PyTorch on `device`.

    Networks of one shape and batch size share every launch; others take their turn.
    """
    groups: dict[tuple, list[Training]] = {}
    for training in trainings:
        rules = training.network.rules
        key = (training.network.shape, rules.batch, rules.optimiser, rules.loss)
        groups.setdefault(key, []).append(training)
    stacks = [_Stack(members, judge, device) for members in groups.values()]

    def advance(examples, limit: float) -> None:
        for stack in stacks:
            stack.advance(examples, limit, pool.changes)

    # Convolutions in full precision, as the compiled steps add.
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        drive(trainings, pool, advance, label, after_look)


class _Stack:
    """Networks of one shape: their parameters are the rows of one matrix."""

    def __init__(self, members: list[Training], judge: Judge, device: str):
        self.members, self.judge, self.device = members, judge, device
        self.shape = members[0].network.shape
        self.rules = members[0].network.rules
        self.at = steps.offsets(self.shape).tolist()
        theta = np.stack([member.theta for member in members])
        self.theta = torch.tensor(theta, device=device, requires_grad=True)
        self.moments = torch.zeros(2, *theta.shape, device=device)

    def advance(self, examples, limit: float, one_epoch: bool) -> None:
        """Train all members to the end of the epoch, or without fresh examples to `limit`."""
        codes = torch.from_numpy(examples[0]).to(self.device)
        targets = torch.from_numpy(examples[1]).to(self.device)
        begun = set()
        while True:
            moving = [
                (number, member)
                for number, member in enumerate(self.members)
                if member.active and member.done < limit
            ]
            for number, member in moving:
                if not len(member.pending) and not (one_epoch and number in begun):
                    member.pending = np.flatnonzero(member.chosen[examples[2]])
                    stream = steps.stream(member.key, member.epochs)
                    steps.shuffle_order(member.pending, stream)
                    member.epochs += 1
                    begun.add(number)
            moving = [(number, member) for number, member in moving if len(member.pending)]
            if not moving:
                break
            self._step(codes, targets, moving)
        for number, member in enumerate(self.members):
            member.theta = self.theta[number].detach().cpu().numpy()

    def _step(self, codes, targets, moving) -> None:
        """One update of the members that move."""
        batch = self.rules.batch
        rows = np.zeros((len(moving), batch), np.int64)
        sizes = np.zeros(len(moving), np.int64)
        for place, (_, member) in enumerate(moving):
            part, member.pending = member.pending[:batch], member.pending[batch:]
            rows[place, : len(part)], sizes[place] = part, len(part)
        chosen = torch.tensor([number for number, _ in moving], device=self.device)
        index = torch.from_numpy(rows).to(self.device)
        used = (
            torch.arange(batch, device=self.device)
            < torch.tensor(sizes, device=self.device)[:, None]
        )
        theta = self.theta[chosen]
        logits = forward(self.shape, theta, codes[index], self._masks(moving, sizes))
        wanted = targets[index]
        smoothing = self._column(moving, "smoothing")
        losses = _losses(self.rules.loss, logits, wanted * (1 - smoothing) + smoothing / 2)
        means = (losses * used).sum(1) / used.sum(1)
        (gradient,) = torch.autograd.grad(means.sum(), self.theta)
        self._update(moving, chosen, gradient[chosen])
        self._note(moving, means.detach().cpu().numpy(), sizes, codes)

    def _masks(self, moving, sizes) -> torch.Tensor | None:
        """Dropout's factors float32 [M, batch, F], drawn as the compiled steps draw them."""
        if not any(member.network.rules.dropout for _, member in moving):
            return None
        width = self.shape.lanes * (1 + self.shape.mean)
        masks = np.ones((len(moving), self.rules.batch, 1, width), np.float32)
        for place, (_, member) in enumerate(moving):
            dropout = member.network.rules.dropout
            if dropout:
                key = np.uint64(steps.step_key(steps.stream(member.key, -1), member.done))
                steps.drop(masks[place], int(sizes[place]), dropout, key)
        return torch.from_numpy(masks[:, :, 0]).to(self.device)

    def _column(self, moving, name: str) -> torch.Tensor:
        """A rule of each member that moves, float32 [M, 1]."""
        values = [getattr(member.network.rules, name) for _, member in moving]
        return torch.tensor(values, dtype=torch.float32, device=self.device)[:, None]

    def _update(self, moving, chosen, gradient) -> None:
        """Adam or Nesterov's momentum on the rows of the members that move."""
        at, theta = self.at, self.theta.detach()[chosen]
        begun = [member.done >= member.network.rules.l1_start for _, member in moving]
        begun = torch.tensor(begun, device=self.device)[:, None]
        for rule, a, b in (
            ("kernel_l1", at[0], at[1]),
            ("dense_l1", at[3], at[4]),
            ("dense_l1", at[5], at[6]),
        ):
            gradient[:, a:b] += begun * self._column(moving, rule) * theta[:, a:b].sign()
        rates = [steps.rate_at(m.network.rules, m.done, m.horizon) for _, m in moving]
        rate = torch.tensor(rates, dtype=torch.float32, device=self.device)[:, None]
        shrink = 1 - rate * self._column(moving, "decay")
        for a, b in ((at[0], at[2]), (at[3], at[4]), (at[5], at[6])):
            theta[:, a:b] *= shrink
        first, second = self.moments[0][chosen], self.moments[1][chosen]
        if self.rules.optimiser == steps.NESTEROV:
            momentum = self._column(moving, "momentum")
            first = momentum * first + gradient
            theta -= rate * (gradient + momentum * first)
        else:
            done = torch.tensor([m.done + 1 for _, m in moving], device=self.device)[:, None]
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            size, root = rate / (1 - 0.9**done), (1 - 0.999**done) ** -0.5
            theta -= size * first / (second.sqrt() * root + 1e-8)
        with torch.no_grad():
            self.theta[chosen] = theta
            self.moments[0][chosen], self.moments[1][chosen] = first, second

    def _note(self, moving, means, sizes, codes) -> None:
        """Count the update, mark what failed, look at those whose turn it is."""
        finite = torch.isfinite(self.theta).all(1).cpu().numpy()
        for (number, member), mean, size in zip(moving, means, sizes, strict=True):
            member.done += 1
            member.note_loss(float(mean), int(size))
            if not (math.isfinite(mean) and finite[number]):
                member.failed = True
            elif member.done in member.looks:
                self._look(number, member, codes.cpu().numpy())

    def _look(self, number: int, member: Training, codes: np.ndarray) -> None:
        logits = self._predict(number, torch.from_numpy(self.judge.codes[member.held]))
        theta = self.theta[number].detach().cpu().numpy()
        look = look_at(member, member.network.with_theta(theta), self.judge, logits, codes)
        member.note_look(look, theta)

    def _predict(self, number: int, codes: torch.Tensor) -> np.ndarray:
        theta, parts = self.theta[number : number + 1].detach(), [np.empty(0, np.float32)]
        with torch.no_grad():
            for first in range(0, len(codes), _JUDGED):
                part = codes[first : first + _JUDGED].to(self.device)
                parts.append(forward(self.shape, theta, part[None], None)[0].cpu().numpy())
        return np.concatenate(parts)


def _losses(kind: int, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if kind == steps.MSE:
        return (logits - targets) ** 2
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def forward(
    shape: steps.Shape, theta: torch.Tensor, codes: torch.Tensor, masks: torch.Tensor | None
) -> torch.Tensor:
    """Logits float32 [M, B] of M networks, each on sequences of its own.

    theta float32 [M, parameters] (`steps.py` gives their order), codes uint8 [M, B, L], masks
    float32 [M, B, F]: dropout's factors.
    """
    strands = [codes]
    if shape.strands != steps.GIVEN:
        turned = codes.flip(2)
        strands.append(torch.where(turned < 4, 3 - turned, turned))
    scanned = [_scan(shape, theta, strand) for strand in strands]  # maxima, means [M, B, C']
    at = steps.offsets(shape).tolist()
    thresholds = theta[:, None, at[2] : at[3]]
    if shape.strands == steps.KERNEL:
        maxima = larger(*(maximum for maximum, _ in scanned))
        means = sum(mean for _, mean in scanned) / 2 if shape.mean else None
        scanned = [(maxima, means)]
    logits = []
    for maxima, means in scanned:
        features = torch.relu(maxima + thresholds)
        if shape.mean:
            features = torch.cat([features, means], 2)
        features = features if masks is None else features * masks
        logits.append(_head(shape, theta, at, features))
    return logits[0] if len(logits) == 1 else larger(*logits)


def _scan(shape: steps.Shape, theta: torch.Tensor, codes: torch.Tensor):
    """Maxima and means [M, B, C'] over the windows of codes [M, B, L].

    Without means the convolution runs without gradient, only to find the winning windows, which
    are then gathered and scored once more.
    """
    at = steps.offsets(shape).tolist()
    n_networks, batch, length = codes.shape
    kernels = theta[:, : at[1]].view(n_networks, shape.width, 4, shape.lanes)
    x = one_hot(codes.reshape(-1, length), shape.unknown)
    x = F.pad(x, (shape.padding, shape.padding), value=shape.unknown)
    x = x.view(n_networks, batch, 4, -1)
    shift = _shift(shape, theta, at, x.device)
    with torch.set_grad_enabled(bool(shape.mean) and torch.is_grad_enabled()):
        bank = kernels.permute(0, 3, 2, 1).reshape(-1, 4, shape.width)
        stacked = x.transpose(0, 1).reshape(batch, n_networks * 4, -1)
        values = F.conv1d(stacked, bank, groups=n_networks)
        values = values.view(batch, n_networks, shape.lanes, -1).transpose(0, 1)
        if shift is not None:
            values = values + shift[:, None]
        where = values.argmax(3)  # [M, B, C']
    seen = x.unfold(3, shape.width, 1).permute(0, 1, 3, 2, 4)  # [M, B, W, 4, K]
    network = torch.arange(n_networks, device=x.device)[:, None, None]
    row = torch.arange(batch, device=x.device)[None, :, None]
    maxima = torch.einsum("mbcik,mkic->mbc", seen[network, row, where], kernels)
    if shift is not None:
        lane = torch.arange(shape.lanes, device=x.device)
        maxima = maxima + shift[network, lane, where]
    means = None
    if shape.mean:
        means = torch.relu(values + theta[:, None, at[2] : at[3], None]).mean(3)
    return maxima, means


def _shift(shape: steps.Shape, theta: torch.Tensor, at, device) -> torch.Tensor | None:
    """What each window's place adds, [M, C', W]; None without places."""
    if not shape.n_places:
        return None
    places = theta[:, at[1] : at[2]].view(len(theta), shape.n_places, shape.lanes)
    windows = int(steps.n_windows(shape))
    rows = place_index(windows, shape.place, shape.n_places, device=device)
    return places[:, rows].transpose(1, 2)


def _head(shape: steps.Shape, theta: torch.Tensor, at, features: torch.Tensor) -> torch.Tensor:
    """Logits [M, B] of features [M, B, F]."""
    if shape.hidden:
        weights = theta[:, at[3] : at[4]].view(len(theta), -1, shape.hidden)
        features = torch.einsum("mbf,mfh->mbh", features, weights)
        features = torch.relu(features + theta[:, None, at[4] : at[5]])
    return torch.einsum("mbf,mf->mb", features, theta[:, at[5] : at[6]]) + theta[:, at[6], None]
