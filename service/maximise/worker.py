"""``glyphscope-worker``: the process that draws maximisations, one at a time.

Start one on any machine that shares the state folder, the store and the queue; each takes the next
job, and draws it on every core there is. For many small jobs start several, with fewer
``drawing_threads`` each. SIGTERM puts the job at hand back into the queue.
"""

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from glyphscope.store import Store
from service.command import failures, typer_app
from service.inference.device import resolve_device
from service.maximise.cache import Cache
from service.maximise.heartbeat import Heartbeat, workers_alive
from service.maximise.jobs import Jobs
from service.maximise.loaded import Loaded
from service.maximise.queue import Queue
from service.maximise.tasks import Maximise, Tasks, library_maximise
from service.processes.capacity import cores
from service.processes.niceness import give_way
from service.settings import Settings, load_settings
from service.tracing import Tracing, log_and_trace

BEAT_SECONDS = 1.0

NICE = 10
"""Of a worker beside a server: where cores are few, classifications go first."""

_SHUTDOWN_SECONDS = 10.0

SIGNALS = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger("glyphscope.worker")

app = typer_app()


@app.command()
def worker(
    store: Annotated[Path | None, typer.Option(help="folder of published checkpoints")] = None,
    state: Annotated[Path | None, typer.Option(help="folder of the queue and the pictures")] = None,
    queue: Annotated[str | None, typer.Option(help="redis://...; default: SQLite in STATE")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error")] = None,
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Draw the maximisations that a server queues. Every option is also GLYPHSCOPE_... in the
    environment."""
    with failures():
        settings = load_settings(
            store=store, state=state, queue=queue, device=device, log_level=log_level
        )
        tracing = log_and_trace(settings.log_level)
        run_worker(settings, until_stdin_closes=until_stdin_closes, tracing=tracing)
        if tracing is not None:
            tracing.close()


def run_worker(
    settings: Settings,
    maximise: Maximise | None = None,
    *,
    until_stdin_closes: bool = False,
    tracing: Tracing | None = None,
) -> None:
    """Returns after SIGTERM or SIGINT, or when standard input ends: a parent that dies, even by
    SIGKILL, closes it."""
    if until_stdin_closes:
        give_way(NICE)
    # One thread a batch: sums in another order would give other bytes under the same name.
    torch.set_num_threads(1)
    threads = settings.drawing_threads or cores()
    stopped, stopping = StopPipe(until_stdin_closes), threading.Event()
    beat = Heartbeat(settings.state)
    queue = Queue(settings)
    jobs = Jobs(settings.state)
    tasks = Tasks(
        jobs=jobs,
        loaded=Loaded(Store(settings.store), resolve_device(settings.device)),
        enqueue=queue.enqueue,
        cache=Cache(jobs, settings.max_cache_bytes, lambda: workers_alive(settings.state)),
        stopping=stopping.is_set,
        maximise=maximise or partial(library_maximise, threads=threads),
        tracing=tracing,
    )
    queue.take_with(tasks.run)
    consumer = queue.consumer(_SHUTDOWN_SECONDS)
    with stopped.listening():
        consumer.start()
    while True:
        beat.beat()
        consumer.check_worker_health()
        _recover(tasks, queue)
        if stopped.wait(BEAT_SECONDS):
            break
    stopping.set()
    consumer.stop(graceful=True)
    beat.stop()


def _recover(tasks: Tasks, queue: Queue) -> None:
    try:
        tasks.recover(set(queue.waiting()))
    except Exception:
        # The queue may be on another machine; it comes back or it does not, this loop stays.
        logger.exception("the queue does not answer")


class StopPipe:
    """Signals as bytes in a pipe: the handler does nothing that could wait for the main thread."""

    def __init__(self, stdin_too: bool) -> None:
        self._read, self._write = os.pipe()
        self._sources = [self._read, sys.stdin.fileno()] if stdin_too else [self._read]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the signals over from whatever the block installs; those sent meanwhile wait."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            yield
            for number in SIGNALS:
                signal.signal(number, lambda *_: os.write(self._write, b"."))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def wait(self, seconds: float) -> bool:
        """Whether it is time to stop."""
        readable, _, _ = select.select(self._sources, [], [], seconds)
        return bool(readable)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
