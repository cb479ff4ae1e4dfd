"""Maximisations as files: what was asked, how far it is, and the pictures.

    STATE/maximisations/ID/request.json    Order: what to draw, from which checkpoint
                           status.json     Status, replaced by one rename
                           events-RUN      what happened while it ran, for those who watch
                           unit-7.png      one a unit, once it is done
                           unit-7.film.png the way to it, frame beside frame
                           grid@4.png ...  what somebody asked for, encoded once
                           trace.json      of the request that ordered it, where that is traced
                           cancel          there from the moment somebody asked to stop
                           lock            held by whoever changes or runs the job
    STATE/maximisations/open/ID            there as long as the job is not finished

The lock is the kernel's (flock), so it falls when its holder dies, however it dies: a job that
says "running" while its lock is free has lost its worker. A folder's time is that of its last use.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal, TypeVar

from pydantic import ValidationError

from glyphscope.spec import Frozen
from glyphscope.visualise import MaximisationRequest, settings_of
from service.versions.resolver import Signature, signature

JOB_ID = re.compile(r"[0-9a-f]{40}")

_GONE = ".gone-"
_TRACE = "trace.json"

T = TypeVar("T", bound=Frozen)

State = Literal["queued", "running", "done", "failed", "cancelled"]


class Order(Frozen):
    """``digest`` is the manifest's: a version that is another network by now is not drawn."""

    id: str
    model: str
    version: int
    digest: str
    request: MaximisationRequest


class Nearest(Frozen):
    """A test image; ``kept``: the version has its pixels, so that it can be shown."""

    index: int
    label: str
    kept: bool


class ResultScore(Frozen):
    """As ``visualise.score``."""

    r: float | None = None
    ratio: float | None = None
    high_frequency: float | None = None
    total_variation: float | None = None
    nearest: Nearest | None = None


class Result(Frozen):
    unit: int
    activation: float | None
    dataset_max: float | None
    dead: bool
    score: ResultScore = ResultScore()


