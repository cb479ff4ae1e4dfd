"""npz and safetensors bodies: what their own writers write, and what a bad client might."""

import io
import json
import struct
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from glyphscope.errors import InvalidInput, TooLarge
from service.formats.npz import DTYPES, read_npz, read_safetensors

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
MOST = 1_000_000


def npz(compressed: bool = False, **arrays: Any) -> bytes:
    out = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(out, **arrays)
    return out.getvalue()


def zipped(method: int, data: bytes, name: str = "images.npy") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        file.writestr(name, data)
    return out.getvalue()


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head) if length is None else length) + head + data


def claiming(**changes: Any) -> bytes:
    fine = {"dtype": "U8", "shape": [1, 4, 4], "data_offsets": [0, 16]}
    return safetensors({"a": {**fine, **changes}}, bytes(16))


@pytest.mark.parametrize("values", [IMAGES, IMAGES / 255, np.asfortranarray(IMAGES), IMAGES > 3])
def test_what_numpy_writes(values: Any) -> None:
    for compressed in (False, True):
        np.testing.assert_array_equal(read_npz(npz(compressed, a=values), MOST), values)


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=list(DTYPES))
def test_what_safetensors_writes(dtype: np.dtype[Any]) -> None:
    values = np.ascontiguousarray(IMAGES).astype(dtype)
    read = read_safetensors(save({"images": values}, {"of": "digits"}))
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, values)


LONG = npz(**{f"a{n}": IMAGES[0] for n in range(100)})
ZIP64 = npz(a=IMAGES)
ZIP64 = ZIP64[:-22] + b"PK\x06\x07" + bytes(16) + ZIP64[-22:]
CRC = bytearray(npz(a=IMAGES))
CRC[200] ^= 1

NPZ: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "does not end"),
    "no zip": (b"no zip at all, but long enough for it", "does not end"),
    "an empty zip": (npz(), "one array"),
    "two arrays": (npz(a=IMAGES, b=IMAGES), "one array"),
    "a hundred arrays": (LONG, "one array"),
    "cut": (npz(a=IMAGES)[:-1], "does not end"),
    "cut at its start": (npz(a=IMAGES)[100:], "npz"),
    "64 bits": (ZIP64, "does not end"),
    "a changed byte": (bytes(CRC), "CRC"),
    "bz2": (zipped(zipfile.ZIP_BZIP2, npy(IMAGES)), "stored or deflated"),
    "lzma": (zipped(zipfile.ZIP_LZMA, npy(IMAGES)), "stored or deflated"),
    "no npy": (zipped(zipfile.ZIP_STORED, b"text"), "npy"),
    "strings": (npz(a=np.array(["a"])), "integers"),
    "a pickle": (npz(a=np.array([{}], object)), "object"),
}


@pytest.mark.parametrize("case", NPZ)
def test_refused_npz(case: str) -> None:
    body, words = NPZ[case]
    with pytest.raises(InvalidInput, match=words):
        read_npz(body, MOST)


def test_a_bomb() -> None:
    body = zipped(zipfile.ZIP_DEFLATED, bytes(50_000_000))
    assert len(body) < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="1000000"):
            read_npz(body, MOST)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_a_bomb_that_hides_its_size() -> None:
    """The sizes in the directory lie: what is unpacked is bounded all the same."""
    body = bytearray(zipped(zipfile.ZIP_DEFLATED, bytes(50_000_000)))
    at = body.rindex(b"PK\x01\x02") + 24
    body[at : at + 4] = struct.pack("<I", 1000)
    with pytest.raises(InvalidInput):
        read_npz(bytes(body), MOST)


SAFETENSORS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "cut or too long"),
    "seven bytes": (bytes(7), "cut or too long"),
    "a header of nothing": (bytes(8), "can be read"),
    "a header beyond the file": (safetensors({}, length=100), "cut or too long"),
    "a header of exabytes": (safetensors({}, length=2**63), "cut or too long"),
    "a long header": (safetensors({"__metadata__": {"a": "b" * 5000}}), "cut or too long"),
    "no JSON": (safetensors(b"{"), "can be read"),
    "not UTF-8": (safetensors(b'{"\xff": 1}'), "can be read"),
    "deep": (safetensors(b"[" * 4000), "can be read"),
    "a list": (safetensors([]), "no object"),
    "no array": (safetensors({}), "one array"),
    "two arrays": (save({"a": IMAGES, "b": IMAGES}), "not 2"),
    "an array that is a number": (safetensors({"a": 3}), "one array of"),
    "no type": (safetensors({"a": {"shape": [1], "data_offsets": [0, 1]}}, b"a"), "one array of"),
    "bfloat16": (claiming(dtype="BF16"), "one array of"),
    "eight-bit floats": (claiming(dtype="F8_E4M3"), "one array of"),
    "a type that is a list": (claiming(dtype=[]), "one array of"),
    "a negative side": (claiming(shape=[-1, 4, 4]), "one array of"),
    "an empty side": (claiming(shape=[0, 4, 4], data_offsets=[0, 0]), "one array of"),
    "a side of true": (claiming(shape=[True, 4, 4]), "one array of"),
    "many sides": (claiming(shape=[1] * 9), "one array of"),
    "a huge shape": (claiming(shape=[2**40, 2**40, 2**40]), "bytes, but 16"),
    "offsets beyond the file": (claiming(data_offsets=[0, 2**50]), "but 16 came"),
    "negative offsets": (claiming(data_offsets=[-16, 0]), "but 16 came"),
    "three offsets": (claiming(data_offsets=[0, 8, 16]), "one array of"),
    "too little data": (claiming(shape=[1, 4, 5], data_offsets=[0, 20]), "20 bytes, but 16"),
    "data of nobody": (claiming() + b"x", "16 bytes, but 17"),
}


@pytest.mark.parametrize("case", SAFETENSORS)
def test_refused_safetensors(case: str) -> None:
    body, words = SAFETENSORS[case]
    with pytest.raises(InvalidInput, match=words):
        read_safetensors(body)
