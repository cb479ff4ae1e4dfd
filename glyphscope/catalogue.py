"""Networks by name: each a function of (input shape, classes, its own knobs) that returns data.

CATALOGUE: dict[name, (input_shape, classes, **knobs) -> NetworkSpec]
"""

import inspect
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from glyphscope.errors import InvalidSpec, NotFound
from glyphscope.spec import (
    Activation,
    ActivationFunction,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalPool,
    LayerSpec,
    NetworkSpec,
    Pool,
    Residual,
)

InputShape = tuple[int, int, int]


def linear(input_shape: InputShape, classes: int) -> NetworkSpec:
    """Softmax regression: one weight a pixel and class."""
    layers: list[LayerSpec] = [Flatten(name="flatten"), Dense(name="logits", units=classes)]
    return NetworkSpec(name="linear", input_shape=input_shape, layers=tuple(layers))


def mlp(
    input_shape: InputShape,
    classes: int,
    units: Sequence[int] = (500, 300),
    function: ActivationFunction = "relu",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> NetworkSpec:
    """Fully connected layers; 500-300 is the two-hidden-layer network of LeCun et al. 1998."""
    layers: list[LayerSpec] = [Flatten(name="flatten")]
    for i, n in enumerate(units, start=1):
        layers.append(Dense(name=f"dense{i}", units=n, bias=not batch_norm))
        layers += [BatchNorm(name=f"norm{i}")] if batch_norm else []
        layers.append(Activation(name=f"act{i}", function=function))
        layers += [Dropout(name=f"dropout{i}", rate=dropout)] if dropout else []
    layers.append(Dense(name="logits", units=classes))
    return NetworkSpec(name="mlp", input_shape=input_shape, layers=tuple(layers))


def card_cnn(
    input_shape: InputShape,
    classes: int,
    features: Sequence[int] = (32, 64),
    kernel: int = 5,
    units: int = 1024,
    function: ActivationFunction = "relu",
    pool: str = "max",
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> NetworkSpec:
    """Two (or more) convolutions with pooling, one wide dense layer: the course's CNN."""
    layers: list[LayerSpec] = []
    for i, n in enumerate(features, start=1):
        layers.append(Conv(name=f"conv{i}", features=n, kernel=kernel))
        layers += [BatchNorm(name=f"norm{i}")] if batch_norm else []
        layers.append(Activation(name=f"act{i}", function=function))
        layers.append(Pool.model_validate({"name": f"pool{i}", "mode": pool, "size": 2}))
    layers += [Flatten(name="flatten"), Dense(name="dense1", units=units)]
    layers.append(Activation(name=f"act{len(features) + 1}", function=function))
    layers += [Dropout(name="dropout", rate=dropout)] if dropout else []
    layers.append(Dense(name="logits", units=classes))
    return NetworkSpec(name="card-cnn", input_shape=input_shape, layers=tuple(layers))


def residual_small(
    input_shape: InputShape,
    classes: int,
    features: Sequence[int] = (32, 64, 160),
    blocks: Sequence[int] = (1, 1, 1),
    function: ActivationFunction = "relu",
    dropout: float = 0.0,
) -> NetworkSpec:
    """A small residual network (He et al. 2015): a stage a width, pooled by 2 between stages.

    The defaults have 0.42 M parameters, the network of the shipped models.
    """
    if len(blocks) != len(features):
        raise InvalidSpec("residual-small needs as many blocks as features, one number a stage")
    layers: list[LayerSpec] = [
        Conv(name="conv1", features=features[0], bias=False),
        BatchNorm(name="norm1"),
        Activation(name="act1", function=function),
    ]
    for stage, (width, count) in enumerate(zip(features, blocks, strict=True), start=1):
        layers += [Pool(name=f"pool{stage - 1}", size=2)] if stage > 1 else []
        for b in range(count):
            suffix = f"{stage}{'abcdefgh'[b]}" if count > 1 else f"{stage}"
            layers.append(_block(f"block{suffix}", width, function))
            layers.append(Activation(name=f"out{suffix}", function=function))
    layers.append(GlobalPool(name="pool"))
    layers += [Dropout(name="dropout", rate=dropout)] if dropout else []
    layers.append(Dense(name="logits", units=classes))
    return NetworkSpec(name="residual-small", input_shape=input_shape, layers=tuple(layers))


def _block(name: str, width: int, function: ActivationFunction) -> Residual:
    return Residual(
        name=name,
        body=(
            Conv(name="conv1", features=width, bias=False),
            BatchNorm(name="norm1"),
            Activation(name="act1", function=function),
            Conv(name="conv2", features=width, bias=False),
            BatchNorm(name="norm2"),
        ),
    )


CATALOGUE: dict[str, Callable[..., NetworkSpec]] = {
    "linear": linear,
    "mlp": mlp,
    "card-cnn": card_cnn,
    "residual-small": residual_small,
}


def network_spec(name: str, input_shape: InputShape, classes: int, **knobs: object) -> NetworkSpec:
    """The named network with its knobs turned. An unknown name or knob fails with the known."""
    if name not in CATALOGUE:
        raise NotFound("network", name, CATALOGUE)
    make = CATALOGUE[name]
    known = [p for p in inspect.signature(make).parameters if p not in ("input_shape", "classes")]
    for knob in knobs:
        if knob not in known:
            raise NotFound(f"knob of network {name}", knob, known)
    try:
        return make(input_shape, classes, **knobs)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidSpec(f"network {name}: {where}: {first['msg']}") from None
    except TypeError as error:
        raise InvalidSpec(f"network {name}: {error}") from None
