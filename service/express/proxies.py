"""Whose a request is that came through proxies.

Uvicorn's own middleware says it, the one that stands before the application, so that both ways
believe the same ones.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.access.gate import Headers

FORWARDED_FOR = b"x-forwarded-for"

PASSED_ON = frozenset(
    (
        FORWARDED_FOR,
        b"forwarded",
        b"via",
        b"x-amzn-trace-id",
        b"x-cloud-trace-context",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-proto",
        b"x-forwarded-scheme",
        b"x-forwarded-server",
        b"x-real-ip",
        b"x-scheme",
    )
)
"""What proxies and balancers add. Of the rest only the scheme is read here: it keeps a cookie to
HTTPS, and decides nothing of a classification."""

Client = tuple[str, int] | None


class Proxies:
    def __init__(self, trusted: Sequence[str]) -> None:
        self._middleware = ProxyHeadersMiddleware(_nothing, list(trusted))

    def client(self, headers: Headers, sender: Client) -> Client:
        """``sender`` is who opened the connection: where it is trusted, whom it speaks for."""
        if FORWARDED_FOR not in [name for name, _ in headers]:
            return sender
        scope: Any = {"type": "http", "client": sender, "headers": headers}
        waits_for: Any = None
        # It waits for nothing, so it is over at its first step.
        with suppress(StopIteration):
            self._middleware(scope, waits_for, waits_for).send(None)
        found: Client = scope["client"]
        return found


async def _nothing(*_: Any) -> None:
    pass
