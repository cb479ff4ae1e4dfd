import os
from pathlib import Path
from shutil import copytree

import pytest
from PIL import Image

from tests.training.conftest import Call

SHIPPED = Path(__file__).parents[3] / "checkpoints"


@pytest.fixture
def call(call: Call, tmp_path: Path, trained_run: Path) -> Call:
    """Where two runs are."""
    for age, name in enumerate(("older", "newer")):
        copytree(trained_run, tmp_path / "runs" / name)
        os.utime(tmp_path / "runs" / name / "recipe.json", (age, age))
    return call


def test_the_classes_of_the_newest_run(call: Call, tmp_path: Path) -> None:
    code, out, err = call("visualise", "last", "--steps", "4", "--scale", "2")
    assert code == 0, err
    assert "logits: 10 units, row by row" in out
    with Image.open(tmp_path / "units.png") as picture:
        assert picture.size == (2 * (4 * 29 - 1), 2 * (3 * 29 - 1))  # four columns, three rows


def test_the_first_layers_weights(call: Call, tmp_path: Path) -> None:
    code, _, err = call("visualise", "runs/older", "--filters", "--out", "sub/first.png")
    assert code == 0, err
    with Image.open(tmp_path / "sub/first.png") as picture:
        assert picture.size[0] >= 112


def test_units_of_a_published_model(call: Call) -> None:
    code, out, err = call(
        "visualise", "mnist", "--layer=out1", "--units=3,0", "--steps=2", f"--store={SHIPPED}"
    )
    assert code == 0, err
    assert "out1: 2 units, row by row" in out
    assert "times as far as any test image" in out


def test_the_newest_run_can_be_named_last(call: Call, tmp_path: Path) -> None:
    code, _, err = call("evaluate", "last", "--split", "validation", "--no-report")
    assert code == 0, err
    assert (tmp_path / "runs/newer/validation.json").exists()
    assert not (tmp_path / "runs/older/validation.json").exists()
    (tmp_path / "none").mkdir()
    code, _, err = call("evaluate", "last", "--runs", "none")
    assert (code, "unknown run in 'none'" in err) == (2, True)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--units", "a"], "--units takes numbers such as 0,3,7, or \"all\", not 'a'"),
        (["--units", "10"], "10"),
        (["--layer", "nothing"], "unknown layer 'nothing'"),
    ],
)
def test_what_is_not_there_is_named(call: Call, options: list[str], reason: str) -> None:
    code, _, err = call("visualise", "last", *options)
    assert (code, reason in err) == (2, True), err
