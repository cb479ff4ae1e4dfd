from pathlib import Path

import numpy as np
import pytest
import torch

from glyphscope import example_images
from glyphscope.errors import BrokenCheckpoint


def written(folder: Path, channels: int, wanted: list[list[int]]) -> torch.Tensor:
    """A test set of 40 images, packed into ``folder``."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (40, channels, 6, 5), dtype=torch.uint8, generator=generator)
    probabilities = torch.rand(40, 3, generator=generator).softmax(1)
    labels = torch.arange(40) % 3
    for name, data in example_images.pack(images, labels, probabilities, wanted).items():
        (folder / name).write_bytes(data)
    return images


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_come_back_as_they_were(tmp_path: Path, channels: int) -> None:
    images = written(tmp_path, channels, [[7, 3], [39, 7, 0]])
    found = example_images.read(tmp_path, (channels, 6, 5))
    assert len(found) == 4
    for index in (0, 3, 7, 39):
        image = found.get(index)
        assert image is not None
        np.testing.assert_array_equal(image.pixels, images[index].numpy())
        assert (image.index, image.label) == (index, index % 3)
        assert 1 / 3 < image.confidence < 1
    assert found.get(1) is None
    assert 1 not in found


def test_where_room_is_short_the_most_needed_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_images, "BUDGET", 3 * 30)
    written(tmp_path, 1, [[9], [4, 9], [2, 1]])
    found = example_images.read(tmp_path, (1, 6, 5))
    assert [index for index in range(40) if index in found] == [2, 4, 9]


def test_a_checkpoint_without_them_has_none(tmp_path: Path) -> None:
    found = example_images.read(tmp_path, (1, 6, 5))
    assert len(found) == 0
    assert found.get(0) is None
    assert found.pixels.shape == (0, 1, 6, 5)


def test_a_sheet_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    written(tmp_path, 1, [[1, 2, 3, 4]])
    with pytest.raises(BrokenCheckpoint, match=r"does not hold the 4 images"):
        example_images.read(tmp_path, (3, 6, 5))
    with pytest.raises(BrokenCheckpoint, match=r"does not hold the 4 images"):
        example_images.read(tmp_path, (1, 60, 5))
    (tmp_path / "example_images.png").write_bytes(b"nothing")
    with pytest.raises(BrokenCheckpoint, match=r"example_images\.png is no PNG"):
        example_images.read(tmp_path, (1, 6, 5))
