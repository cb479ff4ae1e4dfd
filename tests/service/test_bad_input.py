"""Nothing that a client sends is a 500, and every refusal says what was wrong."""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.document import schemas

CLASSIFY = "/v1/models/mnist/classify"
ACTIVATIONS = "/v1/models/mnist/activations"
MAXIMISE = "/v1/models/mnist/maximisations"


def refused(answer: httpx.Response, status: int, *words: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = schemas.Problem.model_validate(answer.json())
    assert problem.status == status
    assert problem.request_id == answer.headers["x-request-id"]
    for word in words:
        assert word in problem.detail
    document: dict[str, Any] = answer.json()
    return document


def png_claiming(width: int, height: int) -> bytes:
    """A few bytes that say they are a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    )


def npy(values: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values, **options)
    return out.getvalue()


def npy_claiming(shape: tuple[int, ...], descr: str = "|u1", data: bytes = b"") -> bytes:
    out = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    return out.getvalue() + data


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg", "image/webp"])
@pytest.mark.parametrize("body", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a" + bytes(50)])
async def test_not_an_image(client: httpx.AsyncClient, kind: str, body: bytes) -> None:
    answer = await client.post(CLASSIFY, content=body, headers={"Content-Type": kind})
    assert refused(answer, 422)["type"] == "/problems/not-an-image"


async def test_truncated_image(client: httpx.AsyncClient) -> None:
    out = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    body = out.getvalue()[:2000]
    answer = await client.post(CLASSIFY, content=body, headers={"Content-Type": "image/png"})
    refused(answer, 422, "truncated")


@pytest.mark.parametrize("side", [5000, 10_000, 30_000])
async def test_decompression_bomb(client: httpx.AsyncClient, side: int) -> None:
    body = png_claiming(side, side)
    answer = await client.post(CLASSIFY, content=body, headers={"Content-Type": "image/png"})
    refused(answer, 413, "pixels")


class Trap:
    """Its pickle leaves a trace when somebody reads it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


async def test_a_pickle_in_npy_is_not_read(client: httpx.AsyncClient, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    body = npy(np.array([Trap(trace)], dtype=object), allow_pickle=True)
    answer = await client.post(
        CLASSIFY, content=body, headers={"Content-Type": "application/x-npy"}
    )
    refused(answer, 422, "object")
    assert not trace.exists()


NPY: dict[str, tuple[bytes, int, str]] = {
    "not npy": (b"PK\x03\x04 no npy", 422, "npy"),
    "empty": (b"", 422, "npy"),
    "header cut": (npy(np.zeros((1, 28, 28)))[:20], 422, "npy"),
    "data cut": (npy(np.zeros((1, 28, 28)))[:-8], 422, "6272 bytes, but 6264"),
    "data left over": (npy(np.zeros((1, 28, 28), np.uint8)) + b"x", 422, "784 bytes, but 785"),
    "claims terabytes": (npy_claiming((10**9, 28, 28)), 422, "bytes, but 0"),
    "claims a product beyond 64 bits": (npy_claiming((2**40, 2**40)), 422, "but 0"),
    "negative side": (npy_claiming((-1, 28, 28)), 422, "empty shape"),
    "no images": (npy(np.zeros((0, 28, 28))), 422, "empty shape"),
    "strings": (npy(np.array([["a"]])), 422, "<U1"),
    "complex": (npy(np.zeros((1, 28, 28), np.complex64)), 422, "complex64"),
    "records": (npy(np.zeros(2, [("a", "u1")])), 422, "not"),
    "dates": (npy(np.zeros((1, 28, 28), "M8[s]")), 422, "datetime64"),
    "one axis": (npy(np.zeros(784, np.uint8)), 422, "(N, H, W)"),
    "no axis": (npy(np.uint8(3)), 422, "(N, H, W)"),
    "three channels": (npy(np.zeros((1, 3, 28, 28), np.uint8)), 422, "3 channel"),
    "NaN": (npy(np.full((1, 28, 28), np.nan, np.float32)), 422, "NaN"),
    "infinity": (npy(np.full((1, 28, 28), np.inf, np.float32)), 422, "infinity"),
    "fractions above 1": (npy(np.full((1, 28, 28), 2.0)), 422, "0..1"),
    "negative integers": (npy(np.full((1, 28, 28), -1)), 422, "0..255"),
    "too many images": (npy(np.zeros((1025, 2, 2), np.uint8)), 413, "1024 are allowed"),
}


@pytest.mark.parametrize("case", NPY)
async def test_npy(client: httpx.AsyncClient, case: str) -> None:
    body, status, words = NPY[case]
    answer = await client.post(
        CLASSIFY, content=body, headers={"Content-Type": "application/x-npy"}
    )
    refused(answer, status, words)


JSON: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 400, "not JSON"),
    "half": (b'{"inputs": [', 400, "not JSON"),
    "NaN": (b'{"inputs": [{"pixels": [[NaN]]}]}', 400, "not JSON"),
    "beyond a double": (b'{"inputs": [{"pixels": [[1e999]]}]}', 400, "not JSON"),
    "not UTF-8": (b'{"inputs": "\xff"}', 400, "not JSON"),
    "very deep": (b"[" * 100_000, 400, "not JSON"),
    "deep but valid": (
        b'{"inputs": [{"pixels": ' + b"[" * 500 + b"]" * 500 + b"}]}", 422, "inputs[0]"
    ),
    "a list": (b"[]", 422, "inputs"),
    "null": (b"null", 422, "inputs"),
    "no inputs": (b"{}", 422, "inputs"),
    "no input": (b'{"inputs": []}', 422, "at least one"),
    "more than inputs": (b'{"inputs": [{"pixels": [[1]]}], "top_k": 3}', 422, "inputs"),
    "an input that is a number": (b'{"inputs": [3]}', 422, "inputs[0]"),
    "an empty input": (b'{"inputs": [{}]}', 422, "image, pixels, strokes"),
    "two kinds": (b'{"inputs": [{"pixels": [[1]], "image": ""}]}', 422, "exactly one"),
    "an unknown kind": (b'{"inputs": [{"picture": ""}]}', 422, "image, pixels, strokes"),
    "ragged rows": (b'{"inputs": [{"pixels": [[1, 2], [3]]}]}', 422, "rectangle"),
    "words for pixels": (b'{"inputs": [{"pixels": [["a"]]}]}', 422, "numbers"),
    "nulls for pixels": (b'{"inputs": [{"pixels": [[null]]}]}', 422, "numbers"),
    "an object for pixels": (b'{"inputs": [{"pixels": {"0": 1}}]}', 422, "list of rows"),
    "pixels too big": (b'{"inputs": [{"pixels": [[256, 0]]}]}', 422, "0..255"),
    "huge pixels": (b'{"inputs": [{"pixels": [[1e300, 0]]}]}', 422, "0..1"),
    "past 64 bits": (b'{"inputs": [{"pixels": [[99999999999999999999999, 0]]}]}', 422, "0."),
    "blank pixels": (b'{"inputs": [{"pixels": [[0, 0], [0, 0]]}]}', 422, "blank"),
    "no rows": (b'{"inputs": [{"pixels": []}]}', 422, "shape"),
    "image is no string": (b'{"inputs": [{"image": 3}]}', 422, "base64"),
    "no base64": (b'{"inputs": [{"image": "%%%"}]}', 422, "base64"),
    "base64 beyond ASCII": ('{"inputs": [{"image": "é"}]}'.encode(), 422, "base64"),
    "base64 of no image": (b'{"inputs": [{"image": "AAAA"}]}', 422, "no PNG"),
    "no strokes": (b'{"inputs": [{"strokes": []}]}', 422, "no points"),
    "empty strokes": (b'{"inputs": [{"strokes": [[], []]}]}', 422, "no points"),
    "strokes are a number": (b'{"inputs": [{"strokes": 3}]}', 422, "list of strokes"),
    "a stroke is a word": (b'{"inputs": [{"strokes": ["ab"]}]}', 422, "list of strokes"),
    "points of one": (b'{"inputs": [{"strokes": [[[1]]]}]}', 422, "[x, y]"),
    "points of words": (b'{"inputs": [{"strokes": [[["a", "b"]]]}]}', 422, "[x, y]"),
    "points of null": (b'{"inputs": [{"strokes": [[[null, 1]]]}]}', 422, "stroke 0"),
    "points of objects": (b'{"inputs": [{"strokes": [[{"x": 1}]]}]}', 422, "[x, y]"),
    "points far away": (b'{"inputs": [{"strokes": [[[1e200, 1]]]}]}', 422, "1e9"),
    "too many points": (
        b'{"inputs": [{"strokes": [[' + b",".join([b"[1,2]"] * 20_001) + b"]]}]}", 413, "points"
    ),
    "too many inputs": (
        b'{"inputs": [' + b",".join([b'{"pixels":[[0,9]]}'] * 1025) + b"]}", 413, "1024 are allowed"
    ),
    "the second of two": (
        b'{"inputs": [{"strokes": [[[0,0],[1,1]]]}, {"strokes": []}]}', 422, "inputs[1]"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", JSON)
async def test_json(client: httpx.AsyncClient, case: str) -> None:
    body, status, words = JSON[case]
    answer = await client.post(CLASSIFY, content=body, headers={"Content-Type": "application/json"})
    refused(answer, status, words)


async def test_blank_image(client: httpx.AsyncClient) -> None:
    out = io.BytesIO()
    Image.new("L", (100, 100), 255).save(out, "PNG")
    answer = await client.post(
        CLASSIFY, content=out.getvalue(), headers={"Content-Type": "image/png"}
    )
    assert refused(answer, 422)["type"] == "/problems/empty-drawing"


async def test_multipart(client: httpx.AsyncClient, digit_png: bytes) -> None:
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(await client.post(CLASSIFY, content=b"--x--\r\n", headers=form), 422, "there is none")
    refused(
        await client.post(CLASSIFY, headers={"Content-Type": "multipart/form-data"}),
        400,
        "boundary",
    )
    refused(await client.post(CLASSIFY, content=b"no form at all", headers=form), 400)
    other = await client.post(CLASSIFY, files={"picture": ("a.png", digit_png)})
    refused(other, 422, "'file'", "'picture'")
    field = await client.post(CLASSIFY, files={"file": (None, "text")})
    refused(field, 422, "'file'")
    second = await client.post(
        CLASSIFY, files=[("file", ("a", digit_png)), ("file", ("b", b"nothing"))]
    )
    refused(second, 422, "file 1")


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "text/plain"}, {"Content-Type": "image/gif"}, {"Content-Type": ";"}],
)
@pytest.mark.parametrize("url", [CLASSIFY, ACTIVATIONS])
async def test_content_type(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> None:
    answer = await client.post(url, content=b"x", headers=headers)
    refused(answer, 415, "image/png", "application/x-npy", "multipart/form-data")


async def test_content_encoding(client: httpx.AsyncClient, digit_png: bytes) -> None:
    headers = {"Content-Type": "image/png", "Content-Encoding": "zstd"}
    answer = await client.post(CLASSIFY, content=digit_png, headers=headers)
    refused(answer, 415, "zstd", "gzip")
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    headers["Content-Encoding"] = "gzip"
    refused(await client.post(CLASSIFY, content=digit_png, headers=headers), 400, "encoding")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("mnits", ("model 'mnits'", "mnist")),
        ("mnist@9", ("version", "'9'", "1")),
        ("mnist@best", ("'best'", "production")),
        ("mnist@", ("version or alias",)),
        ("%2e%2e", ("model '..'",)),
        ("%00", ("model",)),
        ("mnist@99999999999999999999999", ("version",)),
        ("mnist@%D9%A3", ("version or alias",)),
        ("x" * 5000, ("model",)),
    ],
)
@pytest.mark.parametrize("noun", ["", "/layers", "/classify", "/activations", "/maximisations"])
async def test_unknown_names(
    client: httpx.AsyncClient, path: str, words: tuple[str, ...], noun: str
) -> None:
    url = f"/v1/models/{path}{noun}"
    method = "POST" if noun and noun != "/layers" else "GET"
    problem = refused(await client.request(method, url), 404, *words)
    assert problem["known"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("layers=conv9", 404, "conv1"),
        ("layers=", 404, "conv1"),
        ("layers=conv1,,act1", 404, "conv1"),
        ("layers=dropout", 422, "passes on"),
        ("format=gif", 422, "format"),
        ("values=all", 422, "values"),
    ],
)
async def test_activations(
    client: httpx.AsyncClient, digit_png: bytes, query: str, status: int, words: str
) -> None:
    answer = await client.post(
        f"{ACTIVATIONS}?{query}", content=digit_png, headers={"Content-Type": "image/png"}
    )
    refused(answer, status, words)


