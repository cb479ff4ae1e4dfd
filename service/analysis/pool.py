"""Jobs of the routes: a few at once, a bounded number waiting, none longer than its deadline."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from queue import SimpleQueue

from starlette.exceptions import HTTPException

from glyphscope.errors import Busy
from glyphscope.store import Store
from service.analysis.hands import Child, DeadlinePassed, Hand, Here
from service.analysis.job import Answer, Job
from service.inference.device import resolve_device
from service.settings import Settings
from service.tracing import Tracing

_GRACE_SECONDS = 1.0
"""A job that runs is stopped by its hand, which then reports; one that waits is stopped here."""


class Analyses:
    def __init__(
        self,
        hands: list[Hand],
        max_waiting: int,
        seconds: float,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self._idle: SimpleQueue[Hand] = SimpleQueue()
        for hand in hands:
            self._idle.put(hand)
        self._hands = hands
        self._threads = ThreadPoolExecutor(len(hands), "analyses")
        self._max_waiting = max_waiting
        self._seconds = seconds
        self._waiting = 0
        self._started: asyncio.Future[list[None]] | None = None

    def start(self) -> "asyncio.Future[list[None]]":
        """Without waiting: what is likely to be asked for next is then answered sooner."""
        if self._started is None or _failed(self._started):
            loop = asyncio.get_running_loop()
            starts = [loop.run_in_executor(self._threads, one.start) for one in self._hands]
            self._started = asyncio.gather(*starts)
            # Where nobody waits for it, nobody is told of a failure but the next request.
            self._started.add_done_callback(_failed)
        return self._started

    async def run(self, job: Job) -> Answer:
        """Raises what the job raises, ``Busy``, or ``HTTPException`` 504 at the deadline."""
        if self._waiting >= self._max_waiting + len(self._hands):
            raise Busy(f"{self._max_waiting} analyses are waiting already; try again in a moment")
        self._waiting += 1
        step = self._tracing.step("analysis", task=job.task) if self._tracing else nullcontext()
        try:
            with step:
                return await self._within(job)
        finally:
            self._waiting -= 1

    async def _within(self, job: Job) -> Answer:
        try:
            await asyncio.shield(self.start())
            deadline = time.monotonic() + self._seconds
            async with asyncio.timeout(self._seconds + _GRACE_SECONDS):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._run, job, deadline)
        except (DeadlinePassed, TimeoutError):
            raise HTTPException(
                504, f"not worked out within {self._seconds:g} s; ask for less, or try again later"
            ) from None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for hand in self._hands:
            hand.close()
        self._threads.shutdown()

    def _run(self, job: Job, deadline: float) -> Answer:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise DeadlinePassed
        hand = self._idle.get()
        try:
            return hand.run(job, seconds)
        finally:
            self._idle.put(hand)


def _failed(started: "asyncio.Future[list[None]]") -> bool:
    return started.done() and (started.cancelled() or started.exception() is not None)


def make_analyses(settings: Settings, tracing: Tracing | None = None) -> Analyses:
    """Without a process of their own, analyses run in a thread of this one."""
    hands: list[Hand] = [Child(settings.environment()) for _ in range(settings.analysis_processes)]
    if not hands:
        from service.analysis.tasks import perform  # here: they need PyTorch
        from service.analysis.workshop import Workshop

        workshop = Workshop(Store(settings.store), resolve_device(settings.device))
        hands = [Here(lambda job: perform(workshop, job))]
    waiting, seconds = settings.max_waiting_analyses, settings.analysis_seconds
    return Analyses(hands, waiting, seconds, tracing)
