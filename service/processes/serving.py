"""One of the processes that serve, from its application to its last answer."""

import gc
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

import uvicorn
from fastapi import FastAPI

from glyphscope.errors import GlyphscopeError
from service.app import create_app
from service.express.protocol import Protocol
from service.inference.device import share_devices
from service.processes.listeners import BACKLOG, eager
from service.processes.server import Server
from service.processes.workers import STARTUP_FAILURE, Beat
from service.settings import Settings
from service.tracing import log_and_trace

GARBAGE = 10_000
"""New containers between two looks of the collector; Python's own 700 come every fifth request."""

SWITCH_SECONDS = 0.0005
"""Python's own 5 ms is many answers."""


def application(settings: Settings, index: int = 0) -> FastAPI:
    """Of the process of this index. Raises ``InvalidInput`` or ``OSError`` where it cannot be."""
    tracing = log_and_trace(settings.log_level)
    device = share_devices(settings.device, index)
    return create_app(settings.model_copy(update={"device": device}), tracing)


def serve(
    application: FastAPI, settings: Settings, listeners: list[socket.socket], beat: Beat
) -> None:
    """Returns after SIGTERM or SIGINT, once what was being answered is answered."""
    # A thread that computes holds the interpreter for so long before an answer may go on.
    sys.setswitchinterval(SWITCH_SECONDS)
    # A request leaves no cycles behind, so there is little to collect and much to look through.
    gc.set_threshold(GARBAGE)
    config = uvicorn.Config(
        application,
        backlog=BACKLOG,
        loop="uvloop",
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    lifecycle = application.state.runtime.lifecycle
    sockets = [each for listener in listeners for each in eager(listener)]
    Server(config, lifecycle, settings.drain_delay_seconds, beat).run(sockets=sockets)


def serve_one(
    settings: Settings,
    admin: Sequence[socket.socket],
    index: int,
    listener: socket.socket,
    beat: Beat,
) -> None:
    """As one of several processes."""
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    try:
        app = application(settings, index)
    except (GlyphscopeError, OSError) as error:
        # The next one would not do better.
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(STARTUP_FAILURE) from None
    serve(app, settings, [listener, *admin], beat)


def leave(*_: object) -> NoReturn:
    """uvicorn drains on a signal and then raises it again: leaving is success, not death by it."""
    raise SystemExit(0)
