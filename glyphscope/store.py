"""Versioned checkpoints in folders: ``STORE/name/version/`` with ``aliases.json`` beside.

    "mnist"             the version that the alias "production" names
    "mnist@2"           version 2
    "mnist@candidate"   the version that this alias names

Versions rise, are never reused and never change. A version appears by one rename and an alias
moves by one rename, so a reader sees all of it or none. Writers take turns by a lock file.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from glyphscope.errors import BrokenCheckpoint, Conflict, InvalidInput, NotFound
from glyphscope.manifest import NAME_PATTERN, Manifest

PRODUCTION = "production"

_NAME = re.compile(NAME_PATTERN)
_ALIAS = re.compile(r"^[a-z][a-z0-9._-]{0,63}$")


@dataclass(frozen=True)
class Ref:
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def checked_name(name: str) -> str:
    if not _NAME.match(name):
        raise InvalidInput(f"a model's name must match {NAME_PATTERN}, not {name!r}")
    return name


def checked_alias(alias: str) -> str:
    if not _ALIAS.match(alias):
        raise InvalidInput(f"an alias must match {_ALIAS.pattern}, not {alias!r}")
    return alias


class Store:
    """A store is its folder; it keeps nothing in memory, so what others publish is seen."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def names(self) -> list[str]:
        """Names with at least one version, sorted."""
        if not self.root.is_dir():
            return []
        return sorted(p.name for p in self.root.iterdir() if _NAME.match(p.name) and _versions(p))

    def versions(self, name: str) -> list[int]:
        """Rising. Raises ``NotFound`` for a name without any."""
        found = _versions(self.root / name) if _NAME.match(name) else []
        if not found:
            raise NotFound("model", name, self.names())
        return found

    def aliases(self, name: str) -> dict[str, int]:
        path = self.root / name / "aliases.json"
        try:
            found = json.loads(path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BrokenCheckpoint(f"{name}: aliases.json cannot be read: {error}") from None
        if not isinstance(found, dict) or not all(type(v) is int for v in found.values()):
            raise BrokenCheckpoint(f"{name}: aliases.json must map names to version numbers")
        return found

    def resolve(self, ref: str) -> Ref:
        """ "mnist", "mnist@2" or "mnist@alias" -> name and version number."""
        name, at, rest = ref.partition("@")
        versions = self.versions(name)
        if rest.isascii() and rest.isdecimal():
            if int(rest) not in versions:
                raise NotFound(f"version of model {name}", rest, versions)
            return Ref(name, int(rest))
        aliases = self.aliases(name)
        alias = rest if at else PRODUCTION
        if aliases.get(alias) not in versions:
            known = [*versions, *(a for a, v in aliases.items() if v in versions)]
            raise NotFound(f"version or alias of model {name}", alias, known)
        return Ref(name, aliases[alias])

    def path(self, ref: Ref) -> Path:
        return self.root / ref.name / str(ref.version)

    def publish(
        self, name: str, write: Callable[[Path, int], Manifest], alias: str | None = PRODUCTION
    ) -> Manifest:
        """Let ``write(folder, version)`` fill the next version, then show it and move the alias.

        If ``write`` raises, nothing is left behind.
        """
        home = self.root / checked_name(name)
        home.mkdir(parents=True, exist_ok=True)
        with _writing(home):
            version = max([0, _last(home), *_versions(home)]) + 1
            manifest = _show(home, version, write)
            if alias is not None:
                self._point(name, alias, version)
        return manifest

    def adopt(self, name: str, version: int, write: Callable[[Path, int], Manifest]) -> Manifest:
        """As ``publish``, for a version that was made and numbered elsewhere; moves no alias.

        Raises ``Conflict`` where the version is there already: it never changes.
        """
        home = self.root / checked_name(name)
        home.mkdir(parents=True, exist_ok=True)
        with _writing(home):
            if version in _versions(home):
                raise Conflict(f"{self.root} has {name}@{version} already")
            return _show(home, version, write)

    def set_alias(self, name: str, alias: str, version: int) -> dict[str, int]:
        """Promote or roll back. Returns all aliases of the name."""
        if version not in self.versions(name):
            raise NotFound(f"version of model {name}", version, self.versions(name))
        with _writing(self.root / name):
            return self._point(name, alias, version)

    def _point(self, name: str, alias: str, version: int) -> dict[str, int]:
        aliases = {**self.aliases(name), checked_alias(alias): version}
        data = json.dumps(aliases, indent=1, sort_keys=True) + "\n"
        _replace(self.root / name / "aliases.json", data.encode())
        return aliases


def _show(home: Path, version: int, write: Callable[[Path, int], Manifest]) -> Manifest:
    """The new version appears by one rename. If ``write`` raises, nothing is left behind."""
    staging = home / f".staging-{uuid.uuid4().hex}"
    staging.mkdir()
    try:
        manifest = write(staging, version)
        _replace(home / ".last", str(max(version, _last(home))).encode())
        staging.rename(home / str(version))
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return manifest


def _versions(home: Path) -> list[int]:
    if not home.is_dir():
        return []
    return sorted(int(p.name) for p in home.iterdir() if re.fullmatch(r"[1-9][0-9]{0,8}", p.name))


def _last(home: Path) -> int:
    """The highest version ever given out, so that a deleted one does not come back."""
    try:
        return int((home / ".last").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    part.write_bytes(data)
    os.replace(part, path)


@contextlib.contextmanager
def _writing(home: Path) -> Iterator[None]:
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
