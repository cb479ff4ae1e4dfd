"""Images changed as little as it takes to change the answer."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.inputs import read_pixels
from service.microscopy import class_named
from service.runtime import runtime

router = APIRouter(prefix="/v1/models", tags=["adversarials"])

MOST_IMAGES = 8
"""Each costs some thousand passes through the network."""


@router.post(
    "/{model}/adversarials",
    summary="Fool it",
    responses=openapi.ADVERSARIALS,
    openapi_extra=openapi.IMAGES_BODY,
)
async def adversarials(
    request: Request,
    model: ModelName,
    target: Annotated[
        str | None, Query(description="a label or a class's number; default: any other")
    ] = None,
    method: Annotated[Literal["pgd", "fgsm"], Query(description="pgd is stronger")] = "pgd",
    levels: Annotated[
        int | None,
        Query(ge=1, le=255, description="largest change of a pixel; default: as few as it takes"),
    ] = None,
    seed: Annotated[int, Query(ge=0, lt=2**53, description="of pgd's random start")] = 0,
) -> Response:
    """`after` is the picture that is answered otherwise, looked at as the bytes that it is;
    `levels` of 255 is its largest change of a pixel, `change` the change of each, 0..1. Where no
    change within the bound is enough, `fooled` is false and the nearest is shown."""
    found = runtime(request)
    checkpoint = await found.registry.get(model)
    options = {
        "levels": levels,
        "settings": {
            "target": None if target is None else class_named(checkpoint, target),
            "method": method,
            "seed": seed,
        },
    }
    pixels = await read_pixels(request, checkpoint.manifest.input, MOST_IMAGES, found.pool)
    job = Job("adversarials", (checkpoint.manifest.ref,), options, pixels)
    answer = await found.analyses.run(job)
    return Response(answer.body, media_type=answer.media_type)
