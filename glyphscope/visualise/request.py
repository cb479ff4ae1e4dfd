"""What a maximisation is asked for, checked against a network, and named by its digest.

MaximisationRequest      frozen; the HTTP body as well
resolve(where, request)  units made explicit, names checked, every knob filled from the preset
digest(manifest, request)  40 hex digits: everything that determines the pictures
"""

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field

from glyphscope.errors import InvalidInput, NotFound
from glyphscope.manifest import PRIOR, SNAPSHOTS, Manifest
from glyphscope.spec import Frozen
from glyphscope.visualise import knobs as k
from glyphscope.visualise import presets
from glyphscope.visualise.knobs import Regularisers, Settings, Warp
from glyphscope.visualise.terms import (
    Position,
    Term,
    Terms,
    UnitIndex,
    check_position,
    completed,
    find_layer,
)

if TYPE_CHECKING:
    from glyphscope.networks import LayerInfo, Network

METHOD = 4
"""Part of every digest. Raise it when the same settings come to give other pictures."""

MAX_UNITS = 4096
MAX_VARIANTS = 16


def _is_known(name: str) -> str:
    if name not in presets.PRESETS:
        raise ValueError(f"unknown preset {name!r}; known: {', '.join(presets.PRESETS)}")
    return name


PresetName = Annotated[
    str, AfterValidator(_is_known), Field(json_schema_extra={"enum": [*presets.PRESETS]})
]


Objective = Annotated[
    Annotated[Literal["channel", "neuron", "layer"], k.NAME] | Annotated[Terms, k.VALUE],
    Discriminator(k.named_or_given),
]
Transforms = Annotated[
    Annotated[Literal["small", "none", "lucid"], k.NAME] | Annotated[Warp, k.VALUE],
    Discriminator(k.named_or_given),
]


class MaximisationRequest(Frozen):
    """Pictures that drive ``units`` of ``layer`` most.

    ``objective``: "channel" is the mean over a channel's positions (of a dense layer: its unit, so
    of the last one a class's logit), "neuron" one ``position`` of it, by default the middle,
    "layer" the whole layer (DeepDream). A list of terms is their weighted sum. "layer", and a sum
    in which every term names its unit, is one picture, numbered 0.

    ``variants``: so many pictures of one unit, pushed apart by ``diversity`` and numbered from 0.
    ``epoch``: the network as it was then, of a version that carries snapshots of its training.
    Knobs that are not given are those of ``preset``.
    """

    layer: Annotated[str, Field(min_length=1, max_length=256)]
    units: (
        Annotated[tuple[UnitIndex, ...], Field(min_length=1, max_length=MAX_UNITS)] | Literal["all"]
    ) = "all"
    objective: Objective = "channel"
    position: Position | None = None
    variants: Annotated[int, Field(ge=1, le=MAX_VARIANTS)] = 1
    diversity: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 1.0
    epoch: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(
        None, exclude_if=lambda epoch: epoch is None
    )
    preset: PresetName = "default"
    parameterisation: k.Parameterisation | None = None
    decorrelate: bool | None = None
    start: k.Start | None = None
    ground: k.Ground | None = None
    optimiser: k.Optimiser | None = None
    learning_rate: k.Rate | None = None
    schedule: k.Schedule | None = None
    steps: k.Steps | None = None
    transforms: Transforms | None = None
    regularisers: Regularisers | None = None
    redirect: k.Redirect | None = None
    patience: k.Patience | None = None
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0

    @property
    def terms(self) -> tuple[Term, ...]:
        """The objective as a sum, whatever way it was named."""
        if not isinstance(self.objective, str):
            return self.objective
        return (Term(kind=self.objective, layer=self.layer, position=self.position),)

    @property
    def closed(self) -> bool:
        """Whether it is one picture of its own, and not one a unit."""
        return not any(term.open for term in self.terms)


def settings_of(request: MaximisationRequest) -> Settings:
    """Every knob with its value: the request's where it is given, else its preset's."""
    base = presets.preset(request.preset).settings
    turned = {
        name: getattr(request, name)
        for name in Settings.model_fields
        if getattr(request, name) is not None
    }
    if isinstance(turned.get("transforms"), str):
        turned["transforms"] = presets.warp(turned["transforms"])
    turned["regularisers"] = (request.regularisers or Regularisers()).over(base.regularisers)
    return base.model_copy(update=turned)


