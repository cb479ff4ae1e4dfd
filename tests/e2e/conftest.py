"""A real browser on the pad of a real service with the shipped models."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clients import Client
from tests.conftest import Serve

if TYPE_CHECKING:
    from tests.e2e.chromium import Browser, ConsoleMessage, Page

Strokes = list[list[list[float]]]
Open = Callable[..., "Page"]

# For a machine that is busy with other things; a test that passes never waits that long.
PATIENCE_MS = 30_000

DESKTOP = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
def url(serve: Serve) -> Iterator[str]:
    with serve() as url:
        yield url


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture(scope="session")
def handwriting() -> dict[str, Strokes]:
    """Real pen strokes by label."""
    rows = json.loads((Path(__file__).parent / "strokes.json").read_text())
    return {row["label"]: row["strokes"] for row in rows}


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Of a module, not of the session: while it is open, no other event loop can run."""
    from tests.e2e.chromium import QUIET, executable, expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def open_pad(browser: "Browser", url: str) -> Iterator[Open]:
    """``open_pad(hash, **context)`` -> a page with the layers in place.

    What the page's scripts throw, or its policy forbids, fails the test.
    """
    contexts, faults = [], list[str]()

    def note(line: "ConsoleMessage") -> None:
        # A request that is meant to fail is the browser's complaint, not the page's.
        if line.type == "error" and "Failed to load resource" not in line.text:
            faults.append(line.text)

    def open_pad(where: str = "", **options: Any) -> "Page":
        context = browser.new_context(**{"viewport": DESKTOP, **options})
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", note)
        page.goto(f"{url}/{where}")
        page.wait_for_selector(".strip")
        return page

    yield open_pad
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(open_pad: Open) -> "Page":
    return open_pad()
