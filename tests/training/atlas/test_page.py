import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.atlas.conftest import Case
from training.atlas import page


class Parts(HTMLParser):
    """Scripts by kind, and every address that the page names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: dict[str, str] = {}
        self.addresses: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.addresses += [str(known[key]) for key in ("src", "href") if key in known]
        self._inside = str(known.get("type") or "plain") if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data


def test_the_page_holds_everything_and_nothing_ends_it_early(case: Case, tmp_path: Path) -> None:
    path = page.write(case.atlas, tmp_path / "deep/er/atlas.html")
    text = path.read_text("utf-8")
    parts = Parts(text)
    assert all(address.startswith("#/") for address in parts.addresses)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    data = json.loads(parts.scripts["application/json"])
    assert data["model"]["labels"][0] == "</script>"
    assert data["layers"] == json.loads(json.dumps(case.atlas.facts["layers"]))
    assert not list(tmp_path.glob("**/*.part"))


def test_sheets_are_cut_where_the_data_says(case: Case) -> None:
    text = page.render(case.atlas)
    data = json.loads(Parts(text).scripts["application/json"])
    for name, pixels in case.atlas.sheets.items():
        found = re.search(
            rf"\.s-{name} {{ background-image: url\(data:image/png;base64,(.*?)\)", text
        )
        assert found
        with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
            sheet = np.asarray(picture)
        columns, _, count, height, width = data["sheets"][name]
        assert count == len(pixels)
        for row in (0, count // 2, count - 1):
            top, left = row // columns * height, row % columns * width
            tile = sheet[top : top + height, left : left + width]
            np.testing.assert_array_equal(tile, pixels[row, 0])
