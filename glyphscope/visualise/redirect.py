"""Gradients through dead ReLUs: a unit that answers nothing gives no direction to climb in.

Where an image's whole gradient at a ReLU is blocked, it is let through at the places where climbing
would raise the input; elsewhere the true gradient stays. Lucid, ``redirected_relu_grad``.
"""

from typing import Any

import torch
from torch import Tensor


def redirected_relu(x: Tensor) -> Tensor:
    redirected: Tensor = _RedirectedReLU.apply(x)  # type: ignore[no-untyped-call]
    return redirected


class _RedirectedReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (x,), gradient = ctx.saved_tensors, gradients[0]
        true: Tensor = torch.ops.aten.threshold_backward(gradient, x, 0)
        blocked = true.abs().amax(tuple(range(1, x.ndim))) == 0
        if not blocked.any():
            return true
        climbing = gradient * ((x > 0) | (gradient > 0))
        return torch.where(blocked.view(-1, *[1] * (x.ndim - 1)), climbing, true)
