"""Which of a network's layers can be asked for what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from glyphscope.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from glyphscope.networks import LayerInfo, Network

SILENT = ("dropout", "flatten")
"""Kinds that pass on what they get: the layer before them has the same values."""


def can_hear(layer: "LayerInfo") -> bool:
    return layer.kind not in SILENT


def can_maximise(layer: "LayerInfo") -> bool:
    return layer.kind != "dropout"


def choose(network: "Network", names: str | None) -> "list[LayerInfo]":
    """The layers named "a,b", each once and in that order; all that can be heard by default."""
    layers = {layer.name: layer for layer in network.layers}
    heard = [name for name, layer in layers.items() if can_hear(layer)]
    asked: Sequence[str] = heard
    if names is not None:
        asked = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in asked:
        if name not in layers:
            raise NotFound("layer", name, heard)
        if not can_hear(layers[name]):
            raise InvalidInput(
                f"layer {name} ({layers[name].kind}) passes on what it gets; ask one of "
                + ", ".join(heard)
            )
    return [layers[name] for name in asked]


def layer_named(network: "Network", name: str) -> "LayerInfo":
    """Raises ``NotFound``."""
    layers = {layer.name: layer for layer in network.layers}
    if name not in layers:
        raise NotFound("layer", name, layers)
    return layers[name]


def unit_numbered(layer: "LayerInfo", unit: str) -> int:
    """A path's unit. Raises ``NotFound``."""
    if not (unit.isascii() and unit.isdecimal() and int(unit[:9]) < layer.units and len(unit) < 9):
        raise NotFound(f"unit of layer {layer.name}", unit, [f"0 to {layer.units - 1}"])
    return int(unit)
