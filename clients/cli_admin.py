"""``glyphscope status``, ``promote``, ``load``, ``unload``: how a service is, and its versions."""

from typing import Annotated, Any

import typer

from clients import tables
from clients.client import DEFAULT_URL
from clients.terminal import AsJson, Url, session, show, show_json

AdminKey = Annotated[
    str,
    typer.Option(
        "--admin-key",
        envvar="GLYPHSCOPE_ADMIN_KEY",
        show_envvar=True,
        help="The service's admin key; better from the environment, where no process list has it.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="MODEL", help="A name, without a version.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1)]
NO_KEY = ""


def status(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """How the service is: its processes, what they hold, and which versions answer."""
    with session(url) as client:
        found = client.status()
        if as_json:
            return show_json(found)
        show(tables.processes(found))
        show(tables.serving(found))
        for line in tables.troubles(found):
            typer.echo(line, err=True)


def promote(
    model: Name,
    version: Version,
    alias: Annotated[str, typer.Option("--alias", help="Which alias moves.")] = "production",
    admin_key: AdminKey = NO_KEY,
    url: Url = DEFAULT_URL,
) -> None:
    """Let an alias name another version, forwards or back."""
    with session(url) as client:
        done = client.promote(model, version, alias, admin_key=admin_key)
        typer.echo(f"{model}@{alias} is version {version} now{_late(done)}")


def load(
    model: Name, version: Version, admin_key: AdminKey = NO_KEY, url: Url = DEFAULT_URL
) -> None:
    """Bring a version into memory, verified and warmed."""
    with session(url) as client:
        done = client.load(model, version, admin_key=admin_key)
        typer.echo(f"{model}@{version} is loaded{_late(done)}")


def unload(
    model: Name, version: Version, admin_key: AdminKey = NO_KEY, url: Url = DEFAULT_URL
) -> None:
    """Drop a version from memory; it is not served until it is loaded again."""
    with session(url) as client:
        done = client.unload(model, version, admin_key=admin_key)
        typer.echo(f"{model}@{version} is unloaded{_late(done)}")


def _late(done: dict[str, Any]) -> str:
    late = done.get("late") or []
    return f"; not yet in {', '.join(late)}" if late else ""
