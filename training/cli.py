"""``glyphscope-train``: its commands, the defaults from a file, and how a failure ends it."""

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import typer

from glyphscope.errors import GlyphscopeError, InvalidRecipe, NotFound
from training.commands.atlas import atlas
from training.commands.course import course
from training.commands.data import data
from training.commands.doctor import doctor
from training.commands.evaluate import evaluate
from training.commands.export import export
from training.commands.fit import fit
from training.commands.import_ import import_
from training.commands.network import network
from training.commands.order import order
from training.commands.publish import publish
from training.commands.pull import pull
from training.commands.push import push
from training.commands.sweep import sweep
from training.commands.visualise import visualise
from training.fit import Diverged
from training.onnx_export import ParityError
from training.remote import TransferFailed

COMMANDS: dict[str, Callable[..., None]] = {
    "data": data,
    "fit": fit,
    "evaluate": evaluate,
    "network": network,
    "order": order,
    "doctor": doctor,
    "publish": publish,
    "import": import_,
    "export": export,
    "push": push,
    "pull": pull,
    "sweep": sweep,
    "visualise": visualise,
    "atlas": atlas,
    "course": course,
}

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def about() -> None:
    """Train networks, judge them on test data once, publish them as versioned checkpoints."""


for name, command in COMMANDS.items():
    app.command(name)(command)


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
    except (Diverged, ParityError, TransferFailed) as error:
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
