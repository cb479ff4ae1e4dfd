"""The way to a picture: frames kept while it is drawn, at steps that the request alone decides.

    film = Film(steps, units, shape)
    film.add(step, units, images)      uint8 (N, C, H, W), images[i] of units[i]
    film.strips(pictures)              unit -> uint8 (C, H, frames * W), frame beside frame

Equal requests give equal films, whatever process draws them and however often it is interrupted.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

MOST_FRAMES = 24

MOST_VALUES = 2**25
"""Of one job's films; where it has more, its frames are made smaller."""


class Film:
    def __init__(self, steps: int, units: int, shape: tuple[int, int, int]) -> None:
        self.steps = kept_steps(steps)
        self._factor = _factor((len(self.steps) + 1) * units, shape)
        self._frames: dict[int, list[Pixels]] = {}

    def add(self, step: int, units: Sequence[int], images: Pixels) -> None:
        """``step`` of these units' own ascent, 1 the first. A kept step is shown by the first image
        that comes at it or after it."""
        passed = bisect_right(self.steps, step)
        for unit, image in zip(units, images, strict=True):
            frames = self._frames.setdefault(unit, [])
            if len(frames) < passed:
                frames += [smaller(image, self._factor)] * (passed - len(frames))

    def strips(self, pictures: Mapping[int, Pixels]) -> dict[int, Pixels]:
        """The finished picture is the last frame, and stands for all that were not drawn because
        the ascent was over before."""
        return {unit: self._strip(unit, picture) for unit, picture in pictures.items()}

    def _strip(self, unit: int, picture: Pixels) -> Pixels:
        last = smaller(picture, self._factor)
        frames = self._frames.get(unit, [])
        missing = len(self.steps) - len(frames) + 1
        return np.concatenate([*frames, *[last] * missing], axis=2)


def kept_steps(steps: int) -> tuple[int, ...]:
    """Closer at the beginning, where a picture changes most: the k-th of n at (k/n)^1.5."""
    n = min(MOST_FRAMES, steps)
    return tuple(sorted({max(1, round(steps * ((k + 1) / n) ** 1.5)) for k in range(n)}))


def smaller(image: Pixels, factor: int) -> Pixels:
    """(C, H, W) -> each side ``factor`` times shorter, by the mean; what is left over is cut."""
    if factor == 1:
        return image
    channels, height, width = image.shape
    h, w = height // factor, width // factor
    blocks = image[:, : h * factor, : w * factor].reshape(channels, h, factor, w, factor)
    mean: Pixels = np.rint(blocks.mean((2, 4))).astype(np.uint8)
    return mean


def _factor(images: int, shape: tuple[int, int, int]) -> int:
    channels, height, width = shape
    needed = math.ceil(math.sqrt(images * channels * height * width / MOST_VALUES))
    return max(1, min(needed, height, width))
