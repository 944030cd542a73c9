"""RMSprop in one pass over memory.

PyTorch's fused optimisers on the CPU do not include RMSprop, whose seven passes cost a network with
tens of millions of weights as much as a convolution.
"""

import numpy as np
import torch

from motifloom.lanes import compiled
from motifloom.threads import share_rows

# Weights below which a second thread costs more than it saves.
_THREAD_WORTH = 500_000


class RMSprop(torch.optim.RMSprop):
    """`torch.optim.RMSprop` (Tieleman & Hinton 2012), compiled for float32 on the CPU.

    Same arguments, state and results to rounding. Momentum, centring, and weights elsewhere or of
    another type are left to PyTorch.
    """

    @torch.no_grad()
    def step(self, closure=None):
        """One update; the loss of the closure, where there is one."""
        if not all(self._is_plain(group) for group in self.param_groups):
            return super().step(closure)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            rule = (group["lr"], group["alpha"], group["eps"], group["weight_decay"])
            signed = -1.0 if group["maximize"] else 1.0
            for weights in group["params"]:
                if weights.grad is not None:
                    self._update(weights, np.array([*rule, signed], np.float32))
        return loss

    @staticmethod
    def _is_plain(group: dict) -> bool:
        if group["momentum"] or group["centered"] or isinstance(group["lr"], torch.Tensor):
            return False
        tensors = [*group["params"], *(p.grad for p in group["params"] if p.grad is not None)]
        return all(
            t.device.type == "cpu" and t.dtype == torch.float32 and t.layout == torch.strided
            for t in tensors
        ) and all(p.is_contiguous() for p in group["params"])

    def _update(self, weights: torch.Tensor, rule: np.ndarray) -> None:
        state = self.state[weights]
        if not state:
            state["step"] = torch.zeros(())
            state["square_avg"] = torch.zeros_like(weights)
        state["step"] += 1
        tensors = (weights, weights.grad.contiguous(), state["square_avg"])
        arrays = [tensor.detach().numpy().reshape(-1) for tensor in tensors]
        n = weights.numel()
        share_rows(n, lambda a, b: _update_weights(*arrays, rule, a, b), n // _THREAD_WORTH)


# A division by 0 would otherwise be looked for one by one.
@compiled(error_model="numpy")
def _update_weights(weights, gradient, squares, rule, first, last):
    """v = alpha v + (1 - alpha) g^2, w -= rate g / (sqrt(v) + eps), in weights first to last.

    rule float32: rate, alpha, eps, weight decay (added to g as that times w) and the sign of g.
    """
    rate, alpha, eps, decay, sign = rule
    rest = np.float32(1) - alpha
    for i in range(np.uintp(first), np.uintp(last)):
        slope = sign * gradient[i] + decay * weights[i]
        squares[i] = alpha * squares[i] + rest * slope * slope
        weights[i] -= rate * slope / (np.sqrt(squares[i]) + eps)
