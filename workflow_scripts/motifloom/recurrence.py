"""A bidirectional LSTM along the sequence, with forward and backward passes of its own on the CPU.

    i, f, o = sigmoid(W x_t + U h_t-1 + b),   g = tanh(W x_t + U h_t-1 + b)
    c_t = f c_t-1 + i g,   h_t = o tanh(c_t)

(Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000, as PyTorch writes it.)
The rows of a batch know nothing of each other: every thread takes its share of them through all
steps and never waits for another, and neither a row's values nor the gradient by its input depend
on the number of threads or on its batch-mates. Forward, [x_t, h_t-1] is multiplied by [W, U] one
tile of registers at a time (`tiles.py`), and its cells follow while it is at hand; backward, the
gates' gradient is multiplied by [W, U] transposed. The gradients of the weights are large products
over all steps at the end.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from motifloom import tiles
from motifloom.lanes import LANES, compiled
from motifloom.threads import share_rows
from motifloom.tiles import TILE_COLUMNS, TILE_ROWS, backward_cells, forward_cells, multiply_tile

GATES = 4
_TILE = TILE_ROWS * TILE_COLUMNS


class BiLSTM(nn.Module):
    """One layer of LSTM in both directions: x [N, P, I] to states [N, P, 2 H], forward first.

    Parameters: weight_ih [2, 4 H, I], weight_hh [2, 4 H, H] and bias [2, 4 H], in direction
    (forward, backward) and gate order i, f, g, o; `nn.LSTM` adds two biases where this has one.
    All start uniform in +-1 / sqrt(H), as PyTorch starts them.

    Float32 on a CPU with AVX-512 runs on as many threads as PyTorch has through the compiled
    passes; under `torch.autocast` to bfloat16 their products take bfloat16 operands where the CPU
    can, while sums, cells and states stay float32. Everything else is left to PyTorch's own LSTM.
    """

    def __init__(self, input_size: int, hidden_size: int):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        bound = hidden_size**-0.5
        for name, shape in (
            ("weight_ih", (2, GATES * hidden_size, input_size)),
            ("weight_hh", (2, GATES * hidden_size, hidden_size)),
            ("bias", (2, GATES * hidden_size)),
        ):
            self.register_parameter(name, nn.Parameter(torch.empty(shape).uniform_(-bound, bound)))

    def extra_repr(self) -> str:
        """Sizes, for printing."""
        return f"{self.input_size}, {self.hidden_size}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """States [N, P, 2 H] of inputs [N, P, I]; at step t of P the second half looks back."""
        weights = self.weight_ih, self.weight_hh, self.bias
        if x.device.type != "cpu" or not tiles.has_wide_registers():
            return library_lstm(x, *weights)
        if any(tensor.dtype == torch.float64 for tensor in (x, *weights)):
            return library_lstm(x, *weights)
        return compiled_lstm(x, *weights, _halved())


def _halved() -> bool:
    """Whether products take bfloat16 operands."""
    wanted = torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16
    return wanted and tiles.has_bfloat16()


def library_lstm(
    x: torch.Tensor, weight_ih: torch.Tensor, weight_hh: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """States [N, P, 2 H] by PyTorch's own LSTM: cuDNN on a GPU, and the reference of the tests."""
    n, hidden = len(x), weight_hh.shape[2]
    if not x.shape[0]:
        # Empty sums, so that a gradient finds its way.
        nothing = x.sum() + weight_ih.sum() * 0 + weight_hh.sum() * 0 + bias.sum() * 0
        return x.new_zeros(n, x.shape[1], 2 * hidden) + nothing
    none = torch.zeros_like(bias[0])
    flat = [t for d in range(2) for t in (weight_ih[d], weight_hh[d], bias[d], none)]
    start = x.new_zeros(2, n, hidden)
    training = torch.is_grad_enabled()
    # Processors without bfloat16 products have no bfloat16 LSTM either.
    kind = x.device.type
    with torch.autocast(kind, enabled=kind != "cpu" and torch.is_autocast_enabled(kind)):
        return torch._VF.lstm(x, (start, start), flat, True, 1, 0.0, training, True, True)[0]


