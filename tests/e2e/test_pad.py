"""Drawing, and what the pad shows of it, with real pen strokes and the shipped models."""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from clients import Client
from clients.errors import Refused
from glyphscope.preprocess import strokes as rasterise
from glyphscope.spec import InputSpec
from tests.e2e.chromium import Browser, Page, Route, expect
from tests.e2e.pen import Strokes, draw, touch
from tests.e2e.traffic import requests, settled, strokes_of

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Handwriting = dict[str, Strokes]

SAMPLE = Path(__file__).parents[1] / "data/mnist-sample.npz"

SETTLED_WIDTH = """async () => {
    const page = document.documentElement;
    for (let frame = 0; frame < 120; frame += 1) {
        await new Promise(requestAnimationFrame);
        if (frame > 1 && page.scrollWidth === innerWidth) break;
    }
    return page.scrollWidth;
}"""

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(("model", "labels"), [("mnist", "0123456789"), ("emnist", "ARe")])
def test_a_character_is_read_while_it_is_drawn(
    open_pad: Open, handwriting: Handwriting, model: str, labels: str
) -> None:
    page = open_pad(f"#{model}")
    for label in labels:
        draw(page, handwriting[label], lift=False)
        expect(page.locator("#headline")).to_have_text(label)
        expect(page.locator("#bars li")).to_have_count(5)
        expect(page.locator("#bars li .label").first).to_have_text(label)
        page.mouse.up()
        expect(page.locator("#spoken")).to_have_text(re.compile(rf"^{label}, [\d.> ]+ %"))
        page.keyboard.press("Delete")
        expect(page.locator("#bars li")).to_have_count(0)


def test_the_answer_is_that_of_the_service(
    page: Page, client: Client, handwriting: Handwriting
) -> None:
    sent = requests(page, "classify")
    draw(page, handwriting["3"])
    settled(page)
    [expected] = client.classify("mnist", strokes=[strokes_of(sent[-1])], top_k=5)
    shown = page.locator("#bars li").evaluate_all(
        "bars => bars.map(bar => [bar.children[0].textContent,"
        " Number(bar.style.getPropertyValue('--share'))])"
    )
    assert [label for label, _ in shown] == [one.label for one in expected.top]
    np.testing.assert_allclose(
        [share for _, share in shown], [one.probability for one in expected.top], atol=1e-5
    )


def test_it_shows_what_the_network_sees(page: Page, handwriting: Handwriting) -> None:
    sent = requests(page, "classify")
    draw(page, handwriting["5"])
    settled(page)
    seen = page.locator("#sight").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    expected = rasterise(strokes_of(sent[-1]), InputSpec(preprocessing="mnist"))
    assert np.array_equal(np.reshape(seen, (28, 28, 4))[..., 0], expected[0])


def test_strokes_are_sent_as_they_were_drawn(page: Page, handwriting: Handwriting) -> None:
    sent = requests(page, "classify")
    draw(page, handwriting["4"])
    settled(page)
    drawn, found = (
        [np.array(stroke) for stroke in drawing]
        for drawing in (handwriting["4"], strokes_of(sent[-1]))
    )
    assert len(found) == len(drawn)
    assert np.concatenate(found).min() >= 0
    assert np.concatenate(found).max() <= 1000
    for stroke, original in zip(found, drawn, strict=True):
        start, end = ((points - drawn[0][0]) * 720 for points in (original[0], original[-1]))
        np.testing.assert_allclose(stroke[0] - found[0][0], start, atol=8)
        np.testing.assert_allclose(stroke[-1] - found[0][0], end, atol=8)


def test_undo_redo_and_clear(page: Page, handwriting: Handwriting) -> None:
    sent = requests(page, "classify")
    expect(page.locator("#hint")).to_have_text("Draw a digit")
    expect(page.locator("#undo")).to_be_disabled()
    draw(page, handwriting["4"])
    settled(page)
    assert len(strokes_of(sent[-1])) == 2
    expect(page.locator("#hint")).to_be_hidden()

    with page.expect_request("**/classify?*") as undone:
        page.click("#undo")
    assert len(strokes_of(undone.value)) == 1
    with page.expect_request("**/classify?*") as redone:
        page.keyboard.press("Control+Shift+z")
    assert len(strokes_of(redone.value)) == 2

    page.keyboard.press("Delete")
    expect(page.locator("#hint")).to_be_visible()
    expect(page.locator("#bars li")).to_have_count(0)
    expect(page.locator("#headline")).to_be_hidden()
    expect(page.locator("#clear")).to_be_disabled()
    page.keyboard.press("Control+z")
    expect(page.locator("#headline")).to_have_text("4")
    page.keyboard.press("Escape")
    expect(page.locator("#hint")).to_be_visible()


def test_an_answer_that_comes_after_clearing_is_not_shown(
    page: Page, handwriting: Handwriting
) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/classify?*", hold)
    with page.expect_request("**/classify?*"):
        draw(page, handwriting["1"])
    page.keyboard.press("Delete")
    page.unroute("**/classify?*")
    assert len(held) == 1
    draw(page, handwriting["7"])
    expect(page.locator("#headline")).to_have_text("7")
    assert held[0].request.failure is not None


def test_switching_the_model_keeps_the_drawing(page: Page, handwriting: Handwriting) -> None:
    sent = requests(page, "classify")
    draw(page, handwriting["7"])
    settled(page)
    drawn = strokes_of(sent[-1])
    with page.expect_request("**/v1/models/fashion-mnist/classify?*") as asked:
        page.get_by_role("radio", name="fashion-mnist").check(force=True)
    assert strokes_of(asked.value) == drawn
    expect(page.locator("#bars li")).to_have_count(5)
    expect(page).to_have_url(re.compile("#fashion-mnist$"))
    expect(page).to_have_title("fashion-mnist · Glyphscope")
    page.go_back()
    expect(page.locator("#headline")).to_have_text("7")


