"""Statistics, images, map and mistakes as the version was published with them."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.store import Store
from service.document import schemas

BASE = "/v1/models/mnist"


@pytest.fixture
def wanted(client: httpx.AsyncClient, store: Store) -> Checkpoint:
    return load(store.root / "mnist/1")


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(BASE + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_statistics_of_a_layer(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    found = schemas.Units.model_validate(await get(client, "/layers/act1/units"))
    assert [one.unit for one in found.units] == [0, 1, 2, 3]
    for one in found.units:
        expected = wanted.statistics.unit("act1", one.unit)
        assert expected is not None
        for name in ("lowest", "highest", "mean", "std", "median", "active", "dead"):
            assert getattr(one, name) == pytest.approx(getattr(expected, name), nan_ok=True)
        assert one.class_means == pytest.approx(list(expected.class_means))
    assert found.dead == list(wanted.statistics.dead("act1"))


async def test_an_image(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    shown = wanted.images.get(17)
    assert shown is not None
    answer = await client.get(f"{BASE}/images/17.png", params={"scale": 3})
    pixels = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert np.array_equal(pixels, shown.pixels[0].repeat(3, 0).repeat(3, 1))
    known = {"If-None-Match": answer.headers["etag"]}
    again = await client.get(f"{BASE}/images/17.png", params={"scale": 3}, headers=known)
    assert again.status_code == 304


async def test_the_map(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    found = schemas.Embedding.model_validate(await get(client, "/embedding"))
    assert wanted.embedding is not None
    points = np.stack([found.x, found.y], 1)
    np.testing.assert_allclose(points, wanted.embedding.points, atol=1e-4)
    assert found.index == wanted.embedding.values["indices"].tolist()
    assert [found.labels[label] for label in found.label] == [
        wanted.labels[label] for label in wanted.embedding.values["labels"]
    ]


async def test_an_image_of_the_test_set_lies_on_its_own_point(
    client: httpx.AsyncClient, wanted: Checkpoint
) -> None:
    picture = (await client.get(f"{BASE}/images/12.png")).content
    answer = await client.post(
        f"{BASE}/embedding", content=picture, headers={"Content-Type": "image/png"}
    )
    [place] = schemas.Places.model_validate(answer.json()).places
    nearest = place.neighbours[0]
    assert nearest.index == 12
    assert nearest.distance == pytest.approx(0, abs=0.01)
    assert nearest.image == "/v1/models/mnist@1/images/12.png"
    assert wanted.embedding is not None
    np.testing.assert_allclose([place.x, place.y], wanted.embedding.points[12], atol=0.02)


async def test_confusions_count_every_image(client: httpx.AsyncClient) -> None:
    found = schemas.Confusions.model_validate(await get(client, "/confusions"))
    assert sum(cell.count for cell in found.cells) == 40


async def test_a_cell(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    cells = wanted.confusions.cells()
    cell = max((c for c in cells if c.truth != c.answer), key=lambda c: c.count)
    found = schemas.Confusion.model_validate(
        await get(client, f"/confusions/{cell.truth}/{cell.answer}")
    )
    assert found.count == cell.count
    assert [one.index for one in found.examples] == list(cell.examples)
    for one in found.examples:
        assert (one.label, one.answer) == (str(cell.truth), str(cell.answer))
        assert (await client.get(one.image)).status_code == 200
    assert found.units
    effects = [abs(one.effect) for one in found.units]
    assert effects == sorted(effects, reverse=True)


async def test_a_cell_without_images(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    filled = {(c.truth, c.answer) for c in wanted.confusions.cells()}
    truth, answer = next((t, a) for t in range(10) for a in range(10) if (t, a) not in filled)
    found = schemas.Confusion.model_validate(await get(client, f"/confusions/{truth}/{answer}"))
    assert (found.count, found.examples, found.units) == (0, [], [])


@pytest.mark.parametrize(
    "path", ["/layers/act1/units", "/embedding", "/confusions", "/confusions/1/2"]
)
async def test_what_a_client_has_is_not_made_again(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(BASE + path)
    known = {"If-None-Match": first.headers["etag"]}
    again = await client.get(BASE + path, headers=known)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/layers/conv9/units", "unknown layer 'conv9'; known: conv1"),
        ("/layers/dropout/units", "mnist@1 was published without statistics of layer dropout"),
        ("/images/40.png", "mnist@1 was published without test image '40'"),
        ("/images/-1.png", "without test image '-1'"),
        ("/images/x.png", "without test image 'x'"),
        (f"/images/{'9' * 400}.png", "without test image"),
        ("/images/%D9%A3.png", "without test image"),
        ("/confusions/1/10", "unknown class of mnist '10'; known: 0, 1"),
        ("/confusions/one/2", "unknown class of mnist 'one'"),
    ],
)
async def test_unknown(client: httpx.AsyncClient, path: str, words: str) -> None:
    answer = await client.get(BASE + path, headers={"If-None-Match": "*"})
    assert answer.status_code == 404
    assert words in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/layers/act1/units", "statistics of layer act1"),
        ("/images/1.png", "test image '1'"),
        ("/embedding", "a map of its test set"),
        ("/confusions", "its mistakes on the test set"),
        ("/confusions/1/2", "its mistakes on the test set"),
    ],
)
async def test_a_version_that_was_published_without(
    client: httpx.AsyncClient, publish: Callable[..., Any], path: str, what: str
) -> None:
    publish("bare", files={})
    answer = await client.get(f"/v1/models/bare{path}")
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"bare@1 was published without {what}"
