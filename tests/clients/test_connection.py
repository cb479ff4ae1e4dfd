"""What goes wrong between client and service, told by transports that fail on purpose."""

from collections.abc import Callable

import httpx
import pytest

from clients import Client
from clients.errors import (
    Busy,
    ClientError,
    InvalidAddress,
    NotFound,
    Refused,
    ServiceFailed,
    Unreachable,
)
from clients.retries import NONE

Handler = Callable[[httpx.Request], httpx.Response]


def client_of(handler: Handler) -> Client:
    return Client("http://service", transport=httpx.MockTransport(handler), retries=NONE)


def answering(status: int, document: object = None, **headers: str) -> Client:
    return client_of(lambda request: httpx.Response(status, json=document, headers=headers))


def test_a_key_goes_with_every_request() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"models": []})

    for key in ("gs_one", None):
        transport = httpx.MockTransport(answer)
        with Client("http://service", transport=transport, key=key) as client:
            client.models()
    assert sent[0].headers["Authorization"] == "Bearer gs_one"
    assert "Authorization" not in sent[1].headers


def problem(detail: str, **members: object) -> dict[str, object]:
    return {"type": "/problems/some-code", "title": "A title", "detail": detail, **members}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Refused),
        (404, NotFound),
        (409, Refused),
        (413, Refused),
        (422, Refused),
        (500, ServiceFailed),
        (504, ServiceFailed),
    ],
)
def test_a_problem_becomes_an_error_with_its_words(status: int, kind: type[ClientError]) -> None:
    with pytest.raises(kind, match="the very words") as caught:
        answering(status, problem("the very words")).models()
    assert type(caught.value) is kind


def test_a_refusal_carries_what_programs_need() -> None:
    fields = [{"pointer": "#/steps", "detail": "too small"}]
    with pytest.raises(Refused) as caught:
        answering(422, problem("no", errors=fields)).models()
    error = caught.value
    assert (error.status, error.code, error.title) == (422, "some-code", "A title")
    assert error.fields == fields


def test_not_found_lists_what_is_known() -> None:
    with pytest.raises(NotFound) as caught:
        answering(404, problem("no", known=["a", "b"])).layers("c")
    assert caught.value.known == ["a", "b"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"Retry-After": "7"}, 7.0), ({"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, None)],
)
def test_too_much_work_says_when_to_come_back(
    headers: dict[str, str], seconds: float | None
) -> None:
    with pytest.raises(Busy) as caught:
        answering(503, problem("later"), **headers).models()
    assert caught.value.retry_after == seconds


def test_a_broken_model_is_no_reason_to_come_back() -> None:
    with pytest.raises(ServiceFailed, match="hash"):
        answering(503, problem("the hash differs")).models()


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (httpx.ConnectError("refused"), "no service answers at http://service: refused"),
        (httpx.ReadError("reset"), "no service answers"),
        (httpx.ReadTimeout("late"), "did not answer in time"),
    ],
)
def test_nobody_there(failure: httpx.TransportError, reason: str) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(Unreachable, match=reason):
        client_of(fail).models()


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>a proxy's greeting</html>"),
        httpx.Response(200, json={"models": [{"name": "mnist"}]}),
        httpx.Response(200, json=["models"]),
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(302, headers={"Location": "http://elsewhere/"}),
    ],
)
def test_an_answer_that_is_not_understood(response: httpx.Response) -> None:
    with pytest.raises(ServiceFailed):
        client_of(lambda request: response).models()


@pytest.mark.parametrize("content", [b"", b"\xff" * 32, b"PK\x03\x04 and no more"])
def test_broken_arrays_are_not_understood(content: bytes) -> None:
    client = client_of(lambda request: httpx.Response(200, content=content))
    with pytest.raises(ServiceFailed, match="activations cannot be read"):
        client.activations("mnist", strokes=[[[[0, 0]]]])


@pytest.mark.parametrize("url", ["", "foo", "127.0.0.1:8000", "ftp://host", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InvalidAddress):
        Client(url)


def test_a_name_cannot_leave_its_place_in_the_path() -> None:
    seen: list[bytes] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"layers": []})

    client_of(keep).layers("../a?b#c@1")
    assert seen == [b"/v1/models/..%2Fa%3Fb%23c@1/layers"]


def test_waiting_asks_more_and_more_rarely() -> None:
    pauses: list[float] = []
    job = {
        "id": "a", "model": "m", "version": 1, "layer": "l", "objective": "channel", "step": 0,
        "steps": 9, "error": None, "request": {}, "results": [],
    }  # fmt: skip

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**job, "status": "done" if len(pauses) > 9 else "running"})

    client = Client("http://s", transport=httpx.MockTransport(answer), sleep=pauses.append)
    assert client.maximise("m", "l").status == "done"
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.1 < pauses[-1] < 1


def test_closing_closes_the_connections() -> None:
    with answering(200, {"models": []}) as client:
        assert client.models() == []
    with pytest.raises(RuntimeError, match="closed"):
        client.models()
