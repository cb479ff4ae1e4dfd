"""The one boundary where errors become RFC 9457 problem documents.

    problem(error)            -> Problem      any exception, by the table below
    respond(problem, scope)   -> Response     application/problem+json; under /v2 {"error": ...}

An exception that is not in the table is a defect: it is answered 500 without its text, and logged.
"""

import http
import logging
import math
from dataclasses import dataclass, field
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Scope

from glyphscope import errors as e
from service.formats.answers import dumps

MEDIA_TYPE = "application/problem+json"
_JSON = "application/json"
RETRY_SECONDS = 1

logger = logging.getLogger("glyphscope.service")

STATUS: dict[type[e.GlyphscopeError], int] = {
    e.InvalidInput: 422,
    e.TooLarge: 413,
    e.NotFound: 404,
    e.InvalidSpec: 422,
    e.BrokenCheckpoint: 503,
    e.Conflict: 409,
    e.Busy: 503,
    e.TooOften: 429,
    e.KeyNeeded: 401,
    e.Unavailable: 503,
    e.DeadlinePassed: 504,
    e.Cancelled: 409,
}
"""The nearest class up the tree counts; what only the trainer raises would be a defect here."""


@dataclass(frozen=True)
class Problem:
    status: int
    title: str
    detail: str
    type: str = "about:blank"
    members: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def problem(error: Exception) -> Problem:
    if isinstance(error, e.GlyphscopeError):
        return _ours(error)
    if isinstance(error, RequestValidationError | ValidationError):
        return _invalid_fields(error)
    if isinstance(error, HTTPException):
        return _http(error)
    return _unexpected(error)


def respond(found: Problem, scope: Scope) -> Response:
    if _speaks_oip(scope):
        return Response(dumps({"error": found.detail}), found.status, found.headers, _JSON)
    document = {
        "type": found.type,
        "title": found.title,
        "status": found.status,
        "detail": found.detail,
        "instance": scope.get("path", ""),
        "request_id": scope.get("state", {}).get("request_id"),
        **found.members,
    }
    return Response(dumps(document), found.status, found.headers, MEDIA_TYPE)


def _speaks_oip(scope: Scope) -> bool:
    """Clients of the Open Inference Protocol read nothing but {"error": ...}."""
    path: str = scope.get("path", "")
    return path == "/v2" or path.startswith("/v2/")


async def handle(request: Request, error: Exception) -> Response:
    """The exception handler that the app registers for everything it knows."""
    response = respond(problem(error), request.scope)
    methods = _methods(request.scope) if response.status_code == 405 else []
    if methods:
        response.headers["Allow"] = ", ".join(methods)
    return response


def _methods(scope: Scope) -> list[str]:
    """Of all routes at this path; the router itself names those of the first it finds."""
    routes = [route for route in scope["app"].routes if not isinstance(route, Mount)]

    def taken(method: str) -> bool:
        asked = {**scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in routes)

    found = [method for method in ("GET", "POST", "PUT", "PATCH", "DELETE") if taken(method)]
    return ["HEAD", *found] if "GET" in found else found


def _ours(error: e.GlyphscopeError) -> Problem:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is None:
        return _unexpected(error)
    members = {"known": error.known} if isinstance(error, e.NotFound) else {}
    return Problem(status, error.title, str(error), _type(error.code), members, _headers(error))


def _headers(error: e.GlyphscopeError) -> dict[str, str]:
    if isinstance(error, e.KeyNeeded):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, e.TooOften):
        return {"Retry-After": str(math.ceil(error.seconds))}
    return {"Retry-After": str(RETRY_SECONDS)} if isinstance(error, e.Busy) else {}


def _unexpected(error: Exception) -> Problem:
    logger.error("unexpected error", exc_info=error)
    return Problem(500, "Internal error", "The server failed here; its log says more.")


def _http(error: HTTPException) -> Problem:
    title = http.HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != title else _DETAILS.get(error.status_code, title)
    return Problem(error.status_code, title, detail, headers=dict(error.headers or {}))


_DETAILS = {
    404: "Nothing is served at this path; /docs lists what is.",
    405: "This path does not take this method; the Allow header lists those it takes.",
}


def _invalid_fields(error: RequestValidationError | ValidationError) -> Problem:
    fields = [_field(item, isinstance(error, ValidationError)) for item in error.errors()]
    first = fields[0]
    where = first.get("parameter") or first.get("pointer", "")
    detail = f"{where}: {first['detail']}" if where else first["detail"]
    return Problem(
        422, "Invalid fields", detail, _type("invalid-fields"), members={"errors": fields}
    )


def _field(item: Any, in_body: bool) -> dict[str, str]:
    """A body's field by its JSON pointer, a parameter by its name."""
    parts = [str(part) for part in item["loc"]]
    if in_body:
        # What pydantic calls a union's branch is no part of the document.
        inner = [part for part in parts if not part.startswith(("tuple[", "literal[", "["))]
        return {"detail": item["msg"], "pointer": "#/" + "/".join(inner)}
    return {"detail": item["msg"], "parameter": ".".join(parts[1:])}


def _type(code: str) -> str:
    return f"/problems/{code}"
