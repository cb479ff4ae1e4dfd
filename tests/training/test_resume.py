from collections.abc import Callable
from pathlib import Path

import pytest

from glyphscope.errors import Conflict, NotFound
from training import recipe, resume
from training.fit import Trainer
from training.run import Epoch, Run

Start = Callable[..., Trainer]


def begun(runs: Path, done: int, *changes: str) -> Run:
    """A run of which so many epochs are done; every epoch is equally good."""
    run = Run.create(runs, recipe.load("mnist", list(changes)))
    run.write_json("machine.json", {"device": "cpu", "steps": 7})
    run.record([Epoch(n, 1.0, 0.5, 1.0, 0.5, 0.1, 1.0) for n in range(1, done + 1)])
    return run


def test_only_keys_that_move_no_weight_may_differ(tmp_path: Path) -> None:
    run = begun(tmp_path, 1, "fit.epochs=3")
    same = ["fit.epochs=3", "fit.snapshots=true", "fit.tensorboard=true", "fit.patience=9"]
    assert resume.unfinished(tmp_path, recipe.load("mnist", same)).folder == run.folder
    assert run.recipe.fit.tensorboard
    with pytest.raises(NotFound, match=r"differs in optimiser.learning_rate, fit.batch_size\)"):
        resume.unfinished(
            tmp_path,
            recipe.load("mnist", ["optimiser.learning_rate=9", "fit.batch_size=9", "fit.epochs=3"]),
        )


def test_a_finished_run_has_nothing_left(tmp_path: Path) -> None:
    begun(tmp_path, 3, "fit.epochs=3")
    with pytest.raises(NotFound, match=r"\(finished\)"):
        resume.unfinished(tmp_path, recipe.load("mnist", ["fit.epochs=3"]))


@pytest.mark.parametrize("name", ["one-cycle", "cosine", "linear", "exponential"])
def test_a_schedule_under_way_is_not_bent(tmp_path: Path, name: str) -> None:
    schedule = f"schedule.name={name}"
    run = begun(tmp_path, 2, "fit.epochs=4", schedule)
    before = (run.folder / "recipe.json").read_bytes()
    with pytest.raises(Conflict, match=r"Resume with fit\.epochs=4, or start anew"):
        resume.unfinished(tmp_path, recipe.load("mnist", ["fit.epochs=8", schedule]))
    assert (run.folder / "recipe.json").read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        ["schedule.name=constant"],
        # The first milestone lies ahead in both plans: 2 of 8, at 3.2, and 2 of 4, at 2.
        ["schedule.name=step", "schedule.milestones=[0.5]"],
    ],
)
def test_a_schedule_whose_past_stays_the_same_may_be_made_longer(
    tmp_path: Path, changes: list[str]
) -> None:
    run = begun(tmp_path, 2, "fit.epochs=4", *changes)
    resume.unfinished(tmp_path, recipe.load("mnist", ["fit.epochs=8", *changes]))
    assert run.recipe.fit.epochs == 8


def test_a_milestone_that_has_passed_may_not_move(tmp_path: Path) -> None:
    steps = ["schedule.name=step", "schedule.milestones=[0.25]"]
    begun(tmp_path, 2, "fit.epochs=4", *steps)
    with pytest.raises(Conflict, match="schedule step"):
        resume.unfinished(tmp_path, recipe.load("mnist", ["fit.epochs=8", *steps]))


def test_the_newest_is_taken_and_a_damaged_one_passed_over(tmp_path: Path) -> None:
    begun(tmp_path, 1)
    newest = begun(tmp_path, 2)
    broken = begun(tmp_path, 3)
    (broken.folder / "recipe.json").write_text("{")
    found = resume.unfinished(tmp_path, recipe.load("mnist"))
    assert found.folder == newest.folder
