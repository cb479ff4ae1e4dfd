"""What lies in a store, version by version: a verified manifest, or the reason why it is refused.

    inspect(ref)   -> Manifest      or raises ``BrokenCheckpoint``
    survey()       -> [Listing]     one a name, in order

Verifying reads every file, so a finding is kept until one of the version's files changes.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from glyphscope.errors import BrokenCheckpoint, GlyphscopeError
from glyphscope.folder import read_manifest, verify
from glyphscope.manifest import Manifest
from glyphscope.preprocess import recipe
from glyphscope.store import PRODUCTION, Ref, Store
from service.versions.resolver import Signature, signature
from service.versions.rollout import Rollout, read_rollout

T = TypeVar("T")

logger = logging.getLogger("glyphscope.service")


@dataclass(frozen=True)
class Broken:
    """``version`` is None where the name's aliases cannot be read."""

    version: int | None
    reason: str


@dataclass(frozen=True)
class Held:
    """An alias that names ``wanted``, under which ``serving`` goes on answering."""

    alias: str
    wanted: int
    serving: int
    reason: str


@dataclass(frozen=True)
class Listing:
    """``manifest`` is that of the production version, where there is one that can be read.

    ``serving`` is what answers under each alias, ``held`` says where that is not what it names;
    a store alone knows neither.
    """

    name: str
    versions: list[int]
    aliases: dict[str, int]
    manifest: Manifest | None
    broken: list[Broken]
    rollout: Rollout = field(default_factory=Rollout)
    serving: dict[str, int] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)

    @property
    def production(self) -> int | None:
        version = self.aliases.get(PRODUCTION)
        return version if version in self.versions else None


def with_serving(
    listing: Listing, resolve: Callable[[str], Ref], refused: Mapping[Ref, str]
) -> Listing:
    """What answers under each alias, and why that is not what the alias names."""
    serving: dict[str, int] = {}
    held: list[Held] = []
    for alias, wanted in {PRODUCTION: 0, **listing.aliases}.items():
        try:
            ref = resolve(f"{listing.name}@{alias}")
        except GlyphscopeError:
            continue
        serving[alias] = ref.version
        if wanted and ref.version != wanted:
            reason = refused.get(Ref(listing.name, wanted), "it is being loaded")
            held.append(Held(alias, wanted, ref.version, reason))
    return replace(listing, serving=serving, held=held)


class Inspector:
    """Blocking, and safe to call from several threads: at worst two of them verify the same."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._found: dict[Ref, tuple[Signature, Manifest | str]] = {}

    def inspect(self, ref: Ref) -> Manifest:
        now = self._signature(ref)
        before, found = self._found.get(ref, ((), ""))
        if before != now:
            manifest = self.guard(ref, lambda: _read(ref, self.store.path(ref)))
            self._found[ref] = now, manifest
            return manifest
        if isinstance(found, str):
            raise BrokenCheckpoint(found)
        return found

    def guard(self, ref: Ref, read: Callable[[], T]) -> T:
        """What goes wrong in ``read`` is this version's fault: logged and raised as that.

        Only a fault of the files is kept; a full memory may be gone by the next request.
        """
        now = self._signature(ref)
        try:
            return read()
        except GlyphscopeError as error:
            reason = str(error) if isinstance(error, BrokenCheckpoint) else f"{ref}: {error}"
            self._found[ref] = now, reason
            logger.warning("refused %s", reason)
        except Exception as error:
            reason = f"{ref}: cannot be loaded ({type(error).__name__})"
            logger.exception("refused %s", reason)
        raise BrokenCheckpoint(reason)

    def survey(self) -> list[Listing]:
        return [self._listing(name) for name in self.store.names()]

    def _listing(self, name: str) -> Listing:
        versions = self.store.versions(name)
        manifests: dict[int, Manifest] = {}
        broken: list[Broken] = []
        aliases: dict[str, int] = {}
        try:
            aliases = self.store.aliases(name)
        except BrokenCheckpoint as error:
            broken.append(Broken(None, str(error)))
        rollout = Rollout()
        try:
            rollout = read_rollout(self.store, name)
        except BrokenCheckpoint as error:
            broken.append(Broken(None, str(error)))
        for version in versions:
            try:
                manifests[version] = self.inspect(Ref(name, version))
            except BrokenCheckpoint as error:
                broken.append(Broken(version, str(error)))
        production = manifests.get(aliases.get(PRODUCTION, 0))
        return Listing(name, versions, aliases, production, broken, rollout)

    def _signature(self, ref: Ref) -> Signature:
        folder = self.store.path(ref)
        try:
            files = sorted(folder.iterdir())
        except OSError:
            files = []
        return signature(folder, *files)


def _read(ref: Ref, folder: Path) -> Manifest:
    manifest = read_manifest(folder)
    if manifest.ref != str(ref):
        raise BrokenCheckpoint(f"{ref}: manifest.json describes {manifest.ref}")
    verify(folder, manifest)
    recipe(manifest.input)
    return manifest
