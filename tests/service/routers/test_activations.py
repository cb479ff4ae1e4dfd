"""Every format, held against the network's own activations."""

import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load as load_tensors

from glyphscope.activations import activations
from glyphscope.checkpoint import load
from glyphscope.preprocess import to_tensor
from glyphscope.store import Store
from service.document import schemas

URL = "/v1/models/mnist/activations"

Digit = np.ndarray[Any, np.dtype[np.uint8]]
Maps = dict[str, np.ndarray[Any, np.dtype[np.float32]]]

HEARD = ["conv1", "act1", "pool1", "conv2", "act2", "pool2", "dense1", "act3", "logits"]


@pytest.fixture
def batch(digit: Digit) -> Digit:
    return np.stack([digit, np.roll(digit, 3, axis=1)])


@pytest.fixture
def wanted(store: Store, batch: Digit, client: httpx.AsyncClient) -> Maps:
    loaded = load(store.root / "mnist" / "1")
    x = to_tensor(batch[:, None], loaded.manifest.input)
    return {name: heard.numpy() for name, heard in activations(loaded.network, x, HEARD).items()}


async def post(client: httpx.AsyncClient, batch: Digit, **query: str) -> httpx.Response:
    out = io.BytesIO()
    np.save(out, batch)
    headers = {"Content-Type": "application/x-npy"}
    answer = await client.post(URL, params=query, content=out.getvalue(), headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def test_statistics_of_all_layers_by_default(
    client: httpx.AsyncClient, batch: Digit, wanted: Maps
) -> None:
    document = schemas.Activations.model_validate((await post(client, batch)).json())
    assert [layer.name for layer in document.layers] == HEARD
    for layer in document.layers:
        flat = wanted[layer.name].reshape(2, layer.output_shape[0], -1)
        for name in ("min", "max", "mean", "std"):
            found = np.array(getattr(layer, name))
            np.testing.assert_allclose(found, getattr(flat, name)(axis=2), atol=1e-5)
        assert layer.maps is None


async def test_maps(client: httpx.AsyncClient, batch: Digit, wanted: Maps) -> None:
    answer = await post(client, batch, layers="act2,logits", values="maps")
    act2, logits = answer.json()["layers"]
    assert (act2["name"], logits["name"]) == ("act2", "logits")
    np.testing.assert_allclose(act2["maps"], wanted["act2"], atol=1e-5)
    np.testing.assert_allclose(logits["maps"], wanted["logits"], atol=1e-5)


async def test_npz(client: httpx.AsyncClient, batch: Digit, wanted: Maps) -> None:
    answer = await post(client, batch, format="npz")
    assert answer.headers["content-type"] == "application/x-npz"
    with np.load(io.BytesIO(answer.content), allow_pickle=False) as found:
        assert list(found) == HEARD
        for name in HEARD:
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], wanted[name], atol=1e-5)


async def test_safetensors(client: httpx.AsyncClient, batch: Digit, wanted: Maps) -> None:
    answer = await post(client, batch, format="safetensors", layers="conv1,pool2")
    found = load_tensors(answer.content)
    assert set(found) == {"conv1", "pool2"}
    for name, values in found.items():
        np.testing.assert_allclose(values, wanted[name], atol=1e-5)


async def test_png_is_a_sheet_of_the_first_image(
    client: httpx.AsyncClient, batch: Digit, wanted: Maps
) -> None:
    answer = await post(client, batch, format="png", layers="act1")
    assert answer.headers["content-type"] == "image/png"
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert sheet.shape == (57, 57)  # four maps of 28x28 with a gap of 1
    values = wanted["act1"][0]
    scaled = (values - values.min()) / (values.max() - values.min()) * 255
    np.testing.assert_allclose(sheet[:28, :28], scaled[0], atol=0.51)
    np.testing.assert_allclose(sheet[29:, 29:], scaled[3], atol=0.51)


async def test_png_with_a_range_of_each_unit(
    client: httpx.AsyncClient, batch: Digit, wanted: Maps
) -> None:
    answer = await post(client, batch, format="png", layers="act1", range="unit")
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    values = wanted["act1"][0]
    for unit, (top, left) in enumerate([(0, 0), (0, 29), (29, 0), (29, 29)]):
        own = values[unit] - values[unit].min()
        scaled = own / (own.max() or 1.0) * 255
        np.testing.assert_allclose(sheet[top : top + 28, left : left + 28], scaled, atol=0.51)


async def test_png_with_one_range_of_all_layers(
    client: httpx.AsyncClient, batch: Digit, wanted: Maps
) -> None:
    answer = await post(client, batch, format="png", layers="act1,logits", range="network")
    sheet = np.asarray(Image.open(io.BytesIO(answer.content)))
    low, high = (
        function([function(wanted[name][0]) for name in ("act1", "logits")])
        for function in (np.min, np.max)
    )
    scaled = (wanted["act1"][0, 0] - low) / (high - low) * 255
    np.testing.assert_allclose(sheet[:28, :28], scaled, atol=0.51)
    # Below the maps, after a gap of 2: ten logits, each enlarged to 6x6.
    np.testing.assert_allclose(
        sheet[57 + 2, [0, 7, 14, 21]],
        (wanted["logits"][0, :4] - low) / (high - low) * 255,
        atol=0.51,
    )


async def test_png_of_all_layers(client: httpx.AsyncClient, batch: Digit) -> None:
    answer = await post(client, batch, format="png")
    image = Image.open(io.BytesIO(answer.content))
    assert image.mode == "L"
    assert image.width >= 57
    assert image.height > 57 + 57


async def test_layers_keep_the_order_asked_for(client: httpx.AsyncClient, batch: Digit) -> None:
    document = (await post(client, batch, layers="logits, conv1,logits")).json()
    assert [layer["name"] for layer in document["layers"]] == ["logits", "conv1"]


async def test_more_than_one_chunk(client: httpx.AsyncClient, digit: Digit) -> None:
    many = np.stack([np.roll(digit, i - 20, axis=1) for i in range(40)])
    whole = load_tensors((await post(client, many, format="safetensors", layers="act2")).content)
    last = load_tensors(
        (await post(client, many[39:], format="safetensors", layers="act2")).content
    )
    assert whole["act2"].shape == (40, 6, 14, 14)
    np.testing.assert_allclose(whole["act2"][39:], last["act2"], atol=1e-5)


async def test_too_many_numbers(client: httpx.AsyncClient, digit: Digit) -> None:
    many = np.stack([digit] * 900)
    out = io.BytesIO()
    np.save(out, many)
    headers = {"Content-Type": "application/x-npy"}
    refused = await client.post(URL + "?format=npz", content=out.getvalue(), headers=headers)
    assert refused.status_code == 413
    assert "numbers" in refused.json()["detail"]
    fine = await client.post(URL, content=out.getvalue(), headers=headers)
    assert fine.status_code == 200
