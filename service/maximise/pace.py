"""How often something is told: at once, then often, then as often as it is still worth its cost."""

import time
from collections.abc import Callable

SHORTEST_S = 0.1
LONGEST_S = 2.0

_OF_THE_AGE = 0.02
"""After a minute nobody misses what is told every second."""

_OF_THE_WORK = 0.05
"""At most this share of the time goes into the telling."""


class Pace:
    """``due()`` is whether it is time again; ``done()`` says that the telling is over."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = self._began = self._next = clock()

    def due(self) -> bool:
        self._began = self._clock()
        return self._began >= self._next

    def done(self) -> None:
        now = self._clock()
        pause = min(LONGEST_S, max(SHORTEST_S, _OF_THE_AGE * (now - self._start)))
        self._next = now + max(pause, (now - self._began) / _OF_THE_WORK)
