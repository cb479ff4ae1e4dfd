"""No more at once than a process can hold: what comes beyond is refused at once, and told when to
come again. Health is always answered: an orchestrator that hears nothing would kill a busy process.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glyphscope.errors import Busy
from service.processes.lifecycle import Lifecycle

HEALTH = "/health/"


class Admission:
    def __init__(
        self, app: ASGIApp, lifecycle: Lifecycle, max_requests: int, max_bytes: int
    ) -> None:
        """``max_bytes``: of all bodies that are in memory together."""
        self.app = app
        self.lifecycle = lifecycle
        self.max_requests = max_requests
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(HEALTH):
            return await self.app(scope, receive, send)
        self._check(bool(scope.get("state", {}).get("surplus")))
        held = 0

        async def hold() -> Message:
            nonlocal held
            message = await receive()
            size = len(message.get("body", b""))
            held += size
            self.lifecycle.body_bytes += size
            # One that is alone is taken: how large it may be is another limit's to say.
            if held < self.lifecycle.body_bytes and self.lifecycle.body_bytes > self.max_bytes:
                self._refuse(f"requests of {self.max_bytes} bytes are being answered")
            return message

        self.lifecycle.requests += 1
        try:
            await self.app(scope, hold, send)
        finally:
            self.lifecycle.requests -= 1
            self.lifecycle.body_bytes -= held

    def _check(self, surplus: bool) -> None:
        if self.lifecycle.draining:
            self._refuse("this process is stopping")
        if surplus:
            self._refuse("too many connections are open")
        if self.lifecycle.requests >= self.max_requests:
            self._refuse(f"{self.lifecycle.requests} requests are being answered")

    def _refuse(self, reason: str) -> None:
        self.lifecycle.refused += 1
        raise Busy(f"{reason}; try again in a moment")
