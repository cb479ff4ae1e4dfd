"""Finished maximisations are kept until they take too much room; the least recently used go first.

Every worker looks after the whole folder by itself: a look is a walk over all folders, some
20 us each, so it is taken only when what this worker has added since the last could matter.
"""

import logging
import time
from collections.abc import Callable

from service.maximise.jobs import Jobs

_TARGET = 0.9
"""An eviction leaves this share, so that the rest can fill up before anybody looks again."""

_LONGEST_S = 600.0
"""Between two looks: servers add files as well, those of the sizes that somebody asked for."""

logger = logging.getLogger("glyphscope.worker")


class Cache:
    """``workers()`` is how many share the room: together they stay below ``most`` bytes."""

    def __init__(
        self,
        jobs: Jobs,
        most: int,
        workers: Callable[[], int] = lambda: 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._jobs = jobs
        self._most = most
        self._workers = workers
        self._clock = clock
        self._looked: float | None = None
        self._grown = 0

    def grown(self, job_id: str) -> None:
        """A job was finished: evict, if it is time to."""
        try:
            self._grown += self._jobs.footprint(job_id)[1]
        except FileNotFoundError:
            return
        room = self._most * (1 - _TARGET) / max(1, self._workers())
        now = self._clock()
        if self._looked is None or self._grown > room or now - self._looked > _LONGEST_S:
            self._looked, self._grown = now, 0
            self.evict(spare=job_id)

    def evict(self, spare: str = "") -> int:
        """How many are gone. ``spare`` stays whatever it takes: it was only just drawn."""
        found = self._footprints()
        total = sum(size for _, size, _ in found)
        if total <= self._most * _TARGET:
            return 0
        gone = 0
        for _, size, job_id in sorted(found):
            if total <= self._most * _TARGET:
                break
            if job_id != spare and self._jobs.evict(job_id):
                total -= size
                gone += 1
        logger.info("%d maximisations evicted; %d bytes are left", gone, total)
        return gone

    def _footprints(self) -> list[tuple[float, int, str]]:
        found = []
        for job_id in self._jobs.finished_ids():
            try:
                used, size = self._jobs.footprint(job_id)
            except FileNotFoundError:
                continue
            found.append((used, size, job_id))
        return found
