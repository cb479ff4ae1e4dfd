"""``application/x-npy`` -> an array, trusting nothing: no pickle, no shape larger than the bytes.

numpy's own reader allocates what the header claims before it looks at the data.
"""

import functools
import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from glyphscope.errors import InvalidInput

_MAX_HEADER = 1024

_PREFIX = 12
"""Bytes that hold the magic string, the version and the header's length in either version."""

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

Header = tuple[tuple[int, ...], bool, "np.dtype[Any]"]
"""(shape, whether in Fortran's order, type)"""


def read_npy(data: bytes) -> NDArray[Any]:
    """Numbers only; read-only where no copy was needed."""
    end = _end_of_header(data)
    shape, fortran, dtype = _header(data[:end])
    if dtype.kind not in "buif":
        raise InvalidInput(f"an npy body must hold integers, fractions or booleans, not {dtype}")
    expected = math.prod(shape) * dtype.itemsize
    if len(data) - end != expected:
        raise InvalidInput(
            f"the npy header says {shape} of {dtype}: {expected} bytes, but {len(data) - end} came"
        )
    return np.frombuffer(data, dtype, offset=end).reshape(shape, order="F" if fortran else "C")


def _end_of_header(data: bytes) -> int:
    """As far as it can be told; what is no header at all is for ``_header`` to refuse."""
    if data[6:7] == b"\x01":
        return min(len(data), 10 + int.from_bytes(data[8:10], "little"))
    return min(len(data), _PREFIX + int.from_bytes(data[8:12], "little"))


@functools.lru_cache(256)
def _header(data: bytes) -> Header:
    """Remembered: a client's headers are all the same, and numpy takes 20 us to read one."""
    stream = io.BytesIO(data)
    try:
        version = npy.read_magic(stream)
        if version not in READERS:
            raise ValueError(f"format version {version}; 1.0 and 2.0 are read")
        shape, fortran, dtype = READERS[version](stream, max_header_size=_MAX_HEADER)
    except Exception as error:
        # numpy evaluates the header as a Python literal, which has many ways to fail.
        reason = " ".join(str(error).split())[:200]
        raise InvalidInput(f"not an npy file that can be read: {reason}") from error
    if any(side < 1 for side in shape):
        raise InvalidInput(f"the npy header gives an empty shape: {shape}")
    return shape, fortran, dtype
