"""What the commands share: where the service is, how answers are shown, how failures end.

What the user got wrong ends with exit code 2, a service that does not answer or fails with 1,
Ctrl+C with 130; each with one line on stderr.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from clients.client import Client
from clients.errors import ClientError, InvalidAddress, InvalidFile, Refused

Url = Annotated[str, typer.Option("--url", envvar="GLYPHSCOPE_URL", help="Where the service is.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs: JSON instead of a table.")]
ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="A name, NAME@VERSION or NAME@ALIAS.")
]

KEY_VARIABLE = "GLYPHSCOPE_KEY"
"""Where a service asks for a key. Not an option: every process list shows those."""

_ENDLESS = 10_000
_OF_THE_BODY = (413, 415, 422)
_USERS_FAULT = (InvalidAddress, InvalidFile, Refused)


@contextmanager
def session(url: str) -> Iterator[Client]:
    """A client whose errors end the program with a message."""
    try:
        with Client(url, key=os.environ.get(KEY_VARIABLE)) as client:
            yield client
    except ClientError as error:
        fail(str(error), code=2 if isinstance(error, _USERS_FAULT) else 1)
    except KeyboardInterrupt:
        fail("stopped", code=130)


@contextmanager
def naming(file: str) -> Iterator[None]:
    """What the service says of an image, said of the file: it knows only "file 0"."""
    try:
        yield
    except Refused as error:
        if error.status not in _OF_THE_BODY:
            raise
        raise InvalidFile(f"{file}: {str(error).removeprefix('file 0: ')}") from None


def fail(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def show(table: Table) -> None:
    """As wide as the window, and as wide as needed where there is none: nobody scrolls a pipe."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _ENDLESS
    console.print(table)


def show_json(answer: Any) -> None:
    """Dataclasses, also inside lists and dicts."""
    typer.echo(json.dumps(_plain(answer), indent=1, ensure_ascii=False))


def write(path: Path, data: bytes) -> None:
    """Folders on the way are made. Raises ``InvalidFile``."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise InvalidFile(f"{error.filename}: {error.strerror}") from None


def _plain(answer: Any) -> Any:
    if is_dataclass(answer) and not isinstance(answer, type):
        return TypeAdapter(type(answer)).dump_python(answer, mode="json")
    if isinstance(answer, dict):
        return {key: _plain(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return [_plain(value) for value in answer]
    return answer
