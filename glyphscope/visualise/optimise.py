"""Gradient ascent from parameters to images: the loop, the regularisers, the best image so far.

Each image's gradient is brought to a root mean square of 1, so that one weight of a regulariser
means the same for every unit of every layer.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from glyphscope.spec import InputSpec
from glyphscope.visualise.knobs import Settings
from glyphscope.visualise.objectives import Objective
from glyphscope.visualise.parameters import Decode
from glyphscope.visualise.penalties import blur_radius, blurred, penalty_gradient, rescaled
from glyphscope.visualise.prior import Prior
from glyphscope.visualise.replay import replayed
from glyphscope.visualise.transforms import places, warped
from glyphscope.visualise.trunk import Trunk

LOOK_EVERY = 16
"""Steps between two looks at the untransformed images."""

SHOW_EVERY = 4
"""Steps between two frames, which are there anyway; of the first steps each is shown, as a picture
changes most at first."""

WATCHED_SIDE = 64
"""From this side on a step takes so long that a wish to stop is heard inside of it."""

Shown = Callable[[int, Tensor], None]


@dataclass(frozen=True)
class Ascent:
    """``trunk`` answers what ``objective`` and ``diversity`` listen to; ``diversity`` counts
    ``weight`` times; ``prior`` is what the settings' charge of that name is of."""

    trunk: Trunk
    input: InputSpec
    objective: Objective
    settings: Settings
    diversity: Objective | None = None
    weight: float = 0.0
    prior: Prior | None = None

    def climb(
        self,
        leaf: Tensor,
        decode: Decode,
        warps: Tensor | None,
        watch: Callable[[], None],
        shown: Shown,
    ) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) in 0..1, each the best of the looks in the second half of the steps,
        and (N,) whether one of these looks found a gradient to climb along.

        In the first half the regularisers have not had their say, and a high score of then is
        noise. ``watch`` is called often, and stops it by raising. ``shown(step, images)`` is told
        every few steps what the images are after so many of them.
        """
        climb = _Climb(self, leaf, decode, warps, watch)
        steps, redirect = self.settings.steps, self.settings.redirect
        true_step = replayed(climb.step, leaf.device)
        for step in range(steps):
            watch()
            climb.prepare(step)
            if step < redirect:
                climb.step(redirect=True)
            else:
                true_step()
            if step % SHOW_EVERY == 0 or step < SHOW_EVERY:
                shown(step, climb.images)
            climb.hold(step)
            last = step == steps - 1
            if (last or (step + 1) % LOOK_EVERY == 0) and (last or 2 * step >= steps):
                climb.look()
                if climb.settled():
                    break
        shown(steps, climb.best)
        return climb.best, climb.felt


class _Climb:
    """One batch on its way up.

    images  (N, C, H, W), before the step at hand     best    (N, C, H, W), the best looked at
    slope   (N, 1, 1, 1), root mean square            score   (N,), of the best
    felt    (N,), whether there was a slope           missed  (N,), looks since a better one
    """

    def __init__(
        self,
        how: Ascent,
        leaf: Tensor,
        decode: Decode,
        warps: Tensor | None,
        watch: Callable[[], None],
    ) -> None:
        self._how, self._settings = how, how.settings
        self._leaf, self._decode = leaf.requires_grad_(), decode
        self._warps, self._warp = warps, None if warps is None else warps[0].clone()
        device, n = leaf.device, len(leaf)
        self._places = places(*how.input.shape[1:], device)
        self._mean = torch.tensor(how.input.mean, device=device).view(1, -1, 1, 1)
        self._scale = 1 / torch.tensor(how.input.std, device=device).view(1, -1, 1, 1)
        self._rate = torch.tensor(how.settings.learning_rate, device=device)
        self._adam = _Adam(leaf.detach(), self._rate)
        self.images = decode(leaf).detach()
        self._watch = watch if min(self.images.shape[2:]) >= WATCHED_SIDE else None
        self.slope = torch.zeros(n, 1, 1, 1, device=device)
        self.best = self.images
        self.score = torch.full((n,), -torch.inf, device=device)
        self.felt = torch.zeros(n, dtype=torch.bool, device=device)
        self.missed = torch.zeros(n, dtype=torch.int32, device=device)

    def prepare(self, step: int) -> None:
        """What differs from step to step goes into the tensors that every step reads."""
        self._rate.fill_(rate(self._settings, step))
        if self._settings.optimiser == "adam":
            self._adam.prepare(step)
        if self._warp is not None and self._warps is not None:
            self._warp.copy_(self._warps[step])

    def step(self, redirect: bool = False) -> None:
        images = self._decode(self._leaf)
        seen = images.detach().requires_grad_()
        uphill = self._uphill(seen, redirect)
        downhill = self._charges(seen.detach()) - uphill
        [gradient] = torch.autograd.grad(images, self._leaf, downhill)
        self.images = seen.detach()
        with torch.no_grad():
            if self._settings.optimiser == "adam":
                self._adam.descend(gradient)
            else:
                self._leaf.sub_(self._rate * gradient)

    def _charges(self, images: Tensor) -> Tensor:
        how = self._settings.regularisers
        gradient = penalty_gradient(images, how)
        if not how.prior or self._how.prior is None:
            return gradient
        return gradient + how.prior * (images - self._how.prior.denoised(images))

    def hold(self, step: int) -> None:
        """Blur and norm, which are no gradients but done outright; pixels stay in their range."""
        how = self._settings.regularisers
        radius = blur_radius(how, step, self._settings.steps)
        with torch.no_grad():
            if radius:
                self._leaf.copy_(blurred(self._leaf, radius * self._leaf.shape[-1] / 28))
            if self._settings.parameterisation == "natural":
                self._leaf.clamp_(0, 1)
            if how.norm:
                self._leaf.copy_(rescaled(self._leaf, how.norm))

    def look(self) -> None:
        with torch.no_grad():
            images = self._decode(self._leaf)
            found = self._how.objective.score(self._heard(images, redirect=False))
            wins = (found > self.score) & ~self._still()
            self.best = torch.where(wins[:, None, None, None], images, self.best)
            self.score = torch.where(wins, found, self.score)
            self.felt = self.felt | (self.slope[:, 0, 0, 0] > 0)
            self.missed = torch.where(wins, 0, self.missed + 1)

    def settled(self) -> bool:
        """All of them; one by one they are left alone before, so that none waits for a neighbour
        to be what it is."""
        return self._settings.patience > 0 and bool(self._still().all())

    def _still(self) -> Tensor:
        patience = self._settings.patience
        return (self.missed >= patience) & (patience > 0)

    def _uphill(self, seen: Tensor, redirect: bool) -> Tensor:
        x = seen if self._warp is None else warped(seen, self._places @ self._warp)
        heard = self._heard(x, redirect)
        two = self._how.diversity is not None
        [gradient] = torch.autograd.grad(
            self._how.objective.score(heard).sum(), seen, retain_graph=two
        )
        self.slope = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
        uphill = gradient / self.slope.clamp(min=1e-12)
        if self._how.diversity is None:
            return uphill
        [apart] = torch.autograd.grad(self._how.diversity.score(heard).sum(), seen)
        steep = apart.square().mean((1, 2, 3), keepdim=True).sqrt()
        return uphill + self._how.weight * apart / steep.clamp(min=1e-12)

    def _heard(self, images: Tensor, redirect: bool) -> dict[str, Tensor]:
        x = (images - self._mean) * self._scale
        x = x.contiguous(memory_format=torch.channels_last)
        return self._how.trunk(x, redirect=redirect, watch=self._watch)


class _Adam:
    """Kingma & Ba 2015 (arXiv:1412.6980), for one tensor and with its rate in another, so that a
    recorded step takes the rate of its turn. torch's own takes a tenth of a step at 28 pixels."""

    first, second = 0.9, 0.999

    def __init__(self, leaf: Tensor, rate: Tensor) -> None:
        self._leaf, self._rate = leaf, rate
        self._mean, self._square = torch.zeros_like(leaf), torch.zeros_like(leaf)
        self._spread = torch.ones_like(rate)

    def prepare(self, step: int) -> None:
        """Both means start at 0: what that takes away is given back (section 3)."""
        self._spread.fill_((1 - self.second ** (step + 1)) ** -0.5)
        self._rate.div_(1 - self.first ** (step + 1))

    def descend(self, gradient: Tensor) -> None:
        self._mean.lerp_(gradient, 1 - self.first)
        self._square.mul_(self.second).addcmul_(gradient, gradient, value=1 - self.second)
        root = self._square.sqrt().mul_(self._spread).add_(1e-8)
        self._leaf.sub_(self._mean.div(root).mul_(self._rate))


def rate(settings: Settings, step: int) -> float:
    """Of this step: flat, or from the full rate to nearly 0 along half a cosine."""
    if settings.schedule == "flat":
        return settings.learning_rate
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
