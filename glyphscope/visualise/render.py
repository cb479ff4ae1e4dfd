"""A checkpoint and a request -> pictures of units: ``maximise``, the one entry point.

A picture depends on the network, the objective, the settings and the seed, never on what was asked
for beside it, nor on the process or the number of cores.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from functools import partial

import torch

from glyphscope.checkpoint import Checkpoint
from glyphscope.snapshots import at
from glyphscope.visualise.batches import batches
from glyphscope.visualise.crew import work
from glyphscope.visualise.drawing import Drawing, Shown, prepared
from glyphscope.visualise.request import MaximisationRequest, resolve, unit_numbers
from glyphscope.visualise.unit_image import Pixels, UnitImage, rectified

MOST_THREADS = 8
"""Beyond, the batches wait for each other in Python."""

Progress = Callable[[int, int], None]
Cancelled = Callable[[], bool]
Frame = Callable[[int, Sequence[int], Pixels], None]


def maximise(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    *,
    threads: int | None = None,
    progress: Progress = lambda step, steps: None,
    cancelled: Cancelled = lambda: False,
    frame: Frame | None = None,
) -> list[UnitImage]:
    """One picture a unit, in the order of the request.

    ``progress(step, steps)`` counts over the whole job. ``frame(step, units, pixels)`` shows
    pictures on their way: uint8 (N, C, H, W), of N units, after ``step`` steps of their own.
    Raises ``Cancelled`` within 0.2 s of ``cancelled()`` turning true, ``NotFound`` for an epoch
    that the checkpoint has no snapshot of.

    Uses ``threads`` cores, a batch each; by default as many as torch is set to in the calling
    thread. All three functions are called in that thread.
    """
    request = resolve(checkpoint.network, request)
    if request.epoch is not None:
        checkpoint = at(checkpoint, request.epoch)
    drawing, threads = prepared(checkpoint, request), _threads(checkpoint.device, threads)
    dead = _dead(drawing, threads, cancelled)
    if request.variants > 1:
        numbers: Iterable[int] = range(request.variants)
        found = {i: image for i in numbers for image in dead.values()}
    else:
        numbers, found = unit_numbers(request), dead
    living = [unit for unit in unit_numbers(request) if unit not in dead]
    found |= _drawn(drawing, living, threads, progress, cancelled, frame)
    return [found[number] for number in numbers]


def _dead(drawing: Drawing, threads: int, cancelled: Cancelled) -> dict[int, UnitImage]:
    """Units that neither an image of the test set nor an attempt brings to answer."""
    checkpoint, request = drawing.checkpoint, drawing.request
    if not isinstance(request.objective, str) or not rectified(checkpoint, request.layer):
        return {}
    known = checkpoint.examples.maximum
    silent = [
        u for u in unit_numbers(request) if not request.closed and known(request.layer, u) == 0
    ]
    found = _drawn(drawing.probe(), silent, threads, lambda step, steps: None, cancelled, None)
    return {unit: image for unit, image in found.items() if image.dead}


def _drawn(
    drawing: Drawing,
    units: Sequence[int],
    threads: int,
    progress: Progress,
    cancelled: Cancelled,
    frame: Frame | None,
) -> dict[int, UnitImage]:
    """By number."""
    checkpoint = drawing.checkpoint
    drawing = drawing.begun(units, threads, cancelled)
    run = batches(drawing.request, units, checkpoint.manifest.input.shape, checkpoint.device)
    steps, done = drawing.settings.steps, [0] * len(run)
    found: dict[int, UnitImage] = {}
    tasks = [partial(drawing.draw, batch, frame is not None) for batch in run]
    with closing(work(tasks, threads, cancelled)) as events:
        for i, event in events:
            if isinstance(event, Shown):
                done[i] = event.step
                if frame is not None and event.pixels is not None:
                    frame(event.step, run[i].numbers, event.pixels)
            else:
                done[i] = steps
                found |= {image.unit: image for image in event}
            progress(sum(done), steps * len(run))
    return found


def _threads(device: torch.device, wanted: int | None) -> int:
    """A GPU has one queue to fill."""
    return min(wanted or torch.get_num_threads(), MOST_THREADS) if device.type == "cpu" else 1
