"""The test set as the last layer sees it, as a map, and where a drawing lies on it."""

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from service.analysis.job import Job
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.answers import derived, dumps, freshness
from service.formats.inputs import read_pixels
from service.microscopy import published
from service.runtime import runtime
from service.sources import source

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

router = APIRouter(prefix="/v1/models", tags=["embedding"])

WITHOUT = "a map of its test set"


@router.get("/{model}/embedding", summary="The map of the test set", responses=openapi.EMBEDDING)
async def embedding(request: Request, model: ModelName) -> Response:
    """Images that the last layer sees alike lie near each other (t-SNE). Columns, one entry a
    point: `x` to the right and `y` up, both within -1..1; `label` and `answer` are class numbers,
    `index` the place in the test split, for `/v1/models/{model}/images/{index}.png`."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    published(checkpoint, checkpoint.embedding is not None, WITHOUT)

    async def make() -> tuple[bytes, str]:
        return await found.pool.run(lambda: dumps(_document(checkpoint))), "application/json"

    return await derived(request, source(checkpoint.manifest), make, freshness(model))


@router.post(
    "/{model}/embedding",
    summary="Where images lie on the map",
    responses=openapi.PLACES,
    openapi_extra=openapi.IMAGES_BODY,
)
async def places(request: Request, model: ModelName) -> Response:
    """One place an image, in the order sent: the mean of its nearest test images' places, weighted
    by nearness. `neighbours` are those images, the nearest first."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    published(checkpoint, checkpoint.embedding is not None, WITHOUT)
    pixels = await read_pixels(
        request, checkpoint.manifest.input, found.settings.max_batch_images, found.pool
    )
    answer = await found.analyses.run(Job("places", (checkpoint.manifest.ref,), pixels=pixels))
    return Response(answer.body, media_type=answer.media_type)


def _document(checkpoint: "Checkpoint") -> dict[str, Any]:
    found = checkpoint.embedding
    assert found is not None
    points = found.points.numpy()
    return {
        "model": checkpoint.manifest.name,
        "version": checkpoint.manifest.version,
        "labels": checkpoint.labels,
        "x": points[:, 0].round(4).tolist(),
        "y": points[:, 1].round(4).tolist(),
        "label": found.values["labels"].tolist(),
        "answer": found.values["answers"].tolist(),
        "index": found.values["indices"].tolist(),
    }
