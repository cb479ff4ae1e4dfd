"""``glyphscope-train fit``: train by a recipe, with a bar of progress and a line an epoch."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training import data, device, experiment, plots, recipe
from training.commands import evaluate
from training.options import Changes, Data, Device, RecipeName, Runs, console
from training.run import Epoch, Run


def fit(
    recipe_name: RecipeName,
    changes: Changes = None,
    data_root: Data = None,
    device_name: Device = "auto",
    runs: Runs = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest unfinished run of this recipe.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Read the test set once at the end.")
    ] = True,
) -> None:
    """Train by a recipe."""
    how = recipe.load(recipe_name, changes)
    target, root = device.choose(device_name), data.data_root(data_root)
    experiment.check(how, root)
    run = Run.unfinished(runs, how) if resume else Run.create(runs, how)
    console.print(f"run [bold]{run.folder}[/]")
    _train(run, root, target)
    plots.curves(run.history(), run.folder / "curves.png")
    if test:
        evaluate.judge(run, root)
        console.print(f"publish it with: glyphscope-train publish {run.folder}")


def _train(run: Run, root: Path, target: torch.device) -> None:
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading data", total=None)

        def on_step(epoch: int, step: int, steps: int) -> None:
            progress.update(task, description=f"epoch {epoch}", completed=step, total=steps)

        job = experiment.trainer(run, root, target, on_step)
        for record in job.epochs():
            progress.console.print(_line(record, job.recipe.fit.epochs))


def _line(e: Epoch, epochs: int) -> str:
    return (
        f"epoch {e.epoch:>3}/{epochs}   loss {e.train_loss:.4f}   "
        f"validation loss {e.validation_loss:.4f}  accuracy [bold]{e.validation_accuracy:.2%}[/]   "
        f"{e.seconds:.1f} s"
    )
