"""Weights as pictures: what a layer looks for, straight from its numbers.

kernels(network, layer)        (units, inputs, height, width), the layer's weights
kernel_shape(network, layer)   (inputs, height, width), or None, without looking at them
tiles(kernels, show, shared)   the same as bytes, (tiles, 1 or 3, height, width), by ``VIEWS``
"""

import itertools
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.activations import layer_module
from glyphscope.errors import InvalidInput
from glyphscope.networks import Network

Pixels = NDArray[np.uint8]

_COLOURS = (1, 3)
"""Inputs that are an image's own channels are shown as they are."""

_PASSING = ("flatten", "dropout")


def _mean(kernels: Tensor) -> Tensor:
    return kernels.mean(1, keepdim=True)


def _norm(kernels: Tensor) -> Tensor:
    norms: Tensor = torch.linalg.vector_norm(kernels, dim=1, keepdim=True)
    return norms


def _same(kernels: Tensor) -> Tensor:
    return kernels


VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "image": _same,
    "mean": _mean,
    "norm": _norm,
    "grid": _same,
}
"""Of the inputs of each unit: an image's channels as they are; their mean, which keeps the sign;
their norm, which shows where a unit looks at all; every kernel on its own, unit after unit."""


def kernels(network: Network, layer: str) -> Tensor:
    """On the CPU in float32. A dense layer's weights take the shape of the map that was flattened
    before it, or else are one row. Raises ``InvalidInput`` for a layer that has no weights."""
    module = layer_module(network, layer)
    weights = getattr(module, "weight", None)
    if weights is None or weights.ndim not in (2, 4):
        info = next(one for one in network.layers if one.name == layer)
        known = ", ".join(with_kernels(network))
        raise InvalidInput(f"layer {layer} ({info.kind}) has no kernels; ask one of {known}")
    values: Tensor = weights.detach().cpu().float().contiguous()
    return values if values.ndim == 4 else values.view(len(values), *_before(network, layer))


def kernel_shape(network: Network, layer: str) -> tuple[int, int, int] | None:
    """Of one unit, as ``kernels`` gives it; None for a layer without."""
    weights = getattr(layer_module(network, layer), "weight", None)
    if weights is None or weights.ndim not in (2, 4):
        return None
    if weights.ndim == 2:
        return _before(network, layer)
    _, inputs, height, width = weights.shape
    return inputs, height, width


def with_kernels(network: Network) -> list[str]:
    return [layer.name for layer in network.layers if layer.kind in ("conv", "dense")]


def default_view(network: Network, layer: str) -> str:
    """A layer that reads the image is shown in the image's colours, any other by its mean."""
    return "image" if _reads_image(network, layer) else "mean"


def tiles(weights: Tensor, show: str = "mean", *, shared: bool = False) -> Pixels:
    """Grey where a weight is zero. Each unit is on its own scale, so its strongest weight of either
    sign is black or white; with ``shared`` all are on the scale of the strongest unit."""
    values = VIEWS[show](weights)
    strongest = values.abs().amax((0, 1, 2, 3) if shared else (1, 2, 3), keepdim=True)
    scaled = 127.5 + 127.5 * values / strongest.clamp(min=1e-12)
    pixels: Pixels = scaled.round().to(torch.uint8).numpy()
    return pixels.reshape(-1, 1, *pixels.shape[2:]) if show == "grid" else pixels


def first_layer(network: Network, most: int | None = None) -> Pixels:
    """(units, channels, height, width): the first weights of each unit, each on its own scale."""
    first = with_kernels(network)[0]
    return tiles(kernels(network, first)[:most], default_view(network, first))


def _reads_image(network: Network, layer: str) -> bool:
    before = itertools.takewhile(lambda info: info.name != layer, network.layers)
    passing = all(info.kind in _PASSING for info in before)
    return passing and network.spec.input_shape[0] in _COLOURS


def _before(network: Network, layer: str) -> tuple[int, int, int]:
    """The shape of what a dense layer reads, as an image where it was one."""
    shape: tuple[int, ...] = network.spec.input_shape
    flattened = False
    for info in network.layers:
        if info.name == layer:
            break
        flattened = flattened or info.kind == "flatten"
        if info.kind not in _PASSING:
            shape, flattened = info.output_shape, False
    if len(shape) == 3 and flattened:
        return shape[0], shape[1], shape[2]
    return 1, 1, shape[0]
