"""``glyphscope-serve``: watches over the processes that serve, and the worker beside them."""

import errno
import functools
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Annotated, NoReturn

import typer

from service.command import fail, failures, typer_app
from service.inference.device import has_driver
from service.logs import configure_logging
from service.maximise.supervisor import Supervisor
from service.metrics import shared_counters
from service.processes.capacity import cores, default_workers
from service.processes.collector import at_rest
from service.processes.listeners import allow_connections, listen
from service.processes.probe import gpus
from service.processes.workers import Beat, Workers, forked, warm
from service.settings import Settings, load_settings

SLACK = 5.0
"""Seconds that a process may take to end after its last request."""

PRELOAD = "service.processes.preload"

app = typer_app()


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on  [127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes any free port  [8000]")] = None,
    workers: Annotated[
        int | None, typer.Option(help="processes that serve  [one a core, or a GPU]")
    ] = None,
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
    allow_connections()
    settings.state.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def draw() -> None:
            """Once there is somebody to draw for: until then the cores are theirs."""
            if with_worker:
                stack.enter_context(Supervisor(settings.environment()))

        # Whoever asks for one process has something of their own that watches it.
        code = (_serve_here if settings.workers == 1 else _watch)(stack, settings, draw)
    raise typer.Exit(code)


def _serve_here(stack: ExitStack, settings: Settings, draw: Callable[[], None]) -> int:
    settings, listeners, admin = _open(stack, settings, 1)
    serving = _serving()
    application = serving.application(settings)
    _tell(listeners, admin)
    drawing = False

    def beat() -> None:
        nonlocal drawing
        if not drawing:
            drawing = True
            draw()

    serving.serve(application, settings, [*listeners, *admin], beat)
    return 0


def _watch(stack: ExitStack, settings: Settings, draw: Callable[[], None]) -> int:
    # Before a process starts: it finds the counters' folder in its environment.
    stack.enter_context(shared_counters())
    context = forked(PRELOAD)
    # The first has no PyTorch, so it serves before that has been imported for the others.
    first = None if has_driver() else get_context("spawn")
    if cores() > 1:  # or the first, which has to import as well, would be held up by it
        warm()
    count = settings.workers or default_workers(gpus(settings.device, context))
    settings, listeners, admin = _open(stack, settings, count)
    _tell(listeners, admin)
    patience = settings.drain_delay_seconds + settings.drain_seconds + SLACK
    serve_one = functools.partial(_serve_one, settings, admin)

    def serves() -> None:
        warm()
        draw()

    hang_seconds = settings.hang_seconds
    return Workers(
        serve_one, listeners, patience, context, hang_seconds, admin, serves, first
    ).run()


def _serve_one(
    settings: Settings, admin: list[socket.socket], index: int, listener: socket.socket, beat: Beat
) -> None:
    _serving().serve_one(settings, admin, index, listener, beat)


def _serving() -> ModuleType:
    # Only where it is needed: the process that watches imports no framework.
    with at_rest():
        from service.processes import serving
    return serving


def _open(
    stack: ExitStack, settings: Settings, count: int
) -> tuple[Settings, list[socket.socket], list[socket.socket]]:
    """(settings with the port of admins, sockets for everybody, for admins)"""
    listeners = _listen(settings, settings.port, count)
    admin = _listen(settings, settings.admin_port, 1) if settings.admin_port is not None else []
    for listener in [*listeners, *admin]:
        stack.enter_context(listener)
    for listener in admin:
        settings = settings.model_copy(update={"admin_port": listener.getsockname()[1]})
    return settings, listeners, admin


def _tell(listeners: list[socket.socket], admin: list[socket.socket]) -> None:
    for listener in admin:
        typer.echo(f"Glyphscope, admin: {_url(listener)}", err=True)
    typer.echo(f"Glyphscope: {_url(listeners[0])}  (Ctrl+C stops it)", err=True)


def _listen(settings: Settings, port: int, count: int) -> list[socket.socket]:
    try:
        return listen(settings.host, port, count)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use; choose another with --port, or stop what listens there"
        fail(f"cannot listen on {settings.host}:{port}: {reason}", code=1)


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def main() -> None:
    app()


if __name__ == "__main__":
    main()
