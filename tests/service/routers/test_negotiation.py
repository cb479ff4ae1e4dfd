"""Files of arrays in both directions, what Accept chooses, and what may be kept how long."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save

from service.formats.answers import REVALIDATE, VERSIONED

CLASSIFY = "/v1/models/mnist/classify"
ACTIVATIONS = "/v1/models/mnist/activations"
NPZ = "application/x-npz"
SAFETENSORS = "application/x-safetensors"

Digit = NDArray[np.uint8]


def npz(**arrays: Any) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


READERS: dict[str, Callable[[bytes], Any]] = {
    NPZ: lambda body: dict(np.load(io.BytesIO(body), allow_pickle=False)),
    SAFETENSORS: load,
}


@pytest.fixture
def batch(digit: Digit) -> Digit:
    """(2, 28, 28)"""
    return np.stack([digit, digit.T.copy()])


@pytest.mark.parametrize("url", [CLASSIFY, ACTIVATIONS])
async def test_bodies_of_arrays_mean_the_same(
    client: httpx.AsyncClient, batch: Digit, url: str
) -> None:
    out = io.BytesIO()
    np.save(out, batch)
    bodies = {
        "application/x-npy": out.getvalue(),
        NPZ: npz(digits=batch),
        SAFETENSORS: save({"digits": batch}),
    }
    answers = [
        await client.post(url, content=body, headers={"Content-Type": kind})
        for kind, body in bodies.items()
    ]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].content == answers[1].content == answers[2].content


async def test_refusals_of_arrays(client: httpx.AsyncClient, batch: Digit) -> None:
    async def status(kind: str, body: bytes) -> int:
        answer = await client.post(CLASSIFY, content=body, headers={"Content-Type": kind})
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code

    many = np.zeros((1025, 2, 2), np.uint8)
    assert await status(NPZ, npz(a=many)) == await status(SAFETENSORS, save({"a": many})) == 413
    assert await status(NPZ, npz(a=batch, b=batch)) == 422
    assert await status(SAFETENSORS, b"nothing") == 422


@pytest.mark.parametrize("kind", [NPZ, SAFETENSORS])
async def test_a_classification_as_arrays(
    client: httpx.AsyncClient, batch: Digit, kind: str
) -> None:
    body, sent = npz(a=batch), {"Content-Type": NPZ}
    told = (await client.post(f"{CLASSIFY}?top_k=10", content=body, headers=sent)).json()
    answer = await client.post(CLASSIFY, content=body, headers={**sent, "Accept": kind})
    assert answer.headers["content-type"] == kind
    assert answer.headers["x-model"] == "mnist@1"
    found = READERS[kind](answer.content)
    predictions = told["predictions"]
    assert found["index"].tolist() == [each["index"] for each in predictions]
    assert found["in_distribution"].tolist() == [each["in_distribution"] for each in predictions]
    np.testing.assert_allclose(
        found["confidence"], [each["confidence"] for each in predictions], atol=1e-6
    )
    np.testing.assert_allclose(found["energy"], [each["energy"] for each in predictions], atol=1e-5)
    for row, prediction in enumerate(predictions):
        for candidate in prediction["top"]:
            assert found["probabilities"][row, candidate["index"]] == pytest.approx(
                candidate["probability"], abs=1e-6
            )
    assert found["logits"].shape == (2, 10)


@pytest.mark.parametrize(
    ("url", "accept", "expected"),
    [
        (CLASSIFY, "*/*", "application/json"),
        (CLASSIFY, "application/*", "application/json"),
        (CLASSIFY, "text/html, application/x-npz;q=0.5", NPZ),
        (ACTIVATIONS, "*/*", "application/json"),
        (ACTIVATIONS, "image/*", "image/png"),
        (ACTIVATIONS, NPZ, NPZ),
        (ACTIVATIONS, SAFETENSORS, SAFETENSORS),
        (ACTIVATIONS + "?format=npz", "image/png", NPZ),
        (ACTIVATIONS + "?format=json", "text/html", "application/json"),
    ],
)
async def test_accept(
    client: httpx.AsyncClient, digit_png: bytes, url: str, accept: str, expected: str
) -> None:
    headers = {"Content-Type": "image/png", "Accept": accept}
    answer = await client.post(url, content=digit_png, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, expected)


@pytest.mark.parametrize(
    ("url", "there"),
    [(CLASSIFY, f"application/json, {NPZ}, {SAFETENSORS}"), (ACTIVATIONS, "image/png")],
)
async def test_not_acceptable(
    client: httpx.AsyncClient, digit_png: bytes, url: str, there: str
) -> None:
    headers = {"Content-Type": "image/png", "Accept": "text/html, application/json;q=0"}
    answer = await client.post(url, content=digit_png, headers=headers)
    assert answer.status_code == 406
    assert answer.headers["content-type"] == "application/problem+json"
    assert there in answer.json()["detail"]


@pytest.mark.parametrize("path", ["", "/layers", "/layers/conv1/filters.png"])
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("mnist@1", VERSIONED),
        ("mnist", REVALIDATE),
        ("mnist@production", REVALIDATE),
    ],
)
async def test_a_version_never_changes_but_a_name_may(
    client: httpx.AsyncClient, model: str, expected: str, path: str
) -> None:
    first = await client.get(f"/v1/models/{model}{path}")
    assert first.headers["cache-control"] == expected
    again = await client.get(
        f"/v1/models/{model}{path}", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == expected


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/mnist/layers/conv1/filters.png"])
async def test_what_is_made_for_a_request_has_no_ranges(
    client: httpx.AsyncClient, path: str
) -> None:
    """RFC 9110, 14.2: a server may ignore Range; half of two different answers would be worse."""
    answer = await client.get(path, headers={"Range": "bytes=0-9"})
    whole = await client.get(path)
    assert (answer.status_code, answer.content) == (200, whole.content)
    assert "content-range" not in answer.headers
