"""Outlier exposure: in every batch a few images of no class, on which no class may win.

Hendrycks, Mazeika and Dietterich 2019 (arXiv:1812.04606): the loss of such an image is its cross-
entropy to all classes alike, times 0.5. They took another data set's images; here they are made of
the batch, so nothing else need be at hand. Since no loss moves the mean of the logits, logits that
are alike are near zero, and the energy, by which the service says "not sure", is high.
"""

import torch
from torch import Tensor

WEIGHT = 0.5
"""Their lambda for pictures, section 4.3."""


def strangers(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count, C, H, W) floats in 0..1 made of as many of ``images``, on their device.

    A third have their pixels shuffled, all channels alike; a third are noise, pixels drawn one by
    one, from mostly dark to mostly light; a third are one level, or colour, all over.
    """
    like = images[:count]
    kinds = torch.randint(0, 3, (len(like), 1, 1, 1), generator=generator).to(images.device)
    made = (_shuffled(like, generator), _noise(like, generator), _flat(like, generator))
    found = torch.zeros_like(like)
    for kind, some in enumerate(made):
        found = torch.where(kinds == kind, some.to(images.device), found)
    return found


def loss(logits: Tensor) -> Tensor:
    """Half the mean cross-entropy of (N, K) logits to all classes alike, so ln K / 2 at least."""
    return WEIGHT * (logits.logsumexp(1) - logits.mean(1)).mean()


def _shuffled(images: Tensor, generator: torch.Generator) -> Tensor:
    n, channels, height, width = images.shape
    order = torch.rand(n, height * width, generator=generator).argsort(1).to(images.device)
    return images.flatten(2).gather(2, order[:, None].expand(-1, channels, -1)).view_as(images)


def _noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform to a power of 1/4 to 4, one for each image."""
    power = 4 ** (torch.rand(len(images), 1, 1, 1, generator=generator) * 2 - 1)
    return torch.rand(images.shape, generator=generator) ** power


def _flat(images: Tensor, generator: torch.Generator) -> Tensor:
    level = torch.rand(*images.shape[:2], 1, 1, generator=generator)
    return level.expand(images.shape)
