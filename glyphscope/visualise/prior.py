"""What the images of a data set look like, small enough to be asked at every step of an ascent.

    prior(checkpoint)  ->  Prior, which can
        sample(n)            draw images (n, C, H, W) in 0..1, always the same ones
        denoised(images)     say what they most likely were before noise of ``SIGMA`` was added

A gradient of an image's probability is (denoised - image) / SIGMA^2 (Miyasawa 1961; Alain & Bengio
2014), so the second is a pull towards what could be real. Nguyen et al. 2017 (arXiv:1612.00005)
maximise with such a prior, a generator network; at 28 pixels a mixture of flat Gaussians does:
probabilistic principal axes (Tipping & Bishop 1999, Neural Computation 11), of whole images, as
Richardson & Weiss 2018 (arXiv:1805.12462) draw faces with.

For the data sets of the shipped networks it was fitted on training images and lies beside this
file. A version of other data carries its own, ``prior.safetensors``, fitted when it was published.
Where there is neither it follows from the input's mean and deviation: waves that fall as 1/f.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from safetensors import torch as tensors
from torch import Tensor

from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import BrokenCheckpoint
from glyphscope.manifest import PRIOR
from glyphscope.spec import InputSpec, Shape
from glyphscope.visualise.spectrum import magnitude

FITTED = Path(__file__).with_name("priors.safetensors")
"""<preprocessing>.<field of Mixture>: images made in the same way look the same."""

SIGMA = 0.1
"""Standard deviation of the noise that is taken out, of pixels in 0..1."""

SPREAD = 1.2
"""Samples lie so many times as far from their cloud's middle as its images do: 5 samples of one
class then differ as 5 real images do."""

EACH, SAMPLES = 8, 1024
"""Samples a cloud, and of all clouds at most: every class of the shipped data sets has a dozen."""

SEED = 5


FIELDS = ("means", "axes", "variances", "noise", "shares")
"""What a file has of a mixture."""


class Prior(Protocol):
    def sample(self) -> Tensor | None:
        """(M, C, H, W) in 0..1, the same ones at every call; None where none would look real."""

    def denoised(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""


@dataclass(frozen=True)
class Mixture:
    """K clouds over images of D values: ``means`` (K, D), R unit ``axes`` (K, R, D) with
    ``variances`` (K, R), in every other direction ``noise`` (K,), and ``shares`` (K,)."""

    shape: Shape
    means: Tensor
    axes: Tensor
    variances: Tensor
    noise: Tensor
    shares: Tensor

    def sample(self) -> Tensor:
        """As many of every cloud, in turns."""
        return self._samples

    @cached_property
    def _samples(self) -> Tensor:
        clouds, rank, _ = self.axes.shape
        generator = torch.Generator().manual_seed(SEED)
        each = max(1, min(EACH, SAMPLES // clouds))
        steps = torch.randn(each, clouds, rank, generator=generator) * SPREAD
        along = (steps * self.variances.cpu().sqrt())[..., None, :] @ self.axes.cpu()
        return (self.means.cpu() + along[..., 0, :]).clamp(0, 1).view(-1, *self.shape)

    def denoised(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        along = self._along(flat)
        odds = self._odds(flat, along)
        steps = odds[..., None] * self._more * along
        middles = (odds * (1 - self._rest)) @ self.means
        rest = (odds * self._rest).sum(1, keepdim=True) * flat
        found: Tensor = middles + rest + steps.flatten(1) @ self._rows
        return found.view_as(images)

    def _along(self, flat: Tensor) -> Tensor:
        """(N, K, R): where images lie along each cloud's axes."""
        found: Tensor = (flat @ self._rows.T).view(-1, *self.variances.shape)
        return found - self._middle

    def _odds(self, flat: Tensor, along: Tensor) -> Tensor:
        """(N, K): which cloud an image belongs to."""
        square = flat.square().sum(1, keepdim=True) - 2 * flat @ self.means.T + self._lengths
        inside = along.square()
        distance = (inside / self._wide).sum(2) + (square - inside.sum(2)) / self._narrow
        return (self._logs - (distance + self._volume) / 2).softmax(1)

    @cached_property
    def _rows(self) -> Tensor:
        """(K R, D): all axes as one matrix, so that one product serves all clouds."""
        return self.axes.flatten(0, 1)

    @cached_property
    def _middle(self) -> Tensor:
        return (self.axes @ self.means[..., None])[..., 0]

    @cached_property
    def _lengths(self) -> Tensor:
        return self.means.square().sum(1)

    @cached_property
    def _logs(self) -> Tensor:
        return self.shares.log()

    @cached_property
    def _wide(self) -> Tensor:
        """(K, R): variances along the axes, with the noise that is taken out."""
        return self.variances + SIGMA**2

    @cached_property
    def _narrow(self) -> Tensor:
        """(K,): those in every other direction."""
        return self.noise + SIGMA**2

    @cached_property
    def _volume(self) -> Tensor:
        dimensions = self.means.shape[1] - self.variances.shape[1]
        return self._wide.log().sum(1) + dimensions * self._narrow.log()

    @cached_property
    def _rest(self) -> Tensor:
        """(K,): what is kept of a step in any direction that is no axis."""
        return self.noise / self._narrow

    @cached_property
    def _more(self) -> Tensor:
        """(K, R): how much more than that is kept of a step along an axis."""
        return self.variances / self._wide - self._rest[:, None]


@dataclass(frozen=True)
class Waves:
    """A Gaussian whose waves are independent: the Wiener filter. ``power`` (C, H, W // 2 + 1)."""

    mean: Tensor
    power: Tensor

    def sample(self) -> Tensor | None:
        """Its samples are clouds of no shape."""
        return None

    def denoised(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        gain = self.power / (self.power + SIGMA**2 * height * width)
        waves = torch.fft.rfft2(images - self.mean) * gain
        found: Tensor = torch.fft.irfft2(waves, s=(height, width)) + self.mean
        return found


def prior(checkpoint: Checkpoint) -> Prior:
    """Remembered by the checkpoint. Raises ``BrokenCheckpoint`` where the one that the version
    carries is not understood."""
    if "prior" not in checkpoint.memory:
        checkpoint.memory["prior"] = _prior(checkpoint)
    found: Prior = checkpoint.memory["prior"]
    return found


def _prior(checkpoint: Checkpoint) -> Prior:
    spec, device = checkpoint.manifest.input, checkpoint.device
    if checkpoint.prior:
        return _own(checkpoint)
    return fitted(spec, device) or Waves(
        mean=torch.tensor(spec.mean, device=device).view(-1, 1, 1),
        power=_without_mean(magnitude(spec)).to(device).square(),
    )


def fitted(spec: InputSpec, device: torch.device) -> Mixture | None:
    """None for a data set that none was fitted to."""
    found = {
        key.removeprefix(spec.preprocessing + "."): value.to(device)
        for key, value in tensors.load_file(FITTED).items()
        if key.startswith(spec.preprocessing + ".")
    }
    if not found or found["means"].shape[1] != spec.channels * spec.height * spec.width:
        return None
    return unpacked(found, spec.shape)


def _own(checkpoint: Checkpoint) -> Mixture:
    found = {name: value.to(checkpoint.device) for name, value in checkpoint.prior.items()}
    shape = checkpoint.manifest.input.shape
    if {*found} != {*FIELDS} or found["means"].shape[-1] != math.prod(shape):
        raise BrokenCheckpoint(
            f"{checkpoint.manifest.ref}: {PRIOR} does not hold a prior of images {shape}"
        )
    return unpacked(found, shape)


def packed(mixture: Mixture) -> dict[str, Tensor]:
    """In bytes: a pixel of a mean to 1/255, an axis to 1/127 of its largest value."""
    peaks = mixture.axes.abs().amax(2, keepdim=True).clamp(min=1e-12)
    return {
        "means": (mixture.means.clamp(0, 1) * 255).round().to(torch.uint8),
        "axes": (mixture.axes / peaks * 127).round().to(torch.int8),
        "variances": mixture.variances,
        "noise": mixture.noise,
        "shares": mixture.shares,
    }


def unpacked(found: dict[str, Tensor], shape: Shape) -> Mixture:
    axes = found["axes"].float()
    return Mixture(
        shape=shape,
        means=found["means"].float() / 255,
        axes=axes / axes.norm(dim=2, keepdim=True).clamp(min=1e-12),
        variances=found["variances"],
        noise=found["noise"],
        shares=found["shares"],
    )


def _without_mean(spectrum: Tensor) -> Tensor:
    """The mean is taken off before, so no power is left there."""
    spectrum = spectrum.clone()
    spectrum[:, 0, 0] = 0
    return spectrum
