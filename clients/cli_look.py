"""``glyphscope filters``, ``units``, ``examples``, ``evolution``, ``mistakes``, ``compare``: what a
version tells of itself."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from clients import findings_tables as tables
from clients.client import DEFAULT_URL
from clients.terminal import AsJson, ModelName, Url, session, show, show_json, write

LayerName = Annotated[str, typer.Argument(metavar="LAYER", help="As `glyphscope layers` names it.")]
Picture = Annotated[Path, typer.Option("--out", metavar="FILE.png", help="Where to write it.")]
Scale = Annotated[int | None, typer.Option(min=1, max=16, help="Pixels a pixel.")]


def filters(
    model: ModelName,
    layer: LayerName,
    out: Picture,
    view: Annotated[
        Literal["mean", "norm", "grid"] | None,
        typer.Option("--show", help="Of many inputs: mean, norm, or every kernel in a grid."),
    ] = None,
    scale: Scale = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Draw a layer's weights, a tile a unit."""
    with session(url) as client:
        write(out, client.filters(model, layer, show=view, scale=scale))
        typer.echo(f"written: {out}")


def units(
    model: ModelName, layer: LayerName, url: Url = DEFAULT_URL, as_json: AsJson = False
) -> None:
    """What each unit of a layer does over the test set."""
    with session(url) as client:
        found = client.units(model, layer)
        show_json(found) if as_json else show(tables.units(found))


def examples(
    model: ModelName,
    layer: LayerName,
    unit: Annotated[int, typer.Argument(metavar="UNIT", min=0, help="From 0.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.png", help="Also draw them here.")
    ] = None,
    marked: Annotated[bool, typer.Option(help="With a frame around what the unit sees.")] = True,
    scale: Scale = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """The test images that drive a unit most."""
    with session(url) as client:
        found = client.examples(model, layer, unit)
        if out is not None:
            write(out, client.example_sheet(model, layer, unit, marked=marked, scale=scale))
        show_json(found) if as_json else show(tables.examples(found))


def evolution(
    model: ModelName,
    layer: LayerName,
    unit: Annotated[int, typer.Argument(metavar="UNIT", min=0, help="From 0.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Also draw it at each epoch here.")
    ] = None,
    scale: Annotated[int, typer.Option(min=1, max=16, help="Pixels a pixel.")] = 8,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """How a unit came to be, over the epochs that the version carries snapshots of."""
    with session(url) as client:
        found = client.evolution(model, layer, unit)
        if out is not None:
            for stage in found.stages:
                then: dict[str, Any] = {} if stage.epoch is None else {"epoch": stage.epoch}
                name = "published" if stage.epoch is None else f"epoch-{stage.epoch:04}"
                job = client.maximise(model, layer, [unit], **then)
                path = out / f"{job.model}-{layer}-{unit}-{name}.png"
                write(path, client.picture(job.id, unit, scale))
        show_json(found) if as_json else show(tables.evolution(found))


def mistakes(
    model: ModelName,
    truth: Annotated[str, typer.Argument(metavar="TRUTH", help="A label, or its number.")],
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="A label, or its number.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Test images of TRUTH that are answered as ANSWER, and the units that were misled."""
    with session(url) as client:
        found = client.confusion(model, truth, answer)
        if as_json:
            return show_json(found)
        typer.echo(f"{found.count} of {found.truth.label} answered as {found.answer.label}")
        show(tables.test_images(found.examples))
        show(tables.differences(found.units))


def compare(
    model: ModelName,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Another version, as MODEL.")],
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Two versions side by side: which layers are alike, and how alike their units."""
    with session(url) as client:
        found = client.compare(model, other)
        if as_json:
            return show_json(found)
        typer.echo(f"the same answer to {found.agreement:.1%} of {found.images} test images")
        show(tables.comparison(found))
