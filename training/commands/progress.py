"""The bar below the lines of ``fit``: where the training is, how it goes, how long it takes."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training.observe import Observer, Step
from training.session import Session

REFRESH = 0.1
"""Seconds between two looks at the loss: on a GPU each look waits for it."""

SMOOTHING = 0.95
"""Of the loss and accuracy shown, so that single batches do not make them flicker."""


class Bar(Observer):
    """A context manager; on a console that is no terminal it shows nothing."""

    def __init__(self, console: Console) -> None:
        self._shown = console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=None, figures="")
        self._seen = self._began = 0.0
        self._loss = self._accuracy = 0.0
        self._looks = 0

    def __enter__(self) -> Self:
        if self._shown:  # else it would leave an empty line at its end
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._progress.stop()

    def started(self, session: Session) -> None:
        self._progress.reset(
            self._task,
            total=session.recipe.fit.epochs * session.steps,
            completed=session.done * session.steps,
        )

    def stepped(self, session: Session, step: Step) -> None:
        if not self._shown:
            return
        now = time.perf_counter()
        if step.step == 1:
            self._began, self._looks = now, 0
        if now - self._seen < REFRESH and step.step < step.steps:
            return
        self._seen = now
        self._smooth(float(step.loss), float(step.accuracy))
        rate = (step.step - 1) * session.batch_size / max(now - self._began, 1e-9)
        self._progress.update(
            self._task,
            completed=step.overall,
            description=f"epoch {step.epoch}/{session.recipe.fit.epochs}",
            figures=f"loss {self._loss:.4f}   accuracy {self._accuracy:.2%}   {rate:,.0f} images/s",
        )

    def _smooth(self, loss: float, accuracy: float) -> None:
        """A moving average over the epoch's looks; the first few are a plain mean."""
        self._looks += 1
        kept = min(SMOOTHING, 1 - 1 / self._looks)
        self._loss = kept * self._loss + (1 - kept) * loss
        self._accuracy = kept * self._accuracy + (1 - kept) * accuracy
