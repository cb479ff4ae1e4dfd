"""``glyphscope-train``: fit, evaluate, publish. Thin: parse, call one function, show the answer."""

import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, NoReturn

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from glyphscope.errors import GlyphscopeError, InvalidRecipe, NotFound
from glyphscope.store import PRODUCTION, Store
from training import data, device, experiment, plots, recipe
from training.evaluate import Evaluation
from training.evaluate import evaluate as evaluate_run
from training.fit import Diverged
from training.publish import publish as publish_run
from training.run import Epoch, Run

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()

Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="GLYPHSCOPE_DATA", help="Folder of the data sets."),
]
Runs = Annotated[Path, typer.Option(envvar="GLYPHSCOPE_RUNS", help="Folder of the runs.")]
StoreFolder = Annotated[
    Path, typer.Option("--store", envvar="GLYPHSCOPE_STORE", help="Folder of the checkpoints.")
]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run's folder, or its name in --runs.")
]


@app.callback()
def about() -> None:
    """Train networks, judge them on test data once, publish them as versioned checkpoints."""


@app.command()
def fit(
    recipe_name: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a shipped recipe.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace one key, e.g. fit.epochs=3."),
    ] = None,
    data_root: Data = None,
    device_name: Annotated[
        str, typer.Option("--device", envvar="GLYPHSCOPE_DEVICE", help="auto, cpu or cuda.")
    ] = "auto",
    runs: Runs = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest unfinished run of this recipe.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test/--no-test", help="Read the test set once at the end.")
    ] = True,
) -> None:
    """Train by a recipe."""
    how = recipe.load(recipe_name, changes)
    target, root = device.choose(device_name), data.data_root(data_root)
    experiment.check(how, root)
    run = Run.unfinished(runs, how) if resume else Run.create(runs, how)
    console.print(f"run [bold]{run.folder}[/]")
    _train(run, root, target)
    plots.curves(run.history(), run.folder / "curves.png")
    if test:
        _show(evaluate_run(run, root))
        console.print(f"publish it with: glyphscope-train publish {run.folder}")


@app.command()
def evaluate(run_name: RunName, data_root: Data = None, runs: Runs = Path("runs")) -> None:
    """Judge a run on its test set, once; a second call shows what was recorded."""
    _show(evaluate_run(_open(run_name, runs), data.data_root(data_root)))


@app.command()
def publish(
    run_name: RunName,
    name: Annotated[str | None, typer.Option(help="Name in the store; else the recipe's.")] = None,
    alias: Annotated[str, typer.Option(help="Alias to move to it; empty for none.")] = PRODUCTION,
    store: StoreFolder = Path("checkpoints"),
    data_root: Data = None,
    runs: Runs = Path("runs"),
) -> None:
    """Make the next version of a model from an evaluated run."""
    run, root = _open(run_name, runs), data.data_root(data_root)
    manifest = publish_run(run, Store(store), root, name, alias or None)
    where = f"{store / manifest.name / str(manifest.version)}"
    console.print(f"published [bold]{manifest.ref}[/] in {where}")
    if manifest.onnx:
        console.print(
            f"model.onnx differs from torch by at most {manifest.onnx.max_abs_difference:.1e}"
        )


def _train(run: Run, root: Path, target: torch.device) -> None:
    columns = (
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading data", total=None)

        def on_step(epoch: int, step: int, steps: int) -> None:
            progress.update(task, description=f"epoch {epoch}", completed=step, total=steps)

        job = experiment.trainer(run, root, target, on_step)
        for record in job.epochs():
            progress.console.print(_line(record, job.recipe.fit.epochs))


def _line(e: Epoch, epochs: int) -> str:
    return (
        f"epoch {e.epoch:>3}/{epochs}   loss {e.train_loss:.4f}   "
        f"validation loss {e.validation_loss:.4f}  accuracy [bold]{e.validation_accuracy:.2%}[/]   "
        f"{e.seconds:.1f} s"
    )


def _show(found: Evaluation) -> None:
    m = found.metrics
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row(f"test accuracy ({m.split}, n = {m.n:,})", f"[bold]{m.accuracy:.2%}[/]")
    table.add_row("validation accuracy", f"{m.validation_accuracy:.2%}")
    table.add_row("calibration error (ECE)", f"{m.ece:.2%}")
    table.add_row("temperature", f"{found.calibration.temperature:.3f}")
    worst = sorted(m.per_class.items(), key=lambda item: item[1])[:3]
    table.add_row("hardest classes", ", ".join(f"{name} {recall:.1%}" for name, recall in worst))
    console.print(table)


def _open(name: str, runs: Path) -> Run:
    folder = Path(name)
    return Run.open(folder if folder.is_dir() else runs / name)


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
    return dict.fromkeys(("fit", "evaluate", "publish"), values)


def main() -> None:
    try:
        app(default_map=_file_defaults(Path("glyphscope.toml")))
    except KeyboardInterrupt:
        _fail("stopped; the same command with --resume goes on from the last finished epoch", 130)
    except Diverged as error:
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