def compiled_lstm(
    x: torch.Tensor,
    weight_ih: torch.Tensor,
    weight_hh: torch.Tensor,
    bias: torch.Tensor,
    halved: bool = False,
) -> torch.Tensor:
    """States float32 [N, P, 2 H] by the compiled passes.

    Differentiable once in all four arguments. `halved` products take bfloat16 operands
    (`tiles.has_bfloat16`) and add up in float32.
    """
    inputs = [tensor.float() for tensor in (x, weight_ih, weight_hh, bias)]
    hidden = weight_hh.shape[2]
    units = -(-hidden // LANES) * LANES
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    with torch.autocast("cpu", enabled=False):
        states = _Recurrence.apply(*inputs, halved, wanted)  # [N, P, 2, units]
        if units != hidden:
            states = states[..., :hidden]
        return states.reshape(*x.shape[:2], 2 * hidden)


class _Recurrence(torch.autograd.Function):
    """States float32 [N, P, 2, H'] of x [N, P, I]; H' is H in whole registers."""

    @staticmethod
    def forward(ctx, x, weight_ih, weight_hh, bias, halved, wanted):
        n, steps, size = x.shape
        units = -(-weight_hh.shape[2] // LANES) * LANES
        left = _operand(x, halved)
        weights = _forward_weights(weight_ih, weight_hh, left.shape[2], units, halved)
        biases = _by_blocks(bias[..., None], units).contiguous()
        # Without a gradient to come, one step's gates and cells are enough.
        kept = steps if wanted else min(steps, 1)
        gates = torch.empty(n, kept, 2, GATES * units)
        cells = torch.empty(n, kept, 2, units)
        states = torch.empty(n, steps, 2, units)
        copies = torch.empty(states.shape, dtype=torch.bfloat16) if halved else states
        arrays = [_array(t) for t in (left, weights, biases, gates, cells, states, copies)]
        share_rows(n, lambda first, last: _forward_rows(*arrays, first, last))
        if wanted:
            ctx.save_for_backward(left, weight_ih, weight_hh, gates, cells, copies)
            ctx.size, ctx.halved, ctx.spent = size, halved, False
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slopes):
        if ctx.spent:
            raise RuntimeError("the backward pass of a BiLSTM overwrites its gates: run it once")
        ctx.spent = True
        left, weight_ih, weight_hh, gates, cells, states = ctx.saved_tensors
        n, steps, _, units = cells.shape
        sloped = torch.empty(gates.shape, dtype=torch.bfloat16) if ctx.halved else gates
        by_x = torch.empty(n, steps, ctx.size if ctx.needs_input_grad[0] else 0)
        weights = _backward_weights(weight_ih, weight_hh, by_x.shape[2], units, ctx.halved)
        tensors = (slopes.contiguous(), weights, gates, cells, sloped, by_x)
        arrays = [_array(tensor) for tensor in tensors]
        totals = share_rows(n, lambda first, last: _backward_rows(*arrays, first, last))
        hidden = weight_hh.shape[2]
        flat, before = sloped.flatten(0, 1), _states_before(states).flatten(0, 1)
        by_ih = _by_gates(flat.flatten(1).T @ left.flatten(0, 1), hidden)[..., : ctx.size]
        by_hh = torch.stack([flat[:, d].T @ before[:, d] for d in range(2)])
        by_hh = _by_gates(by_hh, hidden)[..., :hidden]
        by_bias = _by_gates(torch.from_numpy(sum(totals)), hidden)[..., 0]
        return (by_x if ctx.needs_input_grad[0] else None), by_ih, by_hh, by_bias, None, None


def _operand(x: torch.Tensor, halved: bool) -> torch.Tensor:
    """Inputs [N, P, I] as the passes take them; of bfloat16 an even number of columns."""
    if halved:
        x = F.pad(x.bfloat16(), (0, x.shape[2] % 2))
    return x.contiguous()


def _array(tensor: torch.Tensor) -> np.ndarray:
    """A tensor's memory; bfloat16, which NumPy has no name for, as uint16."""
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.uint16).numpy()
    return tensor.detach().numpy()


