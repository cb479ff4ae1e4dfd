"""Logits of one forward pass -> what is said of each image, computed once for all of them.

    Pass      everybody's images that ran together
    Scores    one request's rows of it

The arithmetic is that of ``glyphscope.predict``, on arrays: there each request's torch calls take
0.1 ms, here 0.02 ms are shared by all whose images ran together.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.manifest import Calibration, Manifest

Logits = NDArray[np.float32]
"""(n, classes)"""

Numbers = NDArray[np.float64]

Tops = tuple[list[list[int]], list[list[float]], list[float]]
"""Of each image the most probable classes, falling; their probabilities; the energy."""

FEW = 64
"""Logits"""


def probabilities(logits: Logits, calibration: Calibration) -> Numbers:
    """(n, classes), rows sum to 1. Guo et al. 2017: the temperature divides the logits."""
    return _shares(_below(logits, _highest(logits)), calibration)


def energy(logits: Logits) -> Numbers:
    """(n,). Liu et al. 2020: -logsumexp(logits), at temperature 1."""
    highest = _highest(logits)
    return _energy(highest, _below(logits, highest))


def _shares(below: Numbers, calibration: Calibration) -> Numbers:
    powers = np.exp(below / calibration.temperature)
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _energy(highest: Logits, below: Numbers) -> Numbers:
    found: Numbers = -(highest[:, 0] + np.log(np.exp(below).sum(axis=1)))
    return found


def _highest(logits: Logits) -> Logits:
    found: Logits = logits.max(axis=1, keepdims=True)
    return found


def _below(logits: Logits, highest: Logits) -> Numbers:
    found: Numbers = np.subtract(logits, highest, dtype=np.float64)
    return found


class Pass:
    """Rows are images. What is worked out of them is worked out once, for whoever asks first."""

    def __init__(self, logits: Logits, manifest: Manifest) -> None:
        self.logits = logits
        self.manifest = manifest
        self._tops: dict[int, Tops] = {}

    def tops(self, count: int) -> Tops:
        found = self._tops.get(count)
        if found is None:
            few = self.logits.size <= FEW
            found = self._tops[count] = (self._few if few else self._many)(count)
        return found

    def _many(self, count: int) -> Tops:
        order = np.argsort(-self.logits, axis=1, kind="stable")[:, :count]
        highest = _highest(self.logits)
        below = _below(self.logits, highest)
        shares = _shares(below, self.manifest.calibration)
        chosen = shares[np.arange(len(shares))[:, None], order]
        return order.tolist(), chosen.tolist(), _energy(highest, below).tolist()

    def _few(self, count: int) -> Tops:
        """The same, where to call numpy takes longer than to compute."""
        tops: Tops = [], [], []
        temperature = self.manifest.calibration.temperature
        for row in self.logits.tolist():
            highest = max(row)
            below = [value - highest for value in row]
            order = sorted(range(len(row)), key=row.__getitem__, reverse=True)[:count]
            powers = [math.exp(value / temperature) for value in below]
            total = sum(powers)
            tops[0].append(order)
            tops[1].append([powers[index] / total for index in order])
            tops[2].append(-(highest + math.log(sum(map(math.exp, below)))))
        return tops


class Scores:
    def __init__(self, together: Pass, start: int, stop: int) -> None:
        self._pass = together
        self._start = start
        self._stop = stop

    def __len__(self) -> int:
        return self._stop - self._start

    @property
    def logits(self) -> Logits:
        return self._pass.logits[self._start : self._stop]

    def documents(self, top_k: int) -> list[dict[str, Any]]:
        """One prediction an image, with the members of ``glyphscope.predict.Prediction``."""
        names = self._pass.manifest.labels.names
        limit = self._pass.manifest.calibration.energy_threshold
        mine = slice(self._start, self._stop)
        tops = self._pass.tops(top_k)
        return [
            {
                "label": names[order[0]],
                "index": order[0],
                "confidence": falling[0],
                "top": [
                    {"label": names[index], "index": index, "probability": share}
                    for index, share in zip(order, falling, strict=True)
                ],
                "energy": energy,
                "in_distribution": None if limit is None else energy <= limit,
            }
            for order, falling, energy in zip(*(each[mine] for each in tops), strict=True)
        ]
