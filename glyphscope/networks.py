"""``build(NetworkSpec) -> Network``: a module whose layers are named as the description names them.

    BUILDERS: dict[kind, (layer, input shape) -> (module, output shape)]

A layer inside a residual block is addressed by its path, "block1.conv1". The output is logits:
softmax belongs to prediction, so that losses and maximisation work on the numbers before it.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from glyphscope import spec as s
from glyphscope.errors import InvalidSpec
from glyphscope.initialise import initialise
from glyphscope.spec import NetworkSpec, Shape

FUNCTIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "softplus": nn.Softplus,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
}


@dataclass(frozen=True)
class LayerInfo:
    """One named layer. ``output_shape`` has no batch; ``units``: channels, or values when flat."""

    name: str
    kind: str
    output_shape: Shape
    parameters: int

    @property
    def units(self) -> int:
        return self.output_shape[0]

    @property
    def spatial(self) -> bool:
        return len(self.output_shape) == 3


class Network(nn.Sequential):
    """(N, C, H, W) float32, normalised -> (N, classes) logits. ``layers``: what can be seen."""

    def __init__(self, spec: NetworkSpec, modules: "OrderedDict[str, nn.Module]") -> None:
        super().__init__(modules)
        self.spec = spec
        self.layers: tuple[LayerInfo, ...] = ()
        self.output_shape: Shape = ()


class ResidualBlock(nn.Module):
    """``body(x) + shortcut(x)``. The body's layers are direct children: short paths."""

    def __init__(self, body: "OrderedDict[str, nn.Module]", shortcut: nn.Module) -> None:
        super().__init__()
        self._body = list(body)
        for name, module in body.items():
            self.add_module(name, module)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for name in self._body:
            out = self._modules[name](out)  # type: ignore[misc]
        total: Tensor = out + self.shortcut(x)
        return total


class Subsample(nn.Module):
    """Every ``stride``-th pixel, then ``added`` channels of zeros."""

    def __init__(self, stride: int, added: int) -> None:
        super().__init__()
        self.stride = stride
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        kept = x[:, :, :: self.stride, :: self.stride]
        return functional.pad(kept, (0, 0, 0, 0, 0, self.added))


Built = tuple[nn.Module, Shape]


