from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from glyphscope.visualise.knobs import Regularisers
from glyphscope.visualise.penalties import blur_radius, blurred, penalty_gradient, rescaled


def test_they_are_the_gradients_of_what_they_say() -> None:
    images = torch.rand(2, 1, 9, 9, dtype=torch.float64, requires_grad=True)
    padded = nn.functional.pad(images, (1, 1, 1, 1))
    smooth = sum((padded.diff(dim=d).square() + 1e-4).sqrt().sum((1, 2, 3)) for d in (2, 3))
    loss = 0.3 * smooth.sum() + 0.7 * images.square().sum()  # type: ignore[union-attr]
    loss = loss + 0.2 * images.abs().sum()
    loss.backward()
    how = Regularisers(total_variation=0.3, l2=0.7, l1=0.2)
    torch.testing.assert_close(penalty_gradient(images.detach(), how), images.grad)
    assert not penalty_gradient(images.detach(), Regularisers()).any()


def test_blur_is_a_gaussian_with_ground_outside() -> None:
    image = np.random.default_rng(0).random((28, 28), dtype=np.float32)
    bell = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    along = partial(np.apply_along_axis, lambda v: np.convolve(v, bell / bell.sum(), "same"))
    expected = along(1, along(0, image))
    found = blurred(torch.from_numpy(image)[None, None], 1.5)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_the_blur_comes_every_so_often_and_goes_from_one_radius_to_the_other() -> None:
    how = Regularisers(blur=2.0, blur_end=1.0, blur_every=4)
    radii = [blur_radius(how, step, 9) for step in range(9)]
    assert radii == pytest.approx([0, 0, 0, 1.625, 0, 0, 0, 1.125, 0])
    assert blur_radius(Regularisers(blur=2.0), 3, 9) == 0


def test_a_held_norm_is_a_root_mean_square() -> None:
    held = rescaled(torch.rand(3, 1, 5, 5), 0.25)
    torch.testing.assert_close(held.square().mean((1, 2, 3)).sqrt(), torch.full((3,), 0.25))
    assert not rescaled(torch.zeros(1, 1, 5, 5), 0.25).any()
