"""``application/x-npy`` -> an array, trusting nothing: no pickle, no shape larger than the bytes.

numpy's own reader allocates what the header claims before it looks at the data.
"""

import io
import math
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from glyphscope.errors import InvalidInput

_MAX_HEADER = 1024

READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_npy(data: bytes) -> NDArray[Any]:
    """Numbers only; read-only where no copy was needed."""
    stream = io.BytesIO(data)
    shape, fortran, dtype = _header(stream)
    if dtype.kind not in "buif":
        raise InvalidInput(f"an npy body must hold integers, fractions or booleans, not {dtype}")
    body = memoryview(data)[stream.tell() :]
    expected = math.prod(shape) * dtype.itemsize
    if len(body) != expected:
        raise InvalidInput(
            f"the npy header says {shape} of {dtype}: {expected} bytes, but {len(body)} came"
        )
    return np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
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
