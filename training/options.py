"""Options that several commands share, and the console that they print on."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from glyphscope.errors import NotFound
from training.run import Run

console = Console()

LAST = "last"

Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="GLYPHSCOPE_DATA", help="Folder of the data sets."),
]
Device = Annotated[
    str, typer.Option("--device", envvar="GLYPHSCOPE_DEVICE", help="auto, cpu or cuda.")
]
Runs = Annotated[Path, typer.Option(envvar="GLYPHSCOPE_RUNS", help="Folder of the runs.")]
StoreFolder = Annotated[
    Path, typer.Option("--store", envvar="GLYPHSCOPE_STORE", help="Folder of the checkpoints.")
]
RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a shipped recipe.")
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace one key, e.g. fit.epochs=3."),
]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help='A run\'s folder, its name in --runs, or "last" for the newest.'
    ),
]

Target = Annotated[
    str,
    typer.Argument(
        metavar="RUN|MODEL[@VERSION]",
        help='A run\'s folder, its name in --runs, "last" for the newest, or a published model of '
        "--store.",
    ),
]


def find_run(target: str, runs: Path) -> Run | None:
    """None where ``target`` must be a published model: no run, and no path either."""
    if target == LAST:
        return _newest(runs)
    for folder in (Path(target), runs / target):
        if (folder / "recipe.json").is_file():
            return Run.open(folder)
    return None if re.fullmatch(r"[^/@]+(@[^/@]+)?", target) else Run.open(Path(target))


def open_run(name: str, runs: Path) -> Run:
    if name == LAST:
        return _newest(runs)
    folder = Path(name)
    return Run.open(folder if folder.is_dir() else runs / name)


def _newest(runs: Path) -> Run:
    found = sorted(runs.glob("*/recipe.json"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise NotFound("run in", runs, [])
    return Run.open(found[-1].parent)
