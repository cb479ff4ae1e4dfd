"""Small random changes between image and network, so that a picture cannot win by single pixels.

    draw(Warp, steps, seeds)                      ->  (steps, N, 3, 2), one an image and step
    warped(images, places(H, W) @ warps[step])    ->  (N, C, H, W)

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
    """(..., 4) in -1..1 -> (..., 3, 2), where each pixel of the outcome is looked up: turn, scale,
    shift across and down."""
    angle = draws[..., 0] * math.radians(sizes.degrees)
    zoom = 1 / (1 + sizes.scale * draws[..., 1])
    shift = draws[..., 2:] * 2 * sizes.jitter  # the sampling grid is 2 wide
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    columns = torch.stack([cos, sin, -sin, cos, shift[..., 0], shift[..., 1]], dim=-1)
    return columns.view(*columns.shape[:-1], 3, 2)


def places(height: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """(H * W, 3): x, y and 1 of every pixel's middle, both from -1 to 1 between the edges."""
    y = (2 * torch.arange(height, device=device) + 1) / height - 1
    x = (2 * torch.arange(width, device=device) + 1) / width - 1
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([columns, rows, torch.ones_like(rows)], dim=-1).flatten(0, 1)


def warped(images: Tensor, looked_up: Tensor) -> Tensor:
    """``looked_up`` (N, H * W, 2). One resampling for all of it, so that it blurs once. What comes
    in from outside is 0, the ground, as if the images had been padded with it."""
    grid = looked_up.view(len(images), *images.shape[2:], 2)
    return functional.grid_sample(images, grid, align_corners=False)
