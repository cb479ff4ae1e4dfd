"""Pen strokes -> pixels: the distance of every pixel to the line, turned into ink.

    strokes: a list of strokes, each a list of (x, y), x to the right, y down, in any unit

A stroke of one point is a dot. Drawing at the network's own resolution makes the pen as wide as
the pens of the data set, whatever the size of the canvas.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from glyphscope.errors import EmptyDrawing, InvalidInput, TooLarge

MAX_POINTS = 20_000

Strokes = Sequence[Sequence[Sequence[float]]]
Segments = NDArray[np.float64]
"""(segments, 2 ends, x and y)"""


def segments(strokes: Strokes) -> Segments:
    """Every line between neighbouring points; a lone point becomes a line of length 0."""
    if sum(len(stroke) for stroke in strokes) > MAX_POINTS:
        raise TooLarge(f"a drawing may have at most {MAX_POINTS} points")
    pieces = [_ends(stroke, i) for i, stroke in enumerate(strokes) if len(stroke)]
    if not pieces:
        raise EmptyDrawing("the drawing has no points")
    return np.concatenate(pieces)


def _ends(stroke: Sequence[Sequence[float]], index: int) -> Segments:
    try:
        points = np.asarray(stroke, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InvalidInput(f"stroke {index}: every point must be [x, y]")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e9:
        raise InvalidInput(f"stroke {index}: coordinates must be finite numbers up to 1e9")
    if len(points) == 1:
        points = np.repeat(points, 2, axis=0)
    return np.stack([points[:-1], points[1:]], axis=1)


def fit(lines: Segments, frame: int, box: float, pen: float) -> Segments:
    """Scale and shift so that the ink, the pen included, fills ``box`` of ``frame`` pixels."""
    low, high = lines.min(axis=(0, 1)), lines.max(axis=(0, 1))
    extent = float((high - low).max())
    scale = (box - pen) / extent if extent > 0 else 0.0
    fitted: Segments = (lines - (low + high) / 2) * scale + frame / 2
    return fitted


def draw(lines: Segments, height: int, width: int, pen: float, soft: float) -> NDArray[np.float32]:
    """Ink 0..1 at every pixel: full inside the pen, fading over ``soft`` pixels at its edge."""
    ys, xs = np.mgrid[0:height, 0:width] + 0.5
    nearest = np.full(height * width, np.inf)
    for part in np.array_split(lines, max(1, len(lines) * height * width // 2_000_000)):
        nearest = np.minimum(nearest, _squared_distances(part, xs.ravel(), ys.ravel()).min(axis=0))
    ink: NDArray[np.float64] = np.clip((pen / 2 - np.sqrt(nearest)) / soft + 0.5, 0, 1)
    return ink.reshape(height, width).astype(np.float32)


def _squared_distances(lines: Segments, x: Segments, y: Segments) -> Segments:
    """(segments, pixels): from each pixel to the nearest point of each segment."""
    (ax, ay), (bx, by) = lines[:, 0, :].T[:, :, None], lines[:, 1, :].T[:, :, None]
    dx, dy = bx - ax, by - ay
    length = np.maximum(dx * dx + dy * dy, 1e-12)
    along = np.clip(((x - ax) * dx + (y - ay) * dy) / length, 0, 1)
    distance: Segments = (x - ax - along * dx) ** 2 + (y - ay - along * dy) ** 2
    return distance
