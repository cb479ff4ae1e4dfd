"""What a maximisation is asked for, checked against a network, and named by its digest.

MaximisationRequest      frozen; the HTTP body as well
resolve(where, request)  units made explicit, names checked
digest(manifest, request)  40 hex digits: everything that determines the pictures
"""

import hashlib
import json
from typing import Annotated, Literal

import torch
from pydantic import Field

from glyphscope.errors import InvalidInput, NotFound
from glyphscope.manifest import Manifest
from glyphscope.networks import LayerInfo, Network, build
from glyphscope.spec import Frozen

METHOD = 1
"""Part of every digest. Raise it when the same request comes to give other pictures."""

MAX_UNITS = 4096

Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
UnitIndex = Annotated[int, Field(ge=0, le=65535)]


class Regularisers(Frozen):
    """Weights of what a picture is charged for, against a gradient of root mean square 1."""

    l2: Weight = 0.1
    total_variation: Weight = 0.2


class MaximisationRequest(Frozen):
    """Pictures that drive ``units`` of ``layer`` most.

    ``objective``: "channel" is the mean over a channel's positions (of a dense layer: its unit, so
    of the last one a class's logit), "neuron" the position in the middle alone.
    """

    layer: Annotated[str, Field(min_length=1, max_length=256)]
    units: (
        Annotated[tuple[UnitIndex, ...], Field(min_length=1, max_length=MAX_UNITS)] | Literal["all"]
    ) = "all"
    objective: Literal["channel", "neuron"] = "channel"
    steps: Annotated[int, Field(ge=1, le=4096)] = 128
    parameterisation: Literal["fourier", "pixels"] = "fourier"
    transforms: Literal["small", "none"] = "small"
    regularisers: Regularisers = Regularisers()
    learning_rate: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0


def resolve(where: Manifest | Network, request: MaximisationRequest) -> MaximisationRequest:
    """The same request with its units listed, each once, in the order asked for.

    Raises ``NotFound`` for an unknown layer or unit, ``InvalidInput`` for a layer without units of
    its own (dropout).
    """
    layer = _layer(where, request.layer)
    known = range(layer.units)
    units = tuple(known) if request.units == "all" else tuple(dict.fromkeys(request.units))
    if len(units) > MAX_UNITS:
        raise InvalidInput(
            f"layer {layer.name} has {layer.units} units; ask for at most {MAX_UNITS} at once"
        )
    for unit in units:
        if unit not in known:
            raise NotFound(f"unit of layer {layer.name}", unit, known)
    # A unit of one value has no positions to choose from: the two objectives are one, so one name.
    objective = request.objective if layer.spatial else "channel"
    return request.model_copy(update={"units": units, "objective": objective})


def unit_numbers(request: MaximisationRequest) -> tuple[int, ...]:
    """The units of a resolved request."""
    if request.units == "all":
        raise InvalidInput("the request was not resolved: its units are not listed")
    return request.units


def digest(manifest: Manifest, request: MaximisationRequest) -> str:
    """The same request on the same network has the same digest, whatever the model is called."""
    parts = {
        "method": METHOD,
        "network": manifest.digest,
        "request": resolve(manifest, request).model_dump(mode="json"),
    }
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]


def _layer(where: Manifest | Network, name: str) -> LayerInfo:
    layers = {layer.name: layer for layer in _network(where).layers}
    if name not in layers:
        raise NotFound("layer", name, layers)
    if layers[name].kind == "dropout":
        raise InvalidInput(f"layer {name} is dropout: it has no units of its own to maximise")
    return layers[name]


def _network(where: Manifest | Network) -> Network:
    if isinstance(where, Network):
        return where
    with torch.device("meta"):  # names and shapes only, no weights
        return build(where.network)
