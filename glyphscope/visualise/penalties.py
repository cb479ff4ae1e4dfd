"""What a picture is charged for, as gradients pixel by pixel, and what is done to it outright."""

import math

import torch
from torch import Tensor, nn

from glyphscope.visualise.knobs import Regularisers


def penalty_gradient(images: Tensor, how: Regularisers) -> Tensor:
    """Of the square, of the absolute value, and of total variation (Mahendran & Vedaldi 2015)."""
    gradient = images * (2 * (how.l2 or 0))
    if how.l1:
        gradient = gradient + how.l1 * images.sign()
    if not how.total_variation:
        return gradient
    for dim in (2, 3):
        # The ground goes on outside the frame, so an edge at the frame counts as well.
        padding = (0, 0, 1, 1) if dim == 2 else (1, 1, 0, 0)
        slope = nn.functional.pad(images, padding).diff(dim=dim)
        unit = slope * (slope.square() + 1e-4).rsqrt()
        gradient = gradient - how.total_variation * unit.diff(dim=dim)
    return gradient


def blur_radius(how: Regularisers, step: int, steps: int) -> float:
    """In pixels of a side of 28, 0 for none after this step; from ``blur`` to ``blur_end``."""
    if not how.blur_every or (step + 1) % how.blur_every:
        return 0.0
    share = step / max(steps - 1, 1)
    return (1 - share) * (how.blur or 0) + share * (how.blur_end or 0)


def blurred(images: Tensor, radius: float) -> Tensor:
    """A Gaussian of that standard deviation, in pixels; the ground lies outside the frame."""
    reach = math.ceil(3 * radius)
    places = torch.arange(-reach, reach + 1, device=images.device)
    bell = torch.exp(-0.5 * (places / radius).square())
    bell = (bell / bell.sum()).expand(images.shape[1], 1, -1)
    rows = nn.functional.conv2d(images, bell[..., None], padding=(reach, 0), groups=images.shape[1])
    return nn.functional.conv2d(
        rows, bell[..., None, :], padding=(0, reach), groups=images.shape[1]
    )


def rescaled(images: Tensor, norm: float) -> Tensor:
    """Each to a root mean square of ``norm`` (Erhan et al. 2009 hold the norm)."""
    rms = images.square().mean((1, 2, 3), keepdim=True).sqrt()
    return images * (norm / rms.clamp(min=1e-12))
