"""Heat maps over HTTP, held against the library; and what is refused."""

import asyncio
import dataclasses
import io
import threading
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from glyphscope.attribution import attribute
from glyphscope.attribution_methods import METHODS
from glyphscope.checkpoint import Checkpoint, load
from glyphscope.store import Store
from service.analysis.hands import Here
from service.analysis.heat import FOR, GROUND, overlay
from service.analysis.job import Answer, Job
from service.analysis.pool import Analyses
from service.analysis.tasks import TASKS
from service.document import schemas
from service.routers.attributions import ABOUT

URL = "/v1/models/mnist/attributions"

Digit = np.ndarray[Any, np.dtype[np.uint8]]


@pytest.fixture
def wanted(client: httpx.AsyncClient, store: Store) -> Checkpoint:
    return load(store.root / "mnist/1")


async def post(client: httpx.AsyncClient, body: bytes, **query: Any) -> httpx.Response:
    return await client.post(URL, params=query, content=body, headers={"Content-Type": "image/png"})


async def test_every_method_is_listed_with_what_it_means(client: httpx.AsyncClient) -> None:
    found = schemas.Methods.model_validate((await client.get(URL)).json())
    assert [one.name for one in found.methods] == list(METHODS)
    assert ABOUT.keys() == METHODS.keys()
    assert found.default in METHODS


@pytest.mark.parametrize("method", METHODS)
async def test_maps_are_the_librarys(
    client: httpx.AsyncClient, wanted: Checkpoint, digit: Digit, digit_png: bytes, method: str
) -> None:
    answer = await post(client, digit_png, method=method)
    found = schemas.Attributions.model_validate(answer.json())
    expected = attribute(wanted, digit[None, None], method)
    [one] = found.attributions
    assert one.target.index == expected.targets[0]
    np.testing.assert_allclose(one.map, expected.heat[0], atol=1e-5)
    assert one.scores.logit == pytest.approx(expected.logits[0], abs=1e-4)
    assert (one.scores.gap is not None) == METHODS[method].shares


@pytest.mark.parametrize("target", ["3", "7"])
async def test_a_class_can_be_asked_for(
    client: httpx.AsyncClient, wanted: Checkpoint, digit: Digit, digit_png: bytes, target: str
) -> None:
    answer = await post(client, digit_png, method="saliency", target=target, include="input")
    [one] = schemas.Attributions.model_validate(answer.json()).attributions
    assert one.target.label == target
    expected = attribute(wanted, digit[None, None], "saliency", int(target))
    np.testing.assert_allclose(one.map, expected.heat[0], atol=1e-5)
    assert one.input is not None
    assert (one.input.width, one.input.height) == (28, 28)


async def test_npz_of_several(client: httpx.AsyncClient, wanted: Checkpoint, digit: Digit) -> None:
    batch = np.stack([digit, np.roll(digit, 4, axis=1)])
    out = io.BytesIO()
    np.save(out, batch)
    answer = await client.post(
        URL,
        params={"format": "npz", "method": "saliency"},
        content=out.getvalue(),
        headers={"Content-Type": "application/x-npy"},
    )
    expected = attribute(wanted, batch[:, None], "saliency")
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as found:
        np.testing.assert_allclose(found["maps"], expected.heat, atol=1e-5)
        assert found["targets"].tolist() == list(expected.targets)


async def test_png_lies_over_the_image(
    client: httpx.AsyncClient, wanted: Checkpoint, digit: Digit, digit_png: bytes
) -> None:
    answer = await post(client, digit_png, format="png", method="saliency", scale=2)
    assert answer.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(answer.content)))
    expected = overlay(attribute(wanted, digit[None, None], "saliency").heat[0], digit[None])
    assert np.array_equal(picture[::2, ::2], np.moveaxis(expected, 0, -1))


