import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped]

from glyphscope.errors import InvalidRecipe
from training import augment as augmenting
from training import experiment, recipe
from training.augment import augment
from training.recipe import AugmentRecipe


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 64) -> torch.Tensor:
    """A bar left of the middle on a dark ground."""
    images = torch.zeros(n, 1, 28, 28)
    images[:, :, 8:20, 6:10] = 1
    return images


def texture(n: int, height: int = 28, width: int = 28) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.nn.functional.avg_pool2d(torch.rand(n, 1, height * 4, width * 4), 4)


def test_nothing_asked_nothing_changed() -> None:
    images = batch()
    assert torch.equal(augment(images, AugmentRecipe(), generator()), images)


def test_shift_moves_whole_pixels_within_its_limit() -> None:
    moved = augment(batch(512), AugmentRecipe(shift=3), generator())
    xs = torch.arange(28.0)
    centres = (moved.sum(2)[:, 0] * xs).sum(1) / moved.sum((1, 2, 3))
    offsets = centres - 7.5
    assert torch.allclose(offsets, offsets.round(), atol=1e-3)
    assert offsets.abs().max() <= 3.01
    assert offsets.std() == pytest.approx(math.sqrt((7**2 - 1) / 12), rel=0.1)  # of -3, -2, ..., 3


def test_shift_on_a_frame_that_is_no_square() -> None:
    images = texture(64, 16, 48)
    moved = augment(images, AugmentRecipe(shift=2), generator())
    torch.manual_seed(1)
    for image, shifted in zip(images[:, 0], moved[:, 0], strict=True):
        gaps = [
            (shifted - torch.roll(image, (dy, dx), (0, 1)))[2:-2, 2:-2].abs().max()
            for dy in range(-2, 3)
            for dx in range(-2, 3)
        ]
        assert min(gaps) < 1e-5


def test_a_certain_flip_is_the_mirror_image() -> None:
    images = batch()
    flipped = augment(images, AugmentRecipe(flip=1), generator())
    assert torch.allclose(flipped, images.flip(3), atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(28, 28), (28, 40)])
