"""Batches of pictures beside each other, each on one core.

    for i, event in work(tasks, threads, cancelled): ...     every event of task i, in its order

A task is called with ``tell``, which hands an event to whoever iterates, and ``watch``, which
raises ``Cancelled`` once it should stop. Callers' functions are only ever called in the caller's
own thread.

Every batch runs in a thread that computes on one core: sums split between cores are added in
another order, so the number of cores would show in the last bits.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue
from threading import Event
from typing import Generic, TypeVar

import torch

from glyphscope.errors import Cancelled

E = TypeVar("E")

ASK_SECONDS = 0.05
"""How often ``cancelled`` is asked, at least."""

Watch = Callable[[], None]
Task = Callable[[Callable[[E], None], Watch], None]


def work(
    tasks: Sequence[Task[E]], threads: int, cancelled: Callable[[], bool]
) -> Generator[tuple[int, E], None, None]:
    """Raises ``Cancelled``, and what a task raises. Whatever ends it, no task is left running."""
    if not tasks:
        return
    crew: _Crew[E] = _Crew(tasks)
    before = torch.get_num_threads()
    with ThreadPoolExecutor(min(threads, len(tasks)), initializer=_on_one_core) as pool:
        futures = [pool.submit(crew.run, i) for i in range(len(tasks))]
        try:
            yield from crew.events(futures, cancelled)
        finally:
            crew.stop.set()
            for future in futures:
                future.cancel()
            # It also was set for threads to come; this one, and so the program, keeps its own.
            torch.set_num_threads(before)


class _Crew(Generic[E]):
    def __init__(self, tasks: Sequence[Task[E]]) -> None:
        self.stop = Event()
        self._tasks = tasks
        self._told: SimpleQueue[tuple[int, E] | None] = SimpleQueue()

    def run(self, i: int) -> None:
        try:
            self._tasks[i](lambda event: self._told.put((i, event)), self._watch)
        finally:
            self._told.put(None)

    def events(
        self, futures: Sequence[Future[None]], cancelled: Callable[[], bool]
    ) -> Iterator[tuple[int, E]]:
        left = len(futures)
        while left:
            if cancelled():
                raise Cancelled("the maximisation was cancelled")
            try:
                told = self._told.get(timeout=ASK_SECONDS)
            except Empty:
                continue
            if told is None:
                left -= 1
                self._raise_first(futures)
            else:
                yield told
        self._raise_first(futures, wait=True)

    @staticmethod
    def _raise_first(futures: Sequence[Future[None]], wait: bool = False) -> None:
        for future in futures:
            if wait or future.done():
                future.result()

    def _watch(self) -> None:
        if self.stop.is_set():
            raise Cancelled("the maximisation was cancelled")


def _on_one_core() -> None:
    torch.set_num_threads(1)
