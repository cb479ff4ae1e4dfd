"""How a unit came to be, against each epoch's network asked directly."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import torch
from safetensors import torch as tensors

from glyphscope import checkpoint
from glyphscope import manifest as m
from glyphscope.activations import activations
from glyphscope.catalogue import network_spec
from glyphscope.networks import build
from glyphscope.preprocess import to_tensor
from glyphscope.snapshots import at, pack
from glyphscope.spec import InputSpec
from glyphscope.store import Store
from service.document import schemas
from tests.service import testset

URL = "/v1/models/young/layers/conv1/units/2/evolution"


@pytest.fixture
def young(client: httpx.AsyncClient, publish: Callable[..., Any]) -> None:
    """A model whose version carries two epochs: other networks, drawn from seeds 8 and 9."""
    spec = network_spec("card-cnn", (1, 28, 28), 10, features=(4, 6), units=16, dropout=0.25)
    epochs = {epoch: build(spec, seed=seed).state_dict() for epoch, seed in ((0, 8), (3, 9))}
    carried = testset.files(spec, 0, InputSpec(mean=(0.13,), std=(0.31,)))
    publish("young", files={**carried, m.SNAPSHOTS: tensors.save(pack(epochs))})


@pytest.mark.usefixtures("young")
async def test_each_epoch_answers_as_its_network_does(
    client: httpx.AsyncClient, store: Store
) -> None:
    answer = await client.get(URL)
    found = schemas.Evolution.model_validate(answer.json())
    assert [stage.epoch for stage in found.stages] == [0, 3, None]
    now = checkpoint.load(store.path(store.resolve("young")))
    assert found.images == len(now.images)
    x = to_tensor(now.images.pixels, now.manifest.input)
    published = now.network.state_dict()["conv1.weight"][2].flatten()
    for stage in found.stages:
        then = now if stage.epoch is None else at(now, stage.epoch)
        values = activations(then.network, x, ["conv1"])["conv1"][:, 2].flatten(1).amax(1)
        assert stage.highest == pytest.approx(float(values.max()), rel=1e-4)
        assert stage.mean == pytest.approx(float(values.mean()), rel=1e-4)
        best = now.images.values["indices"][values.argmax()]
        assert stage.top[0].index == int(best)
        assert stage.top[0].activation == stage.highest
        labels = now.images.values["labels"]
        for k in range(10):
            mean = stage.class_means[k]
            if (labels == k).any():
                assert mean == pytest.approx(float(values[labels == k].mean()), abs=1e-4)
            else:
                assert mean is None
        weights = then.network.state_dict()["conv1.weight"][2].flatten()
        cosine = torch.cosine_similarity(weights, published, dim=0)
        assert stage.likeness == pytest.approx(float(cosine), abs=1e-5)
    image = await client.get(found.stages[0].top[0].image)
    assert image.headers["content-type"] == "image/png"
    known = {"If-None-Match": answer.headers["etag"]}
    assert (await client.get(URL, headers=known)).status_code == 304


@pytest.mark.usefixtures("young")
async def test_a_layer_without_weights_has_no_likeness(client: httpx.AsyncClient) -> None:
    answer = await client.get(URL.replace("conv1", "act1"), params={"images": 8})
    found = schemas.Evolution.model_validate(answer.json())
    assert found.images == 8
    assert {stage.likeness for stage in found.stages} == {None}


@pytest.mark.usefixtures("young")
async def test_a_unit_is_drawn_as_it_was(
    client: httpx.AsyncClient, draw: Callable[..., int]
) -> None:
    asked = {"layer": "conv1", "units": [2], "steps": 4}
    url = "/v1/models/young/maximisations"
    then = (await client.post(url, json={**asked, "epoch": 3})).json()
    now = (await client.post(url, json=asked)).json()
    assert then["id"] != now["id"]
    assert then["request"]["epoch"] == 3
    assert "epoch" not in now["request"]
    seen: list[Any] = []

    def maximise(found: Any, request: Any, **_: Any) -> Any:
        seen.append(request.epoch)
        raise RuntimeError

    draw(maximise)
    assert seen == [3, None]


@pytest.mark.usefixtures("young")
@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        (URL.replace("young", "mnist"), 404, "mnist@1 was published without snapshots"),
        (URL.replace("conv1", "conv9"), 404, "unknown layer 'conv9'"),
        (URL.replace("/2/", "/99/"), 404, "unknown unit of layer conv1"),
        (URL + "?images=7", 422, "images"),
    ],
)
async def test_refused(client: httpx.AsyncClient, url: str, status: int, words: str) -> None:
    answer = await client.get(url)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


@pytest.mark.usefixtures("young")
@pytest.mark.parametrize(
    ("model", "epoch", "status", "words"),
    [
        ("young", 2, 404, "unknown epoch of young@1"),
        ("mnist", 0, 404, "unknown epoch of mnist@1"),
        ("young", -1, 422, "epoch"),
    ],
)
async def test_an_epoch_that_is_not_there_is_not_drawn(
    client: httpx.AsyncClient, model: str, epoch: int, status: int, words: str
) -> None:
    asked = {"layer": "conv1", "units": [2], "epoch": epoch}
    answer = await client.post(f"/v1/models/{model}/maximisations", json=asked)
    assert answer.status_code == status, answer.text
    assert words in str(answer.json())
