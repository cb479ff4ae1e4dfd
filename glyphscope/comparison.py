"""Two networks seen side by side: which units do the same, and how alike their layers are.

Units: Pearson's correlation of their activations over images and positions, each with its best
partner in the other network (Li et al. 2015, "Convergent learning", arXiv:1511.07543, section 3).
Layers: linear CKA (Kornblith et al. 2019, arXiv:1905.00414, equation 5), which neither a rotation
nor a scaling of a layer's units changes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glyphscope.activations import activations, layer_module
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput
from glyphscope.examples import strongest
from glyphscope.networks import FUNCTIONS
from glyphscope.picture import Pixels
from glyphscope.preprocess import to_tensor

MOST_IMAGES = 512
"""CKA compares each image with each."""

BATCH = 64

Layers = Sequence[str] | None


@dataclass(frozen=True)
class Match:
    """``partner``: the unit of the other network that answers most alike; ``correlation`` is 0 for
    a unit that never changes."""

    unit: int
    partner: int
    correlation: float


@dataclass(frozen=True)
class LayerMatch:
    """Two layers, the second the one most like the first by CKA; a match for each unit of it."""

    first: str
    second: str
    cka: float
    matches: tuple[Match, ...]

    @property
    def mean_correlation(self) -> float:
        return sum(match.correlation for match in self.matches) / len(self.matches)


@dataclass(frozen=True)
class Comparison:
    """``cka``: (first layers, second layers) in 0..1. ``agreement``: share of the images that both
    answer alike, by label."""

    first_layers: tuple[str, ...]
    second_layers: tuple[str, ...]
    cka: NDArray[np.float32]
    layers: tuple[LayerMatch, ...]
    agreement: float
    images: int


def compare(
    first: Checkpoint,
    second: Checkpoint,
    pixels: Pixels,
    layers: Layers = None,
    *,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Comparison:
    """``pixels``: uint8 (N, C, H, W), what both networks see; the first 512 are used. ``layers``:
    of the first; else, as for the second always, those behind an activation and the logits.

    Raises ``InvalidInput`` where the two take images of other shapes, ``NotFound`` for a layer.
    """
    _check(first, second, pixels)
    images = pixels[:MOST_IMAGES]
    sides = (_Side.of(first, images, layers), _Side.of(second, images, None))
    cka = _cka(sides[0].grams, sides[1].grams)
    pairs = list(zip(sides[0].names, cka.argmax(1).tolist(), strict=True))
    found = []
    for row, (name, best) in enumerate(pairs):
        other = sides[1].names[best]
        matches = _matches(sides[0].maps(name, images), sides[1].maps(other, images))
        found.append(LayerMatch(name, other, float(cka[row, best]), matches))
        progress(row + 1, len(pairs))
    answers = [[s.checkpoint.labels[i] for i in s.answers.tolist()] for s in sides]
    same = sum(a == b for a, b in zip(*answers, strict=True))
    return Comparison(
        first_layers=tuple(sides[0].names),
        second_layers=tuple(sides[1].names),
        cka=np.asarray(cka.numpy(), np.float32),
        layers=tuple(found),
        agreement=same / len(images),
        images=len(images),
    )


def _check(first: Checkpoint, second: Checkpoint, pixels: Pixels) -> None:
    shapes = [side.manifest.input.shape for side in (first, second)]
    if shapes[0] != shapes[1]:
        raise InvalidInput(f"the two networks take other images: {shapes[0]} and {shapes[1]}")
    if pixels.ndim != 4 or pixels.shape[1:] != shapes[0]:
        raise InvalidInput(f"pixels must have the shape {('N', *shapes[0])}, not {pixels.shape}")
    if len(pixels) < 2:
        raise InvalidInput("a comparison needs at least 2 images")


@dataclass(frozen=True)
class _Side:
    """``grams``: (layers, N, N), centred, of norm 1."""

    checkpoint: Checkpoint
    names: list[str]
    grams: Tensor
    answers: Tensor

    @classmethod
    def of(cls, checkpoint: Checkpoint, pixels: Pixels, layers: Layers) -> "_Side":
        names, grams = _names(checkpoint, layers), []
        answers = torch.zeros(0)
        for name in names:
            found = _outputs(checkpoint, pixels, name).flatten(1)
            grams.append(_gram(found))
        last = checkpoint.network.layers[-1].name
        answers = _outputs(checkpoint, pixels, last).argmax(1)
        return cls(checkpoint, names, torch.stack(grams), answers)

    def maps(self, name: str, pixels: Pixels) -> Tensor:
        return _outputs(self.checkpoint, pixels, name)


def _names(checkpoint: Checkpoint, layers: Layers) -> list[str]:
    for name in layers or ():
        layer_module(checkpoint.network, name)
    known = checkpoint.network.layers
    usual = [layer.name for layer in known if layer.kind in FUNCTIONS or layer is known[-1]]
    return list(layers or usual)


def _outputs(checkpoint: Checkpoint, pixels: Pixels, layer: str) -> Tensor:
    """(N, ...) float32 on the CPU: one layer at a time, for memory's sake."""
    found = []
    for start in range(0, len(pixels), BATCH):
        part = to_tensor(
            pixels[start : start + BATCH], checkpoint.manifest.input, checkpoint.device
        )
        found.append(activations(checkpoint.network, part, [layer])[layer].float().cpu())
    return torch.cat(found)


def _gram(values: Tensor) -> Tensor:
    """(N, D) -> (N, N), centred; all zeros for a layer that never changes."""
    away = (values - values.mean(0)).double()
    gram = away @ away.T
    scaled: Tensor = gram / gram.norm().clamp(min=1e-30)
    return scaled


def _cka(first: Tensor, second: Tensor) -> Tensor:
    """Of normalised Gram matrices, the products of all their entries."""
    return (first.flatten(1) @ second.flatten(1).T).clamp(0, 1)


def _matches(first: Tensor, second: Tensor) -> tuple[Match, ...]:
    """Over all positions where the maps are of one size, else over each image's highest."""
    if first.shape[2:] != second.shape[2:]:
        first, second = strongest(first), strongest(second)
    best = (_standard(first) @ _standard(second).T).clamp(-1, 1).max(1)
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return tuple(Match(unit, partner, value) for unit, (partner, value) in enumerate(rows))


def _standard(values: Tensor) -> Tensor:
    """(N, units, ...) -> (units, samples): mean 0, norm 1; zeros where nothing changes."""
    rows = values.movedim(1, 0).flatten(1).double()
    away = rows - rows.mean(1, keepdim=True)
    norm = away.norm(dim=1, keepdim=True)
    still = norm <= 1e-6 * norm.max().clamp(min=1e-30)
    return torch.where(still, 0.0, away / norm.clamp(min=1e-30))
