"""What tells whether a picture can be believed: figures beside it, against the unit's own images.

    score(checkpoint, request, pictures)  ->  a Score a picture

A strong answer alone proves nothing, since noise wins it. So a picture is compared with the test
images that drive the same unit most: how strongly, how rough, and what real image it comes nearest
to. What a checkpoint was published without is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glyphscope.checkpoint import Checkpoint
from glyphscope.embedding import Neighbour, place
from glyphscope.roughness import high_frequency, total_variation
from glyphscope.statistics import UnitStatistics
from glyphscope.visualise.request import MaximisationRequest, unit_numbers
from glyphscope.visualise.unit_image import Pixels, UnitImage

AT_ONCE = 64
"""Pictures; all of a wide layer's at 224 pixels would not fit into memory as floats."""

_LEAST = 1e-9


@dataclass(frozen=True)
class Score:
    """``r``: how far the picture's activation lies from the median over the test set towards its
    highest, which is 1. ``ratio``: that activation over the highest. ``high_frequency`` and
    ``total_variation``: as multiples of the median of the unit's own best images. ``nearest``: the
    test image that the network's last features can least tell from it."""

    r: float | None = None
    ratio: float | None = None
    high_frequency: float | None = None
    total_variation: float | None = None
    nearest: Neighbour | None = None


def score(
    checkpoint: Checkpoint, request: MaximisationRequest, pictures: Sequence[UnitImage]
) -> list[Score]:
    """In the order of ``pictures``, which are those of the resolved ``request``. A dead unit's
    picture is empty, and has no figures; nor has one of an earlier epoch, since what is known of
    the test set is the finished network's."""
    if request.epoch is not None:
        return [Score()] * len(pictures)
    found: list[Score] = []
    for start in range(0, len(pictures), AT_ONCE):
        found += _score(checkpoint, request, pictures[start : start + AT_ONCE])
    return found


def _score(
    checkpoint: Checkpoint, request: MaximisationRequest, pictures: Sequence[UnitImage]
) -> list[Score]:
    pixels = np.stack([picture.pixels for picture in pictures])
    shades = torch.from_numpy(pixels).float() / 255
    rough = torch.stack([high_frequency(shades), total_variation(shades)], 1).tolist()
    nearest = _nearest(checkpoint, pixels)
    found = []
    for picture, (high, variation), near in zip(pictures, rough, nearest, strict=True):
        own = _statistics(checkpoint, request, picture)
        figures = Score(
            r=_share(picture.activation, own),
            ratio=_over(picture.activation, picture.dataset_max),
            high_frequency=_over(high, own.top_high_frequency) if own else None,
            total_variation=_over(variation, own.top_total_variation) if own else None,
            nearest=near,
        )
        found.append(Score() if picture.dead else figures)
    return found


def _statistics(
    checkpoint: Checkpoint, request: MaximisationRequest, picture: UnitImage
) -> UnitStatistics | None:
    """Of its unit over the test set; None for a picture that is of no one unit."""
    if request.closed or not isinstance(request.objective, str):
        return None
    unit = unit_numbers(request)[0] if request.variants > 1 else picture.unit
    return checkpoint.statistics.unit(request.layer, unit)


def _nearest(checkpoint: Checkpoint, pixels: Pixels) -> list[Neighbour | None]:
    if checkpoint.embedding is None:
        return [None] * len(pixels)
    return [found.neighbours[0] for found in place(checkpoint, pixels)]


def _share(value: float, known: UnitStatistics | None) -> float | None:
    return None if known is None else _over(value - known.median, known.highest - known.median)


def _over(value: float, reference: float | None) -> float | None:
    return value / reference if reference is not None and reference > _LEAST else None
