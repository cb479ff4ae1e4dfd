"""Small random changes between image and network, so that a picture cannot win by single pixels.

    draw(Warp, steps, seeds)      ->  (steps, N, 2, 3), one warp an image and step
    warped(images, warps[step])   ->  (N, C, H, W)

Numbers are drawn for every image by itself and for all steps at once; a step costs no Python an
image. Sizes are relative to the side: Lucid's (pad 12, jitter 8, scale 10 %) are for 224 pixels and
would tear a drawing of 28 apart.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.visualise.knobs import Warp

_NUMBERS = 4


def draw(sizes: Warp, steps: int, seeds: Sequence[int]) -> Tensor:
    """Each from its own seed."""
    numbers = [
        torch.rand(steps, _NUMBERS, generator=torch.Generator().manual_seed(seed)) for seed in seeds
    ]
    return matrices(sizes, torch.stack(numbers, dim=1) * 2 - 1)


def matrices(sizes: Warp, draws: Tensor) -> Tensor:
    """(..., 4) in -1..1 -> (..., 2, 3), where each pixel of the outcome is looked up: turn, scale,
    shift down and across."""
    angle = draws[..., 0] * math.radians(sizes.degrees)
    zoom = 1 / (1 + sizes.scale * draws[..., 1])
    shift = draws[..., 2:] * 2 * sizes.jitter  # the sampling grid is 2 wide
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    rows = torch.stack([cos, -sin, shift[..., 0], sin, cos, shift[..., 1]], dim=-1)
    return rows.view(*rows.shape[:-1], 2, 3)


def warped(images: Tensor, warps: Tensor) -> Tensor:
    """One resampling for all of it, so that it blurs once. What comes in from outside is 0, the
    ground, as if the images had been padded with it."""
    grid = functional.affine_grid(warps, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
