"""The test images that drive a unit most, with what the unit sees of them."""

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from glyphscope.receptive_field import Box, receptive_fields
from glyphscope.visualise import grid, png
from service.document import openapi
from service.document.openapi import LayerName, ModelName, UnitNumber
from service.formats.answers import derived, dumps
from service.formats.marking import Pixels, marked_tile
from service.layers import layer_named, unit_numbered
from service.maximise.pictures import check_sheet
from service.microscopy import image_of, published
from service.runtime import runtime
from service.sources import source

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint
    from glyphscope.examples import Example

router = APIRouter(prefix="/v1/models", tags=["examples"])


@router.get(
    "/{model}/layers/{layer}/units/{unit}/examples",
    summary="What drives a unit most",
    responses=openapi.EXAMPLES,
)
async def examples(
    request: Request, model: ModelName, layer: LayerName, unit: UnitNumber
) -> Response:
    """The test images on which the unit's highest activation is highest. `position` is where on the
    layer's map, `field` which pixels are seen from there (bottom and right are just outside).
    `label`, `answer` and `image` are null for an image that the version does not carry."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    shown, number = _recorded(checkpoint, layer, unit)

    async def make() -> tuple[bytes, str]:
        return dumps(_document(checkpoint, layer, number, shown)), "application/json"

    return await derived(request, source(checkpoint.manifest), make)


@router.get(
    "/{model}/layers/{layer}/units/{unit}/examples.png",
    summary="The same as a picture",
    responses=openapi.IMAGE,
)
async def sheet(
    request: Request,
    model: ModelName,
    layer: LayerName,
    unit: UnitNumber,
    marked: Annotated[bool, Query(description="with a frame around what the unit sees")] = True,
    scale: Annotated[int, Query(ge=1, le=16, description="pixels a pixel")] = 4,
) -> Response:
    """Row by row, the strongest first."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    shown, _ = _recorded(checkpoint, layer, unit)
    carried = [one for one in shown if one.index in checkpoint.images]
    published(checkpoint, bool(carried), "its test images")

    def draw() -> tuple[bytes, str]:
        _, height, width = checkpoint.manifest.input.shape
        check_sheet(len(carried), (height, width), 1, scale)
        tiles = [_tile(checkpoint, layer, one, scale, marked=marked) for one in carried]
        return png(grid(tiles)), "image/png"

    return await derived(request, source(checkpoint.manifest), lambda: found.pool.run(draw))


def _recorded(checkpoint: "Checkpoint", layer: str, unit: str) -> "tuple[tuple[Example, ...], int]":
    number = unit_numbered(layer_named(checkpoint.network, layer), unit)
    shown = checkpoint.examples.unit(layer, number)
    published(checkpoint, bool(shown), f"examples of layer {layer}")
    return shown, number


def _document(
    checkpoint: "Checkpoint", layer: str, unit: int, shown: "tuple[Example, ...]"
) -> dict[str, Any]:
    _, height, width = checkpoint.manifest.input.shape
    return {
        "model": checkpoint.manifest.name,
        "version": checkpoint.manifest.version,
        "layer": layer,
        "unit": unit,
        "height": height,
        "width": width,
        "examples": [_example(checkpoint, layer, one) for one in shown],
    }


def _example(checkpoint: "Checkpoint", layer: str, example: "Example") -> dict[str, Any]:
    box = _field(checkpoint, layer, example)
    field = None if box is None else dict(zip(("top", "left", "bottom", "right"), box, strict=True))
    unknown = dict.fromkeys(("label", "answer", "confidence", "image"))
    return {
        **unknown,
        **(image_of(checkpoint, example.index) or {}),
        "index": example.index,
        "activation": example.activation,
        "position": example.position,
        "field": field,
    }


def _field(checkpoint: "Checkpoint", layer: str, example: "Example") -> Box | None:
    """None where the unit sees the whole image."""
    field = receptive_fields(checkpoint.network)[layer]
    if example.position is None or field.flat:
        return None
    return field.box(*example.position)


def _tile(
    checkpoint: "Checkpoint", layer: str, example: "Example", scale: int, *, marked: bool
) -> Pixels:
    image = checkpoint.images.get(example.index)
    assert image is not None
    box = _field(checkpoint, layer, example) if marked else None
    return marked_tile(image.pixels, box, scale)
