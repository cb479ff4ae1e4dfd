import pytest
import torch

from glyphscope.errors import DataMissing
from training.datasets.split import Split, digests, divide, hold_out


def numbered(labels: list[int], pixels: list[int] | None = None) -> Split:
    """Images that tell by their pixels which one they are."""
    values = torch.tensor(pixels or list(range(len(labels))), dtype=torch.uint8)
    return Split(values[:, None, None, None].repeat(1, 1, 4, 4), torch.tensor(labels))


def shown(split: Split) -> list[int]:
    return sorted(split.images[:, 0, 0, 0].tolist())


def test_a_digest_is_of_the_pixels_alone() -> None:
    a, b, c = digests(numbered([0, 1, 2], [5, 5, 6]).images)
    assert a == b != c


def test_a_share_is_held_out_of_every_class() -> None:
    rest, held = hold_out(numbered([0] * 60 + [1] * 40), 0.1, seed=0)
    assert (len(rest), len(held)) == (90, 10)
    assert torch.bincount(held.labels).tolist() == [6, 4]


@pytest.mark.parametrize("count", [0.001, 0.999, 100, 1000])
def test_holding_out_nothing_or_everything_is_refused(count: float) -> None:
    with pytest.raises(DataMissing, match=r"set split\.validation"):
        hold_out(numbered([0] * 60 + [1] * 40), count, seed=0)


def test_the_test_split_is_chosen_by_pixels_and_not_by_place() -> None:
    labels = [i % 3 for i in range(90)]
    train, test = divide(numbered(labels), 0.2)
    assert torch.bincount(test.labels).tolist() == [6, 6, 6]
    assert sorted(shown(train) + shown(test)) == list(range(90))
    turned = numbered(labels[::-1], list(range(89, -1, -1)))
    assert shown(divide(turned, 0.2)[1]) == shown(test)


def test_equal_images_land_on_one_side() -> None:
    pixels = [i // 4 for i in range(80)]
    train, test = divide(numbered([0] * 40 + [1] * 40, pixels), 0.2)
    assert not set(shown(train)) & set(shown(test))
    assert len(test) == 4 * 2 * 2


def test_equal_images_of_two_classes_land_on_one_side() -> None:
    for seed in range(20):
        pixels = torch.randperm(200, generator=torch.Generator().manual_seed(seed)).tolist()
        split = numbered([0] * 100 + [1] * 100, pixels[:100] + pixels[:20] + pixels[100:180])
        train, test = divide(split, 0.2)
        assert not set(shown(train)) & set(shown(test))


def test_a_class_of_one_image_stays_in_training_and_one_of_two_is_shared() -> None:
    train, test = divide(numbered([0, 1, 1]), 0.2)
    assert train.labels.tolist() == [0, 1]
    assert test.labels.tolist() == [1]
