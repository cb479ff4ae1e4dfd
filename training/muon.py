"""Muon: a matrix moves by its gradient with every singular value brought near 1.

Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks". A convolution's
kernel is the matrix of its output channels by all that each of them weighs. Every update has the
size 0.2 * sqrt(larger side), AdamW's own (Liu et al. 2025, arXiv:2502.16982, section 2.2), so one
learning rate serves both. ``torch.optim.Muon`` takes no kernels and is always bfloat16.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Of the quintic: steepest at zero, at the price of singular values that end in 0.7..1.2."""

ITERATIONS = 5

MATCH_ADAMW = 0.2

Groups = list[dict[str, Any]]


class Muon(Optimizer):
    """Groups with ``matrices`` set move by Muon, all others by AdamW. Decay is decoupled in both.

    ``momentum`` is Muon's, with Nesterov's look ahead; ``betas`` and ``eps`` are AdamW's.
    ``precision`` is the iteration's: bfloat16, its authors' own, where the hardware multiplies it.
    256 by 2,304 numbers then take 8 to 12 ms and not 26 (one CPU core with AMX, medians of 15).
    """

    def __init__(
        self,
        groups: Groups,
        lr: float = 1e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        betas: tuple[float, float] = (0.9, 0.99),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "matrices": False,
        }
        super().__init__(groups, defaults)
        self.precision = precision

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["matrices"]:
                for p in parameters:
                    self._turn(p, group)
            else:
                self._adamw(parameters, group)
        return loss

    def _turn(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p)
        gradient, buffer, mu = p.grad, state["momentum_buffer"], group["momentum"]
        assert gradient is not None
        buffer.lerp_(gradient, 1 - mu)
        ahead = gradient.lerp(buffer, mu) if group["nesterov"] else buffer
        # Which order the columns stand in changes nothing: it is undone by the same reshaping.
        matrix = ahead.flatten(1)
        turned = orthogonalise(matrix.to(self.precision)).to(p.dtype).view(p.shape)
        size = MATCH_ADAMW * math.sqrt(max(matrix.shape))
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(turned, alpha=-group["lr"] * size)

    def _adamw(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for p in parameters:
            if not self.state[p]:
                self.state[p]["step"] = torch.zeros((), device=p.device)
                self.state[p]["exp_avg"] = torch.zeros_like(p)
                self.state[p]["exp_avg_sq"] = torch.zeros_like(p)
        states = [self.state[p] for p in parameters]
        if not parameters:
            return
        adamw(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )


def orthogonalise(matrix: Tensor) -> Tensor:
    """Singular vectors kept, singular values near 1, by Newton-Schulz iteration: products only."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
