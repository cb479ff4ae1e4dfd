"""What an administrator does to versions while they serve, so that every process takes part.

A version is loaded and warmed by every process first, then the alias moves: by one rename, which
the next request in each of them sees. A process that is late serves what it served until it is
ready; nobody waits for it longer than ``PATIENCE_SECONDS``.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from glyphscope.errors import BrokenCheckpoint, Conflict, NotFound
from glyphscope.store import Ref, checked_alias
from service.versions.presence import Document, Presence
from service.versions.registry import Registry
from service.versions.rollout import Rollout, change_rollout
from service.versions.watcher import Watcher

PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Promotion:
    registry: Registry
    presence: Presence
    watcher: Watcher

    async def promote(self, name: str, alias: str, version: int) -> dict[str, Any]:
        """Let ``alias`` name ``version``: forwards or back. Raises ``Conflict`` where it is
        broken; the alias stays where it is then."""
        checked_alias(alias)
        ref = self._known(name, version)
        before = self.registry.rollout(name)
        late = await self._load(ref)
        try:
            await asyncio.to_thread(self.registry.store.set_alias, name, alias, version)
        except OSError as error:
            raise Conflict(f"the store cannot be written: {error.strerror}") from None
        finally:
            if version not in before.loaded:
                await self._change(name, lambda rollout: rollout.without_loaded(version))
        await self._settled(name)
        late += await self._late(lambda each: _serves(each, name, alias, version))
        return {"model": name, "alias": alias, "version": version, "late": sorted(set(late))}

    async def load(self, name: str, version: int) -> dict[str, Any]:
        late = await self._load(self._known(name, version))
        return {"model": name, "version": version, "loaded": True, "late": late}

    async def unload(self, name: str, version: int, *, force: bool = False) -> dict[str, Any]:
        """Raises ``Conflict`` for a version that requests are sent to, or a pinned one; with
        ``force`` they are answered 503 from then on."""
        ref = self._known(name, version)
        if not force:
            self._check_unused(ref)
        await self._change(name, lambda rollout: rollout.with_unloaded(version))
        await self._settled(name)
        late = await self._late(lambda each: str(ref) not in each["loaded"])
        return {"model": name, "version": version, "loaded": False, "late": late}

    async def load_all(self, name: str) -> dict[str, Any]:
        """Take back ``unload_all``: production's version is loaded, others when they are asked for.
        Raises ``Conflict`` where that one is broken."""
        ref = self.registry.store.resolve(name)
        late = await self._load(ref)
        await self._change(name, lambda rollout: rollout.model_copy(update={"unloaded": ()}))
        await self._settled(name)
        return {"model": name, "version": ref.version, "loaded": True, "late": late}

    async def unload_all(self, name: str) -> dict[str, Any]:
        """Requests for any version that is there now are answered 503 from then on."""
        versions = tuple(self.registry.store.versions(name))
        gone = {"loaded": (), "unloaded": versions}
        await self._change(name, lambda rollout: rollout.model_copy(update=gone))
        await self._settled(name)
        refs = {f"{name}@{version}" for version in versions}
        late = await self._late(lambda each: refs.isdisjoint(each["loaded"]))
        return {"model": name, "versions": versions, "loaded": False, "late": late}

    async def pin(self, name: str, version: int) -> dict[str, Any]:
        ref = self._known(name, version)
        late = await self._load(ref)
        changed = await self._change(name, lambda rollout: rollout.with_pinned(version))
        return {"model": name, "pinned": list(changed.pinned), "late": late}

    async def unpin(self, name: str, version: int) -> dict[str, Any]:
        self._known(name, version)
        changed = await self._change(name, lambda rollout: rollout.without_pinned(version))
        return {"model": name, "pinned": list(changed.pinned), "late": []}

    async def traffic(self, name: str, asked: Rollout) -> dict[str, Any]:
        """Set canary and shadow to those of ``asked``, whose other members do not count."""
        for share in (asked.canary, asked.shadow):
            if share is not None:
                await self._load(self.registry.store.resolve(f"{name}@{share.to}"))
        update = {"canary": asked.canary, "shadow": asked.shadow}
        await self._change(name, lambda rollout: rollout.model_copy(update=update))
        await self._settled(name)
        return self.shown(name)

    def shown(self, name: str) -> dict[str, Any]:
        """Its rollout, and what all processes found when they compared."""
        self.registry.store.versions(name)
        rollout = self.registry.rollout(name)
        return {
            "model": name,
            "canary": rollout.canary and rollout.canary.model_dump(),
            "shadow": rollout.shadow and rollout.shadow.model_dump(),
            "pinned": list(rollout.pinned),
            "unloaded": list(rollout.unloaded),
            "comparisons": comparisons(self.presence.all(), name),
        }

    async def _load(self, ref: Ref) -> list[str]:
        """In every process; those that are late are returned."""
        try:
            await self.registry.loader.load(ref)
        except BrokenCheckpoint as error:
            raise Conflict(f"{error}; nothing was changed") from None
        await self._change(ref.name, lambda rollout: rollout.with_loaded(ref.version))
        await self._settled(ref.name)
        return await self._late(lambda each: str(ref) in each["loaded"])

    async def _change(self, name: str, edit: Callable[[Rollout], Rollout]) -> Rollout:
        return await asyncio.to_thread(change_rollout, self.registry.store, name, edit)

    async def _settled(self, name: str) -> None:
        self.registry.look([name])
        self.watcher.show()

    async def _late(self, done: Callable[[Document], bool]) -> list[str]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            late = [each for each in self.presence.all() if not done(each)]
            if not late or time.monotonic() > deadline:
                return [f"{each['host']}-{each['pid']}" for each in late]
            await asyncio.sleep(_POLL_SECONDS)

    def _known(self, name: str, version: int) -> Ref:
        versions = self.registry.store.versions(name)
        if version not in versions:
            raise NotFound(f"version of model {name}", version, versions)
        return Ref(name, version)

    def _check_unused(self, ref: Ref) -> None:
        rollout = self.registry.rollout(ref.name)
        aliases = self.registry.store.aliases(ref.name)
        uses = [f"alias {alias}" for alias, version in aliases.items() if version == ref.version]
        shares = {"canary": rollout.canary, "shadow": rollout.shadow}
        targets = {str(ref.version), *(a for a, v in aliases.items() if v == ref.version)}
        uses += [kind for kind, share in shares.items() if share and share.to in targets]
        uses += ["a pin"] if ref.version in rollout.pinned else []
        if uses:
            raise Conflict(f"{ref} is in use by {', '.join(uses)}; move that first")


def comparisons(documents: list[Document], name: str) -> list[dict[str, Any]]:
    """Counts of all processes together."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for each in documents for row in each.get("shadow", [])):
        key = row["serving"], row["shadow"]
        if key[0].partition("@")[0] != name:
            continue
        total = found.setdefault(key, {"serving": key[0], "shadow": key[1]})
        for member, count in row.items():
            if isinstance(count, int):
                total[member] = total.get(member, 0) + count
    return list(found.values())


def _serves(document: Document, name: str, alias: str, version: int) -> bool:
    serving = document["serving"].get(name, {}).get(alias)
    return serving is None or serving == version
