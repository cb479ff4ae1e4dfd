"""Run experiments step by step. What was finished with the same words is not done again.

OUT/c/steps.json   a record a step;  OUT/c/...   what the commands wrote
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from glyphscope.spec import Frozen
from training.course.plan import Experiment, Step

CHECKOUT = Path(__file__).parents[2]

PICTURES = 8
"""Of one step on the page at most: a grid of runs would bury the figures."""


class Record(Frozen):
    """``output`` is what the step printed, ``pictures`` what it drew, relative to the folder."""

    words: tuple[str, ...]
    state: Literal["done", "failed", "skipped"]
    seconds: float = 0
    output: str = ""
    pictures: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """As a user would type it."""
        _, module, *rest = self.words
        head = "glyphscope-train" if module == "training.cli" else f"python -m {module}"
        return " ".join([head, *(f"'{w}'" if " " in w or "[" in w else w for w in rest)])


RECORDS = TypeAdapter(tuple[Record, ...])

Call = Callable[[Sequence[str], Path, Callable[[str], None]], int]
"""(words, data root, tell) -> exit code; ``tell`` takes what is printed, a line at a time."""


def run(
    experiment: Experiment,
    out: Path,
    data_root: Path,
    short: bool,
    call: Call,
    tell: Callable[[str], None],
) -> tuple[Record, ...]:
    """A step that fails does not stop the next: they stand for themselves."""
    folder = out.absolute() / experiment.letter
    folder.mkdir(parents=True, exist_ok=True)
    before = {record.words: record for record in recorded(folder) if record.state == "done"}
    records: list[Record] = []
    for step in experiment.steps:
        words = step.argv(folder, short)
        records.append(before.get(words) or _step(step, words, folder, data_root, call, tell))
        _write(folder, records)
    return tuple(records)


def recorded(folder: Path) -> tuple[Record, ...]:
    path = folder / "steps.json"
    return RECORDS.validate_json(path.read_bytes()) if path.exists() else ()


def in_a_process(words: Sequence[str], data_root: Path, tell: Callable[[str], None]) -> int:
    """A process a step, so that none inherits another's memory or seeds."""
    environment = {**os.environ, "GLYPHSCOPE_DATA": str(data_root), "PYTHONUNBUFFERED": "1"}
    environment.setdefault("COLUMNS", "100")
    command = [sys.executable, *words]
    with subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tell(line.rstrip("\n"))
    return process.returncode


def _step(
    step: Step,
    words: tuple[str, ...],
    folder: Path,
    data_root: Path,
    call: Call,
    tell: Callable[[str], None],
) -> Record:
    missing = _missing(step, data_root)
    if missing:
        tell(missing)
        return Record(words=words, state="skipped", output=missing)
    lines: list[str] = []

    def heard(line: str) -> None:
        lines.append(line)
        tell(line)

    began, there = time.perf_counter(), _drawn(folder)
    code = call(words, data_root, heard)
    fresh = [name for name, when in _drawn(folder).items() if there.get(name) != when]
    return Record(
        words=words,
        state="done" if code in (0, SICK) else "failed",
        seconds=round(time.perf_counter() - began, 1),
        output="\n".join(lines).strip("\n"),
        pictures=tuple(fresh[:PICTURES]),
    )


SICK = 3
"""Exit code of ``glyphscope-train doctor`` that found something, which is what it is here for."""


def _missing(step: Step, data_root: Path) -> str:
    if step.needs and not (data_root / step.needs).exists():
        return f"left out: {step.needs} is not in the data root"
    if step.example and not (CHECKOUT / "examples").is_dir():
        return "left out: examples/ belongs to the checkout, and this is an installed package"
    return ""


def _drawn(folder: Path) -> dict[str, float]:
    """The pictures of a folder with their times; those nearest to it first."""
    found = sorted(folder.rglob("*.png"), key=lambda path: (len(path.parts), str(path)))
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime for path in found}


def _write(folder: Path, records: Sequence[Record]) -> None:
    part = folder / "steps.json.part"
    part.write_text(json.dumps([r.model_dump() for r in records], indent=1) + "\n")
    os.replace(part, folder / "steps.json")
