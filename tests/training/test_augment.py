import math

import numpy as np
import pytest
import torch
from PIL import Image

from training.augment import augment
from training.recipe import AugmentRecipe


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 64) -> torch.Tensor:
    """A bar left of the middle on a dark ground."""
    images = torch.zeros(n, 1, 28, 28)
    images[:, :, 8:20, 6:10] = 1
    return images


def test_nothing_asked_nothing_changed() -> None:
    images = batch()
    assert torch.equal(augment(images, AugmentRecipe(), generator()), images)


def test_shift_moves_the_centre_of_mass_within_its_limit() -> None:
    moved = augment(batch(512), AugmentRecipe(shift=3), generator())
    xs = torch.arange(28.0)
    centres = (moved.sum(2)[:, 0] * xs).sum(1) / moved.sum((1, 2, 3))
    offsets = centres - 7.5
    assert offsets.abs().max() <= 3.01
    assert offsets.std() == pytest.approx(3 / math.sqrt(3), rel=0.1)  # uniform on -3..3


def test_a_certain_flip_is_the_mirror_image() -> None:
    images = batch()
    flipped = augment(images, AugmentRecipe(flip=1), generator())
    assert torch.allclose(flipped, images.flip(3), atol=1e-5)


def test_rotation_matches_pillow() -> None:
    torch.manual_seed(0)
    image = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 112, 112), 4)
    turned = augment(image, AugmentRecipe(rotate=30), generator(5))[0, 0].numpy()
    degrees = float((torch.rand(1, generator=generator(5)) * 2 - 1) * 30)
    picture = Image.fromarray(image[0, 0].numpy())
    expected = np.asarray(picture.rotate(degrees, Image.Resampling.BILINEAR))
    inner = slice(6, 22)
    assert abs(turned[inner, inner] - expected[inner, inner]).max() < 0.02


def test_erasing_blanks_one_rectangle_of_the_stated_area() -> None:
    kept = augment(torch.ones(256, 1, 28, 28), AugmentRecipe(erase=1), generator())
    share = 1 - kept.mean((1, 2, 3))
    assert share.max() <= 0.3
    assert share.mean() > 0.05
    one = kept[int(share.argmax()), 0] == 0
    rows, columns = one.any(1).sum(), one.any(0).sum()
    assert one.sum() == rows * columns


def test_the_same_seed_draws_the_same_changes() -> None:
    how = AugmentRecipe(shift=2, rotate=10, scale=0.1, shear=5, erase=0.5)
    assert torch.equal(augment(batch(), how, generator(1)), augment(batch(), how, generator(1)))
    assert not torch.equal(augment(batch(), how, generator(1)), augment(batch(), how, generator(2)))
