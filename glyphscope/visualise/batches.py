"""Which pictures are drawn together: padded batches of one fixed size.

Kernels round differently for different batch sizes, so a picture that is drawn alone is drawn in a
batch as large as any, and each image draws from a seed of its own. What is beside it then makes no
difference.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from glyphscope.visualise.request import MaximisationRequest

CPU_BATCH = 4
"""One picture alone waits for as many: with 8 it takes 2.3 times as long, and a layer on two cores
0.8 of the time (28x28)."""

CUDA_BATCH = 64

CPU_PIXELS, CUDA_PIXELS = 2**16, 2**20
"""At most so many pixels a batch: at 224 pixels one image on a CPU, and 20 on a GPU."""


@dataclass(frozen=True)
class Batch:
    """``units`` and ``seeds`` of every image, the padding's too; ``numbers`` of the real ones: what
    the pictures are called. A picture is called by its unit, or where there are several variants of
    one unit, by the variant."""

    units: tuple[int, ...]
    seeds: tuple[int, ...]
    numbers: tuple[int, ...]


def batches(
    request: MaximisationRequest, units: Sequence[int], shape: Sequence[int], device: torch.device
) -> list[Batch]:
    """Of some units of a resolved request. Variants see each other, so they are one batch."""
    if request.variants > 1:
        return [_variants(request, unit) for unit in units]
    size = batch_size(shape, device)
    return [_padded(request, units[i : i + size], size) for i in range(0, len(units), size)]


def batch_size(shape: Sequence[int], device: torch.device) -> int:
    """For images of ``shape`` (C, H, W)."""
    cuda = device.type == "cuda"
    most, pixels = (CUDA_BATCH, CUDA_PIXELS) if cuda else (CPU_BATCH, CPU_PIXELS)
    return max(1, min(most, pixels // (shape[-1] * shape[-2])))


def _padded(request: MaximisationRequest, units: Sequence[int], size: int) -> Batch:
    padded = (*units, *[units[-1]] * (size - len(units)))
    return Batch(padded, tuple(_seed(request, str(unit)) for unit in padded), tuple(units))


def _variants(request: MaximisationRequest, unit: int) -> Batch:
    numbers = tuple(range(request.variants))
    names = [str(unit), *(f"{unit}/{number}" for number in numbers[1:])]
    seeds = tuple(_seed(request, name) for name in names)
    return Batch((unit,) * request.variants, seeds, numbers)


def _seed(request: MaximisationRequest, name: str) -> int:
    """A hash, so that no two of (seed, layer, unit) share their numbers by arithmetic."""
    whole = f"{request.seed}/{request.layer}/{name}"
    return int.from_bytes(hashlib.sha256(whole.encode()).digest()[:8], "big") >> 1
