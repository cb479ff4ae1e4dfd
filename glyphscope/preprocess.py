"""Whatever people send -> the pixels that the network sees, as its data set was made.

    image(bytes) | array(numpy) | strokes(lists)  ->  uint8 (channels, height, width)
    to_tensor(pixels)                             ->  float32 (N, C, H, W), normalised

An image that already has the network's size is taken as it is (ink and ground swapped where it is
plainly dark on light); any other is fitted. Ink: its box, scaled with the aspect kept, centred. A
picture that fills its frame, and whatever is in colour: scaled to cover the frame, the middle cut
out. Arrays of integers are 0..255, arrays of fractions 0..1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glyphscope import grey_png
from glyphscope import picture as pictures
from glyphscope import strokes as pen
from glyphscope.errors import EmptyDrawing, InvalidInput, NotFound, TooLarge
from glyphscope.picture import FORMATS, MAX_PIXELS
from glyphscope.picture import Pixels as Pixels  # the type of what this module returns
from glyphscope.spec import InputSpec

if TYPE_CHECKING:
    import torch

MASS_OFFSET = 0.5
"""MNIST's own centre of mass is the middle of pixel 14: at 14.51, 14.50 (n = 60,000)."""

Grey = NDArray[np.float32]
"""(height, width), 0 is ground and 1 is ink"""


@dataclass(frozen=True)
class Preprocessing:
    """How a data set's images were made.

    ``box``: the side, as a share of the frame, that the ink is scaled to. ``centre``: what is put
    into the middle. ``pen`` and ``soft``: width of a stroke and of its edge, as shares of it.
    ``swap``: whether an image of exact size may be turned from dark-on-light (an item of clothing
    may fill its frame, so there the corners prove nothing). ``crop``: the share of a picture that
    fills its frame, cut from its middle; None where the ink is looked for instead.
    """

    box: float
    centre: Literal["mass", "box"]
    pen: float
    soft: float
    swap: bool
    crop: float | None = None


def _filling(crop: float) -> Preprocessing:
    # Strokes sent to a network for pictures are drawn like MNIST's digits: it must see something.
    return Preprocessing(20 / 28, "mass", 2.6 / 28, 1.4 / 28, swap=False, crop=crop)


PREPROCESSING: dict[str, Preprocessing] = {
    # LeCun et al. 1998: 20x20 box, centre of mass in the middle of 28x28.
    "mnist": Preprocessing(box=20 / 28, centre="mass", pen=2.6 / 28, soft=1.4 / 28, swap=True),
    # Cohen et al. 2017, section II: blurred, centred, padded by 2 pixels a side. The blur reaches a
    # pixel beyond the box on each side, hence 22 and not 24.
    "emnist": Preprocessing(box=22 / 28, centre="box", pen=3.2 / 28, soft=2 / 28, swap=True),
    # Xiao et al. 2017, section 2: trimmed, longest edge 28, negated, centred.
    "fashion-mnist": Preprocessing(box=1.0, centre="box", pen=3 / 28, soft=1 / 28, swap=False),
    # CIFAR-10, SVHN and a user's own pictures: the whole of it, or its largest middle.
    "picture": _filling(1.0),
    # How torchvision's ImageNet weights were judged: the first generation resized to 256, the
    # second to 232, then both cut out 224.
    "imagenet": _filling(224 / 256),
    "imagenet-v2": _filling(224 / 232),
}


def image(data: bytes, spec: InputSpec, formats: tuple[str, ...] = FORMATS) -> Pixels:
    """PNG, JPEG or WebP bytes -> (C, H, W). Transparent parts are ground; EXIF turns are undone."""
    if _fills(spec):
        return _cut(pictures.decode(data, formats), spec)
    plain = grey_png.read(data) if "PNG" in formats else None
    if plain is None:
        plain = pictures.grey(pictures.decode(data, formats))
    return _one_channel(plain, spec)


def grey(pixels: Pixels, spec: InputSpec) -> Pixels:
    """A grey picture (height, width) as it was decoded, for a network of ink -> (C, H, W)."""
    return _one_channel(pixels, spec)


