"""What a network's last layer is given: the features that it tells the classes apart by.

features(network, x)   (N, C, H, W) normalised  ->  (N, D)
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from glyphscope.activations import listen
from glyphscope.networks import Network
from glyphscope.spec import Conv, Dense, Residual


@dataclass(frozen=True)
class FeatureTap:
    """``layers``: the one whose output they are; none where the network has a single layer with
    weights, whose features are the input itself."""

    layers: tuple[str, ...]

    @classmethod
    def of(cls, network: Network) -> "FeatureTap":
        specs = network.spec.layers
        weighted = [i for i, s in enumerate(specs) if isinstance(s, Conv | Dense | Residual)]
        last = weighted[-1] if weighted else 0
        return cls((specs[last - 1].name,) if last else ())

    def features(self, x: Tensor, heard: Mapping[str, Tensor]) -> Tensor:
        """(N, D) float32; a feature map gives the mean of each channel."""
        if not self.layers:
            return x.flatten(1)
        found = heard[self.layers[0]].float()
        return found.flatten(2).mean(2) if found.ndim == 4 else found


def features(network: Network, x: Tensor) -> Tensor:
    """(N, D), in one pass without gradients."""
    tap = FeatureTap.of(network)
    with torch.inference_mode(), listen(network, tap.layers) as heard:
        network(x)
    return tap.features(x, heard).clone()
