"""What every layer answers to an image."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from fastapi import APIRouter, Query, Request, Response

from glyphscope.errors import TooLarge
from glyphscope.preprocess import Pixels
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.accept import negotiate
from service.formats.activation_formats import WRITERS, Maps, maps, numbers, sheet, statistics
from service.formats.answers import dumps
from service.formats.inputs import read_pixels
from service.inference.model import Model
from service.layers import choose
from service.runtime import Runtime, request_id, runtime

if TYPE_CHECKING:
    from glyphscope.networks import LayerInfo

QUICK_VALUES = 250_000
"""Numbers in a file: a megabyte, which takes about 0.3 ms to join."""

T = TypeVar("T")

router = APIRouter(prefix="/v1/models", tags=["activations"])

Format = Literal["json", "npz", "safetensors", "png"]
OFFERS: dict[str, Format] = {
    "application/json": "json",
    "application/x-npz": "npz",
    "application/x-safetensors": "safetensors",
    "image/png": "png",
}

Kind = Literal["statistics", "maps"]
Range = Literal["unit", "layer", "network"]


@router.post(
    "/{model}/activations",
    summary="Activations of every layer",
    responses=openapi.ACTIVATIONS,
    openapi_extra=openapi.IMAGES_BODY,
)
async def activations(
    request: Request,
    model: ModelName,
    layers: Annotated[str | None, Query(description="names with commas; default: all")] = None,
    asked: Annotated[
        Format | None, Query(alias="format", description="of the answer; default: by Accept")
    ] = None,
    values: Annotated[Kind, Query(description="what JSON holds of each unit")] = "statistics",
    colours: Annotated[
        Range, Query(alias="range", description="whose values span a picture's colours")
    ] = "layer",
) -> Response:
    """`json` gives min, max, mean and std of every unit, or with `values=maps` all numbers. `npz`
    and `safetensors` hold one float32 array a layer, (N, C, H, W) or (N, units). `png` shows every
    channel for the first image, layer under layer, from dark to light over the range of its
    `unit`, its `layer` or the whole `network`."""
    found = runtime(request)
    written = asked or OFFERS[negotiate(request, tuple(OFFERS))]
    served = await found.registry.route(model, request_id(request))
    chosen = choose((await found.registry.loader.opened(served)).network, layers)
    pixels = await read_pixels(
        request, served.manifest.input, found.settings.max_batch_images, found.pool
    )
    if written == "png":
        pixels = pixels[:1]
    compact = written == "json" and values == "statistics"
    if not compact:
        _check_size(len(pixels), chosen, found.settings.max_answer_values)
    heard = await _hear(found, served, pixels, chosen, compact)
    if written == "json":
        body = await found.pool.run(lambda: _json(served, chosen, heard, values))
        return Response(body, media_type="application/json")
    if written == "png":
        body, media_type = await found.pool.run(lambda: sheet(heard, shared=colours))
    else:
        body, media_type = await _write(found, heard, lambda: WRITERS[written](heard))
    # The body of a file has no room for what it was made with.
    return Response(body, media_type=media_type, headers={"X-Model": served.manifest.ref})


async def _write(found: Runtime, heard: Maps, work: Callable[[], T]) -> T:
    """Where it takes less time than the way to a thread, here."""
    if sum(values.size for values in heard.values()) <= QUICK_VALUES:
        return work()
    return await found.pool.run(work)


async def _hear(
    found: Runtime, served: Model, pixels: Pixels, chosen: "list[LayerInfo]", compact: bool
) -> Maps:
    keep = statistics if compact else maps
    names = [layer.name for layer in chosen]
    return await found.engine.activations(served, pixels, names, keep)


def _json(served: Model, chosen: "list[LayerInfo]", heard: Maps, kind: Kind) -> bytes:
    layers = [
        {
            "name": layer.name,
            "output_shape": layer.output_shape,
            **numbers(heard[layer.name], kind),
        }
        for layer in chosen
    ]
    manifest = served.manifest
    return dumps({"model": manifest.name, "version": manifest.version, "layers": layers})


def _check_size(images: int, layers: "list[LayerInfo]", limit: int) -> None:
    values = images * sum(math.prod(layer.output_shape) for layer in layers)
    if values > limit:
        raise TooLarge(
            f"the answer would hold {values} numbers, {limit} are allowed: ask for fewer layers "
            "or images, or for values=statistics"
        )