def test_colours() -> None:
    values = np.array([[1.0, -1.0, 0.0]], np.float32)
    found = overlay(values, np.zeros((1, 1, 3), np.uint8))
    assert tuple(found[:, 0, 0]) == FOR
    assert tuple(found[:, 0, 2]) == GROUND
    nothing = overlay(np.zeros((1, 3), np.float32), np.full((3, 1, 3), 255, np.uint8))
    assert len(np.unique(nothing.reshape(3, -1), axis=1).T) == 1


async def test_the_same_whoever_asks_meanwhile(
    client: httpx.AsyncClient, digit: Digit, digit_png: bytes
) -> None:
    """Heat maps and activations of one network, all at once, against one at a time."""
    urls = [
        *(f"{URL}?method={method}&format=npz" for method in ("guided-backprop", "lrp", "grad-cam")),
        "/v1/models/mnist/activations?format=npz",
    ]

    async def ask(url: str) -> dict[str, Any]:
        answer = await client.post(url, content=digit_png, headers={"Content-Type": "image/png"})
        with np.load(io.BytesIO(answer.content), allow_pickle=False) as found:
            return dict(found)

    alone = [await ask(url) for url in urls]
    together = await asyncio.gather(*(ask(url) for url in urls * 4))
    for i, found in enumerate(together):
        expected = alone[i % len(urls)]
        assert found.keys() == expected.keys()
        for name in found:
            # Kernels differ with how many images were taken at once.
            np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("method=guess", 404, "unknown attribution method 'guess'; known: saliency"),
        ("target=10", 404, "unknown class of mnist '10'; known: 0"),
        ("target=", 404, "unknown class"),
        ("target=-1", 404, "unknown class"),
        ("target=%D9%A3", 404, "unknown class"),
        ("format=gif", 422, "format"),
        ("steps=0", 422, "steps"),
        ("steps=100000", 422, "steps"),
        ("noise=nan", 422, "noise"),
        ("seed=-1", 422, "seed"),
        ("method=grad-cam&layer=conv9", 404, "unknown layer 'conv9'"),
        ("method=grad-cam&layer=logits", 422, "logits has none"),
        ("format=png&scale=33", 422, "scale"),
    ],
)
async def test_refused(
    client: httpx.AsyncClient, digit_png: bytes, query: str, status: int, words: str
) -> None:
    answer = await client.post(
        f"{URL}?{query}", content=digit_png, headers={"Content-Type": "image/png"}
    )
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


async def test_too_many_images(client: httpx.AsyncClient, digit: Digit) -> None:
    out = io.BytesIO()
    np.save(out, np.stack([digit] * 33))
    answer = await client.post(
        URL, content=out.getvalue(), headers={"Content-Type": "application/x-npy"}
    )
    assert answer.status_code == 413
    assert "32 are allowed" in answer.json()["detail"]


class Full(Analyses):
    """One that has no room left."""

    def __init__(self) -> None:
        super().__init__([Here(lambda job: Answer(b"", ""))], 1, 60)
        self._waiting = 2


async def test_too_much_waits(app: Any, client: httpx.AsyncClient, digit_png: bytes) -> None:
    full = Full()
    app.state.runtime = dataclasses.replace(app.state.runtime, analyses=full)
    answer = await post(client, digit_png)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    full.close()


async def test_it_takes_too_long(client: httpx.AsyncClient, digit_png: bytes, app: Any) -> None:
    ended = threading.Event()

    def endless(job: Job) -> Answer:
        ended.wait(60)
        return Answer(b"", "")

    slow = Analyses([Here(endless)], 8, 0.01)
    app.state.runtime = dataclasses.replace(app.state.runtime, analyses=slow)
    answer = await post(client, digit_png)
    ended.set()
    assert answer.status_code == 504
    assert schemas.Problem.model_validate(answer.json()).title == "Gateway Timeout"
    slow.close()


async def test_a_defect_tells_nothing(
    client: httpx.AsyncClient, digit_png: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Answer:
        raise ZeroDivisionError("secret")

    monkeypatch.setitem(TASKS, "attributions", broken)
    answer = await post(client, digit_png)
    assert answer.status_code == 500
    assert "secret" not in answer.text
