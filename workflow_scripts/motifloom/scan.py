"""The motif scan: a convolution over base codes with pooled maxima.

On one-hot input a convolution is a sum of table rows: the K positions of a kernel are grouped
into 3-mers, a bank of 16 kernels becomes ceil(K / 3) tables of 125 rows (5 letters) by 16, and a
window costs ceil(K / 3) row look-ups and vector additions (`lanes.py`). After a maximum over
positions only the winning window carries gradient, so that the backward pass adds K values a
maximum instead of convolving again.

Three ways lead to the same values and gradients: `reference_scan`, plain PyTorch on one-hot
input; the compiled scan on the CPU; and on other devices a convolution for the winners alone,
whose gradient is gathered at their windows (`gathered_scan`).
"""

import numpy as np
import torch
import torch.nn.functional as F

from motifloom.code_scan import mean_codes, run_blocks, scan_codes, scatter
from motifloom.lanes import LANES, LETTERS


def reverse_complement_kernels(kernels: torch.Tensor) -> torch.Tensor:
    """Kernels [C, 4, K] that see on the forward strand what `kernels` see on the reverse one."""
    return kernels.flip(1, 2)


def one_hot(codes: torch.Tensor, unknown: float = 0.0) -> torch.Tensor:
    """One-hot float32 [N, 4, L] of base codes uint8 [N, L]; N is `unknown` in all channels."""
    table = torch.eye(5, 4, device=codes.device)
    table[4] = unknown
    return table[codes.long()].transpose(1, 2)


