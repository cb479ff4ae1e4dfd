"""A server with keys and limits: who is let in, what the others are told, what is counted."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from service.access.keys import digest
from service.app import create_app
from service.settings import Settings

ADMIN_KEY = "the admin key"
ALICE = "gs_alice"
HURRIED = "gs_hurried"

Make = Callable[..., Any]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys.toml"
    file.write_text(
        f"[alice]\nsha256 = '{digest(ALICE.encode()).hex()}'\n"
        f"[hurried]\nsha256 = '{digest(HURRIED.encode()).hex()}'\nrate = 0.001\nburst = 3\n"
    )
    return file


@pytest.fixture
def options(keys: Path) -> dict[str, Any]:
    return {"api_keys": keys, "admin_key": ADMIN_KEY}


@pytest.fixture
async def app(settings: Settings, publish: Make, options: dict[str, Any]) -> AsyncIterator[FastAPI]:
    publish()
    app = create_app(settings.model_copy(update=options))
    async with app.router.lifespan_context(app):
        yield app


@pytest.mark.parametrize(
    "path",
    ["/", "/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/openapi.json",
     "/docs", "/docs/start.js", "/pad/main.js", "/problems/key-needed"],
)  # fmt: skip
async def test_what_is_open(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/models", "/v1/status", "/metrics", "/v1/presets", "/none"])
@pytest.mark.parametrize(
    "headers",
    [{}, bearer("gs_nobody"), bearer(""), {"Authorization": f"Basic {ALICE}"},
     {"X-Admin-Key": "wrong"}, {"Cookie": "glyphscope_key=gs_nobody"}, {"Cookie": '="; ,'},
     bearer("schlüssel")],
)  # fmt: skip
async def test_who_has_no_key_is_refused(
    client: httpx.AsyncClient, path: str, headers: dict[str, str]
) -> None:
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = await client.get(path, headers=sent)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["type"] == "/problems/key-needed"


async def test_under_v2_as_its_clients_read_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v2/models/mnist")
    assert (answer.status_code, set(answer.json())) == (401, {"error"})


@pytest.mark.parametrize(
    "headers",
    [bearer(ALICE), {"Authorization": f"bearer  {ALICE} "}, {"Cookie": f"glyphscope_key={ALICE}"},
     {"Cookie": f"a=b; glyphscope_key={ALICE}"}, bearer(ADMIN_KEY), {"X-Admin-Key": ADMIN_KEY}],
)  # fmt: skip
async def test_who_has_one_is_let_in(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await client.get("/v1/models", headers=headers)).status_code == 200


async def test_a_key_opens_nothing_of_the_administrators(client: httpx.AsyncClient) -> None:
    path = "/v1/models/mnist/traffic"
    assert (await client.get(path, headers=bearer(ALICE))).status_code == 401
    assert (await client.get(path, headers={"X-Admin-Key": ADMIN_KEY})).status_code == 200
    both = {**bearer(ALICE), "X-Admin-Key": ADMIN_KEY}
    assert (await client.get(path, headers=both)).status_code == 200


async def test_a_client_has_its_own_limit(client: httpx.AsyncClient) -> None:
    found = [await client.get("/v1/models", headers=bearer(HURRIED)) for _ in range(4)]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429]
    assert found[3].headers["Retry-After"] == "1000"
    assert found[3].json()["type"] == "/problems/too-often"
    assert "hurried may ask 0.001 times a second, 3 at once" in found[3].json()["detail"]
    assert (await client.get("/v1/models", headers=bearer(ALICE))).status_code == 200
    assert (await client.get("/health/live", headers=bearer(HURRIED))).status_code == 200


async def test_what_was_refused_is_counted(client: httpx.AsyncClient) -> None:
    await client.get("/v1/models")
    for _ in range(5):
        await client.get("/v1/models", headers=bearer(HURRIED))
    text = (await client.get("/metrics", headers=bearer(ALICE))).text
    assert 'glyphscope_requests_total{method="GET",model="",route="none",status="429"} 2.0' in text
    assert 'glyphscope_requests_total{method="GET",model="",route="none",status="401"} 1.0' in text


async def test_a_browser_hands_its_key_in_once(client: httpx.AsyncClient) -> None:
    assert (await client.put("/v1/session", json={"key": "gs_nobody"})).status_code == 401
    assert (await client.put("/v1/session", json={"key": "no key; Path=/x"})).status_code == 422
    assert not client.cookies
    answer = await client.put("/v1/session", json={"key": ALICE})
    assert answer.status_code == 204
    said = answer.headers["Set-Cookie"].lower()
    assert {"httponly", "samesite=strict"} <= set(said.split("; "))
    assert "secure" not in said
    assert (await client.get("/v1/models")).status_code == 200
    await client.delete("/v1/session")
    assert (await client.get("/v1/models")).status_code == 401


async def test_over_https_the_cookie_is_for_https(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://test") as client:
        answer = await client.put("/v1/session", json={"key": ALICE})
    assert "secure" in answer.headers["Set-Cookie"].lower()


async def test_the_document_tells_of_keys(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    classify = document["paths"]["/v1/models/{model}/classify"]["post"]
    assert classify["security"] == [{"key": []}]
    assert {"401", "429"} <= set(classify["responses"])
    assert "security" not in document["paths"]["/health/live"]["get"]
    assert set(document["paths"]["/v1/session"]) == {"put", "delete"}


async def test_a_cut_off_client_can_still_ask_before_flight(
    settings: Settings, publish: Make, keys: Path
) -> None:
    """A browser's preflight carries no key."""
    publish()
    update = {"api_keys": keys, "cors_origins": ("https://page.example",)}
    app = create_app(settings.model_copy(update=update))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client,
    ):
        headers = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}
        answer = await client.options("/v1/models/mnist/classify", headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize("options", [{"client_rate": 0.5, "client_burst": 2}])
async def test_without_keys_addresses_are_counted(app: FastAPI) -> None:
    async def statuses(address: str, times: int) -> list[int]:
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.get("/v1/models")).status_code for _ in range(times)]

    assert await statuses("10.0.0.1", 3) == [200, 200, 429]
    assert await statuses("10.0.0.2", 3) == [200, 200, 429]
    assert await statuses("2001:db8:1:2:3::4", 2) == [200, 200]
    assert await statuses("2001:db8:1:2:ffff::1", 1) == [429]
    assert await statuses("2001:db8:1:3::1", 1) == [200]
    assert await statuses("::ffff:10.0.0.2", 1) == [429]


async def test_without_either_there_is_no_gate(
    settings: Settings, publish: Make, tmp_path: Path
) -> None:
    publish()
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        assert app.state.runtime.gate is None
    assert not (settings.state / "rates").exists()
