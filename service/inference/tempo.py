"""How long work of one kind takes an image, learnt while it is done."""

import time
from collections.abc import Callable
from typing import TypeVar

_STEP = 1.1

T = TypeVar("T")


class Tempo:
    """A median that follows slowly: one piece of work that was held up changes little."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def expected(self, images: int) -> float:
        """Seconds; infinite before the first."""
        return self._seconds * images or float("inf")

    def timed(self, images: int, work: Callable[[], T]) -> Callable[[], T]:
        """The same work, from which this learns."""

        def run() -> T:
            began = time.perf_counter()
            found = work()
            self.learn((time.perf_counter() - began) / images)
            return found

        return run

    def learn(self, seconds: float) -> None:
        """``seconds``: an image's."""
        if self._seconds:
            seconds = self._seconds * (_STEP if seconds > self._seconds else 1 / _STEP)
        self._seconds = seconds
