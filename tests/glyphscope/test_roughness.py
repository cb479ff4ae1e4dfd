import numpy as np
import torch

from glyphscope.roughness import high_frequency, total_variation


def wave(cycles: float, size: int = 32) -> torch.Tensor:
    """A horizontal wave of amplitude 0.5 around 0.5: (1, 1, size, size)."""
    x = torch.arange(size)
    row = 0.5 + 0.5 * torch.cos(2 * torch.pi * cycles * x)
    return row.expand(1, 1, size, size)


def test_only_what_lies_above_a_quarter_counts() -> None:
    """A wave of amplitude a has the mean square a^2 / 2."""
    torch.testing.assert_close(high_frequency(wave(3 / 8)), torch.tensor([0.125]))
    assert float(high_frequency(wave(1 / 8))) < 1e-10
    both = (wave(3 / 8) + wave(1 / 8)) / 2
    torch.testing.assert_close(high_frequency(both), torch.tensor([0.125 / 4]))


def test_total_variation_equals_a_naive_loop() -> None:
    images = torch.rand(3, 2, 5, 4, generator=torch.Generator().manual_seed(0))
    values = images.numpy()
    for found, image in zip(total_variation(images), values, strict=True):
        steps = 0.0
        for c, y, x in np.ndindex(2, 5, 4):
            steps += abs(image[c, y, x] - image[c, y - 1, x]) if y else 0
            steps += abs(image[c, y, x] - image[c, y, x - 1]) if x else 0
        np.testing.assert_allclose(float(found), steps / image.size, rtol=1e-5)
