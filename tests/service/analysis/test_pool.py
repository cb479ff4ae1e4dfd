"""Bounds, deadlines and lost processes."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException

from glyphscope.errors import Busy
from service.analysis.hands import Child, DeadlinePassed, Here
from service.analysis.job import Answer, Job
from service.analysis.pool import Analyses

JOB = Job("any", ("mnist@1",))

Alive = Callable[[int], bool]
WaitFor = Callable[[Callable[[], bool]], None]

# Answers with its process id; told to, it never answers or it ends.
CHILD = """
import json, os, sys, time
from multiprocessing.connection import Connection
pipe = Connection(int(sys.argv[1]))
pipe.send_bytes(b"ready")
while True:
    task = json.loads(pipe.recv_bytes())["task"]
    pipe.recv_bytes()
    if task == "sleep":
        time.sleep(600)
    if task == "die":
        os._exit(1)
    pipe.send_bytes(b'{"media_type": "text/plain"}')
    pipe.send_bytes(str(os.getpid()).encode())
"""


@pytest.fixture
def child() -> Iterator[Child]:
    child = Child({}, [sys.executable, "-c", CHILD])
    yield child
    child.close()


def pid(answer: Answer) -> int:
    return int(answer.body)


def test_a_child_answers_one_job_after_the_other(child: Child, alive: Alive) -> None:
    first = pid(child.run(JOB, 60))
    assert first != os.getpid()
    assert pid(child.run(JOB, 60)) == first
    child.close()
    assert not alive(first)


def test_a_job_past_its_deadline_ends_with_its_process(child: Child, alive: Alive) -> None:
    first = pid(child.run(JOB, 60))
    with pytest.raises(DeadlinePassed):
        child.run(Job("sleep", ()), 0.05)
    assert not alive(first)
    assert pid(child.run(JOB, 60)) != first


def test_a_child_that_dies_is_replaced(child: Child) -> None:
    first = pid(child.run(JOB, 60))
    with pytest.raises(Busy, match="ended"):
        child.run(Job("die", ()), 60)
    assert pid(child.run(JOB, 60)) != first


def test_a_child_that_cannot_start_is_busy() -> None:
    child = Child({}, [sys.executable, "-c", "raise SystemExit(1)"])
    for _ in range(2):
        with pytest.raises(Busy):
            child.run(JOB, 60)
    child.close()


def test_closing_wakes_whoever_waits(child: Child, alive: Alive, wait_for: WaitFor) -> None:
    first = pid(child.run(JOB, 60))
    errors: list[Exception] = []

    def ask() -> None:
        try:
            child.run(Job("sleep", ()), 600)
        except Busy as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()

    def woken() -> bool:
        child.close()  # again, should the thread have started a process after the last time
        return not thread.is_alive()

    wait_for(woken)
    assert not alive(first)
    assert len(errors) == 1
    child.close()


def test_a_child_ends_with_a_server_that_is_killed(alive: Alive, wait_for: WaitFor) -> None:
    script = (
        "import sys, time; from service.analysis.hands import Child\n"
        "from service.analysis.job import Job\n"
        f"child = Child({{}}, [sys.executable, '-c', {CHILD!r}])\n"
        "print(child.run(Job('any', ()), 60).body.decode(), flush=True)\n"
        "time.sleep(600)"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        first = int(server.stdout.readline())
        assert alive(first)
        server.kill()
    wait_for(lambda: not alive(first))


class Gate:
    """A hand that holds every job until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.taken: list[str] = []

    def start(self) -> None:
        pass

    def run(self, job: Job, seconds: float) -> Answer:
        self.taken.append(job.task)
        assert self.open.wait(60)
        return Answer(b"", "text/plain")

    def close(self) -> None:
        self.open.set()


async def test_more_than_the_bound_is_refused_at_once(wait_for: WaitFor) -> None:
    gate = Gate()
    analyses = Analyses([gate], max_waiting=2, seconds=60)
    jobs = [asyncio.create_task(analyses.run(Job(str(n), ()))) for n in range(3)]
    await asyncio.to_thread(wait_for, lambda: bool(gate.taken))
    with pytest.raises(Busy, match="2 analyses are waiting already"):
        await analyses.run(JOB)
    gate.open.set()
    await asyncio.gather(*jobs)
    assert gate.taken == ["0", "1", "2"]
    await analyses.run(JOB)
    analyses.close()


async def test_a_job_that_waits_too_long_is_given_up() -> None:
    gate = Gate()
    analyses = Analyses([gate], max_waiting=8, seconds=0.05)
    jobs = [analyses.run(Job(name, ())) for name in ("first", "second")]
    for found in await asyncio.gather(*jobs, return_exceptions=True):
        assert isinstance(found, HTTPException)
        assert found.status_code == 504
    analyses.close()
    assert "second" not in gate.taken


async def test_a_start_that_fails_is_tried_again() -> None:
    class Late(Here):
        starts = 0

        def start(self) -> None:
            self.starts += 1
            if self.starts == 1:
                raise Busy("not yet")

    late = Late(lambda job: Answer(b"", "text/plain"))
    analyses = Analyses([late], max_waiting=8, seconds=60)
    with pytest.raises(Busy, match="not yet"):
        await analyses.run(JOB)
    await analyses.run(JOB)
    await analyses.run(JOB)
    assert late.starts == 2
    analyses.close()


async def test_as_many_at_once_as_there_are_hands() -> None:
    barrier = threading.Barrier(2)

    def perform(job: Job) -> Answer:
        barrier.wait(60)
        return Answer(job.task.encode(), "text/plain")

    analyses = Analyses([Here(perform), Here(perform)], max_waiting=8, seconds=60)
    found = await asyncio.gather(*(analyses.run(Job(name, ())) for name in "ab"))
    assert [answer.body for answer in found] == [b"a", b"b"]
    analyses.close()


async def test_what_a_job_raises_reaches_its_request() -> None:
    def perform(job: Job) -> Answer:
        raise Busy("not now")

    analyses = Analyses([Here(perform)], max_waiting=8, seconds=60)
    with pytest.raises(Busy, match="not now"):
        await analyses.run(JOB)
    analyses.close()
