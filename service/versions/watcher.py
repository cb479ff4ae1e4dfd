"""Looks at the store again and again, so that what others publish or move is seen and loaded.

Stat signatures, since a store may lie on a network drive where nothing else tells of a change.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from service.versions.presence import Presence
from service.versions.registry import Registry
from service.versions.resolver import SETTLED_NS, Signature

PRESENCE_SECONDS = 1.0

logger = logging.getLogger("glyphscope.service")


class Watcher:
    """``describe`` makes the document that this process shows of itself."""

    def __init__(
        self,
        registry: Registry,
        presence: Presence,
        describe: Callable[[], dict[str, Any]],
        seconds: float,
    ) -> None:
        self._registry = registry
        self._presence = presence
        self._describe = describe
        self._seconds = seconds
        self._seen: dict[str, Signature] = {}
        self._shown: tuple[dict[str, Any], float] = {}, 0.0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look now, at everything."""
        self._seen.clear()
        self._woken.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._presence.remove()

    def show(self) -> None:
        """Say what has changed about this process, and every second that it is there."""
        document = self._describe()
        before, at = self._shown
        if document != before or time.monotonic() - at > PRESENCE_SECONDS:
            self._presence.write(document)
            self._shown = document, time.monotonic()

    async def _run(self) -> None:
        due = 0.0
        while True:
            try:
                if self._woken.is_set() or time.monotonic() >= due:
                    self._woken.clear()
                    due = time.monotonic() + self._seconds
                    await self._registry.loader.retry()
                    self._registry.look(await asyncio.to_thread(self._changed))
                self.show()
            except Exception:
                # A store or a state folder that is away comes back or does not; what is in memory
                # is served on.
                logger.exception("the store cannot be looked at")
            with contextlib.suppress(TimeoutError):
                pause = min(self._seconds, PRESENCE_SECONDS)
                await asyncio.wait_for(self._woken.wait(), pause)

    def _changed(self) -> list[str]:
        names = self._registry.store.names()
        now = {name: self._registry.signature(name) for name in names}
        changed = [name for name in names if self._seen.get(name) != now[name]]
        # Two changes within one tick of the file system's clock look like one.
        young = time.time_ns() - SETTLED_NS
        self._seen = {
            name: mark
            for name, mark in now.items()
            if max(changed_ns for _, changed_ns, _ in mark) < young
        }
        return changed
