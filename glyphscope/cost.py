"""What a network costs in arithmetic; its parameters are counted in ``Network.layers``."""

import math

from torch import nn

from glyphscope.networks import Network


def multiply_adds(network: Network) -> dict[str, int]:
    """Multiplications for one image by each convolution and dense layer, biases left out.

    Every weight is used once for each place of the output. A residual block counts 0: the layers
    inside it are listed themselves.
    """
    found = {}
    for layer in network.layers:
        module = network.get_submodule(layer.name)
        weights = module.weight.numel() if isinstance(module, nn.Conv2d | nn.Linear) else 0
        found[layer.name] = weights * math.prod(layer.output_shape[1:])
    return found
