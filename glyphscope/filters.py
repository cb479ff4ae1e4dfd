"""Weights as pictures: what a first layer looks for, straight from its numbers."""

import numpy as np
import torch
from numpy.typing import NDArray

from glyphscope.networks import Network


def first_layer(network: Network, most: int | None = None) -> NDArray[np.uint8]:
    """(units, channels, height, width): the first weights of each unit, grey where they are zero.

    A convolution gives its kernels, a dense layer a picture of the input's size. Each is on its own
    scale, so the strongest weight of either sign is black or white.
    """
    weights = next(p for p in network.parameters() if p.ndim > 1).detach()[:most].cpu().float()
    if weights.ndim == 2:
        weights = weights.view(-1, *network.spec.input_shape)
    if weights.shape[1] not in (1, 3):
        weights = weights.mean(1, keepdim=True)
    scale = weights.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
    pixels: NDArray[np.uint8] = (127.5 + 127.5 * weights / scale).round().to(torch.uint8).numpy()
    return pixels
