"""Small random changes between image and network, so that a picture cannot win by single pixels.

    Transform = numbers it draws + apply(images (N, C, H, W), draws (N, k) in -1..1)

Numbers are drawn for every image by itself and for all steps at once; a step costs no Python an
image. Sizes are relative to the side: Lucid's (pad 12, jitter 8, scale 10 %) are for 224 pixels and
would tear a drawing of 28 apart.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.visualise.knobs import Warp


@dataclass(frozen=True)
class Transform:
    draws: int
    apply: Callable[[Tensor, Tensor], Tensor]


def transform(sizes: Warp) -> Transform:
    """Nothing where every size is 0: the images go through untouched."""
    if sizes == Warp():
        return Transform(0, lambda images, _draws: images)
    return Transform(4, lambda images, draws: _resampled(images, matrices(sizes, draws)))


def matrices(sizes: Warp, draws: Tensor) -> Tensor:
    """(..., 4) -> (..., 2, 3), where each pixel of the outcome is looked up: turn, scale, shift.

    What comes in from outside is 0, the ground, as if the image had been padded with it.
    """
    angle = draws[..., 0] * math.radians(sizes.degrees)
    zoom = 1 / (1 + sizes.scale * draws[..., 1])
    shift = draws[..., 2:] * 2 * sizes.jitter  # the sampling grid is 2 wide
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    rows = torch.stack([cos, -sin, shift[..., 0], sin, cos, shift[..., 1]], dim=-1)
    return rows.view(*rows.shape[:-1], 2, 3)


def _resampled(images: Tensor, theta: Tensor) -> Tensor:
    """One resampling for all of it, so that a warp blurs once."""
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def draw(transform: Transform, steps: int, seeds: Sequence[int]) -> Tensor:
    """(steps, N, draws), uniform in -1..1, image by image from its own seed."""
    numbers = [
        torch.rand(steps, transform.draws, generator=torch.Generator().manual_seed(seed))
        for seed in seeds
    ]
    return torch.stack(numbers, dim=1) * 2 - 1
