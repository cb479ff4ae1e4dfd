"""course.toml as data. A step is a command of ``glyphscope-train`` or a script of ``examples``."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pydantic import model_validator

from glyphscope.errors import NotFound
from glyphscope.spec import Frozen

COURSE = Path(__file__).with_name("course.toml")

SHORT_ENOUGH = ("--set=split.train=4000", "--set=split.validation=1000", "--set=fit.epochs=2")
"""What the short form adds to every step that trains by a recipe."""

TRAINS = ("fit", "sweep", "order")


class Step(Frozen):
    """``command`` or ``example`` is given. ``{out}`` in an argument is the experiment's folder.

    ``short`` is added in the short form, behind what every training gets there. ``needs``: a path
    below the data root, without which the step is left out.
    """

    command: tuple[str, ...] = ()
    example: str | None = None
    arguments: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    needs: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if bool(self.command) == bool(self.example):
            raise ValueError("a step has a command or an example")
        return self

    def argv(self, out: Path, short: bool) -> tuple[str, ...]:
        """What comes behind the interpreter."""
        head = ("-m", f"examples.{self.example}") if self.example else ("-m", "training.cli")
        less = (*(SHORT_ENOUGH if self._trains else ()), *self.short) if short else ()
        written = (*head, *self.command, *self.arguments, *less)
        return tuple(word.replace("{out}", str(out)) for word in written)

    @property
    def _trains(self) -> bool:
        return bool(self.command) and self.command[0] in TRAINS


class Experiment(Frozen):
    """``look``: what to look at in what it shows, one sentence or two."""

    letter: str
    title: str
    look: str
    steps: tuple[Step, ...]


class Course(Frozen):
    experiments: tuple[Experiment, ...]


def load(letters: Sequence[str] = (), path: Path = COURSE) -> tuple[Experiment, ...]:
    """All of them, or those of ``letters``, in the course's order."""
    every = Course.model_validate(tomllib.loads(path.read_text())).experiments
    known = [experiment.letter for experiment in every]
    for letter in letters:
        if letter not in known:
            raise NotFound("experiment", letter, known)
    return tuple(e for e in every if not letters or e.letter in letters)
