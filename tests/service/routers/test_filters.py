"""Weights as pictures, held against the library and against the weights themselves."""

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from glyphscope.checkpoint import load
from glyphscope.errors import TooLarge
from glyphscope.filters import kernels, tiles
from glyphscope.store import Store
from service.maximise.pictures import check_sheet

URL = "/v1/models/mnist/layers/{}/filters.png"


async def sheet(client: httpx.AsyncClient, layer: str, **query: Any) -> Any:
    answer = await client.get(URL.format(layer), params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


async def test_the_first_layer(client: httpx.AsyncClient, store: Store) -> None:
    network = load(store.root / "mnist/1").network
    found = await sheet(client, "conv1", scale=1)
    assert found.shape == (11, 11)  # 2 x 2 kernels of 5x5, a gap of 1
    assert np.array_equal(found[6:, 6:], tiles(kernels(network, "conv1"), "image")[3, 0])


@pytest.mark.parametrize("show", ["mean", "norm"])
@pytest.mark.parametrize("shared", ["unit", "layer"])
async def test_a_deeper_layer(
    client: httpx.AsyncClient, store: Store, show: str, shared: str
) -> None:
    weights = kernels(load(store.root / "mnist/1").network, "conv2")
    found = await sheet(client, "conv2", scale=1, show=show, range=shared)
    expected = tiles(weights, show, shared=shared == "layer")
    assert np.array_equal(found[:5, 6:11], expected[1, 0])


async def test_every_kernel_a_row_a_unit(client: httpx.AsyncClient, store: Store) -> None:
    weights = kernels(load(store.root / "mnist/1").network, "conv2")
    found = await sheet(client, "conv2", scale=1, show="grid")
    assert found.shape == (6 * 6 - 1, 4 * 6 - 1)
    scaled = 127.5 + 127.5 * weights[5] / weights[5].abs().max()
    np.testing.assert_allclose(found[30:, 18:], scaled[3], atol=0.51)


async def test_small_kernels_are_enlarged(client: httpx.AsyncClient) -> None:
    assert (await sheet(client, "conv1")).shape == (44, 44)


async def test_what_a_client_has_is_not_drawn_again(
    client: httpx.AsyncClient, publish: Callable[..., Any]
) -> None:
    first = await client.get(URL.format("conv1"))
    known = {"If-None-Match": first.headers["etag"]}
    again = await client.get(URL.format("conv1"), headers=known)
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get(URL.format("conv1"), params={"scale": 2}, headers=known)
    assert other.status_code == 200
    publish(seed=1)  # a bare name now means another version
    moved = await client.get(URL.format("conv1"), headers=known)
    assert moved.status_code == 200
    assert moved.content != first.content


@pytest.mark.parametrize(
    ("layer", "query", "status", "words"),
    [
        ("conv9", "", 404, "unknown layer 'conv9'; known: conv1"),
        ("%00", "", 404, "unknown layer"),
        ("act1", "", 422, "act1 (relu) has no kernels; ask one of conv1, conv2, dense1, logits"),
        ("conv1", "scale=0", 422, "scale"),
        ("conv1", "scale=33", 422, "scale"),
        ("conv1", "show=all", 422, "show"),
        ("conv1", "range=network", 422, "range"),
    ],
)
async def test_refused(
    client: httpx.AsyncClient, layer: str, query: str, status: int, words: str
) -> None:
    headers = {"If-None-Match": "*"}
    answer = await client.get(f"{URL.format(layer)}?{query}", headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_a_sheet_that_is_too_large_is_not_drawn() -> None:
    check_sheet(4096, (28, 28), 64, 3)
    with pytest.raises(TooLarge, match="1856x1856 pixels, 4 times enlarged"):
        check_sheet(4096, (28, 28), 64, 4)
