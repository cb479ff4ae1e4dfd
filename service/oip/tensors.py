"""Elements of tensors as they travel: numbers and byte strings, in JSON and in binary.

    numbers(given) -> array of its datatype and shape      strings(given) -> [bytes]
    Tensor                                                 what is answered

Nothing here allocates more than the body is long, whatever its shapes and lengths claim.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glyphscope.errors import InvalidInput
from service.oip.message import Given

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "INT64": np.dtype("<i8"),
    "FP32": np.dtype("<f4"),
}
"""And BYTES, whose elements have no fixed size. Binary data is little-endian."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Tensor:
    """``values`` is an array of the datatype's dtype, or a list of byte strings for BYTES."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: NDArray[Any] | Sequence[bytes]

    def to_bytes(self) -> bytes:
        if isinstance(self.values, np.ndarray):
            return np.ascontiguousarray(self.values, DTYPES[self.datatype]).tobytes()
        return b"".join(_LENGTH.pack(len(value)) + value for value in self.values)

    def to_list(self) -> Any:
        """Flat, in row-major order: the protocol allows it, and it is written fastest."""
        if isinstance(self.values, np.ndarray):
            return np.ascontiguousarray(self.values).reshape(-1)
        return [value.decode() for value in self.values]


def numbers(given: Given) -> NDArray[Any]:
    """Read-only where the data is binary. Raises ``InvalidInput`` unless there is exactly one
    number for each place of the shape."""
    dtype = DTYPES[given.datatype]
    count = math.prod(given.shape)
    if not given.binary:
        return _from_json(given, count).astype(dtype).reshape(given.shape)
    expected = count * dtype.itemsize
    if len(given.data) != expected:
        raise InvalidInput(
            f"input {given.name!r} of the shape {given.shape} and {given.datatype} has {expected} "
            f"bytes, but {len(given.data)} came"
        )
    return np.frombuffer(given.data, dtype).reshape(given.shape)


def strings(given: Given) -> list[bytes]:
    found = _split(given) if given.binary else [_encoded(given, each) for each in _flat(given)]
    if len(found) != math.prod(given.shape):
        raise _wrong_count(given, len(found))
    return found


def _from_json(given: Given, count: int) -> NDArray[Any]:
    flat = _flat(given)
    if len(flat) != count:
        raise _wrong_count(given, len(flat))
    kinds = {int, float} if DTYPES[given.datatype].kind == "f" else {int}
    # numpy alone would take words for numbers, and make a word's length that of every element.
    strange = set(map(type, flat)) - kinds
    if strange:
        wanted = "numbers" if float in kinds else "integers"
        raise InvalidInput(f"input {given.name!r} must hold {wanted} in rows of equal length")
    values = np.array(flat, np.float64)
    if DTYPES[given.datatype].kind == "u" and (values.min() < 0 or values.max() > 255):
        raise InvalidInput(f"input {given.name!r} must hold integers in 0..255")
    return values


def _flat(given: Given) -> list[Any]:
    """Data may be nested as the shape says, or flat. Each pass takes one pair of brackets off."""
    found = given.data
    if not isinstance(found, list):
        raise InvalidInput(f"data of input {given.name!r} must be a list")
    while found and isinstance(found[0], list):
        if not all(isinstance(each, list) for each in found):
            raise InvalidInput(f"input {given.name!r} mixes lists and values in one list")
        found = list(chain.from_iterable(found))
    return found


def _encoded(given: Given, value: Any) -> bytes:
    if not isinstance(value, str):
        raise InvalidInput(f"input {given.name!r} must hold strings")
    return value.encode()


def _split(given: Given) -> list[bytes]:
    """Each element is its length in four bytes, then its bytes."""
    found: list[bytes] = []
    data, start = given.data, 0
    while start < len(data):
        end = start + _LENGTH.size
        length = _LENGTH.unpack(data[start:end])[0] if end <= len(data) else len(data)
        if length > len(data) - end:
            raise InvalidInput(
                f"input {given.name!r} must hold elements of four bytes' length and as many bytes; "
                f"element {len(found)} reaches beyond the data"
            )
        found.append(bytes(data[end : end + length]))
        start = end + length
        if len(found) > math.prod(given.shape):
            break
    return found


def _wrong_count(given: Given, found: int) -> InvalidInput:
    return InvalidInput(
        f"input {given.name!r} of the shape {given.shape} needs {math.prod(given.shape)} elements, "
        f"not {found}"
    )
