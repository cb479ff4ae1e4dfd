"""A network with modules of its own and the weights of another: nothing is copied but structure.

Hooks that a method sets on it are heard by nobody else, whatever happens to them; and other
threads' hooks are not heard here. Measured: see decision 14.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from glyphscope.networks import Network, build
from glyphscope.spec import InputSpec


def twin(network: Network) -> Network:
    """In eval mode, on the same device; its weights want no gradients."""
    with torch.device("meta"):  # no memory, and nothing drawn
        made = build(network.spec)
    made.load_state_dict(network.state_dict(), assign=True)
    return made.eval().requires_grad_(False)


class OnPixels(nn.Sequential):
    """Pixels in 0..1 -> logits: the network behind its own normalisation, as one module.

    So the ground of a drawing, 0, is nothing to be explained: not the -0.42 that the first layer
    is given for it.
    """

    network: nn.Module

    def __init__(self, network: nn.Module, spec: InputSpec, device: torch.device) -> None:
        normalise = affine(
            1 / torch.tensor(spec.std), -torch.tensor(spec.mean) / torch.tensor(spec.std)
        )
        parts = OrderedDict(normalise=normalise.to(device), network=network)
        super().__init__(parts)
        self.eval().requires_grad_(False)


def affine(scale: Tensor, shift: Tensor) -> nn.Conv2d:
    """x * scale + shift, channel by channel."""
    channels = len(scale)
    made = nn.Conv2d(channels, channels, 1, groups=channels)
    with torch.no_grad():
        made.weight.copy_(scale.view(-1, 1, 1, 1))
        assert made.bias is not None
        made.bias.copy_(shift)
    return made
