"""How rough a picture is: two figures that tell noise from strokes, of images in 0..1.

high_frequency   mean square of what remains above 0.25 cycles a pixel
total_variation  mean absolute step to the pixel below plus that to the pixel on the right

A figure says little alone; against the median of a unit's own best real images it does, and those
medians are in ``statistics.safetensors``.
"""

import torch
from torch import Tensor

CUTOFF = 0.25
"""Cycles a pixel, in any direction: half of what the pixel grid can carry along an axis."""


def high_frequency(images: Tensor) -> Tensor:
    """(N, C, H, W) in 0..1 -> (N,). By Parseval's theorem the spectrum's share is the pixels'."""
    height, width = images.shape[-2:]
    rows = torch.fft.fftfreq(height, device=images.device)[:, None]
    columns = torch.fft.fftfreq(width, device=images.device)[None]
    kept = (rows**2 + columns**2).sqrt() > CUTOFF
    energy: Tensor = torch.fft.fft2(images.float()).abs().square() * kept
    return energy.sum((2, 3)).mean(1) / (height * width) ** 2


def total_variation(images: Tensor) -> Tensor:
    """(N, C, H, W) in 0..1 -> (N,). Steps inside the frame only."""
    values = images.float()
    down, right = values.diff(dim=2).abs(), values.diff(dim=3).abs()
    return (down.sum((1, 2, 3)) + right.sum((1, 2, 3))) / values[0].numel()