def place_index(
    windows: int, place_bin: int, rows: int, trained: int | None = None, device="cpu"
) -> torch.Tensor:
    """`code_scan.place_index` as a tensor, int64 [windows], by operations that can be exported."""
    wider = 2 * max(0, windows - (trained or windows))
    twice = (2 * torch.arange(windows, device=device) - (windows - 1)).abs() - wider
    return (twice.clamp(min=0) // (2 * place_bin)).clamp(max=rows - 1)


def reference_scan(
    x: torch.Tensor,
    kernels: torch.Tensor,
    pool: int = 0,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """The scan by `conv1d` and `max_pool1d`: float [N, P, C] of one-hot input [N, 4, L].

    `pool` 0 takes one maximum over all W = L + 2 padding - K + 1 windows (P = 1), otherwise one
    over each `pool` consecutive windows (P = W // pool). With `both_strands`, the larger of both
    strands. `padding` bases of `unknown` in all channels stand on both sides; `places` [rows, C]
    are added to window p in row `place_index[p]`.
    """
    strands = _activations(x, kernels, both_strands, padding, unknown, places, place_index)
    pooled = [F.max_pool1d(values, pool or values.shape[-1]) for values in strands]
    values = pooled[0] if len(pooled) == 1 else larger(*pooled)
    return values.transpose(1, 2)


def larger(forward: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
    """The larger of two strands' values; of equal ones the forward strand takes the gradient."""
    return torch.where(reverse > forward, reverse, forward)


def reference_mean(
    x: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """Mean over windows (of both strands) of ReLU(window + bias): float [N, C] of [N, 4, L].

    `bias` [C]; the other arguments as those of `reference_scan`.
    """
    strands = _activations(x, kernels, both_strands, padding, unknown, places, place_index)
    means = [torch.relu(values + bias[:, None]).mean(2) for values in strands]
    return sum(means) / len(means)


def _activations(x, kernels, both_strands, padding, unknown, places, place_index) -> list:
    """Values [N, C, W] of all windows, of the forward and of the reverse strand."""
    if padding:
        x = F.pad(x, (padding, padding), value=unknown)
    banks = [kernels, reverse_complement_kernels(kernels)] if both_strands else [kernels]
    values = [F.conv1d(x, bank) for bank in banks]
    if places is not None:
        shift = places[place_index].T
        values = [value + shift for value in values]
    return values


def motif_scan(
    codes: torch.Tensor,
    kernels: torch.Tensor,
    pool: int = 0,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """The scan over base codes uint8 [N, L] (N is `unknown` in all channels): float32 [N, P, C].

    Differentiable in `kernels` [C, 4, K] and `places` [rows, C]; `place_index` must be the same
    from either end, as `place_index` makes it. Equals `reference_scan` of the one-hot codes; among
    equal windows the first on the forward strand wins and takes the gradient. Compiled on the CPU
    with as many threads as PyTorch has; elsewhere `gathered_scan`.
    """
    if places is None:
        windows = codes.shape[1] + 2 * padding - kernels.shape[2] + 1
        place_index = torch.zeros(max(windows, 0), dtype=torch.int64, device=codes.device)
        places = kernels.new_zeros(1, len(kernels))
    scan = _Scan.apply if codes.device.type == "cpu" else gathered_scan
    return scan(codes, kernels, places, place_index, pool, both_strands, padding, unknown)


def motif_mean(
    codes: torch.Tensor,
    kernels: torch.Tensor,
    bias: torch.Tensor,
    both_strands: bool = False,
    *,
    padding: int = 0,
    unknown: float = 0.0,
    places: torch.Tensor | None = None,
    place_index: torch.Tensor | None = None,
) -> torch.Tensor:
    """`reference_mean` over base codes uint8 [N, L]: float32 [N, C].

    Compiled on the CPU where no gradient is asked for; otherwise the reference itself.
    """
    where = {"padding": padding, "unknown": unknown, "places": places, "place_index": place_index}
    wanted = any(t is not None and t.requires_grad for t in (kernels, bias, places))
    if codes.device.type != "cpu" or (wanted and torch.is_grad_enabled()):
        return reference_mean(one_hot(codes, unknown), kernels, bias, both_strands, **where)
    arrays = [t if t is None else t.detach().numpy() for t in (places, place_index)]
    means = mean_codes(
        codes.numpy(), kernels.detach().numpy(), bias.detach().numpy(), both_strands,
        padding, unknown, *arrays,
    )  # fmt: skip
    return torch.from_numpy(means)


class _Scan(torch.autograd.Function):
    """Forward by table look-ups, backward at the winning windows only."""

    @staticmethod
    def forward(ctx, codes, kernels, places, place_index, pool, both_strands, padding, unknown):
        values, positions = scan_codes(
            codes.numpy(), kernels.detach().numpy(), pool, both_strands, padding, unknown,
            places.detach().numpy(), place_index.numpy(),
        )  # fmt: skip
        ctx.save_for_backward(codes, place_index)
        ctx.positions, ctx.strands = positions, 1 + both_strands
        ctx.padding, ctx.unknown = padding, unknown
        ctx.shape, ctx.rows = kernels.shape, len(places)
        return torch.from_numpy(values)

    @staticmethod
    def backward(ctx, gradient):
        codes, index = (tensor.numpy() for tensor in ctx.saved_tensors)
        gradient = np.ascontiguousarray(gradient.numpy())
        n_kernels, _, width = ctx.shape
        line = -(-width // LANES) * LANES

        def scattered(rows):
            found = np.zeros((n_kernels, LETTERS, line), np.float32)
            shifts = np.zeros((ctx.rows * ctx.needs_input_grad[2], n_kernels), np.float32)
            inputs = (codes[rows], ctx.padding, ctx.strands, width, ctx.positions[rows])
            scatter(*inputs, gradient[rows], index, found, shifts)
            return found, shifts

        blocks = run_blocks(len(codes), ctx.positions[:1].size * LETTERS * line, scattered)
        total, shifts = (sum(parts) for parts in zip(*blocks, strict=True))
        kernels = total[:, :4, :width] + np.float32(ctx.unknown) * total[:, 4:, :width]
        shifts = torch.from_numpy(shifts) if ctx.needs_input_grad[2] else None
        return None, torch.from_numpy(kernels), shifts, *[None] * 5


def gathered_scan(
    codes: torch.Tensor,
    kernels: torch.Tensor,
    places: torch.Tensor,
    place_index: torch.Tensor,
    pool: int,
    both_strands: bool,
    padding: int,
    unknown: float,
) -> torch.Tensor:
    """`motif_scan` on any device: one convolution finds the winners, without gradient.

    Their windows are then gathered and scored once more, K values a maximum, so that autograd
    need not convolve again. Returns float32 [N, P, C].
    """
    x = one_hot(codes, unknown)
    with torch.no_grad():
        strands = _activations(x, kernels, both_strands, padding, unknown, places, place_index)
        best, where = zip(
            *(F.max_pool1d(v, pool or v.shape[-1], return_indices=True) for v in strands),
            strict=True,
        )
        reverse = torch.zeros_like(where[0], dtype=torch.bool)
        place = where[0]
        if both_strands:
            reverse = best[1] > best[0]
            place = torch.where(reverse, where[1], place)
    if not torch.is_grad_enabled() or not (kernels.requires_grad or places.requires_grad):
        return (torch.maximum(*best) if both_strands else best[0]).transpose(1, 2)
    windows = F.pad(x, (padding, padding), value=unknown).unfold(2, kernels.shape[2], 1)
    found = windows.transpose(1, 2)  # [N, W, 4, K]
    rows = torch.arange(len(codes), device=codes.device)[:, None, None]
    seen = found[rows, place]  # [N, C, P, 4, K]
    seen = torch.where(reverse[..., None, None], seen.flip(-2, -1), seen)
    shift = places[place_index[place], torch.arange(len(kernels), device=codes.device)[:, None]]
    return (torch.einsum("ncpbk,cbk->ncp", seen, kernels) + shift).transpose(1, 2)
