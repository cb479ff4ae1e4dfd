"""The pad of a service that asks for a key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.access.keys import digest
from tests.conftest import Serve
from tests.e2e.chromium import Browser, Page, expect

pytestmark = pytest.mark.browser

KEY = "gs_for_a_browser"


@pytest.fixture(scope="module")
def address(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file: Path = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text(f"[class]\nsha256 = '{digest(KEY.encode()).hex()}'\n")
    with serve(worker=False, api_keys=str(file)) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.goto(address)
        yield page


def test_a_key_opens_the_page_and_is_remembered(page: Page) -> None:
    dialog = page.locator("#key")
    expect(dialog).to_be_visible()
    field = page.get_by_label("Key", exact=True)
    expect(field).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    field.fill("gs_nobody")
    page.keyboard.press("Enter")
    expect(page.locator("#key-trouble")).to_have_text("This key is not known here.")
    field.fill(f" {KEY} ")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    page.locator(".strip").first.wait_for()
    page.locator("#paper").click(position={"x": 120, "y": 60})
    expect(page.locator("#headline")).not_to_be_empty()
    # Pictures come too, to which no header can be added.
    page.goto(page.url.split("#")[0] + "#mnist/conv1/0")
    page.reload()
    page.locator("#unit-examples img").first.wait_for()
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.cookie") == ""
