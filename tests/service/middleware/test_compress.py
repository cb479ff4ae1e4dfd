"""Answers that come compressed: which, to whom, and that they are the same."""

import gzip
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import httpx
import pytest
from fastapi import FastAPI, Response
from starlette.responses import StreamingResponse

from service.middleware.compress import MIN_BYTES, Compress, choose

BODY = b'{"values": [' + b"0.125, " * 1000 + b"1]}"
LARGE = b'{"values": [' + b"0.125, " * 100_000 + b"1]}"

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
}


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = FastAPI()
    app.add_middleware(Compress)

    @app.get("/large")
    async def large() -> Response:
        return Response(LARGE, media_type="application/json")

    @app.get("/small")
    async def small() -> Response:
        return Response(b"1" * (MIN_BYTES - 1), media_type="application/json")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def events() -> Any:
            for _ in range(3):
                yield BODY

        return StreamingResponse(events(), media_type="text/event-stream")

    @app.get("/{kind}/{name}")
    async def kind(kind: str, name: str) -> Response:
        return Response(BODY, media_type=f"{kind}/{name}", headers={"ETag": '"a"'})

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def raw(client: httpx.AsyncClient, path: str, accept: str) -> tuple[bytes, httpx.Headers]:
    """The bytes as they travel."""
    async with client.stream("GET", path, headers={"Accept-Encoding": accept}) as answer:
        body = b"".join([piece async for piece in answer.aiter_raw()])
    assert answer.headers.get("content-length", str(len(body))) == str(len(body))
    return body, answer.headers


@pytest.mark.parametrize("coding", ["br", "gzip", "deflate"])
@pytest.mark.parametrize("path", ["/application/json", "/application/problem+json", "/large"])
async def test_json_comes_as_asked(client: httpx.AsyncClient, coding: str, path: str) -> None:
    body, headers = await raw(client, path, coding)
    expected = LARGE if path == "/large" else BODY
    assert headers["content-encoding"] == coding
    assert headers["vary"] == "Accept-Encoding"
    assert len(body) < len(expected) / 4
    assert UNPACK[coding](body) == expected


async def test_the_etag_is_weak_then(client: httpx.AsyncClient) -> None:
    assert (await raw(client, "/application/json", "gzip"))[1]["etag"] == 'W/"a"'
    assert (await raw(client, "/application/json", "identity"))[1]["etag"] == '"a"'


async def test_not_asked(client: httpx.AsyncClient) -> None:
    for accept in ("", "identity", "gzip;q=0", "zstd", "*;q=0"):
        body, headers = await raw(client, "/application/json", accept)
        assert body == BODY
        assert "content-encoding" not in headers
        assert headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["/image/png", "/application/x-npz", "/application/x-safetensors", "/text/event-stream"]
)
async def test_dense_answers_stay_as_they_are(client: httpx.AsyncClient, path: str) -> None:
    body, headers = await raw(client, path, "br, gzip")
    assert body == BODY
    assert "content-encoding" not in headers
    assert "vary" not in headers


async def test_small_answers_and_streams_stay_as_they_are(client: httpx.AsyncClient) -> None:
    assert "content-encoding" not in (await raw(client, "/small", "gzip"))[1]
    body, headers = await raw(client, "/stream", "gzip")
    assert body == BODY * 3
    assert "content-encoding" not in headers


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, None),
        ("", None),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0.5", "gzip"),
        ("*", "br"),
        ("br;q=0, *;q=0.5", "gzip"),
        ("identity", None),
        ("deflate", "deflate"),
    ],
)
def test_choose(accept: str | None, expected: str | None) -> None:
    assert choose(accept) == expected


async def test_the_service_compresses(app: FastAPI) -> None:
    """The manifest is long enough; Triton's asyncio client could not read its own /v2 then."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        body, headers = await raw(client, "/v1/models/mnist", "br")
        assert headers["content-encoding"] == "br"
        assert brotli.decompress(body).startswith(b'{"schema_version"')
        for path in ("/v2/models/mnist", "/v2/models/mnist/config"):
            _, headers = await raw(client, path, "gzip, deflate, br")
            assert "content-encoding" not in headers
        head = await client.head("/v1/models/mnist", headers={"Accept-Encoding": "br"})
        assert head.headers["content-length"] == str(len(body))
