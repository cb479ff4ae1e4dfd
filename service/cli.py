"""``glyphscope-serve``: the server, and the worker process beside it."""

import errno
import os
import signal
import socket
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from service.app import create_app
from service.command import fail, failures, typer_app
from service.device import resolve_device
from service.logs import configure_logging
from service.settings import Settings, load_settings
from service.supervisor import Supervisor

FACTORY = "service.app:from_environment"
BACKLOG = 2048

START_SECONDS = 120
"""uvicorn takes a process that is silent for this long for hung and replaces it. One that imports
PyTorch on a busy machine is silent for much longer than uvicorn's own 5 s."""

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
    application = _application(settings)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        stack.enter_context(Supervisor(settings.environment()) if with_worker else nullcontext())
        typer.echo(f"Glyphscope: {_url(listener)}  (Ctrl+C stops it)", err=True)
        _serve(_config(application, settings), listener)


def _application(settings: Settings) -> FastAPI | str:
    if settings.workers == 1:
        return create_app(settings)
    # uvicorn's processes make their own, from the environment that they inherit.
    os.environ.update(settings.environment())
    return FACTORY


def listen(host: str, port: int) -> socket.socket:
    """Listening at once: who connects while models load waits instead of being refused."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EADDRINUSE:
            reason = "the port is in use; choose another with --port, or stop what listens there"
        fail(f"cannot listen on {host}:{port}: {reason}", code=1)


def _config(application: FastAPI | str, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        workers=settings.workers,
        factory=isinstance(application, str),
        backlog=BACKLOG,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
        timeout_worker_healthcheck=START_SECONDS,
    )


def _serve(config: uvicorn.Config, listener: socket.socket) -> None:
    if config.workers > 1:
        Multiprocess(config, sockets=[listener]).run()
    else:
        uvicorn.Server(config).run(sockets=[listener])


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
