"""``glyphscope-train doctor``: what keeps a recipe or a run from learning."""

from pathlib import Path
from typing import Annotated

import typer

from glyphscope.errors import InvalidRecipe, NotFound
from training import data, device, experiment, recipe
from training.commands.progress import Bar
from training.doctor import past, report, trial
from training.doctor.diagnose import diagnose
from training.doctor.findings import Finding
from training.doctor.record import Record
from training.options import Changes, Data, Device, Runs, console, open_run
from training.run import Run

FOUND = 3
"""Exit code where something is wrong; 0 is healthy, 1 and 2 are failures as everywhere."""


def doctor(
    name: Annotated[
        str,
        typer.Argument(metavar="RECIPE|RUN", help="A recipe to try out, or a run that is over."),
    ],
    changes: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the page and pictures; else doctor/RECIPE, or in the run."),
    ] = None,
    data_root: Data = None,
    device_name: Device = "auto",
    runs: Runs = Path("runs"),
) -> None:
    """Find out why a network does not learn: a short watched training of a recipe, or a run's
    history and weights. Exit code 3 when something is found."""
    root, run = data.data_root(data_root), _run(name, runs)
    if run is None:
        how = recipe.load(name, changes)
        with Bar(console) as bar:
            job = experiment.assemble(how, root, device.choose(device_name))
            record = trial.examine(job, observers=(bar,))
        _tell(record, [], out or Path("doctor") / how.name, how.name)
    elif changes:
        raise InvalidRecipe("--set changes a recipe; a run is what it was")
    else:
        record, also = past.examine(run, root)
        _tell(record, also, out or run.folder / "doctor", run.folder.name)


def _run(name: str, runs: Path) -> Run | None:
    try:
        return open_run(name, runs)
    except NotFound:
        return None


def _tell(record: Record, also: list[Finding], folder: Path, subject: str) -> None:
    told = report.tell(record, diagnose(record, also), folder, subject=subject, console=console)
    if any(finding.severity != "note" for finding in told):
        raise typer.Exit(FOUND)
