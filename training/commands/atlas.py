"""``glyphscope-train atlas``: a microscope of a published model, as one page."""

import copy
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from glyphscope import checkpoint
from glyphscope.checkpoint import Checkpoint
from glyphscope.store import Store
from training import data, device, test_files
from training.atlas import gather, page
from training.counted import counted
from training.options import Data, Device, StoreFolder, console


def atlas(
    model: Annotated[
        str, typer.Argument(metavar="MODEL[@VERSION]", help="A published model of --store.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The page, or a folder for it; else NAME-VERSION.html.")
    ] = None,
    layers: Annotated[
        str, typer.Option(help='Names with commas between, or "all"; else what is activated.')
    ] = "",
    steps: Annotated[int, typer.Option(min=1, max=4096, help="Of each unit's picture.")] = 64,
    preset: Annotated[str, typer.Option(help="How units are drawn.")] = "default",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    stages: Annotated[
        int,
        typer.Option(min=0, max=12, help="Epochs to draw as well, where it carries snapshots."),
    ] = gather.STAGES,
    device_name: Device = "auto",
    store: StoreFolder = Path("checkpoints"),
    data_root: Data = None,
) -> None:
    """Write a self-contained page that shows every unit of a model, its classes, map, mistakes."""
    shelf = Store(store)
    found = checkpoint.load(shelf.path(shelf.resolve(model)), device.choose(device_name))
    wanted = gather.chosen_layers(found, [name for name in layers.split(",") if name])
    path = _path(out, found)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total} {task.fields[what]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    ) as progress:
        found = _surveyed(found, data.data_root(data_root), progress)
        task = progress.add_task("drawing", total=None, what="units")

        def told(layer: str, done: int, units: int) -> None:
            progress.update(task, description=f"drawing {layer}", completed=done, total=units)

        gathered = gather.gather(
            found, wanted, steps=steps, preset=preset, seed=seed, stages=stages, progress=told
        )
    page.write(gathered, path)
    units = sum(layer.units for layer in wanted)
    size = path.stat().st_size / 2**20
    console.print(
        f"written: [bold]{escape(str(path))}[/], {counted(units, 'unit')} of "
        f"{counted(len(wanted), 'layer')}, "
        f"{size:.1f} MiB",
        highlight=False,
        soft_wrap=True,
    )


def _path(out: Path | None, found: Checkpoint) -> Path:
    name = f"{found.manifest.name}-{found.manifest.version}.html"
    if out is None:
        return Path(name)
    return out if out.suffix in (".html", ".htm") else out / name


def _surveyed(found: Checkpoint, root: Path, progress: Progress) -> Checkpoint:
    """A version published before it carried its test images is surveyed now, if they are here."""
    training = found.manifest.training
    dataset = training and (training.recipe.get("test") or training.recipe.get("dataset"))
    if len(found.images) or not dataset:
        return found
    test = data.load(str(dataset), "test", root)
    task = progress.add_task("surveying", total=len(test), what="test images")

    def told(done: int, images: int) -> None:
        progress.update(task, completed=done, total=images)

    network = copy.deepcopy(found.network).cpu()
    files = test_files.collect(
        network, found.manifest.input, test, found.manifest.calibration, told
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        return checkpoint.with_test_set(found, Path(folder))
