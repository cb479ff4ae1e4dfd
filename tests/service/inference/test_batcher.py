"""Who shares a turn, what happens to those whose turn fails, and what is counted."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from glyphscope.manifest import Manifest
from service.inference.batcher import INLINE_SECONDS, PIECE, TURN, Backlog, Batcher, Work
from service.inference.scores import Scores
from service.inference.tempo import Tempo


class Asked(Work):
    """Remembers what it was told."""

    def __init__(self, first: int, count: int) -> None:
        pixels = np.arange(first, first + count, dtype=np.uint8).reshape(-1, 1, 1, 1)
        super().__init__(pixels)
        self.left = False
        self.told: list[list[float]] = []
        self.errors: list[Exception] = []

    @property
    def dropped(self) -> bool:
        return self.left

    def answered(self, scores: Scores) -> None:
        self.told.append(scores.logits[:, 0].tolist())

    def failed(self, error: Exception) -> None:
        self.errors.append(error)


class Echo:
    """The first logit of each image is its pixel."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.broken = False

    def __call__(self, pixels: Any) -> Any:
        self.sizes.append(len(pixels))
        if self.broken:
            raise MemoryError("no room")
        logits = np.zeros((len(pixels), 10), np.float32)
        logits[:, 0] = pixels[:, 0, 0, 0]
        return logits


class Steady(Tempo):
    """It knows, and learns nothing."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        super().learn(seconds)

    def learn(self, seconds: float) -> None:
        pass


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(1000)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


@pytest.fixture
async def batcher(
    echo: Echo, manifest: Manifest, thread: ThreadPoolExecutor, backlog: Backlog
) -> Batcher:
    return Batcher(echo, manifest, thread, backlog)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        for _ in itertools.takewhile(lambda _: not condition(), itertools.count()):
            await asyncio.sleep(0)


async def drained(backlog: Backlog) -> None:
    await until(lambda: not backlog.images)


async def test_everybody_gets_their_own_rows(
    batcher: Batcher, echo: Echo, backlog: Backlog
) -> None:
    asked = [Asked(0, 1), Asked(1, 3), Asked(4, 100), Asked(104, 2), Asked(106, 70)]
    for work in asked:
        batcher.submit(work)
    assert backlog.images == 176
    await drained(backlog)
    for work in asked:
        assert work.told == [work.pixels[:, 0, 0, 0].tolist()]
    assert max(echo.sizes) == PIECE
    assert sum(echo.sizes) == 176


async def test_a_large_request_holds_up_nobody_for_longer_than_a_turn(
    batcher: Batcher, backlog: Backlog
) -> None:
    large, small = Asked(0, 200), Asked(200, 1)
    told: list[str] = []
    large.answered = lambda scores: told.append("large")  # type: ignore[method-assign]
    small.answered = lambda scores: told.append("small")  # type: ignore[method-assign]
    batcher.submit(large)
    batcher.submit(small)
    await drained(backlog)
    assert told == ["small", "large"]


@pytest.mark.parametrize(
    ("share", "turns", "by_thread"),
    [(0.9, [TURN, TURN, 10], 0), (1.5, [PIECE] * 4 + [10], 0), (2.5, [TURN, TURN, 10], 2)],
    ids=["a turn fits", "a piece fits", "none fits"],
)
async def test_who_runs_a_turn(
    batcher: Batcher,
    backlog: Backlog,
    thread: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
    turns: list[int],
    by_thread: int,
) -> None:
    """``share``: how long a full turn takes, of the time that the event loop may be held up."""
    monkeypatch.setattr(batcher, "_tempo", Steady(share * INLINE_SECONDS / TURN))
    ran: list[int] = []
    monkeypatch.setattr(batcher, "_ran", lambda model, images: ran.append(images))
    submitted: list[object] = []
    submit = thread.submit

    def count(*work: Any) -> Any:
        submitted.append(work)
        return submit(*work)

    monkeypatch.setattr(thread, "submit", count)
    batcher.submit(Asked(0, TURN * 2 + 10))
    await drained(backlog)
    assert (ran, len(submitted)) == (turns, by_thread)


async def test_one_that_left_is_not_run(batcher: Batcher, echo: Echo, backlog: Backlog) -> None:
    left, stays = Asked(0, 3), Asked(3, 2)
    batcher.submit(left)
    batcher.submit(stays)
    left.left = True
    await drained(backlog)
    assert (left.told, stays.told, echo.sizes) == ([], [[3.0, 4.0]], [2])


async def test_one_that_leaves_between_two_turns(
    batcher: Batcher, echo: Echo, backlog: Backlog
) -> None:
    large = Asked(0, TURN * 3)
    batcher.submit(large)
    await until(lambda: large.parts)
    large.left = True
    await drained(backlog)
    assert (large.told, large.errors) == ([], [])
    assert sum(echo.sizes) <= TURN * 2


async def test_a_pass_that_fails_is_told_once_to_each(
    batcher: Batcher, echo: Echo, backlog: Backlog, caplog: pytest.LogCaptureFixture
) -> None:
    echo.broken = True
    asked = [Asked(0, 1), Asked(1, 200), Asked(201, 1)]
    for work in asked:
        batcher.submit(work)
    await drained(backlog)
    for work in asked:
        assert [str(error) for error in work.errors] == ["no room"]
        assert work.told == []
    assert "a forward pass of mnist@1 failed" in caplog.text
    echo.broken = False
    again = Asked(7, 1)
    batcher.submit(again)
    await drained(backlog)
    assert again.told == [[7.0]]


async def test_an_answer_of_another_length_is_refused(
    manifest: Manifest, thread: ThreadPoolExecutor, backlog: Backlog
) -> None:
    batcher = Batcher(lambda pixels: np.zeros((3, 10), np.float32), manifest, thread, backlog)
    work = Asked(0, 2)
    batcher.submit(work)
    await drained(backlog)
    assert [str(error) for error in work.errors] == ["mnist@1 answered (3, 10), not (2, 10)"]


async def test_one_who_cannot_take_the_answer_keeps_nobody_from_theirs(
    batcher: Batcher, backlog: Backlog, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(scores: Scores) -> None:
        raise RuntimeError("stumbled")

    first, second = Asked(0, 1), Asked(1, 1)
    first.answered = stumble  # type: ignore[method-assign]
    batcher.submit(first)
    batcher.submit(second)
    await drained(backlog)
    assert second.told == [[1.0]]
    assert "stumbled" in caplog.text
