"""Gradient ascent from parameters to images: the loop, the regularisers, the best image so far.

Adam, as in Lucid, at twice its rate for half its steps. Each image's gradient is brought to a root
mean square of 1, so that one weight of a regulariser means the same for every unit of every layer.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from glyphscope.activations import layer_module
from glyphscope.errors import Cancelled
from glyphscope.networks import Network
from glyphscope.preprocess import normalise
from glyphscope.spec import InputSpec
from glyphscope.visualise.objectives import Objective
from glyphscope.visualise.parameters import Decode
from glyphscope.visualise.redirect import redirected_relus
from glyphscope.visualise.request import Regularisers
from glyphscope.visualise.transforms import Transform

REDIRECTED_STEPS = 16
LOOK_EVERY = 16
"""Steps between two looks at the untransformed images, at progress and at a wish to cancel."""


@dataclass(frozen=True)
class Ascent:
    network: Network
    input: InputSpec
    objective: Objective
    transform: Transform
    regularisers: Regularisers
    learning_rate: float

    def climb(
        self,
        leaf: Tensor,
        decode: Decode,
        draws: Tensor,
        progress: Callable[[int], None],
        cancelled: Callable[[], bool],
    ) -> Tensor:
        """Images (N, C, H, W) in 0..1, each the best of the looks in the second half of the steps.

        In the first half the regularisers have not had their say, and a high score of then is
        noise. Raises ``Cancelled``.
        """
        leaf = leaf.requires_grad_()
        adam = torch.optim.Adam([leaf], lr=self.learning_rate)
        steps = len(draws)
        best, score = decode(leaf).detach(), torch.full((len(leaf),), -torch.inf)
        for step in range(steps):
            if step % LOOK_EVERY == 0 and cancelled():
                raise Cancelled("the maximisation was cancelled")
            with redirected_relus(self.network) if step < REDIRECTED_STEPS else nullcontext():
                self._step(leaf, decode, draws[step], adam)
            last = step == steps - 1
            if last or (step + 1) % LOOK_EVERY == 0:
                if last or 2 * step >= steps:
                    best, score = self._better(best, score, decode(leaf).detach())
                progress(step + 1)
        return best

    def _step(
        self, leaf: Tensor, decode: Decode, draws: Tensor, adam: torch.optim.Optimizer
    ) -> None:
        adam.zero_grad()
        images = decode(leaf)
        seen = images.detach().requires_grad_()
        score = self.score(self.transform.apply(seen, draws))
        [gradient] = torch.autograd.grad(score.sum(), seen)
        rms = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
        uphill = gradient / rms.clamp(min=1e-12) - penalty_gradient(seen, self.regularisers)
        images.backward(-uphill)
        adam.step()

    def score(self, images: Tensor) -> Tensor:
        """(N,) for images in 0..1."""
        heard = hear(self.network, self._prepared(images), self.objective.layers)
        return self.objective.score(heard)

    def _prepared(self, images: Tensor) -> Tensor:
        x = normalise(images, self.input)
        return x.contiguous(memory_format=torch.channels_last)

    def _better(self, best: Tensor, score: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            found = self.score(images)
        wins = found > score
        return torch.where(wins[:, None, None, None], images, best), torch.where(wins, found, score)


def penalty_gradient(images: Tensor, how: Regularisers) -> Tensor:
    """Gradient, pixel by pixel, of total variation (Mahendran & Vedaldi 2015) and of the square."""
    gradient = how.l2 * 2 * images
    for dim in (2, 3):
        # The ground goes on outside the frame, so an edge at the frame counts as well.
        padding = (0, 0, 1, 1) if dim == 2 else (1, 1, 0, 0)
        slope = nn.functional.pad(images, padding).diff(dim=dim)
        unit = slope / (slope.square() + 1e-4).sqrt()
        gradient = gradient - how.total_variation * unit.diff(dim=dim)
    return gradient.detach()


class _Reached(Exception):
    """No error: it ends a forward pass."""


def hear(
    network: Network, x: Tensor, layers: Sequence[str] | frozenset[str]
) -> Mapping[str, Tensor]:
    """Outputs of ``layers`` with their gradients; nothing behind the last of them is computed."""
    order = [layer.name for layer in network.layers if layer.name in layers]
    modules = {name: layer_module(network, name) for name in [*order, *layers]}
    me = threading.get_ident()
    heard: dict[str, Tensor] = {}

    def hook(name: str, ends: bool) -> Callable[[nn.Module, object, Tensor], None]:
        def keep(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            if threading.get_ident() == me:
                heard[name] = output
                if ends:
                    raise _Reached

        return keep

    handles = [
        modules[name].register_forward_hook(hook(name, ends=name == order[-1])) for name in order
    ]
    try:
        network(x)
    except _Reached:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return heard
