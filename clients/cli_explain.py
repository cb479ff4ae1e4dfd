"""``glyphscope attribute``, ``fool``, ``invert`` and ``place``: what becomes of one image."""

from pathlib import Path
from typing import Annotated

import typer

from clients import findings_tables as tables
from clients.client import DEFAULT_URL
from clients.errors import InvalidFile
from clients.files import inputs
from clients.terminal import AsJson, ModelName, Url, naming, session, show, show_json, write

File = Annotated[str, typer.Argument(metavar="FILE", help="As for classify; - is stdin.")]
Target = Annotated[
    str | None, typer.Option(help="A label, or a class's number; default: the answer.")
]
Scale = Annotated[int, typer.Option(min=1, max=32, help="Pixels a pixel.")]


def attribute(
    model: ModelName,
    file: File,
    method: Annotated[
        str | None, typer.Option(help="Such as saliency, occlusion, lrp; --methods lists them.")
    ] = None,
    target: Target = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.png", help="The heat map over the image.")
    ] = None,
    scale: Scale = 8,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Which parts of an image speak for its class, and which against it."""
    with session(url) as client:
        with naming(file):
            what = inputs(file)
            if out is not None:
                _png(out)
                picture = client.attribution_picture(
                    model, method=method, target=target, scale=scale, **what
                )
                return write(out, picture)
            found = client.attribute(model, method=method, target=target, **what)
        show_json(found) if as_json else show(tables.attributions(found))


def methods(model: ModelName, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """What `attribute` can explain an answer by."""
    with session(url) as client:
        found = client.attribution_methods(model)
        show_json(found) if as_json else show(tables.methods(found))


def fool(
    model: ModelName,
    file: File,
    target: Annotated[
        str | None, typer.Option(help="A label, or a class's number; default: any other.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.png", help="The changed image.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Change an image as little as it takes to have it answered otherwise."""
    with session(url) as client:
        with naming(file):
            found = client.adversarial(model, target=target, **inputs(file))
        if out is not None:
            write(_png(out), found[0].after.png)
        show_json(found) if as_json else show(tables.adversarials(found))


def invert(
    model: ModelName,
    file: File,
    layer: Annotated[str, typer.Option(help="As `glyphscope layers` names it.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.png", help="Where to write it.")],
    steps: Annotated[int | None, typer.Option(help="More steps, nearer.")] = None,
    scale: Scale = 8,
    url: Url = DEFAULT_URL,
) -> None:
    """Draw what a layer still knows of an image."""
    with session(url) as client, naming(file):
        picture = client.invert(model, layer, steps=steps, scale=scale, **inputs(file))
        write(_png(out), picture)


def place(model: ModelName, file: File, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Where an image lies on the map of the test set: its nearest test images."""
    with session(url) as client:
        with naming(file):
            found = client.place(model, **inputs(file))
        show_json(found) if as_json else show(tables.places(found))


def _png(out: Path) -> Path:
    if out.suffix.lower() != ".png":
        raise InvalidFile(f"--out must end in .png, not {out.suffix!r}")
    return out
