"""The same requests with and without the short way: every byte of the answers is the same.

``SHORT`` must be taken, so that nothing is compared with itself; ``LONG`` must not.
"""

import gzip
import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.express.protocol import Protocol
from tests.service.express.conftest import Server, read

URL = "/v1/models/mnist/classify"

Messages = list[bytes]

DIGIT = np.zeros((28, 28), np.uint8)
DIGIT[5:23, 12:16] = 255
DIGIT[5:23, 11] = 90


def png(pixels: Any = DIGIT, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **options)
    return out.getvalue()


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def request(
    body: bytes = b"", url: str = URL, kind: str | None = "image/png", method: str = "POST",
    version: str = "1.1", **headers: str,
) -> bytes:  # fmt: skip
    lines = [f"{method} {url} HTTP/{version}", "Host: test", "X-Request-ID: request-1"]
    lines += [f"Content-Type: {kind}"] if kind else []
    if "Transfer_Encoding" not in headers:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def in_pieces(message: bytes, size: int) -> Messages:
    return [message[i : i + size] for i in range(0, len(message), size)]


PNG, NPY = png(), npy(DIGIT[None])
MANY = npy(np.stack([np.roll(DIGIT, i, axis=1) for i in range(5)]))
LIGHT = 255 - DIGIT
BOTH = np.stack([DIGIT, LIGHT])

SHORT: dict[str, tuple[Messages, int]] = {
    "png": ([request(PNG)], 1),
    "png of light ground": ([request(png(LIGHT))], 1),
    "png, stored": ([request(png(compress_level=0))], 1),
    "a version": ([request(PNG, "/v1/models/mnist@1/classify")], 1),
    "an alias": ([request(PNG, "/v1/models/mnist@production/classify")], 1),
    "top_k 1": ([request(PNG, URL + "?top_k=1")], 1),
    "top_k 10": ([request(PNG, URL + "?top_k=10")], 1),
    "npy": ([request(NPY, kind="application/x-npy")], 1),
    "npy of many": ([request(MANY, kind="application/x-npy")], 1),
    "npy of floats": ([request(npy(DIGIT[None, None] / 255.0), kind="application/x-npy")], 1),
    "npy of fortran": ([request(npy(np.asfortranarray(BOTH)), kind="application/x-npy")], 1),
    "hangs up": ([request(PNG, Connection="close")], 1),
    "takes gzip": ([request(PNG, Accept_Encoding="gzip, br")], 1),
    "says who it is": ([request(PNG, User_Agent="x/1", Accept="*/*", Connection="keep-alive")], 1),
    "is traced": (
        [
            request(
                PNG, Traceparent=f"00-{'ab' * 16}-{'cd' * 8}-01", Tracestate="a=b", Baggage="c=d"
            )
        ],
        1,
    ),
    "came through a proxy": (
        [
            request(
                PNG,
                X_Forwarded_For="203.0.113.7",
                X_Forwarded_Proto="https",
                Via="1.1 edge",
                X_Forwarded_Host="example.org",
                X_Forwarded_Port="443",
                X_Real_IP="203.0.113.7",
                Forwarded="for=203.0.113.7;proto=https",
                X_Amzn_Trace_Id="Root=1-67891233-abc",
            )
        ],
        1,
    ),
    "came through two": ([request(PNG, X_Forwarded_For="203.0.113.7, [2001:db8::1]:99")], 1),
    "came from nowhere": ([request(PNG, X_Forwarded_For="")], 1),
    "takes json": ([request(PNG, Accept="application/json")], 1),
    "one after the other": ([request(PNG), request(NPY, kind="application/x-npy")], 2),
    "in pieces": (in_pieces(request(PNG), 50), 1),
    "byte by byte": (in_pieces(request(PNG), 1), 1),
    "pipelined": ([request(PNG) + request(PNG, URL + "?top_k=1") + request(PNG)], 3),
    "pipelined with others": (
        [request(PNG) + request(method="GET", url="/v1/models/mnist/layers") + request(PNG)],
        3,
    ),
    "pipelined, the last in pieces": (
        [request(PNG) + request(PNG)[:40], request(PNG)[40:170], request(PNG)[170:]],
        2,
    ),
}

BLANK = np.full((28, 28), 9, np.uint8)

