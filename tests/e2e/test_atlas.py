"""An atlas in a real browser, from disk, without a network."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glyphscope import checkpoint
from glyphscope.store import Store
from tests.conftest import ROOT
from tests.e2e.chromium import Browser, ConsoleMessage, Page, Request, expect
from training import test_files
from training.atlas import page as pages
from training.atlas.gather import chosen_layers, gather
from training.data import Split

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the shipped MNIST model: two layers, 200 real test images, pictures of few steps."""
    store = Store(ROOT / "checkpoints")
    found = checkpoint.load(store.path(store.resolve("mnist")))
    with np.load(ROOT / "tests/data/mnist-sample.npz") as sample:
        images = torch.from_numpy(sample["test_images"][:200, None])
        labels = torch.from_numpy(sample["test_labels"][:200].astype(np.int64))
    folder = tmp_path_factory.mktemp("files")
    split = Split(images, labels)
    files = test_files.collect(
        found.network, found.manifest.input, split, found.manifest.calibration
    )
    for name, data in files.items():
        (folder / name).write_bytes(data)
    whole = checkpoint.with_test_set(found, folder)
    made = gather(whole, chosen_layers(whole, ["act1", "out3"]), steps=2)
    return pages.write(made, folder / "atlas.html")


@pytest.fixture
def open_atlas(browser: Browser, atlas: Path) -> Iterator[Open]:
    """``open_atlas(hash, **context)``. A request for anything but the file, or what a script
    throws, fails the test."""
    contexts, faults = [], list[str]()

    def note(line: ConsoleMessage) -> None:
        if line.type == "error":
            faults.append(line.text)

    def asked(request: Request) -> None:
        if not request.url.startswith(("file:", "data:")):
            faults.append(request.url)

    def open_atlas(where: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "offline": True, **options})
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", note)
        page.on("request", asked)
        page.goto(f"{atlas.as_uri()}{where}")
        return page

    yield open_atlas
    for context in contexts:
        context.close()
    assert faults == []


def test_units_by_keyboard(open_atlas: Open) -> None:
    page = open_atlas()
    expect(page.locator(".tile")).to_have_count(32)
    page.locator(".tile").first.press("Enter")
    expect(page.locator("#unit h2")).to_have_text("act1 0")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#unit h2")).to_have_text("act1 1")
    expect(page.locator(".tile[aria-current]")).to_have_attribute("data-unit", "1")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#unit h2")).to_have_text("out3 1")
    expect(page.locator("#unit .nine figure")).to_have_count(9)
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()


def test_the_receptive_field_is_marked_where_it_is(open_atlas: Open) -> None:
    page = open_atlas("#/layers/act1/3")
    frame = page.locator("#unit .nine .box").first
    picture = page.locator("#unit .nine .px").first
    inside, outside = frame.bounding_box(), picture.bounding_box()
    assert inside is not None
    assert outside is not None
    # Three by three of 28 pixels, less where the edge cuts it off.
    assert 1.9 < inside["width"] / outside["width"] * 28 < 3.1
    assert 1.9 < inside["height"] / outside["height"] * 28 < 3.1
    expect(page.locator("#unit .side")).to_be_visible()


def test_classes_map_and_mistakes(open_atlas: Open) -> None:
    page = open_atlas("#/classes")
    expect(page.locator(".card")).to_have_count(10)
    page.get_by_role("link", name="Map").click()
    expect(page.locator(".seen")).to_contain_text("200 test images")
    page.locator("canvas").press("ArrowRight")
    expect(page.locator(".seen .px")).to_be_visible()
    page.get_by_role("link", name="Mistakes").click()
    page.get_by_role("button", name="3 read as 3").click()
    expect(page.locator("#cell h2")).to_have_text("3 read right")
    expect(page.locator("#cell .photos figure")).to_have_count(12)


@pytest.mark.parametrize("where", ["#/layers/out3/7", "#/classes", "#/map", "#/mistakes"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_is_wider_than_the_window(
    open_atlas: Open, where: str, size: dict[str, int]
) -> None:
    page = open_atlas(where, viewport=size, color_scheme="dark")
    expect(page.locator("main h1")).to_be_visible()
    beyond = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert beyond <= 0
