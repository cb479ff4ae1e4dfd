"""A job's events for one reader: from its log, and its end from its status.

A reader asks the files, never the worker: it can be as slow as it likes, there can be any number,
and one that comes later, or back after a restart, reads what the others have read.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from service.formats.answers import dumps
from service.formats.sse import COMMENT, OPENING, Cursor, message
from service.maximise.events import FRAME, PROGRESS, Event, read
from service.maximise.maximisations import Maximisations
from service.versions.changes import changed
from service.versions.resolver import Signature

RESTLESS_SECONDS = 0.5
"""The files are read after this long in any case: the place in the queue is not in them."""

HEARTBEAT_SECONDS = 10.0


class Reader:
    """Blocking: call it in a thread. ``over`` once there will be no more."""

    def __init__(
        self, found: Maximisations, job_id: str, cursor: Cursor, frames: bool = False
    ) -> None:
        self.over = False
        self.cursor = cursor
        self._found = found
        self._job_id = job_id
        self._frames = frames

    def next(self) -> list[bytes]:
        """What is new, as messages: a piece of it, so ask until there is none."""
        status = self._found.jobs.status(self._job_id)
        if status is None:
            self.over = True
            return []
        if status.run != self.cursor.run:
            self.cursor = Cursor(status.run)
        if self.cursor.ended:
            self.over = True
            return []
        # The status was read first: a job is finished only after its last event is written.
        events = read(self._found.jobs.log(self._job_id, status.run), self.cursor.offset)
        if events:
            return [text for event in events if (text := self._told(event))]
        if status.finished:
            return self._end(status.status)
        return self._place() if status.status == "queued" else []

    def told_all(self) -> bool:
        """Whether the reader has been told the end before it came."""
        status = self._found.jobs.status(self._job_id)
        if status is None or not status.finished:
            return False
        return self.cursor.ended and self.cursor.run == status.run

    def look(self) -> Callable[[], Signature]:
        """Gives another signature when there is something new, but for the place in the queue."""
        return self._found.jobs.look(self._job_id, self.cursor.run)

    def _told(self, event: Event) -> bytes | None:
        self.cursor = Cursor(self.cursor.run, event.end)
        if event.name == FRAME and not self._frames:
            return None
        return message(event.name, event.data, str(self.cursor))

    def _place(self) -> list[bytes]:
        document = self._found.document(self._job_id)
        if document is None or document["position"] == self.cursor.position:
            return []
        self.cursor = self.cursor._replace(position=document["position"])
        place = {name: document[name] for name in ("status", "step", "steps", "position")}
        return [message(PROGRESS, dumps(place), str(self.cursor))]

    def _end(self, state: str) -> list[bytes]:
        self.over = True
        self.cursor = Cursor(self.cursor.run, self.cursor.offset, ended=True)
        return [message(state, dumps(self._found.document(self._job_id)), str(self.cursor))]


async def events(
    reader: Reader,
    run: Callable[[Callable[[], list[bytes]]], Awaitable[list[bytes]]],
    stopping: asyncio.Event,
) -> AsyncGenerator[bytes, None]:
    """``run`` runs in a thread what would hold the event loop up. Ends with the job, or when the
    process has to go: the reader then comes back to the next one."""
    yield OPENING
    said = time.monotonic()
    while not stopping.is_set():
        look, at = reader.look(), reader.cursor
        before = look()
        messages = await run(reader.next)
        for text in messages:
            yield text
        if reader.over:
            return
        if messages:
            said = time.monotonic()
        elif reader.cursor == at:
            await changed(look, before, RESTLESS_SECONDS, stopping)
        if time.monotonic() - said > HEARTBEAT_SECONDS:
            said = time.monotonic()
            yield COMMENT
