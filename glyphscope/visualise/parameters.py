"""What is optimised in place of pixels: free numbers (N, ...) and the map to images in 0..1.

    PARAMETERS: dict[name, (shape, seeds) -> (leaf, decode)]

Every image starts from a generator of its own, so it does not depend on its neighbours.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Shape = tuple[int, int, int]
Decode = Callable[[Tensor], Tensor]

START = 0.01
"""Standard deviation of the start (Lucid's)."""

GROUND = -1.0
"""Added before the sigmoid: the start is dark (0.27), as the ground of the data sets is, but not so
dark that the sigmoid holds the first steps up (at -2 one unit in three stays where it is)."""


def pixels(shape: Shape, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """A number a pixel, squashed by a sigmoid."""
    return _draw(shape, seeds), lambda leaf: torch.sigmoid(leaf + GROUND)


def fourier(shape: Shape, seeds: Sequence[int]) -> tuple[Tensor, Decode]:
    """Real and imaginary parts of the spectrum, scaled by 1/f as natural images are.

    Olah, Mordvintsev & Schubert 2017, "Preconditioning and parameterization".
    """
    channels, height, width = shape
    rows = torch.fft.fftfreq(height)[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    frequency = (rows**2 + columns**2).sqrt()
    scale = (height * width) ** 0.5 / frequency.clamp(min=1 / max(height, width))

    def decode(leaf: Tensor) -> Tensor:
        spectrum = torch.view_as_complex(leaf) * scale.to(leaf.device)
        return torch.sigmoid(torch.fft.irfft2(spectrum, s=(height, width)) + GROUND)

    return _draw((channels, height, width // 2 + 1, 2), seeds), decode


PARAMETERS: dict[str, Callable[[Shape, Sequence[int]], tuple[Tensor, Decode]]] = {
    "fourier": fourier,
    "pixels": pixels,
}


def _draw(shape: tuple[int, ...], seeds: Sequence[int]) -> Tensor:
    starts = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]
    return torch.stack(starts) * START
