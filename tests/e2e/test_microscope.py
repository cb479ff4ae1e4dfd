"""Explain, Map, Mistakes, and real examples beside a unit, on a version that carries a test set."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from clients import Client
from glyphscope.store import Store
from tests.conftest import Serve
from tests.e2e.chromium import Page, expect
from tests.e2e.pen import Strokes, draw
from tests.e2e.published import PATIENCE_MS, write
from tests.e2e.traffic import requests, settled, strokes_of

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Handwriting = dict[str, Strokes]

HEAT = """async ([rows, method]) => {
  const { heatOf, lightness, overlay } = await import("/pad/heat.js");
  const canvas = document.querySelector(".heat canvas");
  const mine = document.createElement("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const light = new Float32Array(rows.length * rows[0].length);
  overlay(mine, heatOf(rows), light, "light");
  const other = mine.getContext("2d").getImageData(0, 0, mine.width, mine.height).data;
  const at = (pixels, i) => pixels[4 * i] - pixels[4 * i + 2];  // red over blue: warm
  const strong = rows.flat().map(Math.abs).map((v, i) => [v, i]).sort((a, b) => b[0] - a[0]);
  return strong.slice(0, 20).every(([, i]) => Math.abs(at(data, i) - at(other, i)) < 40);
}"""


@pytest.fixture(scope="module")
def url(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = Store(tmp_path_factory.mktemp("store"))
    store.publish("mnist", write)
    with serve(store.root) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    with Client(url, timeout=PATIENCE_MS / 1000) as client:
        client.attribute("mnist", strokes=[[[[0, 0], [4, 9]]]])  # its process runs from here on
        yield client


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def test_the_answer_is_explained_by_every_method(
    page: Page, client: Client, handwriting: Handwriting
) -> None:
    sent = requests(page, "attributions")
    tab(page, "Explain")
    expect(page.locator(".heat .state")).to_contain_text("Draw something")
    draw(page, handwriting["4"])
    methods = client.attribution_methods("mnist")
    expect(page.locator(".methods canvas:not(.empty)")).to_have_count(
        len(methods), timeout=PATIENCE_MS
    )
    strokes = strokes_of(sent[-1])
    [found] = client.attribute("mnist", method="integrated-gradients", strokes=[strokes])
    page.wait_for_function(HEAT, arg=[found.map, "integrated-gradients"], timeout=PATIENCE_MS)
    expect(page.locator(".key span").last).to_contain_text(f"for {found.target.label}: ")
    page.get_by_role("radio", name="Occlusion").check(force=True)
    [covered] = client.attribute("mnist", method="occlusion", strokes=[strokes])
    page.wait_for_function(HEAT, arg=[covered.map, "occlusion"], timeout=PATIENCE_MS)
    page.keyboard.press("Delete")
    expect(page.locator(".heat .state")).to_contain_text("Draw something")


def test_another_class_can_be_explained(
    page: Page, client: Client, handwriting: Handwriting
) -> None:
    tab(page, "Explain")
    draw(page, handwriting["7"])
    page.get_by_role("combobox", name="Class to explain").select_option("2")
    expect(page.locator(".key span").last).to_contain_text("for 2: ", timeout=PATIENCE_MS)


def test_it_can_be_fooled(page: Page, client: Client, handwriting: Handwriting) -> None:
    tab(page, "Explain")
    button = page.get_by_role("button", name="Fool it")
    draw(page, handwriting["1"])
    button.click()
    state = page.locator(".fooled [role=status]")
    expect(state).to_have_text(re.compile(r"^(Enough to make|It holds)"), timeout=PATIENCE_MS)
    expect(page.locator(".fooled figure")).to_have_count(3)


def test_the_drawing_lies_among_its_neighbours(
    page: Page, client: Client, handwriting: Handwriting
) -> None:
    tab(page, "Map")
    expect(page).to_have_url(re.compile("#mnist/map$"))
    with page.expect_request(
        lambda r: r.url.endswith("/embedding") and r.method == "POST"
    ) as asked:
        draw(page, handwriting["0"])
    expect(page.locator("#view-map .near img")).to_have_count(10, timeout=PATIENCE_MS)
    expect(page.locator("#view-map")).to_have_attribute("aria-busy", "false")
    [place] = client.place("mnist", strokes=[strokes_of(asked.value)])
    shown = page.locator("#view-map .near img").evaluate_all(
        "images => images.map((image) => image.getAttribute('src'))"
    )
    if len(handwriting["0"]) == 1:
        assert shown == [f"{one.image}?scale=4" for one in place.neighbours]
    page.locator(".classes button").first.click()
    expect(page.locator(".classes button").first).to_have_attribute("aria-pressed", "true")


def test_a_mistake_leads_to_its_images_and_units(page: Page, client: Client) -> None:
    tab(page, "Mistakes")
    first = page.locator(".worst button").first
    expect(first.locator("b")).to_have_count(2, timeout=PATIENCE_MS)
    truth, answer = first.locator("b").all_text_contents()
    found = client.confusion("mnist", truth, answer)
    first.click()
    cell = page.locator("#view-mistakes .cell")
    expect(cell.locator("h3")).to_have_text(f"{truth} read as {answer}")
    expect(cell.locator(".near img")).to_have_count(len(found.examples), timeout=PATIENCE_MS)
    cell.locator(".units button").first.click()
    worst = found.units[0]
    expect(page.locator("#unit-title")).to_contain_text(f"{worst.layer} · ")
    expect(page.locator("#unit-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile("#mnist/mistakes$"))


def test_the_matrix_can_be_walked_with_the_keyboard(page: Page) -> None:
    tab(page, "Mistakes")
    grid = page.get_by_role("listbox", name="Confusion matrix")
    expect(page.locator("#view-mistakes .state")).to_contain_text("of 40 test images")
    grid.focus()
    option = grid.get_by_role("option")
    for key, text in (("ArrowDown", "1 read as 0: "), ("ArrowRight", "1 read as 1: ")):
        page.keyboard.press(key)
        expect(option).to_contain_text(text)
    page.keyboard.press("Enter")
    expect(page.locator("#view-mistakes .cell h3")).to_have_text("1, read rightly")


def test_real_examples_lie_beside_a_units_picture(open_pad: Open, client: Client) -> None:
    page = open_pad("#mnist/act2/3")
    found = client.examples("mnist", "act2", 3)
    pictures = page.locator("#unit-examples img")
    expect(pictures).to_have_count(len(found))
    assert pictures.first.get_attribute("src") == f"{found[0].image}?scale=4"
    field = page.locator("#unit-examples .field").first
    assert found[0].field is not None
    expected = [100 * side / 28 for side in (found[0].field.top, found[0].field.left)]
    shown = field.evaluate("ring => [ring.style.top, ring.style.left].map(parseFloat)")
    np.testing.assert_allclose(shown, expected, atol=0.01)
    page.get_by_role("button", name="Close").click()
    expect(pictures).to_have_count(0)


def test_tabs_are_walked_with_the_arrows(page: Page) -> None:
    page.get_by_role("tab", name="Layers").focus()
    for key, name in (("ArrowRight", "Weights"), ("End", "Compare"), ("ArrowRight", "Layers")):
        page.keyboard.press(key)
        chosen = page.get_by_role("tab", name=name)
        expect(chosen).to_be_focused()
        expect(chosen).to_have_attribute("aria-selected", "true")


def test_a_version_without_a_test_set_says_so(page: Page) -> None:
    page.route("**/embedding", lambda route: route.fulfill(
        status=404, content_type="application/problem+json",
        json={"detail": "mnist@1 was published without a map of its test set", "status": 404},
    ))  # fmt: skip
    tab(page, "Map")
    expect(page.locator("#view-map .state")).to_have_text(
        "mnist@1 was published without a map of its test set"
    )


@pytest.mark.parametrize("view", ["explain", "map", "mistakes"])
def test_no_view_is_wider_than_a_phone(
    open_pad: Open, client: Client, handwriting: Handwriting, view: str
) -> None:
    page = open_pad(viewport={"width": 360, "height": 780})
    page.evaluate("view => { location.hash = `#mnist/${view}`; }", view)
    expect(page.locator(f"#view-{view}")).to_be_visible()
    draw(page, handwriting["3"])
    settled(page)
    page.wait_for_function("document.documentElement.scrollWidth === 360")