MAXIMISATIONS: dict[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{", 400, "not JSON"),
    "NaN": (b'{"layer": "conv1", "learning_rate": NaN}', 400, "not JSON"),
    "a list": (b"[]", 422, ""),
    "no layer": (b"{}", 422, "#/layer"),
    "an unknown member": (b'{"layer": "conv1", "step": 3}', 422, "#/step"),
    "an unknown layer": (b'{"layer": "conv9"}', 404, "conv1"),
    "an unknown unit": (b'{"layer": "conv1", "units": [4]}', 404, "unit"),
    "a negative unit": (b'{"layer": "conv1", "units": [-1]}', 422, "#/units"),
    "no unit": (b'{"layer": "conv1", "units": []}', 422, "#/units"),
    "units in words": (b'{"layer": "conv1", "units": "some"}', 422, "#/units"),
    "no steps": (b'{"layer": "conv1", "steps": 0}', 422, "#/steps"),
    "too many steps": (b'{"layer": "conv1", "steps": 5000}', 422, "#/steps"),
    "an unknown objective": (b'{"layer": "conv1", "objective": "fun"}', 422, "#/objective"),
    "a regulariser in words": (
        b'{"layer": "conv1", "regularisers": {"l2": "much"}}', 422, "#/regularisers/l2"
    ),
    "dropout": (b'{"layer": "dropout"}', 422, "dropout"),
    "an unknown preset": (b'{"layer": "conv1", "preset": "best"}', 422, "known: default"),
    "unknown transforms": (b'{"layer": "conv1", "transforms": "big"}', 422, "#/transforms"),
    "a warp in words": (
        b'{"layer": "conv1", "transforms": {"jitter": "much"}}', 422, "#/transforms/jitter"
    ),
    "no term": (b'{"layer": "conv1", "objective": []}', 422, "#/objective"),
    "a term in words": (
        b'{"layer": "conv1", "objective": [{"weight": "much"}]}', 422, "#/objective/0/weight"
    ),
    "a term of an unknown layer": (
        b'{"layer": "conv1", "objective": [{"layer": "conv9"}]}', 404, "conv1"
    ),
    "a position outside": (
        b'{"layer": "conv1", "objective": "neuron", "position": [99, 0]}', 422, "rows 0 to"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MAXIMISATIONS)
async def test_maximisations(client: httpx.AsyncClient, case: str) -> None:
    body, status, words = MAXIMISATIONS[case]
    answer = await client.post(MAXIMISE, content=body, headers={"Content-Type": "application/json"})
    refused(answer, status, words)


async def test_all_invalid_fields_are_named(client: httpx.AsyncClient) -> None:
    answer = await client.post(
        MAXIMISE, json={"layer": "conv1", "steps": 0, "seed": -1, "units": "some"}
    )
    pointers = {field["pointer"] for field in refused(answer, 422)["errors"]}
    assert pointers == {"#/steps", "#/seed", "#/units"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/models/", 404),
        ("GET", "/pad/nothing.js", 404),
        ("GET", "/docs/nothing.js", 404),
        ("DELETE", "/v1/models", 405),
        ("GET", CLASSIFY, 405),
        ("HEAD", CLASSIFY, 405),
        ("POST", "/", 405),
        ("GET", "/v1/maximisations/" + "0" * 40, 404),
        ("DELETE", "/v1/maximisations/" + "0" * 40, 404),
        ("GET", "/v1/maximisations/" + "0" * 40 + "/grid.png", 404),
        ("GET", "/v1/maximisations/open", 404),
        ("GET", "/v1/maximisations/..%2f..%2fqueue.db", 404),
    ],
)
async def test_paths(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    if method != "HEAD":
        refused(answer, status)


async def test_allow_lists_every_method_of_the_path(client: httpx.AsyncClient) -> None:
    answer = await client.put("/v1/maximisations/" + "0" * 40)
    refused(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


async def test_a_body_that_is_too_large(client: httpx.AsyncClient) -> None:
    body = bytes(1_000_001)
    headers = {"Content-Type": "image/png"}
    refused(await client.post(CLASSIFY, content=body, headers=headers), 413, "1000000")

    async def pieces() -> Any:
        for _ in range(11):
            yield bytes(100_000)

    streamed = await client.post(CLASSIFY, content=pieces(), headers=headers)
    assert "content-length" not in streamed.request.headers
    refused(streamed, 413, "1000000")

    async def form() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        async for piece in pieces():
            yield piece

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    refused(await client.post(CLASSIFY, content=form(), headers=headers), 413, "1000000")


async def test_what_is_fine_stays_served(client: httpx.AsyncClient, digit_png: bytes) -> None:
    """After everything above once more: no refusal leaves anything behind."""
    for body, _, _ in [*NPY.values(), *JSON.values()]:
        for kind in ("application/x-npy", "application/json", "image/png"):
            answer = await client.post(CLASSIFY, content=body, headers={"Content-Type": kind})
            assert answer.status_code in (400, 413, 422)
    picture = base64.b64encode(digit_png).decode()
    fine = await client.post(CLASSIFY, json={"inputs": [{"image": picture}]})
    assert fine.status_code == 200
