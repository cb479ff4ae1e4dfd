"""A request's body -> pixels: uint8 (N, C, H, W), as the network's input wants them.

    PARSERS: dict[media type, (body, input, most images) -> pixels]

Bodies are parsed off the event loop, as a phone's photo takes a tenth of a second to decode; but
what is exactly as the network takes it is read where it is.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from glyphscope import grey_png, preprocess
from glyphscope.errors import InvalidInput, TooLarge
from glyphscope.preprocess import Pixels
from glyphscope.spec import InputSpec
from service.formats.npy import read_npy
from service.formats.npz import read_npz, read_safetensors
from service.processes.pools import Pool

MOST_UNPACKED = 32 * 1024 * 1024
"""Bytes of an npz body's array."""

MULTIPART = "multipart/form-data"
PART = "file"

Parser = Callable[[bytes, InputSpec, int], Pixels]


async def read_pixels(request: Request, spec: InputSpec, limit: int, pool: Pool) -> Pixels:
    """Raises ``InvalidInput``; ``HTTPException`` 415 for another kind of body, 400 for bad JSON."""
    media_type = check_media_type(request, [*PARSERS, MULTIPART])
    if media_type == MULTIPART:
        files = await _files(request, limit)
        return await pool.run(lambda: _images(files, spec))
    body = await request.body()
    quick = QUICK.get(media_type)
    pixels = quick(body, spec) if quick and len(body) <= QUICK_BYTES else None
    if pixels is not None:
        _check_count(len(pixels), limit)
        return pixels
    return await pool.run(lambda: PARSERS[media_type](body, spec, limit))


def check_media_type(request: Request, allowed: Sequence[str]) -> str:
    sent = request.headers.get("content-type", "")
    media_type = sent.partition(";")[0].strip().lower()
    if media_type not in allowed:
        given = f"content type {media_type!r}" if media_type else "a body without a content type"
        raise HTTPException(415, f"{given} is not taken here; send {', '.join(allowed)}")
    return media_type


def load_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, f"the body is not JSON: {error}") from None


def _image(body: bytes, spec: InputSpec, limit: int) -> Pixels:
    return preprocess.image(body, spec)[None]


def _npy(body: bytes, spec: InputSpec, limit: int) -> Pixels:
    return _batch(read_npy(body), spec, limit)


def _npz(body: bytes, spec: InputSpec, limit: int) -> Pixels:
    return _batch(read_npz(body, MOST_UNPACKED), spec, limit)


def _safetensors(body: bytes, spec: InputSpec, limit: int) -> Pixels:
    return _batch(read_safetensors(body), spec, limit)


def _batch(values: NDArray[Any], spec: InputSpec, limit: int) -> Pixels:
    _check_count(len(values) if values.ndim else 1, limit)
    return preprocess.batch(values, spec)


def _json(body: bytes, spec: InputSpec, limit: int) -> Pixels:
    document = load_json(body)
    inputs = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(inputs, list) or not inputs or len(document) != 1:
        raise InvalidInput('the body must be {"inputs": [...]} with at least one input')
    _check_count(len(inputs), limit)
    return np.stack([_one(item, spec, f"inputs[{i}]") for i, item in enumerate(inputs)])


def _images(files: Sequence[bytes], spec: InputSpec) -> Pixels:
    pictures = []
    for i, data in enumerate(files):
        with _at(f"{PART} {i}"):
            pictures.append(preprocess.image(data, spec))
    return np.stack(pictures)


PARSERS: dict[str, Parser] = {
    "image/png": _image,
    "image/jpeg": _image,
    "image/webp": _image,
    "application/x-npy": _npy,
    "application/x-npz": _npz,
    "application/x-safetensors": _safetensors,
    "application/json": _json,
}


def _quick_png(body: bytes, spec: InputSpec) -> Pixels | None:
    if spec.channels != 1 or preprocess.recipe(spec).crop is not None:
        return None
    plain = grey_png.read(body)
    # Another size is fitted, which takes a while.
    if plain is None or plain.shape != spec.shape[1:]:
        return None
    return preprocess.grey(plain, spec)[None]


def _quick_npy(body: bytes, spec: InputSpec) -> Pixels | None:
    values = read_npy(body)
    if values.shape[1:] not in (spec.shape, spec.shape[1:] if spec.channels == 1 else ()):
        return None
    return preprocess.batch(values, spec)


QUICK: dict[str, Callable[[bytes, InputSpec], Pixels | None]] = {
    "image/png": _quick_png,
    "application/x-npy": _quick_npy,
}
"""What takes less time than the way to a thread; None where it would take more."""

QUICK_BYTES = 512 * 1024


def _one(item: Any, spec: InputSpec, where: str) -> Pixels:
    with _at(where):
        if not isinstance(item, dict) or len(item) != 1 or not KINDS.keys() & item.keys():
            raise InvalidInput(f"must be an object with exactly one of {', '.join(KINDS)}")
        [(kind, value)] = item.items()
        return KINDS[kind](value, spec)


def _from_base64(value: Any, spec: InputSpec) -> Pixels:
    if not isinstance(value, str):
        raise InvalidInput("image must be a string: the picture's bytes in base64")
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("image is not valid base64") from None
    return preprocess.image(data, spec)


def _from_lists(value: Any, spec: InputSpec) -> Pixels:
    if not isinstance(value, list):
        raise InvalidInput("pixels must be a list of rows, each a list of numbers")
    return preprocess.array(value, spec)


def _from_strokes(value: Any, spec: InputSpec) -> Pixels:
    if not isinstance(value, list) or not all(isinstance(stroke, list) for stroke in value):
        raise InvalidInput("strokes must be a list of strokes, each a list of [x, y]")
    return preprocess.strokes(value, spec)


KINDS: dict[str, Callable[[Any, InputSpec], Pixels]] = {
    "image": _from_base64,
    "pixels": _from_lists,
    "strokes": _from_strokes,
}


async def _files(request: Request, limit: int) -> list[bytes]:
    async with request.form(max_files=limit + 1) as form:
        parts = form.multi_items()
        strange = [name for name, part in parts if name != PART or not isinstance(part, UploadFile)]
        if strange or not parts:
            found = f"not {strange[0]!r}" if strange else "and there is none"
            raise InvalidInput(f"images must come as file parts named {PART!r}, {found}")
        _check_count(len(parts), limit)
        return [await part.read() for _, part in parts if isinstance(part, UploadFile)]


def _check_count(images: int, limit: int) -> None:
    if images > limit:
        raise TooLarge(f"{images} images in one request; {limit} are allowed")


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Say which of many inputs it was."""
    try:
        yield
    except InvalidInput as error:
        raise type(error)(f"{where}: {error}") from None
