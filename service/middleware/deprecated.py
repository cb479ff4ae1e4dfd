"""Answers to what is deprecated say so, until when it works, and where to read on."""

from collections.abc import Iterator
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.document.deprecation import DEPRECATED, Table, announced, first_to_go


class Deprecated:
    """Innermost: the router leaves the route in this very scope."""

    def __init__(self, app: ASGIApp, table: Table = DEPRECATED) -> None:
        self.app = app
        self.table = table

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.table:
            return await self.app(scope, receive, send)

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = first_to_go(self.table, _used(scope))
                headers = MutableHeaders(scope=message)
                for name, value in (found.headers() if found else {}).items():
                    headers.append(name, value)
            await send(message)

        await self.app(scope, receive, send_told)


def _used(scope: Scope) -> Iterator[str]:
    """As the table names it."""
    route = f"{scope['method']} {getattr(scope.get('route'), 'path', '')}"
    yield route
    for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        yield f"{route}?{name}"
    for member in announced(scope.get("state", {})):
        yield f"{route}{member}"
