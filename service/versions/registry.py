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
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from glyphscope.errors import BrokenCheckpoint, GlyphscopeError, NotFound, Unavailable
from glyphscope.manifest import Manifest
from glyphscope.store import PRODUCTION, Ref, Store
from service.inference.model import Model
from service.versions.inspection import Inspector, Listing, with_serving
from service.versions.loader import Loader, Warm, cold
from service.versions.memory import Memory, rank
from service.versions.resolver import Plan, Resolver, Signature, alias_of
from service.versions.rollout import Rollout, Share
from service.versions.served import Served

if TYPE_CHECKING:
    from glyphscope.checkpoint import Checkpoint

logger = logging.getLogger("glyphscope.service")


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
        warm: Warm = cold,
    ) -> None:
        self.store = store
        self.device = device
        self._resolver = Resolver(store)
        self._inspector = Inspector(store)
        self._served = Served(state, store.root)
        memory = Memory(max_loaded, self._rank)
        self.loader = Loader(
            store, device, threads, memory, self._inspector, warm, self._settle_all
        )

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
        if self._may_serve(plan) and not self.loader.has(plan.ref):
            await self.loader.prepared(plan.ref)
        return await self._answer(text, plan)

    async def checkpoint(self, text: str) -> "Checkpoint":
        """As ``get``, opened."""
        return await self.loader.opened(await self.get(text))

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
        model = self.loader.get(plan.ref)
        name, alias = alias_of(text)
        if model is not None and alias is not None:
            self._served.put(name, alias, plan.ref.version)
        return model

    def look(self, names: Iterable[str]) -> None:
        """Reconcile memory with what the store says of these names."""
        for name in names:
            unloaded = self.rollout(name).unloaded
            for ref in self.loader.memory.refs():
                if ref.name == name and ref.version in unloaded:
                    self.loader.memory.drop(ref)
            for ref in self._wanted(name):
                self.loader.prepare(ref)
            self._settle_all(name)

    def signature(self, name: str) -> Signature:
        """Changes with the name's versions, aliases and rollout."""
        return self._resolver.signature(name)

    async def manifest(self, text: str) -> Manifest:
        """Verified, but not loaded; of the same version as ``resolve``."""
        ref = self.resolve(text)
        try:
            return await asyncio.to_thread(self._inspector.inspect, ref)
        except BrokenCheckpoint as error:
            self.loader.refused[ref] = str(error)
            good = self.resolve(text)
            if good == ref:
                raise
        return await asyncio.to_thread(self._inspector.inspect, good)

    async def survey(self) -> list[Listing]:
        found = await asyncio.to_thread(self._inspector.survey)
        return [await self._completed(listing) for listing in found]

    def loaded(self) -> list[Ref]:
        return self.loader.memory.refs()

    def serving(self) -> dict[str, dict[str, int]]:
        """name -> alias -> the version that answered under it last"""
        return self._served.all()

    def refused(self) -> dict[str, str]:
        """Versions that were wanted and could not be loaded, with the reason."""
        return {str(ref): reason for ref, reason in self.loader.refused.items()}

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
        await self.loader.settled()
        return found

    async def _answer(self, text: str, plan: Plan) -> Model:
        ref = self._choose(text, plan)
        model = self.loader.get(ref) or await self.loader.load(ref)
        name, alias = alias_of(text)
        if alias is not None and ref == plan.ref:
            self._served.put(name, alias, ref.version)
        return model

    def _may_serve(self, plan: Plan) -> bool:
        return plan.ref not in self.loader.refused and plan.ref.version not in plan.rollout.unloaded

    def _choose(self, text: str, plan: Plan) -> Ref:
        """Under an alias: what it names once that is loaded, else the version that served last."""
        name, alias = alias_of(text)
        if plan.ref.version in plan.rollout.unloaded:
            raise Unavailable(f"{plan.ref} was unloaded; an administrator can load it again")
        last = self._served.get(name, alias) if alias else None
        if last is None or last == plan.ref.version or self.loader.has(plan.ref):
            return plan.ref
        before = Ref(name, last)
        if not self.store.path(before).is_dir():
            return plan.ref
        self.loader.prepare(plan.ref)
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
        found = self.loader.get(ref)
        if found is None:
            self.loader.prepare(ref)
        return found

    def _settle_all(self, name: str) -> None:
        for alias in self._aliases(name):
            self._settle(name, alias)

    def _settle(self, name: str, alias: str) -> None:
        """An alias has moved once what it names is loaded, also where nobody asks meanwhile."""
        try:
            wanted = self._resolver.resolve(f"{name}@{alias}")
        except (NotFound, BrokenCheckpoint):
            return
        if self._served.get(name, alias) is not None and self.loader.has(wanted):
            self._served.put(name, alias, wanted.version)

    def _wanted(self, name: str) -> set[Ref]:
        """What must be in memory for a request to find it there."""
        rollout, aliases = self.rollout(name), self._aliases(name)
        texts = {share.to for share in (rollout.canary, rollout.shadow) if share}
        texts |= {str(version) for version in rollout.pinned}
        texts |= {alias for alias in aliases if self._moved(name, alias, aliases[alias])}
        # What is dropped for want of room is not taken in again before somebody asks for it.
        if not self.loader.memory.full():
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
        now = with_serving(listing, self.resolve, self.loader.refused)
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
