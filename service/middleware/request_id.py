"""A name for every request: taken from the client where it is sane, made up otherwise."""

import random
import re

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"

# What goes into logs and answers: no spaces, quotes or control characters, and not long.
SANE = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


def fresh() -> str:
    """Unlike any other, but no secret; at a sixth of a UUID's cost."""
    return f"{random.getrandbits(128):032x}"


class RequestId:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        name = _incoming(scope) or fresh()
        scope.setdefault("state", {})["request_id"] = name

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = name
            await send(message)

        await self.app(scope, receive, send_named)


def _incoming(scope: Scope) -> str | None:
    for key, value in scope["headers"]:
        if key == b"x-request-id" and SANE.fullmatch(value):
            return str(value, "ascii")
    return None
