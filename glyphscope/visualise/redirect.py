"""Gradients through dead ReLUs: a unit that answers nothing gives no direction to climb in.

Where an image's whole gradient at a ReLU is blocked, it is let through at the places where climbing
would raise the input; elsewhere the true gradient stays. Lucid, ``redirected_relu_grad``.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from glyphscope.networks import Network


@contextmanager
def redirected_relus(network: Network) -> Iterator[None]:
    """Inside, in this thread, the network's ReLUs let gradients pass as said above."""
    me = threading.get_ident()

    def replace(_module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        if threading.get_ident() != me:
            return output
        redirected: Tensor = _RedirectedReLU.apply(inputs[0])  # type: ignore[no-untyped-call]
        return redirected

    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    handles = [module.register_forward_hook(replace, prepend=True) for module in relus]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


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
