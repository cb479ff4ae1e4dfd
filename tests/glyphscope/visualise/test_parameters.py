"""Parameterisations: what their numbers mean, checked against numpy's transforms."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from glyphscope.visualise.parameters import PARAMETERS, Canvas, InverseFourier, fourier, maco, raw
from glyphscope.visualise.spectrum import one_over_f

SHAPE = (1, 28, 28)
CANVAS = Canvas(SHAPE, 0.01, -1.0, (0.3,), torch.rand(1, 28, 15) * 20, decorrelate=False)
COLOUR = replace(
    CANVAS,
    shape=(3, 20, 17),
    mean=(0.5, 0.4, 0.3),
    magnitude=torch.rand(3, 20, 9),
    decorrelate=True,
)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (5, 7), (6, 9), (7, 4)])
def test_two_small_products_are_the_inverse_transform(height: int, width: int) -> None:
    generator = np.random.default_rng(0)
    half = generator.normal(size=(4, 3, 2, height, width // 2 + 1))
    scale = generator.normal(size=half.shape[-2:])
    expected = np.fft.irfft2((half[:, :, 0] + 1j * half[:, :, 1]) * scale, s=(height, width))
    inverse = InverseFourier(height, width, torch.tensor(scale, dtype=torch.float32))
    found = inverse(torch.tensor(half, dtype=torch.float32))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)


def test_fourier_is_an_inverse_transform_with_1_over_f() -> None:
    leaf, decode = fourier(CANVAS, [3])
    assert leaf.std() == pytest.approx(0.01, rel=0.1)
    one = torch.zeros_like(leaf)
    one[0, 0, 0, 0, 3] = 0.02  # three waves from left to right
    logits = torch.logit(decode(one))[0, 0]
    wave = torch.cos(2 * math.pi * 3 * torch.arange(28) / 28)
    height = 2 * 0.02 * 28 * (28 / 3) / 784  # both halves of the spectrum, 1/f, 1/(HW)
    torch.testing.assert_close(
        logits - logits.mean(), (height * wave).expand(28, 28), atol=1e-4, rtol=0
    )
    assert one_over_f(28, 28)[0, 0] == one_over_f(28, 28)[0, 1]


def test_maco_keeps_the_magnitudes_whatever_the_phases() -> None:
    magnitude = CANVAS.magnitude / 100  # so little contrast that nothing is cut
    magnitude[:, 0, 0] = 0.3 * 784
    leaf, decode = maco(replace(CANVAS, magnitude=magnitude, start=3.0), [5])
    assert leaf.shape == (1, 1, 28, 15)
    spectrum = np.abs(np.fft.rfft2(decode(leaf)[0, 0].numpy()))
    # A real image has no phases in its outer columns to choose freely; the others are exact.
    np.testing.assert_allclose(spectrum[:, 1:14], magnitude[0, :, 1:14], rtol=1e-3, atol=1e-4)
    assert decode(leaf).mean() == pytest.approx(0.3, abs=1e-5)


def test_a_pixel_that_was_cut_can_come_back() -> None:
    _, decode = raw(CANVAS, [0])
    leaf = torch.full((1, *SHAPE), 2.0, requires_grad=True)
    images = decode(leaf)
    assert images.max() == 1
    images.sum().backward()
    assert leaf.grad is not None
    assert (leaf.grad == 1).all()


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("canvas", [CANVAS, COLOUR], ids=["one channel", "colour"])
def test_every_one_gives_images_that_do_not_depend_on_their_neighbours(
    name: str, canvas: Canvas
) -> None:
    leaf, decode = PARAMETERS[name](replace(canvas, start=1.0), [7, 9])
    alone, _ = PARAMETERS[name](replace(canvas, start=1.0), [9])
    assert torch.equal(leaf[1:], alone)
    images = decode(leaf.requires_grad_())
    assert images.shape == (2, *canvas.shape)
    assert 0 <= images.min() < images.max() <= 1
    images.square().sum().backward()
    assert leaf.grad is not None
    assert torch.isfinite(leaf.grad).all()
    assert leaf.grad.abs().sum() > 0
