"""Dropout in one pass over memory.

PyTorch's dropout on the CPU draws its mask number by number on one thread, keeps it, and takes
three passes; in DanQ it costs as much as all kernels over all windows. Here an element is dropped
by a hash of its place and of a key, which is drawn from PyTorch's generator once a call: nothing is
kept but the key, and the result depends on neither threads nor time.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from motifloom.lanes import compiled
from motifloom.threads import share_rows

# Elements below which a second thread costs more than it saves.
_THREAD_WORTH = 200_000


class Dropout(nn.Dropout):
    """`nn.Dropout`, with masks of its own for float32 on the CPU.

    Zeroes elements with chance p and multiplies the others by 1 / (1 - p), in training alone.
    `torch.manual_seed` makes it repeatable.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As many elements as x, of any shape."""
        own = x.device.type == "cpu" and x.dtype == torch.float32 and 0 < self.p < 1
        if not own or not self.training:
            return F.dropout(x, self.p, self.training)
        key = int(torch.randint(1 << 62, ()))
        return _Dropped.apply(x, self.p, key)


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, chance, key):
        ctx.chance, ctx.key = chance, key
        return dropped(x, chance, key)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        return dropped(gradient, ctx.chance, ctx.key), None, None


def dropped(x: torch.Tensor, chance: float, key: int) -> torch.Tensor:
    """x, float32, with elements dropped with `chance` < 1 and the others scaled.

    The key, below 2^62, says which: the same ones in every tensor of this size.
    """
    x = x.detach().contiguous()
    result = torch.empty_like(x)
    arrays = [tensor.numpy().reshape(-1) for tensor in (x, result)]
    limit, scale = np.uint32(chance * 2**32), np.float32(1 / (1 - chance))
    keys = np.uint32(key & 0xFFFFFFFF), np.uint32(key >> 32)

    def drop(first, last):
        _drop(*arrays, *keys, limit, scale, first, last)

    share_rows(x.numel(), drop, x.numel() // _THREAD_WORTH)
    return result


@compiled()
def _drop(x, result, low, high, limit, scale, first, last):
    """Elements first to last of `dropped`, into `result`."""
    for i in range(np.uintp(first), np.uintp(last)):
        kept = _mix(np.uint32(_mix(np.uint32(np.uint32(i) + low)) + high)) >= limit
        result[i] = x[i] * scale if kept else np.float32(0)


@compiled(inline="always")
def _mix(x):
    """A hash of 32 bits that is one to one: Chris Wellons' lowbias32 (2018)."""
    x = np.uint32(x ^ (x >> np.uint32(16)))
    x = np.uint32(x * np.uint32(0x7FEB352D))
    x = np.uint32(x ^ (x >> np.uint32(15)))
    x = np.uint32(x * np.uint32(0x846CA68B))
    return np.uint32(x ^ (x >> np.uint32(16)))