def test_a_picture_is_read_as_the_service_reads_its_file(
    page: Page, client: Client, tmp_path: Path
) -> None:
    pixels = np.load(SAMPLE)["test_images"][45]
    path = tmp_path / "digit.png"
    Image.fromarray(pixels).save(path)
    page.set_input_files("#file", path)
    [expected] = client.classify("mnist", images=[path])
    expect(page.locator("#headline")).to_have_text(expected.label)
    expect(page.locator("#undo")).to_be_enabled()
    seen = page.locator("#sight").evaluate(
        "canvas => [...canvas.getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    assert np.array_equal(np.reshape(seen, (28, 28, 4))[..., 0], pixels)


def test_a_picture_can_be_dropped_anywhere(page: Page, client: Client) -> None:
    out = io.BytesIO()
    Image.fromarray(np.load(SAMPLE)["test_images"][100]).save(out, "PNG")
    page.evaluate(
        """text => {
          const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([bytes], "a.png", { type: "image/png" }));
          const how = { bubbles: true, cancelable: true, dataTransfer };
          document.body.dispatchEvent(new DragEvent("drop", how));
        }""",
        base64.b64encode(out.getvalue()).decode(),
    )
    [expected] = client.classify("mnist", images=[out.getvalue()])
    expect(page.locator("#headline")).to_have_text(expected.label)


def test_a_blank_picture_is_refused_in_the_words_of_the_service(
    page: Page, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "blank.png"
    Image.new("L", (40, 40), 255).save(path)
    with pytest.raises(Refused) as refused:
        client.classify("mnist", images=[path])
    page.set_input_files("#file", path)
    words = str(refused.value).removeprefix("file 0: ")
    expect(page.locator("#note")).to_have_text(words)
    expect(page.locator("#bars li")).to_have_count(0)


def test_a_file_that_is_no_picture_is_refused(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    page.set_input_files("#file", path)
    expect(page.locator("#note")).to_have_text("notes.txt is no image that can be shown here.")


def test_it_says_when_a_drawing_looks_strange(page: Page, handwriting: Handwriting) -> None:
    known: list[bool | None] = [None]

    def change(route: Route) -> None:
        document = route.fetch().json()
        document["predictions"][0]["in_distribution"] = known[0]
        route.fulfill(json=document)

    page.route("**/classify?*", change)
    for known[0], note in ((None, ""), (False, "This looks like none of mine."), (True, "")):
        draw(page, handwriting["2"])
        settled(page)
        expect(page.locator("#note")).to_have_text(note)


def test_a_service_that_is_gone_and_comes_back(page: Page, handwriting: Handwriting) -> None:
    draw(page, handwriting["6"])
    settled(page)
    page.context.set_offline(True)
    page.keyboard.press("Delete")
    draw(page, handwriting["0"])
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
    with page.expect_request("**/classify?*"):
        page.locator("#retry").dispatch_event("click")
    page.context.set_offline(False)
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator("#headline")).to_have_text("0")


def test_a_service_that_is_gone_at_first(browser: Browser, url: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/v1/**", lambda route: route.abort())
        page.goto(url)
        expect(page.get_by_role("alert")).to_contain_text("The service does not answer.")
        page.unroute("**/v1/**")
        page.get_by_role("button", name="Try again").dispatch_event("click")
        expect(page.locator(".strip").first).to_be_visible()
        expect(page.locator("#trouble")).to_be_hidden()


def test_a_model_that_nobody_knows_is_named(open_pad: Open) -> None:
    page = open_pad()
    page.evaluate("location.hash = '#nothing'")
    expect(page.locator("#note")).to_contain_text("unknown model 'nothing'; known: ")
    expect(page.get_by_role("radio", name=re.compile("^mnist"))).to_be_checked()


def test_it_draws_with_a_finger_on_a_phone(open_pad: Open, handwriting: Handwriting) -> None:
    page = open_pad(**PHONE)
    touch(page, handwriting["2"])
    expect(page.locator("#headline")).to_have_text("2")
    assert page.evaluate("[scrollX, scrollY]") == [0, 0]


def test_nothing_is_wider_than_the_window(open_pad: Open, handwriting: Handwriting) -> None:
    page = open_pad("#fashion-mnist")
    draw(page, handwriting["2"])
    settled(page)
    page.evaluate("location.hash = '#fashion-mnist/logits/1'")
    expect(page.locator("#unit")).to_be_visible()
    for width in (1440, 1024, 768, 390, 320):  # narrower, as the sheets must give way
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(SETTLED_WIDTH) == width
        for part in ("#paper", ".tools", "#bars", "#strips", "#unit"):
            box = page.locator(part).bounding_box()
            assert box is not None
            assert box["x"] >= 0, (part, width)
            assert box["x"] + box["width"] <= width, (part, width)


def test_everything_that_can_be_pressed_has_a_name(page: Page, handwriting: Handwriting) -> None:
    draw(page, handwriting["2"])
    settled(page)
    page.get_by_role("listbox").first.click(position={"x": 5, "y": 5})
    buttons: list[Any] = page.get_by_role("button").all()
    assert len(buttons) >= 6
    for button in buttons:
        assert button.evaluate("b => b.ariaLabel || b.textContent.trim()")
