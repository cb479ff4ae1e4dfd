"""What a worker does with a job: run it under its lock, and take up again what others left.

Tasks.run(job_id)    draws the pictures, or writes down why not
Tasks.recover()      queues again every open job that no worker and no queue holds
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from glyphscope import visualise
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import Cancelled, Conflict, GlyphscopeError
from glyphscope.store import Ref
from glyphscope.visualise import MaximisationRequest, UnitImage
from service.maximise.cache import Cache
from service.maximise.drawing import Drawing, Pixels
from service.maximise.events import Log
from service.maximise.jobs import Jobs, Order, Status
from service.maximise.loaded import Loaded
from service.tracing import Tracing

MAX_ATTEMPTS = 3

_PATIENCE_SECONDS = 5.0

logger = logging.getLogger("glyphscope.worker")


class Maximise(Protocol):
    """``visualise.maximise``, or what a test puts in its place."""

    def __call__(
        self,
        checkpoint: Checkpoint,
        request: MaximisationRequest,
        *,
        progress: Callable[[int, int], None],
        frame: Callable[[int, Sequence[int], Pixels], None],
        cancelled: Callable[[], bool],
    ) -> list[UnitImage]: ...


def library_maximise(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    *,
    progress: Callable[[int, int], None],
    frame: Callable[[int, Sequence[int], Pixels], None],
    cancelled: Callable[[], bool],
    threads: int = 1,
) -> list[UnitImage]:
    """On so many cores."""
    return visualise.maximise(
        checkpoint, request, progress=progress, frame=frame, cancelled=cancelled, threads=threads
    )


@dataclass(frozen=True)
class Tasks:
    jobs: Jobs
    loaded: Loaded
    enqueue: Callable[[str], None]
    cache: Cache
    stopping: Callable[[], bool] = lambda: False
    maximise: Maximise = library_maximise
    tracing: Tracing | None = None

    def run(self, job_id: str) -> None:
        """Returns at once where the job is finished or another worker has it."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with self.jobs.lock(job_id) as free:
                if free:
                    self._run(job_id)
                    return
            status = self.jobs.status(job_id)
            if status is not None and status.status == "running":
                return
            # Whoever made or cancels the job is about to let go of it.
            time.sleep(0.01)

    def recover(self, waiting: set[str]) -> None:
        """``waiting``: the ids in the queue."""
        for job_id in self.jobs.open_ids():
            with self.jobs.lock(job_id) as free:
                if free:
                    self._recover(job_id, job_id in waiting)

    def _run(self, job_id: str) -> None:
        order, status = self.jobs.order(job_id), self.jobs.status(job_id)
        if order is None or status is None or status.finished:
            return
        if self._worn_out(job_id, status):
            return
        running = Status(
            status="running", run=status.run, steps=status.steps, attempts=status.attempts + 1
        )
        self.jobs.write(job_id, running)
        with self._traced(order) as ended:
            outcome = self._outcome(order, running)
            ended(outcome.status)
        self.jobs.write(job_id, outcome)
        if outcome.finished:
            self.cache.grown(job_id)
        else:
            self.enqueue(job_id)

    def _traced(self, order: Order) -> AbstractContextManager[Callable[[str], None]]:
        if self.tracing is None:
            return nullcontext(lambda how: None)
        ref = Ref(order.model, order.version)
        carrier = self.jobs.trace(order.id)
        return self.tracing.job("maximise", carrier, model=str(ref), job=order.id)

    def _outcome(self, order: Order, running: Status) -> Status:
        def ends(status: str, error: str | None = None) -> Status:
            last = self.jobs.status(order.id) or running
            return Status.model_validate({**last.model_dump(), "status": status, "error": error})

        try:
            return self._draw(order, running)
        except Cancelled:
            if self.jobs.cancel_asked(order.id):
                return ends("cancelled")
            # This worker has to go; the job has not, and what it did counts for nothing.
            return running.model_copy(update={"status": "queued", "attempts": running.attempts - 1})
        except GlyphscopeError as error:
            return ends("failed", str(error))
        except Exception:
            logger.exception("maximisation %s failed", order.id)
            return ends("failed", "an internal error stopped it; the worker's log knows more")

    def _draw(self, order: Order, running: Status) -> Status:
        checkpoint = self.loaded.get(Ref(order.model, order.version))
        if checkpoint.manifest.digest != order.digest:
            raise Conflict(f"{order.model}@{order.version} is no longer the network it was")
        with Log(self.jobs.log(order.id, running.run)) as log:
            drawing = Drawing(self.jobs, order, running, log, checkpoint.manifest.input.shape)
            images = self.maximise(
                checkpoint,
                order.request,
                progress=drawing.progress,
                frame=drawing.frame,
                cancelled=lambda: self.stopping() or self.jobs.cancel_asked(order.id),
            )
            return drawing.finish(checkpoint, images)

    def _recover(self, job_id: str, waits: bool) -> None:
        status = self.jobs.status(job_id)
        if status is None or status.finished or self.jobs.order(job_id) is None:
            self.jobs.forget(job_id)
            return
        if status.status == "running":
            logger.warning("maximisation %s lost its worker", job_id)
            if self._worn_out(job_id, status):
                return
            update = {"status": "queued", "step": 0}
            self.jobs.write(job_id, status.model_copy(update=update))
        elif waits:
            return
        self.enqueue(job_id)

    def _worn_out(self, job_id: str, status: Status) -> bool:
        if self.jobs.cancel_asked(job_id):
            self.jobs.write(job_id, status.model_copy(update={"status": "cancelled"}))
            return True
        if status.attempts < MAX_ATTEMPTS:
            return False
        error = f"its worker process died {status.attempts} times while it drew this"
        self.jobs.write(job_id, status.model_copy(update={"status": "failed", "error": error}))
        return True
