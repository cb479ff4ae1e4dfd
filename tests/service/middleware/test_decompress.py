"""Bodies that come compressed: whole, in pieces, and past their bound. See oip/test_hostile.py."""

import gzip
import zlib
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from service.app import create_app
from service.settings import Settings

NOISE = bytes(range(256)) * 3000
"""768,000 bytes, three of the pieces that are unpacked at a time"""


@pytest.fixture
def echo(settings: Settings) -> httpx.AsyncClient:
    app: FastAPI = create_app(settings)

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        told = request.headers.get("content-length", "-") + request.headers.get(
            "content-encoding", "-"
        )
        return Response(await request.body(), headers={"Told": told})

    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(NOISE)),
        ("x-gzip", gzip.compress(NOISE)),
        ("GZIP", gzip.compress(NOISE)),
        ("deflate", zlib.compress(NOISE)),
        ("gzip", gzip.compress(NOISE[:100]) + gzip.compress(NOISE[100:])),
        ("gzip", gzip.compress(NOISE) + gzip.compress(b"")),
    ],
    ids=["gzip", "x-gzip", "GZIP", "deflate", "two members", "an empty member"],
)
@pytest.mark.parametrize("size", [1000, 10_000_000])
async def test_unpacked(echo: httpx.AsyncClient, coding: str, packed: bytes, size: int) -> None:
    async def pieces() -> Any:
        for start in range(0, len(packed), size):
            yield packed[start : start + size]
        yield b""

    answer = await echo.post("/echo", content=pieces(), headers={"Content-Encoding": coding})
    assert answer.status_code == 200, answer.text
    assert answer.content == NOISE
    assert answer.headers["told"] == "--"


async def test_identity(echo: httpx.AsyncClient) -> None:
    answer = await echo.post("/echo", content=b"abc", headers={"Content-Encoding": "identity"})
    assert answer.content == b"abc"


async def test_an_empty_body_of_nothing(echo: httpx.AsyncClient) -> None:
    answer = await echo.post(
        "/echo", content=gzip.compress(b""), headers={"Content-Encoding": "gzip"}
    )
    assert (answer.status_code, answer.content) == (200, b"")


async def test_errors_are_problem_documents(echo: httpx.AsyncClient) -> None:
    bomb = gzip.compress(bytes(2_000_000))
    answer = await echo.post("/echo", content=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "1000000" in answer.json()["detail"]


async def test_a_compressed_picture_classifies(client: httpx.AsyncClient, digit_png: bytes) -> None:
    headers = {"Content-Type": "image/png", "Content-Encoding": "gzip"}
    url = "/v1/models/mnist/classify"
    packed = await client.post(url, content=gzip.compress(digit_png), headers=headers)
    plain = await client.post(url, content=digit_png, headers={"Content-Type": "image/png"})
    assert packed.json() == plain.json()
