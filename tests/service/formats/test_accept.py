"""Against the examples of RFC 9110, 12.5."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from service.formats.accept import negotiate, weights

OFFERS = ("application/json", "application/x-npz", "image/png")


def request(*accept: str) -> Request:
    headers = [(b"accept", value.encode("latin-1")) for value in accept]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", {}),
        ("compress, gzip", {"compress": 1.0, "gzip": 1.0}),
        ("compress;q=0.5, gzip;q=1.0", {"compress": 0.5, "gzip": 1.0}),
        ("gzip;q=1.0, identity; q=0.5, *;q=0", {"gzip": 1.0, "identity": 0.5, "*": 0.0}),
        ("GZIP ; Q=0.25", {"gzip": 0.25}),
        ("text/html;level=1;q=0.3", {"text/html": 0.3}),
        ("gzip;q=9, br;q=-1, zstd;q=x", {"gzip": 1.0, "br": 0.0, "zstd": 0.0}),
        (",,;,;q=1", {}),
    ],
)
def test_weights(header: str, expected: dict[str, float]) -> None:
    assert weights(header) == expected


def test_a_long_header_is_cut() -> None:
    assert len(weights(",".join(f"a{n}" for n in range(100_000)))) == 64


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ((), "application/json"),
        (("*/*",), "application/json"),
        (("application/x-npz",), "application/x-npz"),
        (("image/*",), "image/png"),
        (("image/*", "application/x-npz"), "application/x-npz"),
        (("application/json;q=0.5, image/png",), "image/png"),
        (("*/*;q=0.9, application/json;q=0.1",), "application/x-npz"),
        (("text/html, */*;q=0.1",), "application/json"),
        (("APPLICATION/X-NPZ",), "application/x-npz"),
    ],
)
def test_negotiate(accept: tuple[str, ...], expected: str) -> None:
    assert negotiate(request(*accept), OFFERS) == expected


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "*/*;q=0", "nonsense"])
def test_nothing_that_is_taken(accept: str) -> None:
    with pytest.raises(HTTPException) as raised:
        negotiate(request(accept), OFFERS)
    assert raised.value.status_code == 406
    assert "application/json, application/x-npz, image/png" in raised.value.detail
