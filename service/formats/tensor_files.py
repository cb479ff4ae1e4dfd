"""Named float32 arrays -> npz or safetensors, in one copy.

numpy's writer takes 60 us an array to think about its zip entry; here the heads of both formats are
made once for each set of shapes, which is once a model, and the values are joined behind them.

A zip file: PKWARE's APPNOTE, 4.3. The npy head: numpy.lib.format. safetensors: its README's Format.
"""

import functools
import io
import json
import struct
from collections.abc import Mapping
from zlib import crc32

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

Values = NDArray[np.float32]
Maps = Mapping[str, Values]

Shapes = tuple[tuple[str, tuple[int, ...]], ...]

_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")

_VERSION = 20
_UTF8 = 0x800
_DATE = 0x21
"""1980-01-01, the first day that a zip file knows: equal arrays give equal files."""


def npz(found: Maps) -> bytes:
    """Stored, as ``numpy.savez`` does, so that a reader may map it."""
    parts: list[bytes | memoryview] = []
    central: list[bytes] = []
    at = 0
    for (name, head), values in zip(_npy_heads(_shapes(found)), found.values(), strict=True):
        data = _bytes(values)
        size, checksum = len(head) + len(data), crc32(data, crc32(head))
        common = (_VERSION, _UTF8, 0, 0, _DATE, checksum, size, size, len(name), 0)
        central.append(_CENTRAL.pack(0x02014B50, _VERSION, *common, 0, 0, 0, 0, at) + name)
        parts += [_LOCAL.pack(0x04034B50, *common), name, head, data]
        at += _LOCAL.size + len(name) + size
    directory = b"".join(central)
    end = _END.pack(0x06054B50, 0, 0, len(found), len(found), len(directory), at, 0)
    return b"".join([*parts, directory, end])


def safetensors(found: Maps) -> bytes:
    return b"".join([_safetensors_head(_shapes(found)), *map(_bytes, found.values())])


@functools.lru_cache(64)
def _npy_heads(shapes: Shapes) -> list[tuple[bytes, bytes]]:
    """(file name, npy head) of each array."""
    heads = []
    for name, shape in shapes:
        out = io.BytesIO()
        described = {"descr": "<f4", "fortran_order": False, "shape": shape}
        npy_format.write_array_header_1_0(out, described)
        heads.append((f"{name}.npy".encode(), out.getvalue()))
    return heads


@functools.lru_cache(64)
def _safetensors_head(shapes: Shapes) -> bytes:
    described, at = {}, 0
    for name, shape in shapes:
        end = at + 4 * int(np.prod(shape, dtype=np.int64))
        described[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(described, separators=(",", ":")).encode()
    # Values begin at a multiple of eight bytes, so that they can be mapped.
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _shapes(found: Maps) -> Shapes:
    return tuple([(name, values.shape) for name, values in found.items()])


def _bytes(values: Values) -> memoryview:
    return np.ascontiguousarray(values, "<f4").reshape(-1).data.cast("B")
