"""Small random changes between image and network, so that a picture cannot win by single pixels.

    Transform = numbers it draws + apply(images (N, C, H, W), draws (N, k) in -1..1)

Numbers are drawn for every image by itself and for all steps at once; a step costs no Python an
image. Sizes are for 28 pixels; Lucid's (pad 12, jitter 8, scale 10 %) are for 224.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Transform:
    draws: int
    apply: Callable[[Tensor, Tensor], Tensor]


def warp(jitter: float, degrees: float, share: float) -> Transform:
    """Shift by up to ``jitter`` pixels, turn by ``degrees``, scale by ``share``: one resampling.

    What comes in from outside is 0, the ground, as if the image had been padded with it.
    """

    def apply(images: Tensor, draws: Tensor) -> Tensor:
        angle = draws[:, 0] * math.radians(degrees)
        zoom = 1 / (1 + share * draws[:, 1])
        shift = draws[:, 2:] * 2 * jitter / images.shape[-1]
        cos, sin = angle.cos() * zoom, angle.sin() * zoom
        rows = torch.stack([cos, -sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1)
        theta = rows.view(-1, 2, 3).to(images.device)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)

    return Transform(4, apply)


def compose(transforms: Sequence[Transform]) -> Transform:
    """One after the other; none leaves the images as they are."""

    def apply(images: Tensor, draws: Tensor) -> Tensor:
        first = 0
        for transform in transforms:
            images = transform.apply(images, draws[:, first : first + transform.draws])
            first += transform.draws
        return images

    return Transform(sum(t.draws for t in transforms), apply)


TRANSFORMS: dict[str, list[Transform]] = {
    "small": [warp(jitter=2, degrees=5, share=0.05)],
    "none": [],
}


def draw(transform: Transform, steps: int, seeds: Sequence[int]) -> Tensor:
    """(steps, N, draws), uniform in -1..1, image by image from its own seed."""
    numbers = [
        torch.rand(steps, transform.draws, generator=torch.Generator().manual_seed(seed))
        for seed in seeds
    ]
    return torch.stack(numbers, dim=1) * 2 - 1
