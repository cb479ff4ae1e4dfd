"""``glyphscope-serve``: the processes that serve, and the worker process beside them."""

import errno
import functools
import gc
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvicorn
from fastapi import FastAPI

from service.app import create_app
from service.command import fail, failures, typer_app
from service.express.protocol import Protocol
from service.inference.device import resolve_device, share_devices
from service.logs import configure_logging
from service.maximise.supervisor import Supervisor
from service.metrics import shared_counters
from service.processes.listeners import BACKLOG, allow_connections, listen
from service.processes.server import Server
from service.processes.workers import Beat, Workers
from service.settings import Settings, load_settings

GARBAGE = 10_000
"""New containers between two looks of the collector; Python's own 700 come every fifth request."""

SLACK = 5.0
"""Seconds that a process may take to end after its last request."""

SWITCH_SECONDS = 0.0005
"""Python's own 5 ms is many answers."""

app = typer_app()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on  [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes any free port  [8000]")] = None,
    workers: Annotated[int | None, typer.Option(help="processes that classify  [1]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N  [auto]")] = None,
    store: Annotated[Path | None, typer.Option(help="folder of published checkpoints")] = None,
    state: Annotated[Path | None, typer.Option(help="folder of the queue and the pictures")] = None,
    queue: Annotated[str | None, typer.Option(help="redis://...; default: SQLite in STATE")] = None,
    threads: Annotated[int | None, typer.Option(help="threads inside a forward pass  [1]")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning, error")] = None,
    worker: Annotated[
        bool, typer.Option(help="also run a glyphscope-worker, which draws maximisations")
    ] = True,
) -> None:
    """Serve the checkpoints of a store over HTTP, with the drawing pad at /.

    Every option is also an environment variable (GLYPHSCOPE_PORT) and a key of the table [serve]
    in glyphscope.toml.
    """
    with failures():
        settings = load_settings(
            host=host, port=port, workers=workers, device=device, store=store, state=state,
            queue=queue, threads=threads, log_level=log_level,
        )  # fmt: skip
        configure_logging(settings.log_level)
        run(settings, with_worker=worker)


def run(settings: Settings, *, with_worker: bool) -> None:
    """Returns after SIGTERM or SIGINT, once what was being answered is answered."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    resolve_device(settings.device)
    allow_connections()
    with ExitStack() as stack:
        listeners = _listen(settings, settings.port, settings.workers)
        admin = _listen(settings, settings.admin_port, 1) if settings.admin_port is not None else []
        for listener in [*listeners, *admin]:
            stack.enter_context(listener)
        if admin:
            settings = settings.model_copy(update={"admin_port": admin[0].getsockname()[1]})
        # Made here where it runs here, so that what is wrong with it is said before more starts.
        application = create_app(settings) if settings.workers == 1 else None
        stack.enter_context(shared_counters() if settings.workers > 1 else nullcontext())
        stack.enter_context(Supervisor(settings.environment()) if with_worker else nullcontext())
        for listener in admin:
            typer.echo(f"Glyphscope, admin: {_url(listener)}", err=True)
        typer.echo(f"Glyphscope: {_url(listeners[0])}  (Ctrl+C stops it)", err=True)
        if application is not None:
            serve_here(application, settings, [listeners[0], *admin])
            return
        serve_one = functools.partial(_serve_one, settings, admin)
        patience = settings.drain_delay_seconds + settings.drain_seconds + SLACK
        workers = Workers(
            serve_one, listeners, patience, "service.app", settings.hang_seconds, admin
        )
        code = workers.run()
    raise typer.Exit(code)


def _serve_one(
    settings: Settings,
    admin: Sequence[socket.socket],
    index: int,
    listener: socket.socket,
    beat: Beat,
) -> None:
    """One of several processes."""
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    configure_logging(settings.log_level)
    own = settings.model_copy(update={"device": share_devices(settings.device, index)})
    serve_here(create_app(own), own, [listener, *admin], beat)


def serve_here(
    application: FastAPI,
    settings: Settings,
    listeners: list[socket.socket],
    beat: Beat = lambda: None,
) -> None:
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
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    lifecycle = application.state.runtime.lifecycle
    Server(config, lifecycle, settings.drain_delay_seconds, beat).run(sockets=listeners)


def _listen(settings: Settings, port: int, count: int) -> list[socket.socket]:
    try:
        return listen(settings.host, port, count)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use; choose another with --port, or stop what listens there"
        fail(f"cannot listen on {settings.host}:{port}: {reason}", code=1)


def _leave(*_: object) -> NoReturn:
    """uvicorn drains on a signal and then raises it again: leaving is success, not death by it."""
    raise SystemExit(0)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main() -> None:
    app()


if __name__ == "__main__":
    main()
