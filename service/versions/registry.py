"""Which checkpoint answers a request: verified, loaded and warmed beside the one that serves.

    get("mnist")             the version that the alias names, loaded first where it is not yet
    checkpoint("mnist")      the same with its network, for whoever looks inside
    route("mnist", id)       for classification: the version that serves until the new one is
                             loaded, or the canary's for its share of request ids
    shadow("mnist", id)      the version to compare with, where there is one

Where an alias names a broken version, the last good one serves on.
"""

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from glyphscope.errors import BrokenCheckpoint, GlyphscopeError, NotFound, Unavailable
from glyphscope.manifest import Manifest
from glyphscope.store import PRODUCTION, Ref, Store
from service.inference.model import Model, confirmed, open_model
from service.processes.pools import Pool
from service.versions.inspection import Inspector, Listing, with_serving
from service.versions.memory import Memory, rank
from service.versions.resolver import Plan, Resolver, Signature, alias_of, signature
from service.versions.rollout import Rollout, Share
from service.versions.served import Served

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

logger = logging.getLogger("glyphscope.service")

LOADER_NICE = 10
"""A version that loads gives way to those that answer."""

CONFIRM_SECONDS = 0.25

Warm = Callable[[Model], Awaitable[None]]


async def _cold(model: Model) -> None:
    return None


