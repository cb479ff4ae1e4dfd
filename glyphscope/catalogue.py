"""Networks by name: each a function of (input shape, classes, its own knobs) that returns data.

CATALOGUE: dict[name, (input_shape, classes, **knobs) -> NetworkSpec]

Every one of them takes the knob ``init`` too, the rule that its weights are drawn by.
"""

import inspect
from collections.abc import Callable
from functools import partial

from pydantic import ValidationError, validate_call

from glyphscope.errors import InvalidSpec, NotFound
from glyphscope.plain_networks import InputShape, cnn, linear, mlp
from glyphscope.residual_networks import imagenet_resnet, residual_small, resnet
from glyphscope.spec import NetworkSpec

CATALOGUE: dict[str, Callable[..., NetworkSpec]] = {
    "linear": linear,
    "mlp": mlp,
    # The course's network: two convolutions with pooling, one wide dense layer.
    "card-cnn": partial(cnn, features=(32, 64), kernel=5, units=1024, batch_norm=False),
    "cnn": cnn,
    # 99 % on MNIST after one epoch: small, and nothing is computed that pooling throws away.
    "fast-cnn": partial(
        cnn,
        features=(24, 32),
        kernel=(5, 3),
        padding="valid",
        pool_first=True,
        units=256,
        batch_norm=False,
    ),
    "residual-small": residual_small,
    "resnet": resnet,
    "resnet18": partial(imagenet_resnet, blocks=(2, 2, 2, 2), bottleneck=False),
    "resnet34": partial(imagenet_resnet, blocks=(3, 4, 6, 3), bottleneck=False),
    "resnet50": partial(imagenet_resnet, blocks=(3, 4, 6, 3), bottleneck=True),
}


def knobs(name: str) -> dict[str, object]:
    """What can be set on a network, with the defaults."""
    if name not in CATALOGUE:
        raise NotFound("network", name, CATALOGUE)
    parameters = inspect.signature(CATALOGUE[name]).parameters
    own = {k: p.default for k, p in parameters.items() if k not in ("input_shape", "classes")}
    return {**own, "init": "default"}


def network_spec(name: str, input_shape: InputShape, classes: int, **turned: object) -> NetworkSpec:
    """The named network with its knobs turned. An unknown name or knob fails with the known."""
    known = knobs(name)
    for knob in turned:
        if knob not in known:
            raise NotFound(f"knob of network {name}", knob, known)
    own = {knob: value for knob, value in turned.items() if knob != "init"}
    try:
        found = validate_call(CATALOGUE[name])(input_shape, classes, **own)
        values = {**dict(found), "name": name, "init": turned.get("init", "default")}
        return NetworkSpec.model_validate(values)
    except ValidationError as error:
        raise InvalidSpec(f"network {name}: {_explain(error)}") from None
    except InvalidSpec as error:
        raise InvalidSpec(f"network {name}: {error}") from None


def _explain(error: ValidationError) -> str:
    """A knob that may be of several types has a complaint from each: all are told."""
    found = error.errors()
    first = found[0]
    where = first["loc"][0] if first["loc"] else "layers"
    same = [e["msg"].removeprefix("Value error, ") for e in found if e["loc"][:1] == (where,)]
    said = "; or: ".join(dict.fromkeys(same)) or first["msg"].removeprefix("Value error, ")
    return f"{where}: {said}" + (
        "" if first["type"] == "value_error" else f", not {first['input']!r}"
    )
