"""One cell of a sweep, trained to the end, or from where it was stopped, or to its failure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glyphscope.errors import Conflict, GlyphscopeError
from training import device as devices
from training import experiment
from training.fit import Diverged
from training.resume import finished
from training.run import Epoch, Run
from training.sweep.plan import Cell
from training.sweep.results import Result


@dataclass(frozen=True)
class Place:
    """Where cells are trained, ``jobs`` at a time with ``threads`` each; paths are absolute."""

    out: Path
    data_root: Path
    device: str
    jobs: int
    threads: int


@dataclass(frozen=True)
class Progress:
    """``done`` of ``epochs`` of a cell, with fractions inside an epoch."""

    cell: Cell
    done: float
    accuracy: float | None = None


class Watcher:
    """What a sweep tells of itself. Every method does nothing: override the ones you need."""

    def started(self, finished: int, remaining: int) -> None:
        """So many cells ended in an earlier call, so many are to be trained now."""

    def progressed(self, progress: Progress) -> None:
        """A cell came further."""

    def ended(self, result: Result) -> None:
        """A cell has its result, which is on disk."""


def train(cell: Cell, place: Place, tell: Callable[[Progress], None]) -> Result:
    """Never touches the test set. What stops a training is a result too, not an exception."""
    folder = place.out / cell.folder
    try:
        run = _run(folder, cell)
        history = run.history()
        accuracy = history[-1].validation_accuracy if history else None

        def on_step(epoch: int, step: int, steps: int) -> None:
            tell(Progress(cell, epoch - 1 + step / steps, accuracy))

        if not finished(cell.recipe, history):
            device = devices.choose(place.device)
            for record in experiment.trainer(run, place.data_root, device, on_step).epochs():
                accuracy = record.validation_accuracy
                tell(Progress(cell, float(record.epoch), accuracy))
    except Diverged as error:
        return failure(cell, place, "diverged", error)
    except (GlyphscopeError, OSError, RuntimeError, MemoryError) as error:
        return failure(cell, place, "failed", error)
    return _done(cell, run.history())


def failure(cell: Cell, place: Place, state: str, reason: Exception) -> Result:
    """Keeps how far it came; figures of a training that did not end are none."""
    folder = place.out / cell.folder
    history = Run(folder).history() if folder.is_dir() else []
    said = " ".join(str(reason).split()) or type(reason).__name__
    return _row(cell, history, state=state, reason=said)


def _run(folder: Path, cell: Cell) -> Run:
    run = Run(folder)
    if (folder / "recipe.json").exists():
        if run.recipe != cell.recipe:
            raise Conflict(f"{folder} holds a run of another recipe")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        run.write_json("recipe.json", cell.recipe.model_dump(mode="json"))
    return run


def _done(cell: Cell, history: list[Epoch]) -> Result:
    return _row(
        cell,
        history,
        state="done",
        validation_accuracy=round(history[-1].validation_accuracy, 6),
        best_validation_accuracy=round(max(e.validation_accuracy for e in history), 6),
        train_accuracy=round(history[-1].train_accuracy, 6),
    )


def _row(cell: Cell, history: list[Epoch], **found: object) -> Result:
    return Result.model_validate(
        {
            "setting": dict(cell.setting),
            "replicate": cell.replicate,
            "seed": cell.recipe.seed,
            "epochs": len(history),
            "seconds": round(sum(epoch.seconds for epoch in history), 3),
            "run": cell.folder.as_posix(),
            **found,
        }
    )
