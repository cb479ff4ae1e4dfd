"""What a maximisation tells while it is drawn, from a stream that may be cut off anywhere.

    follow(open_stream, sleep)  ->  Iterator[Event]

Server-sent events as the WHATWG's HTML, 9.2.6 reads them. A stream that ends before the job does is
opened again behind the last event, so nothing is lost and nothing comes twice.
"""

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import httpx

from clients.answers import Maximisation, read
from clients.errors import Busy, ServiceFailed, Unreachable

Kind = Literal["progress", "frame", "done", "failed", "cancelled"]

OpenStream = Callable[[str], AbstractContextManager[httpx.Response]]
"""Of the id behind which it is to go on, "" for the beginning."""

_ENDS = ("done", "failed", "cancelled")

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 5.0
_ATTEMPTS = 10
"""Together half a minute: as long as a service takes to start again on a busy machine."""


@dataclass(frozen=True)
class Event:
    """``position`` counts the jobs that come before a queued one. ``images`` are PNGs by unit, of a
    frame; ``job`` is there at the end."""

    id: str
    kind: Kind
    status: str
    step: int
    steps: int
    position: int | None = None
    images: dict[int, bytes] = field(default_factory=dict)
    job: Maximisation | None = None


def follow(open_stream: OpenStream, sleep: Callable[[float], None]) -> Iterator[Event]:
    """Until the job is over. Raises ``Unreachable`` where the service does not come back, and
    ``ServiceFailed`` where it cannot be understood."""
    last, pause, attempts = "", _FIRST_PAUSE_S, 0
    while True:
        try:
            with open_stream(last) as response:
                for event in _events(response.iter_lines()):
                    yield event
                    last, pause, attempts = event.id, _FIRST_PAUSE_S, 0
                    if event.kind in _ENDS:
                        return
            trouble = "the stream of events ended before the job did"
        except httpx.TransportError as error:
            trouble = f"the stream of events was cut off: {error}"
        except (Unreachable, Busy) as error:
            trouble = str(error)
        attempts += 1
        if attempts > _ATTEMPTS:
            raise Unreachable(trouble)
        sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


def _events(lines: Iterable[str]) -> Iterator[Event]:
    """An event that is cut off in its middle is none."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if line and name:
            value = value.removeprefix(" ")
            before = fields.get("data") if name == "data" else None
            fields[name] = value if before is None else f"{before}\n{value}"
        elif not line:
            if "data" in fields:
                yield _event(fields)
            fields = {}


def _event(fields: dict[str, str]) -> Event:
    try:
        data: dict[str, Any] = json.loads(fields["data"])
        images = {one["unit"]: _png(one["image"]) for one in data.get("images", ())}
        kind = cast(Kind, fields["event"])
        return Event(
            id=fields["id"],
            kind=kind,
            status=data["status"],
            step=data["step"],
            steps=data["steps"],
            position=data.get("position"),
            images=images,
            job=read(Maximisation, data) if kind in _ENDS else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServiceFailed(f"an event of the service is not understood: {error!r}") from None


def _png(uri: str) -> bytes:
    return base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
