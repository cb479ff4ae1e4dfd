"""Pictures of what drives a unit most, drawn by workers and kept."""

import asyncio
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.exceptions import HTTPException

from glyphscope.checkpoint import Checkpoint
from glyphscope.visualise import MaximisationRequest, digest, resolve
from service import openapi
from service.answers import IMMUTABLE, answer, conditional, read
from service.inputs import check_media_type, load_json
from service.jobs import JOB_ID, Order
from service.openapi import ModelName
from service.pictures import grid_picture, unit_picture
from service.runtime import Runtime, runtime

router = APIRouter(prefix="/v1", tags=["maximisations"])

LONGEST_WAIT = 60
CANCEL_WAIT = 5

# A job is looked at this often while somebody waits for it.
_POLL_SECONDS = 0.03

_WAIT = re.compile(r"(?:^|[\s,;])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)

Scale = Annotated[int, Query(ge=1, le=16, description="pixels a pixel")]


@router.post(
    "/models/{model}/maximisations",
    summary="Draw what drives units most",
    status_code=201,
    responses=openapi.MAXIMISE,
    openapi_extra=openapi.MAXIMISE_BODY,
)
async def create(request: Request, model: ModelName) -> Response:
    """Queues the pictures, or finds them: the same request on the same network is the same job,
    whoever asks. `Prefer: wait=10` answers when they are done, after 10 s at the latest. A job
    that failed or was cancelled is started anew."""
    found = runtime(request)
    ref = found.registry.resolve(model)
    check_media_type(request, ["application/json"])
    asked = MaximisationRequest.model_validate(load_json(await request.body()))
    checkpoint = await found.registry.load(ref)
    order = await asyncio.to_thread(_order, checkpoint, asked)
    created = await asyncio.to_thread(found.maximisations.create, order)
    headers = {"Location": f"/v1/maximisations/{order.id}"} if created else {}
    seconds = _preferred_wait(request)
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds}"
        await _wait(found, order.id, seconds)
    return answer(await _document(found, order.id), 201 if created else 200, headers)


@router.get("/maximisations/{job_id}", summary="How far it is", responses=openapi.MAXIMISATION)
async def status(request: Request, job_id: str) -> Response:
    return read(request, await _document(runtime(request), job_id))


@router.delete("/maximisations/{job_id}", summary="Cancel it", responses=openapi.MAXIMISATION)
async def cancel(request: Request, job_id: str) -> Response:
    """Also while it runs. What is finished stays as it is."""
    found = runtime(request)
    await _document(found, job_id)
    await asyncio.to_thread(found.maximisations.cancel, job_id)
    await _wait(found, job_id, CANCEL_WAIT)
    return answer(await _document(found, job_id))


@router.get(
    "/maximisations/{job_id}/units/{unit}.png",
    summary="A unit's picture",
    responses=openapi.PICTURE,
)
async def picture(request: Request, job_id: str, unit: str, scale: Scale = 1) -> Response:
    found = runtime(request)
    await _document(found, job_id)
    body = await asyncio.to_thread(unit_picture, found.maximisations, job_id, unit, scale)
    return conditional(request, body, "image/png", IMMUTABLE)


@router.get("/maximisations/{job_id}/grid.png", summary="All pictures", responses=openapi.PICTURE)
async def sheet(request: Request, job_id: str, scale: Scale = 1) -> Response:
    """In the order of the request, as square as it gets."""
    found = runtime(request)
    await _document(found, job_id)
    body = await asyncio.to_thread(grid_picture, found.maximisations, job_id, scale)
    return conditional(request, body, "image/png", IMMUTABLE)


def _order(checkpoint: Checkpoint, asked: MaximisationRequest) -> Order:
    manifest = checkpoint.manifest
    request = resolve(checkpoint.network, asked)
    return Order(
        id=digest(manifest, request),
        model=manifest.name,
        version=manifest.version,
        digest=manifest.digest,
        request=request,
    )


async def _document(found: Runtime, job_id: str) -> dict[str, Any]:
    document = None
    if JOB_ID.fullmatch(job_id):
        document = await asyncio.to_thread(found.maximisations.document, job_id)
    if document is None:
        raise HTTPException(404, f"no maximisation has the id {job_id!r}")
    return document


async def _wait(found: Runtime, job_id: str, seconds: float) -> None:
    """Until the job is finished, the time is over, or the process has to go."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not found.stopping.is_set():
        if await asyncio.to_thread(found.maximisations.finished, job_id):
            return
        await asyncio.sleep(_POLL_SECONDS)


def _preferred_wait(request: Request) -> int:
    """RFC 7240, section 4.3."""
    asked = _WAIT.search(request.headers.get("prefer", ""))
    return min(int(asked[1]), LONGEST_WAIT) if asked else 0
