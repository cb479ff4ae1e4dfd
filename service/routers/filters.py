"""A layer's weights as a picture."""

import math
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from glyphscope.visualise import grid, png
from service.document import openapi
from service.document.openapi import LayerName, ModelName
from service.formats.answers import derived, freshness
from service.layers import layer_named
from service.maximise.pictures import check_sheet
from service.runtime import runtime
from service.sources import source

router = APIRouter(prefix="/v1/models", tags=["layers"])

Shown = Literal["mean", "norm", "grid"]
Range = Literal["unit", "layer"]

LEGIBLE = 24
"""Pixels: kernels are enlarged to about this much unless a scale is asked for."""


@router.get(
    "/{model}/layers/{layer}/filters.png",
    summary="A layer's weights",
    responses=openapi.FILTERS,
)
async def picture(
    request: Request,
    model: ModelName,
    layer: LayerName,
    show: Annotated[
        Shown | None,
        Query(description="of a unit's inputs; default: an image's channels as they are, or mean"),
    ] = None,
    colours: Annotated[
        Range, Query(alias="range", description="whose strongest weight is black or white")
    ] = "unit",
    scale: Annotated[int | None, Query(ge=1, le=32, description="pixels a weight")] = None,
) -> Response:
    """One tile a unit, grey where a weight is zero. A layer that reads the image shows its kernels
    in grey or colour. A deeper unit has a kernel for each of its inputs: by default their `mean` is
    shown, which keeps the sign; `norm` shows where it looks at all, and `grid` every kernel on its
    own, a row a unit. A dense layer after a flattened map is shown as that map."""
    from glyphscope import filters  # here: it needs PyTorch

    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    layer_named(checkpoint.network, layer)
    weights = filters.kernels(checkpoint.network, layer)
    units, inputs, height, width = weights.shape
    columns = inputs if show == "grid" else 1 if height == 1 else math.ceil(math.sqrt(units))
    enlarge = scale or max(1, LEGIBLE // max(height, width))
    check_sheet(units * (inputs if show == "grid" else 1), (height, width), columns, enlarge)

    def draw() -> tuple[bytes, str]:
        view = show or filters.default_view(checkpoint.network, layer)
        tiles = filters.tiles(weights, view, shared=colours == "layer")
        return png(grid(list(tiles), columns), enlarge), "image/png"

    return await derived(
        request, source(checkpoint.manifest), lambda: found.pool.run(draw), freshness(model)
    )
