from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from training import doctor

Step = Callable[[nn.Module, torch.optim.Optimizer, Tensor, Tensor], object]
Loop = Callable[..., doctor.Patient]


def plain(network: nn.Module, optimiser: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    loss = functional.cross_entropy(network(x), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


@pytest.fixture
def loop() -> Loop:
    """``loop(network, step, steps)``: a watched training on noise in four classes."""

    def run(
        network: nn.Module,
        step: Step = plain,
        steps: int = 6,
        optimiser: torch.optim.Optimizer | None = None,
        x: Tensor | None = None,
        y: Tensor | None = None,
    ) -> doctor.Patient:
        torch.manual_seed(0)
        x = torch.randn(32, 8) if x is None else x
        y = torch.randint(4, (len(x),)) if y is None else y
        optimiser = optimiser or torch.optim.SGD(network.parameters(), 0.01)
        with doctor.watch(network, optimiser) as patient:
            for _ in range(steps):
                step(network, optimiser, x, y)
        return patient

    return run
