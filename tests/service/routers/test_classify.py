"""Every kind of body, held against the network and the arithmetic of its answer."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from glyphscope.checkpoint import load
from glyphscope.store import Store
from service.document import schemas

URL = "/v1/models/mnist/classify"

Digit = np.ndarray[Any, np.dtype[np.uint8]]


def npy(values: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, values)
    return out.getvalue()


def expected(store: Store, pixels: Digit) -> list[float]:
    """Probabilities by hand: normalise, run, divide by the temperature, softmax."""
    loaded = load(store.root / "mnist" / "1")
    x = (torch.tensor(pixels / 255.0, dtype=torch.float32) - 0.13) / 0.31
    logits = loaded.network(x[None, None])[0].double() / 1.5
    powers = torch.exp(logits - logits.max())
    return (powers / powers.sum()).tolist()


async def post_image(client: httpx.AsyncClient, data: bytes, url: str = URL) -> httpx.Response:
    return await client.post(url, content=data, headers={"Content-Type": "image/png"})


async def test_one_png(
    client: httpx.AsyncClient, store: Store, digit: Digit, digit_png: bytes
) -> None:
    answer = await post_image(client, digit_png)

    assert answer.status_code == 200
    document = schemas.Predictions.model_validate(answer.json())
    wanted = expected(store, digit)
    order = np.argsort(wanted)[::-1].tolist()
    [found] = document.predictions
    assert (document.model, document.version) == ("mnist", 1)
    assert [each.index for each in found.top] == order[:3]
    assert [each.probability for each in found.top] == pytest.approx(
        [wanted[i] for i in order[:3]], abs=1e-5
    )
    assert (found.label, found.confidence) == (str(order[0]), found.top[0].probability)
    assert found.in_distribution is (found.energy <= 0.0)


async def test_every_kind_of_body_means_the_same_picture(
    client: httpx.AsyncClient, digit: Digit, digit_png: bytes
) -> None:
    first = (await post_image(client, digit_png)).json()["predictions"][0]
    bodies: dict[str, dict[str, Any]] = {
        "multipart": {"files": [("file", ("a.png", digit_png))]},
        "npy": {"content": npy(digit[None]), "headers": {"Content-Type": "application/x-npy"}},
        "npy floats": {
            "content": npy((digit / 255.0)[None, None]),
            "headers": {"Content-Type": "application/x-npy"},
        },
        "npy fortran": {
            "content": npy(np.asfortranarray(digit[None])),
            "headers": {"Content-Type": "application/x-npy"},
        },
        "base64": {"json": {"inputs": [{"image": base64.b64encode(digit_png).decode()}]}},
        "pixels": {"json": {"inputs": [{"pixels": digit.tolist()}]}},
    }
    for name, body in bodies.items():
        answer = await client.post(URL, **body)
        assert answer.status_code == 200, (name, answer.text)
        assert answer.json()["predictions"][0] == first, name


async def test_strokes(client: httpx.AsyncClient) -> None:
    strokes = [[[10, 0], [10, 80]], [[0, 80], [20, 80]]]
    answer = await client.post(
        URL, params={"include": "input"}, json={"inputs": [{"strokes": strokes}]}
    )

    seen = answer.json()["predictions"][0]["input"]
    assert (seen["width"], seen["height"], seen["channels"]) == (28, 28, 1)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(seen["png"]))))
    rows, columns = np.nonzero(pixels > 127)
    # The foot of the letter is its widest row, below a stem in the middle.
    assert rows.max() - rows.min() > columns.max() - columns.min()
    assert (pixels > 127).sum(axis=1).argmax() > 20


async def test_the_order_of_many_is_kept(client: httpx.AsyncClient, digit: Digit) -> None:
    """Across the chunks that the engine cuts."""
    batch = np.stack([np.roll(digit, i - 20, axis=1) for i in range(40)])
    whole = await client.post(
        URL, content=npy(batch), headers={"Content-Type": "application/x-npy"}
    )
    assert len(whole.json()["predictions"]) == 40
    for i in (0, 31, 32, 39):
        single = await client.post(
            URL, content=npy(batch[i : i + 1]), headers={"Content-Type": "application/x-npy"}
        )
        one, other = single.json()["predictions"][0], whole.json()["predictions"][i]
        assert other["label"] == one["label"]
        assert other["confidence"] == pytest.approx(one["confidence"], abs=1e-5)


async def test_top_k(client: httpx.AsyncClient, digit_png: bytes) -> None:
    all_of_them = await post_image(client, digit_png, URL + "?top_k=10")
    top = all_of_them.json()["predictions"][0]["top"]
    assert sorted(each["index"] for each in top) == list(range(10))
    assert sum(each["probability"] for each in top) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("value", ["0", "-1", "11", "three", "1.5", ""])
async def test_a_bad_top_k(client: httpx.AsyncClient, digit_png: bytes, value: str) -> None:
    answer = await post_image(client, digit_png, f"{URL}?top_k={value}")
    assert answer.status_code == 422
    assert "top_k" in answer.json()["detail"]


@pytest.mark.parametrize("ref", ["mnist", "mnist@1", "mnist@production"])
async def test_names_of_one_version(client: httpx.AsyncClient, digit_png: bytes, ref: str) -> None:
    answer = await post_image(client, digit_png, f"/v1/models/{ref}/classify")
    assert answer.json()["version"] == 1
