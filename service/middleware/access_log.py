"""One JSON line for each answered request."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.logs import FIELDS
from service.middleware.guard import CALLER

logger = logging.getLogger("glyphscope.access")


class AccessLog:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not enabled():
            return await self.app(scope, receive, send)
        start = time.perf_counter()
        status, size = 0, 0

        async def count(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            log(scope, status, size, (time.perf_counter() - start) * 1000)


def enabled() -> bool:
    return logger.isEnabledFor(logging.INFO)


def log(scope: Scope, status: int, size: int, milliseconds: float) -> None:
    client, state = scope.get("client"), scope.get("state", {})
    caller = {CALLER: state[CALLER]} if CALLER in state else {}
    fields = {
        "request_id": state.get("request_id"),
        **({"trace_id": state["trace_id"]} if state.get("trace_id") else {}),
        "client": client[0] if client else None,
        **caller,
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "bytes": size,
        "ms": round(milliseconds, 2),
    }
    logger.info("%s %s %d", scope["method"], scope["path"], status, extra={FIELDS: fields})
