"""What a layer still knows of an image."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.inputs import read_pixels
from service.layers import layer_named
from service.maximise.pictures import check_scale
from service.runtime import runtime

router = APIRouter(prefix="/v1/models", tags=["inversions"])

MOST_IMAGES = 8
"""Each costs hundreds of passes through the network and back."""


@router.post(
    "/{model}/inversions",
    summary="Invert a layer",
    responses=openapi.INVERSIONS,
    openapi_extra=openapi.IMAGES_BODY,
)
async def inversions(
    request: Request,
    model: ModelName,
    layer: Annotated[str, Query(description="as `/v1/models/{model}/layers` names it")],
    steps: Annotated[int, Query(ge=1, le=4096, description="more steps, nearer")] = 200,
    seed: Annotated[int, Query(ge=0, lt=2**53, description="of the start")] = 0,
    written: Annotated[
        Literal["json", "png"], Query(alias="format", description="of the answer")
    ] = "json",
    scale: Annotated[int, Query(ge=1, le=32, description="pixels a pixel, of a png")] = 8,
) -> Response:
    """Another picture that the layer can hardly tell from the image (Mahendran and Vedaldi 2015):
    what is lost in it, the layer does not know. `error` is how far apart the layer's activations
    are: 0 the same, 1 as far as nothing. `png` is the first image's alone."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    layer_named(checkpoint.network, layer)
    if written == "png":
        _, height, width = checkpoint.manifest.input.shape
        check_scale(height, width, scale)
    pixels = await read_pixels(request, checkpoint.manifest.input, MOST_IMAGES, found.pool)
    options = {
        "layer": layer,
        "format": written,
        "scale": scale,
        "settings": {"steps": steps, "seed": seed},
    }
    job = Job(
        "inversions",
        (checkpoint.manifest.ref,),
        options,
        pixels[:1] if written == "png" else pixels,
    )
    answer = await found.analyses.run(job)
    return Response(answer.body, media_type=answer.media_type)
