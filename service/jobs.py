"""Maximisations as files: what was asked, how far it is, and the pictures.

    STATE/maximisations/ID/request.json    Order: what to draw, from which checkpoint
                           status.json     Status, replaced by one rename
                           unit-7.png      one a unit, once it is done
                           cancel          there from the moment somebody asked to stop
                           lock            held by whoever changes or runs the job
    STATE/maximisations/open/ID            there as long as the job is not finished

The lock is the kernel's (flock), so it falls when its holder dies, however it dies: a job that
says "running" while its lock is free has lost its worker.
"""

import contextlib
import fcntl
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError

from glyphscope.spec import Frozen
from glyphscope.visualise import MaximisationRequest

JOB_ID = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T", bound=Frozen)

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Order(Frozen):
    """``digest`` is the manifest's: a version that is another network by now is not drawn."""

    id: str
    model: str
    version: int
    digest: str
    request: MaximisationRequest


class Result(Frozen):
    unit: int
    activation: float | None
    dataset_max: float | None
    dead: bool


class Status(Frozen):
    """``attempts`` counts how often a worker has taken the job up."""

    status: State
    step: int = 0
    steps: int = 0
    error: str | None = None
    attempts: int = 0
    results: tuple[Result, ...] = ()

    @property
    def finished(self) -> bool:
        return self.status in ("done", "failed", "cancelled")


class Jobs:
    """Blocking, small files; safe between threads, processes and machines that share the folder."""

    def __init__(self, state: Path) -> None:
        self.root = state / "maximisations"
        self._open = self.root / "open"
        self._open.mkdir(parents=True, exist_ok=True)

    def order(self, job_id: str) -> Order | None:
        return _read(self._folder(job_id) / "request.json", Order)

    def status(self, job_id: str) -> Status | None:
        return _read(self._folder(job_id) / "status.json", Status)

    def open_ids(self) -> list[str]:
        return sorted(name for name in os.listdir(self._open) if JOB_ID.fullmatch(name))

    def create(self, order: Order) -> Status:
        """Queue it, or queue it again. Call with the lock held."""
        folder = self._folder(order.id)
        self.clear_cancel(order.id)
        _replace(folder / "request.json", order.model_dump_json().encode())
        (self._open / order.id).touch()
        status = Status(status="queued", steps=order.request.steps)
        self.write(order.id, status)
        return status

    def write(self, job_id: str, status: Status) -> None:
        _replace(self._folder(job_id) / "status.json", status.model_dump_json().encode())
        if status.finished:
            (self._open / job_id).unlink(missing_ok=True)

    def forget(self, job_id: str) -> None:
        """An open job without documents: whoever made it died before it was one."""
        (self._open / job_id).unlink(missing_ok=True)

    def picture(self, job_id: str, unit: int) -> Path:
        return self._folder(job_id) / f"unit-{unit}.png"

    def write_picture(self, job_id: str, unit: int, data: bytes) -> None:
        _replace(self.picture(job_id, unit), data)

    def complete(self, job_id: str, status: Status) -> bool:
        """Done, and nobody has tidied a picture away."""
        pictures = (self.picture(job_id, result.unit) for result in status.results)
        return status.status == "done" and all(path.is_file() for path in pictures)

    def ask_cancel(self, job_id: str) -> None:
        (self._folder(job_id) / "cancel").touch()

    def clear_cancel(self, job_id: str) -> None:
        (self._folder(job_id) / "cancel").unlink(missing_ok=True)

    def cancel_asked(self, job_id: str) -> bool:
        return (self._folder(job_id) / "cancel").exists()

    @contextlib.contextmanager
    def lock(self, job_id: str) -> Iterator[bool]:
        """Yields whether it was free; never waits. Makes the folder where there is none."""
        folder = self._folder(job_id)
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _folder(self, job_id: str) -> Path:
        if not JOB_ID.fullmatch(job_id):
            raise ValueError(f"not the id of a maximisation: {job_id!r}")
        return self.root / job_id


def _read(path: Path, kind: type[T]) -> T | None:
    """None for a file that is absent, and for one that a full disk or a crash left unreadable."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    part.write_bytes(data)
    os.replace(part, path)
