"""A span for each request, which the work that it causes is a part of; only where traces are on."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.middleware.measure import routed
from service.tracing import Tracing

SPAN = "span"
"""Under which a scope's state has the span of a request that came by the short way."""

TRACE_ID = "trace_id"


class Trace:
    """Outside of ``Measure``, inside of ``RequestId``."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self.app = app
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        state = scope["state"]
        span = state.get(SPAN)
        if span is None:
            span = self.tracing.request(scope["method"], scope["path"], scope["headers"])
        state[TRACE_ID] = self.tracing.trace_id(span)
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with self.tracing.within(span):
                await self.app(scope, receive, watch)
        finally:
            route, values = routed(scope)
            model = str(values.get("model", ""))
            name = state["request_id"]
            self.tracing.answered(span, scope["method"], route, model, name, status)
