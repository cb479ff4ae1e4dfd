"""What one turn of the event loop has in common."""

import threading
from contextlib import ExitStack
from typing import Any

import pytest

from tests.service.express.conftest import PATIENCE, Server, read
from tests.service.express.test_same_bytes import PNG, request


@pytest.fixture
def asked(short: Server, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    at_hand = short.runtime.registry.at_hand

    def counted(text: str) -> Any:
        found.append(text)
        return at_hand(text)

    monkeypatch.setattr(short.runtime.registry, "at_hand", counted)
    return found


def test_the_store_is_asked_once_for_all_that_is_read_together(
    short: Server, asked: list[str]
) -> None:
    message = request(PNG)
    held, sent = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        sent.wait(PATIENCE)

    with ExitStack() as stack:
        connections = [stack.enter_context(short.connect()) for _ in range(8)]
        for connection in connections:
            connection.sendall(message)
            read(connection, 1)
        asked.clear()
        short.uvicorn.servers[0].get_loop().call_soon_threadsafe(hold)
        held.wait(PATIENCE)
        for connection in connections:
            connection.sendall(message)
        sent.set()
        answers = {read(connection, 1) for connection in connections}
    assert len(answers) == 1
    assert answers.pop().startswith(b"HTTP/1.1 200")
    assert asked == ["mnist"]


def test_the_store_is_asked_again_after_every_answer(short: Server, asked: list[str]) -> None:
    with short.connect() as connection:
        for _ in range(20):
            connection.sendall(request(PNG))
            read(connection, 1)
    assert asked == ["mnist"] * 20
