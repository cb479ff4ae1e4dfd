"""``glyphscope-train order``: see what the order of shuffle, batch and repeat does to training."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from training import data, device, order_study, recipe
from training.counted import counted
from training.options import Changes, Data, Device, console

Recipe = Annotated[
    str, typer.Argument(metavar="[RECIPE]", help="A TOML file, or the name of a shipped recipe.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder of the comparison; else runs/order-RECIPE.")
]


def order(
    recipe_name: Recipe = "order",
    changes: Changes = None,
    buffer: Annotated[int, typer.Option(min=1, help="Size of shuffle's buffer.")] = 1000,
    out: Out = None,
    data_root: Data = None,
    device_name: Device = "auto",
) -> None:
    """Train once for each order of shuffle, batch and repeat, on images sorted by class."""
    how = recipe.load(recipe_name, changes)
    folder = out or Path("runs") / f"order-{how.name}"
    columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading data", total=None)

        def told(title: str, step: int, steps: int) -> None:
            progress.update(task, description=title, completed=step, total=steps)

        found = order_study.study(
            how, data.data_root(data_root), device.choose(device_name), folder, buffer, told
        )
    picture = order_study.write(found, folder)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("order")
    table.add_column("validation accuracy", justify="right")
    table.add_column("classes in a batch", justify="right")
    for line in order_study.lines(found):
        table.add_row(*line)
    console.print(table)
    console.print(
        f"one seed each, {found.images:,} images sorted by class, "
        f"{counted(how.fit.epochs, 'epoch')}; curves in [bold]{picture}[/], figures in order.json",
        highlight=False,
        soft_wrap=True,
    )
