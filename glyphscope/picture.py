"""Picture files -> PIL images -> grey bytes or a frame that they fill.

decode(bytes)            PNG, JPEG or WebP, turned as the camera was held
grey(picture)            (height, width) for ink: what is transparent becomes the ground
crop(picture, ...)       scaled until it covers the frame, cut from its middle
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from glyphscope.errors import NotAnImage, TooLarge

MAX_PIXELS = 16_777_216
"""4096 x 4096: a photo of a phone fits, a decompression bomb does not."""

FORMATS = ("PNG", "JPEG", "WEBP")

Pixels = NDArray[np.uint8]


def decode(data: bytes, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """``formats``: what is tried, by Pillow's names. EXIF turns are undone."""
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
        if picture.width * picture.height > MAX_PIXELS:
            raise TooLarge(
                f"the image has {picture.width}x{picture.height} pixels; "
                f"{MAX_PIXELS} in all are allowed"
            )
        picture.load()
        return ImageOps.exif_transpose(picture)
    except UnidentifiedImageError:
        raise NotAnImage(f"these bytes are no {_either(formats)} image") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(f"the image has too many pixels; {MAX_PIXELS} are allowed") from None
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError) as error:
        raise NotAnImage(f"the image cannot be decoded: {error}") from None


def grey(picture: Image.Image) -> Pixels:
    """Where nothing is drawn (transparent), the ground that the ink stands out from is put."""
    if picture.mode.startswith("I"):
        return _eight_bits(picture)
    if not _transparent(picture):
        return np.asarray(picture.convert("L"))
    with_alpha = np.asarray(picture.convert("LA")).astype(np.float32)
    light, alpha = with_alpha[..., 0], with_alpha[..., 1] / 255
    inked = float((light * alpha).sum() / max(float(alpha.sum()), 1e-6))
    ground = 0.0 if inked > 127 else 255.0
    return np.rint(light * alpha + ground * (1 - alpha)).astype(np.uint8)


def crop(picture: Image.Image, channels: int, height: int, width: int, kept: float = 1.0) -> Pixels:
    """(channels, height, width): what is transparent lies on white, as a browser shows it.

    Scaled until its middle, ``kept`` of the whole, covers the frame: torchvision's Resize and
    CenterCrop to the pixel. A picture of the frame's size stays as it is.
    """
    picture = _opaque(picture, "L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = _cover(picture, round(height / kept), round(width / kept))
        left = round((picture.width - width) / 2)
        top = round((picture.height - height) / 2)
        picture = picture.crop((left, top, left + width, top + height))
    values = np.asarray(picture)
    return np.ascontiguousarray(values[None] if channels == 1 else np.moveaxis(values, -1, 0))


def _cover(picture: Image.Image, height: int, width: int) -> Image.Image:
    """Scaled with its aspect kept: one side becomes the frame's, the other is no shorter."""
    if picture.width * height <= picture.height * width:
        size = width, int(width * picture.height / picture.width)
    else:
        size = int(height * picture.width / picture.height), height
    return picture.resize(size, Image.Resampling.BILINEAR)


def _opaque(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode.startswith("I"):
        picture = Image.fromarray(_eight_bits(picture))
    if _transparent(picture):
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return picture.convert(mode)


def _transparent(picture: Image.Image) -> bool:
    return "A" in picture.getbands() or "transparency" in picture.info


def _eight_bits(picture: Image.Image) -> Pixels:
    return (np.asarray(picture).astype(np.int64) // 257).clip(0, 255).astype(np.uint8)


def _either(names: tuple[str, ...]) -> str:
    shown = ["WebP" if name == "WEBP" else name for name in names]
    return f"{', '.join(shown[:-1])} or {shown[-1]}"
