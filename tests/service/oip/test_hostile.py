"""Nothing that a client sends under /v2 is a 500, a hang or a large allocation, and every refusal
is an {"error": ...} that says what was wrong."""

import gzip
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import numpy as np
import orjson
import pytest

INFER = "/v2/models/mnist/infer"
HEAD = "Inference-Header-Content-Length"
PIXELS = np.zeros((1, 1, 28, 28), np.uint8).tobytes()

# Bodies here have at most 1 MB; nothing that they say may make the server allocate much more.
BOUND = 24_000_000


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{address}", timeout=240) as client:
        yield client


@contextmanager
def little_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BOUND


def refused(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}
    for word in words:
        assert word in answer.json()["error"]


def given(**changes: Any) -> dict[str, Any]:
    """A fine input, but for the changes; None takes a member away."""
    fine = {
        "name": "pixels",
        "datatype": "UINT8",
        "shape": [1, 1, 28, 28],
        "parameters": {"binary_data_size": 784},
    }
    return {key: value for key, value in {**fine, **changes}.items() if value is not None}


def body(*inputs: Any, tail: bytes = b"", **members: Any) -> tuple[bytes, dict[str, str]]:
    head = orjson.dumps({"inputs": list(inputs), **members})
    return head + tail, {HEAD: str(len(head))}


def in_json(data: Any, **changes: Any) -> tuple[bytes, dict[str, str]]:
    return body(given(**{"parameters": None, "data": data, **changes}))[0], {}


def one_fp32(value: float) -> tuple[bytes, dict[str, str]]:
    values = np.zeros((1, 1, 28, 28), np.float32)
    values[0, 0, 3, 4] = value
    parameters = {"binary_data_size": values.nbytes}
    changes = {"name": "input", "datatype": "FP32", "parameters": parameters}
    return body(given(**changes), tail=values.tobytes())


def strings(data: bytes, shape: list[int]) -> tuple[bytes, dict[str, str]]:
    size = {"binary_data_size": len(data)}
    return body(given(name="image", datatype="BYTES", shape=shape, parameters=size), tail=data)


FINE = body(given(), tail=PIXELS)

