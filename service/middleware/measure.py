"""Every answered request is counted, with how long it took: ``Measure`` outside, ``Routed`` inside.

Those between them may pass a copy of the scope on, in which alone the router leaves its route; what
they share is the scope's ``state``.
"""

import time
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import UNROUTED
from service.runtime import runtime

_ROUTED = "routed"


class Routed:
    """Innermost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        finally:
            if "route" in scope:
                scope["state"][_ROUTED] = scope["route"].path, scope.get("path_params", {})


class Measure:
    """Outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            # Without a status nothing was answered: the client left.
            if status:
                _count(scope, status, time.perf_counter() - began)


def routed(scope: Scope) -> tuple[str, dict[str, Any]]:
    """The route as the code writes it, and the values in the path; empty before there is one."""
    found: tuple[str, dict[str, Any]] = scope["state"].get(_ROUTED, ("", {}))
    return found


def _count(scope: Scope, status: int, seconds: float) -> None:
    found = runtime(Request(scope))
    route, values = routed(scope)
    name = str(values.get("model", "")).partition("@")[0]
    known = name if name in found.registry.serving() else ""
    found.metrics.answered(scope["method"], route or UNROUTED, known, status, seconds)
