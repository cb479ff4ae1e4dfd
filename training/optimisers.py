"""Optimisers and learning-rate schedules by name, from the recipe."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from training.recipe import OptimiserRecipe, ScheduleRecipe

Groups = list[dict[str, object]]

OPTIMISERS: dict[str, Callable[[Groups, OptimiserRecipe], Optimizer]] = {
    "sgd": lambda groups, o: SGD(
        groups, lr=o.learning_rate, momentum=o.momentum, nesterov=o.nesterov and o.momentum > 0
    ),
    "adam": lambda groups, o: Adam(groups, lr=o.learning_rate, betas=(o.momentum, o.beta2)),
    "adamw": lambda groups, o: AdamW(groups, lr=o.learning_rate, betas=(o.momentum, o.beta2)),
    "rmsprop": lambda groups, o: RMSprop(
        groups, lr=o.learning_rate, alpha=o.beta2, momentum=o.momentum
    ),
}


def optimiser(network: nn.Module, how: OptimiserRecipe) -> Optimizer:
    """Weight decay acts on matrices and kernels, not on biases and batch norm's scales."""
    return OPTIMISERS[how.name](_groups(network.parameters(), how.weight_decay), how)


def _groups(parameters: Iterable[nn.Parameter], decay: float) -> Groups:
    every = list(parameters)
    return [
        {"params": [p for p in every if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in every if p.ndim <= 1], "weight_decay": 0.0},
    ]


def factor(how: ScheduleRecipe, step: int, steps: int) -> float:
    """What the learning rate is multiplied by at ``step`` of ``steps``."""
    if how.name == "constant":
        return 1.0
    done = (step + 1) / steps
    if done < how.warmup:
        return done / how.warmup
    return 0.5 * (1 + math.cos(math.pi * (done - how.warmup) / (1 - how.warmup)))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = value
