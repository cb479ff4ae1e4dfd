"""No more at once than allowed, and health whatever happens."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from glyphscope.errors import Busy
from service.middleware.admission import Admission
from service.processes.lifecycle import Lifecycle


class App:
    """Reads whole bodies, then waits for ``go``."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.answered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        if not scope["path"].startswith("/health"):
            await self.go.wait()
        self.answered += 1


async def nothing(message: Message) -> None:
    return None


def ask(admission: Admission, path: str = "/v1", size: int = 0, **state: Any) -> Any:
    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(size), "more_body": False}

    scope = {"type": "http", "path": path, "state": state}
    return admission(scope, receive, nothing)


async def test_so_many_at_once_and_health_beyond() -> None:
    app, lifecycle = App(), Lifecycle()
    admission = Admission(app, lifecycle, max_requests=3, max_bytes=100)
    running = [asyncio.create_task(ask(admission)) for _ in range(3)]
    await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(Busy, match="3 requests are being answered"):
            await ask(admission)
    await ask(admission, "/health/live")
    assert (lifecycle.requests, lifecycle.refused, app.answered) == (3, 2, 1)
    app.go.set()
    await asyncio.gather(*running)
    await ask(admission)
    assert (lifecycle.requests, app.answered) == (0, 5)


async def test_bodies_together_are_bounded_but_one_alone_is_taken() -> None:
    app, lifecycle = App(), Lifecycle()
    admission = Admission(app, lifecycle, max_requests=10, max_bytes=100)
    large = asyncio.create_task(ask(admission, size=150))
    await asyncio.sleep(0)
    assert lifecycle.body_bytes == 150
    with pytest.raises(Busy, match="100 bytes"):
        await ask(admission, size=1)
    app.go.set()
    await large
    assert lifecycle.body_bytes == 0
    await asyncio.gather(*(ask(admission, size=50) for _ in range(2)))


async def test_a_process_that_drains_and_a_connection_too_many() -> None:
    app, lifecycle = App(), Lifecycle()
    app.go.set()
    admission = Admission(app, lifecycle, max_requests=10, max_bytes=100)
    with pytest.raises(Busy, match="connections"):
        await ask(admission, surplus=True)
    await ask(admission, "/health/live", surplus=True)
    lifecycle.draining = True
    with pytest.raises(Busy, match="stopping"):
        await ask(admission)
    await ask(admission, "/health/ready")
