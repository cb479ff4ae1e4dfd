"""JSON and the other answers to a read: written by orjson, with an ETag that is honoured.

read(request, document)                      the ETag is the body's own
derived(request, source, make)               the ETag is known before the body is made
"""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

IMMUTABLE = "public, max-age=31536000, immutable"
VERSIONED = "public, max-age=86400, immutable"
"""Of a model's version: it stays what it is, but a later release may say more of it."""
REVALIDATE = "no-cache"


def dumps(document: Any) -> bytes:
    """numpy arrays as lists; what is no finite number becomes null, as JSON has no NaN."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(dumps(document), status, headers, "application/json")


def freshness(model: str) -> str:
    """How long an answer about ``model`` may be kept: a version never changes, but a bare name or
    an alias may name another one by the next request."""
    version = model.partition("@")[2]
    return VERSIONED if version.isascii() and version.isdecimal() else REVALIDATE


def read(request: Request, document: Any, cache_control: str = REVALIDATE) -> Response:
    """The answer to a GET of JSON."""
    return conditional(request, dumps(document), "application/json", cache_control)


def conditional(request: Request, body: bytes, media_type: str, cache_control: str) -> Response:
    """200 with an ETag, or 304 where the client has this already (RFC 9110, 13.1.2).

    Of JSON it is weak, as the same document may also come compressed (8.8.1).
    """
    weak = "W/" if media_type == "application/json" else ""
    headers = {"ETag": weak + _tag(body), "Cache-Control": cache_control}
    if known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)


async def derived(
    request: Request,
    source: str,
    make: Callable[[], Awaitable[tuple[bytes, str]]],
    cache_control: str = REVALIDATE,
) -> Response:
    """What follows from ``source`` and the request's address alone: ``make`` (-> body, media type)
    is only called where the client has not got it."""
    asked = f"{request.url.path}?{request.url.query}"
    headers = {"ETag": _tag(f"{source} {asked}".encode()), "Cache-Control": cache_control}
    if known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    body, media_type = await make()
    return Response(body, 200, headers, media_type)


def _tag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def known(request: Request, etag: str) -> bool:
    """Whether the client has it."""
    asked = request.headers.get("if-none-match", "")
    tags = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
    return etag.removeprefix("W/") in tags or "*" in tags
