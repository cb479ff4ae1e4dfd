"""A key handed in once by a browser, which then sends it by itself: with pictures and streams too,
to which a page cannot add a header.

The cookie is the key. No script can read it, no other site's page sends it (``SameSite=Strict``),
and it ends when the key is taken out of the file.
"""

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service.access.gate import COOKIE
from service.document import openapi
from service.formats.inputs import load_json
from service.runtime import runtime

SECONDS = 30 * 24 * 3600


class Key(BaseModel):
    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9._~+/=-]+$")


router = APIRouter(prefix="/v1", tags=["session"])


@router.put(
    "/session",
    status_code=204,
    summary="Hand a key in",
    responses=openapi.SESSION,
    openapi_extra=openapi.body(Key, {"key": "gs_..."}),
)
async def enter(request: Request) -> Response:
    """For browsers: the answer sets a cookie, after which nothing else needs to be sent."""
    given = Key.model_validate(load_json(await request.body()))
    gate = runtime(request).gate
    assert gate is not None  # else there is no such route
    gate.caller(given.key.encode())
    answer = Response(status_code=204)
    answer.set_cookie(
        COOKIE,
        given.key,
        max_age=SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.delete("/session", status_code=204, summary="Take a key back")
async def leave() -> Response:
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer
