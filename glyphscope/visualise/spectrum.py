"""How strong each frequency is in the images that a network was trained on.

    magnitude(InputSpec)  ->  (C, H, W // 2 + 1), as |rfft2| of images in 0..1 has it

For the data sets of the shipped networks it was measured over their training images and lies beside
this file. For any other it follows from what every checkpoint carries, the mean and the standard
deviation of the pixels, and the law that amplitudes of natural images fall as 1/f (Field 1987).
"""

from pathlib import Path

import torch
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.spec import InputSpec

MEASURED = Path(__file__).with_name("spectra.safetensors")
"""Keyed by preprocessing: images made in the same way have the same spectrum."""


def magnitude(spec: InputSpec) -> Tensor:
    found: Tensor | None = tensors.load_file(MEASURED).get(spec.preprocessing)
    if found is not None and found.shape == (spec.channels, spec.height, spec.width // 2 + 1):
        return found
    return lawful(spec)


def measure(images: Tensor) -> Tensor:
    """The mean over images (N, C, H, W) in 0..1."""
    found: Tensor = torch.fft.rfft2(images).abs().mean(0)
    return found


def lawful(spec: InputSpec) -> Tensor:
    """1/f, of the input's mean and standard deviation, a channel each."""
    height, width = spec.height, spec.width
    law = one_over_f(height, width)
    law[0, 0] = 0
    # Parseval: the variance of an image is the power of its waves over (HW)^2.
    images: Tensor = torch.fft.irfft2(torch.polar(law, torch.zeros_like(law)), s=(height, width))
    law = law / images.square().mean().sqrt()
    found: Tensor = torch.stack([law * std for std in spec.std])
    found[:, 0, 0] = torch.tensor(spec.mean) * height * width
    return found


def one_over_f(height: int, width: int) -> Tensor:
    """(H, W // 2 + 1): Lucid's scale, which keeps the energy of an image whatever its size."""
    rows = torch.fft.fftfreq(height)[:, None]
    columns = torch.fft.rfftfreq(width)[None]
    frequency = (rows**2 + columns**2).sqrt().clamp(min=1 / max(height, width))
    found: Tensor = (height * width) ** 0.5 / frequency
    return found
