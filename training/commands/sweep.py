"""``glyphscope-train sweep``: train a recipe over a grid of values, several times each."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from glyphscope.errors import InvalidRecipe
from training import data
from training.counted import counted
from training.options import Changes, Data, Device, RecipeName, Runs, console
from training.sweep import cell as cells
from training.sweep import run as sweeps
from training.sweep.plan import plan, short
from training.sweep.results import Result, Results

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


def sweep(
    recipe_name: RecipeName,
    over: Annotated[
        list[str],
        typer.Option(
            metavar="KEY=VALUE,VALUE,...",
            help="A factor and its values, as for --set; several make a grid. Commas inside "
            "brackets belong to the value: network.units=[500, 300],[100].",
        ),
    ],
    replicates: Annotated[
        int,
        typer.Option(
            help="Trainings of each setting. They differ in `seed`; the validation images stay "
            "the same."
        ),
    ] = 3,
    changes: Changes = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Trainings at a time; else one a core that may be used, at most "
            f"{sweeps.MOST_JOBS}, and on a GPU one. They share the cores as threads, at most "
            "OMP_NUM_THREADS each."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the sweep; else a name in --runs.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local (processes here) or ray (a Ray cluster).")
    ] = "local",
    data_root: Data = None,
    device_name: Device = "auto",
    runs: Runs = Path("runs"),
) -> None:
    """Train a recipe over a grid of values; the same command goes on where it stopped."""
    what = plan(recipe_name, changes or [], over, replicates)
    train = sweeps.engine(engine)
    if jobs is not None and jobs < 1:
        raise InvalidRecipe(f"--jobs must be 1 or more, not {jobs}")
    folder = out or sweeps.default_folder(runs, what)
    at_a_time = jobs or sweeps.default_jobs(device_name, len(what.cells))
    where = sweeps.place(folder, data.data_root(data_root), device_name, at_a_time)
    with _Display(where) as display:
        try:
            found = sweeps.sweep(what, where, train, display)
        except KeyboardInterrupt:
            display.stop()
            typer.echo("glyphscope-train: stopped; the same command goes on", err=True)
            raise typer.Exit(INTERRUPTED) from None
    _show(found, folder)
    if any(cell.state == "failed" for cell in found.cells):
        typer.echo("glyphscope-train: some trainings failed; the same command tries them", err=True)
        raise typer.Exit(1)


class _Display(cells.Watcher):
    """A line for the whole and one for every training on its way; ended ones scroll up."""

    def __init__(self, where: cells.Place) -> None:
        self._where = where
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._whole: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Display":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._bars.stop()

    def started(self, finished: int, remaining: int) -> None:
        total = finished + remaining
        console.print(
            f"sweep [bold]{escape(str(self._where.out))}[/]: {counted(total, 'training')}, "
            f"{self._where.jobs} at a time\n"
            "A replicate changes the seed; the validation images stay the same.",
            highlight=False,
        )
        if finished:
            console.print(f"{finished} finished before", highlight=False)
        self._whole = self._bars.add_task("[bold]all[/]", total=total, completed=finished)

    def progressed(self, progress: cells.Progress) -> None:
        cell = progress.cell
        name, epochs = cell.folder.as_posix(), cell.recipe.fit.epochs
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(escape(cell.label), total=epochs)
        so_far = "" if progress.accuracy is None else f"  {progress.accuracy:.2%}"
        self._bars.update(
            self._tasks[name], completed=progress.done, description=escape(cell.label) + so_far
        )

    def ended(self, result: Result) -> None:
        if result.run in self._tasks:
            self._bars.remove_task(self._tasks.pop(result.run))
        if self._whole is not None:
            self._bars.advance(self._whole)
        console.print(_line(result), highlight=False)


def _line(result: Result) -> str:
    values = escape("  ".join(f"{short(key)}={value}" for key, value in result.setting.items()))
    if result.validation_accuracy is None:
        return (
            f"{values}  seed {result.seed}  [red]{result.state}[/]: {escape(result.reason or '')}"
        )
    return (
        f"{values}  seed {result.seed}  [bold]{result.validation_accuracy:.2%}[/]  "
        f"{result.seconds:.0f} s"
    )


def _show(found: Results, folder: Path) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for key in found.factors:
        table.add_column(short(key))
    for heading in ("validation accuracy", "± sd", "n", "training accuracy", "lost"):
        table.add_column(heading, justify="right")
    best = max((row.mean for row in found.summary if row.mean is not None), default=None)
    for row in found.summary:
        mean = "-" if row.mean is None else f"{row.mean:.2%}"
        table.add_row(
            *map(escape, row.setting.values()),
            f"[bold]{mean}[/]" if row.mean == best else mean,
            "-" if row.sd is None else f"{100 * row.sd:.2f}",
            str(row.n),
            "-" if row.train_mean is None else f"{row.train_mean:.2%}",
            _lost(row.diverged, row.failed),
        )
    console.print(table)
    console.print(
        "Accuracy after the last epoch, on validation images; the test set was not read.\n"
        f"[bold]{escape(str(folder))}/[/] has results.json, results.csv and sweep.png.",
        highlight=False,
    )


def _lost(diverged: int, failed: int) -> str:
    parts = [f"{n} {word}" for n, word in ((diverged, "diverged"), (failed, "failed")) if n]
    return ", ".join(parts) or "-"
