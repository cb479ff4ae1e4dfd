"""Versions moved over HTTP, by whoever has the key and nobody else."""

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from glyphscope.store import Ref, Store
from service.app import create_app
from service.runtime import Runtime
from service.settings import Settings
from service.versions.rollout import read_rollout

KEY = "correct horse battery staple"
HEADERS = {"X-Admin-Key": KEY}
CALLS = [
    ("PUT", "/aliases/production"),
    ("POST", "/versions/1/load"),
    ("POST", "/versions/1/unload"),
    ("PUT", "/versions/1/pin"),
    ("DELETE", "/versions/1/pin"),
    ("GET", "/traffic"),
    ("PUT", "/traffic"),
]

Publish = Callable[..., Any]
Until = Callable[[Callable[[], Awaitable[Any]]], Awaitable[None]]


@pytest.fixture
async def app(settings: Settings, publish: Publish) -> AsyncIterator[FastAPI]:
    """Serving mnist@1, with mnist@2 there."""
    publish(seed=0)
    publish(seed=1, alias="candidate")
    app = create_app(settings.model_copy(update={"admin_key": KEY}))
    async with app.router.lifespan_context(app):
        yield app


async def ask(
    client: httpx.AsyncClient, method: str, path: str, body: Any = None, **headers: str
) -> httpx.Response:
    sent = headers or HEADERS
    return await client.request(method, f"/v1/models/mnist{path}", json=body, headers=sent)


async def served(client: httpx.AsyncClient, png: bytes, model: str = "mnist") -> int:
    headers = {"Content-Type": "image/png"}
    answer = await client.post(f"/v1/models/{model}/classify", content=png, headers=headers)
    assert answer.status_code == 200, answer.text
    version: int = answer.json()["version"]
    return version


async def test_promote_and_roll_back_at_once(
    client: httpx.AsyncClient, digit_png: bytes, store: Store
) -> None:
    assert await served(client, digit_png) == 1
    for version in (2, 1, 2):
        answer = await ask(client, "PUT", "/aliases/production", {"version": version})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "model": "mnist", "alias": "production", "version": version, "late": [],
        }  # fmt: skip
        assert await served(client, digit_png) == version
    assert store.aliases("mnist") == {"candidate": 2, "production": 2}
    assert read_rollout(store, "mnist").loaded == ()
    new = await ask(client, "PUT", "/aliases/steady", {"version": 1})
    assert new.status_code == 200
    assert await served(client, digit_png, "mnist@steady") == 1


async def test_a_broken_version_is_not_promoted(
    client: httpx.AsyncClient, digit_png: bytes, store: Store
) -> None:
    os.truncate(store.root / "mnist" / "2" / "model.safetensors", 10)
    for method, path, body in [
        ("PUT", "/aliases/production", {"version": 2}),
        ("POST", "/versions/2/load", None),
        ("PUT", "/versions/2/pin", None),
        ("PUT", "/traffic", {"canary": {"to": "2", "percent": 5}}),
    ]:
        answer = await ask(client, method, path, body)
        assert answer.status_code == 409, path
        assert "not the file that was published; nothing was changed" in answer.json()["detail"]
    assert store.aliases("mnist")["production"] == 1
    assert await served(client, digit_png) == 1


async def test_load_pin_and_unload(
    client: httpx.AsyncClient, runtime: Runtime, digit_png: bytes
) -> None:
    assert runtime.registry.loaded() == [Ref("mnist", 1)]
    loaded = await ask(client, "POST", "/versions/2/load")
    assert loaded.json() == {"model": "mnist", "version": 2, "loaded": True, "late": []}
    assert runtime.registry.loaded() == [Ref("mnist", 1), Ref("mnist", 2)]
    pinned = await ask(client, "PUT", "/versions/2/pin")
    assert pinned.json()["pinned"] == [2]

    refused = await ask(client, "POST", "/versions/2/unload")
    assert refused.status_code == 409
    assert "alias candidate, a pin" in refused.json()["detail"]
    assert (await ask(client, "DELETE", "/versions/2/pin")).json()["pinned"] == []
    await ask(client, "PUT", "/aliases/candidate", {"version": 1})
    unloaded = await ask(client, "POST", "/versions/2/unload")
    assert unloaded.json() == {"model": "mnist", "version": 2, "loaded": False, "late": []}
    assert runtime.registry.loaded() == [Ref("mnist", 1)]
    gone = await client.post(
        "/v1/models/mnist@2/classify", content=digit_png, headers={"Content-Type": "image/png"}
    )
    assert (gone.status_code, gone.json()["type"]) == (503, "/problems/unavailable")
    [model] = (await client.get("/v1/models")).json()["models"]
    assert model["rollout"]["unloaded"] == [2]
    await ask(client, "POST", "/versions/2/load")
    assert await served(client, digit_png, "mnist@2") == 2


