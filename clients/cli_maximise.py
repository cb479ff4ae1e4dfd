"""``glyphscope maximise``: pictures of what drives units most, with a bar while they are drawn."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clients import tables
from clients.answers import Maximisation
from clients.client import DEFAULT_URL
from clients.maximise_files import Files
from clients.terminal import AsJson, ModelName, Url, session, show, show_json

Units = list[int] | Literal["all"]

_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


def maximise(
    model: ModelName,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="As `glyphscope layers` names it.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR|FILE.png", help="A picture a unit, or all on one sheet."),
    ] = None,
    units: Annotated[str, typer.Option(help="Such as 0,3,8-15, or all.")] = "all",
    objective: Annotated[
        str | None,
        typer.Option(help="channel (its mean), neuron (its middle) or layer (all of it)."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="More steps, stronger pictures.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of Adam.")] = None,
    parameterisation: Annotated[
        str | None, typer.Option(help="fourier, maco, pixels, pyramid or raw.")
    ] = None,
    transforms: Annotated[str | None, typer.Option(help="small, lucid or none.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="A method: default, natural, sharp, lucid, maco, ...")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another picture.")] = None,
    epoch: Annotated[
        int | None, typer.Option(help="As it was then, of a version that carries snapshots.")
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=16, help="Pixels a pixel.")] = 8,
    frames: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The way to each picture, frame by frame.")
    ] = None,
    animation: Annotated[
        Path | None, typer.Option(metavar="FILE.webp", help="All of them, moving.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Without, only start it and print its id.")] = True,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Draw what drives units of a layer most. What is not given is the service's choice."""
    given = {
        "objective": objective, "steps": steps, "learning_rate": learning_rate,
        "parameterisation": parameterisation, "transforms": transforms, "seed": seed,
        "preset": preset, "epoch": epoch,
    }  # fmt: skip
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    chosen, files = _units(units), Files(out, frames, animation, scale)
    if wait and not files.wanted:
        raise typer.BadParameter("say where: --out, --frames or --animation", param_hint="--out")
    with session(url) as client:
        if not wait:
            job = client.start_maximisation(model, layer, chosen, **settings)
            return show_json({"job": job}) if as_json else typer.echo(f"{job.id} {job.status}")
        with _bar(f"{model} {layer}") as progress:
            job = client.maximise(model, layer, chosen, progress=progress, **settings)
        written = files.write(client, job)
        if as_json:
            return show_json({"job": job, "files": [str(path) for path in written]})
        show(tables.maximisation(job))
        typer.echo("written: " + _summary(written))


def _units(text: str) -> Units:
    if text == "all":
        return "all"
    units: list[int] = []
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if not found:
            raise typer.BadParameter(
                f"{part!r} is no unit; give numbers such as 0,3,8-15, or all", param_hint="--units"
            )
        first = int(found[1])
        units += range(first, int(found[2] or first) + 1)
    if not units:
        raise typer.BadParameter(f"{text!r} names no unit", param_hint="--units")
    return units


@contextmanager
def _bar(title: str) -> Iterator[Callable[[Maximisation], None]]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    console = Console(stderr=True, markup=False)
    hidden = not console.is_terminal
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden
    ) as bar:
        task = bar.add_task(title, total=None)

        def show_step(job: Maximisation) -> None:
            waits = _waits(job.position) if job.status == "queued" else ""
            bar.update(task, description=title + waits, completed=job.step, total=job.steps or None)

        yield show_step


def _waits(position: int | None) -> str:
    return f" (waiting, {position} before it)" if position else " (waiting for its turn)"


def _summary(written: list[Path]) -> str:
    folders = dict.fromkeys(path.parent for path in written)
    if len(written) <= len(folders) or len(written) == 1:
        return ", ".join(map(str, written))
    return f"{len(written)} files in {', '.join(map(str, folders))}"
