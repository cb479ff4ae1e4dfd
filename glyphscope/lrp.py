"""A network rewritten into layers that relevance can be sent back through (Captum's LRP).

Bach et al. 2015; rules as in Montavon et al. 2019, "Layer-wise relevance propagation: an overview":
gamma for convolutions, epsilon for the rest. Batch norm is an affine map in eval mode, so it is
folded into the layer before it or stands alone as a convolution of size 1. The sum at the end of a
residual block becomes a layer, because relevance has to be shared out between its two sides.
"""

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from glyphscope.errors import InvalidInput
from glyphscope.networks import LayerInfo, Network, ResidualBlock, Subsample
from glyphscope.twin import affine

GAMMA = 0.25
EPSILON = 1e-6

_FREE = (nn.ReLU, nn.Tanh)
"""Relevance passes them unchanged."""

_RULED = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Flatten)

Named = tuple[str, nn.Module]
Known = Mapping[str, LayerInfo]


class Sum(nn.Module):
    """``body(x) + shortcut(x)``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        # Here, so that Captum, and with it matplotlib, loads when it is first needed.
        from captum.attr._utils.custom_modules import Addition_Module

        super().__init__()
        self.body, self.shortcut, self.add = body, shortcut, Addition_Module()

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.add(self.body(x), self.shortcut(x))
        return total


def unrolled(network: Network, gamma: float = GAMMA) -> nn.Sequential:
    """The same answers from weights of its own, each layer with its rule.

    Raises ``InvalidInput`` naming the first layer that relevance cannot be sent through.
    """
    from captum.attr._utils.lrp_rules import EpsilonRule, GammaRule

    made = _chain(network.named_children(), {layer.name: layer for layer in network.layers})
    for module in made.modules():
        if isinstance(module, nn.Conv2d) and gamma and module.kernel_size != (1, 1):
            module.rule = GammaRule(gamma)
        elif not isinstance(module, (*_FREE, nn.Sequential, Sum)):
            module.rule = EpsilonRule(EPSILON)
    return made.eval().requires_grad_(False)


def _chain(named: Iterable[Named], known: Known, prefix: str = "") -> nn.Sequential:
    layers: list[nn.Module] = []
    for name, module in named:
        before = layers[-1] if layers else None
        if isinstance(module, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(before, module)
        elif isinstance(module, nn.BatchNorm1d) and isinstance(before, nn.Linear):
            layers[-1] = fuse_linear_bn_eval(before, module)
        else:
            layers += _layer(prefix + name, module, known)
    return nn.Sequential(*layers)


def _layer(name: str, module: nn.Module, known: Known) -> list[nn.Module]:
    """What stands in its place: modules of its own, in order."""
    if isinstance(module, nn.Dropout | nn.Dropout2d | nn.Identity):
        return []
    if isinstance(module, ResidualBlock):
        return [_block(name, module, known)]
    if isinstance(module, nn.Sequential):
        return list(_chain(module.named_children(), known, f"{name}."))
    if isinstance(module, Subsample):
        return [_picking(module, known[name].units)]
    if isinstance(module, nn.BatchNorm2d):
        return [affine(*_scale_and_shift(module))]
    if isinstance(module, (nn.Conv2d, nn.Linear, *_FREE, *_RULED)):
        return [copy.deepcopy(module)]
    raise InvalidInput(
        f"lrp cannot send relevance through layer {name} ({type(module).__name__}); it knows "
        "convolutions, dense layers, pools, batch norm behind them, relu and tanh"
    )


def _block(name: str, block: ResidualBlock, known: Known) -> Sum:
    inside = [(key, child) for key, child in block.named_children() if key != "shortcut"]
    body = _chain(inside, known, f"{name}.")
    if isinstance(block.shortcut, nn.Identity):
        # A module that returns its very input gets two hooks on one tensor, and Captum loses one.
        return Sum(body, _unchanged(known[name]))
    return Sum(body, _chain([("shortcut", block.shortcut)], known, f"{name}."))


def _unchanged(layer: LayerInfo) -> nn.Module:
    if layer.spatial:
        return affine(torch.ones(layer.units), torch.zeros(layer.units))
    made = nn.Linear(layer.units, layer.units, bias=False)
    nn.init.eye_(made.weight)
    return made


def _picking(module: Subsample, units: int) -> nn.Conv2d:
    """The same by a convolution of size 1 whose weights are 1 and 0."""
    made = nn.Conv2d(units - module.added, units, 1, module.stride, bias=False)
    nn.init.dirac_(made.weight)
    return made


def _scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale
