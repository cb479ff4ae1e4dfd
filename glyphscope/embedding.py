"""A map of the test set as the last layer sees it, and where a drawing lies on it.

embedding.safetensors
    points           (M, 2) float32, the map, inside -1..1; alike images lie near each other
    indices          (M,) int32: which test images
    labels, answers  (M,) int32
    features         (M, R) float16, what they are told apart by, on the first R principal axes
    centre           (D,) float32  } the axes: reduced = (features - centre) @ axes
    axes             (D, R) float32}

The map is t-SNE's (van der Maaten & Hinton 2008), because two principal axes lay the classes over
each other. t-SNE itself places no new points. So a drawing goes to the mean of its nearest images'
places, weighted by nearness, as openTSNE places new points at first (Poličar et al. 2024); and its
neighbours are named, so that nobody has to trust the place alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from glyphscope.errors import BrokenCheckpoint, Conflict
from glyphscope.examples import read_tensors
from glyphscope.features import features
from glyphscope.manifest import EMBEDDING
from glyphscope.picture import Pixels
from glyphscope.preprocess import to_tensor

if TYPE_CHECKING:  # it holds what is read here
    from glyphscope.checkpoint import Checkpoint

NEIGHBOURS = 10

_KEYS = ("points", "indices", "labels", "answers", "features", "centre", "axes")


@dataclass(frozen=True)
class Neighbour:
    """``index``: of a test image. ``distance``: in features, of which the map is a picture."""

    index: int
    label: int
    answer: int
    distance: float


@dataclass(frozen=True)
class Place:
    """A drawing on the map, x to the right and y up, its nearest images first."""

    x: float
    y: float
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Embedding:
    values: Mapping[str, Tensor]

    @property
    def points(self) -> Tensor:
        return self.values["points"]

    def __len__(self) -> int:
        return len(self.points)

    def reduced(self, found: Tensor) -> Tensor:
        """(N, D) -> (N, R)."""
        return (found.cpu().float() - self.values["centre"]) @ self.values["axes"]

    def place(self, found: Tensor) -> list[Place]:
        """``found``: (N, D), as ``features`` gives them."""
        known = self.values["features"].float()
        distances = torch.cdist(self.reduced(found), known)
        near, at = distances.topk(min(NEIGHBOURS, len(self)), dim=1, largest=False)
        weights = 1 / near.square().clamp(min=1e-6)
        weights = weights / weights.sum(1, keepdim=True)
        places = (self.points[at] * weights[:, :, None]).sum(1)
        return [
            Place(x, y, self._neighbours(rows, away))
            for (x, y), rows, away in zip(places.tolist(), at.tolist(), near.tolist(), strict=True)
        ]

    def _neighbours(self, rows: list[int], distances: list[float]) -> tuple[Neighbour, ...]:
        facts = [self.values[name][rows].tolist() for name in ("indices", "labels", "answers")]
        return tuple(Neighbour(*known) for known in zip(*facts, distances, strict=True))


def place(checkpoint: "Checkpoint", pixels: Pixels) -> list[Place]:
    """Drawings, uint8 (N, C, H, W), on the checkpoint's map. Raises ``Conflict`` without one."""
    found = checkpoint.embedding
    if found is None:
        raise Conflict(f"{checkpoint.manifest.ref} was published without a map of its test set")
    x = to_tensor(pixels, checkpoint.manifest.input, checkpoint.device)
    return found.place(features(checkpoint.network, x))


def read(folder: Path) -> Embedding | None:
    values = read_tensors(folder / EMBEDDING)
    if not values:
        return None
    missing = [key for key in _KEYS if key not in values]
    if missing:
        raise BrokenCheckpoint(f"{EMBEDDING} lacks {missing[0]}")
    return Embedding(values)
