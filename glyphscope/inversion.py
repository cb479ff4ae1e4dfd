"""What a layer still knows of a drawing: an image whose activations there are nearly the same.

Mahendran & Vedaldi 2015 (arXiv:1412.0035): minimise ||f(x) - f(x0)||^2 / ||f(x0)||^2 plus total
variation. Here pixels are squashed into 0..1, which does the work of their alpha-norm, and Adam
takes the place of gradient descent with momentum.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from glyphscope.activations import layer_module, listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled, InvalidInput
from glyphscope.picture import Pixels
from glyphscope.preprocess import normalise
from glyphscope.spec import Frozen

GROUND = -2.0
"""Added before the sigmoid: the start is dark (0.12), as drawings are."""

LOOK_EVERY = 10
"""Steps between two reports."""


class InversionOptions(Frozen):
    """``total_variation``: weight of the mean squared step between neighbours."""

    steps: Annotated[int, Field(ge=1, le=4096)] = 200
    total_variation: Annotated[float, Field(ge=0, le=1000)] = 0.5
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0


@dataclass(frozen=True)
class Inversion:
    """``pixels``: (C, H, W). ``error``: squared distance of the activations, of ``pixels`` as they
    are, over the drawing's squared norm: 0 is the same to this layer, 1 as far as silence."""

    layer: str
    pixels: Pixels
    error: float


def invert(
    checkpoint: Checkpoint,
    pixels: Pixels,
    layer: str,
    options: InversionOptions | None = None,
    *,
    progress: Callable[[int, int], None] = lambda step, steps: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Inversion:
    """``pixels``: one drawing, uint8 (C, H, W). ``progress(step, steps)`` comes every ten steps.

    Raises ``NotFound`` for an unknown layer, ``Cancelled`` soon after ``cancelled()`` turns true.
    """
    layer_module(checkpoint.network, layer)
    if pixels.shape != checkpoint.manifest.input.shape:
        wanted = checkpoint.manifest.input.shape
        raise InvalidInput(f"a drawing must have the shape {wanted}, not {pixels.shape}")
    how = options or InversionOptions()
    with torch.inference_mode(False), torch.enable_grad():
        image = torch.from_numpy(np.ascontiguousarray(pixels)).to(checkpoint.device)[None]
        distance = _Distance.to(checkpoint, image.float() / 255, layer)
        leaf = _start(image, how.seed)
        adam = torch.optim.Adam([leaf], lr=how.learning_rate)
        for step in range(how.steps):
            if cancelled():
                raise Cancelled("the inversion was cancelled")
            adam.zero_grad()
            x = torch.sigmoid(leaf + GROUND)
            (distance.of(x) + how.total_variation * _roughness(x)).backward()
            adam.step()
            if (step + 1) % LOOK_EVERY == 0 or step == how.steps - 1:
                progress(step + 1, how.steps)
        bytes_ = (torch.sigmoid(leaf + GROUND).detach() * 255).round()
        error = float(distance.of(bytes_ / 255))
    return Inversion(layer, bytes_[0].to(torch.uint8).cpu().numpy(), error)


@dataclass(frozen=True)
class _Distance:
    checkpoint: Checkpoint
    layer: str
    wanted: Tensor

    @classmethod
    def to(cls, checkpoint: Checkpoint, image: Tensor, layer: str) -> "_Distance":
        with torch.no_grad():
            wanted = _heard(checkpoint, image, layer)
        return cls(checkpoint, layer, wanted)

    def of(self, x: Tensor) -> Tensor:
        away = _heard(self.checkpoint, x, self.layer) - self.wanted
        return away.square().sum() / self.wanted.square().sum().clamp(min=1e-12)


def _heard(checkpoint: Checkpoint, images: Tensor, layer: str) -> Tensor:
    x = normalise(images, checkpoint.manifest.input)
    with listen(checkpoint.network, [layer]) as heard:
        checkpoint.network(x.contiguous(memory_format=torch.channels_last))
    return heard[layer]


def _start(image: Tensor, seed: int) -> Tensor:
    drawn = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)) * 0.01
    return drawn.to(image.device).requires_grad_()


def _roughness(x: Tensor) -> Tensor:
    """Their V with beta 2, a mean over the image."""
    return x.diff(dim=2).square().mean() + x.diff(dim=3).square().mean()
