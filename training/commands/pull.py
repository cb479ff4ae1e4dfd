"""``glyphscope-train pull``: a version of a store anywhere else into this one."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from glyphscope.store import Store
from training import transfer
from training.options import StoreFolder, console


def pull(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL/MODEL[@VERSION]", help="As push sent it, e.g. hf://user/repo/mnist@2"
        ),
    ],
    alias: Annotated[
        str | None, typer.Option(help="Alias to move to it here; else none moves.")
    ] = None,
    store: StoreFolder = Path("checkpoints"),
) -> None:
    """Copy a version of a model from a store elsewhere; what is here is never replaced."""
    with console.status(f"fetching {escape(url)}"):
        moved = transfer.pull(url, Store(store), alias)
    said = f"fetched, {moved.size / 1e6:.1f} MB verified" if moved.new else "here already, the same"
    console.print(f"[bold]{moved.ref}[/] {said}: {escape(moved.where)}", highlight=False)
