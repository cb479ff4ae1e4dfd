"""Which version last answered under an alias: what is served on when the alias names a broken one.

Written down in ``STATE/served``, so that a process that is started anew knows it too.
"""

import json
import logging
import os
import uuid
from hashlib import blake2b
from pathlib import Path

logger = logging.getLogger("glyphscope.service")


class Served:
    """``folder`` None remembers within this process only."""

    def __init__(self, state: Path | None, store: Path) -> None:
        digest = blake2b(str(store).encode(), digest_size=8).hexdigest()
        self._folder = state / "served" / digest if state else None
        self._known: dict[str, dict[str, int]] = {}

    def get(self, name: str, alias: str) -> int | None:
        return self._aliases(name).get(alias)

    def put(self, name: str, alias: str, version: int) -> None:
        aliases = self._aliases(name)
        if aliases.get(alias) == version:
            return
        aliases[alias] = version
        if self._folder is not None:
            self._write(self._folder / f"{name}.json", aliases)

    def all(self) -> dict[str, dict[str, int]]:
        """Of the names that were asked for since this process began."""
        return {name: dict(aliases) for name, aliases in self._known.items()}

    def _aliases(self, name: str) -> dict[str, int]:
        if name not in self._known:
            self._known[name] = _read(self._folder / f"{name}.json") if self._folder else {}
        return self._known[name]

    def _write(self, path: Path, aliases: dict[str, int]) -> None:
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(aliases))
            os.replace(part, path)
        except OSError as error:
            logger.warning("%s cannot be written: %s", path, error.strerror)


def _read(path: Path) -> dict[str, int]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
