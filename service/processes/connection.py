"""uvicorn's connection, for clients that are slow, many, or there when the process ends.

uvicorn limits neither how long a client takes for its headers or its body nor how long it leaves
an answer unread, and closes an idle connection under a request that is on its way.
"""

import asyncio
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.processes.lifecycle import Lifecycle
from service.processes.refusal import refusal

KEY = "limits"
"""Under which the application's lifespan leaves its ``Limits``."""

LINGER_SECONDS = 1.0
"""An idle connection of a process that ends is open for so long: for a request that was sent."""


class Part(Enum):
    """What is being read."""

    HEAD = auto()
    BODY = auto()
    NOTHING = auto()


@dataclass(frozen=True)
class Limits:
    head_seconds: float = 10.0
    """for the headers of a request, and of an open connection for its first"""
    request_seconds: float = 30.0
    """for a body, and for an answer that is not being read"""
    max_connections: int = 1024
    """of a process; on those beyond it health alone is answered"""
    lifecycle: Lifecycle = field(default_factory=Lifecycle)


class Connection(HttpToolsProtocol):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits: Limits = self.app_state.get(KEY) or Limits()
        self._begun = False
        self._before: Any = None
        self._part: Part | None = None
        self._watched: Any = None
        self._surplus = False
        self._slow: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        open_already = len(self.connections)
        super().connection_made(transport)
        self._surplus = open_already >= self.limits.max_connections
        if open_already >= 2 * self.limits.max_connections:
            transport.abort()
            return
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._slow, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.limits.lifecycle.stopping:
            super().data_received(data)
            self._close_after_this()
        else:
            super().data_received(data)
        self._watch()

    def on_message_begin(self) -> None:
        self._begun = True
        self._before = self.cycle
        super().on_message_begin()
        if self._surplus:
            self.scope["state"]["surplus"] = True

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._unread is None:
            seconds = self.limits.request_seconds
            self._unread = self.loop.call_later(seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def shutdown(self) -> None:
        """Answered connections close a moment later, each with an answer to what was on its way."""
        if self.cycle is None or self.cycle.response_complete:
            self.loop.call_later(LINGER_SECONDS, self._close_idle)
        else:
            self.cycle.keep_alive = False

    def _close_after_this(self) -> None:
        if self.cycle is not None and not self.pipeline:
            self.cycle.keep_alive = False

    def _close_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()

    @property
    def _reading(self) -> Part:
        # Headers that are whole have made a new cycle.
        if self.cycle is None or (self._begun and self.cycle is self._before):
            return Part.HEAD
        return Part.BODY if self.cycle.more_body else Part.NOTHING

    def _watch(self) -> None:
        """One timer for each part; it is not put off by bytes that trickle in."""
        part = self._reading
        if (part is self._part and self.cycle is self._watched) or self.transport.is_closing():
            return
        self._part, self._watched = part, self.cycle
        if self._slow is not None:
            self._slow.cancel()
        self._slow = None
        if part is not Part.NOTHING:
            head = part is Part.HEAD
            seconds = self.limits.head_seconds if head else self.limits.request_seconds
            self._slow = self.loop.call_later(seconds, self.too_slow)

    def too_slow(self) -> None:
        if self.transport.is_closing():
            return
        answered = self.cycle is None or self.cycle.response_complete
        if self._reading is Part.BODY and not answered:
            # The application has the same deadline, and an answer for it: this is the last resort.
            seconds = self.limits.request_seconds
            self._slow = self.loop.call_later(seconds, self.transport.abort)
            return
        if self._begun and self._reading is Part.HEAD and answered:
            seconds = self.limits.head_seconds
            self.transport.write(refusal(408, f"the headers did not come within {seconds:g} s"))
        self.transport.close()
