"""Images -> the mixture that ``prior`` holds: k-means, then the principal axes of each cloud."""

import torch
from torch import Tensor

from glyphscope.visualise.prior import Mixture

ROUNDS = 15
"""Of k-means; after it few images still change their cloud."""

SKETCH = 60
"""Principal axes of all images together, in which the clouds are looked for."""

LEAST = 1e-4
"""Variance of a direction in which a cloud's images do not differ, as if it were two and a half
grey levels."""


def fit(images: Tensor, clouds: int, rank: int, seed: int = 0) -> Mixture:
    """``images``: (N, C, H, W) in 0..1. A cloud of fewer than ``rank`` images gets fewer axes."""
    flat = images.flatten(1)
    generator = torch.Generator().manual_seed(seed)
    sketch = _sketch(flat)
    owners = _nearest(sketch, _centres(sketch, clouds, generator))
    parts = [flat[owners == k] for k in owners.unique().tolist()]
    found = [_cloud(part, rank) for part in parts]
    means, axes, variances, noise = (torch.stack(each) for each in zip(*found, strict=True))
    shares = torch.tensor([len(part) / len(flat) for part in parts])
    _, channels, height, width = images.shape
    return Mixture((channels, height, width), means, axes, variances, noise, shares)


def _sketch(flat: Tensor) -> Tensor:
    away = flat - flat.mean(0)
    _, axes = torch.linalg.eigh(away.T @ away)
    found: Tensor = away @ axes[:, -min(SKETCH, flat.shape[1]) :]
    return found


def _centres(points: Tensor, clouds: int, generator: torch.Generator) -> Tensor:
    centres = points[torch.randperm(len(points), generator=generator)[:clouds]]
    for _ in range(ROUNDS):
        owners = _nearest(points, centres)
        sums = torch.zeros_like(centres).index_add_(0, owners, points)
        counts = owners.bincount(minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return centres


def _nearest(points: Tensor, centres: Tensor) -> Tensor:
    return torch.cat([torch.cdist(part, centres).argmin(1) for part in points.split(4096)])


def _cloud(part: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean, axes, variances, noise: the maximum-likelihood fit of Tipping & Bishop 1999."""
    mean = part.mean(0)
    dimensions = part.shape[1]
    _, spread, axes = torch.linalg.svd(part - mean, full_matrices=False)
    variances = spread.square() / max(len(part), 1)
    noise = (variances[rank:].sum() / (dimensions - rank)).clamp(min=LEAST)
    padding = max(rank - len(variances), 0)
    axes = torch.nn.functional.pad(axes[:rank], (0, 0, 0, padding))
    kept = torch.nn.functional.pad(variances[:rank], (0, padding)).clamp(min=LEAST)
    return mean, axes, kept, noise
