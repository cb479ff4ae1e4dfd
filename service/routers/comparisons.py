"""Two versions seen side by side."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from glyphscope.errors import InvalidInput
from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.answers import derived
from service.layers import layer_named
from service.microscopy import published
from service.runtime import runtime
from service.sources import source

router = APIRouter(prefix="/v1/models", tags=["comparisons"])


@router.get(
    "/{model}/comparisons/{other}",
    summary="Compare two versions",
    responses=openapi.COMPARISON,
)
async def comparison(
    request: Request,
    model: ModelName,
    other: Annotated[str, Path(description="another version or model, named as `model` is")],
    layers: Annotated[
        str | None, Query(description="names with commas; default: behind every activation")
    ] = None,
    images: Annotated[int, Query(ge=8, le=512, description="of those that `model` carries")] = 128,
) -> Response:
    """Unit by unit and layer by layer, over test images that `model` carries: each unit's most
    alike in the other (`partner`, by correlation), how alike the layers are (linear CKA), and how
    often both give the same answer."""
    found = runtime(request)
    first = await found.registry.checkpoint(model)
    second = await found.registry.checkpoint(other)
    if first.manifest.input.shape != second.manifest.input.shape:
        raise InvalidInput(
            f"{first.manifest.ref} takes images of {first.manifest.input.shape}, "
            f"{second.manifest.ref} of {second.manifest.input.shape}"
        )
    published(first, len(first.images) > 1, "test images to compare on")
    names = None if layers is None else [name.strip() for name in layers.split(",")]
    for name in names or ():
        layer_named(first.network, name)
    job = Job(
        "comparison",
        (first.manifest.ref, second.manifest.ref),
        {"layers": names, "images": images},
    )

    async def make() -> tuple[bytes, str]:
        answer = await found.analyses.run(job)
        return answer.body, answer.media_type

    return await derived(request, source(first.manifest, second.manifest), make)
