"""The pad and the API page: served whole, from here, and asked for again only when they change."""

import re

import httpx
import pytest
from starlette.staticfiles import StaticFiles

from service.routers import docs, pad


@pytest.fixture
def pad_there() -> None:
    assert (pad.FOLDER / "index.html").is_file(), "clients/pad belongs to the checkout"


@pytest.mark.usefixtures("pad_there")
async def test_the_pad_with_all_that_it_names(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    named = set(re.findall(r'(?:src|href)="(/[^"]+)"', page.text))
    assert any(path.endswith(".js") for path in named)
    for path in named:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        kinds = {"js": "javascript", "css": "css", "svg": "svg", "/docs": "html"}
        assert kinds[path.rpartition(".")[2]] in answer.headers["content-type"]


@pytest.mark.usefixtures("pad_there")
@pytest.mark.parametrize("path", ["/", "/pad/index.html"])
async def test_pad_files_are_asked_for_again(client: httpx.AsyncClient, path: str) -> None:
    first = await client.get(path)
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-cache"
    head = await client.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    "path", ["/pad/%2e%2e/client.py", "/pad/..%2f..%2fpyproject.toml", "/pad//etc/passwd", "/pad/"]
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_a_pad_that_is_not_installed(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pad, "files", StaticFiles(directory="/nowhere", check_dir=False))
    answer = await client.get("/")
    assert answer.status_code == 404
    assert "/docs" in answer.json()["detail"]


async def test_the_api_page_needs_no_other_host(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(named) == 4
    for path in named:
        assert path.startswith("/"), path
        assert (await client.get(path)).status_code == 200, path
    assert "//" not in docs.START
    # The policy allows no inline script, so there may be none.
    assert not re.search(r"<script(?![^>]*src=)", page.text)
