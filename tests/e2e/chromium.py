"""Playwright and a Chromium for it, or the reason why these tests do not run."""

import os
import shutil

from tests.conftest import require

try:
    from playwright.sync_api import (
        Browser,
        CDPSession,
        ConsoleMessage,
        Page,
        Request,
        Response,
        Route,
        expect,
        sync_playwright,
    )
except ImportError:
    require("browser", "playwright is not installed: pip install -e '.[browser]'")

__all__ = [
    "QUIET",
    "Browser",
    "CDPSession",
    "ConsoleMessage",
    "Page",
    "Request",
    "Response",
    "Route",
    "executable",
    "expect",
    "sync_playwright",
]

# A headless browser that calls nobody and works in a container.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str:
    """GLYPHSCOPE_CHROMIUM, or the first of ``NAMES`` on the PATH."""
    given = os.environ.get("GLYPHSCOPE_CHROMIUM", "")
    path = given or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        require("browser", f"GLYPHSCOPE_CHROMIUM is not set, and no {', '.join(NAMES)} on the PATH")
    return path
