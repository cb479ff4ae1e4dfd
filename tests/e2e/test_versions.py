"""The pad follows what is served: a version that is promoted is looked at without a reload."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients import Client
from glyphscope import checkpoint
from glyphscope.manifest import Manifest
from glyphscope.store import Store
from tests.conftest import Serve
from tests.e2e.chromium import Browser, Page, Response, expect

pytestmark = pytest.mark.browser

KEY = "a key for tests"
SHIPPED = Path(__file__).parents[2] / "checkpoints"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The shipped models, of mnist the first version alone and the same network once more as 2."""
    root = tmp_path_factory.mktemp("versions") / "store"
    shutil.copytree(SHIPPED, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for left in ("2", ".last", "aliases.json"):
        path = root / "mnist" / left
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    store = Store(root)
    store.set_alias("mnist", "production", 1)
    found = checkpoint.load(root / "mnist" / "1")

    def write(folder: Path, version: int) -> Manifest:
        manifest = found.manifest.model_copy(update={"version": version, "files": {}})
        return checkpoint.write(folder, manifest, found.network, {})

    store.publish("mnist", write, alias="candidate")
    return store


@pytest.fixture(scope="module")
def address(serve: Serve, store: Store) -> Iterator[str]:
    with serve(store.root, worker=False, admin_key=KEY) as address:
        yield address


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = context.new_page()
        page.goto(address)
        yield page


def test_a_promoted_version_is_looked_at_at_once(page: Page, address: str) -> None:
    chosen = page.locator("#models label", has=page.locator("input:checked"))
    expect(chosen).to_contain_text("mnist")
    expect(chosen).to_contain_text("v1 · 99.7")
    paper = page.locator("#paper")
    paper.click(position={"x": 120, "y": 60})
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "false")
    with Client(address) as client:
        for version in (2, 1):
            with page.expect_response(answered_by(version)):
                client.promote("mnist", version, admin_key=KEY)
            expect(chosen).to_contain_text(f"v{version} ·")


def answered_by(version: int) -> Callable[[Response], bool]:
    def answered(response: Response) -> bool:
        return "/classify" in response.url and bool(response.json()["version"] == version)

    return answered


def test_an_alias_is_named(page: Page, address: str) -> None:
    page.goto(f"{address}/#mnist@candidate")
    chosen = page.locator("#models label", has=page.locator("input:checked"))
    expect(chosen).to_contain_text("v2 candidate")
    expect(chosen).to_have_attribute(
        "title",
        "\n".join(
            [
                "99.7 % of 10,000 test images of mnist right",
                "candidate is version 2",
                "production is version 1",
            ]
        ),
    )
