"""Pictures that fill their frame, against torchvision's own Resize and CenterCrop."""

import io

import numpy as np
import pytest
from PIL import Image

from glyphscope import picture, preprocess
from glyphscope.errors import NotAnImage
from glyphscope.spec import InputSpec
from training import vision

RANDOM = np.random.default_rng(0)


def photo(height: int, width: int) -> Image.Image:
    """Smooth in places and sharp in others, so that a shift by a pixel shows."""
    small = RANDOM.integers(0, 256, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)


def png(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def spec(channels: int = 3, side: int = 32, preprocessing: str = "picture") -> InputSpec:
    return InputSpec.model_validate(
        {"channels": channels, "height": side, "width": side, "preprocessing": preprocessing,
         "mean": (0,) * channels, "std": (1,) * channels}
    )  # fmt: skip


@pytest.mark.parametrize(("height", "width"), [(300, 401), (401, 300), (256, 256), (100, 133)])
@pytest.mark.parametrize(("name", "resize"), [("imagenet", 256), ("imagenet-v2", 232)])
def test_imagenet_preprocessing_is_torchvisions_to_the_pixel(
    name: str, resize: int, height: int, width: int
) -> None:
    transforms = vision.module("transforms.v2")
    image = photo(height, width)
    theirs = transforms.CenterCrop(224)(transforms.Resize(resize)(image))
    mine = preprocess.image(png(image), spec(side=224, preprocessing=name))
    assert np.array_equal(np.moveaxis(mine, 0, -1), np.asarray(theirs))


def test_a_picture_of_the_frames_size_stays_as_it_is() -> None:
    image = photo(32, 32)
    for name in ("picture", "imagenet", "mnist"):
        found = preprocess.image(png(image), spec(preprocessing=name))
        assert np.array_equal(np.moveaxis(found, 0, -1), np.asarray(image))


def test_the_middle_of_a_wide_picture_is_kept_whole() -> None:
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    found = preprocess.image(png(image), spec())
    assert (found[2, :, 1:-1] == 255).all()
    assert (found[0, :, 1:-1] == 0).all()
    assert found[2].min() > 200  # the outermost columns reach half a pixel into the red


def test_a_frame_that_is_no_square() -> None:
    found = picture.crop(photo(100, 100), 3, height=20, width=40)
    assert found.shape == (3, 20, 40)


def test_grey_networks_see_luma_and_blank_pictures_pass() -> None:
    image = photo(90, 120)
    colour, grey = preprocess.image(png(image), spec()), preprocess.image(png(image), spec(1))
    luma = np.tensordot([0.299, 0.587, 0.114], colour.astype(float), 1)
    assert abs(grey[0] - luma).max() <= 2  # rounded before and after the resize
    assert preprocess.image(png(Image.new("L", (50, 50))), spec(1)).max() == 0


def test_bytes_and_arrays_of_a_picture_agree() -> None:
    image = photo(90, 120)
    array = np.moveaxis(np.asarray(image), -1, 0)
    assert np.array_equal(preprocess.array(array, spec()), preprocess.image(png(image), spec()))
    grey = np.asarray(image.convert("L"))
    assert np.array_equal(preprocess.array(grey, spec(1)), preprocess.image(png(image), spec(1)))


def test_transparent_parts_lie_on_white() -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 16, 32))
    for channels, left, right in ((3, (0, 0, 255), (255, 255, 255)), (1, (29,), (255,))):
        found = preprocess.image(png(image), spec(channels))
        assert tuple(found[:, 5, 5]) == left
        assert tuple(found[:, 5, 25]) == right


def test_sixteen_bits_become_eight() -> None:
    grey = RANDOM.integers(0, 256, (32, 32), dtype=np.uint8)
    deep = Image.fromarray(grey.astype(np.uint16) * 257)
    assert np.array_equal(preprocess.image(png(deep), spec(1))[0], grey)
    assert np.array_equal(preprocess.image(png(deep), spec(3))[1], grey)


def test_only_the_named_formats_are_read() -> None:
    bitmap = png(photo(32, 32), "BMP")
    with pytest.raises(NotAnImage, match="no PNG, JPEG or WebP image"):
        picture.decode(bitmap)
    assert picture.decode(bitmap, ("PNG", "BMP")).size == (32, 32)


def test_strokes_are_seen_by_a_network_for_pictures() -> None:
    drawn = preprocess.strokes([[[0, 0], [10, 10]]], spec())
    assert drawn.shape == (3, 32, 32)
    assert drawn.max() > 200
