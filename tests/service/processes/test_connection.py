"""Slow clients, many of them, and an end in order: over real sockets."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from service.processes.connection import KEY, Connection, Limits
from service.processes.lifecycle import Lifecycle
from service.processes.server import Server

PATIENCE = 240.0
# What has to come in time here comes at once; longer than a busy machine keeps a thread waiting.
SOON = 0.5
NEVER = 3600.0

HEAD = b"POST /slow HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n"


class App:
    """Answers "done" and the body's length; at /held, once it is told to go."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.go = threading.Event()
        self.held = threading.Event()
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(scope, receive, send)
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return None
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        if scope["path"] == "/held":
            self.held.set()
            await asyncio.to_thread(self.go.wait)
        surplus = "surplus " if scope["state"].get("surplus") else ""
        body = bytes(20_000_000) if scope["path"] == "/large" else f"{surplus}done {size}".encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        scope["state"][KEY] = self._limits
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


@dataclass
class Running:
    server: Server
    app: App
    thread: threading.Thread
    port: int

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            yield connection

    def stop(self) -> None:
        self.app.go.set()
        self.server.should_exit = True
        self.thread.join(PATIENCE)


Start = Callable[..., Running]


@pytest.fixture
def start(wait_for: Callable[[Callable[[], Any]], None]) -> Iterator[Start]:
    """A server in a thread, with these limits."""
    started: list[Running] = []

    def start(delay: float = 0.0, **limits: Any) -> Running:
        given = Limits(**{"head_seconds": NEVER, "request_seconds": NEVER, **limits})
        app = App(given)
        listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        config = uvicorn.Config(
            app, http=Connection, ws="none", lifespan="on", log_config=None, access_log=False,
            timeout_keep_alive=3600, timeout_graceful_shutdown=int(PATIENCE),
        )  # fmt: skip
        server = Server(config, given.lifecycle, delay)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running = Running(server, app, thread, listener.getsockname()[1])
        started.append(running)
        wait_for(lambda: server.started)
        return running

    yield start
    for running in started:
        running.stop()
        assert not running.thread.is_alive()


def rest(connection: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65536):
            found += piece
    return found


def answer(connection: socket.socket) -> bytes:
    """One small answer of the app's."""
    found = b""
    while b"done" not in found:
        piece = connection.recv(65536)
        assert piece, found
        found += piece
    return found


@pytest.mark.parametrize("sent", [b"G", b"GET / HTTP/1.1\r\nHost: here\r\nX-Slow: "])
def test_headers_that_do_not_come_are_answered_408(start: Start, sent: bytes) -> None:
    with start(head_seconds=SOON).connected() as connection:
        connection.sendall(sent)
        head, _, body = rest(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert b"Connection: close" in head
    assert json.loads(body)["detail"] == f"the headers did not come within {SOON:g} s"


def test_headers_that_trickle_do_not_put_it_off(start: Start) -> None:
    with start(head_seconds=SOON).connected() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        found = b""
        connection.settimeout(0.02)
        while not found:
            with contextlib.suppress(ConnectionError):  # closed, with the answer still to be read
                connection.sendall(b"X-Slow: yes\r\n")
            with contextlib.suppress(TimeoutError):
                found = connection.recv(65536)
                assert found, "closed without an answer"
    assert found.startswith(b"HTTP/1.1 408")


def test_a_connection_that_says_nothing_is_closed(start: Start) -> None:
    with start(head_seconds=SOON).connected() as connection:
        assert rest(connection) == b""


def test_the_second_request_is_watched_too_and_an_idle_connection_is_not(start: Start) -> None:
    running = start(head_seconds=SOON)
    with running.connected() as idle, running.connected() as slow:
        for connection in (idle, slow):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert b"done 0" in answer(connection)
        slow.sendall(b"GET / HTTP/1.1\r\n")
        assert rest(slow).startswith(b"HTTP/1.1 408")
        idle.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert b"done 0" in answer(idle)


def test_a_body_that_does_not_come_ends_the_connection(start: Start) -> None:
    """The application has had its deadline by then; this is for one that does not keep it."""
    running = start(request_seconds=SOON)
    with running.connected() as connection:
        connection.sendall(HEAD + b"ab")
        assert rest(connection) == b""
    assert running.app.left.wait(PATIENCE)


def test_an_answer_that_is_not_read_ends_the_connection(
    start: Start, wait_for: Callable[[Callable[[], Any]], None]
) -> None:
    running = start(request_seconds=SOON)
    open_ones = running.server.server_state.connections
    with running.connected() as connection:
        wait_for(lambda: open_ones)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n")
        wait_for(lambda: not open_ones)
        assert len(rest(connection)) < 20_000_000


def test_connections_beyond_the_limit_are_marked_and_far_beyond_it_closed(start: Start) -> None:
    running = start(max_connections=2)
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(running.connected()) for _ in range(4)]
        found = []
        for connection in several:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            found.append(answer(connection).rpartition(b"\r\n")[2])
        assert found == [b"done 0", b"done 0", b"surplus done 0", b"surplus done 0"]
        with running.connected() as fifth:
            assert rest(fifth) == b""


def test_an_end_in_order(start: Start) -> None:
    """What runs is answered, an idle connection closes without an error, nobody new is let in."""
    running = start()
    url = f"http://127.0.0.1:{running.port}"
    with (
        running.connected() as idle,
        running.connected() as late,
        running.connected() as held,
        httpx.Client(base_url=url, timeout=PATIENCE) as client,
    ):
        assert client.get("/").text == "done 0"
        for connection in (idle, late):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            answer(connection)
        held.sendall(b"GET /held HTTP/1.1\r\nHost: here\r\n\r\n")
        assert running.app.held.wait(PATIENCE)

        running.server.should_exit = True
        assert rest(idle) == b""
        with pytest.raises(ConnectionRefusedError), running.connected():
            pass
        running.app.go.set()
        last = rest(held)
        assert last.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in last
        running.thread.join(PATIENCE)
        assert not running.thread.is_alive()


def test_before_it_stops_listening_it_closes_connections_with_an_answer(
    start: Start, wait_for: Callable[[Callable[[], Any]], None]
) -> None:
    running = start(delay=NEVER)
    lifecycle: Lifecycle = running.server._lifecycle
    with running.connected() as before:
        before.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert b"connection: close" not in answer(before)
        running.server.should_exit = True
        wait_for(lambda: lifecycle.stopping)
        before.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        assert b"connection: close" in rest(before)
        with running.connected() as new:
            new.sendall(HEAD + b"abcd")
            found = rest(new)
        assert b"done 4" in found
        assert b"connection: close" in found
    assert not lifecycle.draining
    running.server.force_exit = True