class Status(Frozen):
    """``attempts`` counts how often a worker has taken the job up; ``run`` is another one each time
    the job is put into the queue anew; ``frames`` are the steps that the films show."""

    status: State
    run: str = ""
    step: int = 0
    steps: int = 0
    error: str | None = None
    attempts: int = 0
    results: tuple[Result, ...] = ()
    frames: tuple[int, ...] = ()

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

    def trace(self, job_id: str) -> dict[str, str]:
        """Empty where the order was not traced."""
        try:
            found = json.loads((self._folder(job_id) / _TRACE).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def open_ids(self) -> list[str]:
        return sorted(name for name in os.listdir(self._open) if JOB_ID.fullmatch(name))

    def create(self, order: Order, trace: Mapping[str, str] = MappingProxyType({})) -> Status:
        """Queue it, or queue it again. Call with the lock held. ``trace``: see ``Tracing``."""
        folder = self._folder(order.id)
        self.clear_cancel(order.id)
        for log in folder.glob("events-*"):
            log.unlink(missing_ok=True)
        (folder / _TRACE).unlink(missing_ok=True)
        if trace:
            replace(folder / _TRACE, json.dumps(dict(trace)).encode())
        replace(folder / "request.json", order.model_dump_json().encode())
        (self._open / order.id).touch()
        run = f"{time.time_ns():x}"
        status = Status(status="queued", run=run, steps=settings_of(order.request).steps)
        self.write(order.id, status)
        return status

    def write(self, job_id: str, status: Status) -> None:
        replace(self._folder(job_id) / "status.json", status.model_dump_json().encode())
        if status.finished:
            (self._open / job_id).unlink(missing_ok=True)

    def forget(self, job_id: str) -> None:
        """An open job without documents: whoever made it died before it was one."""
        (self._open / job_id).unlink(missing_ok=True)

    def picture(self, job_id: str, unit: int) -> Path:
        return self._folder(job_id) / f"unit-{unit}.png"

    def film(self, job_id: str, unit: int) -> Path:
        return self._folder(job_id) / f"unit-{unit}.film.png"

    def encoded(self, job_id: str, name: str) -> Path:
        """A file that can be made again from the pictures."""
        return self._folder(job_id) / name

    def log(self, job_id: str, run: str) -> Path:
        return self._folder(job_id) / f"events-{run}"

    def look(self, job_id: str, run: str = "") -> Callable[[], Signature]:
        """Gives another signature when the status, or the log of ``run``, were written. No
        reading, and 6 us: it is called by everybody who waits, all the time."""
        paths = self._folder(job_id) / "status.json", self.log(job_id, run)
        return lambda: signature(*paths)

    def unknown(self, job_id: str) -> bool:
        return not (self._folder(job_id) / "status.json").exists()

    def complete(self, job_id: str, status: Status) -> bool:
        """Done, and nobody has tidied a picture away."""
        if status.status != "done":
            return False
        try:
            there = set(os.listdir(self._folder(job_id)))
        except FileNotFoundError:  # evicted just now
            return False
        return all(self.picture(job_id, result.unit).name in there for result in status.results)

    def ask_cancel(self, job_id: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self._folder(job_id) / "cancel").touch()

    def clear_cancel(self, job_id: str) -> None:
        (self._folder(job_id) / "cancel").unlink(missing_ok=True)

    def cancel_asked(self, job_id: str) -> bool:
        return (self._folder(job_id) / "cancel").exists()

    @contextlib.contextmanager
    def lock(self, job_id: str) -> Iterator[bool]:
        """Yields whether it was free; never waits. Makes the folder where there is none."""
        path = self._folder(job_id) / "lock"
        try:
            path.parent.mkdir(exist_ok=True)
            file = path.open("w")
        except FileNotFoundError:  # evicted between the two
            yield False
            return
        with file:
            yield _locked(file, path)

    def used(self, job_id: str) -> None:
        """What is used is evicted last."""
        with contextlib.suppress(OSError):
            os.utime(self._folder(job_id))

    def finished_ids(self) -> list[str]:
        """Those of all folders that are not marked as open."""
        waiting = set(self.open_ids())
        return [
            name for name in os.listdir(self.root) if JOB_ID.fullmatch(name) if name not in waiting
        ]

    def footprint(self, job_id: str) -> tuple[float, int]:
        """When it was last used, and its bytes on disk. Raises ``FileNotFoundError``."""
        folder = self._folder(job_id)
        with os.scandir(folder) as found:
            size = sum(_size(entry) for entry in found)
        return folder.stat().st_mtime, size

    def evict(self, job_id: str) -> bool:
        """Whether it is gone: one that is open, or that somebody holds, stays."""
        folder = self._folder(job_id)
        with self.lock(job_id) as free:
            if not free or (self._open / job_id).exists():
                return False
            folder.rename(self.root / f"{_GONE}{uuid.uuid4().hex}")
        self.sweep()
        return True

    def sweep(self) -> None:
        """What was evicted, also by somebody who died over it."""
        for gone in self.root.glob(f"{_GONE}*"):
            shutil.rmtree(gone, ignore_errors=True)

    def _folder(self, job_id: str) -> Path:
        if not JOB_ID.fullmatch(job_id):
            raise ValueError(f"not the id of a maximisation: {job_id!r}")
        return self.root / job_id


def _locked(file: IO[str], path: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Held on a folder that was evicted meanwhile, it would say nothing of the new one.
    return signature(path)[0][0] == os.fstat(file.fileno()).st_ino


def _size(entry: os.DirEntry[str]) -> int:
    """In blocks: many small files take more room than their bytes."""
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except FileNotFoundError:
        return 0


def _read(path: Path, kind: type[T]) -> T | None:
    """None for a file that is absent, and for one that a full disk or a crash left unreadable."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def replace(path: Path, data: bytes) -> None:
    """Whole or not at all, for whoever reads it."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    part.write_bytes(data)
    os.replace(part, path)
