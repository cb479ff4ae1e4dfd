"""One status an error, and a page for every type."""

import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.exceptions import HTTPException

from glyphscope import errors
from service.problem import problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidInput("x"), 422, "invalid-input"),
        (errors.NotAnImage("x"), 422, "not-an-image"),
        (errors.EmptyDrawing("x"), 422, "empty-drawing"),
        (errors.TooLarge("x"), 413, "too-large"),
        (errors.NotFound("layer", "a", ["b"]), 404, "not-found"),
        (errors.BrokenCheckpoint("x"), 503, "broken-checkpoint"),
        (errors.Conflict("x"), 409, "conflict"),
        (errors.Busy("x"), 503, "busy"),
    ],
)
def test_status_and_type(error: errors.GlyphscopeError, status: int, code: str) -> None:
    found = problem(error)
    assert (found.status, found.type) == (status, f"/problems/{code}")
    assert found.detail == str(error)
    assert ("Retry-After" in found.headers) == isinstance(error, errors.Busy)


@pytest.mark.parametrize(
    "error",
    [errors.DataMissing("/secret/path"), KeyError("/secret/path"), errors.GlyphscopeError()],
)
def test_what_is_not_foreseen_leaks_nothing(error: Exception) -> None:
    found = problem(error)
    assert (found.status, found.title) == (500, "Internal error")
    assert "secret" not in str(found)


def test_headers_of_http_errors_are_kept() -> None:
    found = problem(HTTPException(405, headers={"Allow": "GET"}))
    assert found.headers == {"Allow": "GET"}
    assert "Allow header" in found.detail


def every(root: type[errors.GlyphscopeError]) -> Iterator[errors.GlyphscopeError]:
    yield root("a", "b", []) if root is errors.NotFound else root("a")
    for kind in root.__subclasses__():
        # One of its own elsewhere says the same in others' words.
        if kind.__module__ == errors.__name__:
            yield from every(kind)


async def test_every_type_leads_to_a_page(client: httpx.AsyncClient) -> None:
    types = {problem(error).type for error in every(errors.GlyphscopeError)} - {"about:blank"}
    assert len(types) > 8
    for found in types | {"/problems/invalid-fields"}:
        page = await client.get(found)
        assert page.status_code == 200, found
        assert page.json().keys() == {"title", "status"}
    unknown = await client.get("/problems/other")
    assert unknown.status_code == 404
    assert re.search(r"known: .*busy", unknown.json()["detail"])
