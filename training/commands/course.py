"""``glyphscope-train course``: the experiments of a deep learning course, one after another."""

from pathlib import Path
from typing import Annotated

import typer

from training import data
from training.course import page, plan
from training.course import run as running
from training.options import Data, console

Letters = Annotated[
    list[str] | None,
    typer.Argument(metavar="[LETTER]...", help="Experiments, such as c e; else all of them."),
]


def course(
    letters: Letters = None,
    full: Annotated[
        bool, typer.Option("--full/--short", help="On all images, or to see that it works.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Else runs/course.")] = None,
    data_root: Data = None,
) -> None:
    """Run the experiments of docs/course.md; the same command goes on where it stopped."""
    folder = out or Path("runs") / ("course" if full else "course-short")
    experiments, root = plan.load(letters or []), data.data_root(data_root).absolute()
    told = []
    for experiment in experiments:
        console.rule(f"{experiment.letter}  {experiment.title}", align="left")
        records = running.run(experiment, folder, root, not full, running.in_a_process, _say)
        told.append((experiment, records))
        path = page.write(told, folder, not full)
    failed = [record for _, records in told for record in records if record.state == "failed"]
    console.print(f"course [bold]{path}[/]", soft_wrap=True)
    for record in failed:
        console.print(f"failed: {record.command}", style="red", markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
