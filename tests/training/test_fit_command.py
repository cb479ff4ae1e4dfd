import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import require
from training import cli
from training.fit import Diverged

ROOT = Path(__file__).parents[2]

SMALL = [
    "--no-test",
    "--set=split.validation=100",
    "--set=network={name='mlp', units=[16]}",
    "--set=augment={}",
    "--set=fit.batch_size=50",
    "--set=fit.epochs=2",
]

# A shell's background jobs ignore Ctrl-C, and children inherit that.
MAIN = """
import signal, training.cli
signal.signal(signal.SIGINT, signal.default_int_handler)
training.cli.main()
"""

Program = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def program(tmp_path: Path, data_root: Path) -> Iterator[Program]:
    """Start ``glyphscope-train fit mnist`` in an empty folder, as a shell would."""
    started: list[subprocess.Popen[str]] = []
    environment = {
        **{name: v for name, v in os.environ.items() if not name.startswith("GLYPHSCOPE_")},
        "GLYPHSCOPE_DATA": str(data_root),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "fit", "mnist", *SMALL, *arguments],
            cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_resume_ends(
    program: Program, invoke: "Invoke", tmp_path: Path
) -> None:
    changes = ["--set=fit.epochs=4000", "--set=schedule.name=constant"]
    process = program(*changes)
    assert process.stdout
    lines = iter(process.stdout.readline, "")
    assert any("epoch   2/4000" in line for line in lines)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    said = re.fullmatch(
        r"glyphscope-train: stopped; (runs/\S+) keeps (\d+) finished epochs, and the same command "
        r"with --resume goes on from there\n",
        err,
    )
    assert said, err
    folder, done = tmp_path / said[1], int(said[2])
    assert len(json.loads((folder / "history.json").read_text())) == done

    again = invoke("--resume", f"--set=fit.epochs={done + 1}", *changes[1:])
    assert again.exit_code == 0, again.output
    assert f"epoch {done + 1:>3}/{done + 1}   loss" in again.stdout
    assert len(json.loads((folder / "history.json").read_text())) == done + 1


Invoke = Callable[..., Any]
"""(arguments of fit) -> click's Result"""


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data_root: Path) -> Invoke:
    """The same in this process, for what ends by itself."""
    monkeypatch.chdir(tmp_path)
    environment = {"GLYPHSCOPE_DATA": str(data_root), "COLUMNS": "200"}
    return lambda *arguments: CliRunner().invoke(
        cli.app, ["fit", "mnist", *SMALL, *arguments], env=environment
    )


def test_output_that_is_no_terminal_has_no_escapes_and_no_empty_lines(invoke: Invoke) -> None:
    done = invoke()
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert "\r" not in done.output
    lines = done.stdout.splitlines()
    assert lines[0].startswith("run runs/mnist-")
    assert [line.split()[0] for line in lines] == [
        "run", "epoch", "epoch", "best", "validation", "training",
    ]  # fmt: skip


def test_a_dry_run_says_everything_and_leaves_nothing(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("--dry-run")
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert "dense1 dense 16 12,560" in said  # 784 x 16 weights and 16 biases
    assert "parameters 12,730" in said
    assert "steps 20: 2 epochs of 10, batches of 50" in said
    assert "estimated time" in said
    assert "nothing was written" in said
    assert list(tmp_path.iterdir()) == []


def test_learning_batches_by_heart(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("--overfit-batches=2", "--set=optimiser.learning_rate=0.01")
    assert done.exit_code == 0, done.output
    assert "accuracy 100.00%\nlearned 100 images by heart" in done.stdout
    slow = invoke("--overfit-batches=2", "--set=optimiser.learning_rate=1e-9")
    assert isinstance(slow.exception, Diverged)  # exit code 1
    assert list(tmp_path.iterdir()) == []


def test_the_run_holds_the_curves_and_both_weights(invoke: Invoke, tmp_path: Path) -> None:
    done = invoke("--set=fit.snapshots=true")
    assert done.exit_code == 0, done.output
    (run,) = (tmp_path / "runs").iterdir()
    files = {path.name for path in run.iterdir()}
    assert files == {
        "recipe.json", "machine.json", "state.pt", "model.safetensors", "last.safetensors",
        "snapshots", "history.json", "log.jsonl", "curves.png",
    }  # fmt: skip


def test_tensorboard_is_an_option(invoke: Invoke, tmp_path: Path) -> None:
    if importlib.util.find_spec("tensorboard") is None:
        require("tensorboard", "TensorBoard is not installed: pip install tensorboard")
    done = invoke("--tensorboard")
    assert done.exit_code == 0, done.output
    (run,) = (tmp_path / "runs").iterdir()
    assert list((run / "tensorboard").glob("events.out.*"))
