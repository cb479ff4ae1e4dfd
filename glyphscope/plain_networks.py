"""Networks without shortcuts, as data: softmax regression, multi-layer perceptrons, plain CNNs."""

from collections.abc import Sequence
from typing import Literal

from glyphscope.errors import InvalidSpec
from glyphscope.spec import (
    Activation,
    ActivationFunction,
    BatchNorm,
    Conv,
    Count,
    Dense,
    Dropout,
    Flatten,
    LayerSpec,
    Margin,
    NetworkSpec,
    Pool,
    Rate,
    Side,
)

InputShape = tuple[int, int, int]
Padding = Literal["same", "valid"] | Margin
Pooling = Literal["max", "average", "none"]


def linear(input_shape: InputShape, classes: int) -> NetworkSpec:
    """Softmax regression: one weight a pixel and class."""
    layers = [Flatten(name="flatten"), Dense(name="logits", units=classes)]
    return NetworkSpec(input_shape=input_shape, layers=tuple(layers))


def mlp(
    input_shape: InputShape,
    classes: int,
    units: Count | Sequence[Count] = (500, 300),
    depth: Count = 1,
    function: ActivationFunction = "relu",
    batch_norm: bool = False,
    dropout: Rate = 0.0,
) -> NetworkSpec:
    """Fully connected layers; 500-300 is the two-hidden-layer network of LeCun et al. 1998.

    ``units``: a number a hidden layer, or one number for ``depth`` layers. Dropout stands behind
    every activation.
    """
    if not isinstance(units, int) and depth != 1:
        raise InvalidSpec(f"depth {depth} repeats a single number of units, not a list of them")
    hidden = [units] * depth if isinstance(units, int) else list(units)
    layers: list[LayerSpec] = [Flatten(name="flatten")]
    for i, n in enumerate(hidden, start=1):
        layers += _dense(i, i, n, function, batch_norm)
        layers += [Dropout(name=f"dropout{i}", rate=dropout)] if dropout else []
    layers.append(Dense(name="logits", units=classes))
    return NetworkSpec(input_shape=input_shape, layers=tuple(layers))


def cnn(
    input_shape: InputShape,
    classes: int,
    features: Count | Sequence[Count] = (32, 64, 128),
    kernel: Side | Sequence[Side] = 3,
    stride: Side | Sequence[Side] = 1,
    padding: Padding = "same",
    depth: Count | Sequence[Count] = 1,
    function: ActivationFunction = "relu",
    pool: Pooling = "max",
    pool_size: Side = 2,
    pool_stride: Side | None = None,
    pool_padding: Margin = 0,
    pool_first: bool = False,
    units: Count | Sequence[Count] = 128,
    batch_norm: bool = True,
    dropout: Rate = 0.0,
    dropout_conv: Rate = 0.0,
) -> NetworkSpec:
    """Stages of convolutions, each ending in a pool, then dense layers of ``units`` ([] for none).

    ``features``, ``kernel``, ``stride``, ``depth`` (convolutions a stage): a number a stage, or one
    for all; the stride is its first convolution's. ``pool_first`` pools before the activation: the
    same for a max pool and a rising function, with less to compute. ``dropout`` stands behind each
    dense activation; ``dropout_conv`` drops whole maps (Tompson et al. 2015, arXiv:1411.4280).
    """
    widths, hidden = _listed(features), _listed(units)
    each = [_per_stage(*knob, len(widths)) for knob in (("kernel", kernel), ("stride", stride))]
    depths = _per_stage("depth", depth, len(widths))
    layers: list[LayerSpec] = []
    for i, (width, k, s, d) in enumerate(zip(widths, *each, depths, strict=True), start=1):
        names = [f"{i}"] if d == 1 else [f"{i}_{j}" for j in range(1, d + 1)]
        convs = [_conv(name, width, k, padding, bias=not batch_norm) for name in names]
        convs[0] = _conv(names[0], width, k, padding, s, bias=not batch_norm)
        pooling = _pool(f"pool{i}", pool, pool_size, pool_stride, pool_padding)
        layers += _stage(names, convs, pooling, function, batch_norm, pool_first)
        drop = Dropout(name=f"drop{i}", rate=dropout_conv, channels=True)
        layers += [drop] if dropout_conv else []
    layers += _head(len(widths), hidden, classes, function, batch_norm, dropout)
    return NetworkSpec(input_shape=input_shape, layers=tuple(layers))


def _stage(
    names: Sequence[str],
    convs: Sequence[Conv],
    pooling: Sequence[LayerSpec],
    function: ActivationFunction,
    batch_norm: bool,
    pool_first: bool,
) -> list[LayerSpec]:
    """The pool ends it, or with ``pool_first`` stands right behind the last convolution."""
    layers: list[LayerSpec] = []
    for name, conv in zip(names, convs, strict=True):
        layers += [conv, *(pooling if pool_first and conv is convs[-1] else [])]
        layers += [BatchNorm(name=f"norm{name}")] if batch_norm else []
        layers.append(Activation(name=f"act{name}", function=function))
    return layers if pool_first else [*layers, *pooling]


def _head(
    before: int,
    units: Sequence[int],
    classes: int,
    function: ActivationFunction,
    batch_norm: bool,
    dropout: float,
) -> list[LayerSpec]:
    """The dense end; its activations are counted on from the convolutions'."""
    layers: list[LayerSpec] = [Flatten(name="flatten")]
    for i, n in enumerate(units, start=1):
        layers += _dense(i, before + i, n, function, batch_norm)
        name = "dropout" if len(units) == 1 else f"dropout{i}"
        layers += [Dropout(name=name, rate=dropout)] if dropout else []
    if dropout and not units:
        layers.append(Dropout(name="dropout", rate=dropout))
    return [*layers, Dense(name="logits", units=classes)]


def _dense(
    number: int, place: int, units: int, function: ActivationFunction, batch_norm: bool
) -> list[LayerSpec]:
    norm = [BatchNorm(name=f"norm{place}")] if batch_norm else []
    return [
        Dense(name=f"dense{number}", units=units, bias=not batch_norm),
        *norm,
        Activation(name=f"act{place}", function=function),
    ]


def _conv(
    suffix: str, features: int, kernel: int, padding: Padding, stride: int = 1, *, bias: bool
) -> Conv:
    """ "same" with a stride pads so that n pixels become n / stride, rounded up."""
    if padding == "same" and stride > 1:
        padding = (kernel - 1) // 2
    elif padding == "valid":
        padding = 0
    return Conv(
        name=f"conv{suffix}",
        features=features,
        kernel=kernel,
        stride=stride,
        padding=padding,
        bias=bias,
    )


def _pool(name: str, mode: Pooling, size: int, stride: int | None, padding: int) -> list[Pool]:
    if mode == "none":
        return []
    return [Pool(name=name, mode=mode, size=size, stride=stride, padding=padding)]


def _listed(value: int | Sequence[int]) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def _per_stage(knob: str, value: int | Sequence[int], stages: int) -> list[int]:
    if isinstance(value, int):
        return [value] * stages
    if len(value) != stages:
        raise InvalidSpec(f"{knob} needs one number, or one a stage: {stages}, not {len(value)}")
    return list(value)
