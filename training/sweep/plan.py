"""``--over KEY=VALUE,VALUE`` and a recipe -> the cells of the grid, each a whole recipe.

A replicate changes ``seed`` (weights, order of images, augmentation, dropout) and nothing else: all
cells are judged on the same validation images, so their spread is the training's own.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from glyphscope.errors import InvalidRecipe
from glyphscope.networks import build
from training import experiment, recipe
from training.recipe import Recipe

Setting = tuple[tuple[str, str], ...]
"""A value, as it was written, for the key of every factor."""

_OPENING, _CLOSING, _QUOTES = "[{", "]}", "\"'"

_UNSAFE = re.compile(r"[^\w.,=+-]+")
"""What a folder's name may not hold."""


@dataclass(frozen=True)
class Factor:
    """A key of the recipe and the values that it takes, as they were written."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """One training of the grid. ``folder`` is relative to the sweep's, and is its run."""

    setting: Setting
    replicate: int
    recipe: Recipe
    folder: Path

    @property
    def label(self) -> str:
        """For people: ``weight_decay=1e-5, seed 2``."""
        return ", ".join(
            [*(f"{short(k)}={v}" for k, v in self.setting), f"seed {self.recipe.seed}"]
        )


@dataclass(frozen=True)
class Plan:
    """``recipe`` is the one that every cell starts from. Cells of a setting follow one another."""

    recipe: Recipe
    factors: tuple[Factor, ...]
    replicates: int
    cells: tuple[Cell, ...]


def short(key: str) -> str:
    return key.rpartition(".")[2]


def plan(name: str, changes: Sequence[str], over: Sequence[str], replicates: int) -> Plan:
    """Raises ``InvalidRecipe`` for what cannot be swept, before anything is trained."""
    if replicates < 1:
        raise InvalidRecipe(f"--replicates must be 1 or more, not {replicates}")
    factors = _factors(over)
    if replicates > 1 and any(f.key == "seed" for f in factors):
        raise InvalidRecipe("seed is what replicates change; sweep it with --replicates 1")
    base = recipe.load(name, list(changes))
    cells: list[Cell] = []
    seen: dict[str, str] = {}
    settings = list(product(*([(f.key, value) for value in f.values] for f in factors)))
    for number, setting in enumerate(settings, 1):
        how = recipe.load(name, [*changes, *(f"{key}={value}" for key, value in setting)])
        _differs(how, setting, seen)
        home = _folder(number, len(settings), setting)
        for replicate in range(replicates):
            seeded = how.model_copy(update={"seed": how.seed + replicate})
            cells.append(Cell(setting, replicate, seeded, home / f"seed-{seeded.seed}"))
    return Plan(base, factors, replicates, tuple(cells))


def check(cells: Sequence[Cell], root: Path) -> None:
    """Fail now and not in the night: unknown or missing data, a network that does not fit."""
    seen = set()
    for cell in cells:
        how = cell.recipe
        needs = how.model_dump_json(include={"dataset", "split", "network"})
        if needs not in seen:
            seen.add(needs)
            train, _ = experiment.splits(how, root)
            build(experiment.network(how, experiment.input_spec(how, train)))


def split_values(text: str) -> list[str]:
    """At commas that lie outside brackets, braces and quotes: ``[500, 300],[100]`` is two."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        else:
            depth += (letter in _OPENING) - (letter in _CLOSING)
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    if depth or quote:
        raise InvalidRecipe(f"--over: a bracket or quote in {text!r} has no partner")
    return [part.strip() for part in parts]


def _factors(over: Sequence[str]) -> tuple[Factor, ...]:
    factors = tuple(_factor(text) for text in over)
    keys = [factor.key for factor in factors]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise InvalidRecipe(f"--over {twice[0]} is given twice; give all its values at once")
    return factors


def _factor(text: str) -> Factor:
    key, equals, values = text.partition("=")
    parts = split_values(values)
    if not equals or not key.strip() or "" in parts:
        raise InvalidRecipe(
            f"--over takes KEY=VALUE,VALUE, such as optimiser.weight_decay=1e-5,1e-4, not {text!r}"
        )
    return Factor(key.strip(), tuple(parts))


def _differs(how: Recipe, setting: Setting, seen: dict[str, str]) -> None:
    written = ", ".join(f"{key}={value}" for key, value in setting)
    whole = json.dumps(how.model_dump(mode="json"), sort_keys=True)
    if whole in seen:
        raise InvalidRecipe(f"--over: {written} is the same recipe as {seen[whole]}")
    seen[whole] = written


def _folder(number: int, of: int, setting: Setting) -> Path:
    """The number keeps apart what a file system would not."""
    words = ",".join(f"{short(key)}={value}" for key, value in setting)
    return Path(f"{number:0{len(str(of))}}-{_UNSAFE.sub('_', words)[:80]}")
