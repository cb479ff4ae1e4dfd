"""A drawing changed as little as it takes to change the answer.

    perturb(checkpoint, pixels, levels=8)   the strongest change of at most 8 grey levels a pixel
    smallest(checkpoint, pixels)            as few levels as change the answer

FGSM: Goodfellow, Shlens & Szegedy 2014 (arXiv:1412.6572). PGD: Madry et al. 2017
(arXiv:1706.06083), here from the image itself first and then from random starts inside the bound.
What is handed back is bytes, looked at again as bytes: it does what is said of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled, InvalidInput, NotFound
from glyphscope.picture import Pixels
from glyphscope.preprocess import normalise
from glyphscope.spec import Frozen


class AttackOptions(Frozen):
    """``target``: the class wanted; None for any other than the answer. ``starts``: of PGD, the
    first of them the image itself."""

    method: Literal["pgd", "fgsm"] = "pgd"
    target: Annotated[int, Field(ge=0)] | None = None
    steps: Annotated[int, Field(ge=1, le=1000)] = 40
    starts: Annotated[int, Field(ge=1, le=16)] = 2
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0


@dataclass(frozen=True)
class Adversarial:
    """``answer`` was given for the drawing, ``found`` is given for ``pixels`` (C, H, W), with their
    probabilities before calibration. ``levels``: the largest change of a pixel, of 255."""

    pixels: Pixels
    answer: int
    found: int
    confidence_before: float
    confidence_after: float
    levels: int
    succeeded: bool

    @property
    def distance(self) -> float:
        """L-infinity, of pixels in 0..1."""
        return self.levels / 255


def perturb(
    checkpoint: Checkpoint, pixels: Pixels, levels: int = 8, options: AttackOptions | None = None
) -> Adversarial:
    """``pixels``: one drawing, uint8 (C, H, W). Where none changes the answer, the one that came
    nearest, and ``succeeded`` is False.

    Raises ``NotFound`` for an unknown class, ``InvalidInput`` for a target that is the answer.
    """
    return _Attack.on(checkpoint, pixels, options or AttackOptions()).within(levels)


def smallest(
    checkpoint: Checkpoint,
    pixels: Pixels,
    options: AttackOptions | None = None,
    *,
    most: int = 255,
    cancelled: Callable[[], bool] = lambda: False,
) -> Adversarial:
    """By bisection over the bound, 1 to ``most`` levels; the attack may miss a smaller one.

    Raises ``Cancelled`` soon after ``cancelled()`` turns true.
    """
    attack = _Attack.on(checkpoint, pixels, options or AttackOptions())
    best = attack.within(most)
    low, high = 0, best.levels
    while best.succeeded and high - low > 1:
        if cancelled():
            raise Cancelled("the search for an adversarial example was cancelled")
        middle = (low + high) // 2
        found = attack.within(middle)
        if found.succeeded:
            best, high = found, found.levels
        else:
            low = middle
    return best


@dataclass(frozen=True)
class _Attack:
    checkpoint: Checkpoint
    image: Tensor
    answer: int
    options: AttackOptions

    @classmethod
    def on(cls, checkpoint: Checkpoint, pixels: Pixels, options: AttackOptions) -> "_Attack":
        if pixels.shape != checkpoint.manifest.input.shape:
            wanted = checkpoint.manifest.input.shape
            raise InvalidInput(f"a drawing must have the shape {wanted}, not {pixels.shape}")
        image = torch.from_numpy(np.ascontiguousarray(pixels)).to(checkpoint.device).float()[None]
        attack = cls(checkpoint, image, 0, options)
        answer = int(attack.probabilities(image).argmax())
        classes = range(len(checkpoint.labels))
        if options.target is not None and options.target not in classes:
            raise NotFound("class", options.target, classes)
        if options.target == answer:
            raise InvalidInput(f"the drawing is answered as class {answer} already")
        return cls(checkpoint, image, answer, options)

    def within(self, levels: int) -> Adversarial:
        if levels not in range(1, 256):
            raise InvalidInput(f"levels must lie in 1..255, not {levels}")
        with torch.inference_mode(False), torch.enable_grad():
            found = self._climb(levels)
        return self._told(found)

    def probabilities(self, images: Tensor) -> Tensor:
        """Of one image in 0..255, (classes,)."""
        with torch.no_grad():
            return self._logits(images).softmax(1)[0]

    def _logits(self, images: Tensor) -> Tensor:
        x = normalise(images / 255, self.checkpoint.manifest.input)
        logits: Tensor = self.checkpoint.network(x.contiguous(memory_format=torch.channels_last))
        return logits

    def _climb(self, levels: int) -> Tensor:
        """The best whole-numbered image of all starts and steps."""
        options = self.options
        fast = options.method == "fgsm"
        steps, size = (1, levels) if fast else (options.steps, 2.5 * levels / options.steps)
        low = (self.image - levels).clamp(min=0)
        high = (self.image + levels).clamp(max=255)
        best, margin = self.image, -torch.inf
        for start in self._starts(levels)[: 1 if fast else options.starts]:
            x = torch.minimum(torch.maximum(self.image + start, low), high)
            for _ in range(steps):
                x = torch.minimum(torch.maximum(x + size * self._uphill(x), low), high)
                whole = x.round()
                found = self._margin(whole)
                if found > margin:
                    best, margin = whole, found
        return best

    def _starts(self, levels: int) -> list[Tensor]:
        generator = torch.Generator().manual_seed(self.options.seed)
        shape, device = self.image.shape, self.image.device
        drawn = [
            (torch.rand(shape, generator=generator) * 2 - 1).mul(levels).to(device)
            for _ in range(self.options.starts - 1)
        ]
        return [torch.zeros_like(self.image), *drawn]

    def _uphill(self, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        logits = self._logits(x)
        wanted = self.options.target
        sign, label = (1, self.answer) if wanted is None else (-1, wanted)
        loss = sign * functional.cross_entropy(logits, torch.tensor([label], device=x.device))
        [gradient] = torch.autograd.grad(loss, x)
        return gradient.sign()

    def _margin(self, x: Tensor) -> float:
        """Above 0 where the attack succeeded: the wanted logit over the best of the others."""
        with torch.no_grad():
            logits = self._logits(x)[0]
        own = self.answer if self.options.target is None else self.options.target
        others = torch.cat([logits[:own], logits[own + 1 :]]).max()
        margin = float(logits[own] - others)
        return margin if self.options.target is not None else -margin

    def _told(self, image: Tensor) -> Adversarial:
        before, after = self.probabilities(self.image), self.probabilities(image)
        found = int(after.argmax())
        wanted = self.options.target
        return Adversarial(
            pixels=image[0].to(torch.uint8).cpu().numpy(),
            answer=self.answer,
            found=found,
            confidence_before=float(before[self.answer]),
            confidence_after=float(after[found]),
            levels=int((image - self.image).abs().max()),
            succeeded=found != self.answer if wanted is None else found == wanted,
        )
