"""An objective as data: a weighted sum of terms, each what one layer answers.

    [{"kind": "channel"}, {"kind": "channel", "layer": "logits", "unit": 3, "weight": -0.5}]

drives each unit asked for, and class 3 down. A term without a unit is open: it stands for the unit
that the picture is of. A sum without open terms is one picture of its own.

    completed(network, terms, layer)  ->  terms with every name checked and every gap filled

``summed.py`` makes an objective of them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from glyphscope.errors import InvalidInput, NotFound
from glyphscope.spec import Frozen

if TYPE_CHECKING:
    from glyphscope.networks import LayerInfo, Network

MAX_TERMS = 16

UnitIndex = Annotated[int, Field(ge=0, le=65535)]
Position = tuple[Annotated[int, Field(ge=0, le=1023)], Annotated[int, Field(ge=0, le=1023)]]
Component = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]


class Term(Frozen):
    """``channel``: the mean over a unit's positions (of the last layer: a class's logit).
    ``neuron``: one ``position`` (row, column) of it, by default the middle. ``layer``: the mean
    square of all units. ``direction``: the mean over positions of the dot product with ``vector``,
    one number a unit."""

    kind: Literal["channel", "neuron", "layer", "direction"] = "channel"
    weight: Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)] = 1.0
    layer: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    unit: UnitIndex | None = None
    position: Position | None = None
    vector: Annotated[tuple[Component, ...], Field(min_length=1, max_length=65536)] | None = None

    @model_validator(mode="after")
    def _has_what_its_kind_takes(self) -> Self:
        if self.unit is not None and self.kind not in ("channel", "neuron"):
            raise ValueError(f"a term of kind {self.kind} is of the whole layer: it takes no unit")
        if self.position is not None and self.kind != "neuron":
            raise ValueError(f"a term of kind {self.kind} takes no position; a neuron does")
        if (self.vector is not None) != (self.kind == "direction"):
            raise ValueError("a direction, and nothing else, takes a vector: one number a unit")
        return self

    @property
    def open(self) -> bool:
        return self.kind in ("channel", "neuron") and self.unit is None


Terms = Annotated[tuple[Term, ...], Field(min_length=1, max_length=MAX_TERMS)]


def completed(network: "Network", terms: Sequence[Term], layer: str) -> tuple[Term, ...]:
    """Raises ``NotFound`` for a layer or unit, ``InvalidInput`` for a position or a vector that
    does not fit its layer."""
    return tuple(_completed(find_layer(network, term.layer or layer), term) for term in terms)


def find_layer(network: "Network", name: str) -> "LayerInfo":
    layers = {layer.name: layer for layer in network.layers}
    if name not in layers:
        raise NotFound("layer", name, layers)
    if layers[name].kind == "dropout":
        raise InvalidInput(f"layer {name} is dropout: it has no units of its own to maximise")
    return layers[name]


def check_position(layer: "LayerInfo", position: Position | None) -> Position | None:
    """The middle where none is given; None for a layer whose units are single values."""
    if not layer.spatial:
        if position is not None:
            raise InvalidInput(f"a unit of layer {layer.name} is one value: it has no positions")
        return None
    rows, columns = layer.output_shape[1:]
    if position is None:
        return rows // 2, columns // 2
    if position[0] >= rows or position[1] >= columns:
        raise InvalidInput(
            f"position {list(position)} is outside of layer {layer.name}, which has "
            f"{rows} x {columns}: rows 0 to {rows - 1}, columns 0 to {columns - 1}"
        )
    return position


def _completed(layer: "LayerInfo", term: Term) -> Term:
    if term.unit is not None and term.unit >= layer.units:
        raise NotFound(f"unit of layer {layer.name}", term.unit, range(layer.units))
    if term.vector is not None and len(term.vector) != layer.units:
        raise InvalidInput(
            f"the vector has {len(term.vector)} numbers; layer {layer.name} has {layer.units} units"
        )
    filled: dict[str, object] = {"layer": layer.name}
    if term.kind == "neuron":
        filled["position"] = check_position(layer, term.position)
    return term.model_copy(update=filled)
