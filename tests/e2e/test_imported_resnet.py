"""A ResNet of torchvision's, imported by one program and served by the other."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from glyphscope import checkpoint
from glyphscope.spec import InputSpec
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, maximise
from service.app import create_app
from service.settings import Settings
from training import imports, vision

LABELS = ("crane", "pier", "quail", "stole")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SIDE = 64


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch.manual_seed(0)
    return vision.module("models").resnet18(num_classes=len(LABELS)).eval()


def publish(theirs: Any, architecture: str, side: int, folder: Path) -> Store:
    path, store = folder / "weights.pth", Store(folder / "store")
    torch.save(theirs.state_dict(), path)
    shape = InputSpec(
        channels=3, height=side, width=side, preprocessing="imagenet", mean=MEAN, std=STD
    )
    what = imports.Import(architecture, LABELS, shape)
    imports.publish(path, what, store, "birds", "production")
    return store


@pytest.fixture(scope="module")
def store(theirs: Any, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return publish(theirs, "resnet18", SIDE, tmp_path_factory.mktemp("imported"))


@pytest.fixture
async def client(store: Store, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(store=store.root, state=tmp_path, device="cpu"))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@pytest.fixture
def photo() -> Image.Image:
    """Neither square nor of the network's size."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)
    return Image.fromarray(noise).resize((170, 120), Image.Resampling.BICUBIC)


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_photo_is_classified_as_torchvision_does(
    client: httpx.AsyncClient, theirs: Any, photo: Image.Image
) -> None:
    answer = await client.post(
        "/v1/models/birds/classify?top_k=4",
        content=png(photo),
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 200, answer.text
    transforms = vision.module("transforms")
    prepare = transforms.Compose(
        [
            transforms.Resize(round(SIDE * 256 / 224)),
            transforms.CenterCrop(SIDE),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    with torch.inference_mode():
        expected = torch.softmax(theirs(prepare(photo)[None]), 1)[0]
    given = {each["label"]: each["probability"] for each in answer.json()["predictions"][0]["top"]}
    assert [given[label] for label in LABELS] == pytest.approx(expected.tolist(), abs=1e-5)


async def test_its_layers_and_their_activations(
    client: httpx.AsyncClient, theirs: Any, photo: Image.Image
) -> None:
    listed = (await client.get("/v1/models/birds/layers")).json()["layers"]
    shapes = {layer["name"]: layer["output_shape"] for layer in listed}
    assert shapes["pool1"] == [64, 16, 16]
    assert shapes["block4_1.shortcut.conv"] == [512, 2, 2]
    assert shapes["logits"] == [4]
    small = photo.resize((SIDE, SIDE))
    answer = await client.post(
        "/v1/models/birds/activations?layers=block3_2&format=npz",
        content=png(small),
        headers={"content-type": "image/png"},
    )
    assert answer.status_code == 200, answer.text
    maps = np.load(io.BytesIO(answer.content))["block3_2"]
    assert maps.shape == (1, 256, 4, 4)
    heard: list[torch.Tensor] = []
    handle = theirs.layer3.register_forward_hook(lambda m, i, out: heard.append(out))
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    with torch.inference_mode():
        theirs((pixels - mean) / std)
    handle.remove()
    # torchvision's stage ends behind the rectifier, our block before it.
    np.testing.assert_allclose(np.maximum(maps, 0), heard[0].numpy(), atol=1e-4)


async def test_nothing_measured_is_nothing_claimed(client: httpx.AsyncClient) -> None:
    [model] = (await client.get("/v1/models")).json()["models"]
    assert model["accuracy"] is None
    assert model["dataset"] is None
    assert model["input"] == {"channels": 3, "height": SIDE, "width": SIDE}
    manifest = (await client.get("/v1/models/birds")).json()
    assert manifest["metrics"] is None
    assert manifest["origin"]["architecture"] == "resnet18"


def test_a_unit_deep_inside_is_drawn(store: Store) -> None:
    found = checkpoint.load(store.path(store.resolve("birds")))
    [drawn] = maximise(found, MaximisationRequest(layer="block4_2", units=(7,), steps=2))
    assert drawn.pixels.shape == (3, SIDE, SIDE)
    assert drawn.pixels.std() > 0


@pytest.mark.slow
def test_a_resnet50_at_full_size_is_drawn_and_hears(tmp_path: Path) -> None:
    torch.manual_seed(0)
    theirs = vision.module("models").resnet50(num_classes=len(LABELS)).eval()
    store = publish(theirs, "resnet50", 224, tmp_path)
    found = checkpoint.load(store.path(store.resolve("birds")))
    request = MaximisationRequest(layer="block4_3.conv3", units=(2047,), steps=2)
    [drawn] = maximise(found, request)
    assert drawn.pixels.shape == (3, 224, 224)
    assert drawn.pixels.std() > 0
