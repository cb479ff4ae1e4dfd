"""Gradient ascent from parameters to images: the loop, the regularisers, the best image so far.

Each image's gradient is brought to a root mean square of 1, so that one weight of a regulariser
means the same for every unit of every layer.
"""

import math
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
from glyphscope.visualise.knobs import Settings
from glyphscope.visualise.objectives import Objective
from glyphscope.visualise.parameters import Decode
from glyphscope.visualise.penalties import blur_radius, blurred, penalty_gradient, rescaled
from glyphscope.visualise.redirect import redirected_relus
from glyphscope.visualise.transforms import Transform

LOOK_EVERY = 16
"""Steps between two looks of the network at the untransformed images."""

SHOW_EVERY = 4
"""Steps between two frames; the first few are shown each, as a picture changes most at first."""


@dataclass(frozen=True)
class Ascent:
    network: Network
    input: InputSpec
    objective: Objective
    diversity: Objective | None
    weight: float
    transform: Transform
    settings: Settings

    def climb(
        self,
        leaf: Tensor,
        decode: Decode,
        draws: Tensor,
        progress: Callable[[int], None],
        cancelled: Callable[[], bool],
        frame: Callable[[int, Tensor], None],
    ) -> Tensor:
        """Images (N, C, H, W) in 0..1, each the best of the looks in the second half of the steps.

        In the first half the regularisers have not had their say, and a high score of then is
        noise. Raises ``Cancelled``.
        """
        leaf = leaf.requires_grad_()
        adam = _optimiser(leaf, self.settings)
        steps = len(draws)
        best, score = decode(leaf).detach(), torch.full((len(leaf),), -torch.inf)
        for step in range(steps):
            if cancelled():
                raise Cancelled("the maximisation was cancelled")
            adam.param_groups[0]["lr"] = rate(self.settings, step)
            redirects = step < self.settings.redirect
            with redirected_relus(self.network) if redirects else nullcontext():
                self._step(leaf, decode, draws[step], adam)
            self._held(leaf, step, steps)
            last = step == steps - 1
            if last or step < SHOW_EVERY or (step + 1) % SHOW_EVERY == 0:
                images = decode(leaf).detach()
                if last or ((step + 1) % LOOK_EVERY == 0 and 2 * step >= steps):
                    best, score = self._better(best, score, images)
                frame(step + 1, images)
                progress(step + 1)
        return best

    def _step(
        self, leaf: Tensor, decode: Decode, draws: Tensor, adam: torch.optim.Optimizer
    ) -> None:
        adam.zero_grad()
        images = decode(leaf)
        seen = images.detach().requires_grad_()
        heard = self._heard(self.transform.apply(seen, draws.to(seen.device)))
        uphill = _levelled(self.objective.score(heard), seen)
        if self.diversity:
            uphill = uphill + self.weight * _levelled(self.diversity.score(heard), seen)
        images.backward(penalty_gradient(seen.detach(), self.settings.regularisers) - uphill)
        adam.step()

    def _held(self, leaf: Tensor, step: int, steps: int) -> None:
        how = self.settings.regularisers
        with torch.no_grad():
            radius = blur_radius(how, step, steps)
            if radius:
                leaf.copy_(blurred(leaf, radius * leaf.shape[-1] / 28))
            if how.norm:
                leaf.copy_(rescaled(leaf, how.norm))

    def score(self, images: Tensor) -> Tensor:
        """(N,) for images in 0..1."""
        return self.objective.score(self._heard(images))

    def _heard(self, images: Tensor) -> Mapping[str, Tensor]:
        x = normalise(images, self.input).contiguous(memory_format=torch.channels_last)
        layers = self.objective.layers | (self.diversity.layers if self.diversity else frozenset())
        return hear(self.network, x, layers)

    def _better(self, best: Tensor, score: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            found = self.score(images)
        wins = found > score
        return torch.where(wins[:, None, None, None], images, best), torch.where(wins, found, score)


def _levelled(score: Tensor, images: Tensor) -> Tensor:
    """Each image's gradient, of root mean square 1; 0 where there is none."""
    [gradient] = torch.autograd.grad(score.sum(), images, retain_graph=True)
    rms = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    return gradient / rms.clamp(min=1e-12)


def _optimiser(leaf: Tensor, settings: Settings) -> torch.optim.Optimizer:
    if settings.optimiser == "ascent":
        return torch.optim.SGD([leaf], lr=settings.learning_rate)
    return torch.optim.Adam([leaf], lr=settings.learning_rate)


def rate(settings: Settings, step: int) -> float:
    """Of this step: flat, or from the full rate to nearly 0 along half a cosine."""
    if settings.schedule == "flat":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


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
