"""JSON and the other answers to a read: written by orjson, with an ETag that is honoured."""

import hashlib
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"


def dumps(document: Any) -> bytes:
    """numpy arrays as lists; what is no finite number becomes null, as JSON has no NaN."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(dumps(document), status, headers, "application/json")


def read(request: Request, document: Any) -> Response:
    """The answer to a GET of JSON."""
    return conditional(request, dumps(document), "application/json", REVALIDATE)


def conditional(request: Request, body: bytes, media_type: str, cache_control: str) -> Response:
    """200 with a strong ETag, or 304 where the client has these very bytes (RFC 9110, 13.1.2)."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": cache_control}
    asked = request.headers.get("if-none-match", "")
    known = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(body, 200, headers, media_type)
