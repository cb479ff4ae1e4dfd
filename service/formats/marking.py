"""Images with a frame around a part of them."""

import numpy as np
from numpy.typing import NDArray

from glyphscope.receptive_field import Box

Pixels = NDArray[np.uint8]

COLOUR = (240, 122, 76)


def marked_tile(pixels: Pixels, box: Box | None, scale: int) -> Pixels:
    """uint8 (C, H, W) -> (3, H * scale, W * scale). The frame runs inside the box's edge."""
    large = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    tile: Pixels = np.broadcast_to(large, (3, *large.shape[1:])).copy()
    if box is None:
        return tile
    top, left, bottom, right = (side * scale for side in box)
    width = max(1, scale // 3)
    colour = np.array(COLOUR, np.uint8)[:, None, None]
    inside = tile[:, top:bottom, left:right]
    for edge in (
        inside[:, :width], inside[:, -width:], inside[:, :, :width], inside[:, :, -width:],
    ):  # fmt: skip
        edge[:] = colour
    return tile
