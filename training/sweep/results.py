"""What a sweep found: a row a cell, and mean and standard deviation a setting.

results.json holds both with the recipe and the factors; results.csv the rows, for a spreadsheet.
"""

import csv
import io
import statistics
from collections.abc import Sequence
from typing import Literal

from glyphscope.spec import Frozen
from training.recipe import Recipe
from training.sweep.plan import Cell, Setting

COLUMNS = (
    "replicate", "seed", "state", "validation_accuracy", "best_validation_accuracy",
    "train_accuracy", "epochs", "seconds", "run", "reason",
)  # fmt: skip


class Result(Frozen):
    """``validation_accuracy`` is that of the last epoch; the best one flatters, since it was chosen
    on the very images that it is measured on. ``seconds`` is the training loop's time."""

    setting: dict[str, str]
    replicate: int
    seed: int
    state: Literal["done", "diverged", "failed"]
    validation_accuracy: float | None = None
    best_validation_accuracy: float | None = None
    train_accuracy: float | None = None
    epochs: int
    seconds: float
    run: str
    reason: str | None = None

    def belongs_to(self, cell: Cell) -> bool:
        return self.setting == dict(cell.setting) and self.replicate == cell.replicate


class Summary(Frozen):
    """Over the ``n`` replicates that ended. ``sd`` is the sample's (n - 1), from two on."""

    setting: dict[str, str]
    n: int
    mean: float | None
    sd: float | None
    train_mean: float | None
    diverged: int
    failed: int


class Results(Frozen):
    """``factors``: key -> values as they were written."""

    recipe: Recipe
    factors: dict[str, tuple[str, ...]]
    replicates: int
    summary: tuple[Summary, ...] = ()
    cells: tuple[Result, ...] = ()

    def to_csv(self) -> str:
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow([*self.factors, *COLUMNS])
        for cell in self.cells:
            row = cell.model_dump()
            table.writerow([*cell.setting.values(), *(row[column] for column in COLUMNS)])
        return text.getvalue()


def summarise(cells: Sequence[Result], settings: Sequence[Setting]) -> tuple[Summary, ...]:
    return tuple(
        _summary(dict(setting), [cell for cell in cells if cell.setting == dict(setting)])
        for setting in settings
    )


def _summary(setting: dict[str, str], cells: Sequence[Result]) -> Summary:
    found = [c.validation_accuracy for c in cells if c.validation_accuracy is not None]
    train = [c.train_accuracy for c in cells if c.train_accuracy is not None]
    return Summary(
        setting=setting,
        n=len(found),
        mean=statistics.fmean(found) if found else None,
        sd=statistics.stdev(found) if len(found) > 1 else None,
        train_mean=statistics.fmean(train) if train else None,
        diverged=sum(cell.state == "diverged" for cell in cells),
        failed=sum(cell.state == "failed" for cell in cells),
    )
