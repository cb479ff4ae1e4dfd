"""KServe's own client against a real server."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

kserve = pytest.importorskip("kserve", reason="KServe's client takes no newer Python yet")


@pytest.fixture
async def client() -> AsyncIterator[Any]:
    config = kserve.RESTConfig(protocol="v2", timeout=240)
    async with kserve.InferenceRESTClient(config) as client:
        yield client


def request(values: NDArray[Any], *, binary: bool) -> Any:
    datatype = "UINT8" if values.dtype == np.uint8 else "FP32"
    name = "pixels" if datatype == "UINT8" else "input"
    given = kserve.InferInput(name, list(values.shape), datatype)
    given.set_data_from_numpy(values, binary_data=binary)
    return kserve.InferRequest(model_name="mnist", infer_inputs=[given])


async def test_health(client: Any, address: str) -> None:
    url = f"http://{address}"
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "mnist")
    assert not await client.is_model_ready(url, "mnits")


@pytest.mark.parametrize("binary", [True, False])
async def test_infer(client: Any, address: str, images: NDArray[np.uint8], binary: bool) -> None:
    url = f"http://{address}"
    answers = [
        await client.infer(url, request(values, binary=binary), model_name="mnist")
        for values in (images, images.astype(np.float32) / 255)
    ]
    first, second = [
        {output.name: output.as_numpy() for output in answer.outputs} for answer in answers
    ]
    assert answers[0].model_name == "mnist"
    assert first["logits"].shape == (5, 10)
    np.testing.assert_allclose(first["logits"], second["logits"], atol=1e-5)
    np.testing.assert_allclose(first["probabilities"].sum(axis=1), 1, atol=1e-5)


async def test_a_picture(client: Any, address: str, digit_png: bytes) -> None:
    picture = base64.b64encode(digit_png).decode()
    given = kserve.InferInput("image", [1], "BYTES", data=[picture])
    asked = kserve.InferRequest(model_name="mnist", infer_inputs=[given])
    answer = await client.infer(f"http://{address}", asked, model_name="mnist")
    outputs = {output.name: output for output in answer.outputs}
    assert outputs["label"].data[0] in set("0123456789")


async def test_the_reason_reaches_the_user(
    client: Any, address: str, images: NDArray[np.uint8]
) -> None:
    url = f"http://{address}"
    with pytest.raises(httpx.HTTPStatusError, match="Request for unknown model"):
        await client.infer(url, request(images, binary=True), model_name="mnits")
    with pytest.raises(httpx.HTTPStatusError, match="must have the shape"):
        await client.infer(url, request(images[:, 0], binary=True), model_name="mnist")
