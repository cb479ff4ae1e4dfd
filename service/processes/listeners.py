"""Listening sockets, one for each process that serves.

Processes that accept from one socket do not share the work: who wakes first takes all the
connections that wait, and keeps them. With SO_REUSEPORT the kernel deals connections out by a hash
of their addresses (socket(7)). A socket outlives the process that served it, so what is connected
while a process is replaced waits for the next one.
"""

import resource
import socket
import sys
from contextlib import closing, suppress

BACKLOG = 2048

ACCEPTED = 32
"""Connections in one turn of the event loop, see ``eager``."""

DEALS = sys.platform == "linux"
"""Elsewhere the option means something else: on macOS the last socket gets everything."""


MOST_FILES = 65_536


def allow_connections() -> None:
    """As many open files as this user may have: many systems start with 1024, and each connection
    is one. A process without any left accepts nobody, not even a health check."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def eager(listener: socket.socket) -> list[socket.socket]:
    """The same socket so often that an event loop accepts ``ACCEPTED`` connections in a turn.

    libuv (since 1.45) accepts one of each handle in a turn, and a turn may hold a forward pass: of
    64 clients that connect at once to a busy process the last would wait for 64 of them.
    """
    return [listener, *(listener.dup() for _ in range(ACCEPTED - 1))]


def listen(host: str, port: int, count: int = 1) -> list[socket.socket]:
    """All on one port, where 0 takes any that is free. Raises ``OSError``.

    The first listens at once: who connects while models load waits instead of being refused. The
    others begin when they are served, since the kernel deals connections to all that listen.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    if count == 1 or not DEALS:
        one = socket.create_server((host, port), family=family, backlog=BACKLOG)
        return [one, *(one.dup() for _ in range(count - 1))]
    # Alone first: with the option set, a port that another server of this user has is no error.
    with closing(socket.create_server((host, port), family=family)) as probe:
        port = probe.getsockname()[1]
    first = socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=True)
    return [first, *(_bound(first) for _ in range(count - 1))]


def _bound(first: socket.socket) -> socket.socket:
    """To the same address, not listening yet. As ``create_server`` sets one up."""
    own = socket.socket(first.family)
    try:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            own.setsockopt(socket.SOL_SOCKET, option, 1)
        if own.family == socket.AF_INET6:
            own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        own.bind(first.getsockname())
    except BaseException:
        own.close()
        raise
    return own
