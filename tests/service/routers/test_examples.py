"""The test images that drive a unit, and where it looks."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from glyphscope.checkpoint import Checkpoint, load
from glyphscope.receptive_field import receptive_fields
from glyphscope.store import Store
from service.document import schemas
from service.formats.marking import COLOUR, marked_tile

UNIT = "/v1/models/mnist/layers/act2/units/3"


@pytest.fixture
def wanted(client: httpx.AsyncClient, store: Store) -> Checkpoint:
    return load(store.root / "mnist/1")


async def test_examples(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    answer = await client.get(f"{UNIT}/examples")
    found = schemas.Examples.model_validate(answer.json())
    expected = wanted.examples.unit("act2", 3)
    field = receptive_fields(wanted.network)["act2"]
    assert [one.index for one in found.examples] == [one.index for one in expected]
    for shown, one in zip(found.examples, expected, strict=True):
        assert shown.activation == pytest.approx(one.activation)
        assert one.position is not None
        assert shown.position == list(one.position)
        assert shown.field is not None
        assert tuple(shown.field.model_dump().values()) == field.box(*one.position)
        image = wanted.images.get(one.index)
        assert image is not None
        assert shown.label == wanted.labels[image.label]
        assert shown.image == f"/v1/models/mnist@1/images/{one.index}.png"
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await client.get(f"{UNIT}/examples", headers=known)).status_code == 304


async def test_a_unit_without_positions_sees_the_whole_image(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/models/mnist/layers/logits/units/7/examples")
    found = schemas.Examples.model_validate(answer.json())
    assert {(one.position, one.field) for one in found.examples} == {(None, None)}


async def test_a_sheet_of_them(client: httpx.AsyncClient, wanted: Checkpoint) -> None:
    answer = await client.get(f"{UNIT}/examples.png", params={"scale": 4})
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert sheet.shape == (3 * 112 + 2, 3 * 112 + 2, 3)
    first = wanted.examples.unit("act2", 3)[0]
    image = wanted.images.get(first.index)
    assert image is not None
    assert first.position is not None
    box = receptive_fields(wanted.network)["act2"].box(*first.position)
    assert np.array_equal(np.moveaxis(sheet[:112, :112], -1, 0), marked_tile(image.pixels, box, 4))
    bare = await client.get(f"{UNIT}/examples.png", params={"marked": "false", "scale": 1})
    plain = np.asarray(Image.open(io.BytesIO(bare.content)))
    assert np.array_equal(plain[:28, :28, 0], image.pixels[0])


def test_the_frame_runs_inside_the_box() -> None:
    tile = marked_tile(np.zeros((1, 6, 6), np.uint8), (1, 2, 4, 6), 3)
    marked = (tile == np.array(COLOUR, np.uint8)[:, None, None]).all(0)
    expected = np.zeros((18, 18), bool)
    expected[3:12, 6:18] = True
    expected[4:11, 7:17] = False
    assert np.array_equal(marked, expected)


@pytest.mark.parametrize("noun", ["examples", "examples.png"])
@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("conv9/units/0", "unknown layer 'conv9'"),
        ("act2/units/6", "unknown unit of layer act2 '6'; known: 0 to 5"),
        ("act2/units/-1", "unknown unit"),
        ("act2/units/x", "unknown unit"),
        ("act2/units/%D9%A3", "unknown unit"),
        (f"act2/units/{'9' * 5000}", "unknown unit"),
        ("dropout/units/0", "mnist@1 was published without examples of layer dropout"),
    ],
)
async def test_unknown(client: httpx.AsyncClient, noun: str, where: str, words: str) -> None:
    answer = await client.get(f"/v1/models/mnist/layers/{where}/{noun}")
    assert answer.status_code == 404
    assert words in answer.json()["detail"]


async def test_a_version_without_them(
    client: httpx.AsyncClient, publish: Callable[..., Any]
) -> None:
    publish("bare", files={})
    for noun in ("examples", "examples.png"):
        answer = await client.get(f"/v1/models/bare/layers/act1/units/0/{noun}")
        assert answer.status_code == 404
        assert answer.json()["detail"] == "bare@1 was published without examples of layer act1"
