"""Checkpoints in memory: verified, loaded when first asked for, and never twice at once."""

import asyncio
import logging
from collections import OrderedDict

import torch

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.errors import GlyphscopeError
from glyphscope.manifest import Manifest
from glyphscope.store import Ref, Store
from service.inspection import Inspector, Listing
from service.resolver import Resolver, Signature, signature

logger = logging.getLogger("glyphscope.service")


class Registry:
    """Holds the ``max_loaded`` versions used last. All of it belongs to one event loop."""

    def __init__(self, store: Store, device: torch.device, max_loaded: int = 8) -> None:
        self.store = store
        self.device = device
        self._resolver = Resolver(store)
        self._inspector = Inspector(store)
        self._max_loaded = max_loaded
        self._loaded: OrderedDict[Ref, tuple[Signature, Checkpoint]] = OrderedDict()
        self._locks: dict[Ref, asyncio.Lock] = {}

    def resolve(self, text: str) -> Ref:
        return self._resolver.resolve(text)

    async def get(self, text: str) -> Checkpoint:
        """Raises ``NotFound``, or ``BrokenCheckpoint`` with what is wrong."""
        return await self.load(self.resolve(text))

    async def load(self, ref: Ref) -> Checkpoint:
        found = self._current(ref)
        if found:
            return found
        async with self._locks.setdefault(ref, asyncio.Lock()):
            found = self._current(ref)
            if found:
                return found
            mark = self._mark(ref)
            checkpoint = await asyncio.to_thread(self._read, ref)
            self._hold(ref, mark, checkpoint)
        return checkpoint

    async def manifest(self, text: str) -> Manifest:
        """Verified, but not loaded."""
        return await asyncio.to_thread(self._inspector.inspect, self.resolve(text))

    async def survey(self) -> list[Listing]:
        return await asyncio.to_thread(self._inspector.survey)

    def loaded(self) -> list[Ref]:
        return list(self._loaded)

    async def load_production(self) -> list[Checkpoint]:
        """Every name's production version; what is broken is logged, listed and left out."""
        found = []
        for name in self.store.names():
            try:
                found.append(await self.get(name))
            except GlyphscopeError as error:
                logger.warning("%s has no production version to serve: %s", name, error)
        return found

    def _current(self, ref: Ref) -> Checkpoint | None:
        held = self._loaded.get(ref)
        if held is None or held[0] != self._mark(ref):
            return None
        self._loaded.move_to_end(ref)
        return held[1]

    def _hold(self, ref: Ref, mark: Signature, checkpoint: Checkpoint) -> None:
        self._loaded[ref] = mark, checkpoint
        self._loaded.move_to_end(ref)
        while len(self._loaded) > self._max_loaded:
            dropped, _ = self._loaded.popitem(last=False)
            logger.info("dropped %s from memory", dropped)

    def _read(self, ref: Ref) -> Checkpoint:
        self._inspector.inspect(ref)
        checkpoint = self._inspector.guard(ref, lambda: load(self.store.path(ref), self.device))
        logger.info("loaded %s", ref)
        return checkpoint

    def _mark(self, ref: Ref) -> Signature:
        """A store that was deleted and filled anew may give the same number to another network."""
        return signature(self.store.path(ref) / "manifest.json")
