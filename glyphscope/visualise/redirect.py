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
        true = gradient * (x > 0)
        climbing = gradient * ((x > 0) | (gradient > 0))
        blocked = true.flatten(1).abs().amax(1) == 0
        return torch.where(blocked.view(-1, *[1] * (x.ndim - 1)), climbing, true)
