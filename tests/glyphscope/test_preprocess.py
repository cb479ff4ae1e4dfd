import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from glyphscope import preprocess
from glyphscope.errors import EmptyDrawing, InvalidInput, NotAnImage, NotFound, TooLarge
from glyphscope.spec import InputSpec

MNIST = InputSpec(mean=(0.1307,), std=(0.3081,))
FASHION = InputSpec(preprocessing="fashion-mnist")
COLOUR = InputSpec(channels=3, height=32, width=32, mean=(0.5,) * 3, std=(0.5,) * 3)
SAMPLE = np.load(Path(__file__).parents[1] / "data/mnist-sample.npz")["test_images"]


def png(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(out, kind, **options)
    return out.getvalue()


def seven(size: int = 300, ink: str = "black", paper: str = "white") -> Image.Image:
    image = Image.new("RGB", (size, size), paper)
    points = [(0.3 * size, 0.2 * size), (0.7 * size, 0.2 * size), (0.45 * size, 0.85 * size)]
    ImageDraw.Draw(image).line(points, ink, width=size // 14, joint="curve")
    return image


@pytest.mark.parametrize("index", range(0, 200, 20))
def test_an_image_of_exact_size_is_taken_pixel_by_pixel(index: int) -> None:
    image = SAMPLE[index]
    assert np.array_equal(preprocess.image(png(image), MNIST)[0], image)
    assert np.array_equal(preprocess.array(image.tolist(), MNIST)[0], image)
    assert np.array_equal(preprocess.array(image / 255, MNIST)[0], image)
    assert np.array_equal(preprocess.batch(image[None], MNIST)[0, 0], image)


def test_dark_on_light_is_swapped_but_never_for_clothing() -> None:
    dark = 255 - SAMPLE[0]
    assert np.array_equal(preprocess.image(png(dark), MNIST)[0], SAMPLE[0])
    assert np.array_equal(preprocess.image(png(dark), FASHION)[0], dark)


def test_no_real_digit_is_taken_for_dark_on_light() -> None:
    assert all(np.array_equal(preprocess.array(image, MNIST)[0], image) for image in SAMPLE)


@pytest.mark.parametrize(
    ("ink", "paper"), [("black", "white"), ("white", "black"), ("navy", "beige")]
)
@pytest.mark.parametrize("size", [60, 300, 1500])
def test_a_drawing_is_fitted_as_the_data_set_was(ink: str, paper: str, size: int) -> None:
    pixels = preprocess.image(png(seven(size, ink, paper)), MNIST)[0]
    rows = np.flatnonzero((pixels > 60).any(1))
    assert rows[-1] - rows[0] + 1 == pytest.approx(20, abs=1)
    ys, xs = np.mgrid[0:28, 0:28] + 0.5
    for axis in (xs, ys):
        assert (axis * pixels).sum() / pixels.sum() == pytest.approx(14.5, abs=0.6)
    assert pixels.max() == 255
    assert np.median(pixels) == 0


def test_transparent_paper_is_paper_for_either_ink() -> None:
    opaque = preprocess.image(png(seven()), MNIST)
    mask = Image.fromarray(255 - np.asarray(seven().convert("L")))
    for ink in ("black", "white"):
        image = Image.new("RGBA", mask.size, ink)
        image.putalpha(mask)
        assert np.abs(preprocess.image(png(image), MNIST).astype(int) - opaque).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_formats(kind: str) -> None:
    assert preprocess.image(png(seven(), kind), MNIST).shape == (1, 28, 28)


def test_sixteen_bit_and_palette_pictures_are_read() -> None:
    grey = np.asarray(seven().convert("L"))
    expected = preprocess.image(png(grey), MNIST).astype(int)
    deep = preprocess.image(png(grey.astype(np.uint16) * 257), MNIST)
    assert np.abs(deep - expected).max() <= 1
    palette = preprocess.image(png(seven().convert("P")), MNIST)
    assert np.abs(palette - expected).mean() < 2


def test_a_turned_photo_is_turned_back() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees to see it so
    turned = png(seven().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)
    straight = preprocess.image(png(seven(), "JPEG", quality=95), MNIST)
    assert np.abs(preprocess.image(turned, MNIST).astype(int) - straight).mean() < 2


def test_colour_networks_get_three_channels() -> None:
    pixels = preprocess.image(png(seven(200, "red")), COLOUR)
    assert pixels.shape == (3, 32, 32)
    assert pixels[0].mean() > pixels[1].mean()


def test_the_tensor_is_normalised() -> None:
    x = preprocess.to_tensor(SAMPLE[:4, None], MNIST)
    expected = (torch.from_numpy(SAMPLE[:4, None]) / 255 - 0.1307) / 0.3081
    torch.testing.assert_close(x, expected)


def bomb() -> bytes:
    """A PNG of 45 bytes that declares 30,000 x 30,000 pixels."""
    data = bytearray(png(np.zeros((1, 1), np.uint8)))
    data[16:24] = (30_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", NotAnImage),
        (b"hello", NotAnImage),
        (png(seven())[:200], NotAnImage),
        (png(seven(), "JPEG")[:300], NotAnImage),
        (png(seven(), "GIF"), NotAnImage),
        (bomb(), TooLarge),
        (png(np.full((28, 28), 7, np.uint8)), EmptyDrawing),
        (png(np.full((90, 90), 255, np.uint8)), EmptyDrawing),
    ],
)
def test_what_is_no_drawing_is_refused(data: bytes, kind: type[InvalidInput]) -> None:
    with pytest.raises(kind):
        preprocess.image(data, MNIST)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([[0.5, float("nan")]], "NaN"),
        ([[0.5, 2.0]], "0..1"),
        ([[0, 256]], "0..255"),
        ([[-1, 0]], "0..255"),
        ([["a"]], "must be numbers"),
        ([], "shape"),
        ([[]], "shape"),
        ([1, 2, 3], "shape"),
        ([[[[1]]]], "shape"),
        (np.zeros((28, 28), complex), "must be numbers"),
    ],
)
def test_pixels_that_are_no_image_are_refused(values: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        preprocess.array(values, MNIST)


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput):
        preprocess.array([[1, 2], [3]], MNIST)


def test_batches() -> None:
    assert preprocess.batch(SAMPLE[:3], MNIST).shape == (3, 1, 28, 28)
    assert preprocess.batch(SAMPLE[:3, None], MNIST).shape == (3, 1, 28, 28)
    large = SAMPLE[:2].repeat(4, 1).repeat(4, 2)
    assert preprocess.batch(large, MNIST).shape == (2, 1, 28, 28)
    assert preprocess.batch(np.zeros((1, 28, 28), np.uint8), MNIST).max() == 0
    with pytest.raises(InvalidInput, match=r"\(N, H, W\)"):
        preprocess.batch(SAMPLE[0], MNIST)
    with pytest.raises(InvalidInput, match=r"3 channel\(s\), not 1"):
        preprocess.batch(np.zeros((2, 3, 28, 28), np.uint8), MNIST)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="mnist, emnist, fashion-mnist"):
        preprocess.image(png(seven()), InputSpec(preprocessing="svhn"))
