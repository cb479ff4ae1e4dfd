import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

from training import report
from training import subject as subjects
from training.evaluate import judge
from training.pen import Group, Pen, Share
from training.plots import figure, svg, title
from training.record import Record
from training.run import Run

VOID = {"meta", "img", "link", "br", "input"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what they refer to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.refers: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and value:
                self.refers.append(value)
            if name == "id" and value:
                self.anchors.add(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, trained_run: Path, data_root: Path) -> Record:
    folder = tmp_path_factory.mktemp("report") / trained_run.name
    run = Run.open(shutil.copytree(trained_run, folder))
    return judge(subjects.of_run(run, data_root, torch.device("cpu")), data_root, quick=True)


@pytest.fixture(scope="module")
def text(record: Record) -> str:
    return report.render(record)


def test_it_is_one_file_that_refers_to_nothing_outside(text: str) -> None:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    inside = [r for r in page.refers if r.startswith("#")]
    assert all(r.startswith(("data:image/png;base64,", "#")) for r in page.refers)
    assert {r[1:] for r in inside if r[1:].isalpha()} <= page.anchors
    assert "@import" not in text
    assert "<script" not in text
    assert re.findall(r"url\((?!#)", text) == []


def test_it_says_what_was_recorded(text: str, record: Record) -> None:
    assert f"<h1>{record.subject}</h1>" in text
    for value in (record.metrics.accuracy, record.certainty.ece_before, record.interval[1]):
        assert report.percent(value) in text
    for curve in record.robustness:
        assert curve.title in text
    for line in record.left_out:
        assert line in text
    assert "learning_rate = " in text
    assert "UNIPEN), made into pixels" not in text  # no strokes here, so no section about them
    assert text.count('class="thumb"') == sum(
        [
            len(record.hardest),
            *(len(p.examples) for p in record.pairs),
            *(len(s.examples) for s in record.rejection.strangers),
        ]
    )


def test_pen_strokes_have_their_section_and_names_are_escaped(record: Record) -> None:
    group = Group(
        title="Writers held out", n=12, writers=3, accuracy=0.75, interval=(0.5, 1.0),
        in_distribution=None,
    )  # fmt: skip
    shares = (Share(name="7", n=12, accuracy=0.75),)
    pen = Pen(groups=(group,), labels=shares, writers=shares, misread=record.hardest[:1])
    text = report.render(record.model_copy(update={"pen": pen, "subject": "<b>x</b>"}))
    assert "12 characters of 3 writers" in text
    assert 'id="pen"' in text
    assert "<h1>&lt;b&gt;x&lt;/b&gt;</h1>" in text


def test_strangers_that_training_showed_are_told(record: Record, text: str) -> None:
    recipe = {**record.recipe, "fit": {**record.recipe["fit"], "strangers": 0.1}}
    told = report.render(record.model_copy(update={"recipe": recipe}))
    assert "were part of its training" in told
    assert "were part of its training" not in text


def test_plots_are_xml_in_the_pages_colours() -> None:
    made, axes = figure()
    axes.plot([0, 1], [0, 1], color="#c2431a")
    title(axes, "a < b")
    found = svg(made, 'a "plot" \\1')
    root = ElementTree.fromstring(found)
    assert root.get("aria-label") == 'a "plot" 1'
    assert "var(--accent)" in found
    assert "#c2431a" not in found
    assert "DejaVu" not in found
    assert svg(made, 'a "plot" \\1') == found


@pytest.mark.parametrize(("value", "digits", "said"), [(0.997, 2, "99.70"), (0.0625, 0, "6")])
def test_shares_are_percentages(value: float, digits: int, said: str) -> None:
    assert report.percent(value, digits) == f"{said}\u00a0%"


def test_a_recipe_is_shown_as_toml() -> None:
    recipe = {
        "name": "x",
        "test": None,
        "optimiser": {"name": "adamw", "decay": {"conv": None}, "milestones": [0.5]},
        "fit": {"ema": {"decay": 0.9}},
    }
    assert report.sections(recipe) == [
        'name = "x"',
        '[optimiser]\nname = "adamw"\nmilestones = [0.5]',
        "[fit]\nema = { decay = 0.9 }",
    ]
