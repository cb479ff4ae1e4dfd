"""Processes that serve, each with models and a listening socket of its own; a dead one is replaced.

On Linux they are forked from one process that has imported everything and done nothing yet: its
memory is shared, and a replacement serves again in a fraction of a second.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

STARTUP_FAILURE = 3
"""uvicorn's exit code where the application did not start: the next one would not either."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0

HEALTHY_SECONDS = 10.0
"""One that ran this long was fine, so the next is started at once."""

Serve = Callable[[int, socket.socket], None]
"""(index of the process, its socket); importable by name, as it travels to another process"""

logger = logging.getLogger("glyphscope.service")


@dataclass
class Place:
    """One of the processes, and those that replaced it."""

    index: int
    listener: socket.socket
    process: BaseProcess | None = None
    started: float = 0.0
    pause: float = 0.0


class Workers:
    def __init__(
        self, serve: Serve, listeners: Sequence[socket.socket], patience: float, preload: str
    ) -> None:
        """``patience``: seconds that they may take to stop. ``preload``: what they import."""
        self._serve = serve
        self._patience = patience
        self._places = [Place(i, listener) for i, listener in enumerate(listeners)]
        self._context = _context(preload)
        self._wake, self._wakes = os.pipe()
        self._stopping = False

    def run(self) -> int:
        """Until SIGTERM or SIGINT. Returns an exit code."""
        before = {each: signal.signal(each, self._stop) for each in (signal.SIGTERM, signal.SIGINT)}
        code = 0
        try:
            while not self._stopping and code == 0:
                self._start_missing()
                wait([self._wake, *(p.sentinel for p in self._running())], self._nearest())
                code = self._bury()
        finally:
            self._end_all()
            for each, handler in before.items():
                signal.signal(each, handler)
            os.close(self._wake)
            os.close(self._wakes)
        return code

    def _stop(self, *_: object) -> None:
        self._stopping = True
        os.write(self._wakes, b".")

    def _running(self) -> list[BaseProcess]:
        return [place.process for place in self._places if place.process]

    def _start_missing(self) -> None:
        for place in self._places:
            if place.process is None and time.monotonic() >= place.started + place.pause:
                place.started = time.monotonic()
                place.process = self._context.Process(  # type: ignore[attr-defined]
                    target=_run, args=(self._serve, place.index, place.listener), daemon=True
                )
                place.process.start()

    def _nearest(self) -> float | None:
        """Seconds until a process that is missing may be started."""
        due = [place.started + place.pause for place in self._places if place.process is None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _bury(self) -> int:
        for place in self._places:
            if place.process is None or place.process.is_alive():
                continue
            code = place.process.exitcode
            place.process = None
            if self._stopping:
                continue
            if code == STARTUP_FAILURE:
                logger.error("serving process %d could not start; stopping", place.index)
                return STARTUP_FAILURE
            logger.warning("serving process %d ended with %s; replacing it", place.index, code)
            lived = time.monotonic() - place.started
            fine = lived > HEALTHY_SECONDS
            place.pause = lived if fine else min(max(FIRST_PAUSE, place.pause * 2), LONGEST_PAUSE)
        return 0

    def _end_all(self) -> None:
        running = self._running()
        for process in running:
            process.terminate()
        deadline = time.monotonic() + self._patience
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                logger.warning("a serving process does not stop; killing it")
                process.kill()
                process.join()


def _context(preload: str) -> BaseContext:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    return context


def _run(serve: Serve, index: int, listener: socket.socket) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    serve(index, listener)


def _end_with_parent() -> None:
    """A parent that is killed cannot say so: its end of a pipe closes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
