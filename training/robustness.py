"""How accuracy falls as images are spoilt: one curve a kind of change, over rising strengths.

    STRESSES: dict[name, Stress]     images (N, C, H, W) floats in 0..1 -> the same shape
    curves(network, spec, split) -> one Curve each

After Hendrycks and Dietterich 2019 (arXiv:1903.12261: noise, blur, contrast), thickness after
Morpho-MNIST (Castro et al. 2019, arXiv:1809.03777). Nothing is drawn by chance but the noise, and
that from a fixed seed: the same network and images give the same curves.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from glyphscope.spec import Frozen, InputSpec
from training.data import Split
from training.fit import evaluate as logits_of
from training.gallery import picture
from training.measure import Interval, wilson

SAMPLE, QUICK_SAMPLE = 2000, 500
"""Images that a curve is measured on, taken evenly from the split."""

HANDWRITING = ("mnist", "emnist")
"""Preprocessings of images that have strokes."""

CHUNK = 250
"""Images changed at once; the noise of a chunk depends on its place."""

FINER = 4
"""Strokes are thickened on a grid this many times finer, so steps are half a pixel."""

Change = Callable[[Tensor, float, int], Tensor]
"""(images, strength, index of the first of them)"""


@dataclass(frozen=True)
class Stress:
    """``neutral`` is the strength that changes nothing; there the images stay as they are."""

    title: str
    unit: str
    neutral: float
    strengths: tuple[float, ...]
    change: Change
    strokes_only: bool = False


class Curve(Frozen):
    """``examples``: one image of the split at each strength, as PNG."""

    name: str
    title: str
    unit: str
    neutral: float
    n: int
    strengths: tuple[float, ...]
    accuracy: tuple[float, ...]
    interval: tuple[Interval, ...]
    examples: tuple[str, ...]


def _turns(first: int, n: int, of: int) -> Tensor:
    """0, 1, ... of-1, 0, 1, ...: neighbours are changed in different directions."""
    return (torch.arange(n) + first) % of


def shift(images: Tensor, pixels: float, first: int) -> Tensor:
    """Right, down, left, up by turns; what leaves the frame is lost, ground comes in."""
    way = _turns(first, len(images), 4)
    steps = torch.tensor([[0, 1], [1, 0], [0, -1], [-1, 0]])
    reach, (height, width) = int(pixels), images.shape[2:]
    padded = functional.pad(images, (reach,) * 4)
    moved = torch.empty_like(images)
    for turn, (down, right) in enumerate((steps * reach).tolist()):
        top, left = reach - down, reach - right
        moved[way == turn] = padded[way == turn, :, top : top + height, left : left + width]
    return moved


def rotate(images: Tensor, degrees: float, first: int) -> Tensor:
    """Anticlockwise and clockwise by turns, about the middle."""
    sign = 1.0 - 2.0 * _turns(first, len(images), 2)
    angle = torch.deg2rad(sign * degrees)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    theta = torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3)
    grid = functional.affine_grid(theta.to(images.device), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)


def noise(images: Tensor, deviation: float, first: int) -> Tensor:
    """Gaussian, the same draw at every strength."""
    draw = torch.randn(images.shape, generator=torch.Generator().manual_seed(first))
    return (images + deviation * draw.to(images.device)).clamp(0, 1)


def thickness(images: Tensor, pixels: float, first: int) -> Tensor:
    """Strokes wider by ``pixels`` in all (thinner where negative): light grows or shrinks by an
    octagon on a finer grid."""
    side = [n * FINER for n in images.shape[2:]]
    fine = functional.interpolate(images, side, mode="bilinear", align_corners=False)
    sign = 1 if pixels >= 0 else -1
    fine = fine * sign
    for step in range(round(abs(pixels) * FINER / 2)):
        fine = _square(fine) if step % 2 else _cross(fine)
    return functional.avg_pool2d(fine * sign, FINER)


def _square(images: Tensor) -> Tensor:
    return _along(_along(images, 3), 2)


def _cross(images: Tensor) -> Tensor:
    return torch.maximum(_along(images, 3), _along(images, 2))


def _along(images: Tensor, axis: int) -> Tensor:
    """The greatest of each pixel and its two neighbours; max_pool2d takes eight times as long."""
    first, last = images.narrow(axis, 0, 1), images.narrow(axis, -1, 1)
    wider, size = torch.cat([first, images, last], dim=axis), images.shape[axis]
    either = torch.maximum(wider.narrow(axis, 0, size), wider.narrow(axis, 2, size))
    return torch.maximum(either, images)


def contrast(images: Tensor, factor: float, first: int) -> Tensor:
    """Every pixel drawn to the image's mean: 1 is the image, 0 one flat grey."""
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + factor * (images - mean)


