"""Options that several commands share, and the console that they print on."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from training.run import Run

console = Console()

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
    str, typer.Argument(metavar="RUN", help="A run's folder, or its name in --runs.")
]


def open_run(name: str, runs: Path) -> Run:
    folder = Path(name)
    return Run.open(folder if folder.is_dir() else runs / name)
