"""The microscope's methods and commands, against a real service whose version has a test set."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors import torch as tensors
from typer.testing import CliRunner, Result

from clients import Client
from clients.cli import app
from clients.errors import NotFound
from glyphscope import checkpoint
from glyphscope.attribution import attribute
from glyphscope.attribution_methods import METHODS
from glyphscope.catalogue import network_spec
from glyphscope.manifest import SNAPSHOTS, Manifest
from glyphscope.networks import build
from glyphscope.snapshots import pack
from glyphscope.spec import InputSpec, LabelSet
from glyphscope.store import Store
from tests.conftest import Serve
from tests.service import testset

Digits = NDArray[np.uint8]

# Its process imports PyTorch for the first of them, on a machine that may be busy.
PATIENCE = 240.0

SPEC = network_spec("card-cnn", (1, 28, 28), 10, features=(4, 6), units=16)
INPUT = InputSpec(mean=(0.13,), std=(0.31,))


def _write(folder: Path, version: int) -> Manifest:
    manifest = Manifest(
        name="mnist",
        version=version,
        created="2026-01-01T00:00:00Z",
        network=SPEC,
        input=INPUT,
        labels=LabelSet(names=tuple("0123456789")),
    )
    epochs = {epoch: build(SPEC, seed=epoch + 7).state_dict() for epoch in (0, 2)}
    files = {SNAPSHOTS: tensors.save(pack(epochs)), **testset.files(SPEC, 0, INPUT)}
    return checkpoint.write(folder, manifest, build(SPEC), files)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("seen"))
    store.publish("mnist", _write)
    return store


@pytest.fixture(scope="module")
def address(serve: Serve, seen: Store) -> Iterator[str]:
    with serve(seen.root) as address:
        yield address


@pytest.fixture(scope="module")
def scope(address: str) -> Iterator[Client]:
    with Client(address, timeout=PATIENCE) as client:
        client.attribute("mnist", strokes=[[[[0, 0], [4, 9]]]])  # its process runs from here on
        yield client


@pytest.fixture
def image(tmp_path: Path, digits: Digits) -> Path:
    path = tmp_path / "digit.png"
    Image.fromarray(digits[0]).save(path)
    return path


@pytest.fixture
def run(scope: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: object) -> Result:
        monkeypatch.setenv("GLYPHSCOPE_URL", scope.url)
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def test_a_heat_map_is_the_librarys(scope: Client, seen: Store, digits: Digits) -> None:
    [found] = scope.attribute("mnist", method="saliency", target="3", array=digits[:1])
    loaded = checkpoint.load(seen.root / "mnist/1")
    expected = attribute(loaded, digits[:1][:, None], "saliency", 3)
    np.testing.assert_allclose(found.map, expected.heat[0], atol=1e-5)
    assert (found.target.label, found.target.index) == ("3", 3)
    assert [one.name for one in scope.attribution_methods("mnist")] == list(METHODS)


def test_what_a_version_tells_of_itself(scope: Client) -> None:
    assert scope.filters("mnist", "conv1").startswith(b"\x89PNG")
    assert [one.unit for one in scope.units("mnist", "act2")] == list(range(6))
    examples = scope.examples("mnist", "act2", 3)
    assert examples[0].activation >= examples[-1].activation
    assert scope.example_sheet("mnist", "act2", 3).startswith(b"\x89PNG")
    assert scope.test_image("mnist", examples[0].index).startswith(b"\x89PNG")
    assert len(scope.embedding("mnist").x) == testset.IMAGES
    [place] = scope.place("mnist", images=[scope.test_image("mnist", 5)])
    assert place.neighbours[0].index == 5
    evolved = scope.evolution("mnist", "act2", 3)
    assert [stage.epoch for stage in evolved.stages] == [0, 2, None]
    assert evolved.stages[-1].highest == pytest.approx(examples[0].activation, rel=1e-4)
    compared = scope.compare("mnist", "mnist@1", ["act2"])
    assert (compared.agreement, [one.first for one in compared.layers]) == (1, ["act2"])
    with pytest.raises(NotFound, match="unknown unit of layer act2"):
        scope.examples("mnist", "act2", 6)


def test_what_becomes_of_an_image(scope: Client, image: Path) -> None:
    [fooled] = scope.adversarial("mnist", images=[image])
    assert fooled.fooled
    [told] = scope.classify("mnist", images=[fooled.after.png])
    assert told.label == fooled.after.label != fooled.before.label
    assert scope.invert("mnist", "act1", steps=4, images=[image]).startswith(b"\x89PNG")


def test_the_commands_write_pictures(run: Any, image: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    for arguments, side in (
        (["attribute", "mnist", image, "--method", "integrated-gradients", "--scale", 4], 112),
        (["invert", "mnist", image, "--layer", "act1", "--steps", 4, "--scale", 2], 56),
        (["fool", "mnist", image], 28),
        (["filters", "mnist", "conv1", "--scale", 1], 11),
        (["examples", "mnist", "act2", 3, "--scale", 1], 86),
    ):
        result = run(*arguments, "--out", out)
        assert result.exit_code == 0, result.stderr
        with Image.open(out, formats=["PNG"]) as picture:
            assert picture.width == side, arguments
        out.unlink()


def test_a_unit_is_drawn_at_each_epoch(run: Any, tmp_path: Path) -> None:
    result = run("evolution", "mnist", "conv2", 3, "--out", tmp_path / "way", "--scale", 2)
    assert result.exit_code == 0, result.stderr
    found = sorted((tmp_path / "way").iterdir())
    names = ["epoch-0000", "epoch-0002", "published"]
    assert [path.name for path in found] == [f"mnist-conv2-3-{name}.png" for name in names]
    assert len({path.read_bytes() for path in found}) == 3


def test_the_commands_show_tables(run: Any, image: Path) -> None:
    for arguments, words in (
        (["attribute", "mnist", image, "--target", "7"], "strongest for at"),
        (["methods", "mnist"], "integrated-gradients"),
        (["units", "mnist", "act2"], "median"),
        (["examples", "mnist", "act2", 3], "columns"),
        (["evolution", "mnist", "conv2", 3], "published"),
        (["place", "mnist", image], "nearest test images"),
        (["compare", "mnist", "mnist@1"], "the same answer to 100.0%"),
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.stderr
        assert words in result.stdout
        as_json = run(*arguments, "--json")
        assert json.loads(as_json.stdout)


def test_mistakes_name_images_and_units(run: Any, scope: Client, seen: Store) -> None:
    cells = checkpoint.load(seen.root / "mnist/1").confusions.cells()
    cell = next(one for one in cells if one.truth != one.answer)
    shown = run("mistakes", "mnist", cell.truth, cell.answer)
    assert shown.exit_code == 0, shown.stderr
    assert f"{cell.count} of {cell.truth} answered as {cell.answer}" in shown.stdout
    assert "standard deviations" in shown.stdout
    found = json.loads(run("mistakes", "mnist", cell.truth, cell.answer, "--json").stdout)
    assert [one["index"] for one in found["examples"]] == list(cell.examples)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["attribute", "mnist", "{image}", "--method", "guess"], "attribution method 'guess'"),
        (["attribute", "mnist", "{image}", "--out", "a.txt"], "not '.txt'"),
        (["fool", "mnist", "{image}", "--target", "x"], "unknown class of mnist 'x'"),
        (["filters", "mnist", "act1", "--out", "x.png"], "act1 (relu) has no kernels"),
        (["examples", "mnist", "act2", "9"], "unknown unit of layer act2 '9'"),
        (["place", "mnist", "/no/such.png"], "No such file"),
    ],
)
def test_bad_input_is_one_line(run: Any, image: Path, arguments: list[str], reason: str) -> None:
    result = run(*(argument.format(image=image) for argument in arguments))
    assert result.exit_code == 2
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
