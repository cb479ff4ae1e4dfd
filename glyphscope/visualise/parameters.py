"""What is optimised in place of pixels: free numbers (N, ...) and the map to images in 0..1.

    PARAMETERS: dict[name, (Canvas, seeds) -> (leaf, decode)]

Every image starts from a generator of its own, so it does not depend on its neighbours. ``decode``
is linear up to its last step, a sigmoid or a cut at 0 and 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from glyphscope.visualise.colour import correlate
from glyphscope.visualise.spectrum import one_over_f

Shape = tuple[int, int, int]
Decode = Callable[[Tensor], Tensor]

PYRAMID_COARSEST = 4
"""Side of the pyramid's smallest level, in pixels; each other level has twice the side."""


CPU = torch.device("cpu")


@dataclass(frozen=True)
class Canvas:
    """``start``: standard deviation of the first numbers. ``ground``: added before the sigmoid: at
    -1 the start is dark (0.27), as the ground of the data sets is, and not so dark that the sigmoid
    holds the first steps up. ``mean``: the data set's, a channel each, and ``magnitude`` its
    spectrum (C, H, W // 2 + 1). ``starts``: (N, C, H, W), images to begin at, where there are."""

    shape: Shape
    start: float
    ground: float
    mean: tuple[float, ...]
    magnitude: Tensor
    decorrelate: bool
    device: torch.device = CPU
    starts: Tensor | None = None

    def squashed(self, values: Tensor) -> Tensor:
        if self.decorrelate:
            values = correlate(values)
        return torch.sigmoid(values + self.ground)


def pixels(canvas: Canvas, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """A number a pixel, squashed by a sigmoid."""
    return _draw(canvas.shape, seeds) * canvas.start, canvas.squashed


def raw(canvas: Canvas, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """The pixels themselves, around the data set's mean and cut at 0 and 1: what was optimised
    before 2015."""
    mean = torch.tensor(canvas.mean, device=canvas.device).view(1, -1, 1, 1)
    return _draw(canvas.shape, seeds) * canvas.start, lambda leaf: _cut(leaf + mean)


def fourier(canvas: Canvas, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """Real and imaginary parts of the spectrum, scaled by 1/f as natural images are.

    Olah, Mordvintsev & Schubert 2017, "Preconditioning and parameterization".
    """
    channels, height, width = canvas.shape
    inverse = InverseFourier(height, width, one_over_f(height, width), canvas.device)
    leaf = _draw((channels, 2, height, width // 2 + 1), seeds) * canvas.start
    return leaf, lambda leaf: canvas.squashed(inverse(leaf))


def maco(canvas: Canvas, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """Phases alone; the magnitudes stay the data set's (Fel et al. 2023, arXiv:2306.06805).

    Its map to pixels is affine, and not the paper's sigmoid: at 28 pixels the sigmoid takes most of
    the contrast that the magnitudes hold. The mean is held, as its phase is no phase at all.
    """
    _, height, width = canvas.shape
    inverse = InverseFourier(height, width, torch.ones(height, width // 2 + 1), canvas.device)
    magnitude = canvas.magnitude.to(canvas.device, copy=True)
    middle = (magnitude[:, 0, 0] / (height * width)).view(1, -1, 1, 1)
    magnitude[:, 0, 0] = 0

    def decode(leaf: Tensor) -> Tensor:
        waves = torch.stack([magnitude * leaf.cos(), magnitude * leaf.sin()], dim=2)
        return _cut(inverse(waves) + middle)

    return _draw(tuple(magnitude.shape), seeds) * canvas.start, decode


def pyramid(canvas: Canvas, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """The sum of images of half the side, a quarter and so on, enlarged: coarse shapes come first.

    Lucid's low-resolution parameterisation, after Laplacian pyramids.
    """
    channels, height, width = canvas.shape
    sides = [(height, width)]
    while min(sides[-1]) >= 2 * PYRAMID_COARSEST:
        sides.append((-(-sides[-1][0] // 2), -(-sides[-1][1] // 2)))
    sizes = [channels * h * w for h, w in sides]

    def decode(leaf: Tensor) -> Tensor:
        levels = [
            part.view(-1, channels, *side)
            for part, side in zip(leaf.split(sizes, dim=1), sides, strict=True)
        ]
        return canvas.squashed(
            sum((_enlarged(level, height, width) for level in levels[1:]), levels[0])
        )

    return _draw((sum(sizes),), seeds) * canvas.start, decode


def natural(canvas: Canvas, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """The pixels themselves, from an image that the prior draws (``starts``); where it draws none,
    as ``raw``, around the mean."""
    if canvas.starts is not None:
        return canvas.starts.clone(), _cut
    mean = torch.tensor(canvas.mean).view(1, -1, 1, 1)
    return mean + _draw(canvas.shape, seeds) * canvas.start, _cut


PARAMETERS: dict[str, Callable[[Canvas, Sequence[int]], tuple[Tensor, Decode]]] = {
    "fourier": fourier,
    "maco": maco,
    "natural": natural,
    "pixels": pixels,
    "pyramid": pyramid,
    "raw": raw,
}


class InverseFourier:
    """irfft2 of half spectra (..., 2, H, W // 2 + 1), real and imaginary parts, times a scale
    (H, W // 2 + 1), as products with small matrices: at 28 pixels that is faster than the
    transform, forth and back.

    As irfft2 does, it takes the conjugate half as given and drops what has no place in a real
    image: the imaginary parts of the columns that are their own conjugates.
    """

    def __init__(self, height: int, width: int, scale: Tensor, device: torch.device = CPU) -> None:
        down = torch.outer(torch.arange(height), torch.arange(height)) * (2 * torch.pi / height)
        across = torch.outer(torch.arange(width // 2 + 1), torch.arange(width))
        across = across * (2 * torch.pi / width)
        twice = torch.full((width // 2 + 1, 1), 2.0)
        twice[0] = 1
        if width % 2 == 0:
            twice[-1] = 1
        # [real, imaginary] of rows -> [real, imaginary] of rows
        self._rows = (_doubled(down.cos(), down.sin()) / height).to(device)
        self._real = (twice * across.cos() / width).to(device)
        self._imaginary = (-twice * across.sin() / width).to(device)
        self._scale = scale.to(device)

    def __call__(self, spectra: Tensor) -> Tensor:
        real, imaginary = (self._rows @ (spectra * self._scale).flatten(-3, -2)).chunk(2, dim=-2)
        return real @ self._real + imaginary @ self._imaginary


def _doubled(cos: Tensor, sin: Tensor) -> Tensor:
    """Multiplying by cos + i sin, as one real matrix."""
    return torch.cat([torch.cat([cos, -sin], dim=1), torch.cat([sin, cos], dim=1)])


def _enlarged(level: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(level, size=(height, width), mode="bilinear", align_corners=False)


def _cut(images: Tensor) -> Tensor:
    """To 0..1, while the gradient goes on as if it had not been cut: a pixel that went too far can
    come back."""
    return images + (images.clamp(0, 1) - images).detach()


def _draw(shape: tuple[int, ...], seeds: Sequence[int]) -> Tensor:
    starts = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.stack(starts)
