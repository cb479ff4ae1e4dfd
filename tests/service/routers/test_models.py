"""Models, manifests and layers; and that a broken version keeps nothing else from being seen."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from glyphscope.folder import read_manifest
from glyphscope.store import Store
from service.document import schemas

Until = Callable[[Callable[[], Awaitable[Any]]], Awaitable[None]]


async def test_models(client: httpx.AsyncClient) -> None:
    document = schemas.Models.model_validate((await client.get("/v1/models")).json())
    [model] = document.models
    assert (model.name, model.versions, model.aliases) == ("mnist", [1], {"production": 1})
    assert (model.dataset, model.accuracy, model.n, model.split) == ("MNIST", 0.5, 10000, "test")
    assert model.input == schemas.ModelInput(channels=1, height=28, width=28)
    assert model.labels == list("0123456789")
    assert model.broken == []


async def test_a_version_published_meanwhile_is_there(
    client: httpx.AsyncClient, publish: Callable[..., Any], digit_png: bytes, until: Until
) -> None:
    async def served() -> int:
        answer = await client.post(
            "/v1/models/mnist/classify", content=digit_png, headers={"Content-Type": "image/png"}
        )
        version: int = answer.json()["version"]
        return version

    assert await served() == 1
    publish(seed=1)

    async def moved() -> bool:
        return await served() == 2

    await until(moved)
    publish(seed=2, alias="candidate")
    assert await served() == 2
    models = (await client.get("/v1/models")).json()["models"]
    assert models[0]["aliases"] == {"candidate": 3, "production": 2}
    publish("emnist")
    assert (await client.get("/v1/models/emnist")).json()["name"] == "emnist"


async def test_manifest(client: httpx.AsyncClient, store: Store) -> None:
    manifest = read_manifest(store.root / "mnist" / "1")
    document = (await client.get("/v1/models/mnist@1")).json()
    assert document.pop("digest") == manifest.digest
    assert document == manifest.model_dump(mode="json")


async def test_layers(client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/models/mnist/layers")).json()
    layers = schemas.Layers.model_validate(document).layers
    assert [layer.name for layer in layers] == [
        "conv1", "act1", "pool1", "conv2", "act2", "pool2", "flatten", "dense1", "act3", "dropout",
        "logits",
    ]  # fmt: skip
    by_name = {layer.name: layer for layer in layers}
    conv1, logits = by_name["conv1"], by_name["logits"]
    assert (conv1.output_shape, conv1.units, conv1.spatial) == ([4, 28, 28], 4, True)
    assert conv1.parameters == 4 * (5 * 5 + 1)
    assert (logits.output_shape, logits.units, logits.spatial) == ([10], 10, False)
    assert [name for name, layer in by_name.items() if not layer.activations] == [
        "flatten",
        "dropout",
    ]
    assert [name for name, layer in by_name.items() if not layer.maximise] == ["dropout"]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/mnist", "/v1/models/mnist/layers"])
async def test_reads_are_conditional(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)
    etag = first.headers["etag"]
    for sent in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        again = await client.get(path, headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b""), sent
        assert again.headers["etag"] == etag
    other = await client.get(path, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)
    head = await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == first.headers["content-length"]


def change_a_byte(folder: Path) -> None:
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def remove_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def newer_schema(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"schema_version": 1', b'"schema_version": 2'))


def no_json(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"{")


def very_deep(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"[" * 100_000)


def of_another_model(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"name": "mnist"', b'"name": "kmnist"'))


def unknown_preprocessing(folder: Path) -> None:
    path = folder / "manifest.json"
    before = b'"preprocessing": "mnist"'
    path.write_bytes(path.read_bytes().replace(before, b'"preprocessing": "none"'))


BREAKS: dict[Callable[[Path], None], str] = {
    change_a_byte: "not the file that was published",
    remove_weights: "model.safetensors",
    remove_manifest: "manifest.json",
    newer_schema: "schema_version 2",
    no_json: "not JSON",
    very_deep: "mnist@2",
    of_another_model: "kmnist@2",
    unknown_preprocessing: "preprocessing 'none'",
}


@pytest.mark.parametrize("damage", BREAKS, ids=lambda damage: damage.__name__)
async def test_a_broken_version_is_refused_and_disturbs_nothing(
    client: httpx.AsyncClient,
    publish: Callable[..., Any],
    store: Store,
    digit_png: bytes,
    damage: Callable[[Path], None],
) -> None:
    publish(seed=1, alias="candidate")
    damage(store.root / "mnist" / "2")
    image = {"Content-Type": "image/png"}

    for path in ("/classify", "/activations"):
        refused = await client.post(f"/v1/models/mnist@2{path}", content=digit_png, headers=image)
        assert refused.status_code == 503, refused.text
        assert refused.json()["type"] == "/problems/broken-checkpoint"
        assert BREAKS[damage] in refused.json()["detail"]
    assert (await client.get("/v1/models/mnist@candidate")).status_code == 503
    assert (await client.get("/v1/models/mnist@2/layers")).status_code == 503

    [model] = (await client.get("/v1/models")).json()["models"]
    assert model["production"] == 1
    assert [each["version"] for each in model["broken"]] == [2]
    ready = await client.get("/health/ready")
    assert ready.status_code == 200
    assert [each["model"] for each in ready.json()["broken"]] == ["mnist"]
    fine = await client.post("/v1/models/mnist/classify", content=digit_png, headers=image)
    assert fine.status_code == 200


async def test_a_repaired_version_is_served_again(
    client: httpx.AsyncClient, publish: Callable[..., Any], store: Store, until: Until
) -> None:
    publish(seed=1)
    path = store.root / "mnist" / "2" / "model.safetensors"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    assert (await client.get("/v1/models/mnist@2")).status_code == 503
    assert (await client.get("/v1/models/mnist")).json()["version"] == 1
    path.write_bytes(good)
    assert (await client.get("/v1/models/mnist@2")).status_code == 200

    async def moved() -> bool:
        return bool((await client.get("/v1/models/mnist")).json()["version"] == 2)

    await until(moved)


async def test_an_alias_that_names_a_broken_version_keeps_the_last_good_one(
    client: httpx.AsyncClient,
    publish: Callable[..., Any],
    store: Store,
    digit_png: bytes,
    until: Until,
) -> None:
    publish(seed=1, alias=None)
    change_a_byte(store.root / "mnist" / "2")
    store.set_alias("mnist", "production", 2)

    async def refused() -> bool:
        [model] = (await client.get("/v1/models")).json()["models"]
        return any("not the file" in each["reason"] for each in model["held"])

    await until(refused)
    answer = await client.post(
        "/v1/models/mnist/classify", content=digit_png, headers={"Content-Type": "image/png"}
    )
    assert (answer.status_code, answer.json()["version"]) == (200, 1)
    [model] = (await client.get("/v1/models")).json()["models"]
    assert (model["production"], model["serving"]) == (2, {"production": 1})
    [held] = model["held"]
    assert (held["alias"], held["wanted"], held["serving"]) == ("production", 2, 1)
    ready = (await client.get("/health/ready")).json()
    assert ready["models"] == {"mnist": 1}
    assert ready["held"] == [{"model": "mnist", **held}]


async def test_broken_aliases(
    client: httpx.AsyncClient, publish: Callable[..., Any], store: Store
) -> None:
    publish("emnist")
    (store.root / "mnist" / "aliases.json").write_text("{")
    assert (await client.get("/v1/models/mnist")).json()["version"] == 1
    assert (await client.get("/v1/models/mnist@candidate")).status_code == 503
    assert (await client.get("/v1/models/mnist@1")).status_code == 200
    emnist, mnist = (await client.get("/v1/models")).json()["models"]
    assert emnist["broken"] == []
    assert mnist["broken"][0]["version"] is None
    assert "aliases.json" in mnist["broken"][0]["reason"]
