"""Server-sent events (WHATWG HTML, 9.2): the words of the stream.

message(event)     bytes of one event
COMMENT            what a stream says while there is nothing to say
Cursor             the id of an event: where a reader stands, so that any process can go on
"""

import re
from typing import NamedTuple, Self

MEDIA_TYPE = "text/event-stream"

RETRY_MS = 1000
"""After how long a browser connects again: soon, as a server that restarts is back in seconds."""

OPENING = b"retry: %d\n\n" % RETRY_MS

COMMENT = b": still here\n\n"

_CURSOR = re.compile(r"([0-9a-f]{1,16})-(?:(\d{1,12})(?:-(\d{1,6}))?|(end))")


def message(name: str, data: bytes, event_id: str) -> bytes:
    """``data`` is one line."""
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (event_id.encode(), name.encode(), data)


class Cursor(NamedTuple):
    """``run`` of the job, ``offset`` in its log, ``position`` in the queue that was told last.

    As text "17f3a-0-2" (queued, two before it), "17f3a-812", "17f3a-end".
    """

    run: str = ""
    offset: int = 0
    position: int | None = None
    ended: bool = False

    def __str__(self) -> str:
        if self.ended:
            return f"{self.run}-end"
        told = "" if self.position is None else f"-{self.position}"
        return f"{self.run}-{self.offset}{told}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The beginning, for what is no id of ours."""
        found = _CURSOR.fullmatch(text)
        if not found:
            return cls()
        run, offset, position, end = found.groups()
        told = None if position is None else int(position)
        return cls(run, int(offset or 0), told, bool(end))
