"""Mark 6: a whole layer against one unit after the other, first frame, one picture.

The bare loop is what a first version would be: Adam on pixels, one unit at a time, as many steps as
ours, no transforms and no charges, the whole network run.

Seconds are of one core, as the system counts them: on a busy machine, too, they are nearly what a
clock would show on a quiet one. A layer on two cores at once is timed by the clock.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glyphscope.activations import listen
from glyphscope.checkpoint import Checkpoint
from glyphscope.picture import Pixels
from glyphscope.preprocess import normalise
from glyphscope.visualise import MaximisationRequest, maximise
from glyphscope.visualise.request import settings_of

LAYER, UNITS = "out2", 64


@dataclass(frozen=True)
class Speed:
    """Seconds. ``first``: to the first frame of one picture; ``cold``: the very first picture of a
    layer, which begins by looking for what its units like; ``both``: a layer on two cores."""

    cold: float
    first: float
    one: float
    layer: float
    both: float
    bare: float


def measured(checkpoint: Checkpoint) -> Speed:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        checkpoint.memory.clear()
        cold, _ = _one(checkpoint, 0)
        pairs = [_one(checkpoint, unit) for unit in range(1, 6)]
        one, first = (sorted(each)[len(pairs) // 2] for each in zip(*pairs, strict=True))
        whole = MaximisationRequest(layer=LAYER, units=tuple(range(UNITS)))
        began = time.process_time()
        maximise(checkpoint, whole)
        layer = time.process_time() - began
        began = time.perf_counter()
        maximise(checkpoint, whole, threads=2)
        both = time.perf_counter() - began
        began = time.process_time()
        for unit in range(UNITS // 8):
            _bare(checkpoint, unit)
        return Speed(cold, first, one, layer, both, (time.process_time() - began) * 8)
    finally:
        torch.set_num_threads(before)


def _one(checkpoint: Checkpoint, unit: int) -> tuple[float, float]:
    """(whole, to the first frame)."""
    frames: list[float] = []

    def frame(_step: int, _units: Sequence[int], _pixels: Pixels) -> None:
        frames.append(time.process_time())

    began = time.process_time()
    maximise(checkpoint, MaximisationRequest(layer=LAYER, units=(unit,)), frame=frame)
    return time.process_time() - began, frames[0] - began


def _bare(checkpoint: Checkpoint, unit: int) -> None:
    spec = checkpoint.manifest.input
    image = torch.rand(1, *spec.shape, generator=torch.Generator().manual_seed(unit))
    image.requires_grad_()
    adam = torch.optim.Adam([image], lr=0.05)
    steps = settings_of(MaximisationRequest(layer=LAYER)).steps
    with listen(checkpoint.network, [LAYER]) as heard:
        for _ in range(steps):
            adam.zero_grad()
            checkpoint.network(normalise(image, spec))
            (-heard[LAYER][0, unit].mean()).backward()
            adam.step()
