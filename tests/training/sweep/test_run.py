"""Sweeps over real digits, small enough to be run whole."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from glyphscope.errors import Conflict, InvalidRecipe, NotFound
from training import experiment
from training.sweep import plan as plans
from training.sweep import run
from training.sweep.cell import Progress, Watcher
from training.sweep.folder import SweepFolder
from training.sweep.plan import Plan
from training.sweep.results import Result, Results

MakePlan = Callable[..., Plan]
Sweep = Callable[..., Results]

LEARNS = ("optimiser.name=sgd", "optimiser.learning_rate=0.1", "schedule.name=constant")


class Stop(Watcher):
    """Interrupts the sweep in the second epoch of its n-th cell."""

    def __init__(self, cell: int) -> None:
        self.left = cell

    def ended(self, result: Result) -> None:
        self.left -= 1

    def progressed(self, progress: Progress) -> None:
        if self.left == 1 and progress.done > 1.5:
            raise KeyboardInterrupt


def figures(found: Results) -> list[tuple[dict[str, str], int, float | None]]:
    return [(cell.setting, cell.seed, cell.validation_accuracy) for cell in found.cells]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As many as a cell of these sweeps has, so that sums are added in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def events(out: Path, cell: str) -> list[str]:
    lines = (out / cell / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


def test_each_cell_is_the_run_that_its_recipe_gives_alone(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path, train_only: Path
) -> None:
    what = make_plan("optimiser.learning_rate=0.01,0.1", changes=LEARNS)
    found = sweep(what, tmp_path / "out")
    assert [cell.state for cell in found.cells] == ["done"] * 4
    for cell, result in zip(what.cells, found.cells, strict=True):
        alone = experiment.run_recipe(
            cell.recipe, train_only, torch.device("cpu"), tmp_path / "alone"
        )
        last = alone.history()[-1]
        assert result.validation_accuracy == pytest.approx(last.validation_accuracy, abs=1e-6)
        assert result.epochs == last.epoch == 2
    assert found.summary[1].mean != found.summary[0].mean
    assert {p.name for p in (tmp_path / "out").iterdir() if p.is_file()} == {
        ".lock", "results.json", "results.csv", "sweep.png",
    }  # fmt: skip


def test_a_stopped_sweep_goes_on_where_it_was(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    what = make_plan("optimiser.weight_decay=0,0.1", changes=LEARNS)
    whole = sweep(what, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        sweep(what, tmp_path / "out", watcher=Stop(cell=2))
    assert figures(sweep(what, tmp_path / "out")) == figures(whole)
    finished, half, fresh = (what.cells[i].folder.as_posix() for i in (0, 1, 2))
    assert events(tmp_path / "out", finished) == ["started", "epoch", "epoch", "ended"]
    assert events(tmp_path / "out", half) == [
        "started", "epoch", "ended", "resumed", "epoch", "ended",
    ]  # fmt: skip
    assert events(tmp_path / "out", fresh) == ["started", "epoch", "epoch", "ended"]


def test_a_cell_that_diverges_is_a_result_and_the_sweep_goes_on(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    what = make_plan("optimiser.learning_rate=1e12,0.1", replicates=1, changes=LEARNS)
    lost, done = sweep(what, tmp_path).cells
    assert (lost.state, lost.validation_accuracy) == ("diverged", None)
    assert "optimiser.learning_rate" in str(lost.reason)
    assert done.state == "done"
    before = events(tmp_path, lost.run)
    assert sweep(what, tmp_path).cells == (lost, done)
    assert events(tmp_path, lost.run) == before


def test_a_cell_that_failed_is_tried_again(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    what = make_plan("fit.epochs=1", replicates=2)
    blocked = tmp_path / what.cells[0].folder
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where a folder must be")
    first, second = sweep(what, tmp_path).cells
    assert (first.state, second.state) == ("failed", "done")
    assert first.reason
    blocked.unlink()
    assert [cell.state for cell in sweep(what, tmp_path).cells] == ["done", "done"]


def test_a_run_of_another_recipe_is_not_gone_on_with(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    (strange,) = make_plan("fit.epochs=1", replicates=1, changes=("seed=3",)).cells
    (cell,) = make_plan("fit.epochs=1", replicates=1).cells
    folder = tmp_path / cell.folder
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(strange.recipe.model_dump_json())
    (found,) = sweep(make_plan("fit.epochs=1", replicates=1), tmp_path).cells
    assert found.state == "failed"
    assert "holds a run of another recipe" in str(found.reason)


def test_another_sweep_in_the_same_folder_is_refused_with_the_difference(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    sweep(make_plan("fit.epochs=1", replicates=1), tmp_path)
    with pytest.raises(Conflict, match=r"--over fit\.epochs is 1,2 here and was 1 there"):
        sweep(make_plan("fit.epochs=1,2", replicates=1), tmp_path)
    with pytest.raises(Conflict, match=r"seed is 9 here and was 0 there; give another folder"):
        sweep(make_plan("fit.epochs=1", replicates=1, changes=("seed=9",)), tmp_path)
    with pytest.raises(Conflict, match=r"--over seed is 0 here and was not given there"):
        sweep(make_plan("fit.epochs=1", "seed=0", replicates=1), tmp_path)


def test_more_replicates_are_the_same_sweep(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    (first,) = sweep(make_plan("fit.epochs=1", replicates=1), tmp_path).cells
    more = sweep(make_plan("fit.epochs=1", replicates=2), tmp_path).cells
    assert more[0] == first
    assert [cell.seed for cell in more] == [0, 1]


def test_two_commands_cannot_sweep_in_one_folder(make_plan: MakePlan, tmp_path: Path) -> None:
    what = make_plan("fit.epochs=1")
    with (
        SweepFolder.opened(tmp_path, what),
        pytest.raises(Conflict, match="another command sweeps"),
        SweepFolder.opened(tmp_path, what),
    ):
        pass


def test_a_folder_of_something_else_is_named(make_plan: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text("{}")
    with (
        pytest.raises(InvalidRecipe, match=r"results\.json is no sweep's: recipe: Field required"),
        SweepFolder.opened(tmp_path, make_plan("fit.epochs=1")),
    ):
        pass


def test_nothing_is_made_where_the_sweep_cannot_be(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="unknown knob"):
        sweep(make_plan("network.kernel=3,5"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_default_folder_is_the_same_for_the_same_sweep(tmp_path: Path) -> None:
    what = plans.plan("mnist", [], ["optimiser.weight_decay=0,1", "network.name=mlp"], 3)
    assert run.default_folder(tmp_path, what) == tmp_path / "sweep-mnist-weight_decay-name"


def test_results_of_a_moved_folder_are_found_again(
    make_plan: MakePlan, sweep: Sweep, tmp_path: Path
) -> None:
    what = make_plan("fit.epochs=1", replicates=1)
    found = sweep(what, tmp_path / "a")
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert sweep(what, tmp_path / "b") == found


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(InvalidRecipe, match="unknown engine 'dask'; known: local, ray"):
        run.engine("dask")
