"""``glyphscope-train network``: the layers of a recipe's network, what each weighs and costs."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.bar import Bar
from rich.table import Table

from glyphscope import spec as s
from glyphscope.catalogue import network_spec
from glyphscope.cost import multiply_adds
from glyphscope.errors import InvalidInput
from glyphscope.networks import LayerInfo, Network, build
from training import data, recipe
from training.options import Changes, Data, RecipeName, console

_BAR = 12


def network(
    recipe_name: RecipeName,
    changes: Changes = None,
    whole: Annotated[
        bool, typer.Option("--all", help="Show the layers inside residual blocks too.")
    ] = False,
    shape: Annotated[
        str | None,
        typer.Option("--input", metavar="CxHxW", help="Image shape; else the data set's."),
    ] = None,
    classes: Annotated[int | None, typer.Option(help="Else the data set's.", min=1)] = None,
    data_root: Data = None,
) -> None:
    """Show a recipe's network: its layers, output shapes, parameters and multiply-adds."""
    how = recipe.load(recipe_name, changes)
    given = _parsed(shape) if shape else _images(how.dataset, data.data_root(data_root))
    outputs = classes or len(data.source(how.dataset).labels)
    found = build(network_spec(how.network.name, given, outputs, **how.network.knobs))
    console.print(f"[bold]{found.spec.name}[/]   input {_by(given)}, {outputs} classes")
    console.print(_table(found, whole))
    total = sum(p.numel() for p in found.parameters())
    console.print(
        f"[bold]{total:,}[/] parameters ({4 * total / 2**20:,.1f} MiB in float32), "
        f"[bold]{sum(multiply_adds(found).values()):,}[/] multiply-adds an image",
        highlight=False,
    )


def _table(network: Network, whole: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("layer")
    table.add_column("what")
    for heading in ("output", "parameters", "multiply-adds"):
        table.add_column(heading, justify="right")
    table.add_column("share", justify="right")
    table.add_column("", width=_BAR)
    costs, words = multiply_adds(network), _words(network.spec.layers, "")
    total = max(1, sum(p.numel() for p in network.parameters()))
    for layer in _ordered(network.layers):
        inner = "." in layer.name
        if inner and not whole:
            continue
        cost = sum(n for name, n in costs.items() if f"{name}.".startswith(f"{layer.name}."))
        table.add_row(
            "  " + layer.name.partition(".")[2] if inner else layer.name,
            words.get(layer.name, layer.kind),
            _by(layer.output_shape),
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{cost:,}" if cost else "",
            *_share(layer.parameters / total),
            style="dim" if inner or not layer.parameters else None,
        )
    return table


def _ordered(layers: tuple[LayerInfo, ...]) -> list[LayerInfo]:
    """Each block before the layers inside it, which a network lists first."""
    found: list[LayerInfo] = []
    inside: list[LayerInfo] = []
    for layer in layers:
        if "." in layer.name:
            inside.append(layer)
        else:
            found += [layer, *inside]
            inside = []
    return found


def _words(layers: tuple[s.LayerSpec, ...], prefix: str) -> dict[str, str]:
    """Path of a layer -> what it does, in two or three words."""
    found = {}
    for layer in layers:
        path = prefix + layer.name
        found[path] = _describe(layer)
        if isinstance(layer, s.Residual):
            found |= _words(layer.body, path + ".")
            found |= _words(layer.shortcut or (), path + ".shortcut.")
    return found


def _describe(layer: s.LayerSpec) -> str:
    match layer:
        case s.Conv():
            stride = f", stride {layer.stride}" if layer.stride > 1 else ""
            return f"conv {layer.kernel}x{layer.kernel}{stride}"
        case s.Pool():
            own = layer.stride or layer.size
            stride = f", stride {own}" if own != layer.size else ""
            return f"{layer.mode} pool {layer.size}x{layer.size}{stride}"
        case s.GlobalPool():
            return f"global {layer.mode} pool"
        case s.Activation():
            return layer.function
        case s.Dropout():
            return f"dropout {layer.rate:g}" + (" of maps" if layer.channels else "")
        case s.Residual():
            return f"residual block of {len(layer.body)}"
        case _:
            return layer.kind.replace("_", " ")


def _share(share: float) -> tuple[str, Bar | str]:
    if share < 0.0005:
        return "", ""
    return f"{share:.1%}", Bar(1, 0, share, width=_BAR, color="cyan")


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in shape)


def _images(name: str, root: Path) -> tuple[int, int, int]:
    channels, height, width = data.load(name, "train", root).images.shape[1:]
    return channels, height, width


def _parsed(text: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})x(\d{1,4})", text.strip())
    if found is None or "0" in found.groups():
        raise InvalidInput(
            f"--input takes channels x height x width, such as 3x32x32, not {text!r}"
        )
    return int(found[1]), int(found[2]), int(found[3])
