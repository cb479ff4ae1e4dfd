"""``glyphscope-train fit``: train by a recipe, with a bar of progress and a line an epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from glyphscope.errors import InvalidRecipe
from training import data, device, experiment, plots, recipe, resume
from training.commands import evaluate
from training.commands.progress import Bar
from training.counted import counted
from training.fit import Trainer
from training.options import Changes, Data, Device, RecipeName, Runs, console
from training.overfit import overfit
from training.plan import Plan, plan
from training.run import Epoch, Run

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""

LESSON_STEPS = 100
"""Between two lines of --overfit-batches."""


def fit(
    recipe_name: RecipeName,
    changes: Changes = None,
    data_root: Data = None,
    device_name: Device = "auto",
    runs: Runs = Path("runs"),
    resumed: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest unfinished run of this recipe.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Read the test set once at the end.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, say what would be done, stop.")
    ] = False,
    batches: Annotated[
        int | None,
        typer.Option(
            "--overfit-batches",
            metavar="N",
            help="Learn N batches by heart, as a check; nothing is kept.",
        ),
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="The same as --set fit.tensorboard=true.")
    ] = False,
) -> None:
    """Train by a recipe."""
    if sum([dry_run, batches is not None, resumed]) > 1:
        raise InvalidRecipe("only one of --resume, --dry-run and --overfit-batches can be given")
    changes = [*(changes or []), *(["fit.tensorboard=true"] if tensorboard else [])]
    how, root = recipe.load(recipe_name, changes), data.data_root(data_root)
    run = resume.unfinished(runs, how) if resumed else None
    job = experiment.assemble(how, root, device.choose(device_name))
    if dry_run:
        _show(plan(job))
    elif batches is not None:
        _overfit(job, batches)
    else:
        run = run or Run.create(runs, how)
        console.print(f"run [bold]{escape(str(run.folder))}[/]", soft_wrap=True)
        _train(job, run)
        if test:
            evaluate.judge(run, root)
            console.print(f"publish it with: glyphscope-train publish {run.folder}", soft_wrap=True)


def _train(job: Trainer, run: Run) -> None:
    epochs = job.recipe.fit.epochs
    with _told_what_is_kept(run), Bar(console) as bar:
        for record in experiment.attach(job, run, observers=[bar]).epochs():
            console.print(_line(record, epochs), soft_wrap=True)
    plots.curves(run.history(), run.folder / "curves.png")
    _sum_up(job, run)


@contextmanager
def _told_what_is_kept(run: Run) -> Iterator[None]:
    """What ends a training early says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"glyphscope-train: stopped; {_kept(run)}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except OSError as error:
        message = f"{error.strerror or error}; {_kept(run)}"
        raise OSError(error.errno, message, error.filename) from None


def _kept(run: Run) -> str:
    done = len(run.history())
    return (
        f"{run.folder} keeps {counted(done, 'finished epoch')}, and the same command "
        "with --resume goes on from there"
    )


def _line(e: Epoch, epochs: int) -> str:
    return (
        f"epoch {e.epoch:>3}/{epochs}   loss {e.train_loss:.4f}   "
        f"validation loss {e.validation_loss:.4f}  accuracy [bold]{e.validation_accuracy:.2%}[/]   "
        f"{e.seconds:.1f} s"
    )


def _sum_up(job: Trainer, run: Run) -> None:
    history = run.history()
    best = max(history, key=lambda e: (e.validation_accuracy, e.epoch))
    seconds = sum(e.seconds for e in history)
    images = len(history) * job.steps * job.batch_size
    if len(history) < job.recipe.fit.epochs:
        console.print(f"stopped early, by fit.patience={job.recipe.fit.patience}")
    table = _table()
    table.add_row("best epoch", f"{best.epoch} of {len(history)}")
    table.add_row(
        f"validation accuracy (n = {len(job.validation):,})", f"{best.validation_accuracy:.2%}"
    )
    table.add_row("training", f"{seconds:.1f} s, {images / max(seconds, 1e-3):,.0f} images/s")
    console.print(table)


def _overfit(job: Trainer, count: int) -> None:
    shown = 0
    for lesson in overfit(job, count):
        if lesson.learned or lesson.steps >= shown + LESSON_STEPS:
            shown = lesson.steps
            console.print(
                f"step {lesson.steps:>4}   loss {lesson.loss:.4f}   "
                f"accuracy [bold]{lesson.accuracy:.2%}[/]"
            )
    console.print(
        f"learned {count * job.batch_size:,} images by heart: network, loss and optimiser work"
    )


def _show(found: Plan) -> None:
    layers = Table(box=None, pad_edge=False)
    layers.add_column("layer")
    layers.add_column("kind")
    layers.add_column("output", justify="right")
    layers.add_column("parameters", justify="right")
    for layer in found.layers:
        shape = " x ".join(str(n) for n in layer.output_shape)
        # A block's parameters are those of the layers inside it, which are listed too.
        own = "" if layer.kind == "residual" else f"{layer.parameters:,}"
        layers.add_row(layer.name, layer.kind, shape, own)
    console.print(layers)
    table = _table()
    table.add_row("parameters", f"{found.parameters:,}")
    table.add_row("training images", f"{found.train_images:,}")
    table.add_row("validation images", f"{found.validation_images:,}")
    total = found.epochs * found.steps
    table.add_row(
        "steps", f"{total:,}: {counted(found.epochs, 'epoch')} of {found.steps:,}, batches of "
        f"{found.batch_size:,}",
    )  # fmt: skip
    table.add_row("device", f"{found.device}, {found.precision}")
    table.add_row(
        "estimated time",
        f"{_duration(found.seconds)} ({1000 * found.seconds_a_step:.0f} ms a step as measured now)",
    )
    console.print(table)
    console.print("nothing was written")


def _table() -> Table:
    return Table(show_header=False, box=None, pad_edge=False)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 1 else "less than a second"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
