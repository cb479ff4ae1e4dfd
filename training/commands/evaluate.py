"""``glyphscope-train evaluate``: judge a run on its test set, once."""

from pathlib import Path

from rich.table import Table

from training import data
from training import evaluate as evaluation
from training.options import Data, RunName, Runs, console, open_run
from training.run import Run


def evaluate(run_name: RunName, data_root: Data = None, runs: Runs = Path("runs")) -> None:
    """Judge a run on its test set, once; a second call shows what was recorded."""
    judge(open_run(run_name, runs), data.data_root(data_root))


def judge(run: Run, root: Path) -> None:
    found = evaluation.evaluate(run, root)
    m = found.metrics
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_row(f"test accuracy ({m.split}, n = {m.n:,})", f"[bold]{m.accuracy:.2%}[/]")
    table.add_row("validation accuracy", f"{m.validation_accuracy:.2%}")
    table.add_row("calibration error (ECE)", f"{m.ece:.2%}")
    table.add_row("temperature", f"{found.calibration.temperature:.3f}")
    worst = sorted(m.per_class.items(), key=lambda item: item[1])[:3]
    table.add_row("hardest classes", ", ".join(f"{name} {recall:.1%}" for name, recall in worst))
    console.print(table)
