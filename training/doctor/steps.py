"""Measuring an optimiser step: gradients before it, weights on both sides of it."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from training.doctor.record import Step


def parameters(optimisers: Iterable[Optimizer]) -> list[Tensor]:
    return [p for o in optimisers for group in o.param_groups for p in group["params"]]


def rate(optimisers: Iterable[Optimizer]) -> float:
    """The highest learning rate of all groups."""
    return max(float(group["lr"]) for o in optimisers for group in o.param_groups)


class Measurement:
    """Made just before ``step()``, asked just after. Norms are of float32, one a parameter."""

    def __init__(self, named: Mapping[str, Tensor]) -> None:
        self._named = named
        self._before = {name: p.detach().clone() for name, p in named.items()}
        self._gradients = {
            name: p.grad.detach().float().clone()
            for name, p in named.items()
            if p.grad is not None and not p.grad.is_sparse
        }

    @property
    def silent(self) -> tuple[str, ...]:
        """Parameters that were asked for a gradient and have none. One that is zero may come from
        a dead unit, so zeros count only where there is nothing else."""
        asked = [name for name, p in self._named.items() if p.requires_grad]
        if not any(bool(g.any()) for g in self._gradients.values()):
            return tuple(asked)
        return tuple(name for name in asked if name not in self._gradients)

    def step(self, loss: float, scale: int, learning_rate: float) -> Step:
        changes = {n: p.detach() - self._before[n] for n, p in self._named.items()}
        return Step(
            loss=loss,
            rate=learning_rate,
            gradients={name: norm / scale for name, norm in _norms(self._gradients).items()},
            weights=_norms(self._before),
            updates=_norms(changes),
        )


def _norms(tensors: Mapping[str, Tensor]) -> dict[str, float]:
    if not tensors:
        return {}
    norms = torch.stack([t.detach().float().norm() for t in tensors.values()]).tolist()
    return dict(zip(tensors, norms, strict=True))
