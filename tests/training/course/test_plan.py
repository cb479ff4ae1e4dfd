"""Every experiment of the course can be started: recipes load, sweeps plan, scripts are there."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from glyphscope.errors import NotFound
from training import cli, recipe
from training.course.plan import TRAINS, Experiment, Step, load
from training.sweep.plan import plan

ROOT = Path(__file__).parents[3]

EVERY = load()


def options(step: Step, name: str, short: bool) -> list[str]:
    words = step.argv(Path("/out"), short)
    return [w.removeprefix(f"--{name}=") for w in words if w.startswith(f"--{name}=")]


def test_the_twelve_experiments_in_order() -> None:
    assert [e.letter for e in EVERY] == list("abcdefghijkl")
    assert [e.letter for e in load(["e", "c"])] == ["c", "e"]
    with pytest.raises(NotFound, match="unknown experiment 'z'; known: a, b"):
        load(["z"])


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("experiment", EVERY, ids=lambda e: e.letter)
def test_each_step_can_be_started(experiment: Experiment, short: bool) -> None:
    for step in experiment.steps:
        if step.example:
            assert (ROOT / "examples" / f"{step.example.replace('.', '/')}.py").is_file()
            continue
        name, *rest = step.command
        assert CliRunner().invoke(cli.app, [name, "--help"]).exit_code == 0
        if name in (*TRAINS, "network") and name != "order":
            changes = options(step, "set", short)
            found = recipe.load(rest[0], changes)
            assert found.fit.epochs == 2 or not short or name == "network"
            if name == "sweep":
                assert plan(rest[0], changes, options(step, "over", short), 1).cells


def test_a_step_is_a_command_or_a_script() -> None:
    with pytest.raises(ValueError, match="a command or an example"):
        Step()
    with pytest.raises(ValueError, match="a command or an example"):
        Step(command=("data",), example="course.own_folder")
