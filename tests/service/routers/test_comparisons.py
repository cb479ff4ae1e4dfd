"""Adversarial images, inversions and comparisons of versions."""

import base64
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.document import schemas

BASE = "/v1/models/mnist"
PNG = {"Content-Type": "image/png"}

Digit = np.ndarray[Any, np.dtype[np.uint8]]


def pixels(png: str) -> Digit:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


async def test_an_adversarial_image_is_answered_as_it_says(
    client: httpx.AsyncClient, digit: Digit, digit_png: bytes
) -> None:
    answer = await client.post(f"{BASE}/adversarials", content=digit_png, headers=PNG)
    [one] = schemas.Adversarials.model_validate(answer.json()).adversarials
    assert one.fooled
    assert one.before.label != one.after.label
    before, after = pixels(one.before.png), pixels(one.after.png)
    assert np.array_equal(before, digit)
    change = after.astype(int) - before
    assert one.levels == np.abs(change).max()
    np.testing.assert_allclose(one.change, change / 255, atol=1e-6)
    for shown in (one.before, one.after):
        sent = base64.b64decode(shown.png)
        seen = await client.post(f"{BASE}/classify", content=sent, headers=PNG)
        [told] = seen.json()["predictions"]
        assert told["label"] == shown.label
        assert told["confidence"] == pytest.approx(shown.confidence, abs=1e-4)


async def test_one_grey_level_of_one_step_may_not_be_enough(
    client: httpx.AsyncClient, digit_png: bytes
) -> None:
    query: dict[str, Any] = {"levels": 1, "method": "fgsm", "target": "3"}
    answer = await client.post(f"{BASE}/adversarials", params=query, content=digit_png, headers=PNG)
    if answer.status_code == 422:  # it is a three to this network
        assert "already" in answer.json()["detail"]
        return
    [one] = schemas.Adversarials.model_validate(answer.json()).adversarials
    assert one.levels <= 1
    assert one.fooled == (one.after.label == "3")


async def test_an_inversion(client: httpx.AsyncClient, digit_png: bytes) -> None:
    query: dict[str, Any] = {"layer": "act1", "steps": 60}
    answer = await client.post(f"{BASE}/inversions", params=query, content=digit_png, headers=PNG)
    [one] = schemas.Inversions.model_validate(answer.json()).inversions
    assert 0 <= one.error < 0.5
    picture = await client.post(
        f"{BASE}/inversions",
        params={**query, "format": "png", "scale": 2},
        content=digit_png,
        headers=PNG,
    )
    large = np.asarray(Image.open(io.BytesIO(picture.content)))
    assert np.array_equal(large[::2, ::2], pixels(one.picture.png))


async def test_a_version_is_like_itself_and_less_like_another(
    client: httpx.AsyncClient, publish: Callable[..., Any]
) -> None:
    publish(seed=1, alias="candidate")
    answer = await client.get(f"{BASE}@1/comparisons/mnist@1", params={"images": 16})
    same = schemas.Comparison.model_validate(answer.json())
    assert (same.first, same.second, same.agreement) == ("mnist@1", "mnist@1", 1)
    np.testing.assert_allclose(np.diag(same.cka), 1, atol=1e-4)
    answer = await client.get(
        f"{BASE}@1/comparisons/mnist@candidate", params={"images": 16, "layers": "act2"}
    )
    other = schemas.Comparison.model_validate(answer.json())
    [layer] = other.layers
    assert layer.first == "act2"
    assert [match.unit for match in layer.matches] == list(range(6))
    assert max(match.correlation for match in layer.matches) < 1
    known = {"If-None-Match": answer.headers["etag"]}
    again = await client.get(str(answer.url), headers=known)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("method", "url", "status", "words"),
    [
        ("POST", "/adversarials?target=x", 404, "unknown class"),
        ("POST", "/adversarials?levels=0", 422, "levels"),
        ("POST", "/adversarials?levels=256", 422, "levels"),
        ("POST", "/adversarials?method=guess", 422, "method"),
        ("POST", "/inversions", 422, "layer"),
        ("POST", "/inversions?layer=conv9", 404, "unknown layer 'conv9'"),
        ("POST", "/inversions?layer=act1&steps=0", 422, "steps"),
        ("POST", "/inversions?layer=act1&steps=9999", 422, "steps"),
        ("GET", "/comparisons/nothing", 404, "unknown model 'nothing'"),
        ("GET", "/comparisons/mnist@9", 404, "version"),
        ("GET", "/comparisons/mnist?layers=conv9", 404, "unknown layer 'conv9'"),
        ("GET", "/comparisons/mnist?images=7", 422, "images"),
    ],
)
async def test_refused(
    client: httpx.AsyncClient, digit_png: bytes, method: str, url: str, status: int, words: str
) -> None:
    answer = await client.request(method, BASE + url, content=digit_png, headers=PNG)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


async def test_a_version_that_carries_no_images_cannot_be_compared(
    client: httpx.AsyncClient, publish: Callable[..., Any]
) -> None:
    publish("bare", files={})
    answer = await client.get("/v1/models/bare/comparisons/mnist")
    assert answer.status_code == 404
    assert "bare@1 was published without test images" in answer.json()["detail"]
