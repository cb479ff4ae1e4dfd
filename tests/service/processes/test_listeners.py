"""One port, a socket for each process, and nobody else's port taken by accident."""

import asyncio
import resource
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import uvloop

from service.processes.listeners import (
    ACCEPTED,
    DEALS,
    MOST_FILES,
    allow_connections,
    eager,
    listen,
)


@pytest.fixture
def open_later() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("count", [1, 3])
def test_all_are_on_one_port(open_later: ExitStack, count: int) -> None:
    found = [open_later.enter_context(each) for each in listen("127.0.0.1", 0, count)]
    assert len(found) == count
    assert len({each.getsockname() for each in found}) == 1
    with socket.create_connection(found[0].getsockname(), timeout=60):
        assert select.select(found, [], [], 60)[0]


@pytest.mark.skipif(not DEALS, reason="only Linux deals connections out")
def test_none_are_dealt_to_who_does_not_listen_yet(open_later: ExitStack) -> None:
    found = [open_later.enter_context(each) for each in listen("127.0.0.1", 0, 2)]
    for _ in range(16):
        open_later.enter_context(socket.create_connection(found[0].getsockname(), timeout=60))
        assert select.select([found[0]], [], [], 60)[0]
        open_later.enter_context(found[0].accept()[0])


@pytest.mark.parametrize("mine", [1, 2])
@pytest.mark.parametrize("theirs", [1, 2])
def test_a_port_that_another_server_has(open_later: ExitStack, theirs: int, mine: int) -> None:
    first = [open_later.enter_context(each) for each in listen("127.0.0.1", 0, theirs)]
    with pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", first[0].getsockname()[1], mine)


@pytest.mark.skipif(not DEALS, reason="only Linux deals connections out")
def test_connections_are_dealt_out(open_later: ExitStack) -> None:
    """To all that listen; 64 of them miss one of two sockets once in 10^19."""
    found = [open_later.enter_context(each) for each in listen("127.0.0.1", 0, 2)]
    found[1].listen()
    for _ in range(64):
        open_later.enter_context(socket.create_connection(found[0].getsockname(), timeout=60))
    for each in found:
        assert select.select([each], [], [], 60)[0]


def test_as_many_files_as_the_user_may_have() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1] % 2**31), before[1]))
        allow_connections()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert hard == before[1]
        assert soft == (MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def let_in(listener: socket.socket, sockets: list[socket.socket], crowd: int) -> int:
    """Turns of the event loop until as many clients as are waiting have been accepted."""
    accepted: list[asyncio.BaseTransport] = []

    class Door(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    async def turns() -> int:
        loop, count = asyncio.get_running_loop(), 0
        servers = [await loop.create_server(Door, sock=each) for each in sockets]
        while len(accepted) < crowd:
            await asyncio.sleep(0)
            count += 1
        for transport in accepted:
            transport.close()
        for server in servers:
            server.close()
            await server.wait_closed()
        return count

    with ExitStack() as stack:
        for _ in range(crowd):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        return uvloop.run(turns())


def test_a_crowd_is_let_in_within_a_few_turns(open_later: ExitStack) -> None:
    """For each turn of the event loop may hold a forward pass."""
    [listener] = [open_later.enter_context(each) for each in listen("127.0.0.1", 0)]
    sockets = [open_later.enter_context(each) for each in eager(listener)]
    assert let_in(listener, sockets, 2 * ACCEPTED) <= 4


def test_what_eager_is_for(open_later: ExitStack) -> None:
    """One a turn is libuv's own way. Where this fails, ``eager`` is needed no longer."""
    [listener] = [open_later.enter_context(each) for each in listen("127.0.0.1", 0)]
    assert let_in(listener, [listener], 2 * ACCEPTED) >= ACCEPTED
