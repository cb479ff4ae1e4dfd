"""One reader of a job's events: everything once, in order, from wherever it stopped."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from glyphscope.visualise import MaximisationRequest
from service.formats.sse import Cursor
from service.maximise import stream
from service.maximise.events import Log
from service.maximise.jobs import Jobs, Order, Status
from service.maximise.maximisations import Maximisations
from service.maximise.queue import Queue
from service.maximise.stream import Reader, events
from service.settings import Settings

ID = "e" * 40


@pytest.fixture
def found(settings: Settings) -> Maximisations:
    return Maximisations(Jobs(settings.state), Queue(settings))


def create(found: Maximisations, job_id: str = ID) -> Status:
    request = MaximisationRequest(layer="conv1", units=(0,), steps=8)
    found.create(Order(id=job_id, model="m", version=1, digest="0" * 64, request=request))
    status = found.jobs.status(job_id)
    assert status is not None
    return status


def draw(found: Maximisations, status: Status, steps: int = 4, end: str = "done") -> None:
    """As a worker leaves it."""
    with Log(found.jobs.log(ID, status.run)) as log:
        for step in range(1, steps + 1):
            log.append("progress", {"step": step})
            log.append("frame", {"step": step, "images": []})
    found.jobs.write(ID, status.model_copy(update={"status": end}))


Message = tuple[str, str, Any]


def parsed(messages: list[bytes]) -> list[Message]:
    """(id, name, data), as an independent eye reads the wire."""
    read = []
    for text in messages:
        fields = dict(line.split(b": ", 1) for line in text.splitlines() if line)
        read.append(
            (fields[b"id"].decode(), fields[b"event"].decode(), orjson.loads(fields[b"data"]))
        )
    return read


def everything(found: Maximisations, cursor: Cursor, frames: bool = True) -> list[Message]:
    reader, messages = Reader(found, ID, cursor, frames), list[bytes]()
    while not reader.over:
        messages += reader.next()
    return parsed(messages)


def test_queued_then_drawn_then_done(found: Maximisations) -> None:
    create(found, "a" * 40)
    status = create(found)
    reader = Reader(found, ID, Cursor())
    [(_, name, place)] = parsed(reader.next())
    assert (name, place) == (
        "progress",
        {"status": "queued", "step": 0, "steps": 8, "position": 1},
    )
    assert reader.next() == []
    found.cancel("a" * 40)
    [(_, _, place)] = parsed(reader.next())
    assert place["position"] == 0
    draw(found, status)
    told = parsed(reader.next())
    assert [name for _, name, _ in told] == ["progress"] * 4
    assert not reader.over
    [(last, name, document)] = parsed(reader.next())
    assert (last, name, document["status"]) == (f"{status.run}-end", "done", "done")
    assert reader.over


def test_ids_differ_and_each_is_a_place_to_go_on_from(found: Maximisations) -> None:
    draw(found, create(found))
    whole = everything(found, Cursor())
    assert [name for _, name, _ in whole] == ["progress", "frame"] * 4 + ["done"]
    assert len({event_id for event_id, _, _ in whole}) == len(whole)
    for i, (event_id, _, _) in enumerate(whole):
        assert everything(found, Cursor.parse(event_id)) == whole[i + 1 :]


def test_frames_are_for_those_who_ask(found: Maximisations) -> None:
    draw(found, create(found))
    without = everything(found, Cursor(), frames=False)
    assert [name for _, name, _ in without] == ["progress"] * 4 + ["done"]
    for i, (event_id, _, _) in enumerate(without):
        assert everything(found, Cursor.parse(event_id), frames=False) == without[i + 1 :]


def test_a_place_in_the_queue_is_told_once(found: Maximisations) -> None:
    create(found)
    [(event_id, _, _)] = parsed(Reader(found, ID, Cursor()).next())
    assert Reader(found, ID, Cursor.parse(event_id)).next() == []


def test_a_job_that_is_started_anew_is_read_anew(found: Maximisations) -> None:
    draw(found, create(found), end="cancelled")
    end = Cursor.parse(everything(found, Cursor())[-1][0])
    assert Reader(found, ID, end).told_all()
    again = create(found)
    reader = Reader(found, ID, end)
    assert not reader.told_all()
    assert len(reader.next()) == 1
    draw(found, again, steps=1)
    assert [name for _, name, _ in everything(found, end)] == ["progress", "frame", "done"]


def test_a_job_taken_up_again_goes_on_in_the_same_log(found: Maximisations) -> None:
    status = create(found)
    with Log(found.jobs.log(ID, status.run)) as log:
        log.append("progress", {"step": 3})
    reader = Reader(found, ID, Cursor())
    before = parsed(reader.next())
    draw(found, status, steps=2)
    after = everything(found, Cursor.parse(before[-1][0]), frames=False)
    assert [data.get("step") for _, _, data in before + after][:3] == [3, 1, 2]
    assert after[-1][1] == "done"


def test_a_job_that_is_gone_is_over(found: Maximisations) -> None:
    reader = Reader(found, ID, Cursor())
    assert reader.next() == []
    assert reader.over


async def inline(work: Callable[[], list[bytes]]) -> list[bytes]:
    return work()


async def test_a_stream_ends_with_its_job(found: Maximisations) -> None:
    draw(found, create(found))
    body = [part async for part in events(Reader(found, ID, Cursor()), inline, asyncio.Event())]
    assert body[0].startswith(b"retry: ")
    assert [name for _, name, _ in parsed(body[1:])] == ["progress"] * 4 + ["done"]


async def test_frames_that_nobody_wants_are_passed_without_a_rest(
    found: Maximisations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.maximise.events._PIECE", 64)
    monkeypatch.setattr(stream, "RESTLESS_SECONDS", 10_000.0)
    status = create(found)
    with Log(found.jobs.log(ID, status.run)) as log:
        for step in range(100):
            log.append("frame", {"step": step, "images": []})
    found.jobs.write(ID, status.model_copy(update={"status": "done"}))
    body = events(Reader(found, ID, Cursor()), inline, asyncio.Event())
    told = await asyncio.wait_for(anext(body), 60), await asyncio.wait_for(anext(body), 60)
    assert [name for _, name, _ in parsed([told[1]])] == ["done"]


async def test_a_stream_ends_when_the_process_has_to_go(found: Maximisations) -> None:
    create(found)
    stopping = asyncio.Event()
    body = events(Reader(found, ID, Cursor()), inline, stopping)
    await anext(body)
    await anext(body)
    waiting = asyncio.ensure_future(anext(body, None))
    await asyncio.sleep(0)
    stopping.set()
    assert await asyncio.wait_for(waiting, 60) is None


async def test_it_says_that_it_is_still_there(
    found: Maximisations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.0)
    create(found)
    body = events(Reader(found, ID, Cursor()), inline, asyncio.Event())
    parts = [await anext(body) for _ in range(4)]
    assert parts[2].startswith(b":")
    assert parts[2].endswith(b"\n\n")
    await body.aclose()


async def test_what_is_written_wakes_the_reader(
    found: Maximisations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "RESTLESS_SECONDS", 10_000.0)
    status = create(found)
    body = events(Reader(found, ID, Cursor()), inline, asyncio.Event())
    await anext(body)
    await anext(body)
    waiting = asyncio.ensure_future(anext(body))
    await asyncio.sleep(0)
    draw(found, status)
    [(_, name, data)] = parsed([await asyncio.wait_for(waiting, 60)])
    assert (name, data) == ("progress", {"step": 1})
    await body.aclose()


async def test_a_reader_who_does_not_read_holds_one_piece(
    found: Maximisations, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The generator is asked by the connection: while that is full, nothing more is read."""
    read = list[int]()
    draw(found, create(found), steps=400)
    reader = Reader(found, ID, Cursor(), frames=True)
    real = reader.next

    def counted() -> list[bytes]:
        read.append(1)
        return real()

    monkeypatch.setattr("service.maximise.events._PIECE", 1024)
    monkeypatch.setattr(reader, "next", counted)
    body = events(reader, inline, asyncio.Event())
    await anext(body)
    await anext(body)
    assert len(read) == 1
    names = [name for _, name, _ in parsed([part async for part in body])]
    assert names == ["frame", *["progress", "frame"] * 399, "done"]
    assert len(read) > 10
