"""``glyphscope-train publish``: make the next version of a model from a run, or from a version."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from glyphscope.store import PRODUCTION, Store
from training import data
from training import publish as publishing
from training.options import Data, Runs, StoreFolder, Target, console, find_run
from training.republish import republish


def publish(
    target: Target,
    name: Annotated[str | None, typer.Option(help="Name in the store; else its own.")] = None,
    alias: Annotated[str, typer.Option(help="Alias to move to it; empty for none.")] = PRODUCTION,
    store: StoreFolder = Path("checkpoints"),
    data_root: Data = None,
    runs: Runs = Path("runs"),
) -> None:
    """Make the next version of a model from an evaluated run.

    Of a published model it makes the next version with the same network, and with what this
    Glyphscope records of its test set: images, statistics, a map, confusions.
    """
    run, root = find_run(target, runs), data.data_root(data_root)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("looking at every test image", total=None)

        def told(done: int, images: int) -> None:
            progress.update(task, completed=done, total=images)

        where = Store(store), root, name, alias or None, told
        manifest = publishing.publish(run, *where) if run else republish(target, *where)
    folder = store / manifest.name / str(manifest.version)
    console.print(f"published [bold]{manifest.ref}[/] in {folder}")
    if manifest.onnx:
        console.print(
            f"model.onnx differs from torch by at most {manifest.onnx.max_abs_difference:.1e}"
        )
