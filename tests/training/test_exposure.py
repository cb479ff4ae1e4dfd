import math
from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

from training import exposure
from training.fit import Trainer

Start = Callable[..., Trainer]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, channels: int = 3) -> torch.Tensor:
    """No value twice in an image, so that a pixel is known wherever it went."""
    values = torch.arange(n * channels * 8 * 8, dtype=torch.float32)
    return (values / values.numel()).view(n, channels, 8, 8)


def kinds(images: torch.Tensor, made: torch.Tensor) -> list[str]:
    found = []
    for image, stranger in zip(images, made, strict=True):
        before = {tuple(pixel) for pixel in image.flatten(1).T.tolist()}
        after = [tuple(pixel) for pixel in stranger.flatten(1).T.tolist()]
        flat = len(set(after)) == 1
        found.append("flat" if flat else "shuffled" if set(after) == before else "noise")
    return found


def test_the_loss_is_half_the_cross_entropy_to_all_classes_alike() -> None:
    logits = torch.randn(16, 10, generator=generator()) * 5
    alike = torch.full((16, 10), 0.1)
    assert exposure.loss(logits) == pytest.approx(
        0.5 * float(functional.cross_entropy(logits, alike))
    )
    assert float(exposure.loss(torch.full((4, 10), 3.0))) == pytest.approx(0.5 * math.log(10))


def test_strangers_are_of_three_kinds_and_in_range() -> None:
    images = pictures(300)
    made = exposure.strangers(images, 300, generator())
    assert made.shape == images.shape
    assert made.min() >= 0
    assert made.max() <= 1
    found = kinds(images, made)
    assert all(80 < found.count(kind) < 120 for kind in ("flat", "shuffled", "noise"))


def test_noise_is_mostly_dark_or_mostly_light() -> None:
    images = pictures(300, channels=1)
    made = exposure.strangers(images, 300, generator())
    means = [
        float(m.mean())
        for m, kind in zip(made, kinds(images, made), strict=True)
        if kind == "noise"
    ]
    # The mean of u ** p is 1 / (p + 1): a fifth for p = 4, four fifths for p = 1 / 4.
    assert min(means) < 0.3
    assert max(means) > 0.7


def test_as_many_as_asked_the_same_for_the_same_seed() -> None:
    images = pictures(8)
    made = exposure.strangers(images, 3, generator(1))
    assert made.shape == (3, 3, 8, 8)
    assert torch.equal(made, exposure.strangers(images, 3, generator(1)))
    assert not torch.equal(made, exposure.strangers(images, 3, generator(2)))


@pytest.mark.parametrize(("share", "loss"), [(0.0, math.log(10)), (0.25, 1.5 * math.log(10))])
def test_a_training_adds_it_to_its_loss(start: Start, share: float, loss: float) -> None:
    """All logits of zero weights are alike, and so small a rate leaves them so."""
    zeros = ["network.init=zeros", "optimiser.learning_rate=1e-12", "fit.epochs=1"]
    [record] = start(*zeros, f"fit.strangers={share}").epochs()
    assert record.train_loss == pytest.approx(loss, abs=1e-4)