def test_rotation_matches_pillow(height: int, width: int) -> None:
    image = texture(1, height, width)
    turned = augment(image, AugmentRecipe(rotate=30), generator(5))[0, 0].numpy()
    degrees = float((torch.rand(1, generator=generator(5)) * 2 - 1) * 30)
    picture = Image.fromarray(image[0, 0].numpy())
    expected = np.asarray(picture.rotate(degrees, Image.Resampling.BILINEAR))
    inner = slice(6, 22)
    middle = slice(width // 2 - 8, width // 2 + 8)
    assert abs(turned[inner, middle] - expected[inner, middle]).max() < 0.02


def test_erasing_blanks_one_rectangle_of_the_stated_area() -> None:
    kept = augment(torch.ones(256, 1, 28, 28), AugmentRecipe(erase=1), generator())
    share = 1 - kept.mean((1, 2, 3))
    assert share.max() <= 0.3
    assert share.mean() > 0.05
    one = kept[int(share.argmax()), 0] == 0
    rows, columns = one.any(1).sum(), one.any(0).sum()
    assert one.sum() == rows * columns


@pytest.mark.parametrize("sigma", [1.0, 4.0])
def test_the_elastic_field_is_scipys_gaussian_of_the_noise(sigma: float) -> None:
    noise = torch.rand(3, 2, 28, 32, dtype=torch.float64, generator=generator()) * 2 - 1
    field = augmenting.elastic_field(noise, 34, sigma)
    for n in range(3):
        for axis in range(2):
            expected = 34 * ndimage.gaussian_filter(noise[n, axis].numpy(), sigma, mode="constant")
            assert np.allclose(field[n, axis].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize(("border", "mode"), [("zeros", "grid-constant"), ("border", "nearest")])
def test_elastic_distortion_matches_scipy(border: str, mode: str) -> None:
    """The recipe of Simard et al. with scipy's filter and interpolation, on the same noise."""
    images = texture(4)
    how = AugmentRecipe.model_validate({"elastic": 34, "elastic_sigma": 4, "border": border})
    bent = augment(images, how, generator(3))
    draws = generator(3)
    for _ in range(5):  # angle, shear, two scales, mirror
        torch.rand(4, generator=draws)
    for _ in range(2):  # whole pixels
        torch.randint(0, 1, (4,), generator=draws)
    noise = (torch.rand(4, 2, 28, 28, generator=draws) * 2 - 1).double().numpy()
    ys, xs = np.mgrid[:28, :28].astype(float)
    for image, (right, down), found in zip(images.numpy(), noise, bent.numpy(), strict=True):
        dx, dy = (34 * ndimage.gaussian_filter(f, 4, mode="constant") for f in (right, down))
        expected = ndimage.map_coordinates(image[0], [ys + dy, xs + dx], order=1, mode=mode)
        assert abs(found[0] - expected).max() < 1e-4
        assert abs(found[0] - image[0]).max() > 0.1


def test_thickness_is_scipys_grey_dilation_and_erosion_by_a_cross() -> None:
    images = texture(3)
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    found = augmenting.thicken(images, torch.tensor([1.0, -1.0, 0.25]))[:, 0].numpy()
    one, two, three = images[:, 0].numpy()
    grown = ndimage.grey_dilation(three, footprint=cross, mode="nearest")
    assert np.allclose(found[0], ndimage.grey_dilation(one, footprint=cross, mode="nearest"))
    assert np.allclose(found[1], ndimage.grey_erosion(two, footprint=cross, mode="nearest"))
    assert np.allclose(found[2], 0.75 * three + 0.25 * grown, atol=1e-6)


def test_thickness_changes_the_width_of_a_stroke_by_so_many_pixels_a_side() -> None:
    changed = augment(batch(512), AugmentRecipe(thickness=0.5), generator())
    width = changed[:, 0, 14].sum(1) - 4
    assert width.abs().max() <= 2 * 0.5 + 1e-3
    assert float(width.mean()) == pytest.approx(0, abs=0.1)
    assert float(width.std()) == pytest.approx(2 * 0.5 / math.sqrt(3), rel=0.1)


def test_the_same_seed_draws_the_same_changes() -> None:
    how = AugmentRecipe(
        shift=2, rotate=10, scale=0.1, shear=5, erase=0.5, elastic=20, thickness=0.5
    )
    assert torch.equal(augment(batch(), how, generator(1)), augment(batch(), how, generator(1)))
    assert not torch.equal(augment(batch(), how, generator(1)), augment(batch(), how, generator(2)))


def test_every_change_keeps_three_channels_together() -> None:
    """A grey picture in three channels stays grey: what is drawn is drawn an image."""
    how = AugmentRecipe(
        shift=2, rotate=10, scale=0.1, flip=0.5, erase=0.5, elastic=20, thickness=0.5
    )
    out = augment(texture(32).repeat(1, 3, 1, 1), how, generator())
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])


@pytest.mark.parametrize("name", ["mnist", "emnist-subset", "emnist-digits", "svhn"])
def test_digits_and_letters_are_never_mirrored(name: str) -> None:
    augmenting.check(AugmentRecipe(), name)
    with pytest.raises(InvalidRecipe, match=f"mirror image changes the classes of {name}; flip is"):
        augmenting.check(AugmentRecipe(flip=0.5), name)


@pytest.mark.parametrize("name", ["fashion-mnist", "cifar10", "cifar10-jpeg"])
def test_clothes_and_photographs_may_be_mirrored(name: str) -> None:
    augmenting.check(AugmentRecipe(flip=0.5), name)


def test_a_run_that_mirrors_digits_is_refused_before_it_begins(data_root: Path) -> None:
    how = recipe.load("mnist", ["augment.flip=0.5", "split.validation=100"])
    with pytest.raises(InvalidRecipe, match=r"augment\.flip is 0\.5"):
        experiment.check(how, data_root)
