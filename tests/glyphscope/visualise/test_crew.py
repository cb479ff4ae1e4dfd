import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import torch

from glyphscope.errors import Cancelled
from glyphscope.visualise.crew import Watch, work


def never() -> bool:
    return False


def counts_to(n: int) -> Callable[[Callable[[int], None], Watch], None]:
    def task(tell: Callable[[int], None], watch: Watch) -> None:
        for i in range(n):
            watch()
            tell(i)

    return task


@pytest.mark.parametrize("threads", [1, 3])
def test_every_event_of_every_task_comes_in_its_order(threads: int) -> None:
    seen: dict[int, list[int]] = {}
    for i, event in work([counts_to(n) for n in (3, 0, 5, 1)], threads, never):
        seen.setdefault(i, []).append(event)
    assert seen == {0: [0, 1, 2], 2: [0, 1, 2, 3, 4], 3: [0]}
    assert list(work([], threads, never)) == []


def test_a_task_computes_on_one_core_and_the_caller_keeps_its_own() -> None:
    torch.set_num_threads(2)

    def task(tell: Callable[[int], None], watch: Watch) -> None:
        tell(torch.get_num_threads())

    assert [event for _, event in work([task] * 3, 2, never)] == [1, 1, 1]
    assert torch.get_num_threads() == 2


def endless(left: list[str]) -> Callable[[Callable[[int], None], Watch], None]:
    def task(tell: Callable[[int], None], watch: Watch) -> None:
        tell(0)
        try:
            while True:
                watch()
        finally:
            left.append("stopped")

    return task


def test_a_wish_to_cancel_stops_all_of_them() -> None:
    left: list[str] = []
    asked = threading.Event()
    with pytest.raises(Cancelled), closing(work([endless(left)] * 2, 2, asked.is_set)) as events:
        run(events, lambda _: asked.set())
    assert left == ["stopped"] * 2


def test_an_error_in_a_task_or_in_the_caller_leaves_none_running() -> None:
    def fails(tell: Callable[[int], None], watch: Watch) -> None:
        raise ZeroDivisionError

    def drop(tell: int) -> None:
        raise KeyError

    left: list[str] = []
    for tasks, error in (([endless(left), fails], ZeroDivisionError), ([endless(left)], KeyError)):
        with pytest.raises(error), closing(work(tasks, 2, never)) as events:
            run(events, drop if error is KeyError else int)
    assert left == ["stopped"] * 2


def run(events: Iterator[tuple[int, int]], react: Callable[[int], object]) -> None:
    for _, event in events:
        react(event)
