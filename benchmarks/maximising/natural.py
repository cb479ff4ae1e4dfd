"""What each unit does on real images, as its pictures are measured: the mean over a channel's
positions, which is what they maximise; and how rough the real images are that drive it most."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.picture import Pixels
from glyphscope.preprocess import to_tensor
from glyphscope.roughness import high_frequency, total_variation

TOP = 100
IMAGES = 10_000
"""Test images; of EMNIST's 116,323 the first so many of a fixed shuffle."""


@dataclass(frozen=True)
class Natural:
    """Of one layer, (units,) each. ``rough``: medians over the ``TOP`` images of a unit."""

    median: Tensor
    highest: Tensor
    high_frequency: Tensor
    total_variation: Tensor

    def dead(self, unit: int) -> bool:
        return bool(self.highest[unit] <= self.median[unit])


def natural(checkpoint: Checkpoint, images: Tensor, layers: Sequence[str]) -> dict[str, Natural]:
    """``images``: uint8 (N, C, H, W), of the test set."""
    if len(images) > IMAGES:
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
        images = images[order[:IMAGES]]
    values = answers(checkpoint, images.numpy(), layers)
    shown = images.float() / 255
    rough = torch.stack([high_frequency(shown), total_variation(shown)], dim=1)
    return {layer: _layer(found, rough) for layer, found in values.items()}


def answers(checkpoint: Checkpoint, pixels: Pixels, layers: Sequence[str]) -> dict[str, Tensor]:
    """(N, units) each."""
    found: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    with torch.inference_mode(), listen(checkpoint.network, layers) as heard:
        for first in range(0, len(pixels), 250):
            checkpoint.network(to_tensor(pixels[first : first + 250], checkpoint.manifest.input))
            for layer in layers:
                output = heard[layer]
                found[layer].append(output.flatten(2).mean(2) if output.ndim == 4 else output)
    return {layer: torch.cat(parts) for layer, parts in found.items()}


def _layer(values: Tensor, rough: Tensor) -> Natural:
    best = values.topk(min(TOP, len(values)), dim=0).indices
    of_best = rough[best].median(0).values
    return Natural(
        values.median(0).values, values.amax(0), of_best[:, 0].clone(), of_best[:, 1].clone()
    )
