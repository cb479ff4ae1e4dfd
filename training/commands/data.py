"""``glyphscope-train data``: look at a data set before anything is trained on it."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training import data as datasets
from training import data_page, data_report
from training.counted import counted
from training.data_report import DataReport, SplitFacts
from training.options import Data, console

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A data set's name, folder:PATH or npz:PATH."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the report; else runs/data-NAME."),
]


def data(name: Name, out: Out = None, data_root: Data = None) -> None:
    """Report on a data set: counts, pixels, repeated images, a picture of each class."""
    folder = out or Path("runs") / f"data-{_plain(name)}"
    found = data_report.examine(name, datasets.data_root(data_root))
    page = data_page.write(found, folder)
    _show(found.report)
    console.print(
        f"report [bold]{page}[/], classes.png, counts.png and data.json beside it", soft_wrap=True
    )


def _plain(name: str) -> str:
    """As a folder's name: "folder:my photos/cats" -> "folder-my-photos-cats"."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")


def _show(report: DataReport) -> None:
    colour = "grey" if report.channels == 1 else "RGB"
    console.print(
        f"[bold]{report.dataset}[/]   {len(report.labels)} classes, "
        f"{report.height}x{report.width} {colour}",
        highlight=False,
    )
    if report.note:
        console.print(f"note: {report.note}", highlight=False, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("", "images", "a class", "mean", "deviation", "values", "copies"):
        table.add_column(heading, justify="left" if not heading else "right")
    for split, facts in report.splits.items():
        table.add_row(split, *_row(facts))
    console.print(table)
    for split, why in report.missing.items():
        console.print(f"{split} is not here: {why}", highlight=False, markup=False, soft_wrap=True)
    if len(report.splits) == 2:
        console.print(_leak(report), highlight=False)


def _row(facts: SplitFacts) -> tuple[str, ...]:
    fewest, most = min(facts.counts.values()), max(facts.counts.values())
    return (
        f"{facts.n:,}",
        f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}",
        " ".join(f"{value:.4f}" for value in facts.mean),
        " ".join(f"{value:.4f}" for value in facts.std),
        f"{facts.least} to {facts.most}",
        f"{facts.repeated:,}",
    )


def _leak(report: DataReport) -> str:
    if not report.leaked:
        return "no test image is in the training split"
    under = f", {report.leaked_disputed} under another label" if report.leaked_disputed else ""
    images, are = counted(report.leaked, "test image"), "is" if report.leaked == 1 else "are"
    return f"[bold red]{images} {are} in the training split too[/]{under}"
