"""Who may move versions: whoever sends the admin key, and on the admin port where there is one."""

import hmac

from fastapi import Request
from starlette.exceptions import HTTPException

from service.runtime import runtime

BEARER = "bearer "


def administrator(request: Request) -> None:
    """A dependency. Raises 401 without the right key; 404 where there is none or on another port:
    there, nothing tells whether such calls exist."""
    settings = runtime(request).settings
    here = settings.admin_port in (None, _port(request))
    if not settings.admin_key or not here:
        raise HTTPException(404)
    # Compared as bytes, in a time that does not depend on where they differ.
    if not hmac.compare_digest(_sent(request), settings.admin_key.encode()):
        raise HTTPException(
            401,
            "an administrator's call needs the admin key: X-Admin-Key or Authorization: Bearer",
            {"WWW-Authenticate": "Bearer"},
        )


def _port(request: Request) -> int | None:
    server = request.scope.get("server")
    return server[1] if server else None


def _sent(request: Request) -> bytes:
    given = request.headers.get("x-admin-key")
    if given is None:
        authorisation = request.headers.get("authorization", "")
        is_bearer = authorisation.lower().startswith(BEARER)
        given = authorisation[len(BEARER) :].strip() if is_bearer else ""
    return given.encode("latin-1")  # the bytes as they were sent
