"""Which run ``--resume`` goes on with, and whether it may.

A resumed run must end as if never stopped. So nothing that moves a weight may differ; the number
of epochs may, where the epochs that are done would have had the same learning rates.
"""

from pathlib import Path
from typing import Any

from glyphscope.errors import Conflict, GlyphscopeError, NotFound
from training.recipe import Recipe
from training.run import Epoch, Run
from training.schedules import factor

FREE = ("epochs", "patience", "snapshots", "tensorboard")
"""Keys of [fit] that say how long to train and what to write down, and move no weight."""


def unfinished(runs: Path, recipe: Recipe) -> Run:
    """The newest run of this recipe that has epochs left; its recipe.json then holds ``recipe``.

    Raises ``NotFound`` that says in which keys the others differ, ``Conflict`` where more or fewer
    epochs would bend a learning-rate schedule that is already under way.
    """
    near: list[str] = []
    for path in sorted(runs.glob(f"{recipe.name}-*/recipe.json"), reverse=True):
        run = Run(path.parent)
        try:
            before, history = run.recipe, run.history()
        except GlyphscopeError as error:
            near.append(f"{path.parent.name} ({error})")
            continue
        if keys := differences(before, recipe):
            near.append(f"{path.parent.name} (differs in {', '.join(keys)})")
        elif finished(recipe, history):
            near.append(f"{path.parent.name} (finished)")
        else:
            _check_schedule(run, before, recipe, len(history))
            run.write_json("recipe.json", recipe.model_dump(mode="json"))
            return run
    raise NotFound("unfinished run of recipe", recipe.name, near)


def finished(recipe: Recipe, history: list[Epoch]) -> bool:
    return len(history) >= recipe.fit.epochs or out_of_patience(recipe, history)


def out_of_patience(recipe: Recipe, history: list[Epoch]) -> bool:
    if not recipe.fit.patience or not history:
        return False
    accuracies = [epoch.validation_accuracy for epoch in history]
    since = len(accuracies) - 1 - accuracies.index(max(accuracies))
    return since >= recipe.fit.patience


def differences(a: Recipe, b: Recipe) -> list[str]:
    """Dotted keys, those of ``FREE`` left out."""
    free = {f"fit.{key}" for key in FREE}
    left, right = _flat(a.model_dump()), _flat(b.model_dump())
    return [k for k in {**left, **right} if k not in free and left.get(k) != right.get(k)]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= (
            _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        )
    return found


def _check_schedule(run: Run, before: Recipe, now: Recipe, done: int) -> None:
    # Fine enough for any schedule, which is a function of the share that is done.
    an_epoch = int(run.machine().get("steps", 100))
    planned, wanted = before.fit.epochs * an_epoch, now.fit.epochs * an_epoch
    kept = (
        factor(now.schedule, step, planned) == factor(now.schedule, step, wanted)
        for step in range(done * an_epoch)
    )
    if planned != wanted and not all(kept):
        resume = f"Resume with fit.epochs={before.fit.epochs}, or start"
        choice = resume if done < before.fit.epochs else "Start"
        raise Conflict(
            f"{run.folder} has done {done} of {before.fit.epochs} epochs by the schedule "
            f"{now.schedule.name}, which is laid over them all: with fit.epochs={now.fit.epochs} "
            f"their learning rates would have been others. {choice} anew without --resume; a run "
            "with schedule.name=constant can be made longer"
        )
