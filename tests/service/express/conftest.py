"""Two real servers of one store: with the short way, and without."""

import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from glyphscope.store import Store
from service.app import create_app
from service.express.protocol import Protocol
from service.express.ticket import Ticket
from service.processes.listeners import listen
from service.runtime import Runtime
from service.settings import Settings
from service.tracing import Tracing

PATIENCE = 120.0

_DATE = re.compile(rb"(?m)^date: [^\r]+\r\n")
_LENGTH = re.compile(rb"(?m)^content-length: (\d+)\r$")


@dataclass
class Server:
    app: FastAPI
    uvicorn: uvicorn.Server
    port: int
    answered: list[str] = field(default_factory=list)
    """Models that were asked for the short way."""

    @property
    def runtime(self) -> Runtime:
        found: Runtime = self.app.state.runtime
        return found

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def talk(self, pieces: Sequence[bytes], answers: int = 1) -> bytes:
        """All that came back until so many answers were whole, or the server hung up."""
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read(connection, answers)


Talk = Callable[..., bytes]


def read(connection: socket.socket, answers: int) -> bytes:
    """Without the date."""
    found = b""
    while whole(found) < answers:
        piece = connection.recv(1 << 20)
        if not piece:
            break
        found += piece
    return _DATE.sub(b"", found)


def whole(data: bytes) -> int:
    count = 0
    while b"\r\n\r\n" in data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        size = int(length[1]) if length else 0
        if len(rest) < size:
            break
        count += not head.startswith(b"HTTP/1.1 100")
        data = rest[size:]
    return count


@contextmanager
def running(settings: Settings, http: Any, tracing: Tracing | None = None) -> Iterator[Server]:
    answered: list[str] = []

    class Counted(Protocol):
        def _done(self, ticket: Ticket, scores: Any) -> None:
            answered.append(ticket.text)
            super()._done(ticket, scores)

    app = create_app(settings, tracing)
    config = uvicorn.Config(
        app, loop="uvloop", http=Counted if http is Protocol else http, ws="none", lifespan="on",
        log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=60,
        forwarded_allow_ips=list(settings.trusted_proxies),
    )  # fmt: skip
    server = uvicorn.Server(config)
    [listener] = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Server(app, server, port, answered)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, publish_to: Callable[[Store], Callable[..., Any]]
) -> Iterator[Callable[..., Server]]:
    """``start(Protocol)`` or ``start("httptools")``, with ``tracing`` where spans are wanted"""
    folder: Path = tmp_path_factory.mktemp("express")
    publish_to(Store(folder / "store"))()
    with ExitStack() as stack:

        def start(http: Any, tracing: Tracing | None = None, **options: Any) -> Server:
            options = {"state": folder / "state", "max_body_bytes": 1_000_000, **options}
            settings = Settings(store=folder / "store", device="cpu", **options)
            return stack.enter_context(running(settings, http, tracing))

        yield start


@pytest.fixture(scope="module")
def short(start: Callable[..., Server]) -> Server:
    return start(Protocol)


@pytest.fixture(scope="module")
def long(start: Callable[..., Server]) -> Server:
    return start("httptools")
