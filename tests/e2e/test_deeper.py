"""Weights, Inversion, Compare, and how a unit came to be, on versions that carry snapshots."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from safetensors import torch as tensors

from clients import Client
from glyphscope.manifest import SNAPSHOTS
from glyphscope.networks import build
from glyphscope.snapshots import pack
from glyphscope.store import Store
from tests.conftest import Serve
from tests.e2e.chromium import Page, expect
from tests.e2e.pen import Strokes, draw
from tests.e2e.published import PATIENCE_MS, SPEC, write

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

SHADES = """(element) => {
  const canvas = element.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return new Set(data.filter((_, i) => i % 4 === 0)).size;
}"""


@pytest.fixture(scope="module")
def url(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """mnist@2 in production, beside mnist@1: two networks."""
    store = Store(tmp_path_factory.mktemp("store"))
    epochs = {epoch: build(SPEC, seed=epoch + 7).state_dict() for epoch in (0, 2)}
    files = {SNAPSHOTS: tensors.save(pack(epochs))}
    for seed in (0, 1):
        store.publish("mnist", partial(write, seed=seed, files=files))
    with serve(store.root) as url:
        yield url


@pytest.fixture
def pad(open_pad: Open) -> Open:
    """With a tab open."""

    def pad(tab: str, **options: Any) -> Page:
        page = open_pad(**options)
        page.set_default_timeout(PATIENCE_MS)
        page.get_by_role("tab", name=tab).click()
        return page

    return pad


def test_weights_of_each_layer_open_their_unit(pad: Open) -> None:
    page = pad("Weights")
    strips = page.locator("#view-weights .strip")
    expect(strips.locator("h3")).to_have_text(["conv1", "conv2", "dense1", "logits"])
    expect(strips.nth(1).locator(".strip-head")).to_contain_text("6 units, 4 × 5 × 5 weights each")
    expect(strips.locator(".greys")).to_have_count(4, timeout=PATIENCE_MS)
    assert strips.nth(1).evaluate(SHADES) > 20
    page.get_by_text("strength").click()
    expect(page.locator("#view-weights .quiet").first).to_contain_text("whatever their sign")
    strips.first.locator(".sheet").click(position={"x": 8, "y": 8})
    expect(page.locator("#unit-title")).to_have_text("conv1 · channel 0")


def test_what_each_layer_still_knows_is_drawn(pad: Open, handwriting: dict[str, Strokes]) -> None:
    page = pad("Inversion")
    expect(page.locator("#view-inversion")).to_contain_text("Draw something")
    draw(page, handwriting["7"])
    tiles = page.locator(".inverted li")
    names = ["The network sees", "act1", "act2", "act3", "logits"]
    expect(tiles.locator("b")).to_have_text(names, timeout=PATIENCE_MS)
    expect(tiles.locator("img:not([hidden])")).to_have_count(5, timeout=PATIENCE_MS)
    for i in range(1, 5):
        expect(tiles.nth(i).locator(".quiet")).to_contain_text("% off")
    page.locator("#clear").click()
    expect(tiles).to_have_count(0)


def test_two_versions_are_compared(pad: Open, url: str) -> None:
    with Client(url, timeout=240) as client:
        found = client.compare("mnist", "mnist@1")
    page = pad("Compare")
    expect(page.locator("#view-compare select")).to_have_value("mnist@1")
    state = page.locator("#view-compare > .state")
    expect(state).to_contain_text(f"of {found.images} test images", timeout=PATIENCE_MS)
    rows = page.locator("#view-compare .units li")
    expect(rows).to_have_count(len(found.layers))
    expect(rows.first).to_contain_text(f"{found.layers[0].cka:.3f}")
    rows.nth(1).get_by_role("button").click()
    layer = found.layers[1]
    best = max(layer.matches, key=lambda one: one.correlation)
    first = page.locator(".pairs li").first
    expect(first).to_contain_text(f"{best.unit} · {best.partner}")
    expect(first).to_contain_text(f"{best.correlation:.2f}")
    expect(first.locator("img").nth(1)).to_have_attribute(
        "src", re.compile(r"\.png\?scale=2$"), timeout=PATIENCE_MS
    )
    first.get_by_role("button").click()
    expect(page.locator("#unit-title")).to_contain_text(f"{layer.first} · channel {best.unit}")


def test_a_unit_shows_how_it_came_to_be(open_pad: Open) -> None:
    page = open_pad("#mnist/conv2/3")
    past = page.locator("#unit-past")
    past.locator("summary").click()
    stages = past.locator(".stages li")
    expect(stages).to_have_count(3, timeout=PATIENCE_MS)
    for i, when in enumerate(("epoch 0", "epoch 2", "published")):
        expect(stages.nth(i)).to_contain_text(when)
    expect(past.locator(".then img:not([hidden])")).to_have_count(3, timeout=PATIENCE_MS)
    expect(past.locator("li > img")).to_have_count(3)
    # It stays open over the next unit.
    page.locator("#unit-next").click()
    expect(page.locator("#unit-title")).to_have_text("conv2 · channel 4")
    expect(stages).to_have_count(3, timeout=PATIENCE_MS)


@pytest.mark.parametrize("width", [320, 390, 768])
def test_the_tab_that_is_shown_can_be_seen_and_nothing_is_wider_than_the_page(
    pad: Open, width: int
) -> None:
    page = pad("Compare", viewport={"width": width, "height": 800})
    expect(page.locator(".pairs li").first).to_be_visible(timeout=PATIENCE_MS)
    tab = page.locator("#tab-compare").bounding_box()
    assert tab is not None
    assert tab["x"] >= 0
    assert tab["x"] + tab["width"] <= width
    for name in ("compare", "weights"):
        page.locator(f"#tab-{name}").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
