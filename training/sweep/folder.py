"""A sweep's folder: what is finished is kept there, so the same command goes on where it stopped.

OUT/
  results.json, results.csv, sweep.png
  1-weight_decay=1e-6/seed-0/    a run, as ``fit`` writes it
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from glyphscope.errors import Conflict, InvalidRecipe
from training.sweep.plan import Cell, Plan
from training.sweep.results import Result, Results, summarise


class SweepFolder:
    """Open it with ``opened``: it holds a lock, since two sweeps would write the same runs."""

    def __init__(self, out: Path, plan: Plan) -> None:
        self.out, self.plan = out, plan
        self._found: list[Result] = []

    @classmethod
    @contextmanager
    def opened(cls, out: Path, plan: Plan) -> Iterator["SweepFolder"]:
        """Raises ``Conflict`` where another sweep lives, or where this one runs already."""
        out.mkdir(parents=True, exist_ok=True)
        with (out / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"another command sweeps in {out} right now") from None
            folder = cls(out, plan)
            folder._take_up()
            yield folder

    def remaining(self) -> list[Cell]:
        """Cells that have not ended. A failed one (no memory, no disk) is tried again; a diverged
        one would diverge again."""
        return [c for c in self.plan.cells if not any(r.belongs_to(c) for r in self._ended())]

    def add(self, result: Result) -> None:
        self._found = [
            r for r in self._found if (r.setting, r.seed) != (result.setting, result.seed)
        ]
        self._found.append(result)
        self._write()

    def results(self) -> Results:
        """In the plan's order, whatever the order in which the cells ended."""
        cells = [r for c in self.plan.cells for r in self._found if r.belongs_to(c)]
        settings = list(dict.fromkeys(cell.setting for cell in self.plan.cells))
        return Results(
            recipe=self.plan.recipe,
            factors={factor.key: factor.values for factor in self.plan.factors},
            replicates=self.plan.replicates,
            summary=summarise(cells, settings),
            cells=tuple(cells),
        )

    def _ended(self) -> list[Result]:
        return [result for result in self._found if result.state != "failed"]

    def _take_up(self) -> None:
        path = self.out / "results.json"
        if path.exists():
            before = _read(path)
            _same(before, self.results(), self.out)
            self._found = list(before.cells)
        self._write()

    def _write(self) -> None:
        results = self.results()
        _replace(self.out / "results.json", results.model_dump_json(indent=1) + "\n")
        _replace(self.out / "results.csv", results.to_csv())


def _read(path: Path) -> Results:
    try:
        return Results.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidRecipe(f"{path} is no sweep's: {where}: {first['msg']}") from None


def _same(before: Results, now: Results, out: Path) -> None:
    """More or fewer replicates are the same sweep: each setting keeps the ones it has."""
    for what, old, new in (
        *_differences(_flat(before.recipe.model_dump()), _flat(now.recipe.model_dump())),
        *_differences(_lists(before), _lists(now)),
    ):
        raise Conflict(
            f"{out} holds another sweep: {what} is {new} here and was {old} there; "
            "give another folder with --out, or remove this one"
        )


def _lists(results: Results) -> dict[str, Any]:
    return {f"--over {key}": ",".join(values) for key, values in results.factors.items()}


def _differences(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for key in sorted({*old, *new}):
        if (key in old, old.get(key)) != (key in new, new.get(key)):
            yield key, str(old.get(key, "not given")), str(new.get(key, "not given"))


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = json.loads(json.dumps(value))
    return flat


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    os.replace(part, path)
