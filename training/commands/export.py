"""``glyphscope-train export``: a run or a published model as a file for other programs."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape

from glyphscope.errors import NotFound
from glyphscope.store import Store
from training import data, onnx_export, subject
from training import export as exports
from training.options import Data, Runs, StoreFolder, Target, console, find_run

CPU = torch.device("cpu")


def export(
    target: Target,
    file_format: Annotated[
        str, typer.Option("--format", help=f"Known: {', '.join(exports.FORMATS)}.")
    ] = "onnx",
    out: Annotated[
        Path | None, typer.Option(help="The file; else the model's or run's name here.")
    ] = None,
    opset: Annotated[
        int, typer.Option(help=f"{onnx_export.OPSETS[0]} to {onnx_export.OPSETS[-1]}.")
    ] = onnx_export.OPSET,
    store: StoreFolder = Path("checkpoints"),
    data_root: Data = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write a network as ONNX, checked against torch: no file is left that answers otherwise."""
    if file_format not in exports.FORMATS:
        raise NotFound("format", file_format, exports.FORMATS)
    root, run = data.data_root(data_root), find_run(target, runs)
    with console.status(f"exporting {escape(target)}"):
        if run is not None:
            what = subject.of_run(run, root, CPU)
        else:
            what = subject.of_checkpoint(Store(store), target, CPU)
        path = out or Path(f"{what.name.replace('@', '-')}.onnx")
        found = exports.export(what, path, root, opset)
    console.print(
        f"[bold]{escape(str(found.path))}[/]  {found.size / 1e6:.1f} MB, opset {found.onnx.opset}: "
        f"input (N, {', '.join(map(str, what.input.shape))}) normalised, "
        f"logits (N, {len(what.labels)})\n"
        f"differs from torch by at most {found.onnx.max_abs_difference:.1e} in a logit, "
        f"on {escape(found.images)}",
        highlight=False,
        soft_wrap=True,
    )
