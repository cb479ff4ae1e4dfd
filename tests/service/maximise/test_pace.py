"""How often somebody is told."""

import itertools

from service.maximise.pace import LONGEST_S, Pace


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def told(seconds: float, cost: float) -> list[float]:
    clock, times = Clock(), list[float]()
    pace = Pace(clock)
    while clock.now < seconds:
        if pace.due():
            times.append(clock.now)
            clock.now += cost
            pace.done()
        clock.now += 0.01
    return times


def test_at_once_then_ten_times_a_second_then_more_rarely() -> None:
    times = told(200, cost=0.0)
    assert times[0] == 0
    assert 8 <= sum(time < 1 for time in times) <= 11
    last = [b - a for a, b in itertools.pairwise(times)][-3:]
    assert all(LONGEST_S <= gap < LONGEST_S + 0.05 for gap in last)


def test_what_costs_much_is_told_seldom() -> None:
    assert len(told(20, cost=0.1)) * 0.1 <= 20 * 0.06