LONG: dict[str, tuple[Messages, int]] = {
    "no such model": ([request(PNG, "/v1/models/abacus/classify")], 1),
    "no such version": ([request(PNG, "/v1/models/mnist@7/classify")], 1),
    "a name that is none": ([request(PNG, "/v1/models/MNIST/classify")], 1),
    "a name in percent": ([request(PNG, "/v1/models/mnis%74/classify")], 1),
    "top_k 11": ([request(PNG, URL + "?top_k=11")], 1),
    "top_k 0": ([request(PNG, URL + "?top_k=0")], 1),
    "top_k and more": ([request(PNG, URL + "?top_k=3&include=input")], 1),
    "an empty query": ([request(PNG, URL + "?")], 1),
    "no image": ([request(b"no image")], 1),
    "half an image": ([request(PNG[:50])], 1),
    "a wrong checksum": ([request(PNG[:40] + b"x" + PNG[41:])], 1),
    "a blank image": ([request(png(BLANK))], 1),
    "no body": ([request()], 1),
    "another size": ([request(png(np.pad(DIGIT, 10)))], 1),
    "in colour": ([request(png(np.stack([DIGIT] * 3, axis=-1)))], 1),
    "a jpeg that says png": ([request(b"\xff\xd8\xff\xe0" + PNG)], 1),
    "another kind": ([request(PNG, kind="image/gif")], 1),
    "kind with parameters": ([request(PNG, kind="image/png; a=b")], 1),
    "no kind": ([request(PNG, kind=None)], 1),
    "two kinds": ([request(PNG, **{"Content_type": "image/jpeg"})], 1),
    "npy of another size": ([request(npy(np.pad(DIGIT, 4)[None]), kind="application/x-npy")], 1),
    "npy out of range": ([request(npy(DIGIT[None] * 2.0), kind="application/x-npy")], 1),
    "npy that lies": ([request(MANY[:-1], kind="application/x-npy")], 1),
    "npy of no images": ([request(npy(DIGIT[:0][None]), kind="application/x-npy")], 1),
    "npy of too many": (
        [request(npy(np.zeros((1025, 1, 28, 28), np.uint8)), kind="application/x-npy")],
        1,
    ),
    "npy of objects": ([request(npy(np.array([{}])), kind="application/x-npy")], 1),
    "gzip in": ([request(gzip.compress(PNG, mtime=0), Content_Encoding="gzip")], 1),
    "chunked": ([request(chunked(PNG), Transfer_Encoding="chunked")], 1),
    "chunked in pieces": (in_pieces(request(chunked(PNG), Transfer_Encoding="chunked"), 30), 1),
    "asks first": ([request(PNG, Expect="100-continue")], 1),
    "too large": ([request(bytes(1_000_001))], 1),
    "http/1.0": ([request(PNG, version="1.0")], 1),
    "http/1.0 that stays": ([request(PNG, version="1.0", Connection="keep-alive")], 1),
    "get": ([request(method="GET")], 1),
    "put": ([request(PNG, method="PUT")], 1),
    "takes safetensors": ([request(PNG, Accept="application/x-safetensors")], 1),
    "takes what there is not": ([request(PNG, Accept="text/html")], 1),
    "of another page": ([request(PNG, Origin="https://example.org")], 1),
    "upgrade": ([request(PNG, Connection="Upgrade", Upgrade="h2c")], 1),
    "nonsense": ([b"nonsense\r\n\r\n"], 1),
    "pipelined, then nonsense": ([request(PNG) + b"nonsense\r\n\r\n"], 2),
}


@pytest.mark.parametrize("name", SHORT)
def test_what_is_taken(short: Server, long: Server, name: str) -> None:
    pieces, answers = SHORT[name]
    taken = len(short.answered)
    assert short.talk(pieces, answers) == long.talk(pieces, answers)
    assert len(short.answered) > taken


@pytest.mark.parametrize("name", LONG)
def test_what_is_left_to_the_application(short: Server, long: Server, name: str) -> None:
    pieces, answers = LONG[name]
    taken = len(short.answered)
    assert short.talk(pieces, answers) == long.talk(pieces, answers)
    assert len(short.answered) == taken


def test_an_answer_that_is_compressed(short: Server, long: Server) -> None:
    message = request(npy(np.stack([DIGIT] * 9)), kind="application/x-npy", Accept_Encoding="gzip")
    found = short.talk([message])
    assert found == long.talk([message])
    assert b"content-encoding: gzip" in found


def test_a_name_is_made_up_for_each(short: Server) -> None:
    message = request(PNG).replace(b"X-Request-ID: request-1\r\n", b"")
    found = [
        line for line in short.talk([message, message], 2).split(b"\r\n") if b"request-id" in line
    ]
    assert len({*found}) == 2
    assert all(len(line) == len("x-request-id: ") + 32 for line in found)


def test_the_log_is_the_same(
    short: Server, long: Server, caplog: pytest.LogCaptureFixture, wait_for: Callable[..., None]
) -> None:
    lines = []
    for server in (short, long):
        caplog.clear()
        with caplog.at_level(logging.INFO, "glyphscope.access"):
            server.talk([request(PNG, URL + "?top_k=2")])
            wait_for(lambda: caplog.records)
        [record] = [each for each in caplog.records if each.name == "glyphscope.access"]
        fields = record.__dict__["fields"]
        assert fields.pop("ms") > 0
        lines.append((record.getMessage(), fields))
    assert lines[0] == lines[1]
    assert lines[0][1]["bytes"] > 100


def test_a_pass_that_fails(short: Server, long: Server) -> None:
    """The application says so, and the next request is answered again."""

    def fail(*_: object) -> None:
        raise MemoryError("no room")

    for server in (short, long):
        model = server.runtime.registry.at_hand("mnist")
        assert model is not None
        handle = model.opened().network.register_forward_pre_hook(fail)
        failed = server.talk([request(PNG)])
        handle.remove()
        assert failed.startswith(b"HTTP/1.1 500")
        assert b'"request_id":"request-1"' in failed
        assert server.talk([request(PNG)]).startswith(b"HTTP/1.1 200")
    broken = short.talk([request(PNG)])
    assert broken == long.talk([request(PNG)])


def test_clients_that_leave(short: Server, wait_for: Callable[..., None]) -> None:
    message = request(PNG)
    for size in (10, len(message) // 2, len(message) - 1, len(message)):
        for _ in range(3):
            with short.connect() as connection:
                connection.sendall(message[:size])
    assert short.talk([message]).startswith(b"HTTP/1.1 200")
    wait_for(lambda: not short.runtime.engine.waiting)
    wait_for(lambda: not short.uvicorn.server_state.connections)


def test_a_server_that_drains_answers_what_it_began(start: Callable[..., Server]) -> None:
    found = []
    message = request(PNG)
    for http in (Protocol, "httptools"):
        server = start(http)
        server.talk([message])
        with server.connect() as connection, server.connect() as idle:
            connection.sendall(message[:-20])
            idle.sendall(message)
            read(idle, 1)
            server.uvicorn.should_exit = True
            assert read(idle, 1) == b""
            connection.sendall(message[-20:])
            found.append(read(connection, 2))
    assert found[0] == found[1]
    assert b"connection: close\r\n" in found[0]
