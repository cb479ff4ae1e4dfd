"""Which classes are taken for which: a cell of the confusion matrix, its images, its units.

confusions.safetensors
    cells     (cells, 2) int32: truth and answer, of every cell that has images
    counts    (cells,) int32
    examples  (cells, 12) int32: test images, -1 where there are no more. Of mistakes the surest
              first; of right answers the least sure first, and evenly on to the surest

between(checkpoint, a, b)       units that tell two classes apart
in_cell(checkpoint, truth, answer)   units that were misled: cell's images against the truth's class
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from glyphscope.activations import activations
from glyphscope.errors import Conflict, NotFound
from glyphscope.examples import read_tensors, strongest
from glyphscope.manifest import CONFUSIONS
from glyphscope.networks import FUNCTIONS
from glyphscope.preprocess import to_tensor

if TYPE_CHECKING:  # it holds what is read here
    from glyphscope.checkpoint import Checkpoint

EACH = 12
"""Examples a cell."""

Layers = Sequence[str] | None


@dataclass(frozen=True)
class Cell:
    truth: int
    answer: int
    count: int
    examples: tuple[int, ...]


@dataclass(frozen=True)
class UnitDifference:
    """Means of two groups of images, and their distance in standard deviations (Cohen's d):
    positive where the first group drives the unit more."""

    layer: str
    unit: int
    first: float
    second: float
    effect: float


@dataclass(frozen=True)
class Confusions:
    """Empty for a checkpoint that was published without them."""

    values: Mapping[str, Tensor] = field(default_factory=dict)

    def cells(self) -> tuple[Cell, ...]:
        """Row by row; those without images are left out."""
        if not self.values:
            return ()
        rows = zip(
            *(self.values[key].tolist() for key in ("cells", "counts", "examples")), strict=True
        )
        return tuple(
            Cell(truth, answer, count, tuple(index for index in shown if index >= 0))
            for (truth, answer), count, shown in rows
        )

    def cell(self, truth: int, answer: int) -> Cell:
        """One without images has none and counts 0."""
        found = (c for c in self.cells() if (c.truth, c.answer) == (truth, answer))
        return next(found, Cell(truth, answer, 0, ()))


def collect(labels: Tensor, probabilities: Tensor) -> dict[str, Tensor]:
    """Of a test set: labels (N,), probabilities (N, classes)."""
    confidences, answers = probabilities.max(1)
    classes = probabilities.shape[1]
    cells = labels.long() * classes + answers
    found, counts = cells.unique(return_counts=True)
    shown = torch.full((len(found), EACH), -1, dtype=torch.int32)
    for row, cell in enumerate(found.tolist()):
        inside = (cells == cell).nonzero()[:, 0]
        right = cell // classes == cell % classes
        chosen = _shown(inside, confidences[inside], right)
        shown[row, : len(chosen)] = chosen.int()
    pairs = torch.stack([found // classes, found % classes], 1).int()
    return {"cells": pairs, "counts": counts.int(), "examples": shown}


def between(
    checkpoint: "Checkpoint", first: int, second: int, layers: Layers = None, most: int = 24
) -> list[UnitDifference]:
    """Units whose mean over the test images of two classes differs most, in standard deviations.

    ``layers``: where to look; else behind every activation function. Raises ``NotFound`` for an
    unknown class or layer, ``Conflict`` for a checkpoint without statistics.
    """
    known = range(len(checkpoint.labels))
    for number in (first, second):
        if number not in known:
            raise NotFound("class", number, known)
    found = []
    for layer in _layers(checkpoint, layers):
        means, stds = _by_class(checkpoint, layer)
        spread = ((stds[:, first] ** 2 + stds[:, second] ** 2) / 2).sqrt()
        found += _differences(layer, means[:, first], means[:, second], spread)
    return _largest(found, most)


def in_cell(
    checkpoint: "Checkpoint", truth: int, answer: int, layers: Layers = None, most: int = 24
) -> list[UnitDifference]:
    """Units that the cell's stored images drive otherwise than the truth's class usually does.

    Empty for a cell without images. Raises as ``between`` does.
    """
    cell = checkpoint.confusions.cell(truth, answer)
    names = _layers(checkpoint, layers)
    shown = [checkpoint.images.get(index) for index in cell.examples]
    pixels = [image.pixels for image in shown if image is not None]
    if not pixels:
        return []
    x = to_tensor(np.stack(pixels), checkpoint.manifest.input, checkpoint.device)
    found = []
    for layer, output in activations(checkpoint.network, x, names).items():
        means, stds = _by_class(checkpoint, layer)
        here = strongest(output).mean(0).cpu()
        found += _differences(layer, here, means[:, truth], stds[:, truth])
    return _largest(found, most)


def read(folder: Path) -> Confusions:
    return Confusions(read_tensors(folder / CONFUSIONS))


def _shown(inside: Tensor, confidences: Tensor, right: bool) -> Tensor:
    ordered = inside[confidences.argsort(descending=not right, stable=True)]
    if not right or len(ordered) <= EACH:
        return ordered[:EACH]
    return ordered[torch.linspace(0, len(ordered) - 1, EACH).round().long()]


def _layers(checkpoint: "Checkpoint", chosen: Layers) -> list[str]:
    known = checkpoint.statistics.layers
    if not known:
        raise Conflict(f"{checkpoint.manifest.ref} was published without statistics of its units")
    for name in chosen or ():
        if name not in known:
            raise NotFound("layer with statistics", name, known)
    kinds = {layer.name: layer.kind for layer in checkpoint.network.layers}
    behind = [name for name in known if kinds[name] in FUNCTIONS]
    return list(chosen or behind or known)


def _by_class(checkpoint: "Checkpoint", layer: str) -> tuple[Tensor, Tensor]:
    values = checkpoint.statistics.values
    return values[f"{layer}.class_mean"], values[f"{layer}.class_std"]


def _differences(layer: str, first: Tensor, second: Tensor, spread: Tensor) -> list[UnitDifference]:
    # A unit that hardly moves within its classes is held to a hundredth of what it moves at all.
    floor = 0.01 * (first - second).abs().max().clamp(min=1e-6)
    effects = (first - second) / torch.maximum(spread, floor)
    rows = zip(first.tolist(), second.tolist(), effects.tolist(), strict=True)
    return [UnitDifference(layer, unit, *row) for unit, row in enumerate(rows)]


def _largest(found: list[UnitDifference], most: int) -> list[UnitDifference]:
    return sorted(found, key=lambda unit: -abs(unit.effect))[:most]
