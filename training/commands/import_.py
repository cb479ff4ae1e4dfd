"""``glyphscope-train import``: a torchvision ResNet's weights -> a version in the store."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from glyphscope.errors import InvalidInput, NotFound
from glyphscope.preprocess import PREPROCESSING
from glyphscope.spec import InputSpec
from glyphscope.store import PRODUCTION, Store
from training import imports
from training.options import StoreFolder, console

# torchvision's references/classification: of ImageNet's training images, pixels in 0..1.
MEAN = "0.485,0.456,0.406"
STD = "0.229,0.224,0.225"


def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A state dict: .safetensors, .pth or .pt.")
    ],
    architecture: Annotated[
        str, typer.Option(help=f"One of {', '.join(imports.ARCHITECTURES)}.")
    ] = "resnet50",
    labels: Annotated[
        str,
        typer.Option(help="A file of class names, one a line or JSON; or imagenet."),
    ] = "imagenet",
    name: Annotated[
        str | None, typer.Option(help="Name in the store; else the architecture's.")
    ] = None,
    alias: Annotated[str, typer.Option(help="Alias to move to it; empty for none.")] = PRODUCTION,
    size: Annotated[int, typer.Option(help="Side of the network's input in pixels.")] = 224,
    mean: Annotated[str, typer.Option(help="Of each channel, over pixels in 0..1.")] = MEAN,
    std: Annotated[str, typer.Option(help="Of each channel, over pixels in 0..1.")] = STD,
    preprocessing: Annotated[
        str, typer.Option(help="imagenet-v2 for torchvision's IMAGENET1K_V2 weights.")
    ] = "imagenet",
    store: StoreFolder = Path("checkpoints"),
) -> None:
    """Take a torchvision ResNet's weights into the store, with their classes and preprocessing."""
    if preprocessing not in PREPROCESSING:
        raise NotFound("preprocessing", preprocessing, PREPROCESSING)
    what = imports.Import(
        architecture, imports.read_labels(labels), _input(size, mean, std, preprocessing)
    )
    manifest = imports.publish(file, what, Store(store), name or architecture, alias or None)
    console.print(
        f"imported [bold]{manifest.ref}[/], {len(what.labels)} classes, "
        f"into {store / manifest.name / str(manifest.version)}"
    )
    console.print("no accuracy is recorded: nothing was measured")


def _input(size: int, mean: str, std: str, preprocessing: str) -> InputSpec:
    try:
        return InputSpec(
            channels=3,
            height=size,
            width=size,
            preprocessing=preprocessing,
            mean=tuple(float(part) for part in mean.split(",")),
            std=tuple(float(part) for part in std.split(",")),
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}: " for part in first["loc"][:1])
        raise InvalidInput(f"{where}{first['msg'].removeprefix('Value error, ')}") from None
    except ValueError:
        raise InvalidInput(f"three numbers with commas are wanted, not {mean!r} {std!r}") from None
