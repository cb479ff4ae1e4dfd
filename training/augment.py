"""Random changes of a batch, on its device: (N, C, H, W) floats in 0..1 -> the same shape.

Strokes grow or shrink; then one grid for shift, rotation, scale, shear, mirror and elastic field
together, so pixels are resampled once (shift and mirror alone move whole pixels, so fine texture
stays as sharp as in the images of the test); then a rectangle is erased.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.errors import InvalidRecipe
from training import data
from training.recipe import AugmentRecipe


def check(how: AugmentRecipe, dataset: str) -> None:
    """A mirrored 2 or N is no longer one: ``flip`` needs a data set whose classes stay."""
    if how.flip and not data.source(dataset).mirrors:
        allowed = [name for name, source in data.SOURCES.items() if source.mirrors]
        raise InvalidRecipe(
            f"augment.flip is {how.flip:g}, but a mirror image changes the classes of {dataset}; "
            f"flip is for {', '.join(allowed)}, folder:PATH and npz:PATH"
        )


def augment(images: Tensor, how: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """``generator`` lives on the CPU, so the same seed draws the same changes on every device."""
    if how.thickness:
        images = thicken(images, _uniform(len(images), how.thickness, generator))
    if how.shift or how.rotate or how.scale or how.shear or how.flip or how.elastic:
        grid = _grid(images, how, generator)
        images = functional.grid_sample(images, grid, padding_mode=how.border, align_corners=False)
    if how.erase:
        images = images * _kept(images, how.erase, generator).to(images.device)
    return images


def thicken(images: Tensor, by: Tensor) -> Tensor:
    """Light strokes grown by ``by`` (N,) pixels on each side, shrunk where it is negative; -1..1.

    Grey dilation or erosion by a cross of 3x3 pixels, blended with the image for a part of a pixel.
    """
    share = by.to(images.device)[:, None, None, None]
    sign = torch.where(share < 0, -1.0, 1.0)
    changed = sign * _dilated(sign * images)
    return images + share.abs() * (changed - images)


def _dilated(images: Tensor) -> Tensor:
    """The highest of a pixel and its four neighbours; erosion is this of the negative."""
    across = functional.max_pool2d(images, (1, 3), stride=1, padding=(0, 1))
    return torch.maximum(across, functional.max_pool2d(images, (3, 1), stride=1, padding=(1, 0)))


def _grid(images: Tensor, how: AugmentRecipe, generator: torch.Generator) -> Tensor:
    """(N, H, W, 2): where each pixel of the result is read, x and y in -1..1."""
    n, _, height, width = images.shape
    theta = _affine(n, height, width, how, generator).to(images.device)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    if not how.elastic:
        return grid
    noise = torch.rand(n, 2, height, width, generator=generator).to(images.device) * 2 - 1
    field = elastic_field(noise, how.elastic, how.elastic_sigma)
    pixels = torch.tensor([2 / width, 2 / height], device=images.device)
    return grid + field.permute(0, 2, 3, 1) * pixels


def elastic_field(noise: Tensor, alpha: float, sigma: float) -> Tensor:
    """Displacements in pixels, (N, 2, H, W) as x and y, from noise in -1..1.

    Simard et al. 2003, "Best practices for convolutional neural networks applied to visual document
    analysis", section 2: noise smoothed by a Gaussian of ``sigma`` pixels, times ``alpha``.
    """
    height, width = noise.shape[2:]
    return alpha * (_gaussian(height, sigma, noise) @ noise @ _gaussian(width, sigma, noise))


def _gaussian(side: int, sigma: float, like: Tensor) -> Tensor:
    """(side, side), symmetric: a product with it smooths along one axis, with zeros outside."""
    reach = int(4 * sigma + 0.5)
    place = torch.arange(side, device=like.device, dtype=like.dtype)
    apart = place[:, None] - place
    weight = torch.exp(-0.5 * (apart / sigma) ** 2) * (apart.abs() <= reach)
    around = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
    return weight / torch.exp(-0.5 * (around / sigma) ** 2).sum()


def _uniform(n: int, limit: float, generator: torch.Generator) -> Tensor:
    return (torch.rand(n, generator=generator) * 2 - 1) * limit


def _affine(
    n: int, height: int, width: int, how: AugmentRecipe, generator: torch.Generator
) -> Tensor:
    """(N, 2, 3) maps from output to input coordinates, both in -1..1."""

    def whole(limit: int) -> Tensor:
        return torch.randint(-limit, limit + 1, (n,), generator=generator).float()

    angle = _uniform(n, math.radians(how.rotate), generator)
    shear = _uniform(n, math.radians(how.shear), generator)
    scale_x = 1 / (1 + _uniform(n, how.scale, generator))
    scale_y = 1 / (1 + _uniform(n, how.scale, generator))
    mirror = 1 - 2 * (torch.rand(n, generator=generator) < how.flip).float()
    cos, sin, tan = angle.cos(), angle.sin(), shear.tan()
    # Coordinates run over -1..1 on both axes, so on a frame that is no square they must be brought
    # to pixels of one length before they are turned.
    aspect = height / width
    x = torch.stack([cos * scale_x * mirror, (cos * tan - sin) * scale_y * aspect], dim=1)
    y = torch.stack([sin * scale_x * mirror / aspect, (sin * tan + cos) * scale_y], dim=1)
    moved = torch.stack([whole(how.shift) / width, whole(how.shift) / height], dim=1) * 2
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
