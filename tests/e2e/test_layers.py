"""The layers' maps: right values in the right places, for mouse and keyboard."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from clients import Client
from tests.e2e.chromium import Page, expect
from tests.e2e.pen import Strokes, draw
from tests.e2e.traffic import requests, settled, strokes_of

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Handwriting = dict[str, Strokes]
Maps = dict[str, NDArray[np.float32]]

TILE = """async ([layer, unit, low, high, values, height, width]) => {
  const { arrange, place } = await import("/pad/tiles.js");
  const { ramp } = await import("/pad/colour.js");
  const box = document.getElementById(`strip-${layer}-option`).parentElement;
  const shape = [Number(box.lastElementChild.getAttribute("aria-setsize")), height, width];
  const sheet = arrange(shape, box.parentElement.clientWidth, devicePixelRatio);
  const [left, top] = place(sheet, unit);
  const side = sheet.tile[0] / width;
  const context = box.querySelector("canvas").getContext("2d");
  const off = [];
  for (const [i, value] of values.entries()) {
    const x = left + ((i % width) + 0.5) * side;
    const y = top + (Math.floor(i / width) + 0.5) * side;
    const found = new Uint32Array(context.getImageData(x, y, 1, 1).data.buffer)[0];
    const step = ((value - low) / (high - low)) * 255;
    const near = [Math.floor(step), Math.round(step), Math.ceil(step)];
    if (!near.some((at) => ramp("light")[at] === found)) off.push([i, value, found]);
  }
  return off;
}"""

COLOURS = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, 50, 50);
  return new Set(new Uint32Array(data.buffer)).size;
}"""


@pytest.fixture
def drawn(page: Page, client: Client, handwriting: Handwriting) -> tuple[Page, Maps]:
    """A page with a digit on it, and the maps that the service gives for it."""
    sent = requests(page, "activations")
    draw(page, handwriting["3"])
    settled(page)
    return page, client.activations("mnist", strokes=[strokes_of(sent[-1])])


def test_every_layer_is_there_in_order(page: Page, client: Client) -> None:
    expected = [layer.name for layer in client.layers("mnist") if layer.activations]
    assert page.locator(".strip h3").all_text_contents() == expected


def test_a_tile_is_its_channel_in_the_colours_of_its_layer(drawn: tuple[Page, Maps]) -> None:
    page, maps = drawn
    layer = next(iter(maps))
    [values] = maps[layer]
    for unit in (0, len(values) - 1):
        flat = values[unit].ravel().tolist()
        asked = [layer, unit, float(values.min()), float(values.max()), flat, *values.shape[1:]]
        assert page.evaluate(TILE, asked) == []


def test_the_range_of_each_layer_is_told(drawn: tuple[Page, Maps]) -> None:
    page, maps = drawn
    for strip in page.locator(".strip").all():
        name = strip.locator("h3").text_content()
        low, high = map(_number, strip.locator(".range span").all_text_contents())
        np.testing.assert_allclose(low, maps[str(name)].min(), rtol=6e-3, atol=6e-4)
        np.testing.assert_allclose(high, maps[str(name)].max(), rtol=6e-3, atol=6e-4)


def test_pointing_at_a_tile_tells_which_it_is(drawn: tuple[Page, Maps]) -> None:
    page, maps = drawn
    name = next(iter(maps))
    tip = page.locator("#tip")
    expect(tip).to_be_hidden()
    page.get_by_role("listbox").first.hover(position={"x": 3, "y": 3})
    expect(tip).to_contain_text(f"{name} · channel 0")
    found = re.search(r"min (\S+) +max (\S+)", tip.inner_text())
    assert found is not None
    values = maps[name][0, 0]
    np.testing.assert_allclose(_number(found[1]), values.min(), rtol=6e-3, atol=6e-4)
    np.testing.assert_allclose(_number(found[2]), values.max(), rtol=6e-3, atol=6e-4)
    page.locator("h1").hover()
    expect(tip).to_be_hidden()


def test_a_class_is_named_at_its_logit(drawn: tuple[Page, Maps]) -> None:
    page, _ = drawn
    logits = page.locator(".strip").last
    assert logits.locator(".legend span").all_text_contents() == list("0123456789")
    logits.get_by_role("listbox").hover(position={"x": 3, "y": 3})
    expect(page.locator("#tip")).to_contain_text("logits · unit 0 (0)")


def test_layers_can_be_walked_with_the_keyboard(drawn: tuple[Page, Maps]) -> None:
    page, maps = drawn
    name, values = next(iter(maps.items()))
    box = page.get_by_role("listbox").first
    box.focus()
    option = box.get_by_role("option")
    for key, unit in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("Home", 0)):
        page.keyboard.press(key)
        expect(option).to_have_text(f"{name}, channel {unit}")
    page.keyboard.press("ArrowLeft")
    expect(option).to_have_text(f"{name}, channel 0")
    page.keyboard.press("End")
    last = values.shape[1] - 1
    expect(option).to_have_text(f"{name}, channel {last}")
    expect(page.locator("#tip")).to_contain_text(f"channel {last}")
    page.keyboard.press("Enter")
    expect(page.locator("#unit-title")).to_have_text(f"{name} · channel {last}")
    expect(page.locator("#unit-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#unit")).to_be_hidden()
    expect(box).to_be_focused()
    expect(page.locator("#headline")).to_have_text("3")


def test_an_empty_paper_has_empty_tiles(drawn: tuple[Page, Maps]) -> None:
    page, _ = drawn
    canvas = page.locator(".sheet canvas").first
    assert canvas.evaluate(COLOURS) > 10
    page.keyboard.press("Delete")
    # The tiles' one colour, and none in the gaps between them.
    page.wait_for_function(f"canvas => ({COLOURS})(canvas) <= 2", arg=canvas.element_handle())


def test_a_dark_page_has_dark_silence(open_pad: Open, handwriting: Handwriting) -> None:
    page = open_pad(color_scheme="dark")
    draw(page, handwriting["1"])
    settled(page)
    canvas = page.locator(".strip", has_text=re.compile("^act1")).locator("canvas").element_handle()
    brightness = "c => Math.min(...c.getContext('2d').getImageData(0, 0, 9, 9).data)"
    assert page.evaluate(brightness, canvas) < 60
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"c => ({brightness})(c) > 200", arg=canvas)


def _number(text: str) -> float:
    return 0.0 if text == "≈ 0" else float(text.replace("−", "-"))