def blur(images: Tensor, sigma: float, first: int) -> Tensor:
    """Gaussian, cut off at three standard deviations."""
    reach = max(1, round(3 * sigma))
    offsets = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(images.shape[1], 1, 1, 1)
    down = functional.conv2d(
        images, kernel.transpose(2, 3), padding=(reach, 0), groups=images.shape[1]
    )
    return functional.conv2d(down, kernel, padding=(0, reach), groups=images.shape[1])


STRESSES: dict[str, Stress] = {
    "shift": Stress("Shift", "pixels", 0, (0, 1, 2, 3, 4, 5, 6), shift),
    "rotation": Stress("Rotation", "degrees", 0, (0, 5, 10, 15, 20, 30, 45), rotate),
    "noise": Stress("Noise", "standard deviation", 0, (0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6), noise),
    "thickness": Stress(
        "Stroke thickness", "pixels", 0, (-1.5, -1, -0.5, 0, 1, 2, 3), thickness, strokes_only=True
    ),
    "contrast": Stress("Contrast", "factor", 1, (1, 0.7, 0.5, 0.35, 0.2, 0.1, 0.05), contrast),
    "blur": Stress("Blur", "standard deviation, pixels", 0, (0, 0.5, 1, 1.5, 2, 2.5, 3), blur),
}


def curves(
    network: nn.Module, spec: InputSpec, split: Split, sample: int = SAMPLE
) -> Iterator[Curve]:
    """One after the other, so that progress can be told. Stroke thickness only where there are
    strokes. ``split`` lies on the network's device."""
    part = evenly(split, sample)
    for name, stress in STRESSES.items():
        if not stress.strokes_only or spec.preprocessing in HANDWRITING:
            yield _curve(name, stress, network, spec, part)


def evenly(split: Split, count: int) -> Split:
    """At most ``count`` images, at even distances, so that a sorted set gives all its classes."""
    if len(split) <= count:
        return split
    picks = torch.linspace(0, len(split) - 1, count, dtype=torch.float64).round().long()
    return split.take(picks.to(split.labels.device))


def changed(images: Tensor, stress: Stress, strength: float) -> Tensor:
    """uint8 (N, C, H, W) -> uint8: what an image file would hold after the change."""
    if strength == stress.neutral:
        return images
    return torch.cat(
        [
            stress.change(part.float() / 255, strength, i * CHUNK)
            .clamp(0, 1)
            .mul(255)
            .round()
            .byte()
            for i, part in enumerate(images.split(CHUNK))
        ]
    )


def _curve(name: str, stress: Stress, network: nn.Module, spec: InputSpec, part: Split) -> Curve:
    right, examples = [], []
    for strength in stress.strengths:
        images = changed(part.images, stress, strength)
        answers = logits_of(network, Split(images, part.labels), spec).argmax(1)
        right.append(int((answers == part.labels).sum()))
        examples.append(picture(images[0]))
    return Curve(
        name=name,
        title=stress.title,
        unit=stress.unit,
        neutral=stress.neutral,
        n=len(part),
        strengths=stress.strengths,
        accuracy=tuple(r / len(part) for r in right),
        interval=tuple(wilson(r, len(part)) for r in right),
        examples=tuple(examples),
    )
