"""How a name's versions are served beyond its aliases: the file ``STORE/NAME/rollout.json``.

    {"canary": {"to": "candidate", "percent": 5},     a share of production's requests goes there
     "shadow": {"to": "4", "percent": 100},           a share of them is compared, unseen
     "pinned": [3], "loaded": [4], "unloaded": [1]}   what is kept, wanted and refused in memory

It lies beside ``aliases.json``, so that every process and every machine that serves the store sees
the same. It changes by one rename; writers take turns by a lock file.
"""

import contextlib
import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from glyphscope.errors import BrokenCheckpoint, Conflict
from glyphscope.store import Store

FILE = "rollout.json"

Versions = tuple[Annotated[int, Field(ge=1)], ...]


class Share(BaseModel):
    """``percent`` of the requests for a name's production version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str = Field(pattern=r"^([1-9][0-9]{0,8}|[a-z][a-z0-9._-]{0,63})$", description="7 or alias")
    percent: float = Field(gt=0, le=100)

    def takes(self, name: str, request_id: str) -> bool:
        """The same for the same request id, in every process; independent between names."""
        digest = blake2b(f"{name}\0{request_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) < self.percent / 100 * 2**64


class Rollout(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    canary: Share | None = None
    shadow: Share | None = None
    pinned: Versions = ()
    loaded: Versions = ()
    unloaded: Versions = ()

    def with_loaded(self, version: int) -> "Rollout":
        return self.model_copy(
            update={
                "loaded": _with(self.loaded, version),
                "unloaded": _without(self.unloaded, version),
            }
        )

    def without_loaded(self, version: int) -> "Rollout":
        return self.model_copy(update={"loaded": _without(self.loaded, version)})

    def with_unloaded(self, version: int) -> "Rollout":
        return self.model_copy(
            update={
                "loaded": _without(self.loaded, version),
                "unloaded": _with(self.unloaded, version),
            }
        )

    def with_pinned(self, version: int) -> "Rollout":
        pinned = _with(self.pinned, version)
        return self.with_loaded(version).model_copy(update={"pinned": pinned})

    def without_pinned(self, version: int) -> "Rollout":
        return self.model_copy(update={"pinned": _without(self.pinned, version)})


def read_rollout(store: Store, name: str) -> Rollout:
    """Raises ``BrokenCheckpoint`` for a file that is not understood."""
    try:
        return Rollout.model_validate_json((store.root / name / FILE).read_bytes())
    except FileNotFoundError:
        return Rollout()
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise BrokenCheckpoint(f"{name}: {FILE} cannot be read: {reason}") from None


def change_rollout(store: Store, name: str, edit: Callable[[Rollout], Rollout]) -> Rollout:
    """Raises ``Conflict`` where the store cannot be written."""
    home = store.root / name
    try:
        with _turn(home):
            changed = edit(read_rollout(store, name))
            part = home / f"{FILE}.{uuid.uuid4().hex}.part"
            part.write_bytes(changed.model_dump_json(exclude_defaults=True).encode() + b"\n")
            os.replace(part, home / FILE)
    except OSError as error:
        raise Conflict(f"the store cannot be written: {home}: {error.strerror}") from None
    return changed


@contextlib.contextmanager
def _turn(home: Path) -> Iterator[None]:
    with (home / ".rollout.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _with(versions: Versions, version: int) -> Versions:
    return tuple(sorted({*versions, version}))


def _without(versions: Versions, version: int) -> Versions:
    return tuple(each for each in versions if each != version)
