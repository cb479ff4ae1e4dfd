"""``application/x-npz`` and ``application/x-safetensors`` bodies -> their one array.

As ``npy``, trusting nothing: no pickle, no more unpacked than a body may be long, and no directory
that is longer than one array's.
"""

import io
import math
import zipfile
import zlib
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from glyphscope.errors import InvalidInput, TooLarge
from service.formats.npy import read_npy

_DIRECTORY = 4096
"""Bytes, of a zip file's or a safetensors file's."""

_END = zipfile.sizeEndCentDir  # type: ignore[attr-defined]
"""Of the record at a zip file's end, without a comment: numpy writes none."""

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
"""By the names that safetensors gives them."""


def read_npz(data: bytes, max_bytes: int) -> NDArray[Any]:
    _check_directory(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            [member] = _one(file.infolist())
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise InvalidInput("an npz body must be stored or deflated, as numpy writes it")
            if member.file_size > max_bytes:
                raise TooLarge(f"the array unpacks to more than the {max_bytes} bytes allowed")
            with file.open(member) as unpacked:
                return read_npy(unpacked.read(max_bytes))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as error:
        raise InvalidInput(f"not an npz file that can be read: {str(error)[:200]}") from None


def read_safetensors(data: bytes) -> NDArray[Any]:
    """The format: eight bytes with the header's length, the header as JSON, then the data."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _DIRECTORY):
        raise InvalidInput("not a safetensors file of one array: its header is cut or too long")
    try:
        header = orjson.loads(memoryview(data)[8 : 8 + length])
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"not a safetensors file that can be read: {error}") from None
    if not isinstance(header, dict):
        raise InvalidInput("not a safetensors file: its header is no object")
    [array] = _one([value for name, value in header.items() if name != "__metadata__"])
    return _view(memoryview(data)[8 + length :], array)


def _view(data: memoryview, array: Any) -> NDArray[Any]:
    try:
        dtype, shape, (start, end) = array["dtype"], array["shape"], array["data_offsets"]
        if not all(type(side) is int and side > 0 for side in shape) or len(shape) > 8:
            raise ValueError
        expected = math.prod(shape) * DTYPES[dtype].itemsize
    except (KeyError, TypeError, ValueError):
        raise InvalidInput(
            f"a safetensors body must hold one array of {', '.join(DTYPES)}, none of its sides 0"
        ) from None
    if (start, end) != (0, len(data)) or len(data) != expected:
        raise InvalidInput(
            f"the safetensors header says {shape} of {dtype}: {expected} bytes, "
            f"but {len(data)} came"
        )
    return np.frombuffer(data, DTYPES[dtype]).reshape(shape)


def _check_directory(data: bytes) -> None:
    """zipfile reads the whole directory before it can be asked how long it is."""
    end = data[-_END:]
    if len(end) < _END or end[:4] != b"PK\x05\x06" or b"PK\x06\x07" in data[-_END - 20 : -_END]:
        raise InvalidInput("not an npz file that can be read: it does not end as numpy writes it")
    if int.from_bytes(end[12:16], "little") > _DIRECTORY:
        raise InvalidInput("an npz body must hold one array")


def _one(found: list[Any]) -> list[Any]:
    if len(found) != 1:
        raise InvalidInput(
            f"the body must hold one array, (N, H, W) or (N, C, H, W), not {len(found)}"
        )
    return found