async def test_canary_and_shadow(client: httpx.AsyncClient, digit_png: bytes, until: Until) -> None:
    asked = {"canary": {"to": "candidate", "percent": 40}, "shadow": {"to": "2", "percent": 100}}
    answer = await ask(client, "PUT", "/traffic", asked)
    assert answer.status_code == 200
    assert {key: answer.json()[key] for key in asked} == asked

    versions = []
    for i in range(60):
        sent = {"Content-Type": "image/png", "X-Request-ID": f"request-{i}"}
        found = await client.post("/v1/models/mnist/classify", content=digit_png, headers=sent)
        versions.append(found.json()["version"])
        maps = await client.post(
            "/v1/models/mnist/activations?format=npz", content=digit_png, headers=sent
        )
        assert maps.headers["x-model"] == f"mnist@{versions[-1]}"
    assert set(versions) == {1, 2}

    async def compared() -> bool:
        found = (await ask(client, "GET", "/traffic")).json()["comparisons"]
        return any(row["compared"] == versions.count(1) for row in found)

    await until(compared)
    [row] = (await ask(client, "GET", "/traffic")).json()["comparisons"]
    assert (row["serving"], row["shadow"], row["failed"]) == ("mnist@1", "mnist@2", 0)
    assert row["disagreements"] in (0, versions.count(1))  # one picture, asked again and again

    off = await ask(client, "PUT", "/traffic", {})
    assert (off.json()["canary"], off.json()["shadow"]) == (None, None)
    assert {await served(client, digit_png) for _ in range(20)} == {1}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/aliases/production", {"version": 9}, 404, "known: 1, 2"),
        ("/aliases/production", {"version": 0}, 422, "greater than or equal to 1"),
        ("/aliases/production", {"version": "two"}, 422, "integer"),
        ("/aliases/production", {}, 422, "required"),
        ("/aliases/production", [], 422, "dictionary"),
        ("/aliases/7", {"version": 1}, 422, "an alias must match"),
        ("/aliases/Production", {"version": 1}, 422, "an alias must match"),
        ("/traffic", {"canary": {"to": "candidate", "percent": 101}}, 422, "100"),
        ("/traffic", {"canary": {"to": "nobody", "percent": 5}}, 404, "nobody"),
        ("/traffic", {"canary": "all"}, 422, "Share"),
        ("/traffic", {"pinned": [1]}, 422, "not permitted"),
        ("/versions/9/pin", None, 404, "known: 1, 2"),
        ("/versions/x/pin", None, 422, "integer"),
    ],
)
async def test_bad_input(
    client: httpx.AsyncClient, path: str, body: Any, status: int, words: str
) -> None:
    answer = await ask(client, "PUT", path, body)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


async def test_an_unknown_model(client: httpx.AsyncClient) -> None:
    body = {"version": 1}
    for name in ("none", "mnist@1", "..%2fmnist"):
        answer = await client.put(
            f"/v1/models/{name}/aliases/production", json=body, headers=HEADERS
        )
        assert answer.status_code == 404, name


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*"},
        {"X-Admin-Key": ""},
        {"X-Admin-Key": KEY[:-1]},
        {"X-Admin-Key": KEY + "e"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": "Bearer"},
    ],
)
async def test_without_the_key(
    client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], store: Store
) -> None:
    answer = await ask(client, method, path, {"version": 2}, **headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert store.aliases("mnist")["production"] == 1


async def test_as_a_bearer_token(client: httpx.AsyncClient) -> None:
    answer = await ask(client, "GET", "/traffic", None, Authorization=f"Bearer {KEY}")
    assert answer.status_code == 200


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_without_a_key_nothing_is_there(
    settings: Settings, publish: Publish, method: str, path: str
) -> None:
    publish()
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for headers in ({}, {"X-Admin-Key": ""}, HEADERS):
                answer = await client.request(method, f"/v1/models/mnist{path}", headers=headers)
                assert answer.status_code == 404


async def test_a_port_of_its_own(settings: Settings, publish: Publish) -> None:
    publish()
    app = create_app(settings.model_copy(update={"admin_key": KEY, "admin_port": 81}))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        for port, status in ((80, 404), (81, 200)):
            url = f"http://test:{port}"
            async with httpx.AsyncClient(transport=transport, base_url=url) as client:
                answer = await ask(client, "GET", "/traffic")
                assert answer.status_code == status


async def test_the_key_is_in_no_log(
    client: httpx.AsyncClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await ask(client, "GET", "/traffic")
    await ask(client, "PUT", "/aliases/production", {"version": 2})
    assert KEY not in caplog.text
    assert KEY not in repr(settings.model_copy(update={"admin_key": KEY}))
