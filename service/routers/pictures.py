"""Finished maximisations as pictures: immutable, so asked for again they cost a look at a name."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from service.document import openapi
from service.formats.answers import IMMUTABLE, known
from service.maximise.jobs import JOB_ID
from service.maximise.pictures import Pictures, tag
from service.runtime import runtime

router = APIRouter(prefix="/v1/maximisations/{job_id}", tags=["maximisations"])

Scale = Annotated[int, Query(ge=1, le=16, description="pixels a pixel")]


@router.get("/units/{unit}.png", summary="A unit's picture", responses=openapi.PICTURE)
async def unit(request: Request, job_id: str, unit: str, scale: Scale = 1) -> Response:
    name = f"unit-{unit}@{scale}"
    return await _answer(request, job_id, name, "image/png", lambda of: of.unit(unit, scale))


@router.get("/units/{unit}/film.png", summary="The way to it", responses=openapi.PICTURE)
async def film(request: Request, job_id: str, unit: str, scale: Scale = 1) -> Response:
    """Frame beside frame, at the steps that the job names in `frames`; the last is the picture."""
    name = f"film-{unit}@{scale}"
    return await _answer(request, job_id, name, "image/png", lambda of: of.film(unit, scale))


@router.get("/grid.png", summary="All pictures", responses=openapi.PICTURE)
async def grid(request: Request, job_id: str, scale: Scale = 1) -> Response:
    """In the order of the request, as square as it gets."""
    return await _answer(request, job_id, f"grid@{scale}", "image/png", lambda of: of.grid(scale))


@router.get("/animation.webp", summary="All of them, moving", responses=openapi.ANIMATION)
async def animation(request: Request, job_id: str, scale: Scale = 1) -> Response:
    """Laid out as `grid.png`, from noise to the pictures, for ever."""
    return await _answer(
        request, job_id, f"animation@{scale}", "image/webp", lambda of: of.animation(scale)
    )


async def _answer(
    request: Request, job_id: str, name: str, kind: str, make: Callable[[Pictures], bytes]
) -> Response:
    found = runtime(request)
    if not JOB_ID.fullmatch(job_id) or found.maximisations.jobs.unknown(job_id):
        raise HTTPException(404, f"no maximisation has the id {job_id!r}")
    etag = tag(job_id, name)
    headers = {"ETag": etag, "Cache-Control": IMMUTABLE}
    pictures = Pictures(found.maximisations, job_id)
    if known(request, etag):
        return Response(status_code=304, headers=headers)
    body = await found.drawers.run(lambda: make(pictures))
    return Response(body, 200, headers, kind)
