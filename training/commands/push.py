"""``glyphscope-train push``: a version of the store to a store anywhere else."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from glyphscope.store import Store
from training import transfer
from training.options import StoreFolder, console


def push(
    model: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="Of --store; an alias does too.")
    ],
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="A folder, or whatever fsspec reaches: s3://, gs://, hf://user/repo"
        ),
    ],
    alias: Annotated[
        str | None, typer.Option(help="Alias to move to it over there; else none moves.")
    ] = None,
    store: StoreFolder = Path("checkpoints"),
) -> None:
    """Copy a version of a model to a store elsewhere; what is there is never replaced."""
    with console.status(f"sending {escape(model)}"):
        moved = transfer.push(Store(store), model, url, alias)
    said = f"sent, {moved.size / 1e6:.1f} MB verified" if moved.new else "there already, the same"
    console.print(f"[bold]{moved.ref}[/] {said}: {escape(moved.where)}", highlight=False)
