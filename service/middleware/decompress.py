"""Bodies that come compressed: gzip and deflate, unpacked while they come and no further than a
body may be long (RFC 9110, 8.4.1). Any other coding is refused, naming these (RFC 7694)."""

import asyncio
import zlib
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glyphscope.errors import TooLarge

# zlib's window size of 15 bits, plus 16 where the format around the data is gzip's.
CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}

# Unpacked in one go; a bomb comes out at some 500 MB/s, so others wait 0.5 ms for a piece.
_PIECE = 256 * 1024

_HEADERS = (b"content-encoding", b"content-length")


class Decompress:
    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        coding = _coding(scope) if scope["type"] == "http" else "identity"
        if coding == "identity":
            return await self.app(scope, receive, send)
        if coding not in CODINGS:
            raise HTTPException(
                415,
                f"content encoding {coding[:40]!r} is not taken; send gzip, deflate or none",
                {"Accept-Encoding": "gzip, deflate"},
            )
        headers = [pair for pair in scope["headers"] if pair[0] not in _HEADERS]
        body = Unpacked(receive, CODINGS[coding], self.max_bytes)
        await self.app({**scope, "headers": headers}, body.receive, send)


class Unpacked:
    """A body's messages, each at most a piece long."""

    def __init__(self, receive: Receive, window: int, max_bytes: int) -> None:
        self._receive = receive
        self._window = window
        self._max_bytes = max_bytes
        self._stream = zlib.decompressobj(window)
        self._waiting = b""
        self._last = False
        self._finished = False
        self._bytes = 0

    async def receive(self) -> Message:
        """Raises ``HTTPException`` 400 for what is not in its coding, or ``TooLarge``."""
        while not self._waiting and not self._last:
            message = await self._receive()
            if message["type"] != "http.request":
                return message
            self._waiting = message.get("body", b"")
            self._last = not message.get("more_body", False)
        if self._finished:
            return await self._receive()
        piece = self._unpack()
        more = bool(self._waiting) or not self._last
        if not more:
            self._finish()
        # Pieces of one message follow each other without a pause: others may have their turn.
        await asyncio.sleep(0)
        return {"type": "http.request", "body": piece, "more_body": more}

    def _unpack(self) -> bytes:
        if self._stream.eof and self._waiting:
            # A gzip file may have several members (RFC 1952, 2.2).
            self._stream = zlib.decompressobj(self._window)
        try:
            piece = self._stream.decompress(self._waiting, _PIECE)
        except zlib.error as error:
            raise HTTPException(400, f"the body is not in its content encoding: {error}") from None
        self._waiting = self._stream.unconsumed_tail or self._stream.unused_data
        self._bytes += len(piece)
        if self._bytes > self._max_bytes:
            raise TooLarge(f"the body unpacks to more than the {self._max_bytes} bytes allowed")
        return piece

    def _finish(self) -> None:
        self._finished = True
        if not self._stream.eof:
            raise HTTPException(400, "the body ends before its compressed data does")


def _coding(scope: Scope) -> str:
    return ",".join(_values(scope)).strip().lower() or "identity"


def _values(scope: Scope) -> Iterator[str]:
    return (str(v, "latin-1") for key, v in scope["headers"] if key == b"content-encoding")
