"""JSON and tensors are answered compressed to those who ask: br, gzip or deflate.

Pictures, npz and safetensors stay as they are (dense already, or made to be read in place), and so
does what streams. An answer that has a compressed form varies with Accept-Encoding.
"""

import asyncio
import gzip
import zlib
from collections.abc import Callable, Collection

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.formats.accept import weights

MEDIA_TYPES = ("application/json", "application/problem+json", "application/octet-stream")

MIN_BYTES = 1024
"""Below it an answer and its headers fit one packet either way."""

# From here on another thread does it: both libraries let go of the interpreter meanwhile.
_LARGE = 128 * 1024

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    # Levels at which a megabyte of JSON takes about 10 ms.
    "br": lambda body: brotli.compress(body, quality=4),
    "gzip": lambda body: gzip.compress(body, compresslevel=4, mtime=0),
    "deflate": lambda body: zlib.compress(body, level=4),
}
"""In the order preferred."""


class Compress:
    def __init__(self, app: ASGIApp, min_bytes: int = MIN_BYTES) -> None:
        self.app = app
        self.min_bytes = min_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        codings = _codings(scope["path"]) if scope["type"] == "http" else ()
        if not codings:
            return await self.app(scope, receive, send)
        coding = choose(Headers(scope=scope).get("accept-encoding"), codings)
        answer = Answer(coding, self.min_bytes, send)
        await self.app(scope, receive, answer.send)


class Answer:
    """Holds the head back until the body shows whether it is worth it."""

    def __init__(self, coding: str | None, min_bytes: int, send: Send) -> None:
        self._coding = coding
        self._min_bytes = min_bytes
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _compressible(message):
            MutableHeaders(scope=message).add_vary_header("Accept-Encoding")
            self._start = message
            return
        if self._start is not None:
            start, self._start = self._start, None
            message = await self._packed(start, message)
            await self._send(start)
        await self._send(message)

    async def _packed(self, start: Message, message: Message) -> Message:
        body: bytes = message.get("body", b"")
        whole = message["type"] == "http.response.body" and not message.get("more_body", False)
        if self._coding is None or not whole or len(body) < self._min_bytes:
            return message
        compress = CODINGS[self._coding]
        packed = await asyncio.to_thread(compress, body) if len(body) > _LARGE else compress(body)
        headers = MutableHeaders(scope=start)
        headers["Content-Encoding"] = self._coding
        headers["Content-Length"] = str(len(packed))
        etag = headers.get("ETag")
        if etag is not None and not etag.startswith("W/"):
            # Other bytes, the same content (RFC 9110, 8.8.1).
            headers["ETag"] = f"W/{etag}"
        return {**message, "body": packed}


def choose(accepted: str | None, codings: Collection[str] = CODINGS) -> str | None:
    """The coding that the client likes best; of equals the first."""
    asked = weights(accepted or "")
    rest = asked.get("*", 0.0)
    liked = {coding: asked.get(coding, rest) for coding in codings}
    best = max(liked, key=lambda coding: liked[coding])
    return best if liked[best] > 0 else None


def _codings(path: str) -> Collection[str]:
    """Triton's asyncio client says everywhere that it takes gzip, deflate and br, but unpacks only
    inferences, and those not from br."""
    if not path.startswith("/v2"):
        return CODINGS
    return ("gzip", "deflate") if path.endswith("/infer") else ()


def _compressible(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    media_type = headers.get("content-type", "").partition(";")[0]
    return media_type in MEDIA_TYPES and "content-encoding" not in headers
