"""Worker processes, for real: each takes seconds to start, since it loads PyTorch."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.training.sweep.conftest import TINY
from training import cli
from training.sweep import engine
from training.sweep.cell import Place, Progress, Watcher
from training.sweep.plan import Plan
from training.sweep.results import Result, Results

ROOT = Path(__file__).parents[3]

MakePlan = Callable[..., Plan]
Sweep = Callable[..., Results]


class KillFirst(Watcher):
    """Kills the worker of the first cell that is heard of, as a lack of memory would."""

    def __init__(self) -> None:
        self.killed = False
        self.results: list[Result] = []

    def progressed(self, progress: Progress) -> None:
        if not self.killed:
            self.killed = True
            (worker,) = multiprocessing.active_children()
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)

    def ended(self, result: Result) -> None:
        self.results.append(result)


@pytest.mark.slow
def test_workers_find_what_one_process_finds(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    what = make_plan("optimiser.learning_rate=0.01,1e12", changes=("optimiser.name=sgd",))
    alone = sweep(what, tmp_path / "alone", jobs=1)
    spread = sweep(what, tmp_path / "spread", jobs=2)
    assert [(c.state, c.validation_accuracy, c.reason) for c in spread.cells] == [
        (c.state, c.validation_accuracy, c.reason) for c in alone.cells
    ]
    assert [c.state for c in spread.cells] == ["done", "done", "diverged", "diverged"]
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_cell_only(
    make_plan: MakePlan, train_only: Path, tmp_path: Path
) -> None:
    cells = make_plan("fit.epochs=9999,1", replicates=1).cells
    watcher = KillFirst()
    place = Place(tmp_path, train_only, "cpu", jobs=1, threads=1)
    engine.over_workers(cells, place, watcher)
    assert [(r.run, r.state) for r in watcher.results] == [
        (cells[0].folder.as_posix(), "failed"),
        (cells[1].folder.as_posix(), "done"),
    ]
    assert watcher.results[0].reason == "its process ended with exit code -9"


# A shell's background jobs ignore Ctrl-C, and children inherit that.
MAIN = """
import signal, training.cli
signal.signal(signal.SIGINT, signal.default_int_handler)
training.cli.main()
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_and_the_same_command_goes_on(
    train_only: Path, tmp_path: Path
) -> None:
    arguments = [
        "sweep", "mnist", "--data", str(train_only), "--out", str(tmp_path / "out"),
        "--replicates", "2", *(f"--set={change}" for change in TINY), "--over=fit.epochs=1,60",
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *arguments, "--jobs", "2"],
        cwd=ROOT, env={**os.environ, "COLUMNS": "200"}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "seed" in line and "%" in line:
            break
    # To the whole group, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    # The workers have inherited these pipes: their end is reached when none is left.
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130, said
    assert said.strip() == "glyphscope-train: stopped; the same command goes on"
    # How many work at a time is not the sweep's: here none but this process does.
    again = CliRunner(env={"COLUMNS": "200"}).invoke(cli.app, [*arguments, "--jobs", "1"])
    assert again.exit_code == 0, again.output
    assert "finished before" in again.stdout
    assert "the test set was not read" in again.stdout
