"""``glyphscope-train publish``: make the next version of a model from an evaluated run."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from glyphscope.store import PRODUCTION, Store
from training import data
from training import publish as publishing
from training.options import Data, RunName, Runs, StoreFolder, console, open_run


def publish(
    run_name: RunName,
    name: Annotated[str | None, typer.Option(help="Name in the store; else the recipe's.")] = None,
    alias: Annotated[str, typer.Option(help="Alias to move to it; empty for none.")] = PRODUCTION,
    store: StoreFolder = Path("checkpoints"),
    data_root: Data = None,
    runs: Runs = Path("runs"),
) -> None:
    """Make the next version of a model from an evaluated run."""
    run, root = open_run(run_name, runs), data.data_root(data_root)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("looking at every test image", total=None)

        def told(done: int, images: int) -> None:
            progress.update(task, completed=done, total=images)

        manifest = publishing.publish(run, Store(store), root, name, alias or None, told)
    where = f"{store / manifest.name / str(manifest.version)}"
    console.print(f"published [bold]{manifest.ref}[/] in {where}")
    if manifest.onnx:
        console.print(
            f"model.onnx differs from torch by at most {manifest.onnx.max_abs_difference:.1e}"
        )
