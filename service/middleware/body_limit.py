"""No body larger than allowed: refused by its declared length, or counted while it comes."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glyphscope.errors import TooLarge


class BodyLimit:
    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        self._check(_declared(scope))
        received = 0

        async def count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            self._check(received)
            return message

        await self.app(scope, count, send)

    def _check(self, size: int) -> None:
        if size > self.max_bytes:
            raise TooLarge(f"the body has more than the {self.max_bytes} bytes that are allowed")


def _declared(scope: Scope) -> int:
    for key, value in scope["headers"]:
        if key == b"content-length" and value.isdigit():
            return int(value)
    return 0
