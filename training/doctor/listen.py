"""Hearing a plain loop: calls of loss and activation functions, also where no module is used.

PyTorch's function mode sees every call of torch, torch.nn.functional and Tensor methods in its
``with`` block, so neither the loop nor the network has to be changed for it.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

LOSSES: dict[Any, str] = {
    functional.cross_entropy: "cross_entropy",
    functional.nll_loss: "nll_loss",
    functional.mse_loss: "mse_loss",
    functional.binary_cross_entropy: "binary_cross_entropy",
    functional.binary_cross_entropy_with_logits: "binary_cross_entropy_with_logits",
}

ACTIVATIONS: dict[Any, str] = {
    **dict.fromkeys((functional.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), "relu"),
    functional.relu6: "relu",
    **dict.fromkeys((functional.sigmoid, torch.sigmoid, Tensor.sigmoid), "sigmoid"),
    **dict.fromkeys((functional.tanh, torch.tanh, Tensor.tanh), "tanh"),
    functional.leaky_relu: "leaky_relu",
    functional.elu: "elu",
    functional.gelu: "gelu",
    functional.silu: "silu",
}


@dataclass(frozen=True)
class LossCall:
    """A loss function was called. ``mean`` is the loss an image; ``scale`` how many times that the
    function gave, which is the number of images where it sums."""

    name: str
    outputs: Tensor
    target: Tensor
    mean: float
    scale: int


class Listener(TorchFunctionMode):
    """``before_loss`` hears a loss before it is computed, since a bad label ends the program."""

    def __init__(
        self,
        before_loss: Callable[[str, Tensor, Tensor], None],
        heard_loss: Callable[[LossCall], None],
        heard_activation: Callable[[str, Tensor], None],
        heard_backward: Callable[[Tensor], None],
    ) -> None:
        super().__init__()
        self._before_loss = before_loss
        self._heard_loss = heard_loss
        self._heard_activation = heard_activation
        self._heard_backward = heard_backward

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if func in LOSSES:
            return self._loss(func, args, named)
        if func is Tensor.backward and isinstance(args[0], Tensor):
            self._heard_backward(args[0])
        result = func(*args, **named)
        if func in ACTIVATIONS and isinstance(result, Tensor):
            self._heard_activation(ACTIVATIONS[func], result)
        return result

    def _loss(self, func: Any, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
        given = inspect.signature(func).bind(*args, **named)
        given.apply_defaults()
        name, outputs = LOSSES[func], given.arguments["input"]
        target, ignored = given.arguments["target"], given.arguments.get("ignore_index")
        counted = target if ignored is None else target[target != ignored]
        self._before_loss(name, outputs, counted)
        value = func(*args, **named)
        terms = counted if name in ("cross_entropy", "nll_loss") else outputs
        scale = 1 if given.arguments["reduction"] == "mean" else max(terms.numel(), 1)
        mean = float(value.detach().float().sum()) / scale
        self._heard_loss(LossCall(name, outputs, target, mean, scale))
        return value
