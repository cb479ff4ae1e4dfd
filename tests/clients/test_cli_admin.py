"""Versions moved from the command line, against a real service."""

import json
import shutil
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from clients.cli import app
from glyphscope.store import Store
from tests.conftest import Serve

KEY = "a key for tests"


@pytest.fixture(scope="module")
def own(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A copy, since these tests move its aliases."""
    folder = tmp_path_factory.mktemp("own") / "store"
    shutil.copytree(store.root, folder)
    return Store(folder)


@pytest.fixture(scope="module")
def address(serve: Serve, own: Store) -> Iterator[str]:
    with serve(own.root, worker=False, admin_key=KEY) as address:
        yield address


@pytest.fixture(autouse=True)
def _service(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLYPHSCOPE_URL", address)
    monkeypatch.setenv("GLYPHSCOPE_ADMIN_KEY", KEY)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_promote_and_back(own: Store) -> None:
    for version in (2, 1):
        done = run("promote", "mnist", version)
        assert (done.exit_code, done.stdout) == (
            0, f"mnist@production is version {version} now\n",
        )  # fmt: skip
        assert own.aliases("mnist")["production"] == version
    assert run("promote", "mnist", 2, "--alias", "steady").exit_code == 0
    assert own.aliases("mnist")["steady"] == 2


def test_load_and_unload(own: Store) -> None:
    own.set_alias("mnist", "candidate", 1)
    own.set_alias("mnist", "steady", 1)
    assert run("load", "mnist", 2).stdout == "mnist@2 is loaded\n"
    assert run("unload", "mnist", 2).stdout == "mnist@2 is unloaded\n"
    refused = run("unload", "mnist", 1)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: mnist@1 is in use by alias ")
    assert run("load", "mnist", 2).exit_code == 0


def test_status(own: Store) -> None:
    shown = run("status")
    assert shown.exit_code == 0, shown.stderr
    assert "production = 1" in shown.stdout
    assert "mnist@1" in shown.stdout
    document = json.loads(run("status", "--json").stdout)
    assert document["models"][0]["serving"]["production"] == 1


@pytest.mark.parametrize("key", ["wrong", ""])
def test_without_the_key(own: Store, key: str) -> None:
    before = own.aliases("mnist")
    refused = run("promote", "mnist", 2, "--admin-key", key)
    assert refused.exit_code == 2
    assert "needs the admin key" in refused.stderr
    assert own.aliases("mnist") == before
