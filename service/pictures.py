"""Finished maximisations as PNG, enlarged as asked."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphscope.errors import NotFound, TooLarge
from glyphscope.visualise import grid, png
from service.maximisations import Maximisations

MAX_PIXELS = 2**25
"""Of one answer: all 4096 units of a wide layer fit at 28x28, but not sixteen times enlarged."""


def unit_picture(found: Maximisations, job_id: str, unit: str, scale: int) -> bytes:
    """Raises ``NotFound`` for a unit that was not drawn, ``Conflict`` before the job is done."""
    units = [result.unit for result in found.done(job_id).results]
    if unit not in map(str, units):
        raise NotFound("unit of this maximisation", unit, units)
    return _enlarged(_pixels(found, job_id, int(unit)), scale)


def grid_picture(found: Maximisations, job_id: str, scale: int) -> bytes:
    results = found.done(job_id).results
    return _enlarged(grid([_pixels(found, job_id, result.unit) for result in results]), scale)


def _enlarged(pixels: NDArray[np.uint8], scale: int) -> bytes:
    _, height, width = pixels.shape
    if height * width * scale**2 > MAX_PIXELS:
        raise TooLarge(
            f"{width}x{height} pixels, {scale} times enlarged, are more than the {MAX_PIXELS} "
            "that are allowed; ask for a smaller scale"
        )
    return png(pixels, scale)


def _pixels(found: Maximisations, job_id: str, unit: int) -> NDArray[np.uint8]:
    data = found.jobs.picture(job_id, unit).read_bytes()
    pixels = np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]))
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