def build(spec: NetworkSpec, *, seed: int = 0) -> Network:
    """The network on the CPU in float32, in training mode, its weights drawn from ``seed``.

    Raises ``InvalidSpec``, naming the layer whose input does not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules, infos, shape = _chain(spec.layers, spec.input_shape, prefix="")
        network = Network(spec, modules)
        initialise(network, spec.init)
    network.layers = tuple(infos)
    network.output_shape = shape
    if len(shape) != 1:
        raise InvalidSpec(f"the last layer must give one number a class, not the shape {shape}")
    return network


def place(network: Network, device: torch.device) -> Network:
    """Move it, weights channels last: faster for small convolutions on CPUs and on tensor cores."""
    # torch's stubs lack this overload of Module.to.
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _chain(
    layers: tuple[s.LayerSpec, ...], shape: Shape, prefix: str
) -> tuple["OrderedDict[str, nn.Module]", list[LayerInfo], Shape]:
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    infos: list[LayerInfo] = []
    for layer in layers:
        path = prefix + layer.name
        if isinstance(layer, s.Residual):
            module, out, inner = _residual(layer, shape, path)
            infos += inner
        else:
            try:
                module, out = BUILDERS[layer.kind](layer, shape)
            except InvalidSpec as error:
                raise InvalidSpec(f"layer {path!r} ({layer.kind}): {error}") from None
        infos.append(LayerInfo(path, _kind(layer), out, _count(module)))
        modules[layer.name] = module
        shape = out
    return modules, infos, shape


def _residual(
    layer: s.Residual, shape: Shape, path: str
) -> tuple[nn.Module, Shape, list[LayerInfo]]:
    body, infos, out = _chain(layer.body, shape, prefix=path + ".")
    shortcut, more = _shortcut(layer, shape, out, path)
    return ResidualBlock(body, shortcut), out, infos + more


def _shortcut(
    layer: s.Residual, shape: Shape, out: Shape, path: str
) -> tuple[nn.Module, list[LayerInfo]]:
    where = f"layer {path!r} (residual)"
    if layer.shortcut is not None:
        chain, infos, found = _chain(layer.shortcut, shape, prefix=path + ".shortcut.")
        if found != out:
            raise InvalidSpec(f"{where}: the shortcut gives {found}, the body {out}")
        return nn.Sequential(chain), infos
    if shape == out:
        return nn.Identity(), []
    if len(shape) != 3 or len(out) != 3:
        raise InvalidSpec(f"{where}: cannot add {shape} to {out}")
    stride = -(-shape[1] // out[1])
    projection = nn.Conv2d(shape[0], out[0], 1, stride=stride, bias=False)
    if _window(shape, out[0], 1, stride, 0) != out:
        raise InvalidSpec(f"{where}: no 1x1 convolution turns {shape} into {out}")
    return projection, [LayerInfo(path + ".shortcut", "conv", out, _count(projection))]


def _conv(layer: s.Conv, shape: Shape) -> Built:
    channels, _, _ = _image(shape)
    module = nn.Conv2d(
        channels, layer.features, layer.kernel, layer.stride, layer.padding, bias=layer.bias
    )
    if layer.padding == "same":
        return module, (layer.features, *shape[1:])
    return module, _window(shape, layer.features, layer.kernel, layer.stride, layer.padding)


def _dense(layer: s.Dense, shape: Shape) -> Built:
    if len(shape) != 1:
        raise InvalidSpec(
            f"needs a flat input, not {shape}; put a flatten or global_pool before it"
        )
    return nn.Linear(shape[0], layer.units, bias=layer.bias), (layer.units,)


def _activation(layer: s.Activation, shape: Shape) -> Built:
    return FUNCTIONS[layer.function](), shape


def _pool(layer: s.Pool, shape: Shape) -> Built:
    kind = nn.MaxPool2d if layer.mode == "max" else nn.AvgPool2d
    stride = layer.stride or layer.size
    out = _window(shape, _image(shape)[0], layer.size, stride, layer.padding)
    return kind(layer.size, stride, layer.padding), out


def _subsample(layer: s.Subsample, shape: Shape) -> Built:
    added = layer.features - _image(shape)[0]
    if added < 0:
        raise InvalidSpec(f"adds channels only: {layer.features} are fewer than {shape[0]}")
    return Subsample(layer.stride, added), _window(shape, layer.features, 1, layer.stride, 0)


def _global_pool(layer: s.GlobalPool, shape: Shape) -> Built:
    channels, _, _ = _image(shape)
    kind = nn.AdaptiveMaxPool2d if layer.mode == "max" else nn.AdaptiveAvgPool2d
    return nn.Sequential(kind(1), nn.Flatten()), (channels,)


def _batch_norm(layer: s.BatchNorm, shape: Shape) -> Built:
    kind = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
    return kind(shape[0]), shape


def _dropout(layer: s.Dropout, shape: Shape) -> Built:
    if layer.channels:
        _image(shape)
        return nn.Dropout2d(layer.rate), shape
    return nn.Dropout(layer.rate), shape


def _flatten(layer: s.Flatten, shape: Shape) -> Built:
    channels, height, width = _image(shape)
    return nn.Flatten(), (channels * height * width,)


BUILDERS: dict[str, Callable[[Any, Shape], Built]] = {
    "conv": _conv,
    "dense": _dense,
    "activation": _activation,
    "pool": _pool,
    "subsample": _subsample,
    "global_pool": _global_pool,
    "batch_norm": _batch_norm,
    "dropout": _dropout,
    "flatten": _flatten,
}


def _image(shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise InvalidSpec(f"needs channels x height x width, not the flat shape {shape}")
    return shape[0], shape[1], shape[2]


def _window(shape: Shape, features: int, size: int, stride: int, padding: int) -> Shape:
    """Output shape of a window that slides: floor((n + 2 padding - size) / stride) + 1 a side."""
    sides = tuple((n + 2 * padding - size) // stride + 1 for n in _image(shape)[1:])
    if min(sides) < 1:
        raise InvalidSpec(f"a window of {size} does not fit into {shape[1]}x{shape[2]}")
    return (features, *sides)


def _kind(layer: s.LayerSpec) -> str:
    return layer.function if isinstance(layer, s.Activation) else layer.kind


def _count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())