CASES: dict[str, tuple[tuple[bytes, dict[str, str]], int, str]] = {
    # where the JSON ends
    "head beyond the body": ((FINE[0], {HEAD: "99999"}), 422, "99999, but the body has"),
    "head beyond 64 bits": ((FINE[0], {HEAD: "9" * 30}), 422, HEAD),
    "negative head": ((FINE[0], {HEAD: "-1"}), 422, HEAD),
    "head in words": ((FINE[0], {HEAD: "ten"}), 422, HEAD),
    "head too short": ((FINE[0], {HEAD: "10"}), 400, "not JSON"),
    "head too long": ((FINE[0], {HEAD: str(int(FINE[1][HEAD]) + 1)}), 400, "not JSON"),
    "no head": ((FINE[0], {}), 400, "not JSON"),
    "no picture": ((b"nothing", {HEAD: "0"}), 422, "no PNG"),
    "nothing at all": ((b"", {HEAD: "0"}), 422, "no PNG"),
    # what is no request
    "empty": ((b"", {}), 400, "not JSON"),
    "half": ((b'{"inputs": [', {}), 400, "not JSON"),
    "not UTF-8": ((b'{"id": "\xff"}', {}), 400, "not JSON"),
    "a lone surrogate": ((b'{"id": "\\ud800"}', {}), 400, "not JSON"),
    "very deep": ((b'{"inputs": ' + b"[" * 200_000, {}), 400, "not JSON"),
    "deep but valid": (
        (b'{"inputs": ' + b"[" * 500 + b"]" * 500 + b"}", {}), 422, "#/inputs/0"
    ),
    "a list": ((b"[]", {}), 422, "dictionary"),
    "null": ((b"null", {}), 422, "dictionary"),
    "no inputs": ((b"{}", {}), 422, "#/inputs"),
    "no input": (body(), 422, "#/inputs"),
    "inputs are an object": ((b'{"inputs": {}}', {}), 422, "#/inputs"),
    "a million inputs": ((b'{"inputs": [' + b"3," * 400_000 + b"3]}", {}), 422, "#/inputs"),
    "id is a number": (body(given(), tail=PIXELS, id=3), 422, "#/id"),
    # which tensors
    "an input twice": (body(given(), given(), tail=PIXELS * 2), 422, "'pixels' is given twice"),
    "two inputs": (
        body(given(), given(name="input", datatype="FP32"), tail=PIXELS * 2), 422, "exactly one"
    ),
    "an unknown input": (body(given(name="x"), tail=PIXELS), 422, "known: input (FP32)"),
    "an output twice": (
        body(given(), tail=PIXELS, outputs=[{"name": "label"}] * 2), 422, "'label' is given twice"
    ),
    "a million outputs": (
        body(given(), tail=PIXELS, outputs=[{"name": "label"}] * 40_000), 422, "#/outputs"
    ),
    "an unknown output": (
        body(given(), tail=PIXELS, outputs=[{"name": "mood"}]), 422, "known: logits"
    ),
    "classes of a label": (
        body(given(), tail=PIXELS,
             outputs=[{"name": "label", "parameters": {"classification": 2}}]),
        422, "logits, probabilities",
    ),
    "a negative number of classes": (
        body(given(), tail=PIXELS,
             outputs=[{"name": "logits", "parameters": {"classification": -2}}]),
        422, "classification",
    ),
    "shared memory": (
        body(given(parameters={"shared_memory_region": "a", "shared_memory_byte_size": 784})),
        422, "shared memory",
    ),
    "a sequence": (body(given(), tail=PIXELS, parameters={"sequence_id": 4}), 422, "no state"),
    # datatypes
    "an unknown datatype": (body(given(datatype="FP8"), tail=PIXELS), 422, "UINT8, not 'FP8'"),
    "another datatype": (body(given(datatype="FP32"), tail=PIXELS), 422, "UINT8, not 'FP32'"),
    "a datatype that is none": (body(given(datatype=3), tail=PIXELS), 422, "#/inputs/0/datatype"),
    "a datatype of a megabyte": (
        body(given(datatype="<U99999999"), tail=PIXELS), 422, "UINT8, not"
    ),
    # shapes
    "a negative side": (body(given(shape=[-1, 1, 28, 28]), tail=PIXELS), 422, "shape/0"),
    "two negative sides": (body(given(shape=[1, 1, -28, -28]), tail=PIXELS), 422, "shape/2"),
    "no image": (body(given(shape=[0, 1, 28, 28], parameters={"binary_data_size": 0})), 422, "sha"),
    "a huge batch": (body(given(shape=[2**62, 1, 28, 28]), tail=PIXELS), 413, "1024 are allowed"),
    "a batch beyond 64 bits": (
        (FINE[0].replace(b'"shape":[1', b'"shape":[' + b"9" * 40), {}), 400, "not JSON"
    ),
    "huge sides": (
        body(given(shape=[1, 2**31, 2**31, 2**31]), tail=PIXELS), 422, "[-1, 1, 28, 28]"
    ),
    "a side of a fraction": (body(given(shape=[1, 1, 28, 28.0]), tail=PIXELS), 422, "shape/3"),
    "a side of true": (body(given(shape=[True, 1, 28, 28]), tail=PIXELS), 422, "shape/0"),
    "no shape": (body(given(shape=[]), tail=PIXELS), 422, "shape"),
    "a thousand sides": (body(given(shape=[1] * 1000), tail=PIXELS), 422, "shape"),
    "flat pixels": (body(given(shape=[1, 784]), tail=PIXELS), 422, "[-1, 1, 28, 28], not [1, 784]"),
    "more images than bytes": (
        body(given(shape=[2, 1, 28, 28]), tail=PIXELS), 422, "1568 bytes, but 784"
    ),
    # byte counts
    "a size that is too large": (
        body(given(parameters={"binary_data_size": 785}), tail=PIXELS), 422, "only 784 bytes"
    ),
    "a size beyond 64 bits": (
        body(given(parameters={"binary_data_size": 2**63}), tail=PIXELS), 422, "only 784 bytes"
    ),
    "a size that is too small": (
        body(given(parameters={"binary_data_size": 783}), tail=PIXELS), 422, "1 bytes of the body"
    ),
    "a negative size": (
        body(given(parameters={"binary_data_size": -1}), tail=PIXELS), 422, "binary_data_size"
    ),
    "bytes of nobody": (body(given(), tail=PIXELS + b"x"), 422, "belong to no input"),
    "neither data nor size": (body(given(parameters={})), 422, "either data or binary_data_size"),
    "both data and size": (body(given(data=[1]), tail=PIXELS), 422, "either data or"),
    # numbers in JSON
    "too few numbers": (in_json([1, 2, 3]), 422, "needs 784 elements, not 3"),
    "no numbers": (in_json([]), 422, "not 0"),
    "data is a number": (in_json(7), 422, "must be a list"),
    "data is an object": (in_json({"0": 1}), 422, "must be a list"),
    "words for numbers": (in_json(["7"] * 784), 422, "integers"),
    "one long word": (in_json(["a" * 500_000] + [0] * 783), 422, "integers"),
    "nulls for numbers": (in_json([None] * 784), 422, "integers"),
    "truth for numbers": (in_json([True] * 784), 422, "integers"),
    "fractions for integers": (in_json([0.5] * 784), 422, "integers"),
    "integers beyond a byte": (in_json([256] * 784), 422, "0..255"),
    "negative integers": (in_json([-1] * 784), 422, "0..255"),
    "lists among numbers": (in_json([[1], 2] * 392), 422, "mixes"),
    "brackets all the way": (in_json([[[[[[]]]]]]), 422, "not 0"),
    "NaN in JSON": ((b'{"inputs": [{"data": [NaN]}]}', {}), 400, "not JSON"),
    "beyond a double": ((b'{"inputs": [{"data": [1e999]}]}', {}), 400, "not JSON"),
    "fractions above 1": (in_json([1.5] * 784, name="input", datatype="FP32"), 422, "0..1"),
    # numbers in binary
    "NaN": (one_fp32(float("nan")), 422, "NaN"),
    "infinity": (one_fp32(float("inf")), 422, "infinity"),
    "minus infinity": (one_fp32(float("-inf")), 422, "infinity"),
    "above 1": (one_fp32(1.001), 422, "0..1"),
    "below 0": (one_fp32(-0.001), 422, "0..1"),
    # pictures
    "a length that lies": (
        strings(struct.pack("<I", 2**32 - 1) + b"abc", [1, 1]), 422, "beyond the data"
    ),
    "a length that is cut": (strings(b"\x01\x00", [1, 1]), 422, "beyond the data"),
    "a hundred thousand empty pictures": (strings(bytes(400_000), [1, 1]), 422, "not 2"),
    "fewer pictures than the shape": (strings(bytes(4), [3, 1]), 422, "needs 3 elements, not 1"),
    "no pictures": (strings(bytes(4), [1, 1]), 422, "element 0: these bytes are no PNG"),
    "pictures in columns": (strings(bytes(8), [1, 2]), 422, "[-1, 1], not [1, 2]"),
    "no base64": (
        in_json(["%%%"], name="image", datatype="BYTES", shape=[1]), 422, "element 0"
    ),
    "base64 beyond ASCII": (
        in_json(["é"], name="image", datatype="BYTES", shape=[1]), 422, "base64"
    ),
    "numbers for base64": (
        in_json([3], name="image", datatype="BYTES", shape=[1]), 422, "strings"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refusals(client: httpx.Client, case: str) -> None:
    (content, headers), status, words = CASES[case]
    with little_memory():
        answer = client.post(INFER, content=content, headers=headers)
    refused(answer, status, words)


def test_what_is_fine_stays_served(client: httpx.Client) -> None:
    """By the same server, after all of the above."""
    content, headers = FINE
    assert client.post(INFER, content=content, headers=headers).status_code == 200


@pytest.mark.parametrize("method", ["gzip", "deflate"])
@pytest.mark.parametrize("size", [1_000_001, 50_000_000])
def test_a_bomb_is_unpacked_to_the_bound_only(client: httpx.Client, method: str, size: int) -> None:
    packed = gzip.compress(bytes(size), mtime=0) if method == "gzip" else zlib.compress(bytes(size))
    with little_memory():
        answer = client.post(INFER, content=packed, headers={"Content-Encoding": method})
    refused(answer, 413, "unpacks to more than the 1000000 bytes")


@pytest.mark.parametrize(
    ("coding", "content", "status", "words"),
    [
        ("gzip", b"no gzip", 400, "content encoding"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-1], 400, "ends before"),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"more", 400, "content encoding"),
        ("gzip", b"", 400, "ends before"),
        ("deflate", gzip.compress(b"{}", mtime=0), 400, "content encoding"),
        ("br", b"{}", 415, "gzip, deflate"),
        ("gzip, gzip", b"{}", 415, "gzip, deflate"),
        ("x" * 9000, b"{}", 415, "gzip, deflate"),
    ],
)
def test_codings(
    client: httpx.Client, coding: str, content: bytes, status: int, words: str
) -> None:
    answer = client.post(INFER, content=content, headers={"Content-Encoding": coding})
    refused(answer, status, words)


