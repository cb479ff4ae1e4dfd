"""Threads for work that would hold the event loop up: decoding bodies, writing pictures."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Pool:
    """Few threads: they share the interpreter, and each may hold a large picture."""

    def __init__(self, name: str, threads: int = 2, nice: int = 0) -> None:
        self._threads = ThreadPoolExecutor(threads, name, lambda: _give_way(nice))

    async def run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)


def _give_way(nice: int) -> None:
    """On Linux each thread has a priority of its own; elsewhere all stay as they are."""
    if nice and hasattr(os, "sched_setaffinity"):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
