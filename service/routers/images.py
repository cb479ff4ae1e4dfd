"""The test images that a version carries."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from glyphscope.visualise import png
from service.document import openapi
from service.document.openapi import ModelName
from service.formats.answers import derived, freshness
from service.maximise.pictures import check_scale
from service.microscopy import published
from service.runtime import runtime
from service.sources import source

router = APIRouter(prefix="/v1/models", tags=["examples"])


@router.get("/{model}/images/{index}.png", summary="A test image", responses=openapi.IMAGE)
async def image(
    request: Request,
    model: ModelName,
    index: str,
    scale: Annotated[int, Query(ge=1, le=16, description="pixels a pixel")] = 1,
) -> Response:
    """As the network sees it. A version carries those images that drive a unit most, that it gets
    wrong, and a sample of the rest; `index` is the place in the data set's test split."""
    found = runtime(request)
    checkpoint = await found.registry.checkpoint(model)
    number = int(index) if index.isascii() and index.isdecimal() and len(index) < 10 else -1
    published(checkpoint, number in checkpoint.images, f"test image {index!r}")

    def draw() -> tuple[bytes, str]:
        shown = checkpoint.images.get(number)
        assert shown is not None
        _, height, width = shown.pixels.shape
        check_scale(height, width, scale)
        return png(shown.pixels, scale), "image/png"

    return await derived(
        request, source(checkpoint.manifest), lambda: found.pool.run(draw), freshness(model)
    )
