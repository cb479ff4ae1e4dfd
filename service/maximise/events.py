"""What happens to a job while it runs: a file of lines that one writes and many read.

    NAME DATA\n        DATA is one line of JSON

``Log`` appends, with the job's lock held. ``read(path, offset)`` gives the events from there on;
each carries the offset behind it, so a reader goes on where it stopped, in whatever process. A
reader costs the writer nothing and holds no more than one piece of the file.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, Self

import orjson

PROGRESS = "progress"
FRAME = "frame"

MOST_BYTES = 16 * 2**20
"""Of one log: past this, frames are left out; progress is a hundred times smaller."""

_PIECE = 256 * 1024


class Event(NamedTuple):
    """``data`` is JSON; ``end`` the offset behind the event."""

    name: str
    data: bytes
    end: int


class Log:
    """A context. What a dead writer left of a line is cut off."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._path.touch()
        self._file = self._path.open("r+b", buffering=0)
        whole = self._path.read_bytes().rfind(b"\n") + 1
        self._file.truncate(whole)
        self._file.seek(whole)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()

    @property
    def full(self) -> bool:
        assert self._file is not None
        return self._file.tell() >= MOST_BYTES

    def append(self, name: str, data: Mapping[str, Any]) -> None:
        assert self._file is not None
        self._file.write(b"%s %s\n" % (name.encode(), orjson.dumps(data)))


def read(path: Path, offset: int) -> list[Event]:
    """The next events, at most a piece of them; none where there are none yet.

    An offset that is not behind a whole event, which a client may have made up, counts as 0.
    """
    try:
        with path.open("rb") as file:
            start = offset if _behind_an_event(file, offset) else 0
            file.seek(start)
            piece = file.read(_PIECE)
            while piece and b"\n" not in piece and (more := file.read(_PIECE)):
                piece += more
    except FileNotFoundError:
        return []
    return _events(piece[: piece.rfind(b"\n") + 1], start)


def _behind_an_event(file: IO[bytes], offset: int) -> bool:
    if offset <= 0:
        return offset == 0
    file.seek(offset - 1)
    return file.read(1) == b"\n"


def _events(lines: bytes, start: int) -> list[Event]:
    found = []
    for line in lines.splitlines(keepends=True):
        start += len(line)
        name, _, data = line.rstrip(b"\n").partition(b" ")
        found.append(Event(name.decode(), data, start))
    return found
