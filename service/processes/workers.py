"""Processes that serve, each with models and a listening socket of its own; one that dies or hangs
is replaced.

Each beats once a second, from its event loop: one that has begun to and stops is killed. Whoever
connects to a place that stays empty is told so, with 503, by this process.

On Linux they are forked from one process that has imported everything and done nothing yet: its
memory is shared, and a replacement serves again in a fraction of a second. The very first need not
wait for that: it may come from elsewhere. This one, which watches over them, imports none of it.
"""

import contextlib
import functools
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
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from service.processes.listeners import DEALS
from service.processes.refusal import stopped_refusal

STARTUP_FAILURE = 3
"""uvicorn's exit code where the application did not start: the next one would not either."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0

HEALTHY_SECONDS = 10.0
"""One that ran this long was fine, so the next is started at once."""

START_SECONDS = 180.0
"""Until the first beat: a busy machine takes long to load models."""

REFUSAL_SECONDS = 0.2

EMPTY_SECONDS = 5.0
"""A replacement is there in a fraction of this; meanwhile who connects just waits."""

Beat = Callable[[], None]
Serve = Callable[[int, socket.socket, Beat], None]
"""(index of the process, its socket, to be called every second); importable by name, as it travels
to another process"""

logger = logging.getLogger("glyphscope.service")


@dataclass
class Place:
    """One of the processes, and those that replaced it."""

    index: int
    listener: socket.socket
    process: BaseProcess | None = None
    beats: Connection | None = None
    beaten: float = 0.0
    ready: bool = False
    started: float = 0.0
    pause: float = 0.0
    empty_since: float | None = None

    def alive(self) -> None:
        """It has said that it is."""
        while self.beats is not None and self.beats.poll():
            self.beats.recv_bytes()
            self.beaten = time.monotonic()
            self.ready = True
            self.empty_since = None

    def silent(self, most: float) -> float:
        """Seconds until it counts as hung; below 0 it does."""
        return self.beaten + (most if self.ready else START_SECONDS) - time.monotonic()

    @property
    def listens(self) -> bool:
        """All but the first begin to when they are first served."""
        return not DEALS or bool(self.listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    @property
    def empty(self) -> bool:
        """Nobody has served here for a while."""
        return self.empty_since is not None and time.monotonic() - self.empty_since > EMPTY_SECONDS


class Workers:
    def __init__(
        self,
        serve: Serve,
        listeners: Sequence[socket.socket],
        patience: float,
        context: BaseContext,
        hang_seconds: float = 30.0,
        shared: Sequence[socket.socket] = (),
        ready: Callable[[], None] = lambda: None,
        first: BaseContext | None = None,
    ) -> None:
        """``patience``: seconds that they may take to stop. ``context``: see ``forked``.
        ``first``: what starts the very first process, where that is sooner. ``shared``: other
        sockets that ``serve`` listens on, in every process. ``ready`` is called once, when the
        first of them serves."""
        self._serve = serve
        self._ready = ready
        self._hang_seconds = hang_seconds
        self._shared = shared
        self._patience = patience
        self._places = [Place(i, listener) for i, listener in enumerate(listeners)]
        self._context = context
        self._first = first or context
        self._wake, self._wakes = os.pipe()
        self._stopping = False
        self._served = False  # any of them, ever

    def run(self) -> int:
        """Until SIGTERM or SIGINT. SIGHUP is passed on. Returns an exit code."""
        before = {each: signal.signal(each, self._stop) for each in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._pass_on)
        code = 0
        try:
            while not self._stopping and code == 0:
                self._start_missing()
                self._refuse_at_empty_places(wait(self._watched(), self._nearest()))
                self._kill_silent()
                code = self._bury()
        finally:
            self._end_all()
            for each, handler in before.items():
                signal.signal(each, handler)
            os.close(self._wake)
            os.close(self._wakes)
        return code

    def _stop(self, number: int, frame: object) -> None:
        if self._stopping and number == signal.SIGINT:
            for process in self._running():
                process.kill()
        self._stopping = True
        os.write(self._wakes, b".")

    def _pass_on(self, *_: object) -> None:
        # To one that still starts it would be the end, and nothing that it will not see anyway.
        for process in (place.process for place in self._places if place.ready):
            if process is not None and process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGHUP)

    def _watched(self) -> list[Any]:
        beats = [place.beats for place in self._places if place.process and place.beats]
        empty = [place.listener for place in self._places if place.empty]
        return [self._wake, *(p.sentinel for p in self._running()), *beats, *empty]

    def _refuse_at_empty_places(self, ready: list[Any]) -> None:
        for place in self._places:
            if place.empty and place.listener in ready:
                refuse(place.listener)

    def _kill_silent(self) -> None:
        for place in self._places:
            if place.process is None:
                continue
            try:
                place.alive()
            except (EOFError, OSError):  # it ends; the sentinel will say so
                place.beats = None
            if place.ready and not self._served:
                self._served = True
                self._ready()
            if place.silent(self._hang_seconds) < 0:
                logger.warning("serving process %d is silent; killing it", place.index)
                place.process.kill()
                place.process.join()

    def _running(self) -> list[BaseProcess]:
        return [place.process for place in self._places if place.process]

    def _start_missing(self) -> None:
        for place in self._places:
            if place.process is None and time.monotonic() >= place.started + place.pause:
                context, self._first = self._first, self._context
                place.started = place.beaten = time.monotonic()
                place.ready = False
                place.beats, beats = context.Pipe(duplex=False)
                place.process = context.Process(  # type: ignore[attr-defined]
                    target=_run, args=(self._serve, place.index, place.listener, beats), daemon=True
                )
                place.process.start()
                beats.close()

    def _nearest(self) -> float | None:
        """Seconds until something has to be done that nobody will say."""
        now = time.monotonic()
        due = [p.started + p.pause - now for p in self._places if p.process is None]
        due += [p.silent(self._hang_seconds) for p in self._places if p.process is not None]
        empty = [p.empty_since for p in self._places if p.empty_since is not None and not p.empty]
        due += [since + EMPTY_SECONDS - now for since in empty]
        return max(0.0, min(due)) + 0.01 if due else None

    def _bury(self) -> int:
        for place in self._places:
            if place.process is None or place.process.is_alive():
                continue
            code = place.process.exitcode
            place.process = place.beats = None
            if place.listens:
                place.empty_since = place.empty_since or time.monotonic()
            if self._stopping:
                continue
            if code == STARTUP_FAILURE and not self._served:
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
        # Theirs stay open for as long as they want; while ours are, who connects would wait there.
        for listener in [*(place.listener for place in self._places), *self._shared]:
            listener.close()
        deadline = time.monotonic() + self._patience
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                logger.warning("a serving process does not stop; killing it")
                process.kill()
                process.join()


def forked(preload: str) -> BaseContext:
    """What starts processes. On Linux they are forked from one that imports ``preload``, which
    starts with the first of them or when it is told to (``warm``)."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    return context


def warm() -> None:
    """The process that others are forked from starts now, beside this one; its environment is that
    of this moment."""
    if sys.platform == "linux":
        forkserver.ensure_running()


def refuse(listener: socket.socket) -> None:
    """Whoever waits is answered 503. What they asked is read first: closing a connection with
    something unread resets it, answer and all."""
    # For good: the processes share this flag, and an event loop must never wait in accept().
    listener.setblocking(False)
    try:
        while True:
            client, _ = listener.accept()
            with client, contextlib.suppress(OSError):
                client.settimeout(REFUSAL_SECONDS)
                client.recv(65536)
                client.sendall(stopped_refusal())
                client.shutdown(socket.SHUT_WR)
    except OSError:  # nobody waits any more
        return


def _run(serve: Serve, index: int, listener: socket.socket, beats: Connection) -> None:
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    serve(index, listener, functools.partial(_beat, beats))


def _beat(beats: Connection) -> None:
    # A parent that is gone is another's to notice.
    with contextlib.suppress(OSError):
        beats.send_bytes(b".")


def _end_with_parent() -> None:
    """A parent that is killed cannot say so: its end of a pipe closes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
