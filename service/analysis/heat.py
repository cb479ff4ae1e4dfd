"""A map of signed numbers over the picture that they are about.

    overlay(values, light) -> uint8 (3, H, W)

What is for the class is warm, what is against it cold, and what does not matter leaves the picture
as it is: faint, so that it never looks like a value. The pad paints the same colours.
"""

import numpy as np
from numpy.typing import NDArray

GROUND = (250, 248, 245)
INK = (33, 31, 28)
FOR = (194, 67, 26)
AGAINST = (23, 96, 190)

_FAINT = 0.3

# ITU-R BT.601
_LUMA = (0.299, 0.587, 0.114)

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]


def overlay(values: Values, pixels: Pixels) -> Pixels:
    """``values`` (H, W), strongest colour where their magnitude is largest; ``pixels`` uint8
    (C, H, W), the image as the network sees it."""
    magnitude = np.abs(values, dtype=np.float32)
    share = np.asarray(magnitude / (magnitude.max() or 1), np.float32)
    base = _mix(_colour(GROUND), _colour(INK), _FAINT * lightness(pixels))
    colours = np.where(values > 0, _colour(FOR), _colour(AGAINST))
    mixed: Pixels = np.rint(_mix(base, colours, share)).astype(np.uint8)
    return mixed


def lightness(pixels: Pixels) -> Values:
    """uint8 (C, H, W) -> (H, W) in 0..1."""
    scaled: Values = pixels.astype(np.float32) / np.float32(255)
    if len(scaled) == 1:
        found: Values = scaled[0]
        return found
    weights = np.array(_LUMA, np.float32)[:, None, None]
    return np.asarray((scaled * weights).sum(0), np.float32)


def _colour(rgb: tuple[int, int, int]) -> Values:
    """(3, 1, 1)"""
    return np.array(rgb, np.float32)[:, None, None]


def _mix(a: Values, b: Values, share: Values) -> Values:
    return np.asarray(a + (b - a) * share, np.float32)
