"""``glyphscope-train``: its commands, the defaults from a file, and how a failure ends it.

A command is imported when it is called: to say what there is takes no PyTorch, which takes seconds.
"""

import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from glyphscope.errors import GlyphscopeError, InvalidRecipe, NotFound
from training.failure import Failure

COMMANDS = {
    "data": "Report on a data set: counts, pixels, repeated images, a picture of each class.",
    "fit": "Train by a recipe.",
    "evaluate": "Judge a run on its test set, once; a second call shows what was recorded.",
    "network": "Show a recipe's network: its layers, output shapes, parameters and multiply-adds.",
    "order": "Train once for each order of shuffle, batch and repeat, on images sorted by class.",
    "doctor": "Find out why a network does not learn.",
    "publish": "Make the next version of a model from an evaluated run.",
    "import": "Take a torchvision ResNet's weights into the store.",
    "export": "Write a network as ONNX, checked against torch.",
    "push": "Copy a version of a model to a store elsewhere.",
    "pull": "Copy a version of a model from a store elsewhere.",
    "sweep": "Train a recipe over a grid of values.",
    "visualise": "Draw the images that units of a layer like most, or the first layer's weights.",
    "atlas": "Write a self-contained page that shows every unit of a model.",
    "course": "Run the experiments of docs/course.md.",
}


class Commands(TyperGroup):
    """In ``commands`` is what a list of them needs; ``resolve_command`` brings the one called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] in COMMANDS:
            self.commands[args[0]] = command(args[0])
        return super().resolve_command(ctx, args)


def command(name: str) -> Any:
    """With its options. ``import`` is a word of the language, so its module has another name."""
    word = f"{name}_" if name == "import" else name
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(getattr(import_module(f"training.commands.{word}"), word))
    return typer.main.get_command(alone)


app = typer.Typer(
    cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def about() -> None:
    """Train networks, judge them on test data once, publish them as versioned checkpoints."""


def _listed() -> None:
    """Stands for a command in the list of them."""


for name, summary in COMMANDS.items():
    app.command(name, help=summary)(_listed)


def _file_defaults(path: Path) -> dict[str, Any]:
    """Table ``[train]`` of ``glyphscope.toml``: below options and environment, above defaults.
    An unknown key fails with the known ones."""
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text()).get("train", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidRecipe(f"{path}: {error}") from None
    known = {"data": "data_root", "device": "device_name", "runs": "runs", "store": "store"}
    for key in found:
        if key not in known:
            raise NotFound(f"key of [train] in {path}", key, known)
    values = {option: found[key] for key, option in known.items() if key in found}
    return dict.fromkeys(COMMANDS, values)


def main() -> None:
    try:
        app(default_map=_file_defaults(Path("glyphscope.toml")))
    except KeyboardInterrupt:
        _fail("stopped; the same command with --resume goes on from the last finished epoch", 130)
    except Failure as error:
        _fail(str(error), 1)
    except GlyphscopeError as error:
        _fail(str(error), 2)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 1)


def _fail(message: str, code: int) -> NoReturn:
    print(f"glyphscope-train: {message}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
