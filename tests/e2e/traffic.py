"""What the page asks the service."""

from typing import Any

from tests.e2e.chromium import Page, Request, expect
from tests.e2e.pen import Strokes


def requests(page: Page, what: str) -> list[Request]:
    """Those that the page sends from now on: ``what`` is "classify" or "activations"."""
    seen: list[Request] = []

    def keep(request: Request) -> None:
        if f"/{what}?" in request.url:
            seen.append(request)

    page.on("request", keep)
    return seen


def settled(page: Page) -> None:
    """All that was drawn is answered."""
    for part in ("#answer", "#strips"):
        expect(page.locator(part)).to_have_attribute("aria-busy", "false")


def strokes_of(request: Request) -> Strokes:
    document: Any = request.post_data_json
    [one] = document["inputs"]
    found: Strokes = one["strokes"]
    return found
