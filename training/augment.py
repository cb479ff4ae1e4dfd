"""Random changes of a batch, on its device: (N, C, H, W) floats in 0..1 -> the same shape.

One grid for shift, rotation, scale, shear and mirror together, so pixels are resampled once; shift
and mirror alone move whole pixels, so fine texture stays as sharp as in the images of the test.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.recipe import AugmentRecipe


def augment(images: Tensor, how: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """``generator`` lives on the CPU, so the same seed draws the same changes on every device."""
    if how.shift or how.rotate or how.scale or how.shear or how.flip:
        theta = _affine(len(images), images.shape[-1], how, generator).to(images.device)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        images = functional.grid_sample(images, grid, align_corners=False)
    if how.erase:
        images = images * _kept(images, how.erase, generator).to(images.device)
    return images


def _affine(n: int, side: int, how: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """(N, 2, 3) maps from output to input coordinates, both in -1..1."""

    def uniform(limit: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * limit

    def whole(limit: int) -> Tensor:
        return torch.randint(-limit, limit + 1, (n,), generator=generator).float()

    angle, shear = uniform(math.radians(how.rotate)), uniform(math.radians(how.shear))
    scale_x, scale_y = 1 / (1 + uniform(how.scale)), 1 / (1 + uniform(how.scale))
    mirror = 1 - 2 * (torch.rand(n, generator=generator) < how.flip).float()
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    x = torch.stack([cos * scale_x * mirror, (cos * tan - sin) * scale_y], dim=1)
    y = torch.stack([sin * scale_x * mirror, (sin * tan + cos) * scale_y], dim=1)
    moved = torch.stack([whole(how.shift), whole(how.shift)], dim=1) * 2 / side
    return torch.cat([torch.stack([x, y], dim=1), moved[:, :, None]], dim=2)


def _kept(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """1 where the image stays, 0 in its erased rectangle of 2 % to 25 % of the area."""
    n, _, height, width = images.shape
    draw = torch.rand(n, 5, generator=generator)
    area = (0.02 + 0.23 * draw[:, 0]) * height * width
    aspect = torch.exp((draw[:, 1] * 2 - 1) * math.log(3))
    tall, wide = (area * aspect).sqrt(), (area / aspect).sqrt()
    top, left = draw[:, 2] * height - tall / 2, draw[:, 3] * width - wide / 2
    ys, xs = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    rows = (ys > top[:, None]) & (ys < (top + tall)[:, None])
    columns = (xs > left[:, None]) & (xs < (left + wide)[:, None])
    inside = rows[:, :, None] & columns[:, None, :] & (draw[:, 4] < probability)[:, None, None]
    return (~inside)[:, None].float()
