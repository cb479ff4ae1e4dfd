"""Waiting for files to change: their times are looked at, which costs the kernel microseconds."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from service.versions.resolver import Signature

LOOK_SECONDS = 0.03


async def changed(
    look: Callable[[], Signature], before: Signature, seconds: float, stopping: asyncio.Event
) -> None:
    """Until ``look()`` is another one, the time is over, or the process has to go."""
    end = time.monotonic() + seconds
    while look() == before and time.monotonic() < end and not stopping.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await stopping.wait()
