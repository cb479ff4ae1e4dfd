from pathlib import Path

import pytest
from typer.testing import CliRunner

from training import cli


def shown(*arguments: str, root: Path) -> str:
    environment = {"COLUMNS": "120", "GLYPHSCOPE_DATA": str(root)}
    done = CliRunner(env=environment).invoke(cli.app, ["network", *arguments])
    assert done.exit_code == 0, done.exception
    return done.output


def row(output: str, name: str) -> list[str]:
    return next(line.split() for line in output.splitlines() if line.strip().startswith(name))


def test_layers_with_what_they_weigh_and_cost(data_root: Path) -> None:
    output = shown("mnist", "--set=network.name=card-cnn", root=data_root)
    assert "card-cnn   input 1x28x28, 10 classes" in output
    assert row(output, "conv2")[:6] == ["conv2", "conv", "5x5", "64x14x14", "51,264", "10,035,200"]
    assert row(output, "dense1")[2:][:4] == ["1024", "3,212,288", "3,211,264", "98.1%"]
    assert "3,274,634 parameters (12.5 MiB in float32), 13,883,904 multiply-adds" in output


def test_blocks_are_summed_and_opened_on_demand(tmp_path: Path) -> None:
    knobs = ["--set=network.name=resnet18", "--input=3x224x224", "--classes=1000"]
    brief = shown("mnist", *knobs, root=tmp_path)
    assert row(brief, "block1_1")[1:] [:7] == [
        "residual", "block", "of", "5", "64x56x56", "73,984", "231,211,008",
    ]  # fmt: skip
    assert "shortcut.conv" not in brief
    assert "11,689,512 parameters" in brief
    opened = shown("mnist", *knobs, "--all", root=tmp_path)
    assert row(opened, "shortcut.conv")[1:4] == ["conv", "1x1,", "stride"]


@pytest.mark.parametrize("shape", ["28x28", "0x28x28", "3,32,32"])
def test_a_shape_that_is_none(shape: str) -> None:
    done = CliRunner().invoke(cli.app, ["network", "mnist", f"--input={shape}"])
    assert "such as 3x32x32" in str(done.exception)
