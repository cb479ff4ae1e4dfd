"""The input tensors that every model takes, of which a request gives exactly one.

    input    FP32   (-1, C, H, W)   0..1, rounded to 256 levels as every picture has them
    pixels   UINT8  (-1, C, H, W)   0..255
    image    BYTES  (-1, 1)         PNG, JPEG or WebP of any size; base64 where the data is JSON

INPUTS: dict[name, Input]
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from glyphscope import preprocess
from glyphscope.errors import InvalidInput, TooLarge
from glyphscope.preprocess import Pixels
from glyphscope.spec import InputSpec
from service.oip.message import Given
from service.oip.tensors import numbers, strings

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Input:
    datatype: str
    shape: Callable[[InputSpec], Shape]
    """-1 for the batch."""
    pixels: Callable[[Given, InputSpec], Pixels]
    note: str


def to_pixels(inputs: Sequence[Given], spec: InputSpec, limit: int) -> Pixels:
    """-> uint8 (N, C, H, W). Raises ``InvalidInput``, or ``TooLarge`` for more than ``limit``."""
    if len(inputs) != 1:
        raise InvalidInput(f"exactly one input is taken ({_known()}), not {len(inputs)}")
    [given] = inputs
    if given.name not in INPUTS:
        raise InvalidInput(f"unexpected input {given.name!r}; known: {_known()}")
    declared = INPUTS[given.name]
    if given.datatype != declared.datatype:
        raise InvalidInput(
            f"input {given.name!r} has the datatype {declared.datatype}, not {given.datatype!r}; "
            f"known: {_known()}"
        )
    _check_shape(given, declared.shape(spec))
    if given.shape[0] > limit:
        raise TooLarge(f"{given.shape[0]} images in one request; {limit} are allowed")
    return declared.pixels(given, spec)


def _check_shape(given: Given, shape: Shape) -> None:
    # One string an image may also come as a plain list of them.
    loose = shape == (-1, 1) and len(given.shape) == 1
    if not loose and tuple(given.shape[1:]) != shape[1:]:
        raise InvalidInput(
            f"input {given.name!r} must have the shape {list(shape)}, not {given.shape}"
        )


def _known() -> str:
    return ", ".join(f"{name} ({each.datatype})" for name, each in INPUTS.items())


def _frames(spec: InputSpec) -> Shape:
    return (-1, *spec.shape)


def _one(spec: InputSpec) -> Shape:
    return (-1, 1)


def _from_fractions(given: Given, spec: InputSpec) -> Pixels:
    values = numbers(given)
    # A NaN is neither, so it is found as well; the check says which of the faults it was.
    if not (values.min() >= 0 and values.max() <= 1):
        preprocess.check_numbers(values)
    scaled = values * np.float32(255)
    return np.rint(scaled, out=scaled).astype(np.uint8)


def _from_bytes(given: Given, spec: InputSpec) -> Pixels:
    pixels: Pixels = numbers(given)
    return pixels


def _from_pictures(given: Given, spec: InputSpec) -> Pixels:
    found = []
    for index, data in enumerate(strings(given)):
        try:
            found.append(preprocess.image(data if given.binary else _decoded(data), spec))
        except InvalidInput as error:
            raise type(error)(f"input {given.name!r}, element {index}: {error}") from None
    return np.stack(found)


def _decoded(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise InvalidInput("in JSON a picture must be its bytes in base64") from None


INPUTS: dict[str, Input] = {
    "input": Input("FP32", _frames, _from_fractions, "fractions 0..1"),
    "pixels": Input("UINT8", _frames, _from_bytes, "integers 0..255"),
    "image": Input("BYTES", _one, _from_pictures, "PNG, JPEG or WebP; base64 in JSON"),
}
