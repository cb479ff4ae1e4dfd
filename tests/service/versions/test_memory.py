"""What is dropped first."""

from typing import Any, cast

from glyphscope.store import Ref
from service.inference.model import Model
from service.versions.memory import LOOSE, NAMED, PINNED, Memory

MARK = ((1, 2, 3),)


def ref(version: int) -> Ref:
    return Ref("mnist", version)


def held(memory: Memory, *versions: int) -> list[int]:
    for version in versions:
        memory.hold(ref(version), MARK, cast(Model, f"network {version}"))
    return [each.version for each in memory.refs()]


def test_of_equal_rank_the_one_used_longest_ago() -> None:
    memory = Memory(3)
    assert held(memory, 1, 2, 3) == [1, 2, 3]
    assert memory.get(ref(1), MARK) == cast(Any, "network 1")
    assert held(memory, 4) == [3, 1, 4]


def test_loose_before_named_and_pinned_never() -> None:
    ranks = {1: PINNED, 2: NAMED, 3: LOOSE, 4: NAMED}
    memory = Memory(2, lambda each: ranks.get(each.version, LOOSE))
    assert held(memory, 1, 2) == [1, 2]
    assert held(memory, 3) == [1, 3]  # the newest is what somebody waits for
    assert held(memory, 4) == [1, 4]
    ranks[4] = PINNED
    assert held(memory, 5) == [1, 4, 5]
    assert held(memory, 6) == [1, 4, 6]


def test_other_files_are_another_network() -> None:
    memory = Memory(2)
    held(memory, 1)
    assert memory.get(ref(1), ((1, 2, 4),)) is None
    assert memory.get(ref(2), MARK) is None