class Registry:
    """All of it belongs to one event loop."""

    def __init__(
        self,
        store: Store,
        device: str,
        max_loaded: int = 8,
        threads: int = 1,
        *,
        state: Path | None = None,
        warm: Warm = _cold,
    ) -> None:
        self.store = store
        self.device = device
        self._resolver = Resolver(store)
        self._inspector = Inspector(store)
        self._memory = Memory(max_loaded, self._rank)
        self._served = Served(state, store.root)
        self._warm = warm
        self._loader = Pool("loader", threads=1, nice=LOADER_NICE)
        self._threads = threads
        self._locks: dict[Ref, asyncio.Lock] = {}
        self._preparing: dict[Ref, asyncio.Task[None]] = {}
        self._refused: dict[Ref, str] = {}
        self._confirming: asyncio.Task[None] | None = None

    def resolve(self, text: str) -> Ref:
        """The version that the text names; the last good one where that is known to be broken.

        Raises ``NotFound``, ``BrokenCheckpoint`` where the aliases cannot be read, ``Unavailable``
        for a version that was unloaded.
        """
        plan = self._plan(text)
        return plan.ref if self._may_serve(plan) else self._choose(text, plan)

    async def get(self, text: str) -> Model:
        """Raises what ``resolve`` does, or ``BrokenCheckpoint`` with what is wrong."""
        plan = self._plan(text)
        if self._may_serve(plan) and not self._has(plan.ref):
            await self._prepare(plan.ref)
        return await self._answer(text, plan)

    async def checkpoint(self, text: str) -> "Checkpoint":
        """As ``get``, opened."""
        return await self.opened(await self.get(text))

    async def opened(self, model: Model) -> "Checkpoint":
        """With its network. Raises ``BrokenCheckpoint``."""
        if model.checkpoint is not None:
            return model.checkpoint
        return await self._loader.run(lambda: self._opened(model))

    async def route(self, text: str, request_id: str) -> Model:
        """As ``get``, but nobody waits for another version while one serves."""
        plan = self._plan(text)
        canary = plan.rollout.canary
        if canary is not None and alias_of(text)[1] == PRODUCTION:
            found = self._sampled(plan.ref.name, plan.rollout, canary, request_id)
            if found is not None:
                return found
        return await self._answer(text, plan)

    def shadow(self, text: str, request_id: str) -> Model | None:
        """The version to compare this request's answer with, in its share of production's."""
        name, alias = alias_of(text)
        rollout = self._resolver.last_rollout(name)
        if rollout.shadow is None or alias != PRODUCTION:
            return None
        # Another draw than the canary's, so that neither hides the other.
        return self._sampled(name, rollout, rollout.shadow, f"{request_id}/shadow")

    def at_hand(self, text: str) -> Model | None:
        """What ``route`` gives to every request, where it is in memory; else None.

        None too where the answer depends on the request's id, or is compared with another's.
        """
        try:
            plan = self._plan(text)
        except GlyphscopeError:
            return None
        if plan.rollout.canary or plan.rollout.shadow or not self._may_serve(plan):
            return None
        model = self._current(plan.ref)
        name, alias = alias_of(text)
        if model is not None and alias is not None:
            self._served.put(name, alias, plan.ref.version)
        return model

    async def load(self, ref: Ref) -> Model:
        """In memory, warmed; by the time it is returned, the next request finds it there."""
        found = self._current(ref)
        if found:
            return found
        async with self._locks.setdefault(ref, asyncio.Lock()):
            found = self._current(ref)
            if found:
                return found
            mark = self._mark(ref)
            try:
                model = await self._loader.run(lambda: self._read(ref))
            except BrokenCheckpoint as error:
                self._refused[ref] = str(error)
                raise
            await self._warm(model)
            self._memory.hold(ref, mark, model)
            self._refused.pop(ref, None)
        return model

    def prepare(self, ref: Ref) -> None:
        """Load it beside what serves, without waiting; a failure is kept as its reason."""
        if ref not in self._preparing and ref not in self._refused and not self._has(ref):
            self._preparing[ref] = asyncio.create_task(self._prepare(ref))

    def drop(self, ref: Ref) -> None:
        self._memory.drop(ref)

    def look(self, names: Iterable[str]) -> None:
        """Reconcile memory with what the store says of these names."""
        for name in names:
            unloaded = self.rollout(name).unloaded
            for ref in self._memory.refs():
                if ref.name == name and ref.version in unloaded:
                    self.drop(ref)
            for ref in self._wanted(name):
                self.prepare(ref)
            for alias in self._aliases(name):
                self._settle(name, alias)

    def signature(self, name: str) -> Signature:
        """Changes with the name's versions, aliases and rollout."""
        return self._resolver.signature(name)

    async def retry(self) -> None:
        """A version that was refused is tried again once its files are others."""
        for ref in list(self._refused):
            try:
                await asyncio.to_thread(self._inspector.inspect, ref)
            except BrokenCheckpoint:
                continue
            del self._refused[ref]

    async def manifest(self, text: str) -> Manifest:
        """Verified, but not loaded; of the same version as ``resolve``."""
        ref = self.resolve(text)
        try:
            return await asyncio.to_thread(self._inspector.inspect, ref)
        except BrokenCheckpoint as error:
            self._refused[ref] = str(error)
            good = self.resolve(text)
            if good == ref:
                raise
        return await asyncio.to_thread(self._inspector.inspect, good)

    async def survey(self) -> list[Listing]:
        found = await asyncio.to_thread(self._inspector.survey)
        return [await self._completed(listing) for listing in found]

    def loaded(self) -> list[Ref]:
        return self._memory.refs()

    def serving(self) -> dict[str, dict[str, int]]:
        """name -> alias -> the version that answered under it last"""
        return self._served.all()

    def refused(self) -> dict[str, str]:
        """Versions that were wanted and could not be loaded, with the reason."""
        return {str(ref): reason for ref, reason in self._refused.items()}

    def rollout(self, name: str) -> Rollout:
        return self._resolver.rollout(name)

    async def load_production(self) -> list[Model]:
        """Every name's production version, and what its rollout names; what is broken is logged,
        listed and left out."""
        found = []
        for name in self.store.names():
            try:
                found.append(await self.get(name))
            except GlyphscopeError as error:
                logger.warning("%s has no production version to serve: %s", name, error)
        self.look(self.store.names())
        await asyncio.gather(*list(self._preparing.values()))
        return found

    def confirm_soon(self) -> None:
        """Without waiting, and not before whoever waited for readiness has had an answer."""
        self._confirming = asyncio.create_task(self.confirm(CONFIRM_SECONDS))

    async def confirm(self, delay: float = 0) -> None:
        """Open every version that answers without its network as yet; one that is found broken is
        refused from then on, and one whose ``model.onnx`` is wrong goes on with its weights."""
        await asyncio.sleep(delay)
        for ref in self._memory.refs():
            async with self._locks.setdefault(ref, asyncio.Lock()):
                await self._confirm(ref)

    async def _confirm(self, ref: Ref) -> None:
        mark = self._mark(ref)
        model = self._memory.get(ref, mark)
        if model is None or model.checkpoint is not None:
            return
        try:
            good = await self._loader.run(
                lambda: self._inspector.guard(ref, lambda: confirmed(model))
            )
        except BrokenCheckpoint as error:
            self._refused[ref] = str(error)
            self._memory.drop(ref)
            return
        if good is not model:
            await self._warm(good)
            self._memory.hold(ref, mark, good)

    async def close(self) -> None:
        tasks = [*self._preparing.values()]
        if self._confirming is not None:
            tasks.append(self._confirming)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._loader.close()

    async def _answer(self, text: str, plan: Plan) -> Model:
        ref = self._choose(text, plan)
        model = self._current(ref) or await self.load(ref)
        name, alias = alias_of(text)
        if alias is not None and ref == plan.ref:
            self._served.put(name, alias, ref.version)
        return model

    def _may_serve(self, plan: Plan) -> bool:
        return plan.ref not in self._refused and plan.ref.version not in plan.rollout.unloaded

    def _choose(self, text: str, plan: Plan) -> Ref:
        """Under an alias: what it names once that is loaded, else the version that served last."""
        name, alias = alias_of(text)
        if plan.ref.version in plan.rollout.unloaded:
            raise Unavailable(f"{plan.ref} was unloaded; an administrator can load it again")
        last = self._served.get(name, alias) if alias else None
        if last is None or last == plan.ref.version or self._has(plan.ref):
            return plan.ref
        before = Ref(name, last)
        if not self.store.path(before).is_dir():
            return plan.ref
        self.prepare(plan.ref)
        return before

    def _plan(self, text: str) -> Plan:
        """Where the aliases cannot be read, the version that served last under this one."""
        try:
            return self._resolver.plan(text)
        except BrokenCheckpoint:
            name, alias = alias_of(text)
            last = self._served.get(name, alias) if alias else None
            if last is None or not self.store.path(Ref(name, last)).is_dir():
                raise
            return Plan(Ref(name, last), self._resolver.rollout(name))

    def _sampled(self, name: str, rollout: Rollout, share: Share, request_id: str) -> Model | None:
        """None where this request is not in the share, or its version is not there (yet)."""
        if not share.takes(name, request_id):
            return None
        try:
            ref = self._resolver.resolve(f"{name}@{share.to}")
        except (NotFound, BrokenCheckpoint):
            return None
        if ref.version in rollout.unloaded:
            return None
        found = self._current(ref)
        if found is None:
            self.prepare(ref)
        return found

    async def _prepare(self, ref: Ref) -> None:
        try:
            await self.load(ref)
            for alias in self._aliases(ref.name):
                self._settle(ref.name, alias)
        except BrokenCheckpoint:
            logger.debug("%s is refused and what served before serves on", ref)
        finally:
            self._preparing.pop(ref, None)

    def _settle(self, name: str, alias: str) -> None:
        """An alias has moved once what it names is loaded, also where nobody asks meanwhile."""
        try:
            wanted = self._resolver.resolve(f"{name}@{alias}")
        except (NotFound, BrokenCheckpoint):
            return
        if self._served.get(name, alias) is not None and self._has(wanted):
            self._served.put(name, alias, wanted.version)

    def _wanted(self, name: str) -> set[Ref]:
        """What must be in memory for a request to find it there."""
        rollout, aliases = self.rollout(name), self._aliases(name)
        texts = {share.to for share in (rollout.canary, rollout.shadow) if share}
        texts |= {str(version) for version in rollout.pinned}
        texts |= {alias for alias in aliases if self._moved(name, alias, aliases[alias])}
        # What is dropped for want of room is not taken in again before somebody asks for it.
        if not self._memory.full():
            texts |= {PRODUCTION, *map(str, rollout.loaded)}
        found = set()
        for text in texts:
            try:
                found.add(self._resolver.resolve(f"{name}@{text}"))
            except (NotFound, BrokenCheckpoint):
                continue
        return {ref for ref in found if ref.version not in rollout.unloaded}

    def _moved(self, name: str, alias: str, wanted: int) -> bool:
        return self._served.get(name, alias) not in (None, wanted)

    def _aliases(self, name: str) -> dict[str, int]:
        try:
            return self.store.aliases(name)
        except BrokenCheckpoint:
            return {}

    def _rank(self, ref: Ref) -> int:
        return rank(ref.version, self.rollout(ref.name), self._aliases(ref.name))

    async def _completed(self, listing: Listing) -> Listing:
        """With what answers, and the manifest of that."""
        now = with_serving(listing, self.resolve, self._refused)
        production = now.serving.get(PRODUCTION)
        if production is None or (now.manifest and now.manifest.version == production):
            return now
        manifest = await self._inspected(Ref(listing.name, production))
        return dataclasses.replace(now, manifest=manifest)

    async def _inspected(self, ref: Ref) -> Manifest | None:
        try:
            return await asyncio.to_thread(self._inspector.inspect, ref)
        except BrokenCheckpoint:
            return None

    def _current(self, ref: Ref) -> Model | None:
        return self._memory.get(ref, self._mark(ref))

    def _has(self, ref: Ref) -> bool:
        return self._memory.has(ref, self._mark(ref))

    def _read(self, ref: Ref) -> Model:
        manifest = self._inspector.inspect(ref)
        folder = self.store.path(ref)
        model = self._inspector.guard(
            ref, lambda: open_model(manifest, folder, self.device, self._threads)
        )
        logger.info("loaded %s on %s", ref, model.runtime)
        return model

    def _opened(self, model: Model) -> "Checkpoint":
        ref = Ref(model.manifest.name, model.manifest.version)
        return self._inspector.guard(ref, model.opened)

    def _mark(self, ref: Ref) -> Signature:
        """A store that was deleted and filled anew may give the same number to another network."""
        return signature(self.store.path(ref) / "manifest.json")
