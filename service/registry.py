"""Checkpoints in memory: verified, loaded when first asked for, and never twice at once."""

import asyncio
import logging
from collections import OrderedDict

import torch

from glyphscope.checkpoint import load
from glyphscope.errors import GlyphscopeError
from glyphscope.manifest import Manifest
from glyphscope.store import Ref, Store
from service.inspection import Inspector, Listing
from service.model import Model, open_model
from service.resolver import Resolver, Signature, signature

logger = logging.getLogger("glyphscope.service")


class Registry:
    """Holds the ``max_loaded`` versions used last. All of it belongs to one event loop."""

    def __init__(
        self, store: Store, device: torch.device, max_loaded: int = 8, threads: int = 1
    ) -> None:
        self.store = store
        self.device = device
        self._resolver = Resolver(store)
        self._inspector = Inspector(store)
        self._max_loaded = max_loaded
        self._threads = threads
        self._loaded: OrderedDict[Ref, tuple[Signature, Model]] = OrderedDict()
        self._locks: dict[Ref, asyncio.Lock] = {}

    def resolve(self, text: str) -> Ref:
        return self._resolver.resolve(text)

    async def get(self, text: str) -> Model:
        """Raises ``NotFound``, or ``BrokenCheckpoint`` with what is wrong."""
        return await self.load(self.resolve(text))

    async def load(self, ref: Ref) -> Model:
        found = self._current(ref)
        if found:
            return found
        async with self._locks.setdefault(ref, asyncio.Lock()):
            found = self._current(ref)
            if found:
                return found
            mark = self._mark(ref)
            model = await asyncio.to_thread(self._read, ref)
            self._hold(ref, mark, model)
        return model

    async def manifest(self, text: str) -> Manifest:
        """Verified, but not loaded."""
        return await asyncio.to_thread(self._inspector.inspect, self.resolve(text))

    async def survey(self) -> list[Listing]:
        return await asyncio.to_thread(self._inspector.survey)

    def loaded(self) -> list[Ref]:
        return list(self._loaded)

    async def load_production(self) -> list[Model]:
        """Every name's production version; what is broken is logged, listed and left out."""
        found = []
        for name in self.store.names():
            try:
                found.append(await self.get(name))
            except GlyphscopeError as error:
                logger.warning("%s has no production version to serve: %s", name, error)
        return found

    def _current(self, ref: Ref) -> Model | None:
        held = self._loaded.get(ref)
        if held is None or held[0] != self._mark(ref):
            return None
        self._loaded.move_to_end(ref)
        return held[1]

    def _hold(self, ref: Ref, mark: Signature, model: Model) -> None:
        self._loaded[ref] = mark, model
        self._loaded.move_to_end(ref)
        while len(self._loaded) > self._max_loaded:
            dropped, _ = self._loaded.popitem(last=False)
            logger.info("dropped %s from memory", dropped)

    def _read(self, ref: Ref) -> Model:
        self._inspector.inspect(ref)
        model = self._inspector.guard(ref, lambda: self._open(ref))
        logger.info("loaded %s on %s", ref, model.runtime)
        return model

    def _open(self, ref: Ref) -> Model:
        folder = self.store.path(ref)
        return open_model(load(folder, self.device), folder, self._threads)

    def _mark(self, ref: Ref) -> Signature:
        """A store that was deleted and filled anew may give the same number to another network."""
        return signature(self.store.path(ref) / "manifest.json")