def _by_blocks(weights: torch.Tensor, units: int) -> torch.Tensor:
    """Weights [2, 4 H, K] as [2, H' / 16, K, 4, 16]: 16 units of all gates side by side."""
    directions, rows, inner = weights.shape
    hidden = rows // GATES
    weights = weights.view(directions, GATES, hidden, inner)
    if units != hidden:
        weights = F.pad(weights, (0, 0, 0, units - hidden))
    return weights.view(directions, GATES, -1, LANES, inner).permute(0, 2, 4, 1, 3)


def _by_gates(gradient: torch.Tensor, hidden: int) -> torch.Tensor:
    """Gradients of gates in the order of the passes, [.. 2 H' * 4, K], as float32 [2, 4 H, K]."""
    units = -(-hidden // LANES)
    parts = gradient.reshape(2, units, GATES, LANES, -1).permute(0, 2, 1, 3, 4).float()
    parts = parts.reshape(2, GATES, units * LANES, -1)[:, :, :hidden]
    return parts.reshape(2, GATES * hidden, -1)


def _forward_weights(weight_ih, weight_hh, size, units, halved):
    """[2, H' / 16, size + H', 64]; of bfloat16 with pairs of rows side by side."""
    inner = F.pad(weight_ih, (0, size - weight_ih.shape[2]))
    other = F.pad(weight_hh, (0, units - weight_hh.shape[2]))
    packed = _by_blocks(torch.cat([inner, other], 2), units)
    return _paired(packed.flatten(3), halved)


def _backward_weights(weight_ih, weight_hh, size, units, halved):
    """[2, panels, 4 H', 64]: columns of h, then of x, each filled up to whole panels of 64."""
    parts = [weight_hh, weight_ih[..., :size]]
    padded = [F.pad(part, (0, -part.shape[2] % TILE_COLUMNS)) for part in parts]
    packed = _by_blocks(torch.cat(padded, 2), units).permute(0, 1, 3, 4, 2).flatten(1, 3)
    panels = packed.view(2, GATES * units, -1, TILE_COLUMNS).transpose(1, 2)
    return _paired(panels, halved)


def _paired(weights: torch.Tensor, halved: bool) -> torch.Tensor:
    """Weights [2, B, K, 64] in order; of bfloat16 as [2, B, K / 2, 64, 2]."""
    if halved:
        weights = weights.bfloat16().unflatten(2, (-1, 2)).transpose(3, 4)
    return weights.contiguous()


def _states_before(states: torch.Tensor) -> torch.Tensor:
    """States [N, P, 2, H'] of the step before, in the order of each direction; 0 at the first."""
    before = torch.empty_like(states)
    before[:, :1, 0] = 0
    before[:, -1:, 1] = 0
    before[:, 1:, 0] = states[:, :-1, 0]
    before[:, :-1, 1] = states[:, 1:, 1]
    return before


@compiled()
def _forward_rows(x, weights, biases, gates, cells, states, copies, first, last):
    """All steps of both directions of rows first to last.

    x [N, P, I] and weights as `_forward_weights` packs them are float32 or uint16; biases float32
    [2, H' / 16, 1, 4, 16]. Writes states [N, P, 2, H'], `copies` of them where these are uint16,
    gates [N, P or 1, 2, 4 H'] and cells [N, P or 1, 2, H'], of which a single one serves all steps.
    """
    steps, size, units = x.shape[1], x.shape[2], states.shape[3]
    kept = min(1, gates.shape[1] - 1)
    inputs, packed, start = x.reshape(-1), weights.reshape(-1), biases.reshape(-1)
    to_gates, to_cells = gates.reshape(-1), cells.reshape(-1)
    to_states, to_copies = states.reshape(-1), copies.reshape(-1)
    panel = (size + units) * TILE_COLUMNS
    tile, none = np.empty(_TILE, np.float32), np.zeros(LANES, np.float32)
    for d in range(2):
        for step in range(steps):
            t, back = (step, -2 * units) if d == 0 else (steps - 1 - step, 2 * units)
            for block in range(units // LANES):
                column = block * LANES
                for row in range(first, last, TILE_ROWS):
                    n = min(TILE_ROWS, last - row)
                    state = ((row * steps + t) * 2 + d) * units
                    multiply_tile(
                        n, inputs, (row * steps + t) * size, steps * size, size,
                        to_copies, state + back, steps * 2 * units, units if step else 0,
                        packed, (d * (units // LANES) + block) * panel,
                        start, (d * (units // LANES) + block) * TILE_COLUMNS, tile,
                    )  # fmt: skip
                    for r in range(n):
                        cell = ((row + r) * gates.shape[1] + t * kept) * 2 + d
                        output = state + r * steps * 2 * units + column
                        before, old = none, 0
                        if step:
                            before, old = to_cells, cell * units + back * kept + column
                        forward_cells(
                            tile, r * TILE_COLUMNS, before, old,
                            to_gates, (cell * units + column) * GATES,
                            to_cells, cell * units + column,
                            to_states, output, to_copies, output,
                        )  # fmt: skip


@compiled()
def _backward_rows(slopes, weights, gates, cells, sloped, by_x, first, last):
    """All steps of both directions of rows first to last, from the last to the first.

    slopes float32 [N, P, 2, H'] by the states; weights as `_backward_weights` packs them, float32
    or uint16. Writes the gradient by what gates received to `sloped`, which is `gates` itself or
    uint16, and that by the inputs to by_x float32 [N, P, I]. Returns the sum of the former over
    rows and steps, float32 [2, 4 H'].
    """
    steps, units, size = slopes.shape[1], slopes.shape[3], by_x.shape[2]
    inner, panels_h = GATES * units, -(-units // TILE_COLUMNS)
    panels = panels_h + -(-size // TILE_COLUMNS)
    of_gates, of_cells, of_sloped = gates.reshape(-1), cells.reshape(-1), sloped.reshape(-1)
    packed, tile = weights.reshape(-1), np.empty(_TILE, np.float32)
    none = np.zeros(TILE_COLUMNS, np.float32)
    by_h = np.empty((last - first, units), np.float32)
    by_c = np.empty((last - first, units), np.float32)
    totals = np.zeros((2, inner), np.float32)
    for d in range(2):
        by_h[:], by_c[:] = 0, 0
        for step in range(steps - 1, -1, -1):
            t, back = (step, -2 * units) if d == 0 else (steps - 1 - step, 2 * units)
            for row in range(first, last):
                for j in range(units):
                    by_h[row - first, j] += slopes[row, t, d, j]
                for column in range(0, units, LANES):
                    place = ((row * steps + t) * 2 + d) * units + column
                    before, old = (of_cells, place + back) if step else (none, 0)
                    at = (row - first) * units + column
                    backward_cells(
                        of_gates, place * GATES, of_cells, place, before, old,
                        by_h.reshape(-1), at, by_c.reshape(-1), at, of_sloped, place * GATES,
                        totals.reshape(-1), d * inner + column * GATES,
                    )  # fmt: skip
            for number in range(0 if step else panels_h, panels):
                for row in range(first, last, TILE_ROWS):
                    n = min(TILE_ROWS, last - row)
                    multiply_tile(
                        n, of_sloped, ((row * steps + t) * 2 + d) * inner, steps * 2 * inner, inner,
                        of_sloped, 0, 0, 0,
                        packed, (d * panels + number) * inner * TILE_COLUMNS, none, 0, tile,
                    )  # fmt: skip
                    if number < panels_h:
                        _put(tile, n, by_h, row - first, number * TILE_COLUMNS)
                    else:
                        column = (number - panels_h) * TILE_COLUMNS
                        _add_or_put(tile, n, by_x, row, t, column, d)
    return totals


@compiled()
def _put(tile, n, target, row, column):
    """Store a tile's n rows in target [rows, columns]."""
    for r in range(n):
        for j in range(min(TILE_COLUMNS, target.shape[1] - column)):
            target[row + r, column + j] = tile[r * TILE_COLUMNS + j]


@compiled()
def _add_or_put(tile, n, target, row, t, column, add):
    """Store a tile's n rows in target [rows, t, columns], or add them to what is there."""
    for r in range(n):
        for j in range(min(TILE_COLUMNS, target.shape[2] - column)):
            value = tile[r * TILE_COLUMNS + j]
            target[row + r, t, column + j] = (
                target[row + r, t, column + j] + value if add else value
            )
