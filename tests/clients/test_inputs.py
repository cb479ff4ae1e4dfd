import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from clients.inputs import request_arguments


def sent(inputs: Any) -> httpx.Request:
    request = httpx.Request("POST", "http://service", **request_arguments(inputs))
    request.read()
    return request


def test_images_travel_as_file_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"first")
    request = sent({"images": [path, str(path), b"second"]})
    assert request.headers["Content-Type"].startswith("multipart/form-data; boundary=")
    assert request.content.count(b'name="file"; filename=') == 3
    assert request.content.count(b"\r\n\r\nfirst\r\n") == 2
    assert request.content.count(b"\r\n\r\nsecond\r\n") == 1


@pytest.mark.parametrize("kind", ["strokes", "pixels"])
def test_lists_travel_as_json(kind: str) -> None:
    request = sent({kind: [[[[1, 2.5]]], [[[3, 4]]]]})
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content) == {"inputs": [{kind: [[[1, 2.5]]]}, {kind: [[[3, 4]]]}]}


def test_an_array_travels_as_npy() -> None:
    array = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    request = sent({"array": array})
    assert request.headers["Content-Type"] == "application/x-npy"
    assert np.array_equal(np.load(io.BytesIO(request.content)), array)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, "exactly one of images, strokes, pixels, array, not none"),
        ({"strokes": [], "pixels": []}, "not strokes, pixels"),
        ({"image": [b""]}, "not image"),
        ({"images": []}, "images is empty"),
        ({"images": "3.png"}, "must be a list"),
        ({"images": b"bytes"}, "must be a list"),
        ({"array": np.array([object()])}, "Object arrays cannot be saved"),
    ],
)
def test_a_call_that_makes_no_sense(inputs: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        request_arguments(inputs)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        request_arguments({"images": ["/no/such/file.png"]})
