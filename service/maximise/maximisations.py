"""Jobs as the routes see them: created once, read, waited for, cancelled."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from glyphscope.errors import Busy, Conflict
from service.maximise.jobs import Jobs, Order, Result, ResultScore, Status
from service.maximise.queue import Queue

# Somebody else holds a job's lock for as long as it takes to write two small files.
_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.01


class Maximisations:
    """Blocking: call it in a thread."""

    def __init__(self, jobs: Jobs, queue: Queue, max_waiting: int = 64) -> None:
        self.jobs = jobs
        self.queue = queue
        self._max_waiting = max_waiting

    def create(self, order: Order, trace: Mapping[str, str] = MappingProxyType({})) -> bool:
        """Whether it was put into the queue now; an equal one, wanted or done, stays as it is.

        Raises ``Busy`` where too many are unfinished.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self._stands(order.id):
                self.jobs.used(order.id)
                return False
            with self.jobs.lock(order.id) as free:
                if free:
                    return self._create(order, trace)
            time.sleep(_PAUSE_SECONDS)
        raise Busy(f"maximisation {order.id} is held by another request; try again in a moment")

    def document(self, job_id: str) -> dict[str, Any] | None:
        """None where there is no such job."""
        order, status = self.jobs.order(job_id), self.jobs.status(job_id)
        if order is None or status is None:
            return None
        home = f"/v1/maximisations/{job_id}"
        request = order.request.model_dump(mode="json")
        done = status.status == "done"
        return {
            "id": job_id,
            "model": order.model,
            "version": order.version,
            "layer": order.request.layer,
            "objective": request["objective"],
            "status": status.status,
            "position": self._ahead(job_id) if status.status == "queued" else None,
            "step": status.step,
            "steps": status.steps,
            "error": status.error,
            "request": request,
            "events": f"{home}/events",
            "grid": f"{home}/grid.png" if done else None,
            "animation": f"{home}/animation.webp" if done and status.frames else None,
            "frames": list(status.frames),
            "results": [_result(result, order, home, status) for result in status.results],
        }

    def cancel(self, job_id: str) -> None:
        """A queued job ends here; a running one within a few steps of its worker."""
        status = self.jobs.status(job_id)
        if status is None or status.finished:
            return
        self.jobs.ask_cancel(job_id)
        with self.jobs.lock(job_id) as free:
            status = self.jobs.status(job_id)
            # Free, and not finished: nobody runs it, so nobody else will say that it is over.
            if free and status is not None and not status.finished:
                self.jobs.write(job_id, status.model_copy(update={"status": "cancelled"}))

    def finished(self, job_id: str) -> bool:
        status = self.jobs.status(job_id)
        return status is None or status.finished

    def done(self, job_id: str) -> Status:
        """The status of a job that is done. Raises ``Conflict`` for any other."""
        status = self.jobs.status(job_id)
        if status is None or status.status != "done":
            state = status.status if status else "unknown"
            raise Conflict(f"maximisation {job_id} is {state}; it has pictures once it is done")
        return status

    def read(self, job_id: str, path: Path) -> bytes:
        """A picture of a job that is done. Raises ``Conflict`` where it was tidied away."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            raise Conflict(
                f"a picture of maximisation {job_id} was removed from the cache; "
                "send its request again to have it drawn again"
            ) from None

    def _ahead(self, job_id: str) -> int | None:
        """How many queued jobs come before it; None where the queue does not know."""
        still = set(self.jobs.open_ids())
        try:
            waiting = [name for name in self.queue.waiting() if name in still]
        except Busy:
            return None
        return waiting.index(job_id) if job_id in waiting else None

    def _stands(self, job_id: str) -> bool:
        status = self.jobs.status(job_id)
        if status is None or self.jobs.order(job_id) is None:
            return False
        return not status.finished or self.jobs.complete(job_id, status)

    def _create(self, order: Order, trace: Mapping[str, str]) -> bool:
        if self._stands(order.id):
            return False
        if len(self.jobs.open_ids()) >= self._max_waiting:
            raise Busy(f"{self._max_waiting} maximisations are unfinished; try again later")
        self.jobs.create(order, trace)
        try:
            self.queue.enqueue(order.id)
        except Busy as error:
            self.jobs.write(order.id, Status(status="failed", error=str(error)))
            raise
        return True


def _result(result: Result, order: Order, home: str, status: Status) -> dict[str, Any]:
    return {
        **result.model_dump(exclude={"score"}),
        "score": _score(result.score, order),
        "image": f"{home}/units/{result.unit}.png",
        "film": f"{home}/units/{result.unit}/film.png" if status.frames else None,
    }


def _score(score: ResultScore, order: Order) -> dict[str, Any]:
    document = score.model_dump(exclude={"nearest"})
    near = score.nearest
    if near is None:
        return {**document, "nearest": None}
    image = f"/v1/models/{order.model}@{order.version}/images/{near.index}.png"
    place = {"index": near.index, "label": near.label, "image": image if near.kept else None}
    return {**document, "nearest": place}
