"""Networks with shortcuts, as data: He et al. 2015 (arXiv:1512.03385) and what followed.

A block "block3_2" is the second of stage 3; its layers are "block3_2.conv1", its shortcut's
"block3_2.shortcut.conv", and the activation behind the sum is "out3_2".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from glyphscope.errors import InvalidSpec
from glyphscope.plain_networks import InputShape
from glyphscope.spec import (
    Activation,
    ActivationFunction,
    BatchNorm,
    Conv,
    Count,
    Dense,
    Dropout,
    GlobalPool,
    LayerSpec,
    NetworkSpec,
    Pool,
    Rate,
    Residual,
    Side,
    Subsample,
)


def residual_small(
    input_shape: InputShape,
    classes: int,
    features: Sequence[Count] = (32, 64, 160),
    blocks: Sequence[Count] = (1, 1, 1),
    kernel: Side = 3,
    function: ActivationFunction = "relu",
    pool: Literal["max", "average"] = "max",
    batch_norm: bool = True,
    dropout: Rate = 0.0,
) -> NetworkSpec:
    """A small residual network (He et al. 2015): a stage a width, pooled by 2 between stages.

    The defaults have 0.42 M parameters, the network of the shipped models.
    """
    if len(blocks) != len(features):
        raise InvalidSpec("residual-small needs as many blocks as features, one number a stage")
    unit = _Unit(function, kernel=kernel, batch_norm=batch_norm)
    layers: list[LayerSpec] = [*unit.conv("1", features[0]), unit.act("act1")]
    for stage, (width, count) in enumerate(zip(features, blocks, strict=True), start=1):
        layers += [Pool(name=f"pool{stage - 1}", mode=pool, size=2)] if stage > 1 else []
        for b in range(1, count + 1):
            suffix = f"{stage}_{b}" if count > 1 else f"{stage}"
            body = (*unit.conv("1", width), unit.act("act1"), *unit.conv("2", width))
            layers += [Residual(name=f"block{suffix}", body=body), unit.act(f"out{suffix}")]
    layers += _head(classes, dropout)
    return NetworkSpec(input_shape=input_shape, layers=tuple(layers))


def resnet(
    input_shape: InputShape,
    classes: int,
    depth: Count = 20,
    features: Sequence[Count] = (16, 32, 64),
    width: Count = 1,
    function: ActivationFunction = "relu",
    shortcut: Literal["padded", "projection"] = "padded",
    preactivation: bool = False,
    dropout: Rate = 0.0,
) -> NetworkSpec:
    """The ResNets for 32x32 pictures of He et al. 2015, section 4.2: 6n + 2 layers, 20 to 110.

    ``padded`` shortcuts have no parameters (option A), ``projection`` is a 1x1 convolution (B).
    ``preactivation`` puts norm and function before each convolution (He et al. 2016,
    arXiv:1603.05027). With both, ``width`` and a depth of 6n + 4 this is the wide ResNet of
    Zagoruyko and Komodakis 2016 (arXiv:1605.07146). ``dropout`` stands inside those blocks, and
    before the logits of a network without ``preactivation``.
    """
    count, layers_beside = divmod(depth, 6)
    if count < 1 or layers_beside not in (2, 4):
        raise InvalidSpec(f"depth must be 6n + 2 or, as wide ResNets count, 6n + 4, not {depth}")
    unit = _Unit(function, dropout=dropout)
    stem = unit.conv("1", features[0])
    layers = stem[:1] if preactivation else [*stem, unit.act("act1")]
    channels = features[0]
    make = _preactivated if preactivation else _postactivated
    for stage, base in enumerate(features, start=1):
        for b in range(1, count + 1):
            stride = 2 if b == 1 and stage > 1 else 1
            step = _Step(f"{stage}_{b}", channels, base * width, stride)
            layers += make(unit, step, shortcut)
            channels = step.out
    if preactivation:
        layers += [BatchNorm(name="norm"), unit.act("act")]
    layers += _head(classes, 0.0 if preactivation else dropout)
    return NetworkSpec(input_shape=input_shape, layers=tuple(layers))


def imagenet_resnet(
    input_shape: InputShape,
    classes: int,
    blocks: Sequence[Count] = (2, 2, 2, 2),
    bottleneck: bool = False,
    width: Count = 64,
    function: ActivationFunction = "relu",
    dropout: Rate = 0.0,
) -> NetworkSpec:
    """The ResNets for large pictures of He et al. 2015, table 1, layer for layer torchvision's.

    So the stride of a bottleneck is on its 3x3 convolution, not on its first 1x1 (Goyal et al.
    2017, arXiv:1706.02677, section 5.1).
    """
    unit = _Unit(function)
    layers: list[LayerSpec] = [
        Conv(name="conv1", features=width, kernel=7, stride=2, padding=3, bias=False),
        BatchNorm(name="norm1"),
        unit.act("act1"),
        Pool(name="pool1", size=3, stride=2, padding=1),
    ]
    channels = width
    for stage, count in enumerate(blocks, start=1):
        inner = width * 2 ** (stage - 1)
        for b in range(1, count + 1):
            stride = 2 if b == 1 and stage > 1 else 1
            step = _Step(f"{stage}_{b}", channels, inner * 4 if bottleneck else inner, stride)
            body = _bottleneck(unit, step, inner) if bottleneck else _basic(unit, step)
            layers += _summed(unit, step, body, "projection")
            channels = step.out
    return NetworkSpec(input_shape=input_shape, layers=(*layers, *_head(classes, dropout)))


@dataclass(frozen=True)
class _Step:
    """One block: its place, channels in and out, and the stride between them."""

    suffix: str
    channels: int
    out: int
    stride: int

    @property
    def changes(self) -> bool:
        return self.stride != 1 or self.channels != self.out


@dataclass(frozen=True)
class _Unit:
    """Convolution, batch norm and activation as one network uses them everywhere."""

    function: ActivationFunction
    kernel: int = 3
    batch_norm: bool = True
    dropout: float = 0.0

    def conv(
        self, suffix: str, features: int, kernel: int | None = None, stride: int = 1
    ) -> list[LayerSpec]:
        size = kernel or self.kernel
        layers: list[LayerSpec] = [
            Conv(
                name=f"conv{suffix}",
                features=features,
                kernel=size,
                stride=stride,
                padding="same" if stride == 1 else (size - 1) // 2,
                bias=not self.batch_norm,
            )
        ]
        return [*layers, BatchNorm(name=f"norm{suffix}")] if self.batch_norm else layers

    def act(self, name: str) -> Activation:
        return Activation(name=name, function=self.function)


def _basic(unit: _Unit, step: _Step) -> list[LayerSpec]:
    first = unit.conv("1", step.out, stride=step.stride)
    return [*first, unit.act("act1"), *unit.conv("2", step.out)]


def _bottleneck(unit: _Unit, step: _Step, inner: int) -> list[LayerSpec]:
    return [
        *unit.conv("1", inner, kernel=1),
        unit.act("act1"),
        *unit.conv("2", inner, stride=step.stride),
        unit.act("act2"),
        *unit.conv("3", step.out, kernel=1),
    ]


def _postactivated(unit: _Unit, step: _Step, shortcut: str) -> list[LayerSpec]:
    return _summed(unit, step, _basic(unit, step), shortcut)


def _summed(unit: _Unit, step: _Step, body: list[LayerSpec], shortcut: str) -> list[LayerSpec]:
    around = _around(step, shortcut, norm=True) if step.changes else None
    block = Residual(name=f"block{step.suffix}", body=tuple(body), shortcut=around)
    return [block, unit.act(f"out{step.suffix}")]


def _preactivated(unit: _Unit, step: _Step, shortcut: str) -> list[LayerSpec]:
    """Where the shape changes, body and shortcut share one activation, which stands before both."""
    before: list[LayerSpec] = [BatchNorm(name="norm1"), unit.act("act1")]
    body: list[LayerSpec] = [
        *unit.conv("1", step.out, stride=step.stride)[:1],
        BatchNorm(name="norm2"),
        unit.act("act2"),
        *([Dropout(name="dropout", rate=unit.dropout)] if unit.dropout else []),
        *unit.conv("2", step.out)[:1],
    ]
    if not step.changes:
        return [Residual(name=f"block{step.suffix}", body=(*before, *body))]
    shared: list[LayerSpec] = [BatchNorm(name=f"norm{step.suffix}"), unit.act(f"act{step.suffix}")]
    around = _around(step, shortcut, norm=False)
    return [*shared, Residual(name=f"block{step.suffix}", body=tuple(body), shortcut=around)]


def _around(step: _Step, shortcut: str, *, norm: bool) -> tuple[LayerSpec, ...]:
    if shortcut == "padded":
        return (Subsample(name="subsample", features=step.out, stride=step.stride),)
    conv = Conv(name="conv", features=step.out, kernel=1, stride=step.stride, padding=0, bias=False)
    return (conv, BatchNorm(name="norm")) if norm else (conv,)


def _head(classes: int, dropout: float) -> list[LayerSpec]:
    before = [Dropout(name="dropout", rate=dropout)] if dropout else []
    return [GlobalPool(name="pool"), *before, Dense(name="logits", units=classes)]