def test_chunked(client: httpx.Client) -> None:
    """In pieces that fall across the JSON's end and the elements."""
    content, headers = FINE

    def pieces(data: bytes, size: int) -> Iterator[bytes]:
        for start in range(0, len(data), size):
            yield data[start : start + size]

    for size in (1, 100, 783):
        answer = client.post(INFER, content=pieces(content, size), headers=headers)
        assert answer.status_code == 200
        packed = {**headers, "Content-Encoding": "gzip"}
        answer = client.post(
            INFER, content=pieces(gzip.compress(content, mtime=0), size), headers=packed
        )
        assert answer.status_code == 200
    endless = client.post(INFER, content=pieces(bytes(1_100_000), 50_000), headers=headers)
    refused(endless, 413, "1000000")


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/v2/nothing", 404, "/docs"),
        ("GET", "/v2/", 404, "/docs"),
        ("POST", "/v2/health/live", 405, "Allow"),
        ("GET", INFER, 405, "Allow"),
        ("GET", "/v2/models/mnits", 404, "Request for unknown model: 'mnits' is not found; known"),
        ("GET", "/v2/models/mnits/ready", 404, "Request for unknown model: 'mnits'"),
        ("GET", "/v2/models/mnits/config", 404, "Request for unknown model: 'mnits'"),
        ("GET", "/v2/models/mnits/stats", 404, "Request for unknown model: 'mnits'"),
        ("POST", "/v2/models/mnits/infer", 404, "Request for unknown model: 'mnits'"),
        ("GET", "/v2/models/mnist/versions/9", 404, "'mnist' version '9' is not found; known: 1"),
        ("POST", "/v2/models/mnist/versions/9/infer", 404, "'mnist' version '9' is not found"),
        ("GET", "/v2/models/mnist/versions/1@1", 404, "Request for unknown model"),
        ("GET", "/v2/models/%00", 404, "Request for unknown model"),
        ("GET", "/v2/models/%2e%2e", 404, "Request for unknown model"),
        ("GET", "/v2/models/" + "x" * 5000, 404, "Request for unknown model"),
    ],
)
def test_paths(client: httpx.Client, method: str, path: str, status: int, words: str) -> None:
    refused(client.request(method, path), status, words)


@pytest.mark.parametrize("kind", ["text/plain", "image/png", "application/x-www-form-urlencoded"])
def test_content_type(client: httpx.Client, kind: str) -> None:
    answer = client.post(INFER, content=b"{}", headers={"Content-Type": kind})
    refused(answer, 415, "application/json, application/octet-stream")


def test_a_body_that_is_too_large(client: httpx.Client) -> None:
    refused(client.post(INFER, content=bytes(1_000_001)), 413, "1000000")


def test_a_picture_by_itself(client: httpx.Client, digit_png: bytes) -> None:
    """Triton's raw binary request: the JSON's length is 0, the body is the only tensor."""
    answer = client.post(INFER, content=digit_png, headers={HEAD: "0"})
    assert answer.status_code == 200, answer.text
    labels = [each for each in answer.json()["outputs"] if each["name"] == "label"]
    assert labels[0]["shape"] == [1, 1]