def array(values: Any, spec: InputSpec) -> Pixels:
    """(H, W), (C, H, W) or, for one channel, anything that numpy makes of nested lists."""
    try:
        values = np.asarray(values)
    except ValueError:
        raise InvalidInput("pixels must be numbers in a rectangle: the rows differ") from None
    check_numbers(values)
    if values.ndim == 3 and values.shape[0] == spec.channels == 1:
        values = values[0]
    if values.ndim != (2 if spec.channels == 1 else 3) or 0 in values.shape:
        raise InvalidInput(f"an image must have the shape {_shapes(spec)}, not {values.shape}")
    if values.shape[-1] * values.shape[-2] > MAX_PIXELS:
        raise TooLarge(f"an image may have at most {MAX_PIXELS} pixels")
    pixels = to_bytes(values)
    if _fills(spec):
        return _cut(
            Image.fromarray(pixels if spec.channels == 1 else np.moveaxis(pixels, 0, -1)), spec
        )
    return _one_channel(pixels, spec)


def batch(values: NDArray[Any], spec: InputSpec) -> Pixels:
    """(N, H, W) or (N, C, H, W) -> (N, C, H, W). Images of exact size stay as they are."""
    if values.ndim not in (3, 4) or 0 in values.shape:
        raise InvalidInput(
            f"a batch must have the shape (N, H, W) or (N, C, H, W), not {values.shape}"
        )
    check_numbers(values)
    frames = values[:, None] if values.ndim == 3 else values
    if frames.shape[1] != spec.channels:
        raise InvalidInput(f"the images have {frames.shape[1]} channel(s), not {spec.channels}")
    if frames.shape[1:] == spec.shape:
        return to_bytes(frames)
    return np.stack([array(frame, spec) for frame in frames])


def strokes(lines: pen.Strokes, spec: InputSpec) -> Pixels:
    """Pen strokes, x right and y down in any unit -> (C, H, W)."""
    how, side = recipe(spec), min(spec.height, spec.width)
    width, soft = how.pen * side, how.soft * side
    fitted = pen.fit(pen.segments(lines), side, how.box * side, width)
    fitted = fitted + (np.array([spec.width, spec.height]) - side) / 2
    ink = pen.draw(fitted, spec.height, spec.width, width, soft)
    if how.centre == "mass":
        shift = np.array([spec.width, spec.height]) / 2 + MASS_OFFSET - _centre_of_mass(ink)
        ink = pen.draw(fitted + shift, spec.height, spec.width, width, soft)
    pixels = np.rint(ink * 255).astype(np.uint8)
    return np.repeat(pixels[None], spec.channels, axis=0)


def to_tensor(
    pixels: Pixels, spec: InputSpec, device: "torch.device | str" = "cpu"
) -> "torch.Tensor":
    """uint8 (N, C, H, W) -> float32, normalised, channels last. Bytes travel, not floats."""
    import torch  # here: whoever only makes pixels does without it

    x = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).to(device)
    return normalise(x.float().div_(255), spec).contiguous(memory_format=torch.channels_last)


