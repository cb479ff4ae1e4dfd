"""One channel: a click, its maximisation, and the way back."""

import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clients import Client
from clients.errors import Unfinished
from tests.e2e.chromium import Page, Request, Route, expect
from tests.e2e.pen import Strokes, draw

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Handwriting = dict[str, Strokes]

PICTURE = """picture => {
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
}"""

JOBS = "**/v1/models/mnist/maximisations"

# A picture takes a second where nothing else runs.
DRAWN_MS = 180_000

PICTURE_OF_CANVAS = """canvas =>
  [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data]"""

INK = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value, i) => i % 4 === 3 && value > 0);
}"""


def make_long(route: Route) -> None:
    """The job that the page asks for, with so many steps that it cannot end under our hands."""
    asked: Any = route.request.post_data_json
    route.continue_(post_data={**asked, "units": "all", "steps": 4096})


def test_a_click_shows_what_the_channel_looks_for(
    page: Page, client: Client, handwriting: Handwriting
) -> None:
    draw(page, handwriting["3"])
    layer = next(one for one in client.layers("mnist") if one.spatial and one.activations)
    with page.expect_response(JOBS) as response:
        page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-title")).to_have_text(f"{layer.name} · channel 0")
    expect(page).to_have_url(re.compile(rf"#mnist/{re.escape(layer.name)}/0$"))
    picture = page.locator("#unit-picture")
    expect(picture).to_be_visible(timeout=DRAWN_MS)

    job = client.wait(client.maximisation(response.value.json()["id"]))
    assert (job.layer, [one.unit for one in job.results]) == (layer.name, [0])
    shown = np.reshape(picture.evaluate(PICTURE), (224, 224, 4))[::8, ::8, 0]
    expected = np.asarray(Image.open(io.BytesIO(client.picture(job.id, 0)), formats=["PNG"]))
    assert np.array_equal(shown, expected)
    assert picture.get_attribute("alt") == f"The image that drives {layer.name}, 0 most"
    assert page.locator("#unit-measures dt").all_text_contents()[0] == "Your drawing"
    assert page.locator("#unit-measures dt").all_text_contents()[-1] == "This picture"


def test_the_map_of_the_channel_follows_the_drawing(
    page: Page, client: Client, handwriting: Handwriting
) -> None:
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-map")).to_be_hidden()
    draw(page, handwriting["3"])
    expect(page.locator("#unit-map")).to_be_visible()
    assert page.locator("#unit-map").evaluate("c => [c.width, c.height]") == [28, 28]
    page.keyboard.press("Control+z")
    expect(page.locator("#unit-map")).to_be_hidden()


def test_a_unit_without_positions_shows_its_number(page: Page, handwriting: Handwriting) -> None:
    draw(page, handwriting["7"])
    page.get_by_role("listbox").last.scroll_into_view_if_needed()
    page.get_by_role("listbox").last.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-about")).to_have_text("the class “0”")
    expect(page.locator("#unit-value")).to_have_text(re.compile(r"\d"))


def test_a_link_opens_the_channel(open_pad: Open) -> None:
    page = open_pad("#mnist/logits/4")
    expect(page.locator("#unit-title")).to_have_text("logits · unit 4")
    expect(page.locator("#unit-link")).to_have_attribute("href", "#mnist/logits/4")
    page.get_by_role("button", name="Next channel").click()
    expect(page.locator("#unit-title")).to_have_text("logits · unit 5")
    expect(page).to_have_url(re.compile("#mnist/logits/5$"))
    page.go_back()
    expect(page.locator("#unit-title")).to_have_text("logits · unit 4")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#unit")).to_be_hidden()
    expect(page).to_have_url(re.compile("#mnist$"))


@pytest.mark.parametrize("where", ["#mnist/nowhere/1", "#mnist/logits/10", "#mnist/logits/x"])
def test_a_link_to_what_is_not_there_shows_the_model(open_pad: Open, where: str) -> None:
    page = open_pad(where)
    expect(page.get_by_role("radio", name="mnist", exact=False).last).to_be_checked()
    expect(page.locator("#unit")).to_be_hidden()


def test_closing_cancels_what_still_runs(page: Page, client: Client) -> None:
    page.route(JOBS, make_long)
    with page.expect_response(JOBS) as started:
        page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-status")).to_have_text(re.compile("Step|Waiting"))
    expect(page.locator("#unit-progress")).to_be_visible()
    with page.expect_request(lambda request: request.method == "DELETE"):
        page.keyboard.press("Escape")
    with pytest.raises(Unfinished) as caught:
        client.wait(client.maximisation(started.value.json()["id"]))
    assert caught.value.status == "cancelled"


def test_an_error_is_told_in_the_words_of_the_service(page: Page) -> None:
    def ask_nonsense(route: Route) -> None:
        route.continue_(post_data={"layer": "nowhere", "units": [0]})

    page.route(JOBS, ask_nonsense)
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-status")).to_contain_text("unknown layer 'nowhere'; known: ")
    page.unroute(JOBS)
    page.locator("#unit-again").click()
    expect(page.locator("#unit-picture")).to_be_visible(timeout=DRAWN_MS)


def test_a_dead_unit_is_said_to_be_dead(page: Page) -> None:
    def kill(route: Route) -> None:
        document = route.fetch(headers={**route.request.headers, "Prefer": "wait=60"}).json()
        for result in document["results"]:
            result["dead"] = True
        route.fulfill(json=document)

    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-picture")).to_be_visible(timeout=DRAWN_MS)
    page.keyboard.press("Escape")
    page.route(JOBS, kill)
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-verdict")).to_contain_text("is dead", timeout=DRAWN_MS)
    expect(page.locator("#unit-picture")).to_be_hidden()
    expect(page.locator("#unit-live")).to_be_hidden()
    expect(page.locator("#film-range")).to_be_disabled()


def test_the_picture_is_shown_while_it_is_drawn(page: Page) -> None:
    page.route(JOBS, make_long)
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    live = page.locator("#unit-live")
    expect(live).to_be_visible(timeout=DRAWN_MS)
    assert live.evaluate("c => [c.width, c.height]") == [28, 28]
    first = live.evaluate("c => c.toDataURL()")
    page.wait_for_function(
        "first => document.getElementById('unit-live').toDataURL() !== first",
        arg=first,
        timeout=DRAWN_MS,
    )
    expect(page.locator("#unit-status")).to_have_text(re.compile(r"Step \d+ of \d+"))
    assert page.locator("#film-frames").evaluate(INK)
    expect(page.locator("#unit-picture")).to_be_hidden()
    # Or the tests behind this one would wait for thousands of steps.
    with page.expect_response(lambda answer: answer.request.method == "DELETE"):
        page.keyboard.press("Escape")


def test_the_way_to_the_picture_can_be_gone_through(page: Page, client: Client) -> None:
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    film, live = page.locator("#film-range"), page.locator("#unit-live")
    expect(film).to_be_enabled(timeout=DRAWN_MS)
    expect(page.locator("#unit-picture")).to_be_visible()
    film.press("Home")
    caption = page.locator("#unit-picture-caption")
    expect(caption).to_have_text("After 1 step")
    expect(live).to_be_visible()
    expect(page.locator("#unit-picture")).to_be_hidden()
    film.press("ArrowRight")
    expect(caption).to_have_text(re.compile(r"After [2-9]\d* steps"))
    film.press("End")
    expect(caption).to_have_text("What it looks for")
    expect(page.locator("#unit-picture")).to_be_visible()

    job = client.maximise("mnist", client.layers("mnist")[0].name, [0])
    film.press("Home")
    shown = np.reshape(live.evaluate(PICTURE_OF_CANVAS), (28, 28, 4))[..., 0]
    strip = np.asarray(Image.open(io.BytesIO(client.film(job.id, 0)), formats=["PNG"]))
    assert np.array_equal(shown, strip[:, :28])


def test_it_plays_and_rests(page: Page) -> None:
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    play = page.get_by_role("button", name="Play")
    expect(play).to_be_enabled(timeout=DRAWN_MS)
    play.click()
    expect(play).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#unit-picture-caption")).to_have_text(re.compile("After"))
    play.click()
    expect(play).to_have_attribute("aria-pressed", "false")


def body(request: Request) -> Any:
    return request.post_data_json


def test_another_method_is_another_picture_of_the_same_unit(page: Page) -> None:
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    picture = page.locator("#unit-picture")
    expect(picture).to_be_visible(timeout=DRAWN_MS)
    first, where = picture.get_attribute("src"), page.url
    page.locator("#method summary").click()
    with page.expect_request(JOBS) as asked:
        page.locator("#method-preset").select_option("sharp")
    assert body(asked.value)["preset"] == "sharp"
    expect(page.locator("#method-summary")).to_have_text("Sharp")
    expect(picture).not_to_have_attribute("src", first or "", timeout=DRAWN_MS)
    with page.expect_request(JOBS) as asked:
        page.get_by_role("button", name="Another").click()
    assert (body(asked.value)["preset"], body(asked.value)["seed"]) == (
        "sharp",
        1,
    )
    with page.expect_request(JOBS) as asked:
        page.locator("#method-smooth").press("End")
    assert body(asked.value)["regularisers"] == {"total_variation": 1}
    with page.expect_request(JOBS) as asked:
        page.get_by_role("button", name="As it was").click()
    assert set(body(asked.value)) == {"layer", "units"}
    expect(picture).to_have_attribute("src", first or "", timeout=DRAWN_MS)
    assert page.url == where


def test_a_job_that_someone_else_cancels_is_started_again(page: Page, client: Client) -> None:
    page.route(JOBS, make_long, times=1)
    with page.expect_response(JOBS) as started:
        page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    expect(page.locator("#unit-status")).to_have_text(re.compile("Step|Waiting"))
    client.cancel(started.value.json()["id"])
    expect(page.locator("#unit-picture")).to_be_visible(timeout=DRAWN_MS)


def test_a_score_is_told_in_words(page: Page) -> None:
    shown = page.evaluate("""async () => {
      const { show } = await import("/pad/score.js");
      const box = document.createElement("dl");
      const nearest = { index: 9, label: "3", image: null };
      const score = { r: 0.917, high_frequency: 2, total_variation: 0.7, nearest };
      show(box, { dead: false, score });
      const told = [...box.querySelectorAll("dd")].map((part) => part.textContent);
      show(box, { dead: true, score: { high_frequency: 2, total_variation: 1, nearest } });
      return [told, box.hidden];
    }""")
    assert shown == [
        [
            "0.92 · best test image 1, median 0",
            "2.00 × real · rougher than real images",
            "0.70 × real · as in real images",
            "a “3”, no. 9",
        ],
        True,
    ]
