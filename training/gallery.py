"""Images of a split as small pictures that a report can hold: PNG, base64.

picture(uint8 (C, H, W)) -> str
Example: such a picture with what it shows and what was answered
"""

import base64
import io

import numpy as np
from PIL import Image
from torch import Tensor

from glyphscope.spec import Frozen


class Example(Frozen):
    """``index``: its place in the split. ``loss``: -log of the true class's probability."""

    png: str
    index: int
    truth: str
    answer: str
    confidence: float
    loss: float


def picture(pixels: Tensor) -> str:
    """uint8 (1 or 3, H, W) -> PNG in base64, one pixel a pixel."""
    values = pixels.cpu().numpy()
    image = Image.fromarray(values[0] if len(values) == 1 else np.moveaxis(values, 0, -1))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
