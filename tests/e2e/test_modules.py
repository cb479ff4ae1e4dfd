"""The page's modules on their own, against independent implementations."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save

from tests.e2e.chromium import Browser, Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(browser: Browser, url: str) -> Iterator[Page]:
    """One for all: the modules are only imported, not the page used."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        yield page


def test_safetensors_are_read_as_they_were_written(page: Page) -> None:
    generator = np.random.default_rng(0)
    tensors = {
        "conv1": generator.normal(size=(1, 2, 3, 4)).astype(np.float32),
        "block1.out": np.array([[np.inf, -0.0, 1e-38]], np.float32),
        "é": np.zeros((1, 1), np.float32),
    }
    found = page.evaluate(
        """async (text) => {
          const { parse } = await import("/pad/safetensors.js");
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const maps = [...parse(bytes.buffer)];
          return maps.map(([name, { shape, values }]) => [name, shape, [...values]]);
        }""",
        base64.b64encode(save(tensors, {"model": "mnist"})).decode(),
    )
    assert {name for name, _, _ in found} == tensors.keys()
    for name, shape, values in found:
        assert np.array_equal(np.reshape(np.float32(values), shape), tensors[name])


@pytest.mark.parametrize(("scheme", "rises"), [("dark", 1), ("light", -1)])
def test_the_ramp_takes_even_steps_of_lightness(page: Page, scheme: str, rises: int) -> None:
    pixels = page.evaluate(
        'async (scheme) => [...(await import("/pad/colour.js")).ramp(scheme)]', scheme
    )
    colours = np.array(pixels, np.uint32).view(np.uint8).reshape(-1, 4)
    assert (colours[:, 3] == 255).all()
    lightness = oklab_lightness(colours[:, :3] / 255)
    assert abs(lightness[-1] - lightness[0]) > 0.7
    # A byte a channel leaves an error of about a step of 0.003.
    np.testing.assert_allclose(np.diff(lightness) * rises, 0.742 / 255, atol=0.004)
    np.testing.assert_allclose(lightness, np.linspace(lightness[0], lightness[-1], 256), atol=0.004)


def oklab_lightness(srgb: NDArray[Any]) -> NDArray[Any]:
    """Ottosson 2020, from XYZ rather than straight from sRGB as the page does it."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
         [0.0193339, 0.1191920, 0.9503041]]
    ).T  # fmt: skip
    lms = xyz @ np.array(
        [[0.8189330101, 0.3618667424, -0.1288597137], [0.0329845436, 0.9293118715, 0.0361456387],
         [0.0482003018, 0.2643662691, 0.6338517070]]
    ).T  # fmt: skip
    lightness: NDArray[Any] = np.cbrt(lms) @ np.array([0.2104542553, 0.7936177850, -0.0040720468])
    return lightness


def test_of_what_was_asked_meanwhile_only_the_newest_runs(page: Page) -> None:
    found = page.evaluate("""async () => {
      const { Newest } = await import("/pad/newest.js");
      const ran = [];
      let finish, begun;
      const start = () => new Promise((resolve) => (begun = resolve));
      const live = new Newest(async (value, signal) => {
        ran.push([value, signal]);
        begun(value);
        await new Promise((resolve) => (finish = resolve));
      });
      let next = start();
      for (const value of [1, 2, 3]) live.ask(value);
      await next;
      next = start();
      finish();
      await next;
      live.ask(4);
      live.forget();
      const aborted = ran.map(([, signal]) => signal.aborted);
      next = start();
      live.ask(5);
      await next;
      return [ran.map(([value]) => value), aborted];
    }""")
    assert found == [[1, 3, 5], [False, True]]


def test_the_last_of_a_drawing_does_not_rest(page: Page) -> None:
    # With such a rest, whatever rested would outlast the test.
    found = page.evaluate("""async () => {
      const { Newest } = await import("/pad/newest.js");
      const ran = [];
      let idle;
      const run = async (value) => {
        ran.push(value);
        await new Promise((resolve) => setTimeout(resolve, 2));
      };
      const live = new Newest(run, { rest: 1e6, busy: (now) => now || idle() });
      live.ask(1);
      live.ask(2, true);
      await new Promise((resolve) => (idle = resolve));
      live.ask(3, true);
      await new Promise((resolve) => (idle = resolve));
      return ran;
    }""")
    assert found == [1, 2, 3]


def test_newest_goes_on_after_a_failure(page: Page) -> None:
    assert (
        page.evaluate("""async () => {
      const { Newest } = await import("/pad/newest.js");
      let done;
      const end = new Promise((resolve) => (done = resolve));
      const live = new Newest(async (value) => (value === 1 ? Promise.reject() : done(value)));
      addEventListener("unhandledrejection", (event) => event.preventDefault(), { once: true });
      live.ask(1);
      live.ask(2);
      return await end;
    }""")
        == 2
    )


@pytest.mark.parametrize(
    ("where", "address"),
    [
        ({"model": "mnist"}, "#mnist"),
        ({"model": "mnist", "view": "map"}, "#mnist/map"),
        ({"model": "mnist@2", "layer": "block1.conv1", "unit": 3}, "#mnist@2/block1.conv1/3"),
        ({"model": "a b", "layer": "x/y", "unit": 0}, "#a%20b/x%2Fy/0"),
    ],
)
def test_links_are_read_as_they_were_written(page: Page, where: Any, address: str) -> None:
    found = page.evaluate(
        """async (where) => {
          const { read, write } = await import("/pad/link.js");
          return [write(where), read(write(where))];
        }""",
        where,
    )
    assert found == [address, {"view": None, "layer": None, "unit": None, **where}]


@pytest.mark.parametrize("address", ["", "#", "#%", "#mnist/conv1", "#mnist/conv1/-1", "#mnist//3"])
def test_half_a_link_names_no_channel(page: Page, address: str) -> None:
    read = 'async (hash) => (await import("/pad/link.js")).read(hash)'
    found = page.evaluate(read, address)
    assert (found["layer"], found["unit"]) == (None, None)
    assert found["model"] in (None, "mnist")


def test_colours_span_a_unit_a_layer_or_the_network(page: Page) -> None:
    found = page.evaluate("""async () => {
      const { coloured, fromTensors } = await import("/pad/maps.js");
      const maps = fromTensors(new Map([
        ["act", { shape: [1, 2, 1, 2], values: Float32Array.of(0, 1, 2, 4) }],
        ["logits", { shape: [1, 2], values: Float32Array.of(-8, 8) }],
      ]));
      const extents = (range) => [...coloured(maps, range).values()].map(
        ({ extent }) => [0, 1].map((unit) => [extent(unit).low, extent(unit).high]));
      return ["unit", "layer", "network"].map(extents);
    }""")
    assert found == [
        [[[0, 1], [2, 4]], [[-8, 8], [-8, 8]]],  # a flat layer's unit alone has no range
        [[[0, 4], [0, 4]], [[-8, 8], [-8, 8]]],
        [[[-8, 8], [-8, 8]], [[-8, 8], [-8, 8]]],
    ]


@pytest.mark.parametrize(
    ("share", "text"),
    [(1, "> 99.9 %"), (0.9994, "99.9 %"), (0.5, "50.0 %"), (0.0006, "0.1 %"), (0, "< 0.1 %")],
)
def test_a_probability_is_never_certain(page: Page, share: float, text: str) -> None:
    show = 'async (share) => (await import("/pad/number.js")).percent(share)'
    assert page.evaluate(show, share) == text
