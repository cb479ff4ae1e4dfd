"""What every process that serves says of itself: one JSON file each in ``STATE/serving``.

    Presence(state, store).write({...})     this process's own
    Presence(state, store).all()            of all that were heard of in the last seconds

Processes on other machines count too where they share the state folder.
"""

import os
import socket
import uuid
from pathlib import Path
from typing import Any

import orjson

from service.processes.ages import ages

ALIVE_SECONDS = 5.0
_FORGOTTEN_SECONDS = 60.0

Document = dict[str, Any]


class Presence:
    """Blocking, but by microseconds. Processes of other stores in the same folder are left out."""

    def __init__(self, state: Path, store: Path) -> None:
        self._folder = state / "serving"
        self._store = str(store)
        self.host, self.pid = socket.gethostname(), os.getpid()
        self._file = self._folder / f"{self.host}-{self.pid}.json"

    def write(self, document: Document) -> None:
        whole = {"host": self.host, "pid": self.pid, "store": self._store, **document}
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f".{uuid.uuid4().hex}"
        part.write_bytes(orjson.dumps(whole, option=orjson.OPT_NON_STR_KEYS))
        os.replace(part, self._file)

    def all(self) -> list[Document]:
        """Oldest process first."""
        found = []
        for file, age in ages(self._folder):
            if age > _FORGOTTEN_SECONDS:
                file.unlink(missing_ok=True)
            elif age < ALIVE_SECONDS:
                found.extend(_read(file))
        mine = [each for each in found if each.get("store") == self._store]
        return sorted(mine, key=lambda each: (str(each.get("started")), each["host"], each["pid"]))

    def remove(self) -> None:
        self._file.unlink(missing_ok=True)


def _read(file: Path) -> list[Document]:
    """Empty for what is being written or was removed meanwhile."""
    try:
        document = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return []
    return [document] if isinstance(document, dict) and "pid" in document else []
