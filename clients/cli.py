"""``glyphscope``: ask a service from the command line. Thin: parse, ask, show."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from safetensors.numpy import save

from clients import tables
from clients.answers import Prediction
from clients.cli_admin import load, promote, status, unload
from clients.cli_explain import attribute, fool, invert, methods, place
from clients.cli_look import compare, evolution, examples, filters, mistakes, units
from clients.cli_maximise import maximise
from clients.client import DEFAULT_URL, Client
from clients.errors import InvalidFile
from clients.files import inputs
from clients.inputs import Inputs
from clients.terminal import AsJson, ModelName, Url, naming, session, show, show_json, write

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE...", help="Images, .npy arrays or JSON strokes; - is stdin."),
]
Layers = Annotated[
    str | None, typer.Option("--layers", metavar="A,B", help="Only these; default: all.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write all values (.npz, .safetensors) or a .png."),
]


@app.callback()
def about() -> None:
    """Ask a Glyphscope service: what it serves, what it sees, what its networks look for.

    GLYPHSCOPE_URL says where it is, GLYPHSCOPE_KEY holds the key where it asks for one.
    """


@app.command()
def models(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """What is served."""
    with session(url) as client:
        found = client.models()
        if as_json:
            return show_json(found)
        show(tables.models(found))
        for line in tables.refusals(found):
            typer.echo(line, err=True)


@app.command()
def layers(model: ModelName, url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """A model's layers, in the order in which an image passes them."""
    with session(url) as client:
        found = client.layers(model)
        show_json(found) if as_json else show(tables.layers(found))


@app.command()
def classify(
    model: ModelName,
    files: Files,
    top_k: Annotated[
        int | None, typer.Option("--top-k", min=1, help="How many classes to show.")
    ] = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Which class each image is."""
    names: list[str] = []
    found: list[Prediction] = []
    with session(url) as client:
        for file in files:
            with naming(file):
                some = client.classify(model, top_k=top_k, **inputs(file))
            names += [file] if len(some) == 1 else [f"{file}[{i}]" for i in range(len(some))]
            found += some
        if as_json:
            pairs = zip(names, found, strict=True)
            return show_json([{"file": name, "prediction": one} for name, one in pairs])
        show(tables.predictions(names, found))


@app.command()
def activations(
    model: ModelName,
    file: Annotated[str, typer.Argument(metavar="FILE", help="As for classify; - is stdin.")],
    layers: Layers = None,
    out: Out = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """What every layer answers to an image: a summary, or all values in a file."""
    chosen = [name.strip() for name in layers.split(",")] if layers is not None else None
    with session(url) as client:
        with naming(file):
            if out is not None:
                return write(out, _exported(client, model, chosen, inputs(file), out.suffix))
            found = client.statistics(model, chosen, **inputs(file))
        show_json(found) if as_json else show(tables.statistics(found))


def _exported(
    client: Client, model: str, layers: list[str] | None, what: Inputs, suffix: str
) -> bytes:
    if suffix == ".png":
        return client.activation_sheet(model, layers, **what)
    if suffix not in WRITERS:
        raise InvalidFile(f"--out must end in .png, {' or '.join(WRITERS)}, not {suffix!r}")
    return WRITERS[suffix](client.activations(model, layers, **what))


def _npz(values: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **values)
    return out.getvalue()


WRITERS: dict[str, Callable[[dict[str, Any]], bytes]] = {".npz": _npz, ".safetensors": save}

for command in (
    maximise, attribute, methods, fool, invert, place, filters, units, examples, evolution,
    mistakes, compare, status, promote, load, unload,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
