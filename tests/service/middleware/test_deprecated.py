"""The mechanism, on routes of its own: nothing of the service is deprecated yet."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request

from service.app import create_app
from service.document.deprecation import DEPRECATED, Deprecation, announce
from service.document.openapi import mark_deprecated
from service.middleware.deprecated import Deprecated
from service.settings import Settings

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
EARLY = Deprecation(SINCE, datetime(2026, 9, 1, tzinfo=UTC), "https://docs.example/early")
LATE = Deprecation(SINCE, datetime(2027, 3, 1, 12, tzinfo=UTC), "https://docs.example/late")

TABLE = {
    "GET /v1/old/{name}": LATE,
    "GET /v1/new?width": EARLY,
    "GET /v1/old/{name}?width": EARLY,
    "POST /v1/new#/size": LATE,
}


@pytest.fixture
def app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(Deprecated, table=TABLE)
    router = APIRouter(prefix="/v1")

    @router.get("/old/{name}")
    async def old(name: str) -> str:
        return name

    @router.get("/new")
    async def new(width: int = 0) -> int:
        return width

    @router.post("/new")
    async def create(request: Request) -> str:
        for member in await request.json():
            announce(request, f"#/{member}")
        return "created"

    app.include_router(router)
    return app


@pytest.fixture
def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


async def told(answer: httpx.Response) -> Deprecation | None:
    if "deprecation" not in answer.headers:
        assert "sunset" not in answer.headers
        return None
    assert answer.headers["deprecation"] == "@1767225600"  # RFC 9745: a date of RFC 9651
    sunset = parsedate_to_datetime(answer.headers["sunset"])
    link = answer.headers["link"]
    assert link.endswith('>; rel="deprecation"; type="text/html"')
    return Deprecation(SINCE, sunset, link[1 : link.index(">")])


async def test_a_route(client: httpx.AsyncClient) -> None:
    assert await told(await client.get("/v1/old/7")) == LATE
    assert (await client.get("/v1/old/7")).headers["sunset"] == "Mon, 01 Mar 2027 12:00:00 GMT"


async def test_a_parameter(client: httpx.AsyncClient) -> None:
    assert await told(await client.get("/v1/new?width=3")) == EARLY
    assert await told(await client.get("/v1/new?widths=3")) is None
    assert await told(await client.get("/v1/new?width=three")) == EARLY  # a refusal too


async def test_a_member_of_a_body(client: httpx.AsyncClient) -> None:
    assert await told(await client.post("/v1/new", json={"size": 3})) == LATE
    assert await told(await client.post("/v1/new", json={"sizes": 3})) is None


async def test_the_first_to_go_counts(client: httpx.AsyncClient) -> None:
    assert await told(await client.get("/v1/old/7?width=3")) == EARLY


async def test_the_rest_is_left_alone(client: httpx.AsyncClient) -> None:
    for path in ("/v1/new", "/v1/nothing", "/v1/old"):
        assert await told(await client.get(path)) is None


def test_the_document_says_it(app: FastAPI) -> None:
    document = app.openapi()
    mark_deprecated(document, TABLE)
    assert document["paths"]["/v1/old/{name}"]["get"]["deprecated"]
    [width] = document["paths"]["/v1/new"]["get"]["parameters"]
    assert width["deprecated"]
    assert "deprecated" not in document["paths"]["/v1/new"]["get"]


async def test_the_service_has_it(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DEPRECATED, "GET /v1/models", LATE)
    transport = httpx.ASGITransport(create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        assert await told(await client.get("/v1/models")) == LATE
        assert await told(await client.head("/v1/models")) == LATE
        assert await told(await client.get("/v1/models/mnist")) is None
        document = (await client.get("/openapi.json")).json()
        assert document["paths"]["/v1/models"]["get"]["deprecated"]


def test_what_is_deprecated_has_time_and_is_there(settings: Settings) -> None:
    """Half a year at least, as docs/http.md promises; and every name is that of a route."""
    document = create_app(settings).openapi()
    for name, deprecation in DEPRECATED.items():
        assert (deprecation.sunset - deprecation.since).days >= 180, name
        method, path = name.partition("?")[0].partition("#")[0].split(" ")
        assert method.lower() in document["paths"][path], name
