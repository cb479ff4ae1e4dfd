"""A deadline for the whole of a request; and what nobody waits for is not done."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from glyphscope.errors import Busy, DeadlinePassed, InvalidInput
from service.middleware.deadline import Deadline
from service.processes.lifecycle import Lifecycle

NEVER = 3600.0
SOON = 0.05

Headers = dict[str, str]


class Client:
    """Sends ``body`` in pieces, then waits; leaves when told to."""

    def __init__(self, pieces: int = 1, stalls: bool = False) -> None:
        self._pieces = pieces
        self._stalls = stalls
        self.left = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self._pieces and not self._stalls:
            self._pieces -= 1
            return {"type": "http.request", "body": b"x", "more_body": self._pieces > 0}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)


class App:
    """Reads the body, then does ``work``, then answers."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.dropped = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while (await receive()).get("more_body"):
                pass
            await self._work()
        except asyncio.CancelledError:
            self.dropped = True
            raise
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def at_once() -> None:
    return None


async def for_ever() -> None:
    await asyncio.Event().wait()


async def ask(
    app: Any, client: Client, seconds: float, lifecycle: Lifecycle | None = None, **headers: str
) -> None:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    scope = {
        "type": "http",
        "headers": [(key.encode(), value.encode("latin-1")) for key, value in named.items()],
    }
    deadline = Deadline(app, lifecycle or Lifecycle(), seconds)
    await deadline(scope, client.receive, client.send)


async def test_what_is_quick_is_answered() -> None:
    client, lifecycle = Client(pieces=3), Lifecycle()
    await ask(App(at_once), client, NEVER, lifecycle)
    assert [message["type"] for message in client.sent] == [
        "http.response.start",
        "http.response.body",
    ]
    assert lifecycle.running == set()


@pytest.mark.parametrize("client", [{}, {"stalls": True}], ids=["slow work", "slow body"])
async def test_what_takes_too_long_is_cut(client: dict[str, Any]) -> None:
    app, lifecycle = App(for_ever), Lifecycle()
    with pytest.raises(DeadlinePassed, match=r"0\.05 s"):
        await ask(app, Client(**client), SOON, lifecycle)
    assert app.dropped
    assert (lifecycle.passed_deadlines, lifecycle.running) == (1, set())


async def test_a_client_may_ask_for_less_but_not_for_more() -> None:
    with pytest.raises(DeadlinePassed):
        await ask(App(for_ever), Client(), NEVER, x_request_timeout="0.05")
    with pytest.raises(DeadlinePassed, match=r"0\.05 s"):
        await ask(App(for_ever), Client(), SOON, x_request_timeout="1e9")


@pytest.mark.parametrize("value", ["", "0", "-1", "soon", "nan", "-inf", "1s", "\xff"])
async def test_timeouts_that_are_none(value: str) -> None:
    with pytest.raises(InvalidInput, match="X-Request-Timeout must be a number of seconds"):
        await ask(App(at_once), Client(), NEVER, x_request_timeout=value)


async def test_who_means_to_wait_is_counted_from_then() -> None:
    async def work() -> None:
        await asyncio.sleep(4 * SOON)

    client = Client()
    await ask(App(work), client, SOON, prefer="respond-async, wait=60")
    assert client.sent[0]["status"] == 200


async def test_an_answer_that_has_begun_is_not_cut() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(4 * SOON)
        await send({"type": "http.response.body", "body": b"done"})

    client = Client()
    await ask(app, client, SOON)
    assert client.sent[-1]["body"] == b"done"


async def test_a_client_that_leaves_is_not_worked_for() -> None:
    client, app, lifecycle = Client(), App(for_ever), Lifecycle()
    task = asyncio.create_task(ask(app, client, NEVER, lifecycle))
    await asyncio.sleep(0)
    client.left.set()
    with pytest.raises(ClientDisconnect):
        await task
    assert app.dropped
    assert (lifecycle.left_clients, lifecycle.passed_deadlines) == (1, 0)


async def test_when_time_to_drain_is_over_who_waits_is_told() -> None:
    lifecycle, app = Lifecycle(), App(for_ever)
    task = asyncio.create_task(ask(app, Client(), NEVER, lifecycle))
    await asyncio.sleep(0)
    lifecycle.cut()
    with pytest.raises(Busy, match="stopping"):
        await task
    assert app.dropped


async def test_a_timeout_of_the_applications_own_stays_one() -> None:
    async def work() -> None:
        raise TimeoutError("a socket's")

    with pytest.raises(TimeoutError, match="a socket's"):
        await ask(App(work), Client(), NEVER)


async def test_a_cancelled_request_stays_cancelled() -> None:
    task = asyncio.create_task(ask(App(for_ever), Client(), NEVER))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
