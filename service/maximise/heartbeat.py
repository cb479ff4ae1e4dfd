"""Workers that are alive: one file each in ``STATE/workers``, touched every second."""

import os
import socket
from pathlib import Path

from service.processes.ages import ages

ALIVE_SECONDS = 5.0
_FORGOTTEN_SECONDS = 60.0


class Heartbeat:
    """This process's own file. Files that dead workers left are swept away with time."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "workers"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._file = self._folder / f"{socket.gethostname()}-{os.getpid()}"
        for file, age in ages(self._folder):
            if age > _FORGOTTEN_SECONDS:
                file.unlink(missing_ok=True)

    def beat(self) -> None:
        self._file.touch()

    def stop(self) -> None:
        self._file.unlink(missing_ok=True)


def workers_alive(state: Path) -> int:
    """How many have been heard of in the last seconds."""
    return sum(age < ALIVE_SECONDS for _, age in ages(state / "workers"))
