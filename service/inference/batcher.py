"""Micro-batching without a timer: what waits is taken the moment the network is free.

    Work        some images, and whoever wants their scores
    Batcher     the queue before one network
    Backlog     how many images may wait in a process, whatever network they are for

A turn takes up to ``TURN`` images. A large request gives a part to each turn and goes to the back,
so that a small one never waits for all of it. Work that is dropped before its turn is not run.

A turn that will be over soon runs in the event loop: the hop to a thread and back costs more than
the card's network itself (0.08 ms). Where a full turn would take too long for that, but ``PIECE``
images would not, a turn is ``PIECE``. All of it belongs to one event loop.
"""

import asyncio
import functools
import logging
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from glyphscope.errors import Busy
from glyphscope.manifest import Manifest
from glyphscope.preprocess import Pixels
from service.inference.scores import Logits, Pass, Scores
from service.inference.tempo import Tempo
from service.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.trace import Span

TURN = 64
"""Images at most in one turn."""

PIECE = 32
"""Images at most in one forward pass: above it convolutions in float32 lose their caches."""

INLINE_SECONDS = 0.008
"""A turn up to this long may hold the event loop up: 32 images of the card's network take 3 to
5 ms, and by way of a thread they cost 7 % more of the processor's time."""

Forward = Callable[[Pixels], Logits]
"""uint8 (n, C, H, W) -> float32 (n, classes), n up to ``PIECE``"""

Ran = Callable[[str, int], None]
"""Told of each turn: the model's name, and how many images."""

Run = Callable[[], Logits]
"""One turn."""

Part = tuple["Work", int, int]
"""The work's images from one index to another."""

logger = logging.getLogger("glyphscope.service")


class Work(ABC):
    span: "Span | None" = None
    """Of the request, where it is traced."""
    since = 0
    """When it began to wait, in nanoseconds of the epoch; only where requests are traced."""

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels
        self.taken = 0
        self.parts: list[Logits] = []

    @property
    @abstractmethod
    def dropped(self) -> bool:
        """Nobody waits for it any more."""

    @abstractmethod
    def answered(self, scores: Scores) -> None:
        """One row an image, in the order sent."""

    @abstractmethod
    def failed(self, error: Exception) -> None: ...


class Backlog:
    def __init__(self, limit: int) -> None:
        self.images = 0
        self._limit = limit

    def enter(self, images: int) -> None:
        """Raises ``Busy``. A batch larger than the bound is still taken by an idle process."""
        if self.images and self.images + images > self._limit:
            raise Busy(f"{self.images} images are waiting already; try again in a moment")
        self.images += images

    def leave(self, images: int) -> None:
        self.images -= images


class Batcher:
    """``forward`` is never called twice at once."""

    def __init__(
        self,
        forward: Forward,
        manifest: Manifest,
        thread: Executor,
        backlog: Backlog,
        ran: Ran = lambda model, images: None,
        tracing: Tracing | None = None,
    ) -> None:
        self._forward = forward
        self._tracing = tracing
        self._manifest = manifest
        self._thread = thread
        self._backlog = backlog
        self._ran = ran
        self._waiting: deque[Work] = deque()
        self._loop = asyncio.get_running_loop()
        self._awake = False
        self._tempo = Tempo()

    def submit(self, work: Work) -> None:
        """Raises ``Busy``."""
        self._backlog.enter(len(work.pixels))
        if self._tracing is not None:
            self._tracing.waits(work)
        self._waiting.append(work)
        if not self._awake:
            self._awake = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        parts = self._take()
        if not parts:
            self._awake = False
            return
        images = sum(stop - start for _, start, stop in parts)
        self._ran(self._manifest.name, images)
        run: Run = functools.partial(self._logits, parts)
        if self._tracing is not None:
            works = [work for work, _, _ in parts]
            run = self._tracing.batch(works, self._manifest.ref, images, run)
        if self._tempo.expected(images) <= INLINE_SECONDS:
            self._run_here(parts, run)
        else:
            running = self._loop.run_in_executor(self._thread, run)
            running.add_done_callback(lambda done: self._came_back(parts, done))

    def _run_here(self, parts: list[Part], run: Run) -> None:
        try:
            logits = run()
        except Exception as error:
            logger.exception("a forward pass of %s failed", self._manifest.ref)
            self._fail(parts, error)
        else:
            self._deliver(parts, logits)
        self._go_on()

    def _came_back(self, parts: list[Part], done: "asyncio.Future[Logits]") -> None:
        if done.cancelled():  # the process ends
            return
        error = done.exception()
        if error is None:
            self._deliver(parts, done.result())
        elif isinstance(error, Exception):
            logger.error("a forward pass of %s failed", self._manifest.ref, exc_info=error)
            self._fail(parts, error)
        self._go_on()

    def _go_on(self) -> None:
        """Not at once: what came meanwhile joins the next turn."""
        if self._waiting:
            self._loop.call_soon(self._turn)
        else:
            self._awake = False

    def _take(self) -> list[Part]:
        parts: list[Part] = []
        unfinished: list[Work] = []
        room = self._room()
        while self._waiting and room:
            work = self._waiting.popleft()
            if work.dropped:
                self._backlog.leave(len(work.pixels))
                continue
            start = work.taken
            stop = work.taken = min(start + room, len(work.pixels))
            room -= stop - start
            parts.append((work, start, stop))
            if stop < len(work.pixels):
                unfinished.append(work)
        self._waiting.extend(unfinished)
        return parts

    def _room(self) -> int:
        """Half as many in the event loop are faster than all of them by way of a thread."""
        expected = self._tempo.expected
        return PIECE if expected(PIECE) <= INLINE_SECONDS < expected(TURN) else TURN

    def _logits(self, parts: list[Part]) -> Logits:
        began = time.perf_counter()
        pixels = [work.pixels[start:stop] for work, start, stop in parts]
        images = pixels[0] if len(pixels) == 1 else np.concatenate(pixels)
        pieces = [self._checked(images[i : i + PIECE]) for i in range(0, len(images), PIECE)]
        self._tempo.learn((time.perf_counter() - began) / len(images))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _checked(self, pixels: Pixels) -> Logits:
        logits = self._forward(pixels)
        expected = len(pixels), len(self._manifest.labels)
        if logits.shape != expected:
            raise RuntimeError(f"{self._manifest.ref} answered {logits.shape}, not {expected}")
        return logits

    def _deliver(self, parts: list[Part], logits: Logits) -> None:
        together, row = Pass(logits, self._manifest), 0
        for work, start, stop in parts:
            images, count = len(work.pixels), stop - start
            if count == images:
                self._answer(work, together, row)
            else:
                work.parts.append(logits[row : row + count])
                if stop == images:
                    self._answer(work, Pass(np.concatenate(work.parts), self._manifest), 0)
            row += count

    def _answer(self, work: Work, together: Pass, row: int) -> None:
        self._backlog.leave(len(work.pixels))
        if work.dropped:
            return
        try:
            work.answered(Scores(together, row, row + len(work.pixels)))
        except Exception:
            # Whoever sits in the same turn has no part in it.
            logger.exception("an answer of %s could not be delivered", self._manifest.ref)

    def _fail(self, parts: list[Part], error: Exception) -> None:
        for work, _, stop in parts:
            self._backlog.leave(len(work.pixels))
            if stop < len(work.pixels):
                self._waiting.remove(work)
            if not work.dropped:
                work.failed(error)
