"""Finished maximisations as PNG, enlarged as asked."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphscope.errors import NotFound, TooLarge
from glyphscope.visualise import grid, png
from glyphscope.visualise.pictures import GAP
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
    check_scale(height, width, scale)
    return png(pixels, scale)


def check_sheet(tiles: int, size: tuple[int, int], columns: int, scale: int) -> None:
    """Before it is drawn: tiles of (height, width), with a gap, so many in a row."""
    rows = -(-tiles // columns)
    check_scale(rows * (size[0] + GAP), columns * (size[1] + GAP), scale)


def check_scale(height: int, width: int, scale: int) -> None:
    """Raises ``TooLarge``."""
    if height * width * scale**2 > MAX_PIXELS:
        raise TooLarge(
            f"{width}x{height} pixels, {scale} times enlarged, are more than the {MAX_PIXELS} "
            "that are allowed; ask for a smaller scale"
        )


def _pixels(found: Maximisations, job_id: str, unit: int) -> NDArray[np.uint8]:
    data = found.jobs.picture(job_id, unit).read_bytes()
    pixels = np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]))
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
