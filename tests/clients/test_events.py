"""A stream that breaks anywhere is taken up where it was: against a service made to break it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from clients import Client
from clients.errors import NotFound, ServiceFailed, Unreachable

JOB = {
    "id": "a" * 40, "model": "mnist", "version": 1, "layer": "conv1", "objective": "channel",
    "status": "done", "step": 3, "steps": 3, "error": None, "request": {}, "results": [],
}  # fmt: skip

PIXEL = "data:image/png;base64,iVBORw0KGgo="


def event(event_id: int, kind: str, data: dict[str, Any]) -> str:
    return f"id: {event_id}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def progress(step: int) -> str:
    return event(step, "progress", {"status": "running", "step": step, "steps": 3})


ALL = progress(1) + progress(2) + progress(3) + event(4, "done", JOB)


class Broken(httpx.SyncByteStream):
    """Gives ``text`` in crumbs, then breaks off."""

    def __init__(self, text: str, error: Exception | None) -> None:
        self.text, self.error = text, error

    def __iter__(self) -> Iterator[bytes]:
        for i in range(0, len(self.text), 5):
            yield self.text[i : i + 5].encode()
        if self.error:
            raise self.error


class Service(httpx.BaseTransport):
    """Answers what it is given, one after another; keeps the ids that it was asked to go on at."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.headers.get("last-event-id", ""))
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        if isinstance(found, httpx.Response):
            return found
        return httpx.Response(200, stream=found)


def follow(service: Service, slept: list[float] | None = None) -> list[tuple[str, int]]:
    slept = [] if slept is None else slept
    with Client(transport=service, sleep=slept.append) as client:
        return [(told.kind, told.step) for told in client.events("a" * 40, frames=True)]


EXPECTED = [("progress", 1), ("progress", 2), ("progress", 3), ("done", 3)]


def test_a_whole_stream() -> None:
    service = Service(Broken("retry: 1000\n\n: still here\n\n" + ALL, None))
    assert follow(service) == EXPECTED
    assert service.asked == [""]


@pytest.mark.parametrize("cut", range(0, len(ALL) - 2, 7))
def test_cut_off_anywhere_nothing_is_lost_or_told_twice(cut: int) -> None:
    text = ALL[:cut]
    last = text.count("\n\n")
    rest = "".join(part + "\n\n" for part in ALL.split("\n\n")[last:-1])
    service = Service(Broken(text, httpx.ReadError("reset by peer")), Broken(rest, None))
    assert follow(service) == EXPECTED
    assert service.asked == ["", str(last) if last else ""]


def test_a_service_that_starts_again_is_waited_for() -> None:
    slept: list[float] = []
    busy = httpx.Response(503, headers={"Retry-After": "1"}, json={"detail": "not yet"})
    service = Service(
        Broken(progress(1), None),
        httpx.ConnectError("refused"),
        busy,
        httpx.ReadTimeout("quiet"),
        Broken(ALL[len(progress(1)) :], None),
    )
    assert follow(service, slept) == EXPECTED
    assert service.asked == ["", "1", "1", "1", "1"]
    assert slept == sorted(slept)


def test_a_service_that_does_not_come_back_is_not_waited_for_ever() -> None:
    service = Service(Broken(progress(1), None), *[httpx.ConnectError("refused")] * 50)
    with pytest.raises(Unreachable, match="refused"):
        follow(service)


def test_a_job_that_is_not_there_is_not_asked_for_again() -> None:
    service = Service(httpx.Response(404, json={"detail": "no maximisation has the id"}))
    with pytest.raises(NotFound, match="no maximisation"):
        follow(service)


def test_images_by_unit() -> None:
    data = {
        "status": "running", "step": 1, "steps": 3, "images": [{"unit": 7, "image": PIXEL}],
    }  # fmt: skip
    service = Service(Broken(event(1, "frame", data) + event(2, "done", JOB), None))
    with Client(transport=service) as client:
        [frame, _] = client.events("a" * 40, frames=True)
    assert frame.images == {7: b"\x89PNG\r\n\x1a\n"}


@pytest.mark.parametrize(
    "text",
    [
        "id: 1\nevent: progress\ndata: {\n\n",
        "id: 1\nevent: progress\ndata: []\n\n",
        "event: progress\ndata: {}\n\n",
        event(1, "done", {**JOB, "status": "odd"}),
        event(
            1,
            "frame",
            {"status": "running", "step": 1, "steps": 1, "images": [{"unit": 0, "image": "?"}]},
        ),
    ],
)
def test_what_is_not_understood_is_told(text: str) -> None:
    with pytest.raises(ServiceFailed, match="not understood"):
        follow(Service(Broken(text, None)))
