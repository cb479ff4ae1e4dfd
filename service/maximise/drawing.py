"""One job while a worker draws it: what it tells those who watch, and what it leaves behind."""

import base64
import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.checkpoint import Checkpoint
from glyphscope.embedding import Neighbour
from glyphscope.visualise import MaximisationRequest, UnitImage, png, score, settings_of
from service.maximise.events import FRAME, PROGRESS, Log
from service.maximise.film import Film, smaller
from service.maximise.jobs import Jobs, Nearest, Order, Result, ResultScore, Status, replace
from service.maximise.pace import Pace

LARGEST_FRAME = 64
"""Pixels of the longer side of a frame that is sent while it runs."""

Pixels = NDArray[np.uint8]


class Drawing:
    """``running`` is the job's status as it starts; ``shape`` (C, H, W) that of a picture."""

    def __init__(
        self,
        jobs: Jobs,
        order: Order,
        running: Status,
        log: Log,
        shape: tuple[int, int, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.status = running
        self._jobs = jobs
        self._order = order
        self._log = log
        self._steps = settings_of(order.request).steps
        self._film = Film(self._steps, len(order.request.units), shape)
        self._progress, self._frames = Pace(clock), Pace(clock)

    def progress(self, step: int, steps: int) -> None:
        """Counted over the whole job."""
        self.status = self.status.model_copy(update={"step": step, "steps": steps})
        if self._progress.due():
            self._jobs.write(self._order.id, self.status)
            self._log.append(PROGRESS, self._place())
            self._progress.done()

    def frame(self, step: int, units: Sequence[int], images: Pixels) -> None:
        """(N, C, H, W) of N units after ``step`` steps of their own."""
        self._film.add(step, units, images)
        if self._log.full or not self._frames.due():
            return
        self._log.append(FRAME, {**self._place(), "images": _sent(units, images)})
        self._frames.done()

    def finish(self, checkpoint: Checkpoint, images: Sequence[UnitImage]) -> Status:
        """Write the pictures and their films. Returns the status "done", which nobody has yet."""
        job = self._order.id
        strips = self._film.strips({image.unit: image.pixels for image in images})
        for image in images:
            replace(self._jobs.film(job, image.unit), png(strips[image.unit]))
            replace(self._jobs.picture(job, image.unit), png(image.pixels))
        self.status = self.status.model_copy(update={"step": self.status.steps})
        self._log.append(PROGRESS, self._place())
        update = {
            "status": "done",
            "results": results(checkpoint, self._order.request, images),
            "frames": (*self._film.steps, self._steps),
        }
        return self.status.model_copy(update=update)

    def _place(self) -> dict[str, Any]:
        status = self.status
        return {"status": "running", "step": status.step, "steps": status.steps, "position": None}


def _sent(units: Sequence[int], images: Pixels) -> list[dict[str, Any]]:
    factor = math.ceil(max(images.shape[2:]) / LARGEST_FRAME)
    return [
        {"unit": unit, "image": data_uri(png(smaller(image, factor)))}
        for unit, image in zip(units, images, strict=True)
    ]


def data_uri(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode()


def results(
    checkpoint: Checkpoint, request: MaximisationRequest, images: Sequence[UnitImage]
) -> tuple[Result, ...]:
    scores = score(checkpoint, request, images)
    return tuple(
        Result(
            unit=image.unit,
            activation=_finite(image.activation),
            dataset_max=image.dataset_max,
            dead=image.dead,
            score=ResultScore(
                r=_finite(found.r),
                ratio=_finite(found.ratio),
                high_frequency=_finite(found.high_frequency),
                total_variation=_finite(found.total_variation),
                nearest=_nearest(checkpoint, found.nearest),
            ),
        )
        for image, found in zip(images, scores, strict=True)
    )


def _nearest(checkpoint: Checkpoint, found: Neighbour | None) -> Nearest | None:
    if found is None:
        return None
    kept = found.index in checkpoint.images
    return Nearest(index=found.index, label=checkpoint.labels[found.label], kept=kept)


def _finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None
