"""Rates against a token bucket written down plainly, and between processes."""

import multiprocessing
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.access import rates
from service.access.rates import Rates


class Clock:
    now = 12345.678

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(tmp_path: Path, clock: Clock) -> Iterator[Rates]:
    found = Rates(tmp_path / "state" / "rates", clock)
    yield found
    found.close()


class Bucket:
    """The same by the book: tokens that drip in."""

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self.rate, self.burst, self.tokens, self.then = rate, burst, float(burst), now

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.then) * self.rate)
        self.then = now
        if self.tokens < 1 - 1e-3:
            return False
        self.tokens -= 1
        return True


@pytest.mark.parametrize(("rate", "burst"), [(1, 1), (10, 1), (3, 7), (1000, 50), (0.1, 2)])
def test_as_a_token_bucket(limiter: Rates, clock: Clock, rate: float, burst: int) -> None:
    draw = random.Random(0)
    bucket = Bucket(rate, burst, clock.now)
    taken = 0
    for _ in range(3000):
        clock.now += draw.expovariate(2 * rate) if draw.random() < 0.995 else burst / rate
        took = limiter.take("alice", rate, burst) == 0
        assert took == bucket.take(clock.now)
        taken += took
    assert 300 < taken < 2900


def test_who_waits_as_long_as_it_was_told_is_served(limiter: Rates, clock: Clock) -> None:
    assert [limiter.take("alice", 4, 2) for _ in range(2)] == [0, 0]
    wait = limiter.take("alice", 4, 2)
    assert wait == pytest.approx(0.25)
    clock.now += wait * 0.9
    assert limiter.take("alice", 4, 2) == pytest.approx(wait * 0.1)
    clock.now += wait * 0.1
    assert limiter.take("alice", 4, 2) == 0


def test_clients_do_not_share(limiter: Rates) -> None:
    for k in range(2000):
        assert limiter.take(f"client {k}", 0.001, 1) == 0
    refused = sum(limiter.take(f"client {k}", 0.001, 1) > 0 for k in range(2000))
    assert refused == 2000


def test_a_full_group_forgets_whoever_is_nearest_to_having_paid(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "GROUPS", 1)
    limiter = Rates(tmp_path / "rates", clock)
    for k in range(rates.PLACES):
        limiter.take(f"client {k}", 1 / (k + 1), 1)
    limiter.take("one more", 0.001, 1)
    assert limiter.take("one more", 0.001, 1) > 0
    assert [limiter.take(f"client {k}", 1 / (k + 1), 1) > 0 for k in (1, 2, 7)] == [True] * 3
    assert limiter.take("client 0", 1, 1) == 0


def test_a_restarted_machine_counts_from_its_own_beginning(tmp_path: Path, clock: Clock) -> None:
    before = Rates(tmp_path / "rates", clock)
    assert before.take("alice", 1, 1) == 0
    before.close()
    clock.now = 3.0
    after = Rates(tmp_path / "rates", clock)
    assert [after.take("alice", 1, 1) > 0 for _ in range(2)] == [False, True]
    after.close()


def _ask(file: Path, times: int, taken: Any) -> None:
    limiter = Rates(file, Clock())
    taken.put(sum(limiter.take("alice", 1, 500) == 0 for _ in range(times)))


def test_processes_count_together(tmp_path: Path) -> None:
    """Time stands still, so what four of them may ask is what one may."""
    context = multiprocessing.get_context("fork")
    taken = context.Queue()
    processes = [context.Process(target=_ask, args=(tmp_path / "r", 1000, taken)) for _ in "1234"]
    for process in processes:
        process.start()
    total = sum(taken.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert total == 500
