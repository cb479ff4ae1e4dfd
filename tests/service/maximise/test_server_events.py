"""Watching real jobs at a real server, through all that can happen to either."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from glyphscope.checkpoint import load
from glyphscope.visualise import MaximisationRequest, maximise, png
from tests.service.running import PATIENCE, Server, Start, WaitFor, plain

URL = "/v1/models/mnist/maximisations"

ENDS = ("done", "failed", "cancelled")

pytestmark = pytest.mark.slow


class Event(NamedTuple):
    id: str
    name: str
    data: dict[str, Any]


def watch(server: Server, job: str, last: str = "") -> Iterator[Event]:
    """As the lines come, until the server ends the stream."""
    headers = {"Last-Event-ID": last} if last else {}
    path = f"/v1/maximisations/{job}/events?frames=true"
    with plain(server.url) as client, client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
                fields = {}


def start_job(server: Server, **asked: Any) -> str:
    job: str = server.client.post(URL, json=asked).json()["id"]
    return job


def _logged(event: Event) -> bool:
    """Places in the queue are told and not kept; while a worker takes a job it has none."""
    return bool(event.data["status"] != "queued")


def expected_picture(folder: Path, **asked: Any) -> bytes:
    """As the library draws it, in this process and undisturbed."""
    checkpoint = load(folder / "store" / "mnist" / "1")
    [image] = maximise(checkpoint, MaximisationRequest.model_validate(asked))
    return png(image.pixels)


@pytest.fixture(scope="module")
def server(start: Start) -> Iterator[Server]:
    """One for all tests that leave it as it was."""
    with start(state="shared") as server:
        yield server


def test_a_stream_goes_on_after_the_server_was_started_again(start: Start, folder: Path) -> None:
    asked = {"layer": "conv2", "units": [3], "steps": 1200}
    told: list[Event] = []
    with start(state="again") as server:
        job = start_job(server, **asked)
        for event in watch(server, job):
            told.append(event)
            if len(told) == 3:
                # The server says that it goes by ending the stream, before it is gone.
                server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
        assert told[-1].name not in ENDS
    with start(state="again") as server:
        told += watch(server, job, told[-1].id)
        whole = list(watch(server, job))
        [result] = server.job(job)["results"]
        picture = server.client.get(result["image"]).content
    assert told[-1].name == "done"
    logged = [event for event in told if _logged(event)]
    assert logged == whole
    assert len({event.id for event in told}) == len(told)
    assert picture == expected_picture(folder, **asked)


def test_a_job_whose_worker_is_killed_ends_as_if_nothing_had_happened(
    server: Server, folder: Path
) -> None:
    asked = {"layer": "conv2", "units": [1], "steps": 800}
    job = start_job(server, **asked)
    killed, told = False, list[Event]()
    for event in watch(server, job):
        told.append(event)
        if event.data["step"] and not killed:
            worker = server.worker()
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
            killed = True
    assert told[-1].name == "done"
    assert len({event.id for event in told}) == len(told)
    steps = [event.data["step"] for event in told]
    assert steps != sorted(steps)
    [result] = server.job(job)["results"]
    assert server.client.get(result["image"]).content == expected_picture(folder, **asked)


def test_many_readers_of_one_job_and_one_that_does_not_read(server: Server) -> None:
    job = start_job(server, layer="conv2", units=[0, 1, 2, 4], steps=400)
    told: dict[int, list[Event]] = {}

    def read(n: int) -> None:
        told[n] = list(watch(server, job))

    sleeper = watch(server, job)
    first = next(sleeper)
    readers = [threading.Thread(target=read, args=(n,)) for n in range(12)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(PATIENCE)
    assert server.job(job)["status"] == "done"
    slow = [first, *sleeper]
    for events in (*told.values(), slow):
        assert events[-1].name == "done"
        logged = [event for event in events if _logged(event)]
        assert logged == [event for event in slow if _logged(event)]
    assert len(slow) > 3


def test_cancelled_under_the_eyes_of_its_reader(server: Server, wait_for: WaitFor) -> None:
    job = start_job(server, layer="conv2", units="all", steps=4096)
    names = []
    for event in watch(server, job):
        names.append(event.name)
        if event.name == "frame":
            assert server.client.delete(f"/v1/maximisations/{job}").status_code == 200
    assert names[-1] == "cancelled"
    after = start_job(server, layer="conv2", units=[0], steps=16)
    wait_for(lambda: server.job(after)["status"] == "done")
