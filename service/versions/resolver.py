"""Names to versions: "mnist@production" is remembered while the name's folder is unchanged.

Reading a folder and its aliases costs 60 us a request, two stats cost 4. A version, an alias or a
rollout that another process writes changes the folder's time, so the next request sees it.
"""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from glyphscope.errors import BrokenCheckpoint
from glyphscope.store import PRODUCTION, Ref, Store
from service.versions.rollout import Rollout, read_rollout

Signature = tuple[tuple[int, int, int], ...]
"""(inode, time of its last change in ns, size) of each path"""

# A second change within one tick of the file system's clock, or one between reading and this look,
# would go unseen: what changed just now is not remembered yet.
SETTLED_NS = 1_000_000_000

# "mnist@7" can be written with any number of leading zeros: what is remembered is bounded.
_MAX_KNOWN = 1024

logger = logging.getLogger("glyphscope.service")


@dataclass(frozen=True)
class Plan:
    """What the store says of a request's model: the version, and how the name is rolled out."""

    ref: Ref
    rollout: Rollout


class Resolver:
    def __init__(self, store: Store, settled_ns: int = SETTLED_NS) -> None:
        self.store = store
        self.settled_ns = settled_ns
        self._known: dict[str, tuple[Plan, Signature]] = {}
        self._rollouts: dict[str, Rollout] = {}
        self._paths: dict[str, tuple[str, str]] = {}

    def resolve(self, text: str) -> Ref:
        """As ``Store.resolve``."""
        return self.plan(text).ref

    def plan(self, text: str) -> Plan:
        known = self._known.get(text)
        if known and known[1] == self.signature(known[0].ref.name):
            return known[0]
        self._known.pop(text, None)
        ref = self.store.resolve(text)
        plan = Plan(ref, self.rollout(ref.name))
        self._remember(text, plan)
        return plan

    def rollout(self, name: str) -> Rollout:
        """Read anew. One that cannot be understood changes nothing: the last that could counts."""
        try:
            self._rollouts[name] = read_rollout(self.store, name)
        except BrokenCheckpoint as error:
            logger.warning("%s", error)
        return self.last_rollout(name)

    def last_rollout(self, name: str) -> Rollout:
        """As it was read last: for a request that was resolved a moment ago."""
        return self._rollouts.get(name, Rollout())

    def remembered(self) -> list[str]:
        return list(self._known)

    def signature(self, name: str) -> Signature:
        paths = self._paths.get(name)
        if paths is None:
            home = self.store.root / name
            # Joining paths costs more than looking at what lies there.
            paths = self._paths[name] = str(home), str(home / "aliases.json")
        return signature(*paths)

    def _remember(self, text: str, plan: Plan) -> None:
        now = self.signature(plan.ref.name)
        if time.time_ns() - max(changed for _, changed, _ in now) < self.settled_ns:
            return
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known[text] = plan, now


def alias_of(text: str) -> tuple[str, str | None]:
    """ "mnist" -> ("mnist", "production"); "mnist@7" -> ("mnist", None)."""
    name, at, rest = text.partition("@")
    if rest.isascii() and rest.isdecimal():
        return name, None
    return name, rest if at else PRODUCTION


def signature(*paths: Path | str) -> Signature:
    return tuple(_stat(path) for path in paths)


def _stat(path: Path | str) -> tuple[int, int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_ctime_ns, found.st_size