def normalise(images: "torch.Tensor", spec: InputSpec) -> "torch.Tensor":
    """Pixels in 0..1 -> what the first layer takes."""
    import torch

    mean = torch.tensor(spec.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(spec.std, device=images.device).view(1, -1, 1, 1)
    return (images - mean) / std


def recipe(spec: InputSpec) -> Preprocessing:
    if spec.preprocessing not in PREPROCESSING:
        raise NotFound("preprocessing", spec.preprocessing, PREPROCESSING)
    return PREPROCESSING[spec.preprocessing]


def _fills(spec: InputSpec) -> bool:
    return spec.channels == 3 or recipe(spec).crop is not None


def _cut(picture: Image.Image, spec: InputSpec) -> Pixels:
    kept = recipe(spec).crop or 1.0
    return pictures.crop(picture, spec.channels, spec.height, spec.width, kept)


def _one_channel(pixels: Pixels, spec: InputSpec) -> Pixels:
    how = recipe(spec)
    if int(pixels.max()) - int(pixels.min()) < 8:
        raise EmptyDrawing("the image is blank: nothing on it differs from its ground")
    if pixels.shape == (spec.height, spec.width):
        swapped = 255 - pixels if how.swap and _dark_on_light(pixels) else pixels
        return np.ascontiguousarray(swapped[None])
    return _fit(_ink(pixels), spec, how)[None]


def _dark_on_light(pixels: Pixels) -> bool:
    """Plainly so: the edge is light and so is most of the image. Ink never fills more than half."""
    # Almost every image sent ends here, at a tenth of a median's cost.
    if not pixels[0].max() > 127 and not pixels[:, 0].max() > 127 and not pixels[-1].max() > 127:
        return False
    return float(np.median(_edge(pixels))) > 127 and float(np.median(pixels)) > 127


def _edge(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _ink(pixels: Pixels) -> Grey:
    """Ground to 0 and the strongest ink to 1; what the eye takes for paper's grain is cut off."""
    values = pixels.astype(np.float32)
    ground = float(np.median(_edge(values)))
    away = values - ground if ground <= 127 else ground - values
    peak = float(np.quantile(away, 0.999)) or float(away.max())
    if peak <= 0:
        away, peak = -away, float(-away.min())
    scaled = np.clip(away / peak, 0, 1)
    return np.where(scaled < 0.08, 0, scaled).astype(np.float32)


def _fit(ink: Grey, spec: InputSpec, how: Preprocessing) -> Pixels:
    rows = np.flatnonzero((ink > 0.25).any(axis=1))
    columns = np.flatnonzero((ink > 0.25).any(axis=0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    side = min(spec.height, spec.width) * how.box
    scale = side / max(ink.shape)
    size = [max(1, round(n * scale)) for n in ink.shape]
    small = Image.fromarray(ink).resize(
        (size[1], size[0]), Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
    )
    scaled = np.clip(np.asarray(small), 0, 1)
    scaled = scaled / max(float(scaled.max()), 1e-6)
    middle = np.array(scaled.shape)[::-1] / 2
    if how.centre == "mass":
        middle = _centre_of_mass(scaled) - MASS_OFFSET
    frame = np.zeros((spec.height, spec.width), np.float32)
    left = _place(spec.width, size[1], float(middle[0]))
    top = _place(spec.height, size[0], float(middle[1]))
    frame[top : top + size[0], left : left + size[1]] = scaled
    return np.rint(frame * 255).astype(np.uint8)


def _place(frame: int, size: int, middle: float) -> int:
    """Offset that brings ``middle`` to the frame's middle, as far as all of it stays inside."""
    return min(max(round(frame / 2 - middle), 0), frame - size)


def _centre_of_mass(ink: NDArray[Any]) -> NDArray[np.float64]:
    """(x, y) in pixels, the left edge of the first pixel being 0."""
    ys, xs = np.mgrid[0 : ink.shape[0], 0 : ink.shape[1]] + 0.5
    total = max(float(ink.sum()), 1e-6)
    return np.array([float((xs * ink).sum()) / total, float((ys * ink).sum()) / total])


def check_numbers(values: NDArray[Any]) -> None:
    """Raises ``InvalidInput`` unless integers lie in 0..255 and fractions in 0..1."""
    if values.dtype.kind not in "buif":
        raise InvalidInput(f"pixels must be numbers in a rectangle, not {values.dtype}")
    if values.dtype in (np.uint8, np.bool_):
        return
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            raise InvalidInput("pixels must be finite: there is a NaN or an infinity among them")
        if values.size and (values.min() < 0 or values.max() > 1):
            raise InvalidInput("fractional pixels must lie in 0..1; send integers for 0..255")
    elif values.size and (values.min() < 0 or values.max() > 255):
        raise InvalidInput("integer pixels must lie in 0..255; send fractions for 0..1")


def to_bytes(values: NDArray[Any]) -> Pixels:
    if values.dtype.kind == "f":
        return np.asarray(np.rint(values * 255), dtype=np.uint8)
    if values.dtype.kind == "b":
        return np.where(values, np.uint8(255), np.uint8(0))
    return np.asarray(values, dtype=np.uint8)


def _shapes(spec: InputSpec) -> str:
    return "(height, width)" if spec.channels == 1 else f"({spec.channels}, height, width)"
