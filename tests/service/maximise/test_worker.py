"""A worker process, from the job in its queue to the files."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glyphscope.folder import read_manifest
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest
from service.maximise.jobs import Jobs, Order, Result
from service.maximise.queue import Queue
from service.maximise.supervisor import COMMAND
from service.processes.python_path import python_path
from service.settings import Settings

ID = "c" * 40
UNITS = tuple(range(10))
"""More than a batch holds."""

Left = tuple[tuple[Result, ...], dict[str, bytes]]


@pytest.fixture
def drawn(
    tmp_path: Path, publish: Callable[..., Any], store: Store, wait_for: Callable[..., None]
) -> Callable[[int], Left]:
    """``drawn(threads)``: what is left of a job when a worker of so many threads is done."""
    publish()
    digest = read_manifest(store.root / "mnist" / "1").digest
    request = MaximisationRequest(layer="logits", units=UNITS, steps=20)
    order = Order(id=ID, model="mnist", version=1, digest=digest, request=request)

    def drawn(threads: int) -> Left:
        settings = Settings(
            store=store.root, state=tmp_path / f"on-{threads}", drawing_threads=threads
        )
        jobs = Jobs(settings.state)
        with jobs.lock(ID):
            jobs.create(order)
        Queue(settings).enqueue(ID)
        environment = {**os.environ, **settings.environment(), "PYTHONPATH": python_path()}
        with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, env=environment) as worker:
            wait_for(lambda: finished(jobs) or worker.poll() is not None)
            worker.terminate()
        status = jobs.status(ID)
        assert status is not None
        assert status.status == "done", status.error
        files = [path(ID, unit) for unit in UNITS for path in (jobs.picture, jobs.film)]
        return status.results, {file.name: file.read_bytes() for file in files}

    return drawn


def finished(jobs: Jobs) -> bool:
    status = jobs.status(ID)
    return status is not None and status.finished


def test_the_number_of_its_threads_does_not_show(
    drawn: Callable[[int], Left],
) -> None:
    results, files = drawn(1)
    assert [each.unit for each in results] == [*UNITS]
    assert drawn(2) == (results, files)
