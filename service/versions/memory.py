"""Checkpoints in memory, and which of them goes first when there are too many."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping

from glyphscope.store import Ref
from service.inference.model import Model
from service.versions.resolver import Signature
from service.versions.rollout import Rollout

logger = logging.getLogger("glyphscope.service")

PINNED, NAMED, LOOSE = range(3)

Rank = Callable[[Ref], int]
"""PINNED (also by a share of traffic) is never dropped, NAMED by an alias after all LOOSE ones."""


def rank(version: int, rollout: Rollout, aliases: Mapping[str, int]) -> int:
    """By what the store says of the version's name."""
    shares = {share.to for share in (rollout.canary, rollout.shadow) if share}
    names = {str(version), *(alias for alias, named in aliases.items() if named == version)}
    if version in rollout.pinned or names & shares:
        return PINNED
    return NAMED if len(names) > 1 or version in rollout.loaded else LOOSE


class Memory:
    """At most ``most``, pinned ones aside; of equal rank the one used longest ago is dropped."""

    def __init__(self, most: int, rank: Rank = lambda ref: LOOSE) -> None:
        self._most = most
        self._rank = rank
        self._held: OrderedDict[Ref, tuple[Signature, Model]] = OrderedDict()

    def get(self, ref: Ref, mark: Signature) -> Model | None:
        """None where it is not here, or where ``mark`` says that its files are others now."""
        held = self._held.get(ref)
        if held is None or held[0] != mark:
            return None
        self._held.move_to_end(ref)
        return held[1]

    def has(self, ref: Ref, mark: Signature) -> bool:
        """Without counting as a use."""
        held = self._held.get(ref)
        return held is not None and held[0] == mark

    def hold(self, ref: Ref, mark: Signature, model: Model) -> None:
        self._held[ref] = mark, model
        self._held.move_to_end(ref)
        while len(self._held) > self._most:
            # The newest is what somebody waits for.
            others = list(self._held)[:-1]
            ranks = [self._rank(each) for each in others]
            if not others or max(ranks) == PINNED:
                return
            self.drop(others[ranks.index(max(ranks))])

    def drop(self, ref: Ref) -> None:
        if self._held.pop(ref, None):
            logger.info("dropped %s from memory", ref)

    def refs(self) -> list[Ref]:
        return list(self._held)

    def full(self) -> bool:
        return len(self._held) >= self._most
