"""How cells are spread over one machine: one after the other here, or over worker processes.

Workers are spawned, not forked: a fork of a process that has used PyTorch's threads or CUDA may
hang. Each speaks over a pipe of its own, so it ends when this process does, however that ends.
"""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

import torch

from glyphscope.errors import GlyphscopeError
from training.sweep.cell import Place, Progress, Watcher, failure, train
from training.sweep.plan import Cell
from training.sweep.results import Result

Engine = Callable[[Sequence[Cell], Place, Watcher], None]
"""Trains all cells as the place says, and tells the watcher of progress and results."""

_SECONDS_BETWEEN_REPORTS = 0.2

_Busy = dict[Connection, "_Worker"]


class WorkerDied(GlyphscopeError):
    code = "worker-died"
    title = "A worker process ended"


def cores() -> int:
    """Those that this process may use, which in a container are fewer than the machine has."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def local(cells: Sequence[Cell], place: Place, watcher: Watcher) -> None:
    spread = _here if place.jobs == 1 else over_workers
    spread(cells, place, watcher)


def _here(cells: Sequence[Cell], place: Place, watcher: Watcher) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(place.threads)
    try:
        for cell in cells:
            watcher.ended(train(cell, place, watcher.progressed))
    finally:
        torch.set_num_threads(before)


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    cell: Cell


def over_workers(cells: Sequence[Cell], place: Place, watcher: Watcher) -> None:
    waiting = deque(cells)
    with _ended_with_the_sweep() as busy:
        while waiting or busy:
            while waiting and len(busy) < place.jobs:
                worker = _start(place, waiting.popleft())
                busy[worker.pipe] = worker
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                said = _hear(busy[pipe], place)
                if isinstance(said, Progress):
                    watcher.progressed(said)
                else:
                    watcher.ended(said)
                    _go_on(busy, pipe, waiting)


def _go_on(busy: _Busy, pipe: Connection, waiting: deque[Cell]) -> None:
    """Hand a free worker its next cell; one that died, or that has none, is put away."""
    worker = busy[pipe]
    if waiting and worker.process.is_alive():
        worker.cell = waiting.popleft()
        with suppress(OSError):  # it died just now: the next message is the end of its pipe
            pipe.send(worker.cell)
        return
    del busy[pipe]
    pipe.close()
    worker.process.join()


def _hear(worker: _Worker, place: Place) -> Progress | Result:
    try:
        said: Progress | Result = worker.pipe.recv()
    except (EOFError, OSError):
        worker.process.join()
        died = WorkerDied(f"its process ended with exit code {worker.process.exitcode}")
        return failure(worker.cell, place, "failed", died)
    return said


def _start(place: Place, cell: Cell) -> _Worker:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there, place), daemon=True)
    process.start()
    there.close()
    here.send(cell)
    return _Worker(process, here, cell)


@contextmanager
def _ended_with_the_sweep() -> Iterator[_Busy]:
    busy: _Busy = {}
    try:
        yield busy
    finally:
        for worker in busy.values():
            worker.process.terminate()
        for worker in busy.values():
            worker.process.join()
            worker.pipe.close()


def _serve(pipe: Connection, place: Place) -> None:
    """A worker's whole life: a cell in, its progress and its result out."""
    # Ctrl-C reaches every process of the terminal; the one that started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(place.threads)
    told = 0.0

    def tell(progress: Progress) -> None:
        nonlocal told
        if progress.done.is_integer() or time.monotonic() - told > _SECONDS_BETWEEN_REPORTS:
            told = time.monotonic()
            pipe.send(progress)

    with suppress(EOFError, BrokenPipeError):
        while True:
            pipe.send(train(pipe.recv(), place, tell))
