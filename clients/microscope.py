"""What a client can look at beyond answers and activations: a part of ``Client``.

client.filters("mnist", "conv1")                        PNG bytes
client.attribute("mnist", images=["seven.png"])         heat maps
client.examples("mnist", "out1", 3)                     the test images that drive a unit most
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, Unpack
from urllib.parse import quote

from clients.answers import read
from clients.connection import Connection
from clients.findings import (
    Adversarial,
    Attribution,
    Comparison,
    Confusion,
    Embedding,
    Evolution,
    Example,
    Method,
    Place,
    UnitStatistics,
)
from clients.inputs import Inputs, request_arguments

T = TypeVar("T")

View = Literal["mean", "norm", "grid"]


class Microscope:
    _connection: Connection

    def filters(
        self, model: str, layer: str, *, show: View | None = None, scale: int | None = None
    ) -> bytes:
        """PNG of a layer's weights, a tile a unit."""
        return self._content(f"{layer_path(model, layer)}/filters.png", show=show, scale=scale)

    def units(self, model: str, layer: str) -> list[UnitStatistics]:
        """What each unit does over the test set. Raises ``NotFound`` for a version without."""
        return self._member(list[UnitStatistics], f"{layer_path(model, layer)}/units", "units")

    def examples(self, model: str, layer: str, unit: int) -> list[Example]:
        """The test images that drive a unit most, the strongest first."""
        path = f"{layer_path(model, layer)}/units/{unit}/examples"
        return self._member(list[Example], path, "examples")

    def evolution(self, model: str, layer: str, unit: int) -> Evolution:
        """How a unit came to be. Raises ``NotFound`` for a version without snapshots; with
        ``maximise(..., epoch=3)`` it is drawn as it was then."""
        path = f"{layer_path(model, layer)}/units/{unit}/evolution"
        return read(Evolution, self._connection.json("GET", path))

    def example_sheet(
        self, model: str, layer: str, unit: int, *, marked: bool = True, scale: int | None = None
    ) -> bytes:
        """The same as PNG, with what the unit sees of each marked."""
        path = f"{layer_path(model, layer)}/units/{unit}/examples.png"
        return self._content(path, marked=str(marked).lower(), scale=scale)

    def test_image(self, model: str, index: int, scale: int = 1) -> bytes:
        """PNG of a test image that the version carries."""
        return self._content(f"{model_path(model)}/images/{index}.png", scale=scale)

    def attribution_methods(self, model: str) -> list[Method]:
        return self._member(list[Method], f"{model_path(model)}/attributions", "methods")

    def attribute(
        self,
        model: str,
        *,
        method: str | None = None,
        target: str | int | None = None,
        **inputs: Unpack[Inputs],
    ) -> list[Attribution]:
        """What in each image speaks for a class: its answer, or ``target``."""
        asked = {"method": method, "target": target}
        return self._asked(list[Attribution], model, "attributions", asked, inputs)

    def attribution_picture(
        self,
        model: str,
        *,
        method: str | None = None,
        target: str | int | None = None,
        scale: int = 8,
        **inputs: Unpack[Inputs],
    ) -> bytes:
        """PNG of the first image with its heat map over it."""
        asked = given({"method": method, "target": target, "format": "png", "scale": scale})
        path = f"{model_path(model)}/attributions"
        return self._connection.send(
            "POST", path, params=asked, **request_arguments(inputs)
        ).content

    def embedding(self, model: str) -> Embedding:
        """The test set as the last layer sees it, on a map."""
        return read(Embedding, self._connection.json("GET", f"{model_path(model)}/embedding"))

    def place(self, model: str, **inputs: Unpack[Inputs]) -> list[Place]:
        """Where images lie on the map, and what lies next to them."""
        return self._asked(list[Place], model, "embedding", {}, inputs, "places")

    def confusion(self, model: str, truth: str | int, answer: str | int) -> Confusion:
        """A cell of the confusion matrix: its images, and the units that were misled."""
        cell = "/".join(quote(str(name), safe="") for name in (truth, answer))
        path = f"{model_path(model)}/confusions/{cell}"
        return read(Confusion, self._connection.json("GET", path))

    def adversarial(
        self, model: str, *, target: str | int | None = None, **inputs: Unpack[Inputs]
    ) -> list[Adversarial]:
        """The smallest change found that makes each image another class, or ``target``."""
        return self._asked(list[Adversarial], model, "adversarials", {"target": target}, inputs)

    def invert(
        self,
        model: str,
        layer: str,
        *,
        steps: int | None = None,
        scale: int = 8,
        **inputs: Unpack[Inputs],
    ) -> bytes:
        """PNG of what a layer still knows of the first image."""
        asked = given({"layer": layer, "steps": steps, "format": "png", "scale": scale})
        path = f"{model_path(model)}/inversions"
        return self._connection.send(
            "POST", path, params=asked, **request_arguments(inputs)
        ).content

    def compare(self, model: str, other: str, layers: Sequence[str] | None = None) -> Comparison:
        """Two versions side by side, over test images that the first carries."""
        path = f"{model_path(model)}/comparisons/{quote(other, safe='@')}"
        asked = given({"layers": ",".join(layers) if layers else None})
        return read(Comparison, self._connection.json("GET", path, params=asked))

    def _content(self, path: str, **asked: Any) -> bytes:
        return self._connection.send("GET", path, params=given(asked)).content

    def _member(self, kind: type[T], path: str, name: str) -> T:
        return member(kind, self._connection.json("GET", path), name)

    def _asked(
        self,
        kind: type[T],
        model: str,
        noun: str,
        asked: Mapping[str, Any],
        inputs: Inputs,
        name: str | None = None,
    ) -> T:
        answer = self._connection.json(
            "POST",
            f"{model_path(model)}/{noun}",
            params=given(asked),
            **request_arguments(inputs),
        )
        return member(kind, answer, name or noun)


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def member(kind: type[T], answer: Any, name: str) -> T:
    found = answer.get(name) if isinstance(answer, Mapping) else None
    return read(kind, found)


def model_path(model: str) -> str:
    return f"/v1/models/{quote(model, safe='@')}"


def layer_path(model: str, layer: str) -> str:
    return f"{model_path(model)}/layers/{quote(layer, safe='')}"
