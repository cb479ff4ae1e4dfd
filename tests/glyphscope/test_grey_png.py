"""Held against Pillow: the same pixels, or nothing."""

import io
import struct
from typing import Any
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image

from glyphscope import grey_png
from glyphscope.errors import NotAnImage
from glyphscope.picture import decode, grey

Picture = np.ndarray[Any, np.dtype[np.uint8]]


def picture(height: int = 28, width: int = 28) -> Picture:
    ramp = np.add.outer(np.arange(height), np.arange(width)) * 3
    return (ramp + np.random.default_rng(0).integers(0, 9, ramp.shape)).astype(np.uint8)


def png(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc32(kind + body))


def by_hand(rows: list[bytes], pieces: int = 1, width: int = 28) -> bytes:
    """Each row begins with its filter."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, 0, 0, 0, 0)
    body = compress(b"".join(rows))
    step = -(-len(body) // pieces)
    parts = [chunk(b"IDAT", body[i : i + step]) for i in range(0, len(body), step)]
    return b"".join([grey_png.SIGNATURE, chunk(b"IHDR", header), *parts, chunk(b"IEND", b"")])


@pytest.mark.parametrize(("height", "width"), [(28, 28), (1, 1), (256, 3), (5, 256)])
def test_reads_what_pillow_writes(height: int, width: int) -> None:
    wanted = picture(height, width)
    for level in (0, 1, 9):
        found = grey_png.read(png(Image.fromarray(wanted), compress_level=level))
        assert found is not None
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("filtered", range(5))
@pytest.mark.parametrize("pieces", [1, 3])
def test_every_filter_of_a_row(filtered: int, pieces: int) -> None:
    data = by_hand([bytes([filtered]) + bytes(row) for row in picture()], pieces)
    found = grey_png.read(data)
    assert found is not None
    np.testing.assert_array_equal(found, grey(decode(data)))


@pytest.mark.parametrize("mode", ["1", "LA", "RGB", "RGBA", "P", "I;16"])
def test_other_kinds_are_left_alone(mode: str) -> None:
    image = Image.fromarray(picture())
    other = Image.fromarray(picture().astype(np.uint16)) if mode == "I;16" else image.convert(mode)
    assert grey_png.read(png(other)) is None


def test_files_that_say_more_are_left_alone() -> None:
    """An EXIF turn, a transparent grey, a text: Pillow knows what they mean."""
    image = Image.fromarray(picture())
    turned = Image.Exif()
    turned[0x0112] = 6
    assert grey_png.read(png(image, exif=turned)) is None
    assert grey_png.read(png(image, transparency=3)) is None
    assert grey_png.read(png(Image.fromarray(picture(257, 4)))) is None
    assert grey_png.read(png(image) + b"more") is None
    assert grey_png.read(b"") is None


def test_broken_files_are_left_alone_or_read_as_pillow_does() -> None:
    data = png(Image.fromarray(picture()))
    random = np.random.default_rng(3)
    read = 0
    for _ in range(3000):
        broken = bytearray(data)
        for at in random.integers(0, len(data), random.integers(1, 4)):
            broken[at] = random.integers(0, 256)
        for each in (bytes(broken), bytes(broken[: random.integers(0, len(data))])):
            found = grey_png.read(each)
            if found is not None:
                read += 1
                np.testing.assert_array_equal(found, grey(decode(each)))
    assert read < 100


@pytest.mark.parametrize("rows", [27, 29])
def test_rows_too_few_or_too_many(rows: int) -> None:
    whole = by_hand([b"\0" + bytes(row) for row in picture(rows)])
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0))
    data = whole[:8] + header + whole[33:]
    found = grey_png.read(data)
    try:
        wanted = grey(decode(data))
    except NotAnImage:
        wanted = None
    assert found is None or (wanted is not None and (found == wanted).all())
