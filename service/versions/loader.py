"""Versions in memory: verified, loaded and warmed there, each once, in a thread of their own.

get(ref)      what is here, or None         load(ref)      once it is here
opened(model) with its network              prepare(ref)   the same without waiting
confirm()     all networks that are not here yet
refused       versions that were wanted and could not be loaded, with the reason
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from glyphscope.errors import BrokenCheckpoint
from glyphscope.store import Ref, Store
from service.inference.comparing import compare
from service.inference.model import Model, confirmed, open_model
from service.processes.pools import Pool
from service.versions.inspection import Inspector
from service.versions.memory import Memory
from service.versions.resolver import Signature, signature

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

logger = logging.getLogger("glyphscope.service")

LOADER_NICE = 10
"""A version that loads gives way to those that answer."""

CONFIRM_SECONDS = 0.25

Warm = Callable[[Model], Awaitable[None]]


async def cold(model: Model) -> None:
    return None


class Loader:
    """All of it belongs to one event loop. ``arrived`` is told whose version was prepared."""

    def __init__(
        self,
        store: Store,
        device: str,
        threads: int,
        memory: Memory,
        inspector: Inspector,
        warm: Warm,
        arrived: Callable[[str], None],
    ) -> None:
        self.memory = memory
        self.refused: dict[Ref, str] = {}
        self._store = store
        self._device = device
        self._threads = threads
        self._inspector = inspector
        self._warm = warm
        self._arrived = arrived
        self._thread = Pool("loader", threads=1, nice=LOADER_NICE)
        self._manifests: dict[Ref, str] = {}
        self._locks: dict[Ref, asyncio.Lock] = {}
        self._preparing: dict[Ref, asyncio.Task[None]] = {}
        self._unconfirmed: set[Ref] = set()
        self._confirming: asyncio.Task[None] | None = None

    def get(self, ref: Ref) -> Model | None:
        return self.memory.get(ref, self._mark(ref))

    def has(self, ref: Ref) -> bool:
        """Without counting as a use."""
        return self.memory.has(ref, self._mark(ref))

    async def load(self, ref: Ref) -> Model:
        """In memory, warmed; by the time it is returned, the next request finds it there.

        Raises ``BrokenCheckpoint`` with what is wrong.
        """
        found = self.get(ref)
        if found:
            return found
        async with self._lock(ref):
            found = self.get(ref)
            if found:
                return found
            mark = self._mark(ref)
            try:
                model = await self._thread.run(lambda: self._read(ref))
            except BrokenCheckpoint as error:
                self.refused[ref] = str(error)
                raise
            await self._warm(model)
            self.memory.hold(ref, mark, model)
            self.refused.pop(ref, None)
            if model.checkpoint is None:
                self._unconfirmed.add(ref)
                if self._confirming is None or self._confirming.done():
                    self._confirming = asyncio.create_task(self._confirm_soon())
        return model

    def prepare(self, ref: Ref) -> None:
        """Load it beside what serves, without waiting; a failure is kept as its reason."""
        if ref not in self._preparing and ref not in self.refused and not self.has(ref):
            self._preparing[ref] = asyncio.create_task(self.prepared(ref))

    async def prepared(self, ref: Ref) -> None:
        try:
            await self.load(ref)
            self._arrived(ref.name)
        except BrokenCheckpoint:
            logger.debug("%s is refused and what served before serves on", ref)
        finally:
            self._preparing.pop(ref, None)

    async def settled(self) -> None:
        """Once all that is being prepared is here, or refused."""
        await asyncio.gather(*list(self._preparing.values()))

    async def opened(self, model: Model) -> "Checkpoint":
        """With its network. Raises ``BrokenCheckpoint``."""
        if model.checkpoint is None:
            await self._confirm(Ref(model.manifest.name, model.manifest.version), model)
        return model.opened()

    async def confirm(self) -> None:
        """Compare what answers by ``model.onnx`` alone with its weights. One that is found broken
        is refused from then on, and one whose ``model.onnx`` is wrong goes on with its weights."""
        refs = {self._store.path(ref): ref for ref in self._unconfirmed}
        self._unconfirmed.clear()
        if not refs:
            return
        async with aclosing(compare([*refs])) as findings:
            async for finding in findings:
                model = None if finding.agrees else self.get(refs[finding.folder])
                # The word of another process is not enough: this one looks for itself.
                if model is not None:
                    with suppress(BrokenCheckpoint):
                        await self._confirm(refs[finding.folder], model)

    async def retry(self) -> None:
        """A version that was refused is tried again once its files are others."""
        for ref in list(self.refused):
            try:
                await asyncio.to_thread(self._inspector.inspect, ref)
            except BrokenCheckpoint:
                continue
            del self.refused[ref]

    async def close(self) -> None:
        tasks = [*self._preparing.values()]
        if self._confirming is not None:
            tasks.append(self._confirming)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._thread.close()

    async def _confirm(self, ref: Ref, model: Model) -> None:
        """With PyTorch in this process."""
        async with self._lock(ref):
            if model.checkpoint is not None:
                return
            mark = self._mark(ref)
            try:
                good = await self._thread.run(
                    lambda: self._inspector.guard(ref, lambda: confirmed(model))
                )
            except BrokenCheckpoint as error:
                self.refused[ref] = str(error)
                self.memory.drop(ref)
                raise
            if good is not model:
                await self._warm(good)
                self.memory.hold(ref, mark, good)

    async def _confirm_soon(self) -> None:
        """Not before whoever waited for readiness has had an answer, and all at once."""
        while self._unconfirmed:
            await asyncio.sleep(CONFIRM_SECONDS)
            await self.confirm()

    def _read(self, ref: Ref) -> Model:
        manifest = self._inspector.inspect(ref)
        folder = self._store.path(ref)
        model = self._inspector.guard(
            ref, lambda: open_model(manifest, folder, self._device, self._threads)
        )
        logger.info("loaded %s on %s", ref, model.runtime)
        return model

    def _lock(self, ref: Ref) -> asyncio.Lock:
        return self._locks.setdefault(ref, asyncio.Lock())

    def _mark(self, ref: Ref) -> Signature:
        """A store that was deleted and filled anew may give the same number to another network."""
        path = self._manifests.get(ref)
        if path is None:
            # Joining paths costs more than looking at what lies there.
            path = self._manifests[ref] = str(self._store.path(ref) / "manifest.json")
        return signature(path)
