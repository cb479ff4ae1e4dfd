"""How a unit came to be: it at epochs of its network's training."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import LayerName, ModelName, UnitNumber
from service.formats.answers import derived
from service.layers import layer_named, unit_numbered
from service.microscopy import published
from service.runtime import runtime
from service.sources import source

router = APIRouter(prefix="/v1/models", tags=["units"])


@router.get(
    "/{model}/layers/{layer}/units/{unit}/evolution",
    summary="How a unit came to be",
    responses=openapi.EVOLUTION,
)
async def evolution(
    request: Request,
    model: ModelName,
    layer: LayerName,
    unit: UnitNumber,
    images: Annotated[int, Query(ge=8, le=512, description="of those that it carries")] = 256,
) -> Response:
    """At each epoch whose weights the version carries (its run kept them by `fit.snapshots`), and
    as published, where `epoch` is null: how like its published weights the unit's were (cosine),
    how it answered test images that the version carries, and which of them drove it most. A
    maximisation with this `epoch` draws what it looked for then."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    number = unit_numbered(layer_named(checkpoint.network, layer), unit)
    published(checkpoint, len(checkpoint.snapshots) > 0, "snapshots of its training")
    published(checkpoint, len(checkpoint.images) > 0, "its test images")
    job = Job(
        "evolution",
        (checkpoint.manifest.ref,),
        {"layer": layer, "unit": number, "images": images},
    )

    async def make() -> tuple[bytes, str]:
        answer = await found.analyses.run(job)
        return answer.body, answer.media_type

    return await derived(request, source(checkpoint.manifest), make)
