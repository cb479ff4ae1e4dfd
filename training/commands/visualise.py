"""``glyphscope-train visualise``: what a network's units prefer, as one picture."""

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape
from rich.progress import Progress

from glyphscope import checkpoint
from glyphscope.checkpoint import Checkpoint
from glyphscope.errors import InvalidInput
from glyphscope.filters import first_layer
from glyphscope.manifest import Manifest
from glyphscope.spec import LabelSet
from glyphscope.store import Store
from glyphscope.visualise import MaximisationRequest, UnitImage, grid, maximise, png
from training import data, device, experiment
from training.counted import counted
from training.options import Data, Device, Runs, StoreFolder, Target, console, find_run
from training.run import Run

SIDE = 112
"""Pixels of one unit's picture at least, where ``--scale`` is not given."""


def visualise(
    target: Target,
    layer: Annotated[
        str | None, typer.Option(help="Whose units; else the last: the classes.")
    ] = None,
    units: Annotated[str, typer.Option(help='Their numbers, such as 0,3,7; or "all".')] = "all",
    filters: Annotated[
        bool, typer.Option("--filters", help="The first layer's weights instead.")
    ] = False,
    steps: Annotated[int, typer.Option(min=1, max=4096, help="Of gradient ascent.")] = 128,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    out: Annotated[Path, typer.Option(help="The picture.")] = Path("units.png"),
    scale: Annotated[int | None, typer.Option(min=1, max=64, help="Enlarge each pixel.")] = None,
    device_name: Device = "auto",
    store: StoreFolder = Path("checkpoints"),
    data_root: Data = None,
    runs: Runs = Path("runs"),
) -> None:
    """Draw the images that units of a layer like most, or the first layer's weights."""
    found = _open(target, runs, store, data.data_root(data_root), device.choose(device_name))
    if filters:
        pictures = list(first_layer(found.network))
    else:
        name = layer or found.network.layers[-1].name
        request = MaximisationRequest(layer=name, units=_units(units), steps=steps, seed=seed)
        drawn = _drawn(found, request)
        pictures = [unit.pixels for unit in drawn]
        _show(name, drawn)
    larger = scale or max(1, -(-SIDE // pictures[0].shape[-1]))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(png(grid(pictures, scale=larger)))
    console.print(f"written: [bold]{escape(str(out))}[/]", highlight=False, soft_wrap=True)


def _open(target: str, runs: Path, store: Path, root: Path, where: torch.device) -> Checkpoint:
    run = find_run(target, runs)
    if run is None:
        shelf = Store(store)
        return checkpoint.load(shelf.path(shelf.resolve(target)), where)
    return _unpublished(run, root, where)


def _unpublished(run: Run, root: Path, where: torch.device) -> Checkpoint:
    """Without the data set's highest activations, which publishing collects."""
    recipe = run.recipe
    train, _ = experiment.splits(recipe, root)
    spec = experiment.input_spec(recipe, train)
    network = experiment.trained(run, spec).to(where)
    manifest = Manifest(
        name="run",
        version=1,
        created="",
        network=network.spec,
        input=spec,
        labels=LabelSet(names=tuple(data.source(recipe.dataset).labels)),
    )
    return Checkpoint(manifest, network, where)


def _units(text: str) -> tuple[int, ...] | str:
    if text == "all":
        return text
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InvalidInput(f'--units takes numbers such as 0,3,7, or "all", not {text!r}') from None


def _drawn(found: Checkpoint, request: MaximisationRequest) -> list[UnitImage]:
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"drawing units of {request.layer}", total=None)

        def told(step: int, of: int) -> None:
            progress.update(task, completed=step, total=of)

        return maximise(found, request, progress=told)


def _show(layer: str, drawn: list[UnitImage]) -> None:
    dead = [str(unit.unit) for unit in drawn if unit.dead]
    ratios = [u.activation / u.dataset_max for u in drawn if u.dataset_max and u.dataset_max > 0]
    console.print(f"{layer}: {counted(len(drawn), 'unit')}, row by row", highlight=False)
    if ratios:
        middle = sorted(ratios)[len(ratios) // 2]
        console.print(
            f"the median picture drives its unit {middle:.1f} times as far as any test image"
        )
    if dead:
        console.print(f"dead, so left empty: {', '.join(dead)}", highlight=False)