def resolve(where: "Manifest | Network", request: MaximisationRequest) -> MaximisationRequest:
    """The same request with nothing left open: its units listed, each once, in the order asked
    for, and every knob given. Resolving again changes nothing.

    Raises ``NotFound`` for an unknown layer or unit, ``InvalidInput`` for a layer without units of
    its own (dropout) and for a position or vector that does not fit.
    """
    network = _network(where)
    layer = find_layer(network, request.layer)
    knobs = settings_of(request)
    if network.spec.input_shape[0] != 3:
        knobs = knobs.model_copy(update={"decorrelate": False})
    resolved = request.model_copy(update=dict(knobs) | _objective(network, layer, request))
    units = _units(layer, resolved)
    if resolved.variants > 1 and resolved.diversity > 0:
        _check_maps(network, layer)
    alone = {} if resolved.variants > 1 else {"diversity": 0.0}
    return resolved.model_copy(update={"units": units, **alone})


def unit_numbers(request: MaximisationRequest) -> tuple[int, ...]:
    """The units of a resolved request."""
    if request.units == "all":
        raise InvalidInput("the request was not resolved: its units are not listed")
    return request.units


def digest(manifest: Manifest, request: MaximisationRequest) -> str:
    """The same request on the same network has the same digest, whatever the model is called."""
    resolved = resolve(manifest, request)
    parts = {
        "method": METHOD,
        "network": manifest.digest,
        # Its numbers count and not its name.
        "request": resolved.model_dump(mode="json", exclude={"preset"}),
    }
    if PRIOR in manifest.files:
        parts["prior"] = manifest.files[PRIOR]
    if resolved.epoch is not None:
        parts["snapshots"] = manifest.files.get(SNAPSHOTS)
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:40]


def _objective(
    network: "Network", layer: "LayerInfo", request: MaximisationRequest
) -> dict[str, object]:
    if not isinstance(request.objective, str):
        if request.position is not None:
            raise InvalidInput("give the position in the term of kind neuron")
        return {"objective": completed(network, request.objective, layer.name)}
    if request.objective != "neuron":
        if request.position is not None:
            raise InvalidInput('only the objective "neuron" has a position')
        return {}
    position = check_position(layer, request.position)
    # A unit of one value has no positions to choose from: the two objectives are one, so one name.
    return {"objective": "neuron" if layer.spatial else "channel", "position": position}


def _units(layer: "LayerInfo", request: MaximisationRequest) -> tuple[int, ...]:
    if request.closed:
        if request.units not in ("all", (0,)):
            raise InvalidInput(
                "this objective is one picture, numbered 0, and not one a unit: leave units out"
            )
        units: tuple[int, ...] = (0,)
    else:
        known = range(layer.units)
        units = tuple(known) if request.units == "all" else tuple(dict.fromkeys(request.units))
        for unit in units:
            if unit not in known:
                raise NotFound(f"unit of layer {layer.name}", unit, known)
    if len(units) > MAX_UNITS:
        raise InvalidInput(
            f"layer {layer.name} has {layer.units} units; ask for at most {MAX_UNITS} at once"
        )
    if request.variants > 1 and len(units) > 1:
        raise InvalidInput(f"variants are of one unit: name one in units, not {len(units)}")
    return units


def _check_maps(network: "Network", layer: "LayerInfo") -> None:
    """Variants are told apart by what the channels of a map do together."""
    layers = network.layers
    if not any(each.spatial for each in layers[: layers.index(layer) + 1]):
        raise InvalidInput(
            f"no layer up to {layer.name} has maps to tell variants apart by: set diversity to 0"
        )


def _network(where: "Manifest | Network") -> "Network":
    if not isinstance(where, Manifest):
        return where
    import torch  # here: checking a request's form does without it

    from glyphscope.networks import build

    with torch.device("meta"):  # names and shapes only, no weights
        return build(where.network)
