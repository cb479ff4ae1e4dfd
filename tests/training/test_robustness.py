import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from glyphscope.spec import InputSpec
from training.data import Split
from training.robustness import (
    CHUNK,
    STRESSES,
    blur,
    changed,
    contrast,
    curves,
    evenly,
    noise,
    rotate,
    shift,
    thickness,
)


def bar(width: int = 6) -> Tensor:
    """One image with an upright bar, 16 pixels high."""
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, 6:22, 10 : 10 + width] = 1
    return image


class LitInTheMiddle(nn.Module):
    """Class 1 where the pixel in row 14, column 14 is light, else class 0."""

    def forward(self, images: Tensor) -> Tensor:
        lit = images[:, 0, 14, 14]
        return torch.stack([0.5 - lit, lit - 0.5], dim=1)


@pytest.fixture
def dots() -> Split:
    """Eight images: a dot in the middle on every second one."""
    images = torch.zeros(8, 1, 28, 28, dtype=torch.uint8)
    images[::2, :, 14, 14] = 255
    return Split(images, torch.tensor([1, 0] * 4))


def test_neighbours_are_shifted_in_four_directions() -> None:
    image = torch.zeros(4, 1, 9, 9)
    image[:, :, 4, 4] = 1
    moved = shift(image, 3, 0)
    assert [tuple(torch.nonzero(m[0])[0].tolist()) for m in moved] == [
        (4, 7),
        (7, 4),
        (4, 1),
        (1, 4),
    ]
    assert torch.equal(shift(image[1:], 3, 1), moved[1:])  # a chunk goes on where one ended


@pytest.mark.parametrize("index", [0, 1])
def test_rotation_matches_pillow_and_turns_both_ways(index: int) -> None:
    torch.manual_seed(0)
    image = torch.nn.functional.avg_pool2d(torch.rand(1, 1, 112, 112), 4)
    found = rotate(image, 30, index)[0, 0].numpy()
    picture = Image.fromarray(image[0, 0].numpy())
    degrees = -30 if index else 30
    expected = np.asarray(picture.rotate(degrees, Image.Resampling.BILINEAR))
    inner = slice(6, 22)
    assert abs(found[inner, inner] - expected[inner, inner]).max() < 0.02


def test_noise_has_its_deviation_and_is_the_same_each_time() -> None:
    grey = torch.full((50, 1, 28, 28), 0.5)
    found = noise(grey, 0.1, 0)
    assert float((found - grey).std()) == pytest.approx(0.1, rel=0.02)
    assert float((found - grey).mean()) == pytest.approx(0, abs=0.002)
    assert torch.equal(noise(grey, 0.1, 0), found)
    assert not torch.equal(noise(grey, 0.1, CHUNK), found)


@pytest.mark.parametrize("pixels", [-2, -1, 1, 2, 3])
def test_a_bar_becomes_wider_by_the_stated_pixels(pixels: float) -> None:
    across = thickness(bar(), pixels, 0)[0, 0, 14].sum()
    assert float(across) == pytest.approx(6 + pixels, abs=0.26)


def test_contrast_keeps_the_mean_and_scales_what_is_around_it() -> None:
    image = bar()
    mean = float(image.mean())
    found = contrast(image, 0.3, 0)
    assert float(found.mean()) == pytest.approx(mean)
    assert float(found.max()) == pytest.approx(mean + 0.3 * (1 - mean))


def test_blur_is_a_convolution_with_a_gaussian() -> None:
    torch.manual_seed(0)
    image, sigma, reach = torch.rand(1, 2, 12, 12), 1.0, 3
    found = blur(image, sigma, 0)
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    padded = np.pad(image.numpy()[0], ((0, 0), (reach, reach), (reach, reach)))
    for channel in range(2):
        for y in range(12):
            for x in range(12):
                window = padded[channel, y : y + 2 * reach + 1, x : x + 2 * reach + 1]
                naive = weights @ window @ weights
                assert float(found[0, channel, y, x]) == pytest.approx(naive, abs=1e-5)


@pytest.mark.parametrize("name", STRESSES)
def test_each_change_is_deterministic_and_nothing_at_its_neutral_strength(name: str) -> None:
    stress = STRESSES[name]
    images = torch.randint(0, 256, (6, 1, 28, 28), dtype=torch.uint8)
    assert stress.neutral in stress.strengths
    assert torch.equal(changed(images, stress, stress.neutral), images)
    for strength in stress.strengths:
        found = changed(images, stress, strength)
        assert (found.shape, found.dtype) == (images.shape, images.dtype)
        assert torch.equal(found, changed(images, stress, strength))


def test_a_curve_counts_what_is_still_answered_right(dots: Split) -> None:
    found = {c.name: c for c in curves(LitInTheMiddle(), InputSpec(), dots)}
    # Shifted by a pixel, every dot has left the middle: the empty half stays right.
    assert found["shift"].accuracy == (1.0, *[0.5] * 6)
    assert found["shift"].strengths[0] == 0
    assert found["shift"].interval[0] == pytest.approx((0.6756, 1.0), abs=1e-4)  # Wilson, 8 of 8
    assert all(len(c.examples) == len(c.strengths) == len(c.accuracy) for c in found.values())
    assert set(found) == set(STRESSES)


def test_what_has_no_strokes_is_not_thickened(dots: Split) -> None:
    spec = InputSpec(preprocessing="fashion-mnist")
    assert "thickness" not in {c.name for c in curves(LitInTheMiddle(), spec, dots)}


def test_a_sample_of_a_sorted_set_has_all_classes() -> None:
    labels = torch.arange(10).repeat_interleave(100)
    found = evenly(Split(labels[:, None], labels), 50)
    assert torch.bincount(found.labels).tolist() == [5] * 10
    assert evenly(found, 60) is found
