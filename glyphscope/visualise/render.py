"""A checkpoint and a request -> pictures of units: ``maximise``, the one entry point.

Units are run in padded chunks of one fixed size, because kernels round differently for different
batch sizes; and each image draws from a seed of its own. So a picture depends on the network, the
unit, the settings and the seed, never on what was asked for beside it.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.preprocess import to_tensor
from glyphscope.visualise.optimise import Ascent, hear
from glyphscope.visualise.parameters import PARAMETERS, Canvas
from glyphscope.visualise.request import MaximisationRequest, resolve, settings_of, unit_numbers
from glyphscope.visualise.spectrum import magnitude
from glyphscope.visualise.terms import compile_terms
from glyphscope.visualise.transforms import draw, transform

CHUNK = 4

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class UnitImage:
    """``activation`` is the unit's highest value on these very ``pixels`` (C, H, W), and
    ``dataset_max`` the highest on the test set, where the checkpoint knows it. A dead unit never
    answers: its picture is the empty ground."""

    unit: int
    activation: float
    dataset_max: float | None
    dead: bool
    pixels: Pixels


def maximise(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    *,
    progress: Callable[[int, int], None] = lambda step, steps: None,
    cancelled: Callable[[], bool] = lambda: False,
    frame: Callable[[int, Sequence[int], Pixels], None] = lambda step, units, pixels: None,
) -> list[UnitImage]:
    """One picture a unit, in the order of the request.

    ``progress(step, steps)`` counts over the whole job. ``frame(step, units, pixels)`` shows
    pictures on their way: uint8 (N, C, H, W), of N units, after ``step`` steps of their own.
    Raises ``Cancelled`` soon after ``cancelled()`` turns true.
    """
    request = resolve(checkpoint.network, request)
    units = unit_numbers(request)
    chunks = [units[i : i + CHUNK] for i in range(0, len(units), CHUNK)]
    steps = settings_of(request).steps
    total = steps * len(chunks)
    found: list[UnitImage] = []
    for i, chunk in enumerate(chunks):
        report = partial(_report, progress, i * steps, total)
        found += _chunk(checkpoint, request, chunk, report, cancelled, frame)
    return found


def _report(progress: Callable[[int, int], None], before: int, total: int, step: int) -> None:
    progress(before + step, total)


def _chunk(
    checkpoint: Checkpoint,
    request: MaximisationRequest,
    units: Sequence[int],
    progress: Callable[[int], None],
    cancelled: Callable[[], bool],
    frame: Callable[[int, Sequence[int], Pixels], None],
) -> list[UnitImage]:
    padded = [*units, *[units[-1]] * (CHUNK - len(units))]
    seeds = [_seed(request, unit) for unit in padded]
    how, spec = settings_of(request), checkpoint.manifest.input
    canvas = Canvas(
        spec.shape, how.start, how.ground, spec.mean, magnitude(spec), bool(how.decorrelate)
    )
    leaf, decode = PARAMETERS[how.parameterisation](canvas, seeds)
    warp = transform(how.transforms)
    ascent = Ascent(
        network=checkpoint.network,
        input=spec,
        objective=compile_terms(request.terms, padded),
        diversity=None,
        weight=request.diversity,
        transform=warp,
        settings=how,
    )
    draws = draw(warp, how.steps, seeds)
    leaf = leaf.to(checkpoint.device)

    def shown(step: int, images: Tensor) -> None:
        frame(step, units, _bytes(images[: len(units)]))

    pixels = _bytes(ascent.climb(leaf, decode, draws, progress, cancelled, shown))
    return _finished(checkpoint, request.layer, units, padded, pixels)


def _bytes(images: Tensor) -> Pixels:
    pixels: Pixels = (images * 255).round().to(torch.uint8).cpu().numpy()
    return pixels


def _finished(
    checkpoint: Checkpoint, layer: str, units: Sequence[int], padded: Sequence[int], pixels: Pixels
) -> list[UnitImage]:
    """Look at the pictures as they will be served, in bytes."""
    values = _highest(checkpoint, layer, padded, pixels)
    silence = _highest(checkpoint, layer, padded, np.zeros_like(pixels))
    found = []
    for i, unit in enumerate(units):
        known = checkpoint.examples.maximum(layer, unit)
        dead = _rectified(checkpoint, layer) and float(values[i]) == 0 and not known
        picture = np.zeros_like(pixels[i]) if dead else pixels[i]
        value = float(silence[i] if dead else values[i])
        found.append(UnitImage(unit, value, known, dead, picture))
    return found


def _highest(checkpoint: Checkpoint, layer: str, units: Sequence[int], pixels: Pixels) -> Tensor:
    x = to_tensor(pixels, checkpoint.manifest.input, checkpoint.device)
    with torch.inference_mode():
        output = hear(checkpoint.network, x, [layer])[layer]
    return output[torch.arange(len(units)), list(units)].reshape(len(units), -1).amax(1).cpu()


def _rectified(checkpoint: Checkpoint, layer: str) -> bool:
    """Only behind a function that can be zero everywhere can a unit be dead."""
    kinds = {info.name: info.kind for info in checkpoint.network.layers}
    return kinds[layer] in ("relu", "pool", "global_pool", "flatten")


def _seed(request: MaximisationRequest, unit: int) -> int:
    """A hash, so that no two of (seed, layer, unit) share their numbers by arithmetic."""
    name = f"{request.seed}/{request.layer}/{unit}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1
