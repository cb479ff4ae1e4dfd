"""Pictures of bytes: uint8 (channels, height, width) -> PNG, or many of them -> one sheet."""

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphscope.errors import InvalidInput

Pixels = NDArray[np.uint8]

GAP = 1
"""Pixels between two pictures of a sheet, before it is enlarged."""

_GAP_VALUE = 128
"""Grey, so that neither a black nor a white picture runs into its neighbour."""


def png(pixels: Pixels, scale: int = 1) -> bytes:
    """Every pixel becomes ``scale`` x ``scale`` equal ones."""
    large = _enlarge(pixels, scale)
    image = Image.fromarray(large[0] if len(large) == 1 else np.moveaxis(large, 0, -1))
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=False, compress_level=6)
    return out.getvalue()


def grid(pictures: Sequence[Pixels], columns: int | None = None, scale: int = 1) -> Pixels:
    """Row by row on one sheet, as square as it gets unless ``columns`` is given."""
    if not pictures:
        raise InvalidInput("a sheet needs at least one picture")
    channels, height, width = pictures[0].shape
    columns = min(columns or math.ceil(math.sqrt(len(pictures))), len(pictures))
    if columns < 1:
        raise InvalidInput(f"a sheet needs at least one column, not {columns}")
    rows = math.ceil(len(pictures) / columns)
    h, w = height + GAP, width + GAP
    sheet = np.full((channels, rows * h - GAP, columns * w - GAP), _GAP_VALUE, np.uint8)
    for i, picture in enumerate(pictures):
        top, left = i // columns * h, i % columns * w
        sheet[:, top : top + height, left : left + width] = picture
    return _enlarge(sheet, scale)


def _enlarge(pixels: Pixels, scale: int) -> Pixels:
    if scale < 1:
        raise InvalidInput(f"scale must be at least 1, not {scale}")
    return pixels.repeat(scale, axis=1).repeat(scale, axis=2)
