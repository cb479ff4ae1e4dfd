"""Liveness, and readiness with its reasons."""

from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI

from glyphscope.store import Store
from service.app import create_app
from service.document import schemas
from service.maximise.heartbeat import Heartbeat
from service.runtime import Runtime
from service.settings import Settings


async def ask(app: FastAPI, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


async def test_live(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "live"}


async def test_ready(client: httpx.AsyncClient, settings: Settings) -> None:
    answer = await client.get("/health/ready")
    found = schemas.Readiness.model_validate(answer.json())
    assert answer.status_code == 200
    assert (found.status, found.reasons) == ("ready", [])
    assert (found.models, found.loaded) == ({"mnist": 1}, ["mnist@1"])
    assert found.workers_alive == 0
    Heartbeat(settings.state).beat()
    assert (await client.get("/health/ready")).json()["workers_alive"] == 1


async def test_an_empty_store(settings: Settings) -> None:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        answer = await ask(app, "/health/ready")
        assert answer.status_code == 503
        assert str(settings.store) in answer.json()["reasons"][0]
        assert (await ask(app, "/health/live")).status_code == 200
        assert (await ask(app, "/v1/models")).json() == {"models": []}
        unknown = await ask(app, "/v1/models/mnist")
        assert unknown.status_code == 404
        assert "none are known" in unknown.json()["detail"]


async def test_a_broken_production_version_at_start(
    settings: Settings, store: Store, publish: Callable[..., Any]
) -> None:
    publish("emnist")
    publish("mnist")
    (store.root / "mnist" / "1" / "model.safetensors").write_bytes(b"")
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        answer = await ask(app, "/health/ready")
        found = schemas.Readiness.model_validate(answer.json())
        assert answer.status_code == 200
        assert found.models == {"emnist": 1}
        assert [each.model for each in found.broken] == ["mnist"]


async def test_stopping(client: httpx.AsyncClient, runtime: Runtime) -> None:
    runtime.stopping.set()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the process is stopping"]
