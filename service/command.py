"""What the service's two commands share: how they fail.

Bad input is one line on stderr and exit code 2, any other failure that was foreseen exit code 1.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from glyphscope.errors import GlyphscopeError


def typer_app() -> typer.Typer:
    """Plain text: brackets in a help text are brackets, and an error is one line."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@contextmanager
def failures() -> Iterator[None]:
    try:
        yield
    except GlyphscopeError as error:
        fail(str(error), code=2)
    except OSError as error:
        fail(f"{error.filename or 'system'}: {error.strerror or error}", code=1)


def fail(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)
