"""``glyphscope-train evaluate``: judge a run or a published model on its test set."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.markup import escape
from rich.table import Table

from glyphscope.errors import InvalidRecipe, NotFound
from glyphscope.store import Store
from training import data, device, report
from training import evaluate as evaluation
from training import subject as subjects
from training.evaluate import Evaluation
from training.options import Data, Device, Runs, StoreFolder, Target, console, find_run
from training.record import Record
from training.run import Run
from training.subject import Subject


@dataclass(frozen=True)
class Way:
    """How to judge, and whether to write the report."""

    root: Path
    device: torch.device
    split: str = "test"
    quick: bool = True
    report: bool = True


def evaluate(
    target: Target,
    data_root: Data = None,
    runs: Runs = Path("runs"),
    store: StoreFolder = Path("checkpoints"),
    device_name: Device = "auto",
    with_report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write a report in HTML.")
    ] = True,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer images for all but the test accuracy.")
    ] = False,
    split: Annotated[
        str, typer.Option(help="test, or validation: a look that may be repeated.")
    ] = "test",
    dataset: Annotated[
        str | None,
        typer.Option(help="Judge a published model by another data set with the same classes."),
    ] = None,
) -> None:
    """Judge a run on its test set, once; a second call shows what was recorded.

    A published model is judged in the same way, into RUNS/MODEL@VERSION.
    """
    if split not in evaluation.FILES:
        raise NotFound("split", split, evaluation.FILES)
    way = Way(data.data_root(data_root), device.choose(device_name), split, quick, with_report)
    run = find_run(target, runs)
    if run is None:
        _published(target, Store(store), runs, way, dataset)
    elif dataset is not None:
        raise InvalidRecipe("--dataset is for published models; a run's recipe says its test set")
    else:
        _judge(run, way)


def judge(run: Run, root: Path, on: torch.device | None = None) -> None:
    """What ``fit`` does at its end: read the test set once, the rest of the report quickly."""
    _judge(run, Way(root, on or device.choose("auto")))


def _judge(run: Run, way: Way) -> None:
    if way.split == "validation":
        _look(subjects.of_run(run, way.root, way.device), run.folder, way)
        return
    before = evaluation.recorded(run)
    with console.status("") as status:
        found = before or evaluation.evaluate(
            run, way.root, quick=way.quick, device=way.device, say=status.update
        )
    _show(found)
    if before and before.record is None:
        console.print(
            "judged before there were reports, and its test set is not read again; "
            "--split validation makes a report of validation images"
        )
    elif before and before.record and before.record.quick and not way.quick:
        console.print("this is the quick evaluation that was recorded when its test set was read")
    if found.record and way.report:
        _write(found.record, run.folder)


def _published(target: str, store: Store, runs: Path, way: Way, dataset: str | None) -> None:
    if target.partition("@")[0] not in store.names():
        known = sorted(path.parent.name for path in runs.glob("*/recipe.json"))
        raise NotFound("run or model", target, [*known, *store.names()])
    subject = subjects.of_checkpoint(store, target, way.device)
    folder = runs / subject.name
    if dataset is not None:
        subject = subject.on(dataset)
        folder = runs / f"{subject.name}-on-{re.sub(r'[^A-Za-z0-9.]+', '-', dataset).strip('-')}"
    if not subject.dataset:
        raise InvalidRecipe(
            f"{subject.name} does not say what it was trained on; name a data set with --dataset"
        )
    record = evaluation.recorded_in(folder) if way.split == "test" else None
    if record is None:
        _look(subject, folder, way)
        return
    _show(Evaluation(record.calibration, record.metrics, record))
    if record.quick and not way.quick:
        console.print(f"recorded by --quick; remove {escape(str(folder))} to judge it in full")
    if way.report:
        _write(record, folder)


def _look(subject: Subject, folder: Path, way: Way) -> None:
    with console.status("") as status:
        record = evaluation.judge(
            subject, way.root, split=way.split, quick=way.quick, say=status.update
        )
    evaluation.write(record, folder)
    _show(Evaluation(record.calibration, record.metrics, record))
    if way.report:
        _write(record, folder)


def _write(record: Record, folder: Path) -> None:
    with console.status("drawing the report"):
        path = report.write(record, folder)
    console.print(f"report: {escape(str(path))}", soft_wrap=True)


def _show(found: Evaluation) -> None:
    m, record = found.metrics, found.record
    split = record.split if record else "test"
    table = Table(show_header=False, box=None, pad_edge=False)
    interval = f"  (95 %: {record.interval[0]:.2%} to {record.interval[1]:.2%})" if record else ""
    table.add_row(
        escape(f"{split} accuracy ({m.split}, n = {m.n:,})"), f"[bold]{m.accuracy:.2%}[/]{interval}"
    )
    if split == "test" and m.validation_accuracy:
        table.add_row("validation accuracy", f"{m.validation_accuracy:.2%}")
    before = f"  ({record.certainty.ece_before:.2%} before temperature)" if record else ""
    table.add_row("calibration error (ECE)", f"{m.ece:.2%}{before}")
    table.add_row("temperature", f"{found.calibration.temperature:.3f}")
    worst = sorted(m.per_class.items(), key=lambda item: item[1])[:3]
    hardest = ", ".join(f"{name} {recall:.1%}" for name, recall in worst)
    table.add_row("hardest classes", escape(hardest))
    if record:
        _show_more(table, record)
    console.print(table)


def _show_more(table: Table, record: Record) -> None:
    strangers = (f"{s.name} {s.auroc_energy:.1%}" for s in record.rejection.strangers)
    table.add_row("told from strangers (AUROC)", ", ".join(strangers))
    if record.pen:
        groups = (f"{g.title.lower()} {g.accuracy:.1%}" for g in record.pen.groups[:3])
        table.add_row("pen strokes", ", ".join(groups))
    for line in record.left_out:
        table.add_row("left out", escape(line))
