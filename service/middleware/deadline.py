"""How long a request may take, from its first header to the first byte of its answer.

``X-Request-Timeout: 2.5`` asks for less than the setting. ``Prefer: wait=10`` (RFC 7240, 4.3) says
that the client means to wait, so it is counted from then. Once an answer has begun it is not cut:
it may be a stream. What nobody waits for any more, since its client has left, is dropped.
"""

import asyncio
import re

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glyphscope.errors import Busy, DeadlinePassed, InvalidInput
from service.processes.lifecycle import Lifecycle

HEADER = "X-Request-Timeout"

WATCH_AFTER_SECONDS = 0.05
"""Most requests are answered by then, and nobody looks whether their client is still there."""

_MOST_WAIT = 60
_WAIT = re.compile(rb"(?:^|[\s,;])wait\s*=\s*\"?(\d{1,6})", re.IGNORECASE)


class Deadline:
    def __init__(self, app: ASGIApp, lifecycle: Lifecycle, seconds: float) -> None:
        self.app = app
        self.lifecycle = lifecycle
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        seconds = _seconds(scope, self.seconds)
        attempt = Attempt(receive, send)
        self.lifecycle.running.add(attempt.stop)
        try:
            await attempt.run(self.app, scope, seconds)
        except TimeoutError:
            if not attempt.cut:
                raise
            self._explain(attempt, seconds)
        finally:
            self.lifecycle.running.discard(attempt.stop)

    def _explain(self, attempt: "Attempt", seconds: float) -> None:
        if attempt.left:
            self.lifecycle.left_clients += 1
            raise ClientDisconnect
        if attempt.stopped:
            raise Busy("this process is stopping; try again in a moment")
        self.lifecycle.passed_deadlines += 1
        raise DeadlinePassed(f"the request was not answered within its {seconds:g} s")


class Attempt:
    """One request on its way: it ends with an answer, or is cut for one of three reasons."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._whole = False  # the body is here
        self._begun = False  # the answer has begun
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.timeout(None)
        self.left = False
        self.stopped = False

    @property
    def cut(self) -> bool:
        return self._timer.expired()

    async def run(self, app: ASGIApp, scope: Scope, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        later = loop.call_later(min(WATCH_AFTER_SECONDS, seconds), self._look)
        try:
            async with self._timer:
                self._timer.reschedule(loop.time() + seconds)
                await app(scope, self.receive, self.send)
        finally:
            later.cancel()
            self._unwatch()

    async def receive(self) -> Message:
        message = await self._receive()
        self._whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if not self._begun:
            self._begun = True
            self._unwatch()
            if not self._timer.expired():
                self._timer.reschedule(None)
        await self._send(message)

    def stop(self) -> None:
        if not self._begun:
            self.stopped = True
            self._end()

    def _look(self) -> None:
        """While the body comes, the application itself hears of a client that leaves."""
        if self._begun:
            return
        if self._whole:
            self._watch = asyncio.create_task(self._until_it_leaves())
        else:
            asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, self._look)

    async def _until_it_leaves(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._begun:
            self.left = True
            self._end()

    def _end(self) -> None:
        if not self._timer.expired():
            self._timer.reschedule(asyncio.get_running_loop().time())

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()


def _seconds(scope: Scope, most: float) -> float:
    seconds, wait = most, 0
    for name, value in scope["headers"]:
        if name == b"x-request-timeout":
            seconds = min(most, _number(value))
        elif name == b"prefer" and (found := _WAIT.search(value)):
            wait = min(int(found[1]), _MOST_WAIT)
    return seconds + wait


def _number(value: bytes) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    # NaN fails this too.
    if not seconds > 0:
        shown = value.decode("latin-1")
        raise InvalidInput(f"{HEADER} must be a number of seconds above 0, not {shown!r}")
    return seconds
