"""``glyphscope-key NAME --file keys.toml``: a new key.

Its digest goes into the file, the key itself is shown once and kept nowhere.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from glyphscope.errors import InvalidInput
from service.access.keys import NAME, digest, new_key, read_keys
from service.command import failures, typer_app

app = typer_app()


@app.command()
def make(
    name: Annotated[str, typer.Argument(metavar="NAME", help="of the client, as logs show it")],
    file: Annotated[Path, typer.Option(help="the server's GLYPHSCOPE_API_KEYS")] = Path(
        "keys.toml"
    ),
    rate: Annotated[
        float | None, typer.Option(min=0.001, help="requests a second  [the server's]")
    ] = None,
    burst: Annotated[
        int | None, typer.Option(min=1, help="requests at once  [the server's]")
    ] = None,
) -> None:
    """Make an API key, add its digest to a file, and show it, once.

    A server that runs reads the file within a second. A key is taken back by removing its table.
    """
    with failures():
        if not NAME.fullmatch(name):
            raise InvalidInput(f"{name!r} is no name of a client; letters, digits, . _ -")
        known = read_keys(file) if file.exists() else ()
        if name in [caller.name for caller in known]:
            raise InvalidInput(
                f"{file}: {name} has a key already; remove its table first, or choose another name"
            )
        key = new_key()
        _append(file, _table(name, key, rate, burst))
        typer.echo(key)


def _table(name: str, key: str, rate: float | None, burst: int | None) -> str:
    lines = [f'["{name}"]', f'sha256 = "{digest(key.encode()).hex()}"']
    if rate is not None:
        lines.append(f"rate = {rate:g}")
    if burst is not None:
        lines.append(f"burst = {burst}")
    return "\n".join(lines) + "\n"


def _append(file: Path, table: str) -> None:
    """In one step, and only where the whole is understood: a server reads it meanwhile."""
    before = file.read_text("utf-8") if file.exists() else ""
    gap = "\n" if before else ""
    handle, name = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}-")
    try:
        with open(handle, "w", encoding="utf-8") as out:
            out.write(before + gap + table)
        if before:
            shutil.copymode(file, name)
        read_keys(Path(name))
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise


def main() -> None:
    app()


if __name__ == "__main__":
    main()
