"""Pictures of what drives a unit most: asked for, watched, cancelled. Workers draw them."""

import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

from glyphscope.visualise import MaximisationRequest
from service.document import openapi
from service.document.openapi import ModelName
from service.formats import sse
from service.formats.answers import answer, read
from service.formats.inputs import check_media_type, load_json
from service.maximise.jobs import JOB_ID, Order
from service.maximise.stream import Reader, events
from service.runtime import Runtime, runtime
from service.versions.changes import changed

router = APIRouter(prefix="/v1", tags=["maximisations"])

LONGEST_WAIT = 60
CANCEL_WAIT = 5

_WAIT = re.compile(r"(?:^|[\s,;])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)


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
    loader = found.registry.loader
    checkpoint = await loader.opened(await loader.load(ref))

    # Another thread knows nothing of the request that this one answers.
    trace = found.tracing.carrier() if found.tracing else {}

    def order_it() -> tuple[Order, bool]:
        order = found.orders.order(checkpoint, asked)
        return order, found.maximisations.create(order, trace)

    order, created = await found.jobs.run(order_it)
    headers = {"Location": f"/v1/maximisations/{order.id}"} if created else {}
    seconds = _preferred_wait(request)
    if seconds:
        headers["Preference-Applied"] = f"wait={seconds}"
        await _wait(found, order.id, seconds)
    return answer(await _document(found, order.id), 201 if created else 200, headers)


@router.get("/maximisations/{job_id}", summary="How far it is", responses=openapi.MAXIMISATION)
async def status(request: Request, job_id: str) -> Response:
    found = runtime(request)
    document = await _document(found, job_id)
    found.maximisations.jobs.used(job_id)
    return read(request, document)


@router.delete("/maximisations/{job_id}", summary="Cancel it", responses=openapi.MAXIMISATION)
async def cancel(request: Request, job_id: str) -> Response:
    """Also while it runs. What is finished stays as it is."""
    found = runtime(request)
    await _document(found, job_id)
    await found.jobs.run(lambda: found.maximisations.cancel(job_id))
    await _wait(found, job_id, CANCEL_WAIT)
    return answer(await _document(found, job_id))


@router.get(
    "/maximisations/{job_id}/events",
    summary="Watch it being drawn",
    responses=openapi.EVENTS,
    response_class=Response,
)
async def watch(
    request: Request,
    job_id: str,
    frames: Annotated[bool, Query(description="also how the pictures look so far")] = False,
    last_event_id: Annotated[str, Header(description="go on behind this event")] = "",
) -> Response:
    """Server-sent events: `progress`, `frame` where asked for, and at the end `done`, `failed` or
    `cancelled` with the job's document. A reader that was cut off goes on where it was by
    `Last-Event-ID`, as browsers do by themselves; one that was told the end is answered 204."""
    found = runtime(request)
    await _document(found, job_id)
    reader = Reader(found.maximisations, job_id, sse.Cursor.parse(last_event_id), frames=frames)
    if await found.jobs.run(reader.told_all):
        return Response(status_code=204)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if request.scope.get("head"):
        return Response(None, 200, headers, sse.MEDIA_TYPE)
    return StreamingResponse(
        events(reader, found.jobs.run, found.stopping), 200, headers, sse.MEDIA_TYPE
    )


async def _document(found: Runtime, job_id: str) -> dict[str, Any]:
    document = None
    if JOB_ID.fullmatch(job_id):
        document = await found.jobs.run(lambda: found.maximisations.document(job_id))
    if document is None:
        raise HTTPException(404, f"no maximisation has the id {job_id!r}")
    return document


async def _wait(found: Runtime, job_id: str, seconds: float) -> None:
    """Until the job is finished, the time is over, or the process has to go."""
    end = time.monotonic() + seconds
    look = found.maximisations.jobs.look(job_id)
    while (left := end - time.monotonic()) > 0 and not found.stopping.is_set():
        before = look()
        if await found.jobs.run(lambda: found.maximisations.finished(job_id)):
            return
        await changed(look, before, left, found.stopping)


def _preferred_wait(request: Request) -> int:
    """RFC 7240, section 4.3."""
    asked = _WAIT.search(request.headers.get("prefer", ""))
    return min(int(asked[1]), LONGEST_WAIT) if asked else 0
